"""What a Rust distribution needs besides its modules.

In: a distribution of the environment and its native files. Out: its `Companion` files, each with
the reason. A *Rust distribution* is one whose files hold Rust code; its *neighbours* are those that
require it or that it requires, and nothing is said of others. All is found by evidence in its own
code: a freezer follows imports, and the libraries that imported files name, and sees nothing of
what code opens by path.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from rustext.data import read_data
from rustext.discovery.module_names import working_name
from rustext.discovery.source_facts import used_files
from rustext.environment.distributions import Distribution
from rustext.files.untrusted import find_obstacle
from rustext.formats.binary import is_native, map_file
from rustext.model.faults import NoteFault
from rustext.model.image import ImageKind
from rustext.model.native_file import NativeFile
from rustext.model.plan import Companion, CompanionKind
from rustext.model.sources import DistributionSources
from rustext.plan.data_files import (
    SHORTEST_NATIVE_WORD,
    OwnCode,
    find_data,
    find_named_files,
    loose_scripts,
    may_be_data,
    read_own_code,
)
from rustext.plan.metadata_files import iter_metadata, own_file

# Below the prefix: https://specifications.freedesktop.org/basedir-spec/latest/,
# https://refspecs.linuxfoundation.org/FHS_3.0/fhs/ch04s11.html
_SHARED = frozenset({"share", "etc"})
_FOR_PEOPLE = frozenset({"applications", "doc", "icons", "info", "man", "metainfo"})
_PROGRAM_FOLDERS = frozenset({"bin", "Scripts"})


def find_companions(
    sources: DistributionSources,
    dist: Distribution,
    native: Iterable[tuple[Path, NativeFile]],
    suffixes: Sequence[str] = (),
    *,
    others: Iterable[Distribution] = (),
) -> tuple[Companion, ...]:
    """The companions of one Rust distribution, sorted by destination.

    `native` holds the distribution's native files with their paths on this machine, `suffixes`
    what the interpreter looks for: a module under a name that it never looks for gets one that
    it does. `others` are distributions that it imports by a computed name: the files of theirs
    that its code names come along.
    """
    files = list(native)
    code, refused = _with_themes(dist, read_own_code(sources.files)), tuple(_refused(dist, sources))
    found = [*_path_loaded(files, suffixes), *iter_metadata(dist), *refused, *_programs(dist, code)]
    found += find_data(dist, files, code, but={companion.destination for companion in refused})
    where = "the code that imports its package"
    found += (c for other in others for c in find_named_files(other, code.words, where))
    found += _folders(dist, code, found)
    return tuple(sorted(found, key=lambda c: (c.destination, c.kind.value)))


def find_neighbour_companions(
    sources: DistributionSources, dist: Distribution, native: Iterable[tuple[Path, NativeFile]]
) -> tuple[Companion, ...]:
    """The companions of a neighbour of Rust distributions, sorted by destination.

    Its native files are its freezer's business, but for those that its code opens by their names.
    What its Python code opens and asks for is not seen by a freezer either, and the Rust
    distribution is of no use without.
    """
    code = read_own_code(used_files(sources))
    return _without_native(dist, native, code)


def find_distant_companions(
    sources: DistributionSources, dist: Distribution, native: Iterable[tuple[Path, NativeFile]]
) -> tuple[Companion, ...]:
    """The companions of any other distribution of the program, sorted by destination.

    These are the files that code opens next to itself: only words of files that find the folder
    that they are in count, packages whose files are asked for as resources, and folders with a file
    that any code names from a package on, as frameworks do: `"pkg/page.html"` for
    `pkg/templates/pkg/page.html`. A word that is the name of a package need not mean its files.
    """
    files = used_files(sources)
    code = read_own_code(f for f in files if f.locates)
    asks = any(f.asks_for_metadata for f in files)
    strict = {file.parent for file in dist.files if file.name == "__init__.py"}
    roots = frozenset(root for f in files for root in f.roots)
    code = replace(code, asks_for_metadata=asks, paths=code.paths | roots)
    return _without_native(dist, native, code, strict)


def _without_native(
    dist: Distribution,
    native: Iterable[tuple[Path, NativeFile]],
    code: OwnCode,
    packages: Collection[PurePosixPath] = (),
) -> tuple[Companion, ...]:
    native = tuple(native)
    code = _with_themes(dist, replace(code, words=code.words | _native_folders(dist, native)))
    modules = {f for f in dist.files if f.suffix == ".py" and f.name not in code.opened}
    modules -= loose_scripts(dist)
    taken = {file.path for _, file in native} | modules
    opened = [(path, file) for path, file in native if file.path.name in code.opened]
    found = [*_path_loaded(opened), *find_data(dist, (), code, but=taken, packages=packages)]
    found += _folders(dist, replace(code, locators=code.climbers), found) if found else ()
    found += iter_metadata(dist) if code.asks_for_metadata else ()
    return tuple(sorted(found, key=lambda c: (c.destination, c.kind.value)))


def _with_themes(dist: Distribution, code: OwnCode) -> OwnCode:
    """With the packages without modules that an entry point names: what is in them is data.

    Whoever looks for a theme or a set of templates takes the folder of such a package.
    """
    named = {module.replace(".", "/") for _, module in dist.entry_points}
    inits = {f.parent for f in dist.files if f.name == "__init__.py" and str(f.parent) in named}
    modules = [f for f in dist.files if inits and f.suffix == ".py" and f.name != "__init__.py"]
    themes = (t for t in inits if not any(m.is_relative_to(t) for m in modules))
    return replace(code, paths=code.paths | {str(folder) for folder in themes})


def _refused(dist: Distribution, sources: DistributionSources) -> Iterator[Companion]:
    """The sources that this Python cannot compile, where the distribution's code counts on that."""
    for facts in sources.files:
        if facts.refused:
            why = "this Python cannot compile it, and the code that imports it counts on that"
            yield own_file(dist, facts.file, CompanionKind.DATA, why)


def _path_loaded(
    native: Sequence[tuple[Path, NativeFile]], suffixes: Sequence[str] = ()
) -> Iterator[Companion]:
    """Native files that no import statement reaches keep their place next to the package.

    Python code opens them by path (ctypes, uniffi, cffi, a plugin) or starts them as a process.
    """
    for path, file in native:
        if file.module is None and len(file.path.parts) > 1 and ".." not in file.path.parts:
            program = file.binary.image.kind is ImageKind.EXECUTABLE
            name = working_name(path.name, file.binary.images, suffixes) if suffixes else None
            misnamed = name is not None and not path.with_name(name).exists()
            yield Companion(
                path=path,
                destination=file.path.with_name(str(name)) if misnamed else file.path,
                kind=CompanionKind.EXECUTABLE if program else CompanionKind.LIBRARY,
                reason=f"this Python never looks for `{path.name}`"
                if misnamed
                else file.explanation,
            )


def _programs(dist: Distribution, code: OwnCode) -> Iterator[Companion]:
    """The programs that the distribution installed next to Python, and that its code looks for.

    The prefix of a frozen program is the folder of its modules.
    """
    outside = (f for f in dist.files if ".." in f.parts and f.parent.name in _PROGRAM_FOLDERS)
    for file in outside if code.seekers else ():
        path = Path(os.path.normpath(dist.site / file))
        if path.is_file() and is_native(path):  # others are scripts that start the interpreter
            yield Companion(
                path=path,
                destination=PurePosixPath(file.parent.name, file.name),
                kind=CompanionKind.EXECUTABLE,
                reason=f"`{code.seekers[0].name}` asks where programs are installed",
            )


def iter_readable(companions: Iterable[Companion], note_fault: NoteFault) -> Iterator[Companion]:
    """Those that a freezer can copy: it would end at another. Faults are noted."""
    for companion in companions:
        is_folder = companion.kind is CompanionKind.FOLDER
        obstacle = "" if is_folder else find_obstacle(companion.path)
        if not obstacle:
            yield companion
        elif os.path.lexists(companion.path) and not os.path.isdir(companion.path):  # noqa: PTH112
            note_fault(companion.path, obstacle, "it is not added")


def find_shared_files(dist: Distribution) -> Iterator[Companion]:
    """The data that a distribution has installed below the prefix, outside of `site-packages`.

    The prefix of a frozen program is the folder of its modules.
    """
    for file in dist.files:
        inside = tuple(part for part in file.parts if part != "..")
        outside = file.parts[0] == ".." and len(inside) > 1
        if outside and inside[0] in _SHARED and inside[1] not in _FOR_PEOPLE:
            path = Path(os.path.normpath(dist.site / file))
            if path.is_file():
                yield Companion(
                    path=path,
                    destination=PurePosixPath(*inside),
                    kind=CompanionKind.DATA,
                    reason="code looks for files below `sys.prefix`",
                )


def _native_folders(
    dist: Distribution, native: Iterable[tuple[Path, NativeFile]]
) -> frozenset[str]:
    """The folders without code beside extension modules that find them by their own `__file__`.

    Code that was compiled from Python, as by Cython, has both words as C strings.
    """
    coded = {f.parts[:-1] for f in dist.files if f.suffix in {".py", ".so", ".pyd"}}
    folders = {f.parts[:end] for f in dist.files for end in range(2, len(f.parts))} - coded
    inside: dict[tuple[str, ...], set[str]] = {}
    for folder in folders:
        inside.setdefault(folder[:-1], set()).add(folder[-1])
    found: set[str] = set()
    for path, file in native if inside else ():
        names = {n for n in inside.get(file.path.parts[:-1], ()) if len(n) >= SHORTEST_NATIVE_WORD}
        if file.module is not None and names - found:
            with map_file(path) as data:
                finds = data.find(b"\0__file__\0") >= 0
                found |= {n for n in names if finds and data.find(b"\0%b\0" % n.encode()) >= 0}
    return frozenset(found)


def _folders(dist: Distribution, code: OwnCode, others: Sequence[Companion]) -> Iterator[Companion]:
    """Folders that code reaches by `__file__`: a path through one that is missing leads nowhere.

    Both freezers keep Python modules inside an archive, so a package that holds nothing else has
    no folder. Each comes with the file that looks from there.
    """
    there = {parent for other in others for parent in other.destination.parents}
    groups = read_data("companions")["freezer_groups"]
    # A package of its own, or a module; the top-level package is a program's as well.
    hooks = {
        PurePosixPath(module.replace(".", "/"))
        for group, module in dist.entry_points
        if group in groups and "." in module
    }
    for file in code.locators:
        folder = file.parent
        if not hooks.isdisjoint((file.with_suffix(""), *file.parents)):
            continue  # a freezer calls it, and no program
        if len(file.parts) > 1 and folder not in there and may_be_data(dist, file):
            there.add(folder)
            why = f"`{file.name}` builds a path from where it lies"
            yield own_file(dist, file, CompanionKind.FOLDER, why)
