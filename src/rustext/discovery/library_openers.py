"""Which Python code opens a library that nothing imports.

In: a library's file name, and the Python sources of its distribution as text. Out: an `Opener`.
Sources are read, never run. The calls that open libraries are data, with their sources, in
`data/bindings.toml`; a file that merely names the library hands its path to somebody else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from rustext.data import read_data
from rustext.model.native_file import Binding

_LIBRARY_NAME = re.compile(r"^(?:lib|_)*|(?:\.[\w-]+)+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opener:
    """The Python file that opens a library, or that names it for somebody else to open."""

    binding: Binding  # CFFI, CTYPES, or PLUGIN where the file names the library and no more
    source: PurePosixPath


def find_opener(
    library: PurePosixPath, sources: Iterable[tuple[PurePosixPath, bytes]]
) -> Opener | None:
    """The source that opens `library`, the closest fit first; None without any.

    A source that spells the file's whole name fits better than one with its stem, that better
    than one that opens a library without saying which (its name is put together elsewhere), and
    at the same level a neighbour better than a stranger.
    """
    rules = [
        (Binding(row["kind"]), re.compile(row["pattern"].encode()))
        for row in read_data("bindings")["opener"]
    ]
    openers: list[tuple[int, bool, Opener]] = []
    namers: list[Opener] = []
    for path, text in sources:
        named = _how_well_named(library, text)
        binding = next((kind for kind, pattern in rules if pattern.search(text)), None)
        if binding is not None:
            beside = path.parent in {library.parent, *library.parents}
            openers.append((named, beside, Opener(binding=binding, source=path)))
        elif named == 2:
            namers.append(Opener(binding=Binding.PLUGIN, source=path))
    openers.sort(key=lambda o: o[2].source)
    best = max(openers, key=lambda o: o[:2], default=None)  # the first of the best
    if namers and (best is None or best[0] == 0):
        return min(namers, key=lambda o: o.source)
    return best[2] if best is not None else None


def _how_well_named(library: PurePosixPath, text: bytes) -> int:
    """2 for the file's whole name, 1 for its stem as a word, 0 for neither."""
    if library.name.encode() in text:
        return 2
    stem = _LIBRARY_NAME.sub("", library.name).encode()
    word = rb"(?<![A-Za-z0-9])(?:lib|_)*%b(?![A-Za-z0-9])" % re.escape(stem)
    return int(bool(stem) and re.search(word, text) is not None)
