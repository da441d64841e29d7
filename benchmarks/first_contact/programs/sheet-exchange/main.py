"""Price offers travel between a supplier's and a buyer's spreadsheets: every format, what-if formulas, a sealed archive."""
import datetime as dt
import tempfile
from decimal import Decimal
from pathlib import Path

import formulas
import openpyxl
import pyexcel
import pyzipper
import schedula
from num2words import num2words
from pyexcelerate import Color, Font, Style, Workbook
from rustpy_xlsxwriter import FastExcel, Format

from model import Offer

HERE = Path(__file__).parent


def load(source: Path) -> list[Offer]:
    return [Offer.model_validate(record) for record in pyexcel.get_records(file_name=str(source))]


def round_trip(offers: list[Offer], folder: Path) -> dict[str, Decimal]:
    """Through every file format that pyexcel's plugins write and read."""
    records = [offer.model_dump(exclude={"total"}) | {"unit_price": float(offer.unit_price)} for offer in offers]
    totals = {}
    for ending in ("xlsx", "xls", "ods", "csv", "tsv", "csvz", "tsvz"):
        target = folder / f"offers.{ending}"
        pyexcel.save_as(records=records, dest_file_name=str(target))
        totals[ending] = sum(offer.total for offer in load(target))
    return totals


def texts(offers: list[Offer]) -> tuple[int, int]:
    sheet = pyexcel.Sheet([[o.sku, o.quantity] for o in offers], name="stock", colnames=["sku", "quantity"])
    sheet.row += ["Z-900", 7]
    sheet.colnames = ["sku", "quantity"]
    book = pyexcel.get_book(bookdict={"stock": sheet.to_array(), "empty": [[]]})
    table = str(sheet)
    assert "| A-100 |" in table and book.number_of_sheets() == 2, table
    return len(table.splitlines()), sum(sheet.column["quantity"])


def calculate(folder: Path, quantity: int) -> tuple[float, float, float, str]:
    """A workbook with formulas is compiled into a Python function and recalculated with other inputs."""
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    sheet.title = "Quote"
    for row in (
        ("quantity", 100),
        ("price", 4.95),
        ("discount", '=IF(B1>=500,0.1,IF(B1>=200,0.05,0))'),
        ("net", "=ROUND(B1*B2*(1-B3),2)"),
        ("loan", "=ROUND(-PMT(0.06/12,12,B4),2)"),
        ("steps", "=SUMPRODUCT(D1:D4,E1:E4)"),
        ("class", '=VLOOKUP(B1,G1:H3,2,TRUE)'),
    ):
        sheet.append(row)
    for index in range(1, 5):
        sheet.cell(index, 4, index)
        sheet.cell(index, 5, index * index)
    for index, (limit, label) in enumerate(((0, "small"), (200, "medium"), (500, "large")), 1):
        sheet.cell(index, 7, limit)
        sheet.cell(index, 8, label)
    path = folder / "quote.xlsx"
    workbook.save(path)
    compiled = formulas.ExcelModel().loads(str(path)).finish()
    cell = "'[quote.xlsx]QUOTE'!{}".format
    solution = compiled.calculate(inputs={cell("B1"): quantity}, outputs=[cell(f"B{i}") for i in range(3, 8)])
    values = [solution[cell(f"B{i}")].value[0, 0] for i in range(4, 8)]
    compiled.write(dirpath=str(folder / "calculated"))
    power = formulas.Parser().ast("=(1 + A1) ^ B1 - SQRT(C1)")[1].compile()
    assert list(power.inputs) == ["A1", "B1", "C1"] and float(power(1, 3, 16)) == 4.0
    return float(values[0]), float(values[1]), float(values[2]), str(values[3])


def report(offers: list[Offer], folder: Path) -> tuple[float, str]:
    """The fast writers: one in Rust, one with cell styles; both are read back."""
    rows = [{"sku": o.sku, "name": o.name, "total": float(o.total)} for o in offers]
    fast = folder / "fast.xlsx"
    (
        FastExcel(str(fast))
        .sheet("Totals", rows, totals_row={"total": "sum"}, totals_label="All", autofilter=True,
               column_formats={"total": Format().set_num_format("#,##0.00").set_bold()}, conditional_formats={"total": {"type": "data_bar"}})
        .sheet("Names", [{"name": o.name} for o in offers])
        .save()
    )
    back = openpyxl.load_workbook(fast)
    total = sum(row[2] for row in back["Totals"].iter_rows(min_row=2, max_row=len(rows) + 1, values_only=True))
    assert back["Totals"].cell(len(rows) + 2, 3).value.startswith("=SUM") and back.sheetnames == ["Totals", "Names"]
    styled = Workbook()
    sheet = styled.new_sheet("styled", data=[["sku", "from"], *[[o.sku, dt.datetime.combine(o.valid_from, dt.time())] for o in offers]])
    sheet.set_row_style(1, Style(font=Font(bold=True, color=Color(200, 0, 0, 0))))
    styled.save(str(folder / "styled.xlsx"))
    head = openpyxl.load_workbook(folder / "styled.xlsx")["styled"]["A1"]
    assert head.font.bold, head.font
    return round(total, 2), head.font.color.rgb


def seal(folder: Path) -> int:
    archive = folder / "sealed.zip"
    with pyzipper.AESZipFile(archive, "w", compression=pyzipper.ZIP_LZMA, encryption=pyzipper.WZ_AES) as target:
        target.setpassword(b"correct horse")
        for path in sorted(folder.glob("offers.*")):
            target.write(path, path.name)
    with pyzipper.AESZipFile(archive) as source:
        source.setpassword(b"correct horse")
        assert source.testzip() is None
        return len(source.namelist())


def main() -> None:
    offers = load(HERE / "offers.csv")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        totals = round_trip(offers, folder)
        print("totals:", {ending: str(total) for ending, total in totals.items()})
        lines, stock = texts(offers)
        net, loan, steps, size = calculate(folder, 600)
        print("quote:", net, loan, steps, size)
        fast, colour = report(offers, folder)
        sealed = seal(folder)
    assert len(set(totals.values())) == 1
    total = totals["ods"]
    words = [num2words(int(total), lang=language) for language in ("en", "de", "fr", "pl", "es", "tr")]
    for line in words:
        print("in words:", line)
    functions = len(formulas.get_functions())
    assert functions > 300 and isinstance(schedula.EMPTY, schedula.Token)
    print(f"OK {len(totals)} formats total {total}, table {lines} lines stock {stock}, quote {net} {loan} {steps} {size}, fast {fast} {colour}, {sealed} sealed, {sum(map(len, words))} letters")


if __name__ == "__main__":
    main()
