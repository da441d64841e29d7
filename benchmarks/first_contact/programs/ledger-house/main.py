"""Household books: Beancount reads and checks a ledger with plug-ins, Beangulp imports the bank's CSV, Beanquery asks, and Fava serves it and sees the file change."""
import csv
import io
import shutil
import tempfile
import time
from decimal import Decimal
from pathlib import Path

import beangulp
import beanquery
from beancount import loader
from beancount.core import data
from beancount.core.inventory import Inventory
from beancount.parser import printer
from beangulp.importers import csvbase
from fava.application import create_app

from house_rules import Complaint

HERE = Path(__file__).resolve().parent
STATEMENT = """# Mill Bank
Date;Payee;Text;Amount
2025-03-03;Baker;Bread;-12,50
2025-03-04;Grocer;Feast;-1.130,75
2025-03-31;Mill;Wages;3.100,00
"""


class Bank(csvbase.Importer):
    """The bank writes dates as ISO, amounts with a comma, and a semicolon between."""

    dialect = "bank"
    date = csvbase.Date("Date")
    payee = csvbase.Column("Payee")
    narration = csvbase.Columns("Text")
    amount = csvbase.Amount("Amount", subs={r"\.": "", ",": "."})

    def identify(self, filepath):
        with open(filepath) as f:
            return f.readline().startswith("# Mill Bank")

    def finalize(self, txn, row):
        other = "Expenses:Food" if row.amount < 0 else "Income:Work"
        return txn._replace(postings=txn.postings + [data.Posting(other, -txn.postings[0].units, None, None, None, None)])


def imported(folder, existing):
    csv.register_dialect("bank", delimiter=";")
    (folder / "inbox").mkdir()
    (folder / "inbox/march.csv").write_text(STATEMENT)
    ingest = beangulp.Ingest([Bank("Assets:Bank", "EUR")])
    importer, = ingest.importers
    path = str(folder / "inbox/march.csv")
    if not importer.identify(path):
        return []
    entries = importer.extract(path, existing)
    importer.deduplicate(entries, existing)
    return entries


def ask(entries, errors, options, query):
    connection = beanquery.connect("beancount:", entries=entries, errors=errors, options=options)
    return [tuple(str(v) if isinstance(v, (Decimal, Inventory)) else v for v in row) for row in connection.execute(query).fetchall()]


def pages(book, more):
    app = create_app([str(book)], load=True)
    client = app.test_client()
    start = client.get("/the-house/income_statement/?time=2025")
    tree = client.get("/the-house/api/income_statement?time=2025").get_json()["data"]["trees"]
    query = client.get("/the-house/api/query", query_string={"query_string": ".run shares"}).get_json()["data"]
    panel = client.get("/the-house/extension/FavaDashboards/query", query_string={"bql": "SELECT sum(position) AS total WHERE account ~ 'Food'"}).get_json()
    script = client.get("/static/app.js").status_code
    help_page = client.get("/the-house/help/budgets").status_code
    before = len(app.config["LEDGERS"]["the-house"].all_entries)
    with open(book, "a") as f:
        f.write(more)
    for _ in range(100):
        if client.get("/the-house/api/changed").get_json()["data"]:
            break
        time.sleep(0.1)
    after = len(app.config["LEDGERS"]["the-house"].all_entries)
    names = [child["account"] for child in tree[0]["children"]]
    return start.status_code, "Bilanz" in start.text, names, query["t"], panel["success"], script, help_page, after - before


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for name in ("house.beancount", "dashboards.yaml"):
            shutil.copy(HERE / name, folder / name)
        book = folder / "house.beancount"
        entries, errors, options = loader.load_file(str(book))
        assert not errors, errors
        out = io.StringIO()
        new = imported(folder, entries)
        printer.print_entries(new, file=out)
        with open(book, "a") as f:
            f.write("\n" + out.getvalue())
        entries, errors, options = loader.load_file(str(book))
        food = ask(entries, errors, options, "SELECT account, sum(number) WHERE account ~ '^Expenses' GROUP BY account ORDER BY account")
        depot = ask(entries, errors, options, "SELECT value(sum(position)) AS worth WHERE account ~ 'Depot'")
        web = pages(book, '\n2025-12-24 * "Market" "Tree"\n  Assets:Bank  -30.00 EUR\n  Expenses:Food  30.00 EUR\n')
    print("OK", len(new), [e.message for e in errors if isinstance(e, Complaint)], len(errors), food, depot, *web)


if __name__ == "__main__":
    main()
