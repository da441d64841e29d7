"""A newsletter in three languages: MJML with includes, messages of Fluent, dates and sums of Babel, guests' HTML cleaned by nh3, styles inlined by premailer, the same letter as PDF by xhtml2pdf."""
import datetime
import io
import logging
import tempfile
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

import nh3
from babel.dates import format_date
from babel.lists import format_list
from babel.numbers import format_currency
from fluent.runtime import FluentBundle, FluentLocalization, FluentResource, FluentResourceLoader
from mjml import mjml2html
from premailer import Premailer
from pypdf import PdfReader
from svglib.svglib import svg2rlg
from reportlab.graphics import renderPDF
from xhtml2pdf import pisa

MESSAGES = {
    "en": "greeting = Dear { $name }\nparcels = { $n ->\n    [one] One parcel\n   *[other] { $n } parcels\n } on { $day }\n",
    "de": "greeting = Hallo { $name }\nparcels = { $n ->\n    [one] Ein Paket\n   *[other] { $n } Pakete\n } am { $day }\n",
    "pl": "greeting = Witaj { $name }\nparcels = { $n ->\n    [one] Jedna paczka\n    [few] { $n } paczki\n   *[many] { $n } paczek\n } dnia { $day }\n",
}
TEMPLATE = """<mjml><mj-head><mj-title>{greeting}</mj-title><mj-attributes><mj-text font-size="14px"/></mj-attributes></mj-head><mj-body>
<mj-include path="header.mjml"/>
<mj-section><mj-column><mj-text>{parcels}</mj-text><mj-button href="https://depot.example">{total}</mj-button></mj-column>
<mj-column><mj-raw>{guest}</mj-raw></mj-column></mj-section></mj-body></mjml>"""
HEADER = '<mj-section background-color="#eee"><mj-column><mj-text font-size="20px">{greeting}</mj-text></mj-column></mj-section>'
GUEST = '<p onclick="x()">So <b>good</b><script>alert(1)</script> <a href="javascript:1">here</a></p>'
PAGE = """<html><head><style>@page {{ size: a5; margin: 1cm }} h1 {{ color: #336699 }} td {{ border: 1px solid #999; padding: 2px }}</style></head>
<body><h1>{greeting}</h1><table>{rows}</table><pdf:nextpage/><p>{names}</p></body></html>"""
LOGO = '<svg xmlns="http://www.w3.org/2000/svg" width="60" height="60"><circle cx="30" cy="30" r="20" fill="#369"/></svg>'
READERS = [("en", "Ann", 1, "GBP"), ("de", "Jörg", 3, "EUR"), ("pl", "Ewa", 5, "EUR")]


def localization(folder, locale):
    loader = FluentResourceLoader(str(folder / "{locale}"))
    return FluentLocalization([locale, "en"], ["letter.ftl"], loader, use_isolating=False)


def letter(l10n, locale, name, n, currency):
    words = {
        "greeting": l10n.format_value("greeting", {"name": name}),
        "parcels": l10n.format_value("parcels", {"n": n, "day": format_date(datetime.date(2026, 11, 30), "long", locale=locale)}),
        "total": format_currency(1234.5 * n, currency, locale=locale),
        "guest": nh3.clean(GUEST, tags={"p", "b", "a"}, url_schemes={"https"}, link_rel="nofollow"),
    }
    html = mjml2html(TEMPLATE.format(**words), disable_comments=True, fonts={}, include_loader=lambda path: HEADER.format(**words))
    inlined = Premailer(html, remove_classes=False, keep_style_tags=True, cache_css_parsing=False, allow_network=False, cssutils_logging_level=logging.CRITICAL).transform()
    mail = EmailMessage()
    mail["Subject"], mail["To"] = words["greeting"], f"{name} <{locale}@depot.example>"
    mail.set_content(words["parcels"])
    mail.add_alternative(inlined, subtype="html")
    return words, mail


def paper(words, locale):
    rows = "".join(f"<tr><td>{k}</td><td>{words[k]}</td></tr>" for k in ("parcels", "total"))
    out = io.BytesIO()
    names = format_list([r[1] for r in READERS], locale=locale)
    status = pisa.CreatePDF(PAGE.format(greeting=words["greeting"], rows=rows, names=names), dest=out)
    assert not status.err
    return PdfReader(io.BytesIO(out.getvalue()))


def main():
    d = Path(tempfile.mkdtemp())
    for locale, text in MESSAGES.items():
        (d / locale).mkdir()
        (d / locale / "letter.ftl").write_text(text, encoding="utf-8")
    bundle = FluentBundle(["en"])
    bundle.add_resource(FluentResource("plain = { NUMBER($n, minimumFractionDigits: 2) }"))
    plain, errors = bundle.format_pattern(bundle.get_message("plain").value, {"n": 3})
    seen = []
    for locale, name, n, currency in READERS:
        words, mail = letter(localization(d, locale), locale, name, n, currency)
        back = BytesParser(policy=policy.default).parsebytes(bytes(mail))
        html = back.get_body(("html",)).get_content()
        assert words["greeting"] in html and "<script>" not in html and "javascript:" not in html
        pdf = paper(words, locale)
        assert name in pdf.pages[0].extract_text() and len(pdf.pages) == 2
        print(back["Subject"], "|", back.get_body(("plain",)).get_content().strip(), "|", words["total"], "|", pdf.pages[1].extract_text().strip())
        seen.append(html.count("style="))
    (d / "logo.svg").write_text(LOGO)
    logo = renderPDF.drawToString(svg2rlg(str(d / "logo.svg")))
    print("OK", plain, errors, seen[0] == seen[1] == seen[2] > 10, words["guest"], logo[:5].decode())


main()
