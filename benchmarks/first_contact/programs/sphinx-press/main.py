"""A handbook: Sphinx builds Markdown pages with MyST, settings documented from a Pydantic model, the Furo theme, a search index, and man pages."""
import io
import tempfile
from pathlib import Path

from sphinx.application import Sphinx

CONF = """
project = "hand"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.intersphinx", "sphinxcontrib.autodoc_pydantic"]
html_theme = "furo"
intersphinx_mapping = {}
import sys
sys.path.insert(0, DIR)
"""
MODEL = '''
"""Settings of the press."""
from pydantic import BaseModel, Field


class Press(BaseModel):
    """How pages are printed."""

    copies: int = Field(default=1, ge=1, description="how many")
    paper: str = "A4"
'''
INDEX = """# Hand book

See {ref}`more`.

```{toctree}
more
```

```python
print(1)
```
"""
MORE = """(more)=
# More

```{eval-rst}
.. autopydantic_model:: press_settings.Press
```

$a^2$ and a [link](index.md).
"""


def main():
    d = Path(tempfile.mkdtemp())
    (d / "src").mkdir()
    (d / "src" / "conf.py").write_text(CONF.replace("DIR", repr(str(d / "src"))))
    (d / "src" / "press_settings.py").write_text(MODEL)
    (d / "src" / "index.md").write_text(INDEX)
    (d / "src" / "more.md").write_text(MORE)
    warnings = io.StringIO()
    for builder in ("html", "man"):
        app = Sphinx(str(d / "src"), str(d / "src"), str(d / builder), str(d / "tree"), builder, status=io.StringIO(), warning=warnings, freshenv=True)
        app.build()
    page = (d / "html" / "more.html").read_text()
    assert "how many" in page and "Press" in page, page[-3000:]
    css = (d / "html" / "_static" / "styles" / "furo.css").stat().st_size > 1000
    print("OK", (d / "html" / "searchindex.js").exists(), css, "highlight" in (d / "html" / "index.html").read_text(), [p.name for p in (d / "man").glob("*.1")], warnings.getvalue().count("ERROR"))


main()
