"""Sorts a folder of papers and photos: tables out of PDFs by Camelot, Word from PDF, EXIF written and read, files recognised."""
import io
import json
import logging
import struct
import sys
import tempfile
import wave
import zipfile
from datetime import date
from pathlib import Path

import camelot
import exifread
import pandas as pd
import piexif
import piexif.helper
from camelot.cli import cli as camelot_cli
from click.testing import CliRunner
from docx import Document
from hachoir.core import config as hachoir_config
from hachoir.metadata import extractMetadata
from hachoir.parser import createParser
from pdf2docx import Converter
from pdf_oxide import PdfDocument
from PIL import Image, ImageDraw
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from reportlab.graphics.barcode import createBarcodeDrawing
from reportlab.lib import colors
from reportlab.lib.pagesizes import A5
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

logging.disable(logging.WARNING)
hachoir_config.quiet = True
ITEMS = [("Rope", 12, "3.50"), ("Tar", 2, "18.00"), ("Sailcloth", 5, "22.75")]


class Line(BaseModel):
    item: str = Field(alias="Item", min_length=2)
    pieces: int = Field(alias="Pieces", ge=1)
    price: float = Field(alias="Price")


class Photo(BaseModel):
    name: str
    make: str
    lat: float | None = None
    lon: float | None = None
    comment: str = ""


def make_pdf(path, password=None):
    styles = getSampleStyleSheet()
    grid = Table([["Item", "Pieces", "Price"], *[[a, str(b), c] for a, b, c in ITEMS]], colWidths=[110, 70, 70])
    grid.setStyle(TableStyle([("GRID", (0, 0), (-1, -1), 0.8, colors.black), ("BACKGROUND", (0, 0), (-1, 0), colors.lightgrey)]))
    loose = Table([["Day", "Ship", "Berth"], ["Monday", "Heron", "N4"], ["Friday", "Petrel", "S2"]], colWidths=[90, 90, 60])
    story = [Paragraph("Delivery note 4711", styles["Title"]), Paragraph("To the <b>harbour office</b>, with thanks.", styles["BodyText"]), Spacer(1, 12), grid,
             PageBreak(), Paragraph("Arrivals", styles["Heading2"]), loose, Spacer(1, 60), createBarcodeDrawing("QR", value="note:4711", width=60, height=60)]
    SimpleDocTemplate(str(path), pagesize=A5, title="Delivery note", author="Chandler & Co", encrypt=password, invariant=1).build(story)


def tables(path, folder):
    ruled = camelot.read_pdf(str(path), pages="1", flavor="lattice")
    frame = ruled[0].df
    frame.columns = frame.iloc[0]
    lines = TypeAdapter(list[Line]).validate_python(frame.iloc[1:].to_dict("records"))
    print("lattice", ruled.n, ruled[0].shape, round(ruled[0].parsing_report["accuracy"]), sum(x.pieces * x.price for x in lines))
    loose = camelot.read_pdf(str(path), pages="2", flavor="stream")
    print("stream", loose[0].df.iloc[-1].tolist())
    print("hybrid", camelot.read_pdf(str(path), pages="1-end", flavor="network").n > 0)
    for kind, ending in (("csv", "csv"), ("json", "json"), ("html", "html"), ("markdown", "md"), ("excel", "xlsx"), ("sqlite", "db")):
        ruled.export(str(folder / f"out.{ending}"), f=kind)
    print("exports", sorted(p.suffix for p in folder.glob("out*")), pd.read_csv(next(folder.glob("out*.csv")))["Pieces"].sum())
    done = CliRunner().invoke(camelot_cli, ["lattice", "--format", "csv", "--output", str(folder / "cli.csv"), str(path)])
    print("command", done.exit_code, [line for line in done.output.splitlines() if "Found" in line])
    try:
        camelot.read_pdf(str(path), flavor="guess")
    except (NotImplementedError, ValueError) as error:
        print("camelot refused", type(error).__name__)
    try:
        TypeAdapter(list[Line]).validate_python([{"Item": "x", "Pieces": "none", "Price": 1}])
    except ValidationError as error:
        print("lines refused", sorted(e["type"] for e in error.errors()))


def convert(path, folder):
    converter = Converter(str(path))
    converter.convert(str(folder / "note.docx"), start=0, end=1)
    converter.close()
    document = Document(str(folder / "note.docx"))
    print("word", [p.text.strip() for p in document.paragraphs if p.text.strip()][0], [c.text.strip() for c in document.tables[0].rows[1].cells])
    pdf = PdfDocument(str(path))
    text = pdf.extract_text(0)
    print("oxide", int(pdf.page_count()) if callable(pdf.page_count) else int(pdf.page_count), "4711" in text, "harbour" in pdf.to_markdown(0), "<" in pdf.to_html(1))
    locked = folder / "locked.pdf"
    make_pdf(locked, password="tide")
    print("locked", camelot.read_pdf(str(locked), password="tide", pages="2", flavor="stream").n, "Arrivals" in PdfDocument(str(locked), password="tide").extract_text(1))


def photo(path, degrees, comment):
    image = Image.new("RGB", (160, 120), "steelblue")
    ImageDraw.Draw(image).ellipse((20, 20, 90, 90), fill="gold")
    rational = [(int(degrees), 1), (int(degrees % 1 * 60), 1), (0, 1)]
    thumb = io.BytesIO()
    image.resize((40, 30)).save(thumb, "jpeg")
    exif = {
        "0th": {piexif.ImageIFD.Make: "Pinhole", piexif.ImageIFD.Orientation: 6, piexif.ImageIFD.XResolution: (72, 1)},
        "Exif": {piexif.ExifIFD.DateTimeOriginal: "2024:03:04 05:06:07", piexif.ExifIFD.FNumber: (28, 10), piexif.ExifIFD.UserComment: piexif.helper.UserComment.dump(comment, encoding="unicode")},
        "GPS": {piexif.GPSIFD.GPSLatitudeRef: "N", piexif.GPSIFD.GPSLatitude: rational, piexif.GPSIFD.GPSLongitudeRef: "W", piexif.GPSIFD.GPSLongitude: rational},
        "1st": {piexif.ImageIFD.Compression: 6}, "thumbnail": thumb.getvalue(),
    }
    image.save(path, exif=piexif.dump(exif))


def photos(folder):
    album = []
    for number, comment in enumerate(("Möwen", "quay at dawn"), 1):
        path = folder / f"photo{number}.jpg"
        photo(path, 50.5 + number, comment)
        with path.open("rb") as source:
            tags = exifread.process_file(source, details=True)
        where = exifread.utils.get_gps_coords(tags)
        read = piexif.load(str(path))
        album.append(Photo(name=path.name, make=str(tags["Image Make"]), lat=where[0], lon=where[1], comment=piexif.helper.UserComment.load(read["Exif"][piexif.ExifIFD.UserComment])))
        print("exif", str(tags["EXIF FNumber"]), str(tags["Image Orientation"]), "JPEGThumbnail" in tags, tags["EXIF DateTimeOriginal"])
    piexif.transplant(str(folder / "photo1.jpg"), str(folder / "photo2.jpg"))
    piexif.remove(str(folder / "photo1.jpg"))
    print("moved", piexif.load(str(folder / "photo1.jpg"))["0th"], piexif.load(str(folder / "photo2.jpg"))["GPS"][piexif.GPSIFD.GPSLatitude][0])
    try:
        piexif.load(b"no picture")
    except (piexif.InvalidImageDataError, FileNotFoundError, ValueError) as error:
        print("exif refused", type(error).__name__)
    print("album", json.dumps([p.model_dump() for p in album], ensure_ascii=False))


def recognise(folder):
    with wave.open(str(folder / "horn.wav"), "wb") as sound:
        sound.setnchannels(1), sound.setsampwidth(2), sound.setframerate(8000)
        sound.writeframes(struct.pack("<h", 0) * 4000)
    with zipfile.ZipFile(folder / "papers.zip", "w") as papers:
        papers.writestr(zipfile.ZipInfo("note.txt"), "tide table")
    for kind in ("png", "gif", "bmp", "tiff"):
        Image.new("RGB", (33, 22), "teal").save(folder / f"flag.{kind}")
    for path in sorted([*folder.glob("flag.*"), folder / "horn.wav", folder / "papers.zip", folder / "photo2.jpg"]):
        with createParser(str(path)) as parser:
            data = extractMetadata(parser)
            print("file", path.name, parser.mime_type, next((data.get(k) for k in ("width", "duration", "compr_rate") if data and data.has(k)), "-"))
    (folder / "odd.xyz").write_bytes(b"\x01\x02 nothing known")
    print("unknown", createParser(str(folder / "odd.xyz")))


def main():
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        make_pdf(folder / "note.pdf")
        tables(folder / "note.pdf", folder)
        convert(folder / "note.pdf", folder)
        photos(folder)
        recognise(folder)
    print("OK sorted", date(2024, 3, 4).isoformat())


if __name__ == "__main__":
    sys.exit(main())
