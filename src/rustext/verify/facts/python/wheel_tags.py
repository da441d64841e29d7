"""Which CPython the wheels that a bundle's modules came from were built for.

In: a `Bundle` whose metadata was taken along. Out: for each module of the stable ABI, the oldest
version of CPython that can load it. A file's name says `abi3` alone; the version is in its wheel's
tag (`cp39-abi3-…`), which `*.dist-info/WHEEL` keeps:
https://packaging.python.org/en/latest/specifications/binary-distribution-format/.
"""

from __future__ import annotations

import contextlib
import csv
import re
from collections.abc import Iterator
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath

from rustext.files.untrusted import text_of
from rustext.verify.bundle.bundle import Bundle

_LIMIT = 1 << 20  # bytes of a metadata file that are read; a RECORD of 10,000 files has that many
_PARTS = 3  # of a tag: interpreters, ABIs, platforms
_CPYTHON = re.compile(r"cp([0-9])([0-9]{1,3})")


def stable_abi_floors(bundle: Bundle) -> dict[Path, tuple[int, int]]:
    """The oldest CPython for each file that a wheel for the stable ABI has installed."""
    floors: dict[Path, tuple[int, int]] = {}
    for wheel in sorted(bundle.contents.glob("*.dist-info/WHEEL")):
        floor = parse_floor(text_of(wheel, _LIMIT))
        if floor is None:
            continue
        for name in iter_recorded(wheel.with_name("RECORD")):
            if name.endswith((".so", ".pyd")):
                floors[bundle.contents / name] = floor
    return floors


def parse_floor(text: str) -> tuple[int, int] | None:
    """The oldest CPython that the tags in a WHEEL file name, if they are for the stable ABI."""
    found = []
    for line in HeaderParser().parsestr(text).get_all("Tag", ()):
        # Each part is a set; their product, which the tag means, may be huge.
        parts = line.strip().lower().split("-")
        if len(parts) == _PARTS and "abi3" in parts[1].split("."):
            matches = map(_CPYTHON.fullmatch, parts[0].split("."))
            found += [(int(match[1]), int(match[2])) for match in matches if match is not None]
    return min(found, default=None)


def iter_records(bundle: Bundle) -> Iterator[tuple[str, tuple[PurePosixPath, ...]]]:
    """The RECORDs in a bundle, each with the files that it lists."""
    for record in sorted(bundle.contents.glob("*.dist-info/RECORD")):
        yield f"{record.parent.name}/RECORD", tuple(map(PurePosixPath, iter_recorded(record)))


def iter_recorded(record: Path) -> Iterator[str]:
    """The files that a RECORD lists, up to what is no CSV; none where it cannot be read."""
    with contextlib.suppress(csv.Error):
        for row in csv.reader(text_of(record, _LIMIT).splitlines()):
            if row and row[0]:
                yield row[0]
