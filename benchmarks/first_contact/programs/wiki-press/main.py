"""A wiki: pages with front matter, Markdown by pyromark and by mistune with plug-ins, cleaned by nh3, searched by Tantivy, slugs, dates in words, rendered by Chameleon, served by Falcon."""
import tempfile
from pathlib import Path

import falcon
import falcon.media
import falcon.testing
import frontmatter
import mistune
import msgspec
import nh3
import pyromark
import tantivy
from chameleon import PageTemplateLoader
from slugify import slugify
from watchfiles import Change, watch

PAGES = {
    "Über uns": "---\ntags: [team, home]\n---\n# Über uns\n\nWe ~~are~~ *were* here. <script>x</script>\n\n| a | b |\n|---|---|\n| 1 | 2 |\n",
    "Tea": "---\ntags: [drink]\n---\n# Tea\n\n- [x] green\n- [ ] black\n\nSee [us](/uber-uns).[^1]\n\n[^1]: A note.\n",
}


class Page(msgspec.Struct):
    slug: str
    tags: list[str]
    html: str


class Resource:
    def __init__(self, pages, templates):
        self.pages, self.templates = pages, templates

    def on_get(self, request, response, slug):
        if slug not in self.pages:
            raise falcon.HTTPNotFound(title="no such page")
        page = self.pages[slug]
        if request.client_accepts("text/html") and not request.client_prefers(["application/json"]):
            response.content_type, response.text = "text/html", self.templates["page.pt"](page=page)
        else:
            response.media = msgspec.to_builtins(page)


def main():
    d = Path(tempfile.mkdtemp())
    (d / "page.pt").write_text('<html><h1 tal:content="page.slug">x</h1><div tal:content="structure page.html"/><i tal:repeat="t page.tags">${t}</i></html>')
    schema = tantivy.SchemaBuilder()
    schema.add_text_field("slug", stored=True)
    schema.add_text_field("body", stored=True, tokenizer_name="en_stem")
    index = tantivy.Index(schema.build())
    writer = index.writer()
    markdown = mistune.create_markdown(plugins=["strikethrough", "table", "task_lists", "footnotes"])
    pages = {}
    for title, text in PAGES.items():
        post = frontmatter.loads(text)
        html = nh3.clean(markdown(post.content))
        also = pyromark.html(post.content, options=pyromark.Options.ENABLE_TABLES)
        pages[slugify(title)] = Page(slugify(title), post["tags"], html)
        writer.add_document(tantivy.Document(slug=slugify(title), body=also))
    writer.commit()
    index.reload()
    searcher = index.searcher()
    hits = [searcher.doc(a)["slug"][0] for _, a in searcher.search(index.parse_query("notes", ["body"])).hits]
    app = falcon.App()
    app.add_route("/{slug}", Resource(pages, PageTemplateLoader(str(d))))
    client = falcon.testing.TestClient(app)
    html = client.simulate_get("/tea", headers={"Accept": "text/html"}).text
    as_json = client.simulate_get("/uber-uns", headers={"Accept": "application/json"}).json
    lost = client.simulate_get("/none").status_code
    changes = next(watch(d, rust_timeout=200, yield_on_timeout=True))
    print("OK", hits, html.count("<i>"), "<script" in as_json["html"], "<del>" in as_json["html"], lost, len(changes), Change.added.name)


main()
