"""Read which libraries the dynamic loader of glibc initialised and did not find, in its own words.

In: a folder with its logs (`LD_DEBUG=libs`, `LD_DEBUG_OUTPUT=FOLDER/loader`: ld.so(8)), one file
for each process, `loader.<pid>`. Out: paths. The program that ran could write there too, and one
that opens libraries without end has a log without end: it is read in pieces, and so much in all.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

LOG_NAME = "loader"
_NOTED = re.compile(
    rb"(?:calling init|initialize (program)): ([^\n\0]{1,4096})$"
    rb"|find library=([^\n\0]{1,4096}) \[\d+\]; searching$",
    re.MULTILINE,
)
_PIECE = 1 << 20  # bytes; no line of the loader's is as long
_READ = 1 << 30  # bytes of all logs; a large program writes 1,000,000
_NAMES = 1 << 14  # libraries; Linux maps no more into one process (vm.max_map_count, by 4)


def read_logs(
    folder: Path, own: Sequence[Path], path: str
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """The libraries that processes of the bundle initialised, and the names of others not found.

    Each comes once, oldest process first.

    What a program of the system loads, which the bundle's own one started, says nothing of the
    bundle; `own` are the bundle's folders, and `path` is where its programs looked for others.
    """
    logs = [p for p in folder.glob(f"{LOG_NAME}.*") if p.suffix[1:].isdecimal() and p.is_file()]
    found: dict[bytes, None] = {}
    missing: dict[bytes, None] = {}
    left = _READ
    for file in sorted(logs, key=lambda p: int(p.suffix[1:])):
        libraries: dict[bytes, None] = {}
        programs: dict[bytes, None] = {}
        wanted: dict[bytes, None] = {}
        for piece in _iter_pieces(file, left):
            left -= len(piece)
            for match in _NOTED.finditer(piece):
                names = programs if match[1] else libraries if match[2] else wanted
                if len(names) < _NAMES:
                    names[match[2] or match[3]] = None
        if not programs or any(not _is_foreign(_path(name), own, path) for name in programs):
            found |= libraries
            there = {name.rpartition(b"/")[2] for name in libraries}
            missing |= {name: None for name in wanted if name not in there}
    return tuple(map(_path, list(found)[:_NAMES])), tuple(map(os.fsdecode, missing))


def _iter_pieces(file: Path, limit: int) -> Iterator[bytes]:
    """Whole lines of a log, many at once; what is longer than any line of the loader's is cut."""
    rest = b""
    with suppress(OSError), file.open("rb", buffering=0) as stream:  # the program may forbid it
        while limit > 0 and (piece := stream.read(_PIECE)):
            limit -= len(piece)
            lines, end, rest = (rest[:_PIECE] + piece).rpartition(b"\n")
            yield lines + end
    yield rest


def _path(name: bytes) -> Path:
    return Path(os.fsdecode(name))


def _is_foreign(program: Path, own: Sequence[Path], path: str) -> bool:
    """Whether a program is the system's. The loader names it by its first argument."""
    if program.is_absolute():
        return not any(program.is_relative_to(folder) for folder in own)
    return len(program.parts) == 1 and shutil.which(program.name, path=path) is not None
