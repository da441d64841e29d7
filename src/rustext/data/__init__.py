"""Knowledge about crates, loaders and policies, as TOML files with a source for each row.

All other modules find files of the package through this one, in a folder or in a zip file.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@functools.cache
def read_data(name: str) -> Mapping[str, Any]:
    """The table in `data/<name>.toml`; it is read once and must not be changed."""
    return tomllib.loads(package_text(f"data/{name}.toml"))


def package_text(path: str) -> str:
    """The text of a file of the package `rustext`, by its path in the package."""
    return resources.files("rustext").joinpath(path).read_text(encoding="utf-8")


def finding_page(name: str) -> str:
    """The page of the documentation about a finding, in Markdown.

    The wheel holds the pages of `docs/findings`; a source tree has them there alone.
    """
    try:
        return package_text(f"data/findings/{name}.md")
    except FileNotFoundError:
        page = package_folder().parent.parent / "docs" / "findings" / f"{name}.md"
        return page.read_text(encoding="utf-8")


def package_folder() -> Path:
    """The folder of the package; inside a zip file, a path that leads through it."""
    return Path(__file__).parent.parent
