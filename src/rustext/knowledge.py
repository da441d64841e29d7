"""The data files of `rustext/data`: knowledge about crates, loaders and policies, with sources."""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping
from importlib import resources
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@functools.cache
def read_data(name: str) -> Mapping[str, Any]:
    """The table in `data/<name>.toml`; it is read once and must not be changed."""
    file = resources.files("rustext").joinpath("data", f"{name}.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))
