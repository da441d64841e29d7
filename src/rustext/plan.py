"""What a freezer has to hear about the Rust extensions of a program.

In: an environment and a project's configuration. Out: for each native file an `ExtensionPlan`, for
each Rust distribution, and for the neighbours that it works with, its companions. The adapters ask
as modules enter the build, so that only what a program uses is ever read.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath, PurePosixPath

from rustext.binary import is_native, located, open_binary
from rustext.cache import open_cache
from rustext.companions import find_companions, find_neighbour_companions
from rustext.config import Config, Scope
from rustext.destination import iter_warnings
from rustext.discover import (
    Source,
    environment_source,
    is_rust,
    iter_native_files,
    read_native_file,
)
from rustext.distributions import Distribution
from rustext.environment import Environment, Owner
from rustext.errors import InvalidBinary, UnreadableFile
from rustext.imports import can_import, find_imports, is_too_large
from rustext.kept import KeptFacts
from rustext.loader import Loader
from rustext.model import (
    Companion,
    Evidence,
    EvidenceKind,
    ExtensionPlan,
    Format,
    ImplicitImport,
    LibraryGraph,
    NativeFile,
    StringRef,
    Verdict,
)
from rustext.name_strings import NameStrings, find_name_strings
from rustext.named_imports import find_named_imports
from rustext.naming import importer_name
from rustext.neighbours import find_own_imports
from rustext.plugin_packages import find_plugin_modules
from rustext.probe import Probe, probe
from rustext.resolve import Resolver
from rustext.trace import UNKNOWN


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

        With `keep`, what binaries say is kept in the platform's cache folder for the next time.
        """
        self.env = env
        self.config = config
        self._python = python
        self._kept = NameStrings(env) if keep else None
        self._loader = loader or Loader()
        self._resolver = Resolver(loader=self._loader)
        self._sources: dict[Path, Source] = {}
        self._native: dict[str, tuple[tuple[Path, NativeFile], ...]] = {}
        self._rust: dict[str, bool] = {}
        self._neighbours: dict[str, bool] = {}
        self._companions: dict[str, tuple[Companion, ...]] = {}
        self._named: dict[str, tuple[tuple[str, Evidence], ...]] = {}
        self._plugins: dict[str, tuple[ImplicitImport, ...]] = {}

    def for_environment(self, env: Environment) -> Planner:
        """A planner that differs in its environment alone."""
        return Planner(env, self.config, loader=self._loader, python=self._python)

    def plan_extension(self, path: Path) -> ExtensionPlan | None:
        """The plan for one file of the environment; None if it is none of rustext's.

        Raises `InvalidBinary` or `UnreadableFile` if the file cannot be read as a native file.
        """
        file = self.read_file(path)
        if self.covers(file):
            return self.plan_file(path, file)
        dist = self.env.owner_of(path)
        if dist is None or not self.is_neighbour(dist):
            return None
        return self._plan_neighbour(path, file, dist)

    def read_file(self, path: Path) -> NativeFile:
        """One native file of the environment, Rust or not; raises as `plan_extension`."""
        dist, site = self.env.owner_of(path), self.env.site_of(path)
        if dist is not None and dist.site == site:
            with contextlib.suppress(UnreadableFile):  # another file of the distribution, it may be
                for known, file in self.native_files(dist):
                    if known == path:
                        return file
        return read_native_file(path, self._source(site or path.parent))

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
        return ExtensionPlan(
            file=file,
            path=path,
            imports=imports,
            libraries=libraries,
            companions=self._own_companions(file),
            warnings=tuple(self._missing_warnings(file, libraries))
            + tuple(_run_path_warnings(file))
            + self._destination_warnings(path, file, libraries)
            + (probed.warnings if probed is not None else ()),
        )

    def _plan_neighbour(self, path: Path, file: NativeFile, dist: Distribution) -> ExtensionPlan:
        """The plan for a neighbour's native file: what it imports of its own, and no more."""
        return ExtensionPlan(
            file=file,
            path=path,
            imports=find_own_imports(file, dist, self.env),
            libraries=LibraryGraph(root=path, edges=()),
        )

    def _named_imports(self, dist: Distribution) -> tuple[tuple[str, Evidence], ...]:
        """What a distribution's Python code imports by names that no freezer can read."""
        if dist.name not in self._named:
            self._named[dist.name] = find_named_imports(dist, self.env)
        return self._named[dist.name]

    def _named_distributions(self, dist: Distribution) -> Iterator[Distribution]:
        """The other distributions that a distribution's Python code imports in such a way."""
        modules = (self.env.find_module(name) for name, _ in self._named_imports(dist))
        owners = {m.distribution for m in modules if m is not None and m.distribution}
        return (self.env.distributions[name] for name in sorted(owners - {dist.name}))

    def _missing_warnings(self, file: NativeFile, libraries: LibraryGraph) -> Iterator[str]:
        """What the loader does not find.

        A library of another distribution is found by its soname, or by its install name below
        `@rpath`, once that has loaded it.
        """
        kind = file.binary.image.format
        if kind is Format.PE:  # Python's own DLL and the C run-time's come with the interpreter
            return
        where = "on this machine" if kind is Format.ELF else "beside it, and not the system's"
        for soname in dict.fromkeys(missing.soname for missing in libraries.missing):
            name = soname.removeprefix("@rpath/")
            owners = sorted(
                dist.name
                for dist in self.env.distributions.values()
                if dist.name != file.distribution and any(f.name == name for f in dist.files)
            )
            if owners:
                yield f"{file.path} needs `{soname}` of {owners[0]}, which has to be loaded first"
            else:
                yield f"{file.path} needs `{soname}`, which is not {where}"

    def _destination_warnings(
        self, path: Path, file: NativeFile, libraries: LibraryGraph
    ) -> tuple[str, ...]:
        """What will not load from where the freezers put it; nothing for a file of no folder."""
        site = self.env.site_of(path)
        if site is None:
            return ()
        dist = self.env.distributions.get(file.distribution) if file.distribution else None
        found = iter_warnings(
            file,
            libraries,
            site,
            siblings=self.native_files(dist) if dist is not None else (),
            companions=self._own_companions(file),
        )
        return tuple(f"{finding.message}; {finding.hint}" for finding in found)

    def _probe(self, file: NativeFile) -> Probe | None:
        return probe(file, self._python, self.env.sites) if self._python is not None else None

    def companions_for(self, path: Path) -> tuple[Companion, ...]:
        """The companions of the distribution of `path`, if it or a neighbour of it holds Rust."""
        dist = self.env.owner_of(path)
        return self._companions_of(dist) if dist is not None else ()

    def plugin_modules_for(self, path: Path) -> tuple[ImplicitImport, ...]:
        """What the distribution that `path` belongs to finds by looking around, or by names.

        The names are those that its Python code imports and that not every freezer can read, as far
        as that code is below the same top-level name as `path`: of a distribution's packages, a
        program need not have all. A neighbour of Rust distributions brings only these.
        """
        dist = self.env.owner_of(path)
        if dist is None:
            return ()
        top = _top_of(path.relative_to(dist.site))
        return tuple(
            implicit
            for implicit in self._plugins_of(dist)
            if any(
                e.kind is EvidenceKind.PLUGIN or _top_of(PurePosixPath(e.where)) == top
                for e in implicit.evidence
            )
        )

    def _plugins_of(self, dist: Distribution) -> tuple[ImplicitImport, ...]:
        if dist.name not in self._plugins:
            found: Iterable[ImplicitImport] = ()
            if self.is_rust(dist):
                listed = find_plugin_modules(dist, self.env, self.native_files(dist))
                found = (*listed, *self._iter_named(dist, self._named_imports(dist)))
            elif self.is_neighbour(dist):
                named = find_named_imports(dist, self.env, completed=False)
                found = self._iter_named(dist, named)
            self._plugins[dist.name] = tuple(found)
        return self._plugins[dist.name]

    def _iter_named(
        self, dist: Distribution, named: Iterable[tuple[str, Evidence]]
    ) -> Iterator[ImplicitImport]:
        """The modules among `named` that are its own, of what it requires, or Python's."""
        needed = self.env.requirements_of(dist.name) | {dist.name}
        gathered: dict[str, list[Evidence]] = {}
        for name, evidence in named:
            module = self.env.find_module(name)
            if module is None:
                continue
            python = module.owner is Owner.STDLIB and not is_too_large(name)
            if python or module.distribution in needed:
                gathered.setdefault(name, []).append(evidence)
        for name in sorted(gathered):
            yield ImplicitImport(
                module=name,
                verdict=Verdict.INCLUDE,
                reason=f"imported by the Python code of {dist.name}",
                evidence=tuple(gathered[name]),
            )

    def _own_companions(self, file: NativeFile) -> tuple[Companion, ...]:
        dist = self.env.distributions.get(file.distribution) if file.distribution else None
        return self._companions_of(dist) if dist is not None else ()

    def _companions_of(self, dist: Distribution) -> tuple[Companion, ...]:
        if dist.name not in self._companions:
            found: tuple[Companion, ...] = ()
            if self.is_rust(dist):
                found = find_companions(
                    dist,
                    self.native_files(dist),
                    self.env.interpreter.suffixes,
                    others=self._named_distributions(dist),
                )
            elif self.is_neighbour(dist):
                found = find_neighbour_companions(dist, self.native_files(dist))
            self._companions[dist.name] = found
        return self._companions[dist.name]

    def is_rust(self, dist: Distribution) -> bool:
        """Whether the distribution holds Rust code, be it in a program that it put on PATH."""
        if dist.name not in self._rust:
            native = self.native_files(dist)
            self._rust[dist.name] = any(f.provenance.rust for _, f in native) or any(
                _is_rust_program(dist.site / f) for f in dist.files if f.parts[0] == ".."
            )
        return self._rust[dist.name]

    def is_neighbour(self, dist: Distribution) -> bool:
        """Whether it holds no Rust, and requires or is required by one that does, extras or not."""
        if dist.name not in self._neighbours:
            others = (self.env.distributions[n] for n in self.env.neighbours_of(dist.name))
            found = not self.is_rust(dist) and any(map(self._seems_rust, others))
            self._neighbours[dist.name] = found
        return self._neighbours[dist.name]

    def _seems_rust(self, dist: Distribution) -> bool:
        """Whether it holds Rust; what cannot be read, and need not be in the program, does not."""
        try:
            return self.is_rust(dist)
        except (InvalidBinary, UnreadableFile):
            return False

    def native_files(self, dist: Distribution) -> tuple[tuple[Path, NativeFile], ...]:
        """The native files that the distribution installed, sorted by path."""
        if dist.name not in self._native:
            source = self._source(dist.site)
            files = (dist.site / f for f in dist.files if ".." not in f.parts)
            kept = KeptFacts(open_cache("marks", dist.name) if self._kept else None, dist.site)
            self._native[dist.name] = tuple(iter_native_files(source, files, kept))
            kept.save()
        return self._native[dist.name]

    def _source(self, site: Path) -> Source:
        if site not in self._sources:
            self._sources[site] = environment_source(self.env, site)
        return self._sources[site]


def _top_of(file: PurePath) -> str:
    """The top-level name that a file is imported below."""
    return file.parts[0].partition(".")[0]


def _is_rust_program(path: Path) -> bool:
    """Whether a file that was installed outside of `site-packages` holds Rust code."""
    try:
        return path.is_file() and is_native(path) and is_rust(path)
    except (InvalidBinary, UnreadableFile):
        return False


def find_file_imports(
    path: Path,
    file: NativeFile,
    env: Environment,
    config: Config,
    *,
    observed: Iterable[tuple[str, Evidence]] = (),
    kept: NameStrings | None = None,
) -> tuple[ImplicitImport, ...]:
    """The implicit imports of one native file, with what the project's configuration adds.

    `observed` holds modules that more than the file and the records speaks for; `kept` are the
    answers of earlier builds.
    """
    strings: Iterable[StringRef] = ()
    with open_binary(path) as (binary, data), located(path):
        if can_import(data):
            strings = (
                kept.find(path, binary, data, file)
                if kept is not None
                else find_name_strings(binary, data, file, env)
            )
        seen = (*_iter_traced(file, config), *observed)
        found = find_imports(file, strings, data, env, optional=config.optional, seen=seen)
    return _with_configured(found, file, config)


def _iter_traced(file: NativeFile, config: Config) -> Iterator[tuple[str, Evidence]]:
    """What the project's record says of the file, and what it cannot say whose it is."""
    details = {
        importer_name(file.path): "seen by `rustext trace`",
        UNKNOWN: "seen by `rustext trace`, which could not tell the importing file",
    }
    for name, detail in details.items():
        for module in config.trace.imports_of(name):
            yield (
                module,
                Evidence(kind=EvidenceKind.TRACED, where=config.trace_file, detail=detail),
            )


def _with_configured(
    found: tuple[ImplicitImport, ...], file: NativeFile, config: Config
) -> tuple[ImplicitImport, ...]:
    wanted = set(config.include)
    kept = tuple(i for i in found if i.module not in wanted)
    evidence = Evidence(
        kind=EvidenceKind.CONFIGURED, where="[tool.rustext]", detail=f"include, for {file.path}"
    )
    added = tuple(
        ImplicitImport(
            module=name,
            verdict=Verdict.INCLUDE,
            reason="named in [tool.rustext] include",
            evidence=(evidence,),
        )
        for name in sorted(wanted)
    )
    return tuple(sorted((*kept, *added), key=lambda i: i.module))


def _run_path_warnings(file: NativeFile) -> Iterator[str]:
    """Absolute run paths are those of the machine that built the file (PEP 513, "Bundled Wheels").

    The loader still looks there first, wherever the file ends up.
    """
    paths = {p for image in file.binary.images for p in (*image.rpath, *image.runpath)}
    for path in sorted(p for p in paths if p.startswith("/")):
        yield f"{file.path} has the run path `{path}`, a folder of the machine that built it"
