"""A reader of saved articles: pages cleaned by Trafilatura, dated by htmldate, turned to Markdown by html-to-markdown, tables by selectolax, a Docling document of it all, and an EPUB to take along."""
import datetime
import json
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

import trafilatura
from docling_core.types.doc import DoclingDocument, TableCell, TableData
from docling_core.types.doc.labels import DocItemLabel
from ebooklib import ITEM_DOCUMENT, epub
from html_to_markdown import ConversionOptions, convert
from htmldate import find_date
from justext import get_stoplist, justext
from selectolax.lexbor import LexborHTMLParser
from tld import get_fld

BODY = "<p>" + "</p><p>".join(
    f"Number {i}: the tide at the island turned earlier than the fishermen of the village had told us, and so we waited on the pier until it was dark." for i in range(1, 5)
) + "</p>"
PAGE = """<!doctype html><html lang="en"><head><title>{title} | Island News</title><meta name="author" content="{author}">
<meta property="article:published_time" content="{date}"><link rel="canonical" href="https://news.island.co.uk/{slug}"></head><body>
<nav><ul><li><a href="/">Home</a></li><li><a href="/all">All</a></li></ul></nav><article><h1>{title}</h1>{body}
<table><tr><th>Day</th><th>Tide</th></tr><tr><td>Mon</td><td>4.2</td></tr><tr><td>Tue</td><td>3.9</td></tr></table>
<ul><li>bring <em>boots</em></li><li>and <code>rope</code></li></ul></article><footer>Copyright Island News. All rights reserved.</footer></body></html>"""
ARTICLES = [("The tide", "Ann Low", "2026-11-02", "tide"), ("The storm", "Bo High", "2026-11-20", "storm")]


def tables(html):
    tree = LexborHTMLParser(html)
    return [[[cell.text(strip=True) for cell in row.css("th, td")] for row in table.css("tr")] for table in tree.css("article table")]


def read(html):
    found = trafilatura.bare_extraction(html, with_metadata=True, include_tables=False, favor_precision=True)
    meta = found.as_dict()
    xml = trafilatura.extract(html, output_format="xml", include_formatting=True)
    result = convert(LexborHTMLParser(html).css_first("article").html, ConversionOptions(heading_style="atx"))
    return {
        "title": meta["title"], "author": meta["author"], "date": find_date(html, original_date=True),
        "site": get_fld("https://news.island.co.uk/x"), "text": meta["text"], "xml": xml.startswith("<doc"),
        "markdown": result.content, "tables": tables(html),
        "kept": sum(not p.is_boilerplate for p in justext(html.encode(), get_stoplist("English"))),
    }


def document(rows):
    doc = DoclingDocument(name="articles")
    for row in rows:
        doc.add_heading(row["title"], level=1)
        for paragraph in row["text"].split("\n"):
            if paragraph.startswith("Number"):
                doc.add_text(label=DocItemLabel.PARAGRAPH, text=paragraph)
        grid = row["tables"][0]
        cells = [
            TableCell(text=text, start_row_offset_idx=r, end_row_offset_idx=r + 1, start_col_offset_idx=c, end_col_offset_idx=c + 1, column_header=r == 0)
            for r, line in enumerate(grid) for c, text in enumerate(line)
        ]
        doc.add_table(data=TableData(table_cells=cells, num_rows=len(grid), num_cols=2))
    return doc


def book(path, rows):
    out = epub.EpubBook()
    out.set_identifier("articles-1")
    out.set_title("Saved articles")
    out.set_language("en")
    chapters = []
    for number, row in enumerate(rows):
        out.add_author(row["author"])
        chapter = epub.EpubHtml(title=row["title"], file_name=f"{number}.xhtml", lang="en")
        chapter.content = f"<h1>{row['title']}</h1><p>{row['text'][:80]}</p>"
        out.add_item(chapter)
        chapters.append(chapter)
    out.toc = tuple(chapters)
    out.spine = ["nav", *chapters]
    out.add_item(epub.EpubNcx())
    out.add_item(epub.EpubNav())
    epub.write_epub(path, out, {"mtime": datetime.datetime(2026, 11, 30)})
    back = epub.read_epub(path)
    return [LexborHTMLParser(i.get_content().decode()).css_first("h1").text() for i in back.get_items_of_type(ITEM_DOCUMENT) if i.file_name[0].isdigit()]


def main():
    d = Path(tempfile.mkdtemp())
    rows = []
    for title, author, date, slug in ARTICLES:
        path = d / f"{slug}.html"
        path.write_text(PAGE.format(title=title, author=author, date=date, slug=slug, body=BODY), encoding="utf-8")
        rows.append(read(path.read_text(encoding="utf-8")))
    doc = document(rows)
    doc.save_as_json(d / "doc.json")
    again = DoclingDocument.load_from_json(d / "doc.json")
    assert again.export_to_markdown() == doc.export_to_markdown()
    frame = again.tables[0].export_to_dataframe(doc=again)
    labels = Counter(item.label.value for item, _ in again.iterate_items())
    titles = book(str(d / "articles.epub"), rows)
    with zipfile.ZipFile(d / "articles.epub") as z:
        assert z.read("mimetype") == b"application/epub+zip"
    schema = json.dumps(DoclingDocument.model_json_schema())
    assert "Copyright" not in rows[0]["text"] and "# The tide" in rows[0]["markdown"], rows[0]
    print([(r["title"], r["author"], r["date"], r["kept"], r["xml"]) for r in rows])
    print("OK", rows[0]["site"], frame.to_dict("list"), dict(labels), titles, "TableCell" in schema, "`rope`" in rows[1]["markdown"])


main()
