"""Find the files of a bundle that may hold its Python.

In: the program and the native files of a bundle. Out: paths, the likeliest first. A folder that two
builds went to may hold the library of another Python as well, which nothing loads.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from pathlib import Path

from rustext.model.native_file import NativeFile
from rustext.verify.bundle.program import Program

_NAMES = ("libpython", "Python", "python3", "libpypy")


def iter_interpreters(
    program: Program | None, files: Sequence[tuple[Path, NativeFile]]
) -> Iterator[Path]:
    """Yield what the program opens or needs, the program itself, and then all other candidates."""
    found = [path for path, _ in files if path.name.startswith(_NAMES)]
    if program is not None:
        named = {posixpath.basename(program.library)}
        named |= {posixpath.basename(n.name) for n in program.binary.image.needed}
        yield from (path for path in found if path.name in named)
        yield program.path
        found = [path for path in found if path.name not in named]
    yield from (path for path in found if program is None or path != program.path)
