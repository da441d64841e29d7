"""Find the Python files in folders that Python cannot import.

In: a `Subject`. Out: the findings `unreadable-file` about sources that are damaged: cut short, in
another encoding than they say, with null bytes. What only one version of Python says of a source
counts where this Python is of the bundle's version. Of a module that nothing is seen to import,
null bytes alone count: some packages bring sources along that are not meant to be compiled.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from rustext.environment.python_source import find_any_fault, find_fault
from rustext.errors import UnreadableFile
from rustext.files.untrusted import SOURCE_LIMIT, read_bytes, read_start
from rustext.model.findings import Finding, Severity
from rustext.verify.common_findings import unreadable_file
from rustext.verify.facts.python.program_starts import Start
from rustext.verify.subject import Subject

_SOURCES, _START = 2000, 1 << 16  # files, and bytes of each, that are looked at for null bytes


def check_sources(subject: Subject) -> Iterator[Finding]:
    """Find the sources that Python cannot compile."""
    found: dict[Path, Finding] = {}
    for start in subject.starts:
        for name, path in _iter_sources(subject, start):
            reason = _find_reason(path, same=subject.version == sys.version_info[:2])
            if reason:
                needed = name in start.reached or name in start.intact
                severity = Severity.ERROR if needed else Severity.WARNING
                if path not in found or needed:
                    found[path] = unreadable_file(subject.inside(path), reason, severity)
    for name, path in itertools.islice(sorted(subject.bundle.loose.items()), _SOURCES):
        if _is_source(name, path) and path not in found and b"\0" in _start_of(path):
            found[path] = unreadable_file(
                subject.inside(path), find_any_fault(b"\0"), Severity.WARNING
            )
    yield from found.values()


def _is_source(name: str, path: Path) -> bool:
    return path.suffix == ".py" and all(map(str.isidentifier, name.split(".")))


def _start_of(path: Path) -> bytes:
    with suppress(OSError):
        return read_start(path, _START)
    return b""


def _iter_sources(subject: Subject, start: Start) -> Iterator[tuple[str, Path]]:
    """Of the modules that a start gets to and whose code is not known, those that are sources."""
    bundle = subject.bundle
    elsewhere = start.program.modules.union(m.name for m in bundle.libraries)
    elsewhere |= {file.module for _, file in bundle.files if file.module is not None}
    for name in dict.fromkeys(start.unread):
        path = bundle.loose.get(name)
        if path is not None and path.suffix == ".py" and name not in elsewhere:
            yield name, path


def _find_reason(path: Path, *, same: bool) -> str:
    try:
        source = read_bytes(path, SOURCE_LIMIT)
    except UnreadableFile as error:
        return "" if path.stat().st_size > SOURCE_LIMIT else str(error)
    return find_any_fault(source) or (find_fault(source) if same else "")
