"""Water level reports: readings checked by pydantic and summed up by Polars, a chart by Pygal, pages by Mistune, nh3, Jinja2 and Babel, PDF by WeasyPrint; PyMuPDF then looks into the files, stamps, merges, seals and redacts them."""
import argparse
import io
import logging
import sys
from datetime import date, timedelta
from pathlib import Path

import mistune
import nh3
import polars as pl
import pygal
import pymupdf
from babel import Locale
from babel.dates import format_date
from babel.numbers import format_decimal
from babel.support import Translations
from jinja2 import Environment, FileSystemLoader, StrictUndefined, UndefinedError
from mistune.directives import Admonition, FencedDirective
from pydantic import BaseModel, TypeAdapter, ValidationError
from pygal.style import LightSolarizedStyle
from weasyprint import CSS, HTML, Attachment
from weasyprint.urls import URLFetcher, URLFetcherResponse
from weasyprint.text.fonts import FontConfiguration

HERE = Path(__file__).resolve().parent / "reports"
WORDS = {
    "en": {"from": "from", "to": "to", "high": "High water", "day": "Day", "chart": "Chart", "title": "Water levels"},
    "de": {"from": "vom", "to": "bis", "high": "Hochwasser", "day": "Tag", "chart": "Diagramm", "title": "Wasserstände"},
    "fr": {"from": "du", "to": "au", "high": "Crue", "day": "Jour", "chart": "Graphique", "title": "Niveaux d’eau"},
}


class Reading(BaseModel):
    gauge: str
    day: date
    level: float


def readings():
    rows = [{"gauge": g, "day": str(date(2024, 2, 26) + timedelta(days=n)), "level": base + (n * n * k) % 83 + n / 4} for g, base, k in (("Mill", 210, 7), ("Weir", 95.5, 11)) for n in range(9)]
    good, bad = [], []
    for row in rows + [{"gauge": "Weir", "day": "2024-02-30", "level": 1}, {"gauge": "Mill", "day": "2024-03-01", "level": "dry"}]:
        try:
            good.append(Reading.model_validate(row))
        except ValidationError as error:
            bad += [e["type"] for e in error.errors()]
    print("readings", len(good), bad)
    return pl.DataFrame(TypeAdapter(list[Reading]).dump_python(good))


def summary(frame):
    stats = frame.group_by("gauge").agg(pl.col("level").max().alias("peak"), pl.col("level").mean().round(2).alias("mean")).sort("gauge")
    days = {g: frame.filter(pl.col("gauge") == g).sort("day").select("day", "level").rows() for g in stats["gauge"]}
    return [{"name": r["gauge"], "peak": r["peak"], "mean": r["mean"], "rows": days[r["gauge"]]} for r in stats.iter_rows(named=True)]


def chart(stations, kind=pygal.Line):
    plot = kind(style=LightSolarizedStyle, width=600, height=300, show_legend=True, x_label_rotation=30, js=[], no_prefix=True)
    plot.title = "cm"
    plot.x_labels = [f"{d:%d.%m.}" for d, _ in stations[0]["rows"]]
    for station in stations:
        plot.add(station["name"], [level for _, level in station["rows"]])
    return plot.render(is_unicode=True)


def environment(tag):
    locale = Locale.parse(tag, sep="-")
    translations = Translations()
    translations._catalog = WORDS[locale.language]
    env = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, extensions=["jinja2.ext.i18n"])
    env.install_gettext_translations(translations)
    env.filters["day"] = lambda d: format_date(d, "long", locale=locale)
    env.filters["number"] = lambda n: format_decimal(n, "#,##0.0", locale=locale)
    return env, locale


def intro():
    markdown = mistune.create_markdown(escape=False, plugins=["table", "footnotes", "strikethrough", FencedDirective([Admonition()])])
    html = markdown((HERE / "intro.md").read_text())
    return nh3.clean(html, attributes={"a": {"href"}, "td": {"style"}, "th": {"style"}}, link_rel=None)


class Shelf(URLFetcher):
    """Pictures that are not on a disk; all else only from files."""

    def __init__(self, pictures):
        super().__init__(allowed_protocols=("file", "data"))
        self.pictures, self.asked = pictures, set()

    def fetch(self, url, headers=None):
        name = url.rsplit("/", 1)[1]
        self.asked.add(name)
        if name in self.pictures:
            return URLFetcherResponse(url, self.pictures[name], {"Content-Type": "image/svg+xml"})
        return super().fetch(url, headers)


def make(tag, stations, svg):
    """One report in one language as a PDF with an attachment, bookmarks and metadata."""
    env, locale = environment(tag)
    html = env.get_template("report.html").render(
        locale=locale, title=WORDS[locale.language]["title"], author="The Water Board", stations=stations, limit=250, intro=intro(),
        first=stations[0]["rows"][0][0], last=stations[0]["rows"][-1][0],
    )
    fetcher = Shelf({"chart.svg": svg.encode()})
    fonts = FontConfiguration()
    table = "\n".join(f"{s['name']};{d};{v}" for s in stations for d, v in s["rows"])
    document = HTML(string=html, base_url="https://water.example/", url_fetcher=fetcher).render(stylesheets=[CSS(HERE / "style.css", font_config=fonts)], font_config=fonts)
    titles = [(level, label) for label, _, children, _ in document.make_bookmark_tree() for level, label in [(1, label)] + [(2, c[0]) for c in children]]
    pdf = document.write_pdf(attachments=[Attachment(string=table, name="levels.csv", description="readings")], pdf_variant="pdf/ua-1" if locale.language == "en" else None)
    print(tag, len(document.pages), titles, sorted(fetcher.asked), document.metadata.authors)
    return pdf


def inspect(pdf):
    with pymupdf.open(stream=pdf, filetype="pdf") as doc:
        page = doc[1]
        tables = page.find_tables()
        links = [link["uri"] for p in doc for link in p.get_links() if link.get("uri")]
        pix = page.get_pixmap(dpi=50)
        print("  inside", doc.metadata["title"], doc.embfile_names(), [t[1] for t in doc.get_toc()], links, len(tables.tables), (pix.width, pix.height), pix.tobytes("png")[1:4])
        return [p.get_text("text") for p in doc]


def bind(pdfs):
    """All reports in one file: a cover from a Story, a stamp on each page, one name redacted, sealed with a password."""
    out = io.BytesIO()
    writer = pymupdf.DocumentWriter(out)
    story = pymupdf.Story(html="<h1>Water Board</h1><p>All languages, <b>bound</b>.</p>", user_css="h1 {color: navy}")
    device = writer.begin_page(pymupdf.paper_rect("a5"))
    story.place(pymupdf.paper_rect("a5") + (36, 36, -36, -36))
    story.draw(device)
    writer.end_page()
    writer.close()
    book = pymupdf.open(stream=out.getvalue(), filetype="pdf")
    toc = [[1, "Cover", 1]]
    for tag, pdf in pdfs.items():
        with pymupdf.open(stream=pdf, filetype="pdf") as part:
            toc.append([1, tag, len(book) + 1])
            book.insert_pdf(part)
    for page in book:
        page.insert_text((36, 24), "COPY", fontsize=9, fontname="helv", color=(0.7, 0, 0))
        for spot in page.search_for("water.example"):
            page.add_redact_annot(spot, fill=(0, 0, 0))
        page.apply_redactions()
    book.set_toc(toc)
    book.set_page_labels([{"startpage": 0, "prefix": "C", "style": ""}, {"startpage": 1, "style": "D", "firstpagenum": 1}])
    sealed = book.tobytes(garbage=4, deflate=True, encryption=pymupdf.PDF_ENCRYPT_AES_256, owner_pw="board", user_pw="river", permissions=pymupdf.PDF_PERM_PRINT)
    again = pymupdf.open(stream=sealed, filetype="pdf")
    locked = again.needs_pass and not again.authenticate("lake")
    level = again.authenticate("river")
    stamped = sum("COPY" in p.get_text() for p in again)
    leaks = sum(p.get_text().count("water.example") for p in again)
    print("bound", len(again), locked, level, stamped, leaks, [again[n].get_label() for n in (0, 1)], [t[1] for t in again.get_toc()])
    return len(again)


def main():
    parser = argparse.ArgumentParser(description="water level reports")
    parser.add_argument("--languages", nargs="+", default=["en-GB", "de-DE", "fr-FR"])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    logging.getLogger("weasyprint").setLevel(logging.CRITICAL)
    stations = summary(readings())
    print("stations", [(s["name"], s["peak"], s["mean"]) for s in stations])
    svg = chart(stations)
    print("chart", svg.count("<circle"), chart(stations, pygal.Bar).count("class=\"rect"), "intro", "script" in intro(), intro().count("<td"))
    pdfs = {tag: make(tag, stations, svg) for tag in options.languages}
    texts = {tag: inspect(pdf) for tag, pdf in pdfs.items()}
    for tag, pages in texts.items():
        print(tag, "|", " ".join(pages[0].split("\n")[:2]), "|", pages[1].split("\n")[1], "|", pages[-1].strip().split("\n")[-1])
    try:
        environment("en-GB")[0].get_template("report.html").render(locale=Locale("en"))
    except UndefinedError as error:
        print("undefined", error)
    if options.out:
        for tag, pdf in pdfs.items():
            (options.out / f"{tag}.pdf").write_bytes(pdf)
    pages = bind(pdfs)
    assert pages == 1 + sum(map(len, texts.values()))
    print("OK", pages, sorted(pdfs))


if __name__ == "__main__":
    sys.exit(main())
