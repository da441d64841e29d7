"""What a native file says of the modules that it imports: strings, and the rules of its crates.

In: a native file and its bytes, and how strings are found in them. Out: its `Clues`.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from rustext.formats.binary import map_file
from rustext.imports.crate_rules import iter_crate_rules, known_rules
from rustext.model.crate_rule import CrateRule
from rustext.model.evidence import StringRef
from rustext.model.image import Image
from rustext.model.native_file import NativeFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Clues:
    """The strings that name modules, and the crate rules that speak of the file."""

    strings: tuple[StringRef, ...] = ()
    rules: tuple[tuple[CrateRule, str], ...] = ()  # of data/crates.toml, with the evidence
    below: tuple[str, ...] | None = None  # names below the module's own; None if nobody has asked


Find = Callable[[Image, mmap.mmap], Iterable[StringRef]]


def read_clues(path: Path, file: NativeFile, find: Find) -> Clues:
    """Read a file's clues, as `clues_in`; raises `InvalidBinary` or `UnreadableFile`."""
    with map_file(path) as data:
        return clues_in(data, file, find)


def clues_in(data: mmap.mmap, file: NativeFile, find: Find) -> Clues:
    """The clues in a file's bytes, the strings of each image with `find`.

    There are none where the file is not linked to Python's import. Raises `InvalidBinary`.
    """
    if not can_import(data):
        return Clues()
    strings = tuple(ref for image in file.binary.images for ref in find(image, data))
    return Clues(strings=strings, rules=tuple(iter_crate_rules(file, data, known_rules())))


def can_import(data: mmap.mmap) -> bool:
    """Whether a file is linked to Python's import functions, or looks them up by name."""
    return data.find(b"PyImport") >= 0 or data.find(b"PyCapsule_Import") >= 0
