"""What a program's own sources name, and which of them are read while it runs.

In: the scripts of a program, and its environment. Out: the modules that the sources import by
computed names, or name as class paths (`"package.module.Class"` in a configuration of logging, a
framework's settings), and the source files themselves as companions. Only files that the scripts'
own import statements reach are read.
"""

from __future__ import annotations

import ast
import contextlib
import os
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from rustext.discovery.handed_sources import iter_used
from rustext.discovery.settings_files import (
    find_settings,
    is_object,
    iter_module_words,
    iter_setting_names,
)
from rustext.discovery.source_facts import is_used, module_of, read_sources
from rustext.environment.distributions import Distribution
from rustext.environment.environment import Environment, Owner
from rustext.environment.python_source import parse_source
from rustext.errors import RustextError
from rustext.files.untrusted import SOURCE_LIMIT, read_start
from rustext.freezing.opened_scripts import iter_opened_scripts
from rustext.freezing.script_imports import iter_imports, iter_program
from rustext.imports.clues import find_named
from rustext.imports.dynamic_imports import find_named_imports, find_started
from rustext.imports.plugins import find_plugin_distributions, find_plugin_modules
from rustext.model.evidence import Evidence, EvidenceKind
from rustext.model.plan import Companion, CompanionKind, ImplicitImport, included
from rustext.model.sources import HOLE, DistributionSources, SourceFacts
from rustext.plan.companions import iter_readable
from rustext.plan.data_files import find_named_files
from rustext.plan.metadata_files import find_asked_metadata, iter_metadata
from rustext.plan.read_sources import find_read_sources

_NAMED = "named in the program's own code"
_NO_NAMES = frozenset({"__init__", "__main__"})  # for an import: the last is the program itself
_INSTALLED = frozenset({Owner.DISTRIBUTION})


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """The sources of a program, apart from what is installed."""

    imports: tuple[ImplicitImport, ...]
    starts_python: tuple[str, ...]  # file and how, as in the facts of its sources
    files: tuple[tuple[Path, PurePosixPath], ...]  # with their places in the bundle
    used: frozenset[tuple[str, str]]  # names that it has from modules, as `iter_used` tells them
    companions: tuple[Companion, ...] = ()  # what its code asks for of installed distributions
    names: tuple[tuple[str, str], ...] = ()  # files, and dotted literals and settings in them
    folders: tuple[Path, ...] = ()  # of its scripts
    opened: tuple[Companion, ...] = ()  # its own files among the companions

    def completed_by(self, facts: SourceFacts, env: Environment) -> Iterator[ImplicitImport]:
        """What code imports that puts one of its own literals before a name of the program's.

        Code with the beginnings `("package.parts.", "")` takes the setting `fast.Reader` for
        `package.parts.fast.Reader`. Of a package of the program's own, it may mean each module.
        """
        for beginning in sorted(_completed(facts)):
            for name in self._own_below(beginning):
                detail = f'"{beginning}" is a package of the program'
                evidence = Evidence(
                    kind=EvidenceKind.PYTHON_NAME, where=str(facts.file), detail=detail
                )
                yield included(name, _NAMED, evidence)
        for beginning in facts.beginnings:
            package = env.find_module(beginning.rstrip("."))
            for file, name in self.names if package is not None else ():
                module = find_named(f"{beginning}{name}", env)
                if module is not None and module.name.startswith(beginning):
                    detail = f'"{name}", which `{facts.file}` completes with "{beginning}"'
                    evidence = Evidence(kind=EvidenceKind.PYTHON_NAME, where=file, detail=detail)
                    yield included(module.name, _NAMED, evidence)

    def _own_below(self, beginning: str) -> Iterator[str]:
        """The modules in a package of the program's own, whose name ends in a dot."""
        parts = beginning.rstrip(".").split(".")
        for folder in self.folders:
            files: list[Path] = []
            with contextlib.suppress(OSError):
                found = sorted(folder.joinpath(*parts).glob("*.py"))
                files = [path for path in found if path.is_file()]
            for name in (path.stem for path in files if path.stem.isidentifier()):
                if is_used(PurePosixPath(*parts, f"{name}.py")):
                    yield ".".join(parts if name == "__init__" else (*parts, name))

    def why_read(self, facts: SourceFacts) -> str | None:
        """Why a module of the program cannot do without the program's own source; None if it can.

        The program has to use the function or class itself that reads what it is handed. What runs
        the program's file again counts where the program imports a package that it is in, and not
        its whole distribution alone.
        """
        for taker in facts.takes_sources:
            name, _, method = taker.partition(".")
            if name in self._names_from(facts) and (not method or ("", method) in self.used):
                return f"`{taker}` of `{facts.file}` reads the source of what the program gives it"
        if facts.runs_main:
            package = ".".join(facts.file.parts[:-1])
            modules = {m for m, _ in self.used} | {f"{m}.{name}" for m, name in self.used}
            if any(m == package or ("." in m and package.startswith(f"{m}.")) for m in modules):
                return f"`{facts.file}` runs the file of the program again"
        return None

    def may_be_read(self, facts: SourceFacts) -> tuple[str, ...]:
        """What reads the source of objects in a package that the program itself imports from."""
        module = module_of(facts.file)
        takers = (f"{module}.{name}" for name in facts.takes_sources if "._" not in f".{name}")
        found = (*takers, *((module,) if facts.runs_main else ()))
        return found if self._names_from(facts) and self.why_read(facts) is None else ()

    def _names_from(self, facts: SourceFacts) -> frozenset[str]:
        """The names that the program has from the top-level package of a file."""
        top = facts.file.parts[0].removesuffix(".py")
        return frozenset(name for module, name in self.used if module.partition(".")[0] == top)

    def sources(self, reason: str) -> tuple[Companion, ...]:
        """The files as companions, for code that reads them for such a reason."""
        return tuple(
            Companion(path=path, destination=place, kind=CompanionKind.DATA, reason=reason)
            for path, place in self.files
        )


def _completed(facts: SourceFacts) -> frozenset[str]:
    """The beginnings, each with its last dot, of the names that code completes and imports.

    A name that begins with a dot is relative to the package of the code, none of the program's.
    """
    names = {n for site in facts.sites for n in site.names} | {call.name for call in facts.calls}
    found = (name.removesuffix(HOLE) for name in names if name.endswith(f".{HOLE}"))
    return frozenset(name for name in found if HOLE not in name and not name.startswith("."))


def read_program(scripts: Iterable[Path], env: Environment) -> Program:
    """Read the sources of a program; a script that cannot be read says nothing."""
    imports: dict[str, ImplicitImport] = {}
    files: dict[Path, PurePosixPath] = {}
    starts: set[str] = set()
    companions: list[Companion] = []
    own_files: list[Companion] = []
    literals: set[tuple[str, str]] = set()
    for script in scripts:
        folder = script.parent
        path = tuple(dict.fromkeys((str(folder), *env.interpreter.path)))
        local = Environment(replace(env.interpreter, path=path))
        settings = find_settings(folder)
        reached, named, opened = _reach(script, settings, local)
        dist, sources = _read(folder, reached, settings)
        own = {path: PurePosixPath(path.relative_to(folder).as_posix()) for path in reached}
        files |= own
        companions += (*_iter_companions(sources, local), *opened)
        own_files += opened
        starts |= {f"{f.file}: {how}" for f in sources.files for how in f.starts_python}
        words = {word for facts in sources.files for word in facts.parts}
        tops = {place.parts[0].removesuffix(".py") for place in own.values()}
        found = iter_setting_names(
            folder, {*settings, *_iter_named_files(sources, folder)}, words, tops
        )
        names = [(file, name) for file, listed in found for name in listed]
        set_modules = [(file, name) for name, file in iter_module_words(folder, dist.files, words)]
        imports |= {i.module: i for i in _iter_named(sources, dist, local, names, set_modules)}
        imports |= {name: included(name, _NAMED, evidence) for name, evidence in named.items()}
        literals |= {(str(facts.file), name) for facts in sources.files for name in facts.names}
        literals |= {(str(file), name) for file, name in names}
    return Program(
        imports=tuple(imports[name] for name in sorted(imports)),
        starts_python=tuple(sorted(starts)),
        files=tuple(files.items()),
        used=frozenset(iter_used(_iter_trees(files))),
        names=tuple(sorted(literals)),
        companions=tuple(iter_readable(companions, env.note_fault)),
        folders=tuple(dict.fromkeys(script.parent for script in scripts)),
        opened=tuple(own_files),
    )


def _iter_companions(sources: DistributionSources, env: Environment) -> Iterator[Companion]:
    """The metadata that a program asks for, and the files of packages that it names.

    A file is taken under its whole name alone.
    """
    for dist in find_plugin_distributions(sources, env):
        yield from iter_metadata(dist, "the program asks for entry points")
    yield from find_asked_metadata(sources.files, env)
    yield from find_read_sources(sources, env)
    for facts in sources.files:
        for package in facts.data_packages:
            module = env.find_module(package)
            owner = env.distributions.get(module.distribution or "") if module else None
            if owner is not None:
                yield from find_named_files(owner, frozenset(facts.parts), str(facts.file))


def _iter_named_files(sources: DistributionSources, folder: Path) -> Iterator[PurePosixPath]:
    """The files that a source names, next to itself or to the script."""
    for facts in sources.files:
        for word in facts.parts:
            places = {facts.file.parent / word, PurePosixPath(word)} if "." in word else set()
            yield from (p for p in places if os.path.isfile(folder / p))  # noqa: PTH113 (never raises)


def _iter_trees(files: Iterable[Path]) -> Iterator[ast.Module]:
    for file in files:
        with contextlib.suppress(OSError, SyntaxError):
            yield parse_source(read_start(file, SOURCE_LIMIT))


def _read(
    folder: Path, own: Iterable[Path], settings: Iterable[PurePosixPath]
) -> tuple[Distribution, DistributionSources]:
    """A program's files as a distribution, and what its sources say."""
    dist = Distribution(
        name="",
        version="",
        site=folder,
        metadata=PurePosixPath(),
        requires=(),
        files=(*(PurePosixPath(p.relative_to(folder).as_posix()) for p in own), *settings),
    )
    return dist, read_sources(dist, settings=True)


def _reach(
    script: Path, settings: Iterable[PurePosixPath], env: Environment
) -> tuple[dict[Path, None], dict[str, Evidence], list[Companion]]:
    """The files of a program, and those of its modules that nothing but literals or settings name.

    The last are files that are run by their paths, each once. What is reached is read once,
    however many steps lead to it.
    """
    named: dict[str, Evidence] = {}
    opened: dict[Path, Companion] = {}
    seen: set[str] = set()
    try:
        names = [*iter_program(script, env)]
    except RustextError:
        return {script: None}, {}, []
    fresh = {script: None, **dict.fromkeys(_own(names, script.parent, env, seen))}
    reached = dict(fresh)
    while fresh:
        dist, sources = _read(script.parent, fresh, settings)
        late = dict(_iter_late(script, dist, sources, env, reached))
        for companion, evidence in _iter_run(fresh, script.parent, reached):
            if opened.setdefault(companion.path, companion) is not companion:
                continue
            name = module_of(companion.destination)
            module = env.find_module(name) if name not in _NO_NAMES else None
            if module is not None and module.path == companion.path:  # for what it imports
                late.setdefault(module.name, evidence)
        named = {**late, **named}
        own = _own(late, script.parent, env, seen)
        fresh = {path: None for path in own if path not in reached}
        reached |= fresh
    return reached, named, [*opened.values()]


def _iter_run(
    files: Iterable[Path], folder: Path, reached: Container[Path]
) -> Iterator[tuple[Companion, Evidence]]:
    """The files of a program that `files` of it name by their paths, but those that it imports."""
    for file, path in iter_opened_scripts(files, folder):
        if path not in reached:
            place = PurePosixPath(path.relative_to(folder).as_posix())
            where = file.relative_to(folder).as_posix()
            reason = f"`{where}` names `{place}` by its path"
            evidence = Evidence(kind=EvidenceKind.PYTHON_NAME, where=where, detail=f'"{place}"')
            kind = CompanionKind.DATA
            yield Companion(path=path, destination=place, kind=kind, reason=reason), evidence


def _iter_late(
    script: Path,
    dist: Distribution,
    sources: DistributionSources,
    env: Environment,
    reached: Container[Path],
) -> Iterator[tuple[str, Evidence]]:
    """The program's own modules that only literals name, or settings: for something to import.

    `include=["tasks"]`, `"server:app"` and `"shop.orders"` in its code, or `module: plugin` in a
    configuration file that the code names. Those in files that are `reached` are none of them.
    """
    there: set[str] = set()
    with contextlib.suppress(OSError):
        there = {entry.name.partition(".")[0] for entry in script.parent.iterdir()}
    literals = ((name, f.file) for f in sources.files for name in f.names)
    words = {word for facts in sources.files for word in facts.parts}
    found = iter_setting_names(dist.site, dist.files, words)
    settings = ((name, file) for file, names in found for name in names)
    for name, file in (*literals, *settings, *iter_module_words(dist.site, dist.files, words)):
        module = find_named(name, env) if name.partition(".")[0] in there else None
        if module is None or module.path is None or module.owner is not Owner.NOBODY:
            continue
        whole = "." in module.name or "." not in name  # `config.json` is no module
        if whole and module.path not in reached and _is_own(module.path, script.parent):
            detail = f'"{name}" names a module of the program'
            evidence = Evidence(kind=EvidenceKind.PYTHON_NAME, where=str(file), detail=detail)
            yield module.name, evidence


def _is_own(path: Path, folder: Path) -> bool:
    """Whether a file is a Python source in the program's folder."""
    return path.suffix == ".py" and path.is_relative_to(folder)


def _own(names: Iterable[str], folder: Path, env: Environment, seen: set[str]) -> Iterator[Path]:
    """The modules in the program's folder that import statements reach from `names` on.

    Those that were `seen` are not followed again.
    """
    waiting = [*names]
    while waiting:
        name = waiting.pop()
        module = env.find_module(name) if name not in seen else None
        seen.add(name)
        if module is not None and module.owner is Owner.NOBODY:
            waiting += [name.rpartition(".")[0]] if "." in name else []
            waiting += iter_imports(module, env)
            if module.path is not None and _is_own(module.path, folder):
                yield module.path


def _iter_named(
    sources: DistributionSources,
    dist: Distribution,
    env: Environment,
    settings: Iterable[tuple[PurePosixPath, str]],
    set_modules: Iterable[tuple[PurePosixPath, str]],
) -> Iterator[ImplicitImport]:
    literals = ((facts.file, name) for facts in sources.files for name in facts.names)
    written = (*literals, *set_modules)
    paths = (
        (name, Evidence(kind=EvidenceKind.PYTHON_NAME, where=str(file), detail=f'"{name}"'))
        for names, owners in ((written, _INSTALLED), (settings, {*_INSTALLED, Owner.NOBODY}))
        for file, name in names
        if (module := find_named(name, env)) is not None and module.owner in owners
        if module.name == name or "." in module.name or is_object(name)
    )
    named = (*find_named_imports(sources, dist, env), *paths, *find_started(sources, env))
    yield from find_plugin_modules(sources, dist, env)
    for name, evidence in named:
        module = find_named(name, env)
        if module is not None:
            yield included(module.name, _NAMED, evidence)
