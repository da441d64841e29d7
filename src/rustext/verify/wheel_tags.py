"""Which CPython the wheels that a bundle's modules came from were built for.

In: a `Bundle` whose metadata was taken along. Out: for each module of the stable ABI, the oldest
version of CPython that can load it. A file's name says `abi3` alone; the version is in its wheel's
tag (`cp39-abi3-…`), which `*.dist-info/WHEEL` keeps:
https://packaging.python.org/en/latest/specifications/binary-distribution-format/.
"""

from __future__ import annotations

import contextlib
import csv
from email.parser import HeaderParser
from pathlib import Path

from packaging.tags import parse_tag

from rustext.verify.bundle import Bundle

_LIMIT = 1 << 20  # bytes of a metadata file that are read; a RECORD of 10,000 files has that many


def stable_abi_floors(bundle: Bundle) -> dict[Path, tuple[int, int]]:
    """The oldest CPython for each file that a wheel for the stable ABI has installed."""
    floors: dict[Path, tuple[int, int]] = {}
    for wheel in sorted(bundle.contents.glob("*.dist-info/WHEEL")):
        floor = parse_floor(_read(wheel))
        if floor is None:
            continue
        for row in csv.reader(_read(wheel.with_name("RECORD")).splitlines()):
            if row and row[0].endswith((".so", ".pyd")):
                floors[bundle.contents / row[0]] = floor
    return floors


def parse_floor(text: str) -> tuple[int, int] | None:
    """The oldest CPython that the tags in a WHEEL file name, if they are for the stable ABI."""
    found = []
    for line in HeaderParser().parsestr(text).get_all("Tag", ()):
        with contextlib.suppress(ValueError):
            found += [
                (int(tag.interpreter[2]), int(tag.interpreter[3:]))
                for tag in parse_tag(line.strip())
                if tag.abi == "abi3" and tag.interpreter.startswith("cp")
            ]
    return min(found, default=None)


def _read(path: Path) -> str:
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as stream:
            return stream.read(_LIMIT).decode("utf-8", "replace")
    except OSError:
        return ""
