"""Letters from an office: a Word template filled by docxtpl, a deck with a chart, a workbook with a chart and a pivot from Polars, minified HTML."""
import io
import tempfile
from pathlib import Path

import docx
import minify_html
import polars as pl
from docxtpl import DocxTemplate, RichText
from openpyxl import Workbook, load_workbook
from openpyxl.chart import BarChart, Reference
from openpyxl.styles import Font
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches


def main():
    d = Path(tempfile.mkdtemp())
    frame = pl.DataFrame({"who": ["Ada", "Bo", "Ada"], "what": ["tea", "tea", "bun"], "n": [2, 3, 4]})
    wide = frame.pivot(on="what", index="who", values="n", aggregate_function="sum").sort("who")
    base = docx.Document()
    base.add_heading("Dear {{ who }}", 0)
    base.add_paragraph("{%p for r in rows %}")
    base.add_paragraph("{{ r.what }}: {{ r.n }}", style="List Number")
    base.add_paragraph("{%p endfor %}")
    base.add_paragraph("{{r note }}")
    base.save(d / "t.docx")
    letter = DocxTemplate(d / "t.docx")
    letter.render({"who": "Ada", "rows": frame.filter(pl.col("who") == "Ada").to_dicts(), "note": RichText("soon", bold=True)})
    letter.save(d / "ada.docx")
    text = [p.text for p in docx.Document(d / "ada.docx").paragraphs]
    deck = Presentation()
    data = CategoryChartData()
    data.categories = wide["who"].to_list()
    data.add_series("tea", wide["tea"].to_list())
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, Inches(1), Inches(1), Inches(5), Inches(3), data)
    slide.notes_slide.notes_text_frame.text = "say hello"
    deck.save(d / "d.pptx")
    book = Workbook()
    sheet = book.active
    sheet.append(wide.columns)
    for row in wide.rows():
        sheet.append(row)
    sheet["A1"].font = Font(bold=True)
    chart = BarChart()
    chart.add_data(Reference(sheet, min_col=2, min_row=1, max_row=3), titles_from_data=True)
    sheet.add_chart(chart, "F2")
    buf = io.BytesIO()
    book.save(buf)
    back = load_workbook(io.BytesIO(buf.getvalue()))
    html = minify_html.minify("<ul>\n <li> one </li>\n <li>two</li>\n</ul>", keep_closing_tags=False)
    print("OK", text[0], len(text), back.active["B2"].value, len(Presentation(d / "d.pptx").slides), html)


main()
