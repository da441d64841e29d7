"""Find the data files that are cut short, or that Git LFS has never fetched.

In: a `Subject`. Out: the findings `unreadable-file` about files whose first bytes say that there
are more, ZIP archives without their end, pointers of Git LFS, and JSON that the code of a start
names and that is none. A file that no code is seen to read is a warning.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rustext.data import read_data
from rustext.errors import UnreadableFile
from rustext.files.untrusted import open_file, read_bytes
from rustext.model.findings import Finding, Severity
from rustext.verify.bundle.tree import read_tree
from rustext.verify.common_findings import unreadable_file
from rustext.verify.facts.python.opened_data import find_opened
from rustext.verify.subject import Subject

# https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
_POINTER = b"version https://git-lfs.github.com/spec/v1\n"
_POINTER_SIZE = 1024
_ZIP, _ZIP_END = b"PK\3\4", b"PK\5\6"
_ZIP_TAIL = 22 + 0xFFFF  # bytes of the end record, with the longest comment
_HEAD = 128
_JSON_LIMIT = 16 << 20  # bytes
_SHOWN = 50


def check_data(subject: Subject) -> Iterator[Finding]:
    """Find damaged files of data."""
    bundle = subject.bundle
    known = {path for path, _ in bundle.files} | {file.path for file in bundle.unreadable}
    known |= {program.path for program in bundle.programs}
    opened = find_opened(bundle, subject.starts)
    left_out = frozenset(read_data("companions")["not_data_folders"])
    tree, shown = read_tree(bundle.root), 0
    for file in tree.files:
        path = tree.path(file)
        tests = not left_out.isdisjoint(file.split("/")) and path not in opened
        if file in tree.linked or path in known or tests or shown >= _SHOWN:
            continue
        reason = _find_damage(path)
        if reason is None and path in opened and path.suffix == ".json":
            reason = _find_json_damage(path)
        if reason is not None:
            shown += 1
            severity = Severity.ERROR if opened.get(path) else Severity.WARNING
            yield unreadable_file(subject.inside(path), reason, severity)


def _find_damage(path: Path) -> str | None:
    with suppress(OSError), open_file(path) as stream:
        head = stream.read(_HEAD)
        if head.startswith(_POINTER) and len(head + stream.read(_POINTER_SIZE)) < _POINTER_SIZE:
            return "a pointer of Git LFS, whose file was never fetched"
        size = stream.seek(0, 2)
        if head.startswith(_ZIP):
            stream.seek(max(0, size - _ZIP_TAIL))
            if _ZIP_END not in stream.read(_ZIP_TAIL):
                return "a ZIP archive without its end"
        for row in read_data("file_heads")["format"]:
            length = _read_length(head, row)
            if head.startswith(bytes.fromhex(row["magic"])) and length is not None:
                return _say_cut(length, size) if length > size else None
    return None


def _say_cut(length: int, size: int) -> str:
    return f"cut short: its header speaks of {length:,} bytes, and there are only {size:,}"


def _read_length(head: bytes, row: dict[str, Any]) -> int | None:
    """The length that a header states, None where it does not count."""
    if len({_number(head, field) for field in row.get("same", ())}) > 1:
        return None
    unit = _number(head, row["unit"]) if "unit" in row else 1
    if "unit" in row and unit == 1:
        unit = 1 << 16
    return _number(head, row["length"]) * unit + int(row["more"])


def _number(head: bytes, field: Sequence[Any]) -> int:
    at, size, order = field
    return int.from_bytes(head[at : at + size], order)


def _find_json_damage(path: Path) -> str | None:
    with suppress(UnreadableFile, RecursionError):
        try:
            json.loads(read_bytes(path, _JSON_LIMIT))
        except ValueError as error:
            return f"its name says JSON, and it is none: {error}"
    return None
