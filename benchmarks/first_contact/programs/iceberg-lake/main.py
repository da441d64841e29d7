"""A lake of Iceberg tables: a SQL catalog by its name, transforms, schema evolution, upserts, snapshots, a scan into DuckDB."""
import tempfile
from datetime import datetime

import pyarrow as pa
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.expressions import And, EqualTo, GreaterThan
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table.sorting import SortField, SortOrder
from pyiceberg.transforms import BucketTransform, DayTransform, IdentityTransform
from pyiceberg.types import DoubleType, LongType, NestedField, StringType, TimestampType

SCHEMA = Schema(
    NestedField(1, "id", LongType(), required=True),
    NestedField(2, "city", StringType()),
    NestedField(3, "at", TimestampType()),
    NestedField(4, "amount", DoubleType()),
    identifier_field_ids=[1],
)
SPEC = PartitionSpec(
    PartitionField(3, 1000, DayTransform(), "day"),
    PartitionField(1, 1001, BucketTransform(4), "bucket"),
)
ARROW = pa.schema([pa.field("id", pa.int64(), nullable=False), ("city", pa.string()), ("at", pa.timestamp("us")), ("amount", pa.float64())])


def rows(*items):
    return pa.Table.from_pylist([{"id": i, "city": c, "at": datetime(2026, 1, d), "amount": a} for i, c, d, a in items], schema=ARROW)


def main():
    with tempfile.TemporaryDirectory() as t:
        catalog = load_catalog("shop", type="sql", uri=f"sqlite:///{t}/c.db", warehouse=f"file://{t}/w")
        catalog.create_namespace("sales", {"owner": "ann"})
        table = catalog.create_table("sales.orders", SCHEMA, partition_spec=SPEC, sort_order=SortOrder(SortField(2, IdentityTransform())))
        table.append(rows((1, "Rome", 1, 10.0), (2, "Oslo", 2, 20.0), (3, "Rome", 2, 30.0)))
        first = table.current_snapshot().snapshot_id
        table.append(rows((4, "Bonn", 3, 40.0)))
        with table.update_schema() as u:
            u.add_column("note", StringType(), doc="free text")
        new = rows((4, "Bonn", 3, 44.0), (5, "Rome", 4, 50.0))
        done = table.upsert(new)
        with table.update_schema() as u:
            u.rename_column("city", "town")
        table.delete(EqualTo("id", 1))
        found = table.scan(row_filter=And(EqualTo("town", "Rome"), GreaterThan("amount", 5)), selected_fields=("id", "note")).to_arrow()
        old = table.scan(snapshot_id=first).to_arrow().num_rows
        con = table.scan().to_duckdb("orders")
        best = con.execute("select town, sum(amount) s from orders group by 1 order by s desc").fetchall()
        parts = table.inspect.partitions().num_rows
        snaps = len(table.history())
        with table.manage_snapshots() as m:
            m.create_tag(first, "first")
        refs = sorted(table.refs())
        again = catalog.load_table("sales.orders")
        try:
            catalog.load_table("sales.none")
            missing = False
        except NoSuchTableError:
            missing = True
        spec = str(again.spec().fields[1].transform)
        catalog.drop_table("sales.orders")
    print("OK", done.rows_updated, done.rows_inserted, sorted(found["id"].to_pylist()), old, best[0], parts, snaps > 3, refs, missing, spec)


if __name__ == "__main__":
    main()
