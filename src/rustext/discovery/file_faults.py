"""Find what is wrong with the files of a distribution that a program uses.

In: a distribution, and what its sources say. Out: paths with the reason and what is left out. Files
that no program can have, such as tests, do not count. Or a single file, in a distribution or not.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from rustext.discovery.native_files import is_named_native
from rustext.discovery.source_facts import is_used
from rustext.environment.distributions import Distribution
from rustext.environment.python_source import find_fault
from rustext.errors import TruncatedBinary
from rustext.files.untrusted import SOURCE_LIMIT, is_closed, read_start
from rustext.formats.marshal_reader import parse_code
from rustext.model.sources import DistributionSources

_HEADER = 16  # bytes of a file of bytecode: https://peps.python.org/pep-0552/
_LARGEST = 64 << 20  # bytes of bytecode


def find_code_fault(path: Path) -> str:
    """Why this Python cannot import a source or a file of bytecode; "" where it can.

    Also for a file that is too large to be judged. Raises `OSError` for one that cannot be read.
    """
    limit = _LARGEST if path.suffix == ".pyc" else SOURCE_LIMIT
    data = read_start(path, limit)
    if len(data) == limit:
        return ""
    if path.suffix != ".pyc":
        fault = find_fault(data)
        return fault and f"it does not compile ({fault})"
    if not data.startswith(importlib.util.MAGIC_NUMBER):
        return "it is not bytecode of this Python"
    try:
        parse_code(data[_HEADER:], sys.version_info[:2])
    except TruncatedBinary as error:
        return f"it is not bytecode ({error})"
    return ""


def iter_faults(
    dist: Distribution, sources: DistributionSources, *, compiles: bool
) -> Iterator[tuple[Path, str, str]]:
    """The path, reason and effect of each fault; damaged native files are found as they are read.

    `compiles` is whether the environment's Python is this one: of another, it is not known what it
    can compile.
    """
    native = (f for f in dist.files if ".." not in f.parts and is_named_native(f))
    gone = [f for f in native if _is_gone(dist.site / f)]
    for facts in sources.files:
        path = dist.site / facts.file
        if facts.unreadable and _is_gone(path):
            gone += [facts.file] if is_used(facts.file) else []
        elif facts.unreadable:
            yield path, facts.unreadable.lower(), "what it imports and opens is not known"
        elif facts.broken and compiles:
            yield path, f"it does not compile ({facts.broken})", "nothing can import it"
    for path in _iter_bytecode(dist) if compiles else ():
        with contextlib.suppress(OSError):
            if fault := find_code_fault(path):
                yield path, fault, "nothing can import it"
    if gone:
        more = f" and {len(gone) - 1} more" if len(gone) > 1 else ""
        reason = f"files that it lists are gone: `{min(gone)}`{more}"
        yield dist.site / dist.metadata / "RECORD", reason, "nothing is added for them"
    for path, reason in _iter_odd(dist):
        yield path, reason, "nothing is added for it"


def _iter_bytecode(dist: Distribution) -> Iterator[Path]:
    """The modules that have no source; the caches of others are not read."""
    found = [f for f in dist.files if f.suffix == ".pyc" and f.parent.name != "__pycache__"]
    sources = frozenset(dist.files) if found else frozenset()
    for file in found:
        if file.with_suffix(".py") not in sources and ".." not in file.parts and is_used(file):
            yield dist.site / file


def _iter_odd(dist: Distribution) -> Iterator[tuple[Path, str]]:
    """What no RECORD lists in a distribution's packages, and cannot be used, with the reason."""
    code = (f for f in dist.files if f.suffix == ".py" or is_named_native(f))
    packages = {f.parent for f in code if ".." not in f.parts} - {PurePosixPath()}
    listed = {folder for file in dist.files for folder in file.parents}
    for folder in sorted(packages):
        with contextlib.suppress(OSError), os.scandir(dist.site / folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                path = Path(entry.path)
                if not entry.name.isprintable() and is_named_native(path):
                    yield path, "its name is not UTF-8, or holds a line break"
                elif (
                    entry.is_dir(follow_symlinks=False)
                    and folder / entry.name not in listed
                    and (not os.access(path, os.R_OK | os.X_OK) or is_closed(path.stat().st_mode))
                ):
                    yield path, os.strerror(errno.EACCES).lower()


def _is_gone(path: Path) -> bool:
    """Whether a file was removed since it was recorded; a link or closed folder was not."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
