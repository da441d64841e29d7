"""The data files of a distribution: those that its code names, and what is small.

In: a distribution of the environment, what its Python files say, and its native files. Out: data as
companions, each with the word that leads to it.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rustext.data import read_data
from rustext.environment.distributions import Distribution
from rustext.errors import UnreadableFile
from rustext.formats.binary import is_native, map_file
from rustext.model.native_file import NativeFile
from rustext.model.plan import Companion, CompanionKind
from rustext.model.sources import SourceFacts
from rustext.plan.metadata_files import own_file

SHORTEST_NATIVE_WORD = 6  # bytes; shorter names turn up in machine code by chance
_TOP = 2  # parts of the path of a top-level package's `__init__.py`
_SHOWN = 4 << 20  # bytes; what may lie in a folder that is shown to others, to come along
_SMALL = 256 * 1024  # bytes; what a distribution's other data may have, to come along unnamed


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
    shown: Mapping[PurePosixPath, str]  # inner packages that tell others their folder, by what
    seekers: tuple[PurePosixPath, ...]  # files that ask where programs are installed
    asks_for_metadata: bool


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
        shown={
            f.file.parent: f.shown_folder
            for f in files
            if f.shown_folder and f.file.name == "__init__.py" and len(f.file.parts) > _TOP
        },
        seekers=tuple(f.file for f in files if f.seeks_programs),
        asks_for_metadata=any(f.asks_for_metadata for f in files),
    )


def find_data(
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
    tops, scripts = {file.parts[0] for file in dist.files}, loose_scripts(dist)
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
        if file not in taken and may_be_data(dist, file, named=named):
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
    settled = {f for f, w in words.items() if w is not None or f.name in in_native} | taken
    for folder, constant in code.shown.items():
        inside = sorted(set(_iter_inside(dist, folder)) - settled)
        settled.update(inside)
        yield from _if_small(dist, inside, _SHOWN, f"`{constant}` tells others its folder")
    # Names are made from what a user asks for (a theme, a language), and other packages open files
    # too. A file too few can break a program; a file too many costs a few kilobytes.
    others = (f for f in words if f in scripts or (f.suffix != ".py" and may_be_data(dist, f)))
    rest = [file for file in others if file not in settled]
    yield from _if_small(dist, rest, _SMALL, "the rest of its data is small")


def _iter_inside(dist: Distribution, folder: PurePosixPath) -> Iterator[PurePosixPath]:
    """What is no Python in a folder that is data, also in what would hold tests elsewhere."""
    no_data = {".py", *read_data("companions")["not_data_suffixes"]}
    for file in dist.files:
        if file.suffix not in no_data and file.is_relative_to(folder):
            yield file


def _if_small(
    dist: Distribution, files: Iterable[PurePosixPath], room: int, why: str
) -> Iterator[Companion]:
    """Data that no word leads to, where all of it has `room`; nothing native."""
    rest = []
    for file in files:
        with contextlib.suppress(OSError, UnreadableFile):
            if is_native(dist.site / file):
                continue
            room -= (dist.site / file).stat().st_size
            if room < 0:
                return
            rest.append(file)
    for file in rest:
        yield own_file(dist, file, CompanionKind.DATA, why)


def loose_scripts(dist: Distribution) -> set[PurePosixPath]:
    """The Python files in folders of a package that are no packages: templates, as a rule."""
    homes = {file.parent for file in dist.files if file.name == "__init__.py"}
    return {
        file
        for file in dist.files
        if file.suffix == ".py" and file.parent not in homes and not homes.isdisjoint(file.parents)
    }


def find_named_files(
    other: Distribution, words: Collection[str], where: str
) -> Iterator[Companion]:
    """The data files of a distribution that the code of others names in full."""
    for file in other.files:
        if file.name in words and file.suffix != ".py" and may_be_data(other, file):
            yield own_file(other, file, CompanionKind.DATA, f"{where} names `{file.name}`")


def may_be_data(dist: Distribution, file: PurePosixPath, *, named: bool = False) -> bool:
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
        if len(text) >= SHORTEST_NATIVE_WORD and PurePosixPath(name).suffix not in {"", ".py"}
    }
    found: set[str] = set()
    for path in native if wanted else ():
        with map_file(path) as data:
            found |= {n for n, text in wanted.items() if n not in found and data.find(text) >= 0}
    return frozenset(found)
