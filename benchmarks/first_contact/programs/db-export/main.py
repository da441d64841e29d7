"""An export: SQLite read by ConnectorX into Polars and Arrow, Peewee's rows, a workbook by XlsxWriter read back by calamine, a report by Tabulate and Babel in three languages."""
import datetime
import sqlite3
import tempfile
from pathlib import Path

import connectorx as cx
import polars as pl
import python_calamine
from babel.dates import format_date
from babel.numbers import format_currency
from peewee import DateField, FloatField, Model, SqliteDatabase, TextField, fn
from tabulate import tabulate
from typer import Typer
from typer.testing import CliRunner

db = SqliteDatabase(None)
cli = Typer()


class Sale(Model):
    shop = TextField()
    amount = FloatField()
    day = DateField()

    class Meta:
        database = db


@cli.command()
def export(folder: Path, language: str = "de_DE"):
    file = folder / "sales.db"
    frame = cx.read_sql(f"sqlite://{file}", "SELECT shop, amount, day FROM sale", return_type="polars")
    arrow = cx.read_sql(f"sqlite://{file}", "SELECT count(*) AS n FROM sale", return_type="arrow")
    total = frame.group_by("shop").agg(pl.col("amount").sum()).sort("shop")
    total.write_excel(folder / "out.xlsx")
    rows = python_calamine.CalamineWorkbook.from_path(folder / "out.xlsx").get_sheet_by_index(0).to_python()
    print(tabulate([[a, format_currency(b, "EUR", locale=language)] for a, b in total.iter_rows()], tablefmt="github"))
    print(arrow.num_rows if hasattr(arrow, "num_rows") else len(arrow), rows[1], format_date(datetime.date(2025, 3, 1), "full", locale=language))


def main():
    d = Path(tempfile.mkdtemp())
    db.init(d / "sales.db")
    db.create_tables([Sale])
    Sale.insert_many([{"shop": s, "amount": i * 1.5, "day": datetime.date(2025, 1, i)} for i in range(1, 9) for s in ("north", "south")]).execute()
    top = Sale.select(fn.MAX(Sale.amount)).scalar()
    db.close()
    for language in ("de_DE", "fr_FR", "ja_JP"):
        result = CliRunner().invoke(cli, [str(d), "--language", language])
        print(result.output, result.exception or "")
    print("OK", top, sqlite3.sqlite_version_info > (3, 30))


main()
