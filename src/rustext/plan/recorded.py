"""What a record of a run adds to a build: modules, files, metadata, libraries and programs.

In: a record, the environment, and the top-level packages that a build has so far. Out: implicit
imports and companions, each with what was seen. A row counts when something that is in the build
has asked for it: what a test runner did around the program does not. Import statements are left to
the freezers, which read them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from configparser import ConfigParser
from configparser import Error as ConfigError
from itertools import islice
from pathlib import Path, PurePosixPath

from rustext.data import read_data
from rustext.environment.distributions import Distribution
from rustext.environment.environment import Environment
from rustext.files.untrusted import SOURCE_LIMIT, read_start
from rustext.formats.binary import is_native
from rustext.model.evidence import Evidence, EvidenceKind
from rustext.model.plan import Companion, CompanionKind, ImplicitImport, included
from rustext.plan.companions import iter_readable
from rustext.tracing.trace_file import Trace
from rustext.tracing.usage import (
    ALL,
    INTERPRETED,
    LATE,
    MAIN,
    MODULES,
    PROGRAM,
    PYTHON,
    SYSTEM,
    UNKNOWN_ASKER,
    Usage,
    Use,
    UseKind,
)

_SCRIPT_GROUPS = frozenset({"console_scripts", "gui_scripts"})  # which installers read
_MAIN_METADATA = ("METADATA", "PKG-INFO")
_METADATA_OF_ALL = (*_MAIN_METADATA, "entry_points.txt", "top_level.txt")
# What is added for a use, and what the code did; of a file that was used in several ways, the last.
_ADDED = {
    UseKind.FILE: (CompanionKind.DATA, "opened"),
    UseKind.SOURCE: (CompanionKind.DATA, "read as source"),
    UseKind.FOLDER: (CompanionKind.FOLDER, "listed"),
    UseKind.METADATA: (CompanionKind.METADATA, "metadata read"),
    UseKind.LIBRARY: (CompanionKind.LIBRARY, "loaded"),
    UseKind.PROGRAM: (CompanionKind.EXECUTABLE, "started"),
}
_WHAT = {
    UseKind.IMPORT_MODULE: "imported by name",
    UseKind.ENTRY_POINT: "loaded as an entry point",
    UseKind.EXECUTED: "imported by code that is in no file",
    UseKind.FIND_SPEC: "looked for",
    UseKind.PROGRAM: "run as a program",
}
_PYTHON_M = "python -m "


class Recorded:
    """The record of one program, for one environment."""

    def __init__(self, trace: Trace, env: Environment, *, where: str, folder: Path) -> None:
        """`where` names the record in evidence, `folder` is that of the program's first file."""
        self._trace = trace
        self._env = env
        self._where = where
        self._folder = folder
        self._own = {
            use.name.partition(".")[0]
            for usage in trace.usages
            if usage.distribution == PROGRAM
            for kind in MODULES
            for use in usage.of(kind)
        }
        self._tops: dict[str, frozenset[str]] = {}

    def __bool__(self) -> bool:
        """Whether there is anything that a build could lack."""
        return bool(self._trace.usages)

    def modules(self, present: Collection[str]) -> tuple[ImplicitImport, ...]:
        """The modules that code of the packages in `present` was seen to import late."""
        found: dict[str, ImplicitImport] = {}
        for usage in self._trace.usages:
            for kind in (*LATE, UseKind.FIND_SPEC):
                for use in usage.of(kind):
                    asker = self._asker(use, present)
                    if asker is None or not self._is_there(use.name, usage):
                        continue
                    if kind is UseKind.FIND_SPEC and not self._is_wanted(usage, asker, present):
                        continue
                    found.setdefault(use.name, self._import(use.name, kind, asker))
            for use in usage.of(UseKind.PROGRAM) if usage.distribution == SYSTEM else ():
                asker = self._asker(use, present)
                for name in self._run_as_main(use.name) if asker is not None else ():
                    found.setdefault(name, self._import(name, UseKind.PROGRAM, asker or ""))
        return tuple(found[name] for name in sorted(found))

    def companions(self, present: Collection[str]) -> tuple[Companion, ...]:
        """What code of the packages in `present` was seen to open, list, load or start."""
        found = (
            companion
            for usage in self._trace.usages
            for companion in self._iter_companions(usage, present)
        )
        unique = {companion.destination: companion for companion in found}
        return tuple(unique[place] for place in sorted(unique))

    @property
    def used_modules(self) -> frozenset[str]:
        """All modules that the run imported, by whatever kind of import."""
        kinds = MODULES - {UseKind.FIND_SPEC}
        usages = self._trace.usages
        return frozenset(use.name for u in usages for kind in kinds for use in u.of(kind))

    @property
    def interpreted(self) -> frozenset[str]:
        """The program's modules whose functions' variables or bytecode other code looks at.

        Compiled functions have none that it could see.
        """
        usages = self._trace.usages
        return frozenset(use.name for u in usages for kind in INTERPRETED for use in u.of(kind))

    @property
    def companions_of_all(self) -> tuple[Companion, ...]:
        """The companions that the run used, whoever has asked for them."""
        tops = (self._tops_of(dist) for dist in self._env.distributions.values())
        askers = (
            asker.partition(".")[0]
            for usage in self._trace.usages
            for uses in usage.uses.values()
            for use in uses
            for asker in use.askers
        )
        return self.companions(frozenset().union(*tops, askers))

    @property
    def stale(self) -> tuple[str, ...]:
        """A line for each distribution of the record that has another version here, or is gone."""
        return tuple(self._iter_stale())

    def _iter_stale(self) -> Iterator[str]:
        for usage in self._trace.usages:
            if usage.distribution.startswith("("):
                continue
            dist = self._env.distributions.get(usage.distribution)
            seen = " and ".join(usage.versions) or "no version"
            if dist is None:
                yield f"{self._where} holds {usage.distribution} {seen}, which is not installed"
            elif dist.version not in usage.versions:
                yield (
                    f"{self._where} was recorded with {usage.distribution} {seen}, and "
                    f"{dist.version} is installed: record again"
                )

    # --- who asks ---------------------------------------------------------------------------------

    def _asker(self, use: Use, present: Collection[str]) -> str | None:
        """The first asker that is in the build; None if there is none."""
        for asker in use.askers:
            if asker in {MAIN, UNKNOWN_ASKER} or asker.partition(".")[0] in present:
                return asker
        return None

    def _run_as_main(self, program: str) -> Iterator[str]:
        """The modules of `python -m name`, which the frozen program answers in Python's place.

        https://docs.python.org/3/using/cmdline.html#cmdoption-m
        """
        name = program.removeprefix(_PYTHON_M)
        for module in (name, f"{name}.__main__") if name != program else ():
            if self._env.find_module(module) is not None:
                yield module

    def _is_there(self, module: str, usage: Usage) -> bool:
        return usage.distribution == PROGRAM or self._env.find_module(module) is not None

    def _is_wanted(self, usage: Usage, asker: str, present: Collection[str]) -> bool:
        """Whether a module that was looked for, and never imported, has to be there.

        The program's own code asks for a reason. Others try what might be installed: they find what
        the program has anyway.
        """
        if asker == MAIN or asker.partition(".")[0] in self._own:
            return True
        return self._is_present(usage, present)

    def _is_present(self, usage: Usage, present: Collection[str]) -> bool:
        dist = self._env.distributions.get(usage.distribution)
        return dist is None or not self._tops_of(dist).isdisjoint(present)

    def _tops_of(self, dist: Distribution) -> frozenset[str]:
        if dist.name not in self._tops:
            self._tops[dist.name] = frozenset(
                file.parts[0].partition(".")[0]
                for file in dist.files
                if file.parts[0] not in {"..", str(dist.metadata)}
            )
        return self._tops[dist.name]

    def _import(self, module: str, kind: UseKind, asker: str) -> ImplicitImport:
        by = "native code" if asker == UNKNOWN_ASKER else f"`{asker}`"
        detail = f"{_WHAT[kind]} by {by}, seen by `rustext trace`"
        evidence = Evidence(kind=EvidenceKind.TRACED, where=self._where, detail=detail)
        return included(module, f"{_WHAT[kind]} by {by}", evidence)

    # --- companions -------------------------------------------------------------------------------

    def _iter_companions(self, usage: Usage, present: Collection[str]) -> Iterator[Companion]:
        if usage.distribution == SYSTEM:
            return
        if usage.distribution == ALL:
            for use in usage.of(UseKind.METADATA):
                asker = self._asker(use, present)
                if asker is not None and use.name in _METADATA_OF_ALL:
                    yield from self._metadata_of_all(use.name, asker, present)
            return
        for kind in _ADDED:
            for use in usage.of(kind):
                asker = self._asker(use, present)
                if asker is not None and (asker or self._is_present(usage, present)):
                    yield from self._use(usage, use.name, kind, asker)

    def _use(self, usage: Usage, name: str, kind: UseKind, asker: str) -> Iterator[Companion]:
        if kind is UseKind.FOLDER:
            yield from self._listed(usage, name, asker)
        elif kind is UseKind.METADATA:
            yield from self._metadata(usage, name, asker)
        else:
            for found in self._companion(usage, name, *_ADDED[kind], asker):
                # Other programs are scripts that start the interpreter.
                if kind is not UseKind.PROGRAM or is_native(found.path):
                    yield found

    def _companion(
        self, usage: Usage, name: str, kind: CompanionKind, what: str, asker: str
    ) -> Iterator[Companion]:
        """The file as a companion; nothing where it is gone."""
        path = self._locate(usage, name)
        if path is None:
            return
        # Below the prefix of the environment, such as `share`: the bundle's folder is its prefix.
        parts = [part for part in PurePosixPath(name).parts if part != ".."]
        by = "native code" if asker == UNKNOWN_ASKER else f"`{asker}`"
        companion = Companion(
            path=path,
            destination=PurePosixPath(*parts),
            kind=kind,
            reason=f"{what} by {by}, traced: {self._where}",
        )
        yield from iter_readable([companion], self._env.note_fault)

    def _locate(self, usage: Usage, name: str) -> Path | None:
        """The file in this environment; None where it is gone."""
        dist = self._env.distributions.get(usage.distribution)
        if dist is not None:
            roots: Iterable[Path] = (dist.site,)
        elif usage.distribution == PYTHON:
            roots = map(Path, self._env.interpreter.stdlib)
        else:
            roots = (self._folder, *self._env.sites)
        return next((root / name for root in roots if (root / name).is_file()), None)

    def _listed(self, usage: Usage, name: str, asker: str) -> Iterator[Companion]:
        """The data files that are directly in a folder, and the modules there that were used.

        Of a package there, its folder.
        """
        if usage.distribution == PYTHON:
            return
        used = {use.name for kind in MODULES for use in usage.of(kind)}
        folder = PurePosixPath(name)
        rules = read_data("companions")
        no_data = {*rules["not_data_suffixes"], ".pyc"}
        what, there = f"`{folder.name}` was listed", False
        for file in self._files_in(usage, folder):
            module = ".".join((*folder.parts, file.stem))
            data = file.suffix not in no_data and file.name not in rules["not_data_names"]
            if module in used if file.suffix == ".py" else data:
                for found in self._companion(usage, str(file), CompanionKind.DATA, what, asker):
                    if not is_native(found.path):
                        there = True
                        yield found
        first = next(iter(self._files_in(usage, folder)), None)
        if first is not None and not there:
            yield from self._companion(usage, str(first), CompanionKind.FOLDER, what, asker)
        # Packages among them are folders to whoever lists them, and else in an archive alone.
        inside = (m.split(".") for m in used if m.startswith(f"{'.'.join(folder.parts)}."))
        for package in sorted({folder / parts[len(folder.parts)] for parts in inside}):
            for file in islice(self._files_in(usage, package), 1):
                yield from self._companion(usage, str(file), CompanionKind.FOLDER, what, asker)

    def _files_in(self, usage: Usage, folder: PurePosixPath) -> Iterator[PurePosixPath]:
        dist = self._env.distributions.get(usage.distribution)
        if dist is not None:
            yield from (f for f in dist.files if f.parent == folder and len(f.parts) > 1)
            return
        root = self._folder / folder
        if len(folder.parts) and root.is_dir():
            names = sorted(p.name for p in root.iterdir() if p.is_file())
            yield from (folder / name for name in names if not name.startswith("."))

    def _metadata(self, usage: Usage, name: str, asker: str) -> Iterator[Companion]:
        """A file of metadata, and the one with the name and the version that all others go with."""
        dist = self._env.distributions.get(usage.distribution)
        if dist is not None:
            for one in dict.fromkeys((name, *_MAIN_METADATA)):
                file = str(dist.metadata / one)
                yield from self._companion(usage, file, *_ADDED[UseKind.METADATA], asker)

    def _metadata_of_all(
        self, name: str, asker: str, present: Collection[str]
    ) -> Iterator[Companion]:
        """That of the distributions in the build: who goes through their names wants them all.

        Entry points are wanted of those alone that offer any.
        """
        for dist in self._env.distributions.values():
            wanted = name in _MAIN_METADATA or _offers_entry_points(dist)
            if wanted and not self._tops_of(dist).isdisjoint(present):
                usage = Usage(distribution=dist.name, uses={})
                yield from self._metadata(usage, name, asker)


def _offers_entry_points(dist: Distribution) -> bool:
    """Whether a distribution has entry points that are not commands for a shell."""
    parser = ConfigParser(delimiters=("=",), strict=False, interpolation=None)
    try:
        file = dist.site / dist.metadata / "entry_points.txt"
        text = read_start(file, SOURCE_LIMIT).decode("utf-8")
        parser.read_string(text)
    except (OSError, UnicodeDecodeError, ConfigError):
        return False
    return not _SCRIPT_GROUPS.issuperset(parser.sections())
