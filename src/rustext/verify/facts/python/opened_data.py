"""Find the files that code of a program's start reads, and what files that it runs would import.

In: a `Bundle`, and a `Start`. Out: the data files next to the code that are opened and absent, and
for one of these whether a RECORD in the bundle lists such a file for the package; the modules of
their own package that Python files in a folder import and that are not there. Code may list such
files and run them; a freezer does not follow what they import.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from mimetypes import MimeTypes
from pathlib import Path, PurePosixPath

from rustext.data import read_data
from rustext.discovery.module_names import packages_of
from rustext.environment.python_text import iter_modules
from rustext.files.untrusted import is_closed, text_of
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.bundle.program import Freezer
from rustext.verify.facts.python.program_starts import OpenedFile, Start
from rustext.verify.facts.python.wheel_tags import iter_records

_SOURCES = 2000  # Python files in folders that are looked at


def iter_absent_data(bundle: Bundle, start: Start) -> Iterator[OpenedFile]:
    """Yield what is opened that is not in the bundle by any of its names, or out of reach.

    On Unix a path like `pkg/part/../table.json` needs the folder `pkg/part` (POSIX, pathname
    resolution), which a bundle lacks where its modules are in an archive.
    """
    wanted = dict.fromkeys(opened for opened in start.opened if opened.data)
    if wanted and bundle.freezer is not Freezer.CX_FREEZE:  # its archive may hold data
        names = frozenset(name for opened in wanted for name in opened.names)
        held = {path.name for path in _iter_files(bundle.root, names)}
        for opened in wanted:
            if held.isdisjoint(opened.names) or not is_reachable(bundle, opened):
                yield opened


def _iter_files(root: Path, names: frozenset[str]) -> Iterator[Path]:
    """The files of these names that somebody may read."""
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not _is_closed(Path(folder, name))]
        yield from (
            path for n in names.intersection(files) if not _is_closed(path := Path(folder, n))
        )


def _is_closed(path: Path) -> bool:
    with suppress(OSError):
        return is_closed(path.stat().st_mode)
    return False  # a link that leads nowhere, of which there is a finding


def is_reachable(bundle: Bundle, opened: OpenedFile) -> bool:
    """Whether the folder that a path goes through is in the bundle."""
    return opened.through is None or (bundle.contents / opened.through).is_dir()


def find_record(bundle: Bundle, opened: OpenedFile) -> str | None:
    """The RECORD that lists a file of such a name for the package of the module that opens it."""
    top = opened.module.partition(".")[0]
    for record, files in iter_records(bundle):
        if any(file.name in opened.names and file.parts[0] == top for file in files):
            return record
    return None


def is_file_name(text: str) -> bool:
    """Whether a text is the name of a file and no key, as far as its end tells."""
    known, _ = MimeTypes().guess_type(text, strict=False)  # Python's own, not this machine's
    return bool(known) or PurePosixPath(text).suffix in read_data("companions")["file_suffixes"]


def iter_lacking_imports(bundle: Bundle, tops: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield a module that is not in the bundle, and the module of the file that imports it.

    `tops` are the top-level packages that count: those with code that runs such files.
    """
    archived = frozenset(name for p in bundle.programs for name in p.modules)
    there = archived | bundle.shared
    there |= {package for name in there for package in packages_of(name)}
    files = [
        (name, path)
        for name, path in sorted(bundle.loose.items())
        if path.suffix == ".py" and name not in archived and name.partition(".")[0] in tops
    ]
    for name, path in files[:_SOURCES]:
        package = name if path.stem == "__init__" else name.rpartition(".")[0]
        for module in iter_modules(text_of(path), package):
            own = module.partition(".")[0] == name.partition(".")[0] and "." in module
            if own and module not in there and module.rpartition(".")[0] in there:
                yield module, name
