"""A ledger in Delta tables: rows checked by Patito models, written by partitions, merged, its schema widened, an older version read, files compacted, asked by DuckDB over Arrow and by Delta's own SQL."""
import tempfile
from datetime import date
from typing import Literal

import duckdb
import patito as pt
import polars as pl
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, QueryBuilder, write_deltalake


class Entry(pt.Model):
    key: int = pt.Field(unique=True, ge=0)
    account: Literal["rent", "food", "fun"]
    day: date
    cents: int


def main():
    frame = pl.DataFrame({
        "key": range(6), "account": ["rent", "food", "food", "fun", "food", "rent"],
        "day": [date(2026, 1, d) for d in range(1, 7)], "cents": [90000, 1250, 830, 4000, 99, 90000],
    })
    Entry.validate(frame)
    try:
        Entry.validate(frame.with_columns(account=pl.lit("gold")))
    except pt.exceptions.DataFrameValidationError as error:
        wrong = len(error.errors())
    with tempfile.TemporaryDirectory() as folder:
        write_deltalake(folder, frame.to_arrow(), partition_by=["account"], commit_properties=CommitProperties(custom_metadata={"by": "ada"}))
        table = DeltaTable(folder)
        late = pl.DataFrame({"key": [2, 9], "account": ["food", "fun"], "day": [date(2026, 2, 1)] * 2, "cents": [900, 1]}).to_arrow()
        merged = (
            table.merge(source=late, predicate="t.key = s.key", source_alias="s", target_alias="t")
            .when_matched_update_all().when_not_matched_insert_all().execute()
        )
        wide = pl.DataFrame({"key": [20], "account": ["rent"], "day": [date(2026, 3, 1)], "cents": [5], "note": ["late"]}).to_arrow()
        write_deltalake(folder, wide, mode="append", schema_mode="merge")
        table = DeltaTable(folder)
        compacted = table.optimize.compact()["numFilesRemoved"]
        table.create_checkpoint()
        old = DeltaTable(folder, version=0)
        count_old = pa.table(QueryBuilder().register("t", old).execute("select count(*) as n from t")).column(0)[0].as_py()
        rows = pl.scan_delta(folder).group_by("account").agg(pl.col("cents").sum()).sort("account").collect().rows()
        arrow = table.to_pyarrow_table()
        most = duckdb.sql("select account, max(cents) from arrow group by account order by account").fetchall()
        actions = pl.DataFrame(table.get_add_actions(flatten=True)).height
        history = [h["operation"] for h in table.history()]
        table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    example = Entry.DataFrame({"key": ["7"], "account": ["fun"], "day": [date(2026, 1, 1)], "cents": [1]}).cast().validate().height
    print("OK", wrong, merged["num_target_rows_updated"], compacted > 0, count_old, rows, most, actions, history, example)


main()
