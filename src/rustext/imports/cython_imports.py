"""What native files without Rust import of their own distribution, and by what has made them.

In: an extension module that is not Rust, its distribution with the facts of its sources, and the
environment. Out: one `ImplicitImport` for each module that it names. Such extensions are made by
Cython as a rule, which keeps the names of modules as C strings or, since release 3.2, inside a
compressed table (`CYTHON_COMPRESS_STRINGS`), or by mypyc, whose modules import one shared library.
What others import as they load, such as those of cffi, is data in `data/bindings.toml`.
Where the distribution carries the sources as well, their import statements say the same
(https://cython.readthedocs.io/en/latest/src/userguide/language_basics.html, "The include
statement").
"""

from __future__ import annotations

import bz2
import importlib
import mmap
import posixpath
import re
import sys
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath

from rustext.discovery.provenance import find_bound_imports
from rustext.discovery.source_facts import module_of
from rustext.environment.distributions import Distribution
from rustext.environment.environment import Environment
from rustext.environment.python_text import iter_imported
from rustext.files.cache import kept_facts
from rustext.files.untrusted import text_of
from rustext.formats.binary import open_binary
from rustext.model.evidence import Evidence, EvidenceKind
from rustext.model.native_file import NativeFile
from rustext.model.plan import ImplicitImport, included
from rustext.model.sources import DistributionSources

_INCLUDE = re.compile(r"""^[ \t]*include[ \t]+["']([\w./-]+\.pxi)["']""", re.MULTILINE)
_CYTHON = b"cython_runtime"  # a module that each extension made by Cython 3 looks up
_ZSTD = b"\x28\xb5\x2f\xfd"
# What zlib (RFC 1950), bzip2 and zstd (RFC 8878) streams begin with.
_COMPRESSED = re.compile(rb"\x78[\x01\x5e\x9c\xda]|BZh[1-9]1AY&SY|\x28\xb5\x2f\xfd")
_LIMIT = 4 << 20  # bytes of a stream, and of what is in it
_MYPYC = b"__mypyc\0"
_GROUP = re.compile(rb"(?<![\w.])(?:[A-Za-z_]\w{0,99}\.)*\w{1,99}__mypyc(?=\0)")
_IN_NAME = re.compile(rb"[\w.]")
_COMMENT = re.compile(r"#.*")
_MADE = "what the module is made with imports it as it loads"
_Names = tuple[tuple[str, Evidence], ...]  # what may be modules' names, the first place of each


def find_own_imports(
    file: NativeFile,
    sources: DistributionSources,
    dist: Distribution,
    env: Environment,
    *,
    keep: bool = False,
) -> tuple[ImplicitImport, ...]:
    """The modules of `dist` that its extension module `file` names, and what has made it imports.

    Where it was compiled from a Python file that is there as well, these are all that the file
    imports: a freezer sees the extension alone. With `keep`, the names in it are cached on disk.

    Raises `InvalidBinary` or `UnreadableFile` if the file cannot be read as a native file.
    """
    gathered: dict[str, Evidence] = {}
    for name, evidence in _kept_names(file, dist, keep=keep):
        module = env.find_module(name)
        there = f"{file.module}.".startswith(f"{name}.")  # the file, or a package that it is in
        own = module is not None and module.distribution == dist.name and not there
        if own or (module is not None and evidence.detail == _MADE):
            gathered.setdefault(name, evidence)
    compiled = tuple(_from_compiled(file, sources, env))
    named = (included(n, "named in the extension", gathered[n]) for n in sorted(gathered))
    return (*named, *(i for i in compiled if i.module not in gathered))


def _kept_names(file: NativeFile, dist: Distribution, *, keep: bool) -> _Names:
    """As `_read_names`, with `keep` out of the cache while the distribution stays as it is."""
    given = f"{dist.identity()} {sys.version_info[:2]}" if keep else ""  # which has decoders
    path = dist.site / file.path
    with kept_facts("names", dist.site, str(file.path), keep=keep) as kept:
        names: _Names = kept.get(path, _Names, lambda: _read_names(file, dist), given=given)
    return names


def _read_names(file: NativeFile, dist: Distribution) -> _Names:
    """The names in an extension module, and in its source, of modules that it may import."""
    names: dict[str, Evidence] = {}
    with open_binary(dist.site / file.path) as (_, data):
        for find in (_from_strings, _from_compressed, _from_sources, _from_maker):
            for name, evidence in find(file, data, dist):
                names.setdefault(name, evidence)
    return tuple(names.items())


def _from_compiled(
    file: NativeFile, sources: DistributionSources, env: Environment
) -> Iterator[ImplicitImport]:
    """What the Python file imports that an extension module was compiled from."""
    python = file.path.with_name(f"{file.path.name.partition('.')[0]}.py")
    facts = next((f for f in sources.files if f.file == python), None)
    evidence = Evidence(
        kind=EvidenceKind.PYTHON_NAME, where=str(python), detail="an import statement"
    )
    for name in facts.imported if facts is not None else ():
        if env.find_module(name) is not None:
            yield included(name, "imported by the source of the compiled module", evidence)


def _from_maker(
    file: NativeFile, data: mmap.mmap, _dist: Distribution
) -> Iterator[tuple[str, Evidence]]:
    """What the extension module imports as it loads because of what it was made with."""
    evidence = Evidence(kind=EvidenceKind.C_STRING, where=str(file.path), detail=_MADE)
    for name in sorted(find_bound_imports(file, data)):
        yield name, evidence


def _from_strings(
    file: NativeFile, data: mmap.mmap, _dist: Distribution
) -> Iterator[tuple[str, Evidence]]:
    """The C strings that begin with the extension's own package, or name its mypyc group.

    Both are looked for by the text that they hold in any case: a file can have 200 MB, and `re`
    finds a literal beginning some forty times as fast as one that depends on what is before it.

    mypyc compiles the modules of a group into one library, and makes a shim of each, which imports
    that library from native code (https://mypyc.readthedocs.io/en/latest/dev_docs.html).
    """
    for found in _GROUP.finditer(data) if data.find(_MYPYC) >= 0 else ():
        where = f"{file.path} at 0x{found.start():x}"
        detail = "a C string that names the library of a mypyc group"
        yield found[0].decode(), Evidence(kind=EvidenceKind.C_STRING, where=where, detail=detail)
    top = (file.module or "").partition(".")[0]
    if not top or not top.isascii():
        return
    name = rb"%b(?:\.[A-Za-z_]\w{0,99}){1,9}(?=\0)" % re.escape(top.encode())
    for found in re.finditer(name, data):
        if found.start() and _IN_NAME.match(data, found.start() - 1):
            continue
        where = f"{file.path} at 0x{found.start():x}"
        detail = "a C string that names a module of the distribution"
        yield (
            found[0].decode("ascii"),
            Evidence(kind=EvidenceKind.C_STRING, where=where, detail=detail),
        )


def _from_compressed(
    file: NativeFile, data: mmap.mmap, dist: Distribution
) -> Iterator[tuple[str, Evidence]]:
    """The modules of `dist` whose names are in the strings that Cython has compressed.

    They follow each other without separators, and their bounds are stored elsewhere.
    """
    if data.find(_CYTHON) < 0:
        return
    own = {module_of(f) for f in dist.files if f.suffix == ".py" and len(f.parts) > 1}
    for found in _COMPRESSED.finditer(data):
        text = _decompress(data[found.start() : found.start() + _LIMIT])
        where = f"{file.path} at 0x{found.start():x}"
        detail = "in strings that Cython has compressed"
        evidence = Evidence(kind=EvidenceKind.C_STRING, where=where, detail=detail)
        names = (name for name in own if "." in name and name.encode() in text)
        yield from ((name, evidence) for name in names)


def _decompress(data: bytes) -> bytes:
    """The content of a stream at the begin of `data`, up to a bound; empty where it is none.

    zstd is left alone where this Python has no decoder for it (before 3.14).
    """
    try:
        if data.startswith(b"BZh"):
            return bz2.BZ2Decompressor().decompress(data, _LIMIT)
        if data.startswith(_ZSTD):
            zstd = importlib.import_module("compression.zstd")
            return bytes(zstd.ZstdDecompressor().decompress(data, _LIMIT))
        stream = zlib.decompressobj()
        text = stream.decompress(data, _LIMIT)
    except (OSError, EOFError, ValueError, ImportError, zlib.error):
        return b""
    except Exception as error:  # of `compression.zstd`, which not every Python has
        if type(error).__name__ != "ZstdError":
            raise
        return b""
    return text if stream.eof else b""


def _from_sources(
    file: NativeFile, _data: mmap.mmap, dist: Distribution
) -> Iterator[tuple[str, Evidence]]:
    """What the import statements of the extension's own source say, and of what that includes."""
    stem, known = file.path.name.partition(".")[0], set(dist.files)
    waiting, seen = [file.path.with_name(f"{stem}.pyx")], set[PurePosixPath]()
    while waiting:
        source = waiting.pop()
        if source in seen or source not in known:
            continue
        seen.add(source)
        text = text_of(dist.site / source)
        waiting += [_beside(source, name) for name in _INCLUDE.findall(text)]
        evidence = Evidence(
            kind=EvidenceKind.PYTHON_NAME, where=str(source), detail="an import statement"
        )
        package = ".".join(file.path.parts[:-1])  # included code is the extension's
        yield from ((name, evidence) for name in iter_imported(_COMMENT.sub("", text), package))


def _beside(source: PurePosixPath, name: str) -> PurePosixPath:
    return PurePosixPath(posixpath.normpath(source.parent / name))
