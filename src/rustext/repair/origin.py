"""The environment that a bundle was made from: which files it has for what the bundle lacks.

In: an `Environment`, a configuration and a `Bundle`. Out: a plan for the modules that the bundle
holds, and the files of modules, libraries and companions. Nothing is imported.
"""

from __future__ import annotations

import ast
import functools
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from rustext.config import Config
from rustext.data import read_data
from rustext.discovery.extension_suffixes import split_suffix
from rustext.environment.environment import Environment, Module
from rustext.errors import InvalidEnvironment, RustextError
from rustext.formats.binary import is_native, read_linkage
from rustext.freezing.build import Build, follow_modules
from rustext.freezing.script_imports import iter_imports
from rustext.freezing.session import make_plan
from rustext.model.evidence import Evidence, EvidenceKind
from rustext.model.image import Format, Image
from rustext.model.plan import SEEN, BuildPlan, Companion, CompanionKind, ImplicitImport, included
from rustext.model.verification import BundlePython
from rustext.plan.planner import Planner
from rustext.repair.versions import Versions, read_source
from rustext.verify.subject import Subject

_TOLD = SEEN | {EvidenceKind.CONFIGURED, EvidenceKind.PLUGIN}
# Files of metadata that installers alone read.
_INSTALLERS = frozenset({"INSTALLER", "RECORD", "REQUESTED", "WHEEL", "direct_url.json"})
# What extensions are built from, and with.
_BUILT = frozenset(".c .cc .cpp .cuh .f .f90 .h .hpp .hxx .pc .pxd .pxi .pyx .rs .build".split())
# Where an interpreter has libraries of its own, by its prefix; the last two on Windows.
_OWN_LIBRARIES = ("lib/lib*", "*.dll", "DLLs/*.dll")


class Origin:
    """What an environment offers to the bundle that was made from it."""

    def __init__(self, env: Environment, config: Config) -> None:
        """Nothing is read until it is asked for."""
        self.env = env
        self._config = config
        self._reached: dict[str, tuple[str, ...]] = {}  # what modules import; reading takes time

    def check(self, python: BundlePython | None) -> None:
        """Raise `InvalidEnvironment` where the bundle was made by another Python."""
        version = self.env.interpreter.version
        if python is not None and version != python.version:
            raise InvalidEnvironment(
                f"the environment is of Python {version[0]}.{version[1]}, and the bundle holds "
                f"Python {python.name}",
                hint="name the interpreter of the environment that the bundle was made from",
            )

    def plan(self, subject: Subject, versions: Versions) -> BuildPlan:
        """What a freezer that asks rustext would have added to the modules of the bundle.

        Of distributions that the bundle has in another version, nothing is planned.
        """
        bundle, build, env = subject.bundle, self._build(), self.env
        held = sorted(bundle.modules)
        wanted: list[str] = []
        for name in held:
            module = env.find_module(name)
            if module is None or module.path is None or not env.site_of(module.path):
                continue
            if versions.why_not(module.path) is None:
                try:
                    wanted += [i.module for i in build.enter(name, module.path)]
                except RustextError:
                    continue  # what cannot be read adds nothing; verification speaks of it
        follow_modules(build, wanted, held=held)
        plan, needed = make_plan(build), self._needed(subject)
        extensions = (e for e in plan.extensions if not self._is_other(e.module, versions))
        ours = self._owners(held)
        ours |= {name for dist in ours for name in env.installed.requirements_of(dist)}
        modules = tuple(
            i
            for i in plan.modules
            if (is_told(i) or (speaks_for(i, bundle.modules) and self._owners([i.module]) <= ours))
            and not self._is_other(i.module, versions)
        )
        modules += tuple(self._siblings(bundle.modules, {i.module for i in modules}, versions))
        # Of distributions that the program has nothing of, and does not need, no files come along.
        present = self._owners({*held, *(i.module for i in modules)})
        lost = self._owners(i.module for i in plan.modules) - present
        companions = (c for c in plan.companions if versions.why_not(c.path) is None and needed(c))
        return replace(
            plan,
            extensions=tuple(extensions),
            modules=modules,
            companions=tuple(c for c in companions if self._owner(c.path) not in lost),
        )

    def _siblings(
        self, held: frozenset[str], planned: Collection[str], versions: Versions
    ) -> Iterator[ImplicitImport]:
        """What modules of the program cannot be imported without, and their own package has."""
        lacking: dict[str, bool] = {}
        found = set(planned)
        for module in filter(None, map(self.env.find_module, sorted(held))):
            path, top = module.path, module.name.partition(".")[0]
            if module.distribution is None or path is None or path.suffix != ".py":
                continue
            package = path.name == "__init__.py"
            own = module.name if package else module.name.rpartition(".")[0]
            if own not in lacking:
                lacking[own] = not held.issuperset(self.env.modules_in(own))
            if not lacking[own] or versions.why_not(path) is not None:
                continue
            for name in iter_unconditional(path, own):
                other = self.env.find_module(name) if name.partition(".")[0] == top else None
                if other is None or other.path is None or name in held or name in found:
                    continue
                if name.rpartition(".")[0] in held and other.distribution == module.distribution:
                    found.add(name)
                    where = f"{module.name.replace('.', '/')}{'/__init__' * package}.py"
                    evidence = Evidence(
                        kind=EvidenceKind.PYTHON_NAME, where=where, detail="an import statement"
                    )
                    yield included(name, "a module of the program imports it", evidence)

    def _owners(self, names: Iterable[str]) -> set[str]:
        found = filter(None, map(self.env.find_module, names))
        return {module.distribution for module in found if module.distribution is not None}

    def _owner(self, path: Path) -> str | None:
        dist = self.env.owner_of(path)
        return dist.name if dist is not None else None

    def _is_other(self, name: str | None, versions: Versions) -> bool:
        module = self.env.find_module(name) if name is not None else None
        path = module.path if module is not None else None
        return path is not None and versions.why_not(path) is not None

    def _needed(self, subject: Subject) -> Callable[[Companion], bool]:
        """Which files may be of use to the program, as far as its start could be followed.

        The tools that environments come with are of use where the start imports them.
        """
        starts, held = subject.starts, subject.bundle.modules
        reached = {n for s in starts for n in (*s.reached, *s.intact, *s.tried)}
        idle = set(read_data("stdlib")["seeds"]) - self._owners(reached)

        def is_needed(companion: Companion) -> bool:
            if self._owner(companion.path) in idle:
                return False
            if companion.kind is not CompanionKind.DATA:
                return True
            folder = ".".join(companion.destination.parent.parts)
            package = self.env.find_module(folder) if folder else None
            absent = package is not None and package.path is not None and folder not in held
            return may_be_opened(companion.destination, held, reached, absent=absent)

        return is_needed if starts and all(s.followed for s in starts) else lambda _: True

    def closure(self, name: str, held: frozenset[str]) -> Iterator[Module]:
        """The modules with files that have to come along with one, itself and its packages first.

        What is imported below these and is `held` already is not followed.
        """
        parts, never = name.split("."), set(read_data("stdlib")["never"])
        todo = [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
        build = self._build()
        seen: set[str] = set()
        while todo:
            current = todo.pop(0)
            if current in seen or (current in held and current != name):
                continue
            seen.add(current)
            module = self.env.find_module(current)
            if module is None or current.partition(".")[0] in never:
                continue
            if module.path is not None:
                yield module
                if module.name not in self._reached:
                    self._reached[module.name] = tuple(sorted(_reached(build, module)))
                todo += self._reached[module.name]

    def _build(self) -> Build:
        return Build(Planner(self.env, self._config))

    def file_at(self, place: PurePosixPath) -> Path | None:
        """The file that has the place of a bundle's in the environment: below `site-packages`."""
        found = (site / place for site in self.env.sites)
        return next((path for path in found if path.is_file()), None)

    def find_library(self, name: str, image: Image) -> tuple[Path, PurePosixPath] | None:
        """A library by its file name that fits a process, and its place in the environment."""
        for path, place in self._libraries.get(name.lower(), ()):
            if is_called(path.name, name, image) and fits(path, image):
                return path, place
        return None

    @functools.cached_property
    def _libraries(self) -> dict[str, list[tuple[Path, PurePosixPath]]]:
        found: dict[str, list[tuple[Path, PurePosixPath]]] = {}
        for dist in self.env.distributions.values():
            for file in dist.files:
                if ".." not in file.parts:
                    found.setdefault(file.name.lower(), []).append((dist.site / file, file))
        for prefix, pattern in itertools.product(self.env.interpreter.prefixes, _OWN_LIBRARIES):
            for path in Path(prefix).glob(pattern):
                found.setdefault(path.name.lower(), []).append((path, PurePosixPath(path.name)))
        return found


def iter_unconditional(source: Path, package: str) -> Iterator[str]:
    """What a module imports on being imported, whatever the case, and what these may be in turn."""
    for node in read_source(source)[1]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            parents = parts[: len(parts) - node.level + 1] if node.level else []
            name = ".".join([*parents, *([node.module] if node.module else [])])
            yield name
            yield from (f"{name}.{alias.name}" for alias in node.names)


def is_told(implicit: ImplicitImport) -> bool:
    """Whether the user, a run, or a list of plug-ins says that a module is imported."""
    return any(evidence.kind in _TOLD for evidence in implicit.evidence)


def speaks_for(implicit: ImplicitImport, held: Collection[str]) -> bool:
    """Whether a file of the program says that a module is imported.

    A plan follows what it adds, and files of that tell of further modules; these may stay outside.
    """
    tops = (e.where.partition(" ")[0].partition("/")[0] for e in implicit.evidence)
    return any(split_suffix(top)[0].removesuffix(".py") in held for top in tops)


def may_be_opened(
    place: PurePosixPath, held: Collection[str], reached: Collection[str], *, absent: bool = False
) -> bool:
    """Whether a program may open a data file: its code names more files than it opens.

    `held` are the program's modules and `reached` those that its start may import; `absent` says
    that the file's folder is a package of which the program has nothing. Of what is not reached,
    data alone may be opened later, and neither the sources of modules nor what extensions are built
    from. Files in a folder `include` are for compilers, and some of a `.dist-info` for installers.
    """
    if place.parent.name.endswith(".dist-info") and place.name in _INSTALLERS:
        return False
    folders = (".".join(folder.parts) for folder in place.parents if folder.parts)
    package = next((name for name in folders if name in held), None)
    unused = absent or (package is not None and package not in reached)
    if place.suffix in _BUILT:
        return not (unused or "include" in place.parts)
    return not (unused and place.suffix == ".py")


def _reached(build: Build, module: Module) -> Iterator[str]:
    yield from iter_imports(module, build.planner.env, stdlib=True)
    try:
        yield from (i.module for i in build.enter(module.name, module.path))
    except RustextError:
        return


def is_called(file: str, name: str, image: Image) -> bool:
    """Whether a loader takes a file for a library of this name: Windows in any case of letters."""
    return file == name or (image.format is Format.PE and file.lower() == name.lower())


def fits(path: Path, image: Image) -> bool:
    """Whether a file can be read, and is for the process of `image` where it is a native one."""
    try:
        if not is_native(path):
            return path.suffix in {".py", ".pyc"} or ".so" not in path.name
        images = read_linkage(path).images
    except RustextError:
        return False
    return any((i.format, i.architecture) == (image.format, image.architecture) for i in images)
