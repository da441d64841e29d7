"""A small lake: dlt loads nested records through a transformer into DuckDB by the destination's name, merges changes, evolves the schema, reads Polars frames."""
import os
import tempfile
from pathlib import Path

os.environ.update(RUNTIME__DLTHUB_TELEMETRY="false", RUNTIME__LOG_LEVEL="CRITICAL", DLT_DATA_DIR=tempfile.mkdtemp(), PROGRESS="log")
import dlt
import duckdb
import polars as pl
from dlt.sources.helpers.transform import take_first
from pydantic import BaseModel

DAYS = [[{"id": 1, "who": "Ada", "lines": [{"sku": "tea", "n": 2}, {"sku": "bun", "n": 1}]}, {"id": 2, "who": "Bo", "lines": []}], [{"id": 2, "who": "Bo", "lines": [{"sku": "tea", "n": 5}], "note": "late"}, {"id": 3, "who": "Cy", "lines": []}]]


class Line(BaseModel):
    sku: str
    n: int


class Order(BaseModel):
    id: int
    who: str
    lines: list[Line] = []
    note: str | None = None


@dlt.source
def shop(day):
    @dlt.resource(name="orders", write_disposition="merge", primary_key="id", columns=Order)
    def orders(seen=dlt.sources.incremental("id", initial_value=0)):
        yield DAYS[day]

    @dlt.transformer(data_from=orders, name="names", write_disposition="append")
    def names(rows):
        yield from ({"name": r["who"].upper()} for r in rows)

    return orders, names


def main():
    path = Path(tempfile.mkdtemp()) / "shop.duckdb"
    pipe = dlt.pipeline("shop", destination=dlt.destinations.duckdb(str(path)), dataset_name="raw", pipelines_dir=tempfile.mkdtemp())
    for day in range(2):
        info = pipe.run(shop(day))
        info.raise_on_failed_jobs()
    con = duckdb.connect(str(path))
    rows = con.execute("select id, who, note from raw.orders order by id").fetchall()
    con.close()
    files = dlt.pipeline("copy", destination="filesystem", dataset_name="out", pipelines_dir=tempfile.mkdtemp())
    os.environ["DESTINATION__FILESYSTEM__BUCKET_URL"] = (out := Path(tempfile.mkdtemp())).as_uri()
    files.run([{"a": 1}, {"a": 2}], table_name="t", loader_file_format="jsonl")
    frame = pl.DataFrame(rows, schema=["id", "who", "note"], orient="row")
    tables = sorted(t for t in pipe.default_schema.tables if not t.startswith("_"))
    print("OK", frame.to_dicts(), tables, any(out.rglob("*.jsonl*")))


main()
