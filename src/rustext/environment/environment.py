"""The environment that a program is frozen from: what can be imported, and whose it is.

In: the folders of `sys.path` and the facts of one interpreter (this one, or another that is asked
in a child process). Out: an `Environment` that answers for any dotted name which file would be
imported and which distribution it belongs to, without importing anything. The search follows
https://docs.python.org/3/reference/import.html#the-path-based-finder and PEP 420.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rustext.data import package_text, read_data
from rustext.environment import interpreter_facts as interpreter
from rustext.environment.child_process import run_python
from rustext.environment.editable_installs import (
    EditableModules,
    find_editable,
    search_path,
)
from rustext.errors import ForeignProcessError, InvalidEnvironment, UnreadableFile
from rustext.files.cache import user_cache_folder
from rustext.model.faults import Fault, collapse

if TYPE_CHECKING:
    from rustext.environment.distributions import Distribution, Installed


_MOST_FOLDERS = 20_000  # of one source: a home folder, or a whole file system, is no program
_DEEPEST = 100  # parts of a module's name that are looked for; real names have ten


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
    source = package_text("environment/interpreter_facts.py")
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


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


class Environment:
    """The modules and distributions of one interpreter's `sys.path`.

    Everything is looked up when asked for and remembered as long as the object lives.
    """

    def __init__(self, facts: Interpreter) -> None:
        """Take the interpreter's facts; nothing is read yet."""
        self.interpreter = facts
        self._faults: list[Fault] = []
        self._listings: dict[Path, frozenset[str]] = {}
        self._modules: dict[str, Module] = {}
        self._folders: dict[str, tuple[Path, ...]] = {}  # by package
        self._names: dict[str, frozenset[str]] = {}  # by package
        self._closed: set[Path] = set()  # folders of packages that cannot be listed

    @functools.cached_property
    def sites(self) -> tuple[Path, ...]:
        """The folders of `sys.path` that are not the standard library's, in order."""
        facts = self.interpreter
        return tuple(interpreter.sites(*map(list, (facts.path, facts.stdlib, facts.prefixes))))

    @property
    def sources(self) -> tuple[Path, ...]:
        """Those of `sites` that no installer keeps: the sources of editable installs."""
        scripts = {"bin", "Scripts"}
        return tuple(
            s for s in self.sites if s.name not in scripts and not any(s.glob("*.dist-info"))
        )

    @functools.cached_property
    def editable(self) -> EditableModules:
        """What the import finders of editable installs serve."""
        return find_editable(self.sites)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The files that could not be read so far: a row for each kind in each distribution."""
        found = (*self.installed.faults, *self.editable.faults, *self._archives, *self._faults)
        return collapse(found, self.owner_of)

    @functools.cached_property
    def _archives(self) -> tuple[Fault, ...]:
        """The files on the path, such as zipped eggs, but for the one of the standard library.

        No native module can be imported from an archive, and a freezer may look into none.
        """
        own = "python{}{}.zip".format(*self.interpreter.version)
        paths = map(Path, dict.fromkeys(self.interpreter.path))
        effect = "modules in it are not found"
        return tuple(
            Fault(path=path, reason="it is a file on the search path, and no folder", effect=effect)
            for path in paths
            if path.name != own and os.path.isfile(path)  # noqa: PTH113 (never raises)
        )

    def iter_extensions(self, source: Path, *, namespaces: bool = False) -> Iterator[Path]:
        """The extension modules in the packages of a source folder.

        Namespace packages (PEP 420) count on demand: without `__init__.py`, any folder is one, and
        a source folder can hold build trees and other environments.
        """
        real = Path(os.path.realpath(source))
        todo, seen = [source], {str(real), *map(str, real.parents)}  # a link may lead back
        while todo:
            folder = todo.pop()
            if len(seen) > _MOST_FOLDERS:
                reason = f"there are more than {_MOST_FOLDERS:,} folders in it"
                self.note_fault(source, reason, "extension modules in the others are not found")
                return
            try:
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                self.note_fault(folder, reason, "extension modules in it are not found")
                continue
            for entry in entries:
                if _is_folder(entry):
                    if entry.name.isidentifier() and _is_package(entry.path, namespaces=namespaces):
                        target = os.path.realpath(entry.path)
                        todo += [] if target in seen else [Path(entry.path)]
                        seen.add(target)
                elif entry.name.endswith(self.interpreter.suffixes):
                    yield Path(entry.path)

    @functools.cached_property
    def installed(self) -> Installed:
        """The installed distributions, and what they ask of each other."""
        from rustext.environment.distributions import Installed  # noqa: PLC0415  (slow, and not always needed)

        return Installed(self.sites, self.interpreter.markers)

    @property
    def distributions(self) -> Mapping[str, Distribution]:
        """The installed distributions by canonical name; the first on the path wins."""
        return self.installed.by_name

    def note_fault(self, path: Path, reason: str, effect: str) -> None:
        """Remember a file that could not be read."""
        self._faults.append(Fault(path=path, reason=reason, effect=effect))

    def owner_of(self, path: Path) -> Distribution | None:
        """The distribution whose RECORD lists the file, or None."""
        return self.installed.owner_of(path)

    def is_required(self, name: str) -> bool:
        """Whether any installed distribution requires `name` without an extra.

        Also true of the tools that environments come with, which no program asked for.
        """
        return name in self.installed.required or name in read_data("stdlib")["seeds"]

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
        if module is None:  # absent modules are asked for often, and cheap to look up again
            module = self._find_module(name)
            if module is not None:
                self._modules[name] = module
        return module

    @property
    def top_level(self) -> frozenset[str]:
        """What the first words of names can be that `find_module` finds, and some more."""
        return self._names_in("") | frozenset(self.interpreter.builtins)

    def modules_in(self, package: str) -> tuple[str, ...]:
        """The names of the modules directly in a package, sorted; empty for what is none.

        `01_intro` is among them: code that lists files imports such names as well.
        """
        lasts = sorted(n for n in self._names_in(package) if n not in {"__init__", "__pycache__"})
        names = [f"{package}.{n}" for n in lasts if f"_{n}".isidentifier()]
        return tuple(name for name in names if self.find_module(name))

    def _find_module(self, name: str) -> Module | None:
        if name in self.interpreter.builtins:
            return Module(name=name, owner=Owner.STDLIB)
        if not all(name.split(".")):
            return None
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
        if package.count(".") > _DEEPEST:
            return frozenset()
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
    def has_closed(self) -> bool:
        """Whether any of the folders that were asked for so far could not be listed."""
        return bool(self._closed)

    @property
    def listed(self) -> tuple[Path, ...]:
        """The folders that the answers so far were made from."""
        return tuple(self._listings)

    def _list(self, folder: Path) -> frozenset[str]:
        if folder not in self._listings:
            try:
                self._listings[folder] = frozenset(os.listdir(folder))  # noqa: PTH208 (names only)
            except OSError as error:
                self._listings[folder] = frozenset()
                if isinstance(error, PermissionError) or os.path.islink(folder):  # noqa: PTH114
                    self._note_closed(folder, error)
        return self._listings[folder]

    def _note_closed(self, folder: Path, error: OSError) -> None:
        """Say that a folder of packages is closed, or that a link to one leads nowhere.

        Not where nothing is installed: a program may keep its data beside it. A link to a file is
        no such link.
        """
        kept = any(map(folder.is_relative_to, {*self.sites}.difference(self.sources)))
        if folder in self.sites or (kept and not isinstance(error, NotADirectoryError)):
            self._closed.add(folder)
            reason = (error.strerror or str(error)).lower()
            self.note_fault(folder, reason, "modules in it are not found")


def _is_package(folder: str, *, namespaces: bool) -> bool:
    if os.path.isfile(os.path.join(folder, "__init__.py")):  # noqa: PTH113, PTH118
        return True
    environment = os.path.isfile(os.path.join(folder, "pyvenv.cfg"))  # noqa: PTH113, PTH118
    return namespaces and not environment and os.path.basename(folder) != "__pycache__"  # noqa: PTH119


def this_environment() -> Environment:
    """The environment of the running interpreter, editable installs included."""
    return with_editable(this_interpreter())


def with_editable(facts: Interpreter) -> Environment:
    """An environment whose path begins with the modules that import finders serve."""
    env = Environment(facts)
    if env.editable.modules:
        try:
            path = search_path(env.editable, facts.path)
        except UnreadableFile as error:
            env.note_fault(user_cache_folder(), str(error), f"{error.hint}")
        else:
            return Environment(replace(facts, path=path))
    return env


def stdlib_environment() -> Environment:
    """The running interpreter's standard library alone."""
    return stdlib_of(this_interpreter())


def stdlib_of(facts: Interpreter) -> Environment:
    """An interpreter's standard library alone."""
    return Environment(replace(facts, path=()))


def read_environment(python: Path) -> Environment:
    """The environment of another interpreter, editable installs included."""
    return with_editable(read_interpreter(python))
