"""The environment that a program is frozen from: what can be imported, and whose it is.

In: the folders of `sys.path` and the facts of one interpreter (this one, or another that is asked
in a child process). Out: an `Environment` that answers for any dotted name which file would be
imported and which distribution it belongs to, without importing anything. The search follows
https://docs.python.org/3/reference/import.html#the-path-based-finder and PEP 420.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from rustext import interpreter
from rustext.errors import ForeignProcessError, InvalidEnvironment
from rustext.foreign import run_python


class Owner(Enum):
    """Who brings a module."""

    STDLIB = "standard library"
    DISTRIBUTION = "distribution"
    NOBODY = "no distribution"


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """An importable module; `path` is None for built-in ones and for namespace packages."""

    name: str
    owner: Owner
    distribution: str | None = None  # canonical name (PEP 503)
    path: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """An installed distribution: what its metadata says of it."""

    name: str  # canonical (PEP 503)
    version: str
    site: Path
    metadata: PurePosixPath  # the .dist-info or .egg-info folder, relative to `site`
    requires: tuple[Requirement, ...]
    files: tuple[PurePosixPath, ...]  # relative to `site`; empty without RECORD

    @property
    def sboms(self) -> tuple[PurePosixPath, ...]:
        """The software bills of materials that PEP 770 puts below `.dist-info/sboms`."""
        folder = self.metadata / "sboms"
        return tuple(f for f in self.files if f.parent == folder and f.suffix in {".json", ".xml"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """The facts of an interpreter that decide what it can import."""

    version: tuple[int, int]
    path: tuple[str, ...]  # sys.path without the script's folder
    stdlib: tuple[str, ...]  # folders of the standard library, lib-dynload among them
    builtins: tuple[str, ...]
    suffixes: tuple[str, ...]  # of extension modules, importlib.machinery.EXTENSION_SUFFIXES
    prefixes: tuple[str, ...]  # sys.prefix, sys.base_prefix
    markers: Mapping[str, str] = field(default_factory=dict)  # PEP 508


def this_interpreter() -> Interpreter:
    """The running interpreter's facts."""
    return _parse_interpreter(interpreter.describe())


def read_interpreter(python: Path) -> Interpreter:
    """Ask another interpreter for its facts, in a child process.

    Raises `InvalidEnvironment` if the file is no interpreter that can answer.
    """
    source = Path(interpreter.__file__).read_text(encoding="utf-8")
    try:
        return _parse_interpreter(json.loads(run_python(python, source)))
    except (ForeignProcessError, ValueError, TypeError, AttributeError) as error:
        raise InvalidEnvironment(
            f"{python} does not answer as a Python interpreter: {error}",
            hint="name an interpreter that runs on this machine",
        ) from error


def _parse_interpreter(raw: Mapping[str, Any]) -> Interpreter:
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in raw.items()}
    return Interpreter(**fields)


class Environment:
    """The modules and distributions of one interpreter's `sys.path`.

    Everything is looked up when asked for and remembered as long as the object lives.
    """

    def __init__(self, facts: Interpreter) -> None:
        """Take the interpreter's facts; nothing is read yet."""
        self.interpreter = facts
        self._listings: dict[Path, frozenset[str]] = {}
        self._modules: dict[str, Module] = {}
        self._folders: dict[str, tuple[Path, ...]] = {}  # by package
        self._names: dict[str, frozenset[str]] = {}  # by package

    @functools.cached_property
    def sites(self) -> tuple[Path, ...]:
        """The folders of `sys.path` that are not the standard library's, in order."""
        facts = self.interpreter
        return tuple(interpreter.sites(list(facts.path), list(facts.stdlib)))

    @functools.cached_property
    def distributions(self) -> Mapping[str, Distribution]:
        """The installed distributions by canonical name; the first on the path wins."""
        found: dict[str, Distribution] = {}
        for site in self.sites:
            for dist in iter_distributions(site):
                found.setdefault(dist.name, dist)
        return found

    @functools.cached_property
    def _owners(self) -> Mapping[Path, str]:
        return {
            dist.site / file: dist.name
            for dist in reversed(tuple(self.distributions.values()))
            for file in dist.files
        }

    def owner_of(self, path: Path) -> Distribution | None:
        """The distribution whose RECORD lists the file, or None."""
        name = self._owners.get(path)
        return self.distributions[name] if name is not None else None

    def site_of(self, path: Path) -> Path | None:
        """The folder of `sys.path` that `path` is imported from: the innermost that holds it."""
        return max(
            (site for site in self.sites if path.is_relative_to(site)),
            key=lambda site: len(site.parts),
            default=None,
        )

    def find_module(self, name: str) -> Module | None:
        """What `import name` would find, or None; nothing is imported."""
        module = self._modules.get(name)
        if module is None:  # what is not there is asked for too often to be kept, and cheap
            module = self._find_module(name)
            if module is not None:
                self._modules[name] = module
        return module

    @property
    def top_level(self) -> frozenset[str]:
        """What the first words of names can be that `find_module` finds, and some more."""
        return self._names_in("") | frozenset(self.interpreter.builtins)

    def modules_in(self, package: str) -> tuple[str, ...]:
        """The names of the modules directly in a package, sorted; empty for what is none."""
        lasts = sorted(n for n in self._names_in(package) if n.isidentifier() and n != "__init__")
        return tuple(f"{package}.{n}" for n in lasts if self.find_module(f"{package}.{n}"))

    def _find_module(self, name: str) -> Module | None:
        if name in self.interpreter.builtins:
            return Module(name=name, owner=Owner.STDLIB)
        package, _, last = name.rpartition(".")
        if last not in self._names_in(package):
            return None
        return self._find_in(self._folders_of(package), name, last)

    def _folders_of(self, package: str) -> tuple[Path, ...]:
        """Where the modules of a package are looked for; those of "" are top-level modules."""
        if package not in self._folders:
            outer, _, last = package.rpartition(".")
            if not package:
                found = (*map(Path, self.interpreter.stdlib), *self.sites)
            elif last in self._names_in(outer):
                found = self._package_folders(self._folders_of(outer), last)
            else:
                found = ()
            self._folders[package] = found
        return self._folders[package]

    def _names_in(self, package: str) -> frozenset[str]:
        """What the names of a package's modules can be: few of the names that are asked for."""
        if package not in self._names:
            folders = self._folders_of(package)
            entries = (entry for folder in folders for entry in self._list(folder))
            self._names[package] = frozenset(entry.partition(".")[0] for entry in entries)
        return self._names[package]

    def _find_in(self, folders: Iterable[Path], name: str, last: str) -> Module | None:
        namespace = None
        for folder in folders:
            listing = self._list(folder)
            if last in listing:
                package = self._first(folder / last, "__init__")
                if package is not None:
                    return self._own(name, package)
                if self._list(folder / last):
                    namespace = namespace or Module(name=name, owner=Owner.NOBODY)
            module = self._first(folder, last)
            if module is not None:
                return self._own(name, module)
        return namespace

    def _first(self, folder: Path, stem: str) -> Path | None:
        """The file that the path-based finder takes for `stem` in a folder, by its suffixes."""
        listing = self._list(folder)
        suffixes = (*self.interpreter.suffixes, ".py", ".pyc")
        return next((folder / f"{stem}{s}" for s in suffixes if f"{stem}{s}" in listing), None)

    def _package_folders(self, folders: Iterable[Path], package: str) -> tuple[Path, ...]:
        portions = []
        for folder in folders:
            inner = self._list(folder / package) if package in self._list(folder) else frozenset()
            if self._first(folder / package, "__init__") is not None:
                return (folder / package,)
            if self._first(folder, package) is not None:  # a module: it has no submodules
                return ()
            if inner:
                portions.append(folder / package)
        return tuple(portions)

    def _own(self, name: str, path: Path) -> Module:
        if self.site_of(path) is not None:
            dist = self.owner_of(path)
            if dist is None:
                return Module(name=name, owner=Owner.NOBODY, path=path)
            return Module(name=name, owner=Owner.DISTRIBUTION, distribution=dist.name, path=path)
        return Module(name=name, owner=Owner.STDLIB, path=path)

    @property
    def listed(self) -> tuple[Path, ...]:
        """The folders that the answers so far were made from."""
        return tuple(self._listings)

    def _list(self, folder: Path) -> frozenset[str]:
        if folder not in self._listings:
            try:
                self._listings[folder] = frozenset(os.listdir(folder))  # noqa: PTH208 (names only)
            except OSError:
                self._listings[folder] = frozenset()
        return self._listings[folder]

    def requirements_of(self, name: str) -> frozenset[str]:
        """The canonical names of all that `name` requires here, directly or not.

        PEP 508 markers are evaluated for this interpreter; extras count where somebody asks for
        them in a requirement.
        """
        seen: set[tuple[str, frozenset[str]]] = set()
        todo: list[tuple[str, frozenset[str]]] = [(canonicalize_name(name), frozenset())]
        while todo:
            item = todo.pop()
            if item in seen:
                continue
            seen.add(item)
            dist = self.distributions.get(item[0])
            todo += self._direct(dist, item[1]) if dist is not None else ()
        return frozenset(n for n, _ in seen) - {canonicalize_name(name)}

    def _direct(
        self, dist: Distribution, extras: frozenset[str]
    ) -> list[tuple[str, frozenset[str]]]:
        return [
            (canonicalize_name(r.name), frozenset(r.extras))
            for r in dist.requires
            if any(self._applies(r, extra) for extra in extras or {""})
        ]

    def _applies(self, requirement: Requirement, extra: str) -> bool:
        try:
            return requirement.marker is None or requirement.marker.evaluate(
                {**self.interpreter.markers, "extra": extra}
            )
        except (UndefinedComparison, UndefinedEnvironmentName):  # no installer can follow it
            return False

    def is_required(self, name: str) -> bool:
        """Whether any installed distribution requires `name` without an extra."""
        return name in self._required

    @functools.cached_property
    def _required(self) -> frozenset[str]:
        return frozenset(
            name
            for dist in self.distributions.values()
            for name, _ in self._direct(dist, frozenset())
        )


def this_environment() -> Environment:
    """The environment of the running interpreter."""
    return Environment(this_interpreter())


def stdlib_environment() -> Environment:
    """The running interpreter's standard library alone."""
    return stdlib_of(this_interpreter())


def stdlib_of(facts: Interpreter) -> Environment:
    """An interpreter's standard library alone."""
    return Environment(replace(facts, path=()))


def read_environment(python: Path) -> Environment:
    """The environment of another interpreter."""
    return Environment(read_interpreter(python))


def iter_distributions(site: Path) -> Iterator[Distribution]:
    """The distributions installed in one folder.

    Metadata that has no name, or that cannot be read as text, is passed over.
    """
    for raw in metadata.distributions(path=[str(site)]):
        with contextlib.suppress(UnicodeDecodeError, csv.Error):
            dist = _read_distribution(raw, site)
            if dist is not None:
                yield dist


def _read_distribution(raw: metadata.Distribution, site: Path) -> Distribution | None:
    fields = raw.metadata
    folder = getattr(raw, "_path", None)  # no public way to it before Python 3.13's `origin`
    if not fields or not fields["Name"] or folder is None:
        return None
    return Distribution(
        name=canonicalize_name(fields["Name"]),
        version=fields["Version"] or "",
        site=site,
        metadata=PurePosixPath(Path(folder).name),
        requires=tuple(_iter_requirements(raw.requires or ())),
        files=tuple(_iter_record(raw.read_text("RECORD") or "")),
    )


def _iter_record(text: str) -> Iterator[PurePosixPath]:
    """The paths of a RECORD; `importlib.metadata.files` costs ten times as much."""
    return (PurePosixPath(row[0]) for row in csv.reader(text.splitlines()) if row and row[0])


def _iter_requirements(lines: Iterable[str]) -> Iterable[Requirement]:
    for line in lines:
        try:
            yield Requirement(line)
        except InvalidRequirement:  # old metadata; pip ignores what it cannot read as well
            continue
