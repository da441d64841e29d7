"""The files that a distribution has installed, by its RECORD.

In: a RECORD (https://packaging.python.org/en/latest/specifications/recording-installed-packages/).
Out: paths relative to `site-packages`. Of a damaged one, as an interrupted installation or a full
disk leaves it, the whole rows count, and what is in the packages that these name.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from rustext.errors import UnreadableFile
from rustext.files.untrusted import can_name_file, is_utf8, read_text
from rustext.model.faults import Fault

_LIMIT = 64 << 20  # bytes; the largest real one has 5 MB
_FIELDS = 3  # path, hash and size; the last two may be empty


def read_record(
    file: Path, name: str, site: Path, faults: list[Fault]
) -> tuple[PurePosixPath, ...]:
    """The paths of a RECORD relative to `site`; `importlib.metadata.files` costs ten times as much.

    Absolute paths are allowed. None of a RECORD that is missing.
    """
    if not os.path.lexists(file):
        return ()
    try:
        text = read_text(file, _LIMIT)
    except UnreadableFile as error:
        effect = f"the files of {name} are not known"
        faults.append(Fault(path=file, reason=str(error), effect=effect))
        return ()
    rows, damaged = _parse_record(text)
    if damaged:
        reason = f"{len(damaged)} of its rows are damaged: `{damaged[0][:80]}`"
        effect = f"files of {name} may be missing"
        faults.append(Fault(path=file, reason=reason, effect=effect))
        rows = [*dict.fromkeys((*rows, *_iter_packages(rows, site)))]
    if odd := {row for row in rows if not (can_name_file(row) and is_utf8(row))}:
        reason = (
            f"{len(odd)} of the names in it are not UTF-8, are none in this locale, or hold a NUL"
            f": `{min(odd)}`"
        )
        faults.append(Fault(path=file, reason=reason, effect="those files are left out"))
    return tuple(PurePosixPath(_relative(row, site)) for row in rows if row not in odd)


def _parse_record(text: str) -> tuple[list[str], list[str]]:
    """The paths in whole rows, and the other lines; none, as a rule, and that is found out fast."""
    with contextlib.suppress(csv.Error, ValueError):  # an open quote swallows what follows
        rows = csv.reader(io.StringIO(text, newline=""), strict=True)
        return [path for path, _, _ in filter(None, rows) if path], []
    paths, damaged = [], []
    for line in filter(None, map(str.strip, text.split("\n"))):
        try:
            (row,) = csv.reader([line], strict=True)
        except (csv.Error, ValueError):
            row = []
        if len(row) == _FIELDS and row[0]:
            paths.append(row[0])
        else:
            damaged.append(line)
    return paths, damaged


def _iter_packages(rows: Iterable[str], site: Path) -> Iterator[str]:
    """The files in the outermost packages of these rows; not in namespaces, which many share."""
    for top in sorted({row.partition("/")[0] for row in rows if "/" in row} - {"", ".", ".."}):
        if can_name_file(top) and (site / top / "__init__.py").is_file():
            for folder, folders, names in os.walk(site / top):
                folders[:] = sorted(set(folders) - {"__pycache__"})
                where = Path(folder).relative_to(site)
                yield from ((where / name).as_posix() for name in sorted(names))


def _relative(row: str, site: Path) -> str:
    rooted = row[0] in "/\\" or row[1:2] == ":"  # a Path for each row takes far longer
    if not (rooted and Path(row).is_absolute()):
        return row
    try:
        return os.path.relpath(row, site).replace(os.sep, "/")
    except ValueError:  # on another drive of Windows
        return row
