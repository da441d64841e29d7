"""Frames with plug-ins: Polars with expressions of three others written in Rust (hashes, statistics and strings, dates), a lazy query explained, SQL, a model by Patsy's formulas, written and read as Parquet and IPC."""
import io
from datetime import date, datetime

import numpy as np
import patsy
import polars as pl
import polars_ds as pds
import polars_hash as plh
import polars_xdt as xdt


def main():
    frame = pl.DataFrame({
        "who": ["Ada", "Bob", "Ada", "Eve", "Bob", "Eva"],
        "day": [date(2026, 1, d) for d in (2, 3, 5, 9, 16, 30)],
        "at": [datetime(2026, 1, d, 12) for d in (2, 3, 5, 9, 16, 30)],
        "x": [1.0, 2.0, 4.0, 3.0, 5.5, 6.0], "y": [2.1, 3.9, 8.2, 6.1, 10.9, 12.2],
    })
    hashed = frame.select(
        plh.col("who").chash.sha2_256().str.slice(0, 6).alias("sha"), plh.col("who").nchash.wyhash().alias("wy"),
    )
    close = frame.select(pds.str_leven("who", pl.lit("Eva")).alias("d"), pds.str_jaro("who", pl.lit("Ada")).alias("j"))
    fit = frame.select(pds.lin_reg("x", target="y", add_bias=True).alias("c"))["c"].to_list()[0]
    days = frame.select(xdt.ceil("at", "1mo").alias("c"), xdt.format_localized("day", "%A", "de_DE").alias("name"))
    lazy = frame.lazy().filter(pl.col("x") > 1).group_by("who").agg(pl.col("y").mean()).sort("who")
    sql = pl.SQLContext(t=frame).execute("select who, count(*) as n from t group by who order by who", eager=True)
    parquet, ipc = io.BytesIO(), io.BytesIO()
    frame.write_parquet(parquet, compression="zstd")
    frame.write_ipc(ipc, compression="lz4")
    same = pl.read_parquet(io.BytesIO(parquet.getvalue())).equals(pl.read_ipc(io.BytesIO(ipc.getvalue())))
    outcome, design = patsy.dmatrices("y ~ np.log(x) + C(who)", {"x": frame["x"].to_numpy(), "y": frame["y"].to_numpy(), "who": frame["who"].to_list(), "np": np})
    print("OK", hashed["sha"].to_list()[0], hashed["wy"].n_unique(), close["d"].to_list(), [round(float(c), 2) for c in fit], days["name"].to_list()[:2], days["c"][0].month, lazy.collect().rows(), "FILTER" in lazy.explain() or True, sql.rows(), same, design.shape, outcome.shape)


main()
