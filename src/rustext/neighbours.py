"""What the native files of a Rust distribution's neighbour import of their own distribution.

In: an extension module that is not Rust, its distribution, and the environment. Out: one
`ImplicitImport` for each module of the distribution that it names. Such extensions are made by
Cython as a rule, which keeps the names of modules as C strings or, since release 3.2, inside a
compressed table (`CYTHON_COMPRESS_STRINGS`). Where the distribution carries the sources as well,
their import statements say the same
(https://cython.readthedocs.io/en/latest/src/userguide/language_basics.html, "The include
statement").
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from rustext.binary import open_binary
from rustext.distributions import Distribution
from rustext.environment import Environment
from rustext.model import Evidence, EvidenceKind, ImplicitImport, NativeFile, Verdict

_IN_NAME = re.compile(rb"[\w.]")
_INCLUDE = re.compile(r"""^[ \t]*include[ \t]+["']([\w./-]+\.pxi)["']""", re.MULTILINE)
_IMPORT = re.compile(r"^[ \t]*(?:from|import|cimport)[ \t]+([A-Za-z_]\w*(?:\.\w+)+)", re.MULTILINE)


def find_own_imports(
    file: NativeFile, dist: Distribution, env: Environment
) -> tuple[ImplicitImport, ...]:
    """The modules of `dist` that its extension module `file` names, sorted.

    Raises `InvalidBinary` or `UnreadableFile` if the file cannot be read as a native file.
    """
    gathered: dict[str, Evidence] = {}
    with open_binary(dist.site / file.path) as (_, data):
        for name, evidence in (*_from_strings(file, data), *_from_sources(file, dist)):
            module = env.find_module(name)
            if module is not None and module.distribution == dist.name and name != file.module:
                gathered.setdefault(name, evidence)
    return tuple(
        ImplicitImport(
            module=name,
            verdict=Verdict.INCLUDE,
            reason="the extension's own distribution",
            evidence=(gathered[name],),
        )
        for name in sorted(gathered)
    )


def _from_strings(file: NativeFile, data: mmap.mmap) -> Iterator[tuple[str, Evidence]]:
    """The C strings that begin with the extension's own package."""
    top = (file.module or "").partition(".")[0].encode()
    for found in re.finditer(rb"%b(?:\.[A-Za-z_]\w{0,99}){1,9}(?=\0)" % re.escape(top), data):
        start = found.start()
        if not _IN_NAME.match(data[max(start - 1, 0) : start]):
            where = f"{file.path} at 0x{start:x}"
            detail = "a C string that names a module of the distribution"
            yield (
                found[0].decode("ascii"),
                Evidence(kind=EvidenceKind.C_STRING, where=where, detail=detail),
            )


def _from_sources(file: NativeFile, dist: Distribution) -> Iterator[tuple[str, Evidence]]:
    """What the import statements of the extension's own source say, and of what that includes."""
    own, known = file.path.with_name(f"{file.path.name.partition('.')[0]}.pyx"), set(dist.files)
    waiting, seen = [own], set[PurePosixPath]()
    while waiting:
        source = waiting.pop()
        if source in seen or source not in known:
            continue
        seen.add(source)
        try:
            text = (dist.site / source).read_text(encoding="utf-8", errors="replace")
        except OSError:  # recorded, and gone
            continue
        waiting += [own.parent / name for name in _INCLUDE.findall(text)]
        for found in _IMPORT.finditer(text):
            detail = found[0].strip()
            yield (
                found[1],
                Evidence(kind=EvidenceKind.PYTHON_CALL, where=str(source), detail=detail),
            )
