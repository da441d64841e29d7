"""Count what customers spend, under pseudonyms.

Usage: app.py [ORDERS.csv]        with the columns customer, day and cents
"""

import io
import sys

import numpy as np
import polars as pl
import polars_hash as plh

ORDERS = """\
customer,day,cents
ada@example.org,2026-01-05,1999
bob@example.org,2026-01-05,450
ada@example.org,2026-02-17,2500
eve@example.org,2026-02-28,125
bob@example.org,2026-03-01,3075
"""


def main() -> None:
    source = sys.argv[1] if len(sys.argv) > 1 else io.StringIO(ORDERS)
    orders = pl.read_csv(source, try_parse_dates=True)
    totals = (
        orders.lazy()
        .with_columns(plh.col("customer").chash.sha2_256().str.head(8).alias("pseudonym"))
        .group_by("pseudonym")
        .agg(pl.col("cents").sum(), pl.col("day").max().alias("last"))
        .sort("cents", descending=True)
        .collect()
    )
    for pseudonym, cents, last in totals.iter_rows():
        print(f"{pseudonym}  {cents / 100:7.2f}  {last:%d %B %Y}")
    cents = totals["cents"].to_numpy()
    shares = pl.from_numpy(np.round(100 * cents / cents.sum(), 1), schema=["percent"])
    print(f"shares: {shares['percent'].to_list()}")
    print(f"pandas in the program: {'pandas' in sys.modules}")


if __name__ == "__main__":
    main()
