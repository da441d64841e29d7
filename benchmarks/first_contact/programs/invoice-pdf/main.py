"""Invoices as PDF: validated data, a MiniJinja template compiled by Typst, a QR code, merged with a ReportLab cover, encrypted by pypdf."""
import io
import tempfile
from datetime import date
from decimal import Decimal
from pathlib import Path

import segno
import typst
from minijinja import Environment
from pydantic import BaseModel, computed_field
from pydantic_extra_types.country import CountryAlpha2
from pydantic_extra_types.currency_code import Currency
from pydantic_extra_types.phone_numbers import PhoneNumber
from pypdf import PdfReader, PdfWriter
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import Paragraph, SimpleDocTemplate, Table

TEMPLATE = """
#set document(title: "Invoice {{ inv.number }}")
#set page(paper: "a4", margin: 2cm)
= Invoice {{ inv.number }}
#image("code.svg", width: 2cm)
#table(columns: 3, [*Item*], [*Count*], [*Price*],
{%- for l in inv.lines %}
  [{{ l.title|escape_typst }}], [{{ l.count }}], [{{ l.price }}],
{%- endfor %}
)
Total: *{{ inv.total }} {{ inv.currency }}*
$ sum_(i=1)^n p_i c_i $
"""


class Line(BaseModel):
    title: str
    count: int
    price: Decimal


class Invoice(BaseModel):
    number: str
    day: date
    country: CountryAlpha2
    currency: Currency
    phone: PhoneNumber
    lines: list[Line]

    @computed_field
    @property
    def total(self) -> Decimal:
        return sum((line.count * line.price for line in self.lines), Decimal())


def cover(inv):
    buf = io.BytesIO()
    style = getSampleStyleSheet()["Title"]
    rows = [["Country", inv.country.short_name], ["Phone", inv.phone], ["Day", inv.day.isoformat()]]
    SimpleDocTemplate(buf, pagesize=A4, invariant=1).build([Paragraph("Cover", style), Table(rows)])
    return buf.getvalue()


def main():
    inv = Invoice(number="2026-7", day="2026-01-31", country="DE", currency="EUR", phone="+49 30 123456",
                  lines=[{"title": "Tea #1", "count": 3, "price": "2.50"}, {"title": "Cups", "count": 2, "price": "4"}])
    env = Environment(templates={"invoice.typ": TEMPLATE}, filters={"escape_typst": lambda s: s.replace("#", "\\#")})
    with tempfile.TemporaryDirectory() as t:
        t = Path(t)
        segno.make(f"EUR{inv.total}").save(t / "code.svg")
        (t / "main.typ").write_text(env.render_template("invoice.typ", inv=inv.model_dump(mode="json")))
        body = typst.compile(str(t / "main.typ"), root=str(t))
        meta = typst.query(str(t / "main.typ"), "heading", field="level", one=True, root=str(t))
        w = PdfWriter()
        for part in (cover(inv), body):
            w.append(PdfReader(io.BytesIO(part)))
        w.add_metadata({"/Title": "Invoice"}); w.pages[0].rotate(90)
        w.encrypt("user", "owner", algorithm="AES-256")
        w.write(t / "out.pdf")
        r = PdfReader(t / "out.pdf", password="user")
        text = "\n".join(p.extract_text() for p in r.pages)
    assert "15.50" in text and "Germany" in text, text
    print("OK", len(r.pages), r.is_encrypted, meta, inv.total, "Tea #1" in text, r.metadata.title)


if __name__ == "__main__":
    main()
