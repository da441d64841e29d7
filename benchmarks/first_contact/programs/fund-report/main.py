"""A fund's report: cash flows in Polars, returns by pyxirr, a table by Great Tables, a workbook by XlsxWriter read back by fastexcel and calamine."""
import tempfile
from datetime import date
from pathlib import Path

import fastexcel
import polars as pl
import polars.selectors as cs
import python_calamine
import pyxirr
import xlsxwriter
from great_tables import GT, loc, md, style

FLOWS = {
    "fund": ["Alpha"] * 4 + ["Beta"] * 3,
    "day": [date(2022, 1, 1), date(2023, 1, 1), date(2024, 6, 1), date(2025, 12, 31), date(2022, 3, 1), date(2024, 3, 1), date(2025, 3, 1)],
    "amount": [-1000.0, -500.0, 300.0, 1600.0, -2000.0, 500.0, 1900.0],
}


def summary(df):
    rows = []
    for (name,), part in df.group_by("fund", maintain_order=True):
        flows = part["amount"].to_list()
        rows.append({
            "fund": name, "paid": -sum(a for a in flows if a < 0), "value": sum(a for a in flows if a > 0),
            "irr": pyxirr.xirr(part["day"].to_list(), flows), "tvpi": pyxirr.pe.tvpi(flows[:-1], nav=flows[-1]), "history": {"amount": flows},
        })
    return pl.DataFrame(rows).with_columns(pl.col("history").struct.field("amount").alias("trend")).drop("history")


def table(out):
    return (
        GT(out.drop("trend"), rowname_col="fund")
        .tab_header(md("**Funds**"), "since 2022")
        .fmt_currency(["paid", "value"], currency="EUR", decimals=0)
        .fmt_percent("irr", decimals=1)
        .tab_spanner("Cash", cs.by_name("paid", "value"))
        .data_color("irr", palette=["white", "lightgreen"])
        .tab_style(style.text(weight="bold"), loc.body(columns="tvpi"))
        .tab_source_note("Unaudited.")
        .opt_stylize(style=2)
        .as_raw_html()
    )


def workbook(path, df, out):
    with xlsxwriter.Workbook(path, {"default_date_format": "yyyy-mm-dd"}) as book:
        df.write_excel(book, "flows", table_style="Table Style Medium 4", dtype_formats={pl.Date: "yyyy-mm-dd"}, column_totals=["amount"])
        out.drop("trend").write_excel(book, "summary", conditional_formats={"irr": "3_color_scale"}, autofit=True)
        chart = book.add_chart({"type": "column"})
        chart.add_series({"values": "=summary!$B$2:$B$3"})
        book.add_worksheet("chart").insert_chart("A1", chart)


def main():
    df = pl.DataFrame(FLOWS)
    out = summary(df)
    html = table(out)
    with tempfile.TemporaryDirectory() as t:
        path = Path(t) / "fund.xlsx"
        workbook(str(path), df, out)
        book = fastexcel.read_excel(path)
        sheet = book.load_sheet("flows", n_rows=7, dtypes={"amount": "float"})
        back = sheet.to_polars()
        typed = pl.from_arrow(book.load_sheet("summary", use_columns=["fund", "irr"]).to_arrow())
        cells = python_calamine.load_workbook(str(path)).get_sheet_by_name("summary").to_python()
    monthly = df.sort("day").group_by_dynamic("day", every="1y").agg(pl.col("amount").sum())
    sql = pl.SQLContext(f=df).execute("select fund, count(*) n from f group by fund order by fund").collect()
    assert "1,500" in html and "Funds" in html, html[-3000:]
    print("OK", out["irr"].round(4).to_list(), out["tvpi"].round(2).to_list(), book.sheet_names, back["amount"].sum(), typed.height, cells[1][0],
          monthly.height, sql.rows())


if __name__ == "__main__":
    main()
