"""Apple's property lists, read from untrusted files.

In: bytes, or a file. Out: the dictionary at the top, empty where there is none that can be read.
"""

from __future__ import annotations

import plistlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from rustext.files.untrusted import read_start

_LIMIT = 32 << 20  # bytes; the list of the files of a large application has a few million
# plistlib checks no types and no counts: damaged lists raise whatever comes of it.
_FAULTS = (
    ArithmeticError,
    AttributeError,
    ExpatError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)


def parse_plist(content: bytes) -> Mapping[str, Any]:
    """The dictionary in an XML or binary property list. Raises nothing."""
    if not content or len(content) > _LIMIT:
        return {}
    try:
        found = plistlib.loads(content)
    except _FAULTS:  # InvalidFileException is a ValueError
        return {}
    return found if isinstance(found, dict) else {}


def read_plist(path: Path) -> Mapping[str, Any]:
    """The same for a regular file; empty if it cannot be read."""
    try:
        return parse_plist(read_start(path, _LIMIT + 1))
    except OSError:
        return {}
