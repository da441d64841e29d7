"""What a Rust distribution needs besides its modules.

In: a distribution of the environment and its native files. Out: its `Companion` files, each with
the reason. A *Rust distribution* is one whose files hold Rust code; its *neighbours* are those that
require it or that it requires, and nothing is said of others. All is found by evidence in its own
code: a freezer follows imports, and the libraries that imported files name, and sees nothing of
what code opens by path.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
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
from rustext.model.sources import DistributionSources, SourceFacts
from rustext.plan.metadata_files import iter_metadata, own_file

# Below the prefix: https://specifications.freedesktop.org/basedir-spec/latest/,
# https://refspecs.linuxfoundation.org/FHS_3.0/fhs/ch04s11.html
_SHARED = frozenset({"share", "etc"})
_FOR_PEOPLE = frozenset({"applications", "doc", "icons", "info", "man", "metainfo"})
_PROGRAM_FOLDERS = frozenset({"bin", "Scripts"})
_SHORTEST_NATIVE_WORD = 6  # bytes; shorter names turn up in machine code by chance


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCode:
    """What a distribution's Python files say that could lead to a file."""

    patterns: tuple[re.Pattern[str], ...]  # of files' names, each from a word with a `*`
    words: frozenset[str]  # the parts of string literals that could name a file or a folder
    opened: frozenset[str]  # those in files that open what lies next to them; no package's init
    paths: frozenset[str]  # of several parts
    packages: frozenset[str]  # packages whose files are opened as resources
    locators: tuple[PurePosixPath, ...]  # files that use `__file__`
    climbers: tuple[PurePosixPath, ...]  # those of them that go up from there by `..`
    seekers: tuple[PurePosixPath, ...]  # files that ask where programs are installed
    asks_for_metadata: bool


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
    code, refused = read_own_code(sources.files), tuple(_refused(dist, sources))
    found = [*_path_loaded(files, suffixes), *iter_metadata(dist), *refused, *_programs(dist, code)]
    found += _data(dist, files, code, but={companion.destination for companion in refused})
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
    code = replace(code, words=code.words | _native_folders(dist, native))
    modules = {f for f in dist.files if f.suffix == ".py" and f.name not in code.opened}
    modules -= _scripts(dist)
    taken = {file.path for _, file in native} | modules
    opened = [(path, file) for path, file in native if file.path.name in code.opened]
    found = [*_path_loaded(opened), *_data(dist, (), code, but=taken, packages=packages)]
    found += _folders(dist, replace(code, locators=code.climbers), found) if found else ()
    found += iter_metadata(dist) if code.asks_for_metadata else ()
    return tuple(sorted(found, key=lambda c: (c.destination, c.kind.value)))


def read_own_code(files: Iterable[SourceFacts]) -> OwnCode:
    """Put together what a distribution's Python files say."""
    files = tuple(files)
    return OwnCode(
        patterns=tuple(
            map(_pattern, sorted({w for f in files for w in f.parts if _is_pattern(w)}))
        ),
        words=frozenset(word for f in files for word in f.parts),
        opened=frozenset(w for f in files if f.locates for w in f.parts) - {"__init__.py"},
        paths=frozenset(
            w.replace("\\", "/") for f in files for w in (*f.parts, *f.roots) if "/" in w
        ),
        packages=frozenset(package for f in files for package in f.data_packages),
        locators=tuple(f.file for f in files if f.uses_file),
        climbers=tuple(f.file for f in files if f.uses_file and ".." in f.parts),
        seekers=tuple(f.file for f in files if f.seeks_programs),
        asks_for_metadata=any(f.asks_for_metadata for f in files),
    )


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


def _data(
    dist: Distribution,
    native: Sequence[tuple[Path, NativeFile]],
    code: OwnCode,
    *,
    but: Collection[PurePosixPath] = (),
    packages: Collection[PurePosixPath] = (),
) -> Iterator[Companion]:
    """Data files that the distribution's own code names, or whose folder it names.

    Folders in `packages` need more than their last name.
    """
    taken = {*(file.path for _, file in native), *but}
    tops, scripts = {file.parts[0] for file in dist.files}, _scripts(dist)
    with_code = {file.parent for file in dist.files if file.suffix in {".py", ".so", ".pyd"}}
    # the stubs of `_rust.abi3.so` lie in `_rust/`
    native_modules = {
        file.with_name(file.name.partition(".")[0])
        for file in dist.files
        if file.suffix in {".so", ".pyd"}
    }
    words: dict[PurePosixPath, str | None] = {}
    for file in dist.files:
        named = file.name in code.opened and file.suffix not in {"", ".pyc"}
        named |= (
            file.suffix == ".pyi"
            and file.parent not in with_code
            and native_modules.isdisjoint(file.parents)
        )
        if file not in taken and _may_be_data(dist, file, named=named):
            if file.suffix == ".py" and file not in scripts:  # a module: its whole name alone
                whole = file.name in code.words and file.name != "__init__.py"
                words[file] = file.name if whole else None
            else:
                words[file] = _python_word(file, code, tops, packages)
    unnamed = [file.name for file, word in words.items() if word is None]
    in_native = _native_words(unnamed, [path for path, _ in native])
    for file, word in words.items():
        said = word or (file.name if file.name in in_native else None)
        if said is not None and os.path.lexists(dist.site / file):
            why = f"the distribution's own code names `{said}`"
            yield own_file(dist, file, CompanionKind.DATA, why)


def _scripts(dist: Distribution) -> set[PurePosixPath]:
    """The Python files in folders of a package that are no packages: templates, as a rule."""
    homes = {file.parent for file in dist.files if file.name == "__init__.py"}
    return {
        file
        for file in dist.files
        if file.suffix == ".py" and file.parent not in homes and not homes.isdisjoint(file.parents)
    }


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


def find_named_files(
    other: Distribution, words: Collection[str], where: str
) -> Iterator[Companion]:
    """The data files of a distribution that the code of others names in full."""
    for file in other.files:
        if file.name in words and file.suffix != ".py" and _may_be_data(other, file):
            yield own_file(other, file, CompanionKind.DATA, f"{where} names `{file.name}`")


def _may_be_data(dist: Distribution, file: PurePosixPath, *, named: bool = False) -> bool:
    """Whether a file can be data; with `named`, whatever its suffix."""
    rules = read_data("companions")
    return not (
        len(file.parts) < 2
        or ".." in file.parts
        or file.parts[0] == str(dist.metadata)
        or (file.suffix in rules["not_data_suffixes"] and not named)
        or file.name in rules["not_data_names"]
        or not set(file.parts[:-1]).isdisjoint(rules["not_data_folders"])
    )


def _python_word(
    file: PurePosixPath, code: OwnCode, tops: set[str], packages: Collection[PurePosixPath]
) -> str | None:
    """The word that names the file, or one of its folders below the package."""
    if file.name in code.words:
        return file.name
    if file.suffix not in {"", ".py"} and not code.words.isdisjoint(
        (file.suffix, f"*{file.suffix}")
    ):
        return file.suffix
    pattern = next((p for p in code.patterns if p.fullmatch(file.name)), None)
    if pattern is not None:
        return pattern.pattern.replace("[^/]*", "*").replace("\\", "")
    package = ".".join(file.parent.parts)
    if package in code.packages and "." in package:  # of a top-level one, named files alone
        return package
    words = (_folder_word(folder, code, folder in packages) for folder in file.parents)
    return next((word for word in words if word is not None and word not in tops), None)


def _is_pattern(word: str) -> bool:
    """Whether a word with a `*` says more than a suffix."""
    several = sum(map(str.isalnum, word)) > 1  # else part of a regular expression, as in "\\s*"
    return "*" in word and several and word[1:] != Path(word).suffix


def _pattern(word: str) -> re.Pattern[str]:
    return re.compile("[^/]*".join(map(re.escape, word.split("*"))))


def _folder_word(folder: PurePosixPath, code: OwnCode, package: bool) -> str | None:
    """The word, or the path of several parts, that names a folder."""
    if folder.name in code.words and not package:
        return folder.name
    ends = ("/".join(folder.parts[start:]) for start in range(len(folder.parts) - 1))
    return next((end for end in ends if end in code.paths), None)


def _native_words(names: Iterable[str], native: Iterable[Path]) -> frozenset[str]:
    """Those of the names of files that native files hold; each of these is opened once."""
    named = {name: os.fsencode(name) for name in names}
    wanted = {
        name: text
        for name, text in named.items()
        if len(text) >= _SHORTEST_NATIVE_WORD and PurePosixPath(name).suffix not in {"", ".py"}
    }
    found: set[str] = set()
    for path in native if wanted else ():
        with map_file(path) as data:
            found |= {n for n, text in wanted.items() if n not in found and data.find(text) >= 0}
    return frozenset(found)


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
        names = {n for n in inside.get(file.path.parts[:-1], ()) if len(n) >= _SHORTEST_NATIVE_WORD}
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
        if len(file.parts) > 1 and folder not in there and _may_be_data(dist, file):
            there.add(folder)
            why = f"`{file.name}` builds a path from where it lies"
            yield own_file(dist, file, CompanionKind.FOLDER, why)
