"""What a native file says of modules that can be imported: strings, and the rules of its crates.

In: a native file, and an environment or another way to tell which names count. Out: its `Clues`:
strings whose text, or whose text completed, can be imported there, and crate rules. Following code
is by far the most of what a plan takes; for builds, the answer is cached for as long as the file,
what can be imported from the folders that were looked into, and rustext itself stay as they are.

So a first build with PyInstaller opens a Rust file twice: the process that writes the hooks reads
what each native file of the environment is, and cannot ask for clues, as it does not know which of
the files the program uses. All of them would take nine times as long
(`benchmarks/results/build_reads.md`).
"""

from __future__ import annotations

import functools
import hashlib
import json
import mmap
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rustext.environment.environment import Environment, Module
from rustext.files.cache import Cache, Listing, Row, identify, is_current, open_cache
from rustext.files.codec import from_plain, to_plain
from rustext.formats.binary import located, map_file
from rustext.imports.crate_rules import iter_crate_rules, known_rules
from rustext.imports.strings.name_filter import WantedNames
from rustext.model.crate_rule import CrateRule
from rustext.model.evidence import EvidenceKind, StringRef
from rustext.model.image import Image
from rustext.model.native_file import NativeFile

_CAPSULE_ATTRIBUTES = 2  # dotted parts of a capsule's name that are no modules


@dataclass(frozen=True, slots=True, kw_only=True)
class Clues:
    """The strings that name modules, and the crate rules that speak of the file."""

    strings: tuple[StringRef, ...] = ()
    rules: tuple[tuple[CrateRule, str], ...] = ()  # of data/crates.toml, with the evidence
    below: tuple[str, ...] | None = None  # names below the module's own; None if nobody has asked


Find = Callable[[Image, mmap.mmap], Iterable[StringRef]]


def read_clues(path: Path, file: NativeFile, find: Find) -> Clues:
    """Read a file's clues, as `clues_in`; raises `InvalidBinary` or `UnreadableFile`."""
    with map_file(path) as data:
        return clues_in(data, file, find)


def clues_in(data: mmap.mmap, file: NativeFile, find: Find) -> Clues:
    """The clues in a file's bytes, the strings of each image with `find`.

    There are none where the file is not linked to Python's import. Raises `InvalidBinary`.
    """
    if not can_import(data):
        return Clues()
    strings = tuple(ref for image in file.binary.images for ref in find(image, data))
    return Clues(strings=strings, rules=tuple(iter_crate_rules(file, data, known_rules())))


def can_import(data: mmap.mmap) -> bool:
    """Whether a file is linked to Python's import functions, or looks them up by name."""
    return data.find(b"PyImport") >= 0 or data.find(b"PyCapsule_Import") >= 0


def find_clues(
    path: Path, file: NativeFile, env: Environment, *, below: str | None = None
) -> Clues:
    """A file's clues for one environment; raises `InvalidBinary` or `UnreadableFile`.

    With the name of a module in `below`, the names below it that the file holds as well.
    """
    from rustext.imports.strings.format_strings import iter_beginnings  # noqa: PLC0415
    from rustext.imports.strings.name_refs import iter_strings  # noqa: PLC0415  (a cached answer needs none of it)

    def importable(name: str) -> bool:
        return find_named(name, env) is not None

    def find(image: Image, data: mmap.mmap) -> Iterator[StringRef]:
        yield from iter_strings(image, data, wanted)
        yield from complete_names(iter_beginnings(image, data, importable), file, env)

    wanted = WantedNames(importable, env.top_level)
    with located(path), map_file(path) as data:
        clues = clues_in(data, file, find)
        return clues if below is None else replace(clues, below=_find_below(below, file, data))


def find_below(module: str, path: Path, file: NativeFile) -> tuple[str, ...]:
    """The names below a module that its file holds as strings, sorted; raises as `find_clues`."""
    with located(path), map_file(path) as data:
        return _find_below(module, file, data)


def _find_below(module: str, file: NativeFile, data: mmap.mmap) -> tuple[str, ...]:
    """The same in the file's bytes.

    Where a string could end in several places, it ends in the first: rustc puts others behind it.
    """
    from rustext.imports.strings.name_refs import iter_strings  # noqa: PLC0415  (as above)

    prefix = f"{module}."
    wanted = WantedNames(lambda name: name.startswith(prefix), (module.partition(".")[0],))
    shortest: dict[tuple[int, int], str] = {}
    images = enumerate(file.binary.images) if data.find(prefix.encode()) >= 0 else ()
    for number, image in images:
        for ref in iter_strings(image, data, wanted):
            if ref.kind is not EvidenceKind.LOOSE_STRING:
                known = shortest.setdefault((number, ref.offset), ref.text)
                shortest[number, ref.offset] = min(known, ref.text, key=len)
    return tuple(sorted(set(shortest.values())))


class KeptClues:
    """Answers for one environment, out of the cache where they still hold."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._digests: dict[str, str] = {}

    def find(self, path: Path, file: NativeFile, *, below: str | None = None) -> Clues:
        """As `find_clues`; `path` is the file's own."""
        known, made = self._cache.read(path), repr(file.provenance)
        if known is not None and is_current(known, Path(path.anchor)):
            answer = json.loads(known.rows[0].text)
            folders = answer["folders"].items()
            if answer["made"] == made and all(self._digest(f) == digest for f, digest in folders):
                clues: Clues = from_plain(Clues, answer["clues"])
                if below is None or clues.below is not None:
                    return clues
        identity = identify(path)
        found = find_clues(path, file, self._env, below=below)
        if identity is not None and not self._env.has_closed:  # each run has to say that
            listed = {str(folder): self._digest(str(folder)) for folder in self._env.listed}
            answer = {"folders": listed, "made": made, "clues": to_plain(found)}
            row = Row(path=path.name, owner="", text=json.dumps(answer))
            files = {str(path.relative_to(path.anchor)): identity}
            self._cache.write(path, Listing(folders={}, files=files, rows=[row]))
        return found

    @functools.cached_property
    def _cache(self) -> Cache:
        facts = repr(self._env.interpreter).encode("utf-8", "surrogateescape")
        return open_cache("clues", hashlib.sha256(facts).hexdigest()[:32])

    def _digest(self, folder: str) -> str:
        """What can be imported from a folder.

        The time of its last change would not do: as a rule a program is frozen in its own folder,
        which then gets `build` and `dist`.
        """
        if folder not in self._digests:
            suffixes = (*self._env.interpreter.suffixes, ".py", ".pyc", ".dist-info", ".egg-info")
            try:
                found = os.listdir(folder)  # noqa: PTH208 (names only)
            except OSError:
                found = []
            named = (n for n in found if "." not in n or n.endswith(suffixes))
            text = repr(sorted(n for n in named if n != "__pycache__"))
            digest = hashlib.sha256(text.encode("utf-8", "surrogateescape"))
            self._digests[folder] = digest.hexdigest()[:32]
        return self._digests[folder]


def find_named(name: str, env: Environment) -> Module | None:
    """The module that an import by this name finds: itself, or the one that a capsule is in.

    A capsule's name ends in attributes: `datetime.datetime_CAPI`, `polars.polars._allocator`
    (https://docs.python.org/3/c-api/capsule.html#c.PyCapsule_Import).
    """
    module = env.find_module(name)
    for _ in range(_CAPSULE_ATTRIBUTES):
        if module is not None or "." not in name:
            break
        name = name.rpartition(".")[0]
        module = env.find_module(name)
    return module


def is_own(module: Module, file: NativeFile) -> bool:
    """Whether a module is of the same distribution, or package, as a native file."""
    owner = module.distribution
    return owner == file.distribution and bool(owner or _share_package(module.name, file.module))


def complete_names(
    beginnings: Iterable[StringRef], file: NativeFile, env: Environment
) -> Iterator[StringRef]:
    """The modules that a name could become which native code completes at run time.

    Each of `beginnings` ends in a dot; only packages of the file's own distribution count, for
    what is in those, their own code can ask for.
    """
    for ref in beginnings:
        package = env.find_module(ref.text[:-1])
        if package is not None and is_own(package, file):
            detail = f"completes `{ref.text}`, found {ref.detail}"
            for name in env.modules_in(package.name):
                yield replace(ref, text=name, detail=detail)


def _share_package(name: str, module: str | None) -> bool:
    return module is not None and name.partition(".")[0] == module.partition(".")[0]
