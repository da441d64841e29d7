"""How the documentation is built: `python -m sphinx -W -n docs .cache/site`; a warning is an error.

https://www.sphinx-doc.org/en/master/usage/configuration.html
"""

import sys
from pathlib import Path

from rustext import __version__
from rustext.report.rules import DOCS

sys.path.insert(0, str(Path(__file__).parent / "build"))

project = "rustext"
author = copyright = "The rustext developers"  # noqa: A001  (Sphinx's name)
version = release = __version__
extensions = ["myst_parser", "generate"]
exclude_patterns = ["build"]
root_doc = "index"
smartquotes_action = "qe"  # quotes and dots, no dashes: `--` is there to be typed
nitpicky = True
# One page is there only once `./test --matrix` has run.
suppress_warnings = (
    [] if Path(__file__).with_name("example-matrix.md").exists() else ["toc.not_readable"]
)

myst_heading_anchors = 3
myst_links_external_new_tab = False
html_theme = "furo"
html_title = "rustext"
html_baseurl = DOCS
html_static_path = ["static"]
html_css_files = ["style.css"]
html_logo = html_favicon = "static/icon.svg"
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"sidebar_hide_name": False}
pygments_style = "default"
