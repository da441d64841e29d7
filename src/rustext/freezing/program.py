"""What a program's own sources name, and which of them are read while it runs.

In: the scripts of a program, and its environment. Out: the modules that the sources import by
computed names, or name as class paths (`"package.module.Class"` in a configuration of logging, a
framework's settings), and the source files themselves as companions. Only files that the scripts'
own import statements reach are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from rustext.discovery.source_facts import read_sources
from rustext.environment.distributions import Distribution
from rustext.environment.environment import Environment, Owner
from rustext.errors import RustextError
from rustext.freezing.script_imports import iter_imports, iter_program
from rustext.imports.dynamic_imports import find_named_imports, find_started
from rustext.imports.verdicts import find_named
from rustext.model.evidence import Evidence, EvidenceKind
from rustext.model.plan import Companion, CompanionKind, ImplicitImport, Verdict
from rustext.model.sources import DistributionSources


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """The sources of a program, apart from what is installed."""

    imports: tuple[ImplicitImport, ...]
    starts_python: tuple[str, ...]  # file and how, as in the facts of its sources
    files: tuple[tuple[Path, PurePosixPath], ...]  # with their places in the bundle

    def sources(self, reader: str) -> tuple[Companion, ...]:
        """The files as companions, for code of the distribution `reader` that reads them."""
        reason = f"{reader} reads the source of what the program hands to it"
        return tuple(
            Companion(path=path, destination=place, kind=CompanionKind.DATA, reason=reason)
            for path, place in self.files
        )


def read_program(scripts: Iterable[Path], env: Environment) -> Program:
    """Read the sources of a program; a script that cannot be read says nothing."""
    imports: dict[str, ImplicitImport] = {}
    files: dict[Path, PurePosixPath] = {}
    starts: set[str] = set()
    for script in scripts:
        folder = script.parent
        path = tuple(dict.fromkeys((str(folder), *env.interpreter.path)))
        local = Environment(replace(env.interpreter, path=path))
        own = {p: PurePosixPath(p.relative_to(folder).as_posix()) for p in _own(script, local)}
        files |= own
        dist = Distribution(
            name="",
            version="",
            site=folder,
            metadata=PurePosixPath(),
            requires=(),
            files=tuple(own.values()),
        )
        sources = read_sources(dist, settings=True)
        starts |= {f"{f.file}: {how}" for f in sources.files for how in f.starts_python}
        imports |= {i.module: i for i in _iter_named(sources, dist, local)}
    return Program(
        imports=tuple(imports[name] for name in sorted(imports)),
        starts_python=tuple(sorted(starts)),
        files=tuple(files.items()),
    )


def _own(script: Path, env: Environment) -> Iterator[Path]:
    """The script, and the modules in its folder that its import statements reach."""
    yield script
    seen: set[str] = set()
    try:
        waiting = list(iter_program(script, env))
    except RustextError:
        return
    while waiting:
        name = waiting.pop()
        module = env.find_module(name) if name not in seen else None
        seen.add(name)
        if module is not None and module.owner is Owner.NOBODY:
            waiting += iter_imports(module, env)
            path = module.path
            if path is not None and path.suffix == ".py" and path.is_relative_to(script.parent):
                yield path


def _iter_named(
    sources: DistributionSources, dist: Distribution, env: Environment
) -> Iterator[ImplicitImport]:
    paths = (
        (name, Evidence(kind=EvidenceKind.PYTHON_NAME, where=str(facts.file), detail=f'"{name}"'))
        for facts in sources.files
        for name in facts.names
        if (module := find_named(name, env)) is not None and module.distribution is not None
    )
    named = (*find_named_imports(sources, dist, env), *paths, *find_started(sources, env))
    for name, evidence in named:
        module = find_named(name, env)
        if module is not None:
            yield ImplicitImport(
                module=module.name,
                verdict=Verdict.INCLUDE,
                reason="named in the program's own code",
                evidence=(evidence,),
            )
