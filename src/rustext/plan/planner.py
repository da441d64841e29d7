"""Plan what a freezer must add for a program's Rust extensions.

In: an environment and a project's configuration. Out: for each native file an `ExtensionPlan`, for
each Rust distribution, and for the neighbours that it works with, its companions. The adapters ask
as modules enter the build, so that only what a program uses is ever read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePath, PurePosixPath

from rustext.config import Config, Scope
from rustext.discovery.catalogue import Catalogue, SourceCatalogue
from rustext.discovery.source_facts import module_of
from rustext.environment.distributions import Distribution
from rustext.environment.environment import Environment, Owner
from rustext.imports.clues import KeptClues, find_below
from rustext.imports.cython_imports import find_own_imports
from rustext.imports.dynamic_imports import (
    Named,
    borrowed_importers,
    find_named_imports,
    find_started,
    find_unfollowed,
    importers_of,
)
from rustext.imports.plugins import find_plugin_distributions, find_plugin_modules
from rustext.imports.runtime_submodules import find_runtime_modules
from rustext.imports.verdicts import find_file_imports, is_in_every_bundle, is_too_large
from rustext.loaders.resolver import Resolver
from rustext.loaders.rules import Loader
from rustext.model.evidence import Evidence, EvidenceKind
from rustext.model.libraries import LibraryGraph
from rustext.model.native_file import NativeFile
from rustext.model.plan import Companion, ExtensionPlan, ImplicitImport, Unfollowed, included
from rustext.model.sources import SourceFacts
from rustext.plan.companions import (
    find_companions,
    find_distant_companions,
    find_neighbour_companions,
    find_shared_files,
    iter_readable,
)
from rustext.plan.destinations import iter_warnings
from rustext.plan.metadata_files import find_asked_metadata, find_plugin_metadata
from rustext.plan.read_sources import find_all_read, find_listed_files, find_loaded_imports
from rustext.plan.warnings import file_warnings
from rustext.tracing.probe import Probe, probe

_QUOTED = re.compile(r'"[^"]*"')
_MANY = 8  # modules that one call in Python code asks for
_SHALLOW = 5  # parts of a program's path: `../../../bin/program`


class Planner:
    """Plans for one environment; remembers what it has read for as long as it lives."""

    def __init__(
        self,
        env: Environment,
        config: Config,
        *,
        loader: Loader | None = None,
        python: Path | None = None,
        keep: bool = False,
    ) -> None:
        """`python` is the environment's interpreter: with it, each module is imported once.

        With `keep`, facts about binaries are cached on disk for the next run.
        """
        self.env = env
        self.config = config
        self.catalogue = Catalogue(env, keep=keep)
        version = env.interpreter.version
        self.sources = SourceCatalogue(env.note_fault, keep=keep, version=version)
        self._python = python
        self._kept = KeptClues(env) if keep else None
        self._loader = loader or Loader()
        self._resolver = Resolver(loader=self._loader, read=self.catalogue.read_linkage)
        self._companions: dict[str, tuple[Companion, ...]] = {}
        self._named: dict[str, tuple[tuple[str, Evidence], ...]] = {}
        self._plugins: dict[str, tuple[ImplicitImport, ...]] = {}
        self._listings: dict[str, frozenset[tuple[str, str]]] = {}  # file and call
        self._speaking: dict[tuple[str, str, bool], tuple[ImplicitImport, ...]] = {}
        self._facts: dict[str, dict[Path, SourceFacts]] = {}
        self._any_rust: bool | None = None

    def for_environment(self, env: Environment) -> Planner:
        """A planner that differs in its environment alone."""
        return Planner(
            env,
            self.config,
            loader=self._loader,
            python=self._python,
            keep=self._kept is not None,
        )

    def plan_extension(self, path: Path) -> ExtensionPlan | None:
        """The plan for one file of the environment; None if it is none of rustext's.

        Raises `InvalidBinary` or `UnreadableFile` if the file cannot be read as a native file.
        """
        file = self.catalogue.read_file(path)
        if self.covers(file):
            return self.plan_file(path, file)
        dist = self.env.owner_of(path)
        if dist is None or not self.looks_after(dist):
            return None
        return self._plan_other(path, file, dist)

    def covers(self, file: NativeFile) -> bool:
        """Whether rustext looks after the file: if it holds Rust code, or by configuration."""
        return file.provenance.rust or self.config.scope is Scope.NATIVE

    def plan_file(self, path: Path, file: NativeFile) -> ExtensionPlan:
        """The plan for a native file that discovery has described."""
        probed = self._probe(file)
        dist = self.env.distributions.get(file.distribution) if file.distribution else None
        named = self._named_imports(dist) if dist is not None else ()
        observed = (*(probed.evidence if probed is not None else ()), *named)
        imports = find_file_imports(
            path, file, self.env, self.config, observed=observed, kept=self._kept
        )
        libraries = self._resolver.resolve(path)
        companions = self._companions_of(dist) if dist is not None else ()
        siblings = self.catalogue.native_files(dist) if dist is not None else ()
        site = self.env.site_of(path)
        moved = iter_warnings(file, libraries, site, siblings=siblings, companions=companions)
        return ExtensionPlan(
            file=file,
            path=path,
            imports=imports,
            libraries=libraries,
            companions=companions,
            warnings=(
                *file_warnings(file, libraries, self.env),
                *(f"{finding.message}; {finding.hint}" for finding in moved),
                *(probed.warnings if probed is not None else ()),
            ),
        )

    def _plan_other(self, path: Path, file: NativeFile, dist: Distribution) -> ExtensionPlan | None:
        """The plan for a native file without Rust: what it imports of its own, and no more."""
        keep = self._kept is not None
        imports = find_own_imports(file, self.sources.read(dist), dist, self.env, keep=keep)
        graph = LibraryGraph(root=path, edges=())
        made = ExtensionPlan(file=file, path=path, imports=imports, libraries=graph)
        return made if imports else None

    def _named_imports(self, dist: Distribution) -> tuple[tuple[str, Evidence], ...]:
        """What a distribution's Python code imports by names that no freezer can read."""
        if dist.name not in self._named:
            sources = self.sources.read(dist)
            importers = [b for b in sorted(borrowed_importers(sources)) if self._imports(*b)]
            self._named[dist.name] = find_named_imports(
                sources, dist, self.env, importers=importers
            )
        return self._named[dist.name]

    def _imports(self, origin: str, function: str) -> bool:
        """Whether a function of another distribution imports what its first argument names."""
        module = self.env.find_module(origin)
        owner = module.distribution if module is not None else None
        dist = self.env.distributions.get(owner) if owner else None
        return dist is not None and function in importers_of(self.sources.read(dist))

    def _named_distributions(self, dist: Distribution) -> Iterator[Distribution]:
        """The other distributions that a distribution's Python code imports in such a way."""
        modules = (self.env.find_module(name) for name, _ in self._named_imports(dist))
        owners = {m.distribution for m in modules if m is not None and m.distribution}
        return (self.env.distributions[name] for name in sorted(owners - {dist.name}))

    def _probe(self, file: NativeFile) -> Probe | None:
        return probe(file, self._python, self.env.sites) if self._python is not None else None

    def companions_for(self, path: Path) -> tuple[Companion, ...]:
        """The companions of the distribution of `path`, if it or a neighbour of it holds Rust."""
        dist = self.env.owner_of(path)
        return self._companions_of(dist) if dist is not None else ()

    def plugin_modules_for(
        self, path: Path, *, everything: bool = False
    ) -> tuple[ImplicitImport, ...]:
        """What the distribution that `path` belongs to finds by looking around, or by names.

        The names are those that its Python code imports and that not every freezer can read, as far
        as that code is below the same top-level name as `path`: of a distribution's packages, a
        program need not have all. A neighbour of Rust distributions brings only these. Where one
        call asks for many modules, they count with the file that it is in, or with `everything`.
        """
        dist = self.env.owner_of(path)
        if dist is None:
            return ()
        found = self._plugins_of(dist)
        own = PurePosixPath(path.relative_to(dist.site).as_posix())
        many = self._listings[dist.name] if not everything else frozenset()
        lists = any(where == str(own) for where, _ in many)
        key = (dist.name, str(own) if lists else _top_of(own), everything)
        if key not in self._speaking:
            self._speaking[key] = tuple(
                i for i in found if any(_speaks_in(e, own, many) for e in i.evidence)
            )
        return self._speaking[key]

    def runtime_modules(self, module: str, path: Path) -> tuple[str, ...]:
        """The modules that an extension makes as it loads.

        Raises `InvalidBinary` or `UnreadableFile`.
        """
        dist = self.env.owner_of(path)
        sources = self.sources.read(dist) if dist is not None else None

        def names_in_binary() -> Iterable[str]:
            file = self.catalogue.read_file(path)
            if self._kept is None:
                return find_below(module, path, file)
            return self._kept.find(path, file, below=module).below or ()

        return find_runtime_modules(module, sources, self.env, names_in_binary)

    def listers_for(self, path: Path) -> tuple[str, ...]:
        """The modules of the distribution of `path` that count only where they enter themselves.

        They ask for many others by one call, or complete the names that a program's settings hold,
        or read the source of what it gives them.
        """
        dist = self.env.owner_of(path)
        if dist is None or not self.looks_after(dist):
            return ()
        self._plugins_of(dist)
        files = {PurePosixPath(where) for where, _ in self._listings[dist.name]}
        used = self.sources.used(dist)
        files |= {f.file for f in used if f.takes_sources or f.runs_main or f.beginnings}
        return tuple(sorted(map(module_of, files)))

    def _own(self, dist: Distribution, named: Iterable[Named]) -> Iterator[Named]:
        """Those of the names that are modules of the distribution."""
        for name, evidence in named:
            module = self.env.find_module(name)
            if module is not None and module.distribution == dist.name:
                yield name, evidence

    def starts_python(self, path: Path) -> bool:
        """Whether code of the distribution of `path` starts Python as another process."""
        dist = self.env.owner_of(path)
        if dist is None or not self.looks_after(dist):
            return False
        return any(f.starts_python for f in self.sources.used(dist))

    def facts_of(self, path: Path) -> SourceFacts | None:
        """What the source of a distribution's module says, if rustext looks after it."""
        dist = self.env.owner_of(path)
        if dist is None or not self.looks_after(dist):
            return None
        if dist.name not in self._facts:
            self._facts[dist.name] = {dist.site / f.file: f for f in self.sources.used(dist)}
        return self._facts[dist.name].get(path)

    def unfollowed_in(self, path: Path) -> tuple[Unfollowed, ...]:
        """The places in the package of `path` that import names which no source tells."""
        dist = self.env.owner_of(path)
        if dist is None or not self.looks_after(dist):
            return ()
        top = _top_of(path.relative_to(dist.site))
        return tuple(
            Unfollowed(module=module, function=function, distribution=dist.name)
            for module, function in find_unfollowed(self.sources.read(dist))
            if module.partition(".")[0] == top
        )

    def _plugins_of(self, dist: Distribution) -> tuple[ImplicitImport, ...]:
        if dist.name not in self._plugins:
            found: Iterable[ImplicitImport] = ()
            if self.looks_after(dist):
                native = self.catalogue.native_files(dist) if self.catalogue.is_rust(dist) else ()
                files = (file for _, file in native)
                around = self._required_by(dist)
                listed = find_plugin_modules(self.sources.read(dist), dist, self.env, files, around)
                started = self._own(dist, find_started(self.sources.read(dist), self.env))
                loaded = find_loaded_imports(self.sources.read(dist), dist, self.env)
                named = (*self._named_imports(dist), *started, *loaded)
                found = (*listed, *self._iter_named(dist, named))
            self._plugins[dist.name] = tuple(found)
            asked = Counter(
                (e.where, e.detail) for i in self._plugins[dist.name] for e in i.evidence
            )
            many = (ask for ask, count in asked.items() if count > _MANY)
            self._listings[dist.name] = frozenset(many)
        return self._plugins[dist.name]

    def _required_by(self, dist: Distribution) -> Iterator[SourceFacts]:
        """What the code of a distribution's requirements says."""
        names = self.env.installed.requirements_of(dist.name) & self.env.distributions.keys()
        for name in sorted(names):
            yield from self.sources.used(self.env.distributions[name])

    def looks_after(self, dist: Distribution) -> bool:
        """Whether the program may need more of a distribution than a freezer sees.

        In an environment with Rust code, that is any: Python code around it names modules and opens
        files, however many steps away.
        """
        if self._any_rust is None:
            dists = sorted(self.env.distributions.values(), key=lambda d: d.name != dist.name)
            self._any_rust = any(map(self.catalogue.seems_rust, dists))
        return self._any_rust

    def _iter_named(
        self, dist: Distribution, named: Iterable[tuple[str, Evidence]]
    ) -> Iterator[ImplicitImport]:
        """The modules among `named` that its code would import in this environment.

        Those are its own, of what it requires, for an extra or not, of what nothing requires (it
        was installed for this), and Python's.
        """
        gathered: dict[str, list[Evidence]] = {}
        for name, evidence in named:
            if self._may_take(dist, name):
                gathered.setdefault(name, []).append(evidence)
        reason = f"imported by the Python code of {dist.name}"
        yield from (included(name, reason, *gathered[name]) for name in sorted(gathered))

    def _may_take(self, dist: Distribution, name: str) -> bool:
        module = self.env.find_module(name)
        if module is None:
            return False
        if module.owner is Owner.STDLIB:
            return not is_too_large(name) and not is_in_every_bundle(name)
        owner = module.distribution
        if owner is None or owner == dist.name:
            return owner is not None
        installed = self.env.installed
        known = installed.requirements_of(dist.name) | installed.named_by(dist.name)
        return owner in known or not self.env.is_required(owner)

    def _companions_of(self, dist: Distribution) -> tuple[Companion, ...]:
        if dist.name not in self._companions:
            found = self._find_companions(dist) if self.looks_after(dist) else ()
            found = tuple(iter_readable(found, self.env.note_fault))
            by_place = {c.destination: c for c in reversed(found)}
            ordered = sorted(by_place.values(), key=lambda c: (c.destination, c.kind.value))
            self._companions[dist.name] = tuple(ordered)
        return self._companions[dist.name]

    def _looks_below_prefix(self, dist: Distribution) -> bool:
        """Whether code of a distribution with files there, or of what it requires, uses them."""
        if not any(f.parts[0] == ".." and len(f.parts) > _SHALLOW for f in dist.files):
            return False
        names = (dist.name, *sorted(self.env.installed.requirements_of(dist.name)))
        users = (self.env.distributions[name] for name in names if name in self.env.distributions)
        return any(f.uses_prefix for user in users for f in self.sources.used(user))

    def _find_companions(self, dist: Distribution) -> tuple[Companion, ...]:
        sources, native = self.sources.read(dist), self.catalogue.native_files(dist)
        suffixes = self.env.interpreter.suffixes
        if self.catalogue.is_rust(dist):
            others = self._named_distributions(dist)
            found = find_companions(sources, dist, native, suffixes, others=others)
        elif self.catalogue.is_neighbour(dist):
            found = find_neighbour_companions(sources, dist, native)
        else:
            found = find_distant_companions(sources, dist, native)
        plugins = find_plugin_distributions(sources, self.env)
        required = self.env.installed.requirements_of(dist.name)
        return (
            *found,
            *find_plugin_metadata(dist, plugins),
            *find_asked_metadata(self.sources.used(dist), self.env, among=required),
            *find_all_read(dist, self.env, self.sources.read),
            *find_listed_files(sources, dist),
            *(find_shared_files(dist) if self._looks_below_prefix(dist) else ()),
        )


def _top_of(file: PurePath) -> str:
    """The top-level name that a file is imported below."""
    return file.parts[0].partition(".")[0]


def _speaks_in(evidence: Evidence, own: PurePosixPath, many: Collection[tuple[str, str]]) -> bool:
    """Whether evidence in Python code counts as the file `own` enters a program.

    `many` are the calls that ask for many modules, with their files.
    """
    where = PurePosixPath(evidence.where)
    if evidence.kind is EvidenceKind.PLUGIN or (_call_of(evidence) in many and where == own):
        return True
    return _top_of(where) == _top_of(own) and _call_of(evidence) not in many


def _call_of(evidence: Evidence) -> tuple[str, str]:
    """The file that asks for a module, and how, without the module's own name."""
    return evidence.where, _QUOTED.sub("", evidence.detail)
