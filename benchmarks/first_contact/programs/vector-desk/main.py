"""A desk for vectors: documents in Chroma, kept on disk, with an embedding function of its own, asked with filters, compared with BM25 over stemmed words, a table by Rich."""
import hashlib
import io
import tempfile

import bm25s
import chromadb
import numpy as np
from chromadb.api.types import Documents, EmbeddingFunction, Embeddings
from chromadb.config import Settings
from py_rust_stemmers import SnowballStemmer
from rich.console import Console
from rich.table import Table

TEXTS = {
    "a": "Ships leave the harbour of Genoa at dawn", "b": "The shipping of apples costs money",
    "c": "A baker bakes bread at night", "d": "Bread and apples are sold in the harbour",
}


class Hashed(EmbeddingFunction):
    def __init__(self):
        self.stem = SnowballStemmer("english").stem_word

    def __call__(self, input: Documents) -> Embeddings:
        made = []
        for text in input:
            vector = np.zeros(64, dtype=np.float32)
            for word in text.lower().split():
                vector[hashlib.md5(self.stem(word).encode()).digest()[0] % 64] += 1
            made.append(vector / np.linalg.norm(vector))
        return made

    @staticmethod
    def name() -> str:
        return "hashed"

    def get_config(self):
        return {}

    @staticmethod
    def build_from_config(config):
        return Hashed()


def main():
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        client = chromadb.PersistentClient(path=folder, settings=Settings(anonymized_telemetry=False))
        texts = client.create_collection("texts", embedding_function=Hashed(), metadata={"hnsw:space": "cosine"})
        texts.add(ids=list(TEXTS), documents=list(TEXTS.values()), metadatas=[{"words": len(t.split())} for t in TEXTS.values()])
        texts.update(ids=["a"], metadatas=[{"words": 8, "seen": True}])
        near = texts.query(query_texts=["ship in the harbour"], n_results=2)["ids"][0]
        long = texts.get(where={"$and": [{"words": {"$gte": 8}}, {"seen": True}]})["ids"]
        with_word = texts.get(where_document={"$contains": "Bread"})["ids"]
        texts.delete(ids=["c"])
        names = [c.name for c in client.list_collections()]
        count = texts.count()
    stemmer = SnowballStemmer("english")
    words = [[stemmer.stem_word(w) for w in t.lower().split()] for t in TEXTS.values()]
    retriever = bm25s.BM25(corpus=list(TEXTS))
    retriever.index(words, show_progress=False)
    found, scores = retriever.retrieve([[stemmer.stem_word("shipping")]], k=2, show_progress=False)
    table = Table("key", "score")
    for key, score in zip(found[0], scores[0]):
        table.add_row(str(key), f"{score:.2f}")
    out = io.StringIO()
    Console(file=out, width=40).print(table)
    print("OK", near, long, with_word, names, count, sorted(map(str, found[0])), len(out.getvalue()) > 50)


main()
