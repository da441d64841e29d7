"""Data quality over three engines: the same Ibis expression on DuckDB, DataFusion and Polars, schemas checked by Pandera, SQL shown."""
import tempfile
from pathlib import Path

import ibis
import pandera.polars as pa
import polars as pl
import pyarrow as pya
import pyarrow.parquet as pq
from ibis import _
from pandera.typing.polars import Series

ROWS = {
    "sensor": ["a", "a", "b", "b", "c"],
    "value": [1.0, 3.0, -2.0, None, 7.5],
    "day": ["2026-01-01", "2026-01-02", "2026-01-01", "2026-01-02", "2026-01-01"],
}


class Reading(pa.DataFrameModel):
    sensor: Series[str] = pa.Field(isin=["a", "b", "c"])
    value: Series[float] = pa.Field(ge=0, nullable=True)

    @pa.dataframe_check
    def enough(cls, data) -> pl.LazyFrame:
        return data.lazyframe.select(pl.len() >= 3)


def report(t):
    return (
        t.mutate(day=_.day.cast("date"), ok=_.value.fill_null(-1) >= 0)
        .group_by("sensor")
        .agg(n=_.count(), good=_.ok.cast("int64").sum(), mean=_.value.mean().round(2), last=_.day.max())
        .order_by("sensor")
    )


def main():
    with tempfile.TemporaryDirectory() as t:
        file = Path(t) / "r.parquet"
        pq.write_table(pya.table(ROWS), file)
        answers = {}
        for name in ("duckdb", "datafusion", "polars"):
            con = getattr(ibis, name).connect()
            expr = report(con.read_parquet(file, table_name="readings"))
            rows = expr.to_pyarrow().to_pylist()
            answers[name] = [(r["sensor"], r["n"], r["good"], r["mean"]) for r in rows]
        assert answers["duckdb"] == answers["datafusion"] == answers["polars"], answers
        con = ibis.connect("duckdb://")
        tab = con.read_parquet(file)
        windowed = tab.mutate(r=ibis.row_number().over(ibis.window(group_by="sensor", order_by=ibis.desc("value"))))
        top = windowed.filter(_.r == 0).count().to_pyarrow().as_py()
        sql = ibis.to_sql(report(tab), dialect="bigquery")
        frame = tab.to_polars()
    try:
        Reading.validate(frame.lazy().collect(), lazy=True)
        failed = []
    except pa.errors.SchemaErrors as e:
        failed = e.failure_cases["failure_case"].to_list()
    clean = Reading.validate(frame.filter(pl.col("value").fill_null(0) >= 0))
    memo = ibis.memtable({"x": [1, 2, 3]}).x.sum().execute()
    print("OK", answers["duckdb"], top, "GROUP BY" in sql, failed, clean.height, int(memo))


if __name__ == "__main__":
    main()
