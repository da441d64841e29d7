"""garden-blog: tidy the manuscripts of a blog, build it twice and check the result."""
import contextlib
import io
import json
import logging
import re
import shutil
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path

import mdformat
from feedgenerator import Atom1Feed
from mdformat.plugins import CODEFORMATTERS, PARSER_EXTENSIONS
from pelican import Pelican, signals
from pelican.plugins._utils import load_plugins
from pelican.settings import read_settings
from pelican.utils import slugify
from pygments.formatters import HtmlFormatter
from pygments.styles import get_all_styles
from watchfiles import Change, DefaultFilter, watch

HERE = Path(__file__).resolve().parent


class Links(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        for key, value in attrs:
            if key in ("href", "src"):
                self.found.append(value)


def tidy(folder):
    """Format the Markdown bodies; the metadata block stays as it is."""
    print("mdformat:", ", ".join(sorted(PARSER_EXTENSIONS)), "| code:", ", ".join(sorted(CODEFORMATTERS)))
    changed = []
    for path in sorted(folder.rglob("*.md")):
        head, _, body = path.read_text().partition("\n\n")
        text = mdformat.text(body, extensions={"gfm", "footnote"}, codeformatters={"python"},
                             options={"number": True, "wrap": 60})
        if text != body:
            changed.append(path.name)
            path.write_text(f"{head}\n\n{text}")
    note = mdformat.text("---\nb: 1\na:   [x,y]\n---\n* one\n* two\n", extensions={"frontmatter"})
    print("front matter:", note.split("\n")[:4])
    print("tidied:", ", ".join(changed))
    print(re.search(r"```python.*?```", (folder / "articles/compost.md").read_text(), re.S).group(0))
    return changed


def build(source, output, cache):
    settings = read_settings(str(HERE / "pelicanconf.py"), override={
        "PATH": str(source), "OUTPUT_PATH": str(output), "CACHE_PATH": str(cache)})
    seen = []

    def on_written(path, context):
        seen.append(Path(path).name)

    signals.content_written.connect(on_written)
    pelican = Pelican(settings)
    print("plug-ins:", ", ".join(p.__name__ for p in load_plugins(settings)))
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        pelican.run()
    print(re.search(r"Processed.*?hidden articles", said.getvalue(), re.S).group(0))
    signals.content_written.disconnect(on_written)
    return seen


def check(output):
    """Every link to the own site must lead to a file."""
    broken = []
    for path in sorted(output.rglob("*.html")):
        parser = Links()
        parser.feed(path.read_text())
        for link in parser.found:
            local = link.removeprefix("https://garden.example/").split("#")[0]
            if link.startswith("https://garden.example/") and not (output / local).exists():
                broken.append(f"{path.name} -> {local}")
    return broken


def watch_once(folder):
    """Wait for one change, as the live reload does."""
    class Sources(DefaultFilter):
        allowed = (".md", ".rst", ".seed")

        def __call__(self, change, path):
            return path.endswith(self.allowed) and super().__call__(change, path)

    import threading

    def edit():
        (folder / "articles" / "ignored.tmp").write_text("x")
        (folder / "articles" / "fresh.md").write_text(
            "Title: Fresh\nDate: 2024-07-01\nCategory: Beds\n\nNew.\n")

    threading.Timer(0.5, edit).start()
    for changes in watch(folder, watch_filter=Sources(), step=50, rust_timeout=10000,
                         yield_on_timeout=True):
        return sorted({(Change.added.name if c else "x", Path(p).name) for c, p in changes})


def feed():
    """A feed by hand, for the mailing list."""
    atom = Atom1Feed(title="Mail", link="https://garden.example", description="d", language="en")
    atom.add_item(title="Beans", link="https://garden.example/b", description="x", unique_id="b")
    return atom.num_items(), "<entry>" in atom.writeString("utf-8")


def main():
    logging.getLogger("pelican").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as name:
        tmp = Path(name)
        source, output = tmp / "content", tmp / "output"
        shutil.copytree(HERE / "content", source)
        changed = tidy(source)
        written = build(source, output, tmp / "cache")
        for path in sorted(output.rglob("*")):
            if path.is_file():
                print("  ", path.relative_to(output))
        page = (output / "2024" / "compost.html").read_text()
        for word in ('class="highlight"', "<table>", 'lang="la"', "footnote", "&#8220;", 'hreflang="de"'):
            print(f"   {word}: {word in page}")
        tomato = next(output.rglob("tomato*.html")).read_text()
        assert "<script>" not in tomato
        print("sowing:", json.loads((output / "sowing.json").read_text()))
        broken = check(output)
        print("broken links:", broken)
        news = watch_once(source)
        print("watched:", news)
        again = build(source, output, tmp / "cache")
        print("new pages:", sorted(set(again) - set(written)))
    css = HtmlFormatter(style="friendly").get_style_defs(".highlight")
    print("styles:", "friendly" in list(get_all_styles()), css.count(".highlight") > 20)
    print("slug:", slugify("Über den Kürbis", regex_subs=[(r"[^\w\s-]", ""), (r"\s+", "-")]), feed())
    assert changed and not broken and news
    print(f"OK {len(written)} files written, then {len(again)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
