"""What `rustext scan` lists: rows, one for each native file of a folder or of wheels.

In: folders like `site-packages`, wheels, single files. Out: rows as JSON texts, sorted by path, or
a `Listing` of a folder that a cache can keep. Rows of files that have not changed since an older
listing are taken over from it.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from rustext.discovery.extension_suffixes import importable_by
from rustext.discovery.native_files import (
    find_native,
    folder_source,
    is_named_native,
    iter_native_files,
    open_source,
    read_native_file,
)
from rustext.discovery.sources import Source
from rustext.environment.distributions import Distribution, iter_distributions
from rustext.environment.editable_installs import walk
from rustext.errors import InvalidBinary, RustextError, TooComplex, UnreadableFile
from rustext.files.cache import Identity, Listing, Row, identify, iter_unchanged, read_folders
from rustext.model.faults import Fault
from rustext.report.console import progress_line
from rustext.report.documents import extension_json

_log = logging.getLogger(__name__)
_WORKERS = 2  # unless the user asks for more, which would crowd out what else runs


def read_file(path: Path) -> list[str]:
    """The rows of one wheel, or of one native file."""
    if path.suffix == ".whl" or not path.is_file():
        return _read_wheel(path)
    path = path.resolve()
    file = read_native_file(path, Source(root=path.parent, packages={}))
    return [json.dumps(extension_json(file, importable_by(file)))]


def read_files(
    files: Sequence[Path],
    refused: list[RustextError],
    *,
    jobs: int | None = None,
    quiet: bool = False,
) -> list[str]:
    """The rows of many wheels, in their order; errors of those refused are appended.

    `jobs` processes read them, the largest first, so that none ends long after the others; one
    reads in this process.
    """
    order = sorted(range(len(files)), key=lambda number: -_size(files[number]))
    found: dict[int, list[str] | RustextError] = {}
    jobs = min(jobs or _WORKERS, len(files))
    with ExitStack() as opened:
        show = opened.enter_context(progress_line("reading wheels", quiet=quiet))
        pool = opened.enter_context(ProcessPoolExecutor(jobs)) if jobs > 1 else None
        results = (pool.map if pool is not None else map)(
            _try_file, (files[number] for number in order)
        )
        for number, result in zip(order, results, strict=True):
            found[number] = result
            show(f"  {len(found)} of {len(files)}")
    answers = [found[number] for number in sorted(found)]
    refused += [answer for answer in answers if isinstance(answer, RustextError)]
    return [row for rows in answers if not isinstance(rows, RustextError) for row in rows]


def _size(path: Path) -> int:
    """The size of a file in bytes; 0 of one that cannot be read, which is said when it is."""
    return os.path.getsize(path) if os.path.isfile(path) else 0  # noqa: PTH113, PTH202 (never raise)


def _try_file(path: Path) -> list[str] | RustextError:
    try:
        return read_file(path)
    except RustextError as error:
        return error


def _read_wheel(path: Path) -> list[str]:
    with open_source(path) as source:
        rows = [extension_json(file, importable_by(file)) for _, file in iter_native_files(source)]
    return [json.dumps(row) for row in note_links(rows)]


def list_folder(root: Path, known: Listing | None = None, *, quiet: bool = False) -> Listing:
    """The listing of a folder; what `known` says of unchanged files is not read again.

    Times and identities are taken before anything is read, so that a change while reading makes
    the listing stale at once.
    """
    folders = read_folders(root, _walk(root))
    faults: list[Fault] = []
    dists = tuple(iter_distributions(root, faults))
    for fault in sorted(faults, key=lambda fault: str(fault.path)):
        _log.warning("%s", fault)
    files = _identify_metadata(root, dists)
    source = folder_source(root, dists)
    owners = {f: str(record) for d in dists if (record := _record(d)) for f in d.files}
    # What links against a library is a fact about other files, and found out anew.
    unchanged = iter_unchanged(known, root) if known is not None else ()
    kept = {row.path: row for row in unchanged if '"linked"' not in row.text}
    rows = []
    named = {fault.path for fault in faults}
    paths = list(find_native(source, note_fault=partial(_say, named)))
    with progress_line(f"reading {root}", quiet=quiet) as show:
        for number, path in enumerate(paths, 1):
            show(f"  {number} of {len(paths)}")
            relative = PurePosixPath(path.relative_to(root).as_posix())
            identity = identify(path)
            row = kept.get(str(relative)) or _read_row(path, source, owners.get(relative, ""))
            if row is not None and identity is not None:
                rows.append(row)
                files[row.path] = identity
    return Listing(folders=folders, files=files, rows=_with_links(rows))


def _say(named: Collection[Path], path: Path, reason: str, _effect: str) -> None:
    if path not in named:
        _log.warning("%s", Fault(path=path, reason=reason, effect="it is not in the list"))


def _walk(root: Path) -> Iterator[str]:
    """The folders below `root` and itself, relative."""
    for folder, _, _ in walk(root):
        yield os.path.relpath(folder, root)


def _identify_metadata(root: Path, dists: Sequence[Distribution]) -> dict[str, Identity]:
    """The identities of what says whose a file is and what it was made from."""
    paths = (
        path
        for dist in dists
        for path in (dist.metadata / "METADATA", _record(dist), *dist.sboms)
        if path is not None
    )
    found = {str(path): identify(root / path) for path in paths}
    return {path: identity for path, identity in found.items() if identity is not None}


def _record(dist: Distribution) -> PurePosixPath | None:
    """The list of the distribution's files, which is rewritten whenever it is installed anew."""
    return dist.metadata / "RECORD" if dist.files else None


def _read_row(path: Path, source: Source, owner: str) -> Row | None:
    try:
        file = read_native_file(path, source)
    except (InvalidBinary, UnreadableFile) as error:
        if isinstance(error, UnreadableFile | TooComplex) or is_named_native(path):
            _log.warning("%s; it is not in the list", error)
        return None  # else a magic number alone: data, not a library
    text = json.dumps(extension_json(file, importable_by(file)))
    return Row(path=str(file.path), owner=owner, text=text)


def note_links(rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The same rows; a library that another one links against, and nothing opens, says so.

    A library is meant by its soname, or by its file name where it has none: what is loaded
    already is known by these to ld.so and dyld.
    """
    linkers = {PurePosixPath(name).name: row for row in reversed(rows) for name in row["needed"]}
    for row in rows:
        linker = linkers.get(PurePosixPath(row["soname"] or row["file"]).name)
        unopened = row["naming"] == ["no-init"] and row["binding"] == "none"
        if not unopened or linker is None or linker is row:
            yield row
        else:
            why = f"exports no PyInit_ function; `{linker['file']}` links against it"
            yield {**row, "naming": ["no-init", "linked"], "explanation": why}


def _with_links(rows: Sequence[Row]) -> tuple[Row, ...]:
    noted = note_links([json.loads(row.text) for row in rows])
    return tuple(replace(row, text=json.dumps(n)) for row, n in zip(rows, noted, strict=True))
