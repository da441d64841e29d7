"""An intake of office documents: Word, Excel, PowerPoint, HTML and CSV files made here, told apart by Magika, turned to Markdown, cleaned by nh3."""
import tempfile
from pathlib import Path

import docx
import nh3
import openpyxl
from markitdown import MarkItDown, StreamInfo
from pptx import Presentation


def make(folder):
    d = docx.Document()
    d.add_heading("Minutes", 1)
    d.add_paragraph("We agreed.", style="List Bullet")
    t = d.add_table(rows=1, cols=2)
    t.rows[0].cells[0].text, t.rows[0].cells[1].text = "who", "what"
    d.save(folder / "minutes.docx")
    wb = openpyxl.Workbook()
    wb.active.append(["item", "price"])
    wb.active.append(["tea", 3])
    wb.save(folder / "prices.xlsx")
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[0])
    slide.shapes.title.text = "Plans"
    deck.save(folder / "plans.pptx")
    (folder / "page.html").write_text("<html><body><h2>Hi</h2><script>x()</script><p>there <b>you</b></p></body></html>")
    (folder / "list.csv").write_text("a,b\n1,2\n")


def main():
    folder = Path(tempfile.mkdtemp())
    make(folder)
    md = MarkItDown()
    out = {p.name: md.convert(str(p)).text_content for p in sorted(folder.iterdir())}
    with open(folder / "minutes.docx", "rb") as f:
        unnamed = md.convert_stream(f, stream_info=StreamInfo()).text_content
    safe = nh3.clean("<p onclick='x'>ok<script>1</script></p>")
    assert "# Minutes" in unnamed and "tea" in out["prices.xlsx"] and "Plans" in out["plans.pptx"], out
    print("OK", sorted(out), "x()" in out["page.html"], "| 1 | 2 |" in out["list.csv"], safe)


main()
