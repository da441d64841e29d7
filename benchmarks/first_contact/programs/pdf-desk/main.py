"""A desk for PDF files: pages drawn by ReportLab, words and tables read by pdfplumber, pages turned and encrypted by pikepdf, rendered by PDFium, scans bound by img2pdf, opened with a password by pdfminer."""
import io
import logging

import img2pdf
import pdfplumber
import pikepdf
import pypdfium2 as pdfium
from pdfminer.high_level import extract_text
from pdfminer.pdfdocument import PDFPasswordIncorrect
from PIL import Image, ImageDraw
from reportlab.graphics.barcode import qr
from reportlab.graphics.shapes import Drawing
from reportlab.lib import colors
from reportlab.lib.pagesizes import A5
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.platypus import Paragraph, SimpleDocTemplate, Table


def draw():
    pdfmetrics.registerFont(UnicodeCIDFont("HeiseiMin-W3"))
    out = io.BytesIO()
    styles = getSampleStyleSheet()
    code = qr.QrCodeWidget("https://example.org")
    drawing = Drawing(80, 80)
    drawing.add(code)
    rows = [["thing", "count"], ["bolt", "12"], ["nut", "30"]]
    story = [
        Paragraph("Stock of the depot", styles["Title"]),
        Table(rows, style=[("GRID", (0, 0), (-1, -1), 1, colors.black)]),
        Paragraph('<font name="HeiseiMin-W3">\u65e5\u672c\u8a9e</font>', styles["Normal"]),
        drawing,
    ]
    SimpleDocTemplate(out, pagesize=A5, title="Stock").build(story)
    return out.getvalue()


def main():
    logging.getLogger("pdfminer").setLevel(logging.ERROR)
    page = draw()
    with pdfplumber.open(io.BytesIO(page)) as pdf:
        table = pdf.pages[0].extract_table()
        words = [w["text"] for w in pdf.pages[0].extract_words()]
    scan = Image.new("RGB", (120, 60), "white")
    ImageDraw.Draw(scan).text((5, 5), "scan", fill="black")
    png = io.BytesIO()
    scan.save(png, "PNG")
    bound = img2pdf.convert(png.getvalue())
    locked = io.BytesIO()
    with pikepdf.open(io.BytesIO(page)) as one, pikepdf.open(io.BytesIO(bound)) as two:
        one.pages.extend(two.pages)
        one.pages[0].rotate(90, relative=True)
        with one.open_metadata() as meta:
            meta["dc:title"] = "Locked"
        one.save(locked, encryption=pikepdf.Encryption(owner="boss", user="me", R=6))
    text = extract_text(io.BytesIO(locked.getvalue()), password="me")
    try:
        extract_text(io.BytesIO(locked.getvalue()), password="no")
    except PDFPasswordIncorrect as error:
        wrong = type(error).__name__
    shown = pdfium.PdfDocument(locked.getvalue(), password="me")
    sizes = [tuple(round(v) for v in shown[i].get_size()) for i in range(len(shown))]
    bitmap = shown[0].render(scale=0.5).to_pil()
    print("OK", table, words[:4], sorted(set("depot") - set(text)), "\u65e5\u672c" in text, wrong, sizes, bitmap.size)


main()
