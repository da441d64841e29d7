"""A handbook: MkDocs with the Material theme, search, admonitions and tabs, pages of an API made from docstrings, a hook that makes the HTML small, navigation by files, the search index read back."""
import json
import logging
import tempfile
import warnings
from pathlib import Path

import minify_html
from mkdocs.commands.build import build
from mkdocs.config import load_config

CONFIG = """
site_name: Handbook
site_url: https://example.org/
theme:
  name: material
  language: de
  features: [navigation.tabs, content.code.copy]
  icon: {repo: fontawesome/brands/git-alt}
plugins:
  - search: {lang: [de, en]}
  - awesome-nav
  - mkdocstrings:
      handlers: {python: {paths: [code], options: {show_source: true}}}
markdown_extensions:
  - admonition
  - pymdownx.details
  - pymdownx.superfences:
      custom_fences:
        - name: mermaid
          class: mermaid
          format: !!python/name:pymdownx.superfences.fence_code_format
  - pymdownx.tabbed: {alternate_style: true}
  - pymdownx.emoji:
      emoji_index: !!python/name:material.extensions.emoji.twemoji
      emoji_generator: !!python/name:material.extensions.emoji.to_svg
  - pymdownx.highlight
  - toc: {permalink: true}
"""
PAGE = """# Start

!!! note "Look"
    A note :material-home:

=== "Python"
    ```python
    print(1)
    ```

```mermaid
graph LR
```
"""
CODE = '"""Tools."""\n\ndef shout(text: str, *, times: int = 1) -> str:\n    """Say it.\n\n    Args:\n        text: What.\n        times: How often.\n\n    Returns:\n        The same, loud.\n    """\n    return text.upper() * times\n'


def main():
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "docs" / "api").mkdir(parents=True)
        (folder / "code").mkdir()
        (folder / "mkdocs.yml").write_text(CONFIG)
        (folder / "docs" / "index.md").write_text(PAGE)
        (folder / "docs" / "api" / "tools.md").write_text("# API\n\n::: tools\n")
        (folder / "docs" / ".nav.yml").write_text("nav:\n  - index.md\n  - Code: api\n")
        (folder / "code" / "tools.py").write_text(CODE)
        config = load_config(str(folder / "mkdocs.yml"))
        build(config)
        site = folder / "site"
        start = (site / "index.html").read_text()
        small = minify_html.minify(start, minify_js=False)
        api = (site / "api" / "tools" / "index.html").read_text()
        index = json.loads((site / "search" / "search_index.json").read_text())
        titles = [d["title"] for d in index["docs"]][:3]
        assets = sorted(p.suffix for p in (site / "assets" / "stylesheets").glob("main*.css"))
    print("OK", "admonition" in start, "<svg" in start, "twemoji" in start, len(small) < len(start), "shout" in api and "times" in api, titles, assets, sorted(config.plugins)[:3])


main()
