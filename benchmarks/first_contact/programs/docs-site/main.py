"""A site of documentation: Markdown pages in a folder, built by Zensical with its own theme, the HTML and the search index looked at."""
import json
import os
import tempfile
from html.parser import HTMLParser
from pathlib import Path

import zensical
from pygments.lexers import guess_lexer_for_filename
from pymdownx.slugs import slugify

CONFIG = """
[project]
site_name = "Kettles"
site_url = "https://example.org/"
docs_dir = "docs"
nav = [{ "Home" = "index.md" }, { "Guide" = ["guide/start.md", "guide/more.md"] }]

[project.theme]
features = ["navigation.tabs", "content.code.copy"]
"""
PAGES = {
    "index.md": "---\ntitle: Welcome\n---\n# Kettles\n\n!!! note \"Hot\"\n    Mind the steam :smile:.\n\n[Start](guide/start.md)\n",
    "guide/start.md": "# Start\n\n```python title=\"boil.py\" linenums=\"1\"\ndef boil(n: int) -> int:\n    return n * 2\n```\n\n=== \"One\"\n    first\n\n=== \"Two\"\n    second\n\n- [x] done\n",
    "guide/more.md": "# More\n\nA footnote[^1], ~~struck~~, ==marked==, $x^2$.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n[^1]: The note.\n",
}


class Look(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.links = {}, []

    def handle_starttag(self, tag, attrs):
        self.tags[tag] = self.tags.get(tag, 0) + 1
        d = dict(attrs)
        if tag in ("link", "script"):
            self.links.append(d.get("href") or d.get("src") or "")


def write(root):
    (root / "zensical.toml").write_text(CONFIG)
    for name, text in PAGES.items():
        (root / "docs" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "docs" / name).write_text(text)


def main():
    with tempfile.TemporaryDirectory() as t:
        root = Path(t).resolve()
        write(root)
        os.chdir(root)
        zensical.build(str(root / "zensical.toml"), {"clean": True, "strict": False})
        site = root / "site"
        pages = sorted(str(p.relative_to(site)) for p in site.rglob("index.html"))
        text = (site / "guide/start/index.html").read_text()
        look = Look()
        look.feed(text)
        assets = [x for x in look.links if "assets" in x]
        missing = [x for x in assets if not (site / "guide/start" / x.split("?")[0]).resolve().exists()]
        index = json.loads(next(site.rglob("search*.json")).read_text())
        home = (site / "index.html").read_text()
        os.chdir("/")
    assert "admonition" in home and "highlight" in text, home[home.find("<article"):][:1500]
    print("OK", pages, look.tags["h1"], len(assets) > 2, missing, bool(index), "boil.py" in text,
          slugify(case="lower")("Hot Water", "-"), guess_lexer_for_filename("a.toml", "x = 1").name)


if __name__ == "__main__":
    main()
