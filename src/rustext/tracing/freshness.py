"""Tell whether a record is as new as the program that it was made of.

In: a record, and folders that may be the program's. Out: a digest of the program's own modules, and
whether it is one that the record holds. Ends of lines do not count: checkouts differ in them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from rustext.files.untrusted import SOURCE_LIMIT, read_start
from rustext.tracing.trace_file import Trace
from rustext.tracing.usage import MODULES, PROGRAM

_LENGTH = 16  # characters of the digest; it tells changes, and is no protection


def program_digest(trace: Trace, folder: Path) -> str | None:
    """The digest of the program's files that a record names, in one folder; None without any."""
    digest, found = hashlib.sha256(), False
    for name, file in _iter_files(trace, folder):
        try:
            content = read_start(file, SOURCE_LIMIT)
        except OSError:
            continue
        found = True
        digest.update(f"{name}\n".encode())
        digest.update(content.replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:_LENGTH] if found else None


def is_of_program_in(trace: Trace, folders: Iterable[Path]) -> bool | None:
    """Whether the program in one of the folders is the one that was recorded; None if unknown."""
    digests = {program_digest(trace, folder) for folder in folders} - {None}
    if not digests or not trace.programs:
        return None
    return not digests.isdisjoint(trace.programs)


def _iter_files(trace: Trace, folder: Path) -> Iterator[tuple[str, Path]]:
    names = {
        use.name
        for usage in trace.usages
        if usage.distribution == PROGRAM
        for kind in MODULES
        for use in usage.of(kind)
    }
    scripts = {run for run in trace.runs if run.endswith(".py")}
    for name in sorted(names):
        path = folder.joinpath(*name.split("."))
        yield (
            name,
            next((p for p in (path / "__init__.py", path.with_suffix(".py")) if p.is_file()), path),
        )
    for name in sorted(scripts):
        yield name, folder / name
