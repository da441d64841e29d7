"""Search in a LanceDB folder: Pydantic schemas, an embedding function from the registry, full text, hybrid with a reranker, versions."""
import re
import tempfile
import zlib

import lancedb
import numpy as np
import polars as pl
import pyarrow as pa
from lancedb.embeddings import TextEmbeddingFunction, get_registry, register
from lancedb.index import FTS, BTree
from lancedb.pydantic import LanceModel, Vector
from lancedb.rerankers import RRFReranker


@register("hashing")
class Hashing(TextEmbeddingFunction):
    size: int = 32

    def ndims(self):
        return self.size

    def generate_embeddings(self, texts):
        out = []
        for t in texts:
            v = np.zeros(self.size, dtype="float32")
            for w in re.findall(r"\w+", str(t).lower()):
                v[zlib.crc32(w.encode()) % self.size] += 1
            out.append(v / (np.linalg.norm(v) or 1))
        return out


embed = get_registry().get("hashing").create(size=32)


class Note(LanceModel):
    id: int
    text: str = embed.SourceField()
    vector: Vector(embed.ndims()) = embed.VectorField()
    tag: str = "none"


TEXTS = ["the red fox jumps", "a blue whale swims", "the red whale sings", "foxes sleep in winter", "blue sky over the sea"]


def main():
    with tempfile.TemporaryDirectory() as t:
        db = lancedb.connect(t)
        table = db.create_table("notes", schema=Note)
        table.add([{"id": i, "text": x, "tag": "red" if "red" in x else "other"} for i, x in enumerate(TEXTS)])
        table.create_scalar_index("id") if hasattr(table, "create_scalar_index") else table.create_index("id", config=BTree())
        table.create_fts_index("text") if hasattr(table, "create_fts_index") else table.create_index("text", config=FTS())
        near = table.search("red fox").limit(2).to_pydantic(Note)
        words = table.search("whale", query_type="fts").limit(5).to_list()
        both = table.search("red whale", query_type="hybrid").rerank(RRFReranker()).limit(1).to_list()
        only = table.search("red fox").where("tag = 'other'", prefilter=True).limit(1).select(["id"]).to_arrow()
        before = table.version
        table.update(where="id = 4", values={"tag": "sea"})
        table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(
            pa.Table.from_pylist([{"id": 9, "text": "new", "vector": [0.0] * 32, "tag": "new"}], schema=table.schema))
        table.delete("id = 0")
        n, after = table.count_rows(), table.version
        table.checkout(before)
        old = table.count_rows()
        table.checkout_latest()
        tags = table.to_polars().select(pl.col("tag")).collect()["tag"].sort().to_list()
        names = db.table_names() if hasattr(db, "table_names") else [x for x in db.list_tables()]
    print("OK", near[0].text, sorted(w["id"] for w in words), both[0]["text"], only["id"].to_pylist(), n, old, after > before, tags, list(names))


if __name__ == "__main__":
    main()
