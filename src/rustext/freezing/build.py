"""One run of a freezer: what to tell it as modules enter the build, and each thing once.

In: modules by name and file, in whatever order the freezer finds them. Out: further modules and
companions. Both adapters use it, so that what they say cannot differ.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from rustext.config import record_warnings
from rustext.discovery.extension_suffixes import split_suffix
from rustext.environment.environment import Owner, this_environment
from rustext.errors import RustextError, UnknownFormat
from rustext.freezing.module_faults import find_module_fault
from rustext.freezing.program import Program, read_program
from rustext.freezing.project import program_environment, read_project
from rustext.freezing.script_imports import iter_imports
from rustext.model.plan import (
    Companion,
    CompanionKind,
    ExtensionPlan,
    ImplicitImport,
    Unfollowed,
    Verdict,
)
from rustext.plan.planner import Planner
from rustext.plan.recorded import Recorded
from rustext.tracing.usage import MAIN

_NAMED = 3  # places that are named in the summary


class Build:
    """Collects what native code needs while a freezer follows imports.

    A file that cannot be judged raises `RustextError`; the build is to go on without it.
    """

    def __init__(self, planner: Planner, *, folder: Path | None = None) -> None:
        """`folder` is that of the program's first file, or where it is looked for until `begin`."""
        self.planner = planner
        self._follow_record(folder or Path.cwd())
        self.plans: dict[Path, ExtensionPlan] = {}
        self.modules: dict[str, ImplicitImport] = {}
        self._entered: dict[str, Path] = {}  # modules of the program by name
        self._said: set[Path] = set()  # companions that the freezer was told
        self._present: set[str] = set()  # top-level packages in the build
        self._waiting: dict[str, list[ImplicitImport]] = {}  # by top-level package
        self._asked: set[str] = set()  # packages that the record was asked for
        self._done: set[Path] = set()
        self._program: Program | None = None
        self._reached: set[str] = set()  # modules that are only there by what was added
        self._closed: dict[Path, bool] = {}  # by package
        self._readable: dict[Path, bool] = {}  # what a freezer can read, of files of modules
        self._unreadable: dict[
            str, tuple[str, ...]
        ] = {}  # and of what these import, what it cannot

    def program_files(self) -> tuple[Companion, ...]:
        """The files that the program's own code asks for; each once.

        The sources of the program are among them where code that has entered reads them.
        """
        own = self._program.companions if self._program is not None else ()
        found = tuple(c for c in (*own, *self._read_sources()) if c.path not in self._said)
        self._said.update(c.path for c in found)
        return found

    @property
    def hints(self) -> tuple[str, ...]:
        """What the user may want to know, a line each."""
        hints = (self.program_sources_hint, self._unread_hint, self.unfollowed_hint)
        return tuple(hint for hint in hints if hint is not None)

    @property
    def _unread_hint(self) -> str | None:
        """One line that names what may read source of the user's that is not in the bundle."""
        if self._program is None or self._read_sources():
            return None
        read = (f for f in map(self.planner.facts_of, self._entered.values()) if f is not None)
        names = sorted({name for facts in read for name in self._program.may_be_read(facts)})
        if not names:
            return None
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        return (
            f"not followed: {', '.join(names[:_NAMED])}{more}, which may read source of your "
            "program, which is not included; `rustext trace` records it"
        )

    @property
    def program_sources_hint(self) -> str | None:
        """One line that says which of the user's own source files are in the bundle, and why."""
        named = self._program.opened if self._program is not None else ()
        found = {c.destination: c.reason for c in (*named, *self._read_sources())}
        if not found:
            return None
        names, why = ", ".join(map(str, found)), "; ".join(dict.fromkeys(found.values()))
        return f"source files of your program are included: {names}; {why}"

    def listers(self) -> tuple[str, ...]:
        """The modules that count only where they enter themselves, and that have not.

        A freezer that does not tell of each module has to let in those that it has.
        """
        found = {m for p in self._entered.values() for m in self.planner.listers_for(p)}
        return tuple(sorted(found - self._entered.keys()))

    @property
    def program_starts(self) -> tuple[str, ...]:
        """How the program's own sources start Python: `main.py: -m module`."""
        return self._program.starts_python if self._program is not None else ()

    @property
    def starts_python(self) -> bool:
        """Whether any code in the program starts Python as another process."""
        found = any(self.planner.starts_python(path) for path in self._entered.values())
        return found or bool(self.program_starts)

    def _read_sources(self) -> tuple[Companion, ...]:
        if self._program is not None:
            for path in self._entered.values():
                facts = self.planner.facts_of(path)
                why = self._program.why_read(facts) if facts is not None else None
                if why is not None:
                    return self._program.sources(why)
        return ()

    def _follow_record(self, folder: Path) -> None:
        config, env = self.planner.config, self.planner.env
        self.recorded = Recorded(config.trace, env, where=config.trace_file, folder=folder)
        self.record_warnings = record_warnings(config, folder)

    def begin(self, scripts: Sequence[Path]) -> tuple[ImplicitImport, ...]:
        """What the program's own sources import besides their statements, and what a record adds.

        `scripts` are the program's first files. Each import comes once.
        """
        if self._program is not None:
            return ()
        self._program = read_program(scripts, self.planner.env)
        self._follow_record(scripts[0].parent)
        found = [*self._take(self._program.imports), *self.enter(MAIN, None)]
        for script in scripts:
            found += self.enter(script.stem, None)
        for path in tuple(self._entered.values()):  # what entered before the program was known
            found += self._take([*self._completed_by(path)])
        return tuple(found)

    def enter(self, name: str, path: Path | None) -> tuple[ImplicitImport, ...]:
        """The imports that a module causes on entering the build.

        These are its own, if it is a Rust extension, and those of earlier extensions that had to
        wait until a program brings in the module's package (`include-if-present`).
        """
        top = name.partition(".")[0]
        self._present.add(top)
        if path is not None:
            self._entered[name] = path
        found = self._waiting.pop(top, [])
        plan = self.plan(path) if path is not None else None
        if plan is not None:
            found += plan.modules(Verdict.INCLUDE)
            for optional in plan.modules(Verdict.IF_PRESENT):
                package = optional.module.partition(".")[0]
                ready = package in self._present
                (found if ready else self._waiting.setdefault(package, [])).append(optional)
        if path is not None:
            found += (*self.planner.plugin_modules_for(path), *self._completed_by(path))
            for misnamed in self._misnamed_beside(path):
                found += misnamed.modules(Verdict.INCLUDE)
        if top not in self._asked:
            self._asked.add(top)
            found += self.recorded.modules(self._present)
        return self._take(found)

    def _completed_by(self, path: Path) -> Iterator[ImplicitImport]:
        """What the module in a file imports by completing names of the program's."""
        facts = self.planner.facts_of(path) if self._program is not None else None
        if facts is not None and self._program is not None:
            yield from self._program.completed_by(facts, self.planner.env)

    def _take(self, found: Sequence[ImplicitImport]) -> tuple[ImplicitImport, ...]:
        """Those that are new, absolute, and whose files can be read: freezers end at others."""
        absolute = (i for i in reversed(found) if all(i.module.split(".")))
        new = {
            i.module: i
            for i in absolute
            if i.module not in self.modules and self.is_readable(self.file_of(i.module))
        }
        self.modules.update(new)
        return tuple(reversed(new.values()))

    def shuns(self, importer: str, name: str, path: Path | None) -> bool:
        """Whether a freezer had better not follow `importer` to a module: it would end there.

        That is so where a module that was added, or what it imports, imports what cannot be read,
        or what is native in a package with a folder that cannot be listed: without rustext, the
        freezer does not come there. The fault is noted.
        """
        if name not in self.modules and importer not in self._reached:
            return False
        self._reached.add(name)
        if path is not None and os.path.isdir(path):  # noqa: PTH112 (no errors)
            path = next(path.glob("__init__.py"), None)
        if path is None or not self.is_readable(path):
            return path is not None
        return split_suffix(path.name)[1] is not None and self.has_closed_folder(path.parent)

    def has_closed_folder(self, package: Path) -> bool:
        """Whether a folder of a package cannot be listed; looked for where some file has a fault.

        Nuitka lists them all for the libraries of a native file, and ends at such a folder.
        """
        if package not in self._closed:
            errors: list[OSError] = []
            if self.faults:
                for _ in os.walk(package, onerror=errors.append):
                    pass
            self._closed[package] = bool(errors)
        return self._closed[package]

    def unreadable_imports(self, name: str) -> tuple[str, ...]:
        """What a module that is only there by what was added imports, and cannot be read.

        Nothing where all is well: sources are read for it only where some file has a fault, or for
        a module of no distribution, of whose neighbours nothing is known.
        """
        module = self.planner.env.find_module(name) if name in self._reached else None
        looks = module is not None and (self.faults or module.owner is Owner.NOBODY)
        if module is not None and looks and name not in self._unreadable:
            found = iter_imports(module, self.planner.env)
            self._unreadable[name] = tuple(
                i for i in found if not self.is_readable(self.file_of(i))
            )
        return self._unreadable.get(name, ())

    def is_readable(self, path: Path | None) -> bool:
        """Whether a freezer can read the file of a module, if it has one; a fault is noted."""
        if path is None:
            return True
        if path not in self._readable:
            fault = find_module_fault(path, self.planner)
            if fault:
                self.planner.env.note_fault(path, fault, "it is not added")
            self._readable[path] = not fault
        return self._readable[path]

    def _misnamed_beside(self, path: Path) -> Iterator[ExtensionPlan]:
        """The plans of the distribution's modules that the freezer cannot find by their names."""
        for companion in self.planner.companions_for(path):
            if companion.renamed:
                plan = self.plan(companion.path)
                if plan is not None:
                    yield plan

    def plan(self, path: Path) -> ExtensionPlan | None:
        """The plan for a module's file; None if it is no Rust extension."""
        if path not in self.plans and path not in self._done:
            self._done.add(path)
            plan = None
            if split_suffix(path.name)[1] is not None:
                with suppress(UnknownFormat):
                    plan = self.planner.plan_extension(path)
            if plan is not None:
                self.plans[path] = plan
        return self.plans.get(path)

    def file_of(self, module: str) -> Path | None:
        """The file that `module` is imported from in this environment."""
        found = self.planner.env.find_module(module)
        return found.path if found is not None else None

    def accompany(self, path: Path, *kinds: CompanionKind) -> Iterator[Companion]:
        """The companions of these kinds of the distribution that a module's file belongs to.

        Each comes once in a build, however many modules the distribution has.
        """
        for companion in self.planner.companions_for(path):
            if companion.kind in kinds and companion.path not in self._said:
                self._said.add(companion.path)
                yield companion

    def accompany_program(self, *kinds: CompanionKind) -> Iterator[Companion]:
        """What the record of the program adds of these kinds; each comes once in a build."""
        for companion in self.recorded.companions(self._present):
            if companion.kind in kinds and companion.path not in self._said:
                self._said.add(companion.path)
                yield companion

    def settle(self, names: Iterable[str]) -> None:
        """Forget what entered the build and did not stay: a freezer may drop what it followed."""
        kept = frozenset(names)
        self._present = {name.partition(".")[0] for name in kept}
        self._entered = {name: path for name, path in self._entered.items() if name in kept}
        renamed = (c.path for c in self.companions if c.renamed)
        stayed = frozenset((*self._entered.values(), *renamed))
        self.plans = {path: plan for path, plan in self.plans.items() if path in stayed}
        wanted = {i.module for plan in self.plans.values() for i in plan.imports}
        wanted |= {i.module for i in (self._program.imports if self._program else ())}
        wanted |= {
            i.module for p in self._entered.values() for i in self.planner.plugin_modules_for(p)
        }
        wanted |= {i.module for p in self._entered.values() for i in self._completed_by(p)}
        wanted |= {i.module for i in self.recorded.modules(self._present)}
        self.modules = {name: implicit for name, implicit in self.modules.items() if name in wanted}

    @property
    def extensions(self) -> tuple[ExtensionPlan, ...]:
        """The plans of the native files that rustext looks after, by path; not of neighbours'."""
        plans = (self.plans[path] for path in sorted(self.plans))
        return tuple(plan for plan in plans if self.planner.covers(plan.file))

    @property
    def companions(self) -> tuple[Companion, ...]:
        """The companions of all that is in the build, sorted by destination."""
        of_modules = (c for p in self._entered.values() for c in self.planner.companions_for(p))
        recorded = self.recorded.companions(self._present)
        own = self._program.companions if self._program is not None else ()
        found = (*recorded, *of_modules, *own, *self._read_sources())
        return tuple(sorted({c.path: c for c in found}.values(), key=lambda c: str(c.destination)))

    @property
    def unfollowed(self) -> tuple[Unfollowed, ...]:
        """The places in the program's Python code that import what the sources do not tell."""
        found = {u for p in self._entered.values() for u in self.planner.unfollowed_in(p)}
        return tuple(sorted(found, key=lambda u: (u.module, u.function)))

    @property
    def faults(self) -> tuple[str, ...]:
        """The files that could not be read so far, a line each; the environment's among them."""
        env = self.planner.env
        return tuple(map(str, env.faults)) if env.distributions else ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user has to look after, a line each."""
        planned = (w for path in sorted(self.plans) for w in self.plans[path].warnings)
        return (*self.faults, *self.record_warnings, *self.recorded.stale, *planned)

    def summary(self) -> str:
        """One line for the freezer's log."""
        return count(len(self.extensions), len(self.modules), len(self.companions))

    @property
    def unfollowed_hint(self) -> str | None:
        """One line that names places in Python code that could not be followed."""
        places = [f"{u.module}.{u.function}".strip(".") for u in self.unfollowed]
        if not places:
            return None
        more = f" and {len(places) - _NAMED} more" if len(places) > _NAMED else ""
        return (
            f"not followed: {', '.join(places[:_NAMED])}{more}, which import names from data; "
            "`rustext trace` records them"
        )


def follow_modules(
    build: Build, names: Iterable[str], *, held: Iterable[str] = ()
) -> tuple[tuple[str, ...], frozenset[str]]:
    """Let modules enter a build with all that they reach, but through those that are `held`.

    Out: what could not be judged, and the names of the modules.
    """
    env, skipped = build.planner.env, []
    seen = set(held)
    waiting = [("", name) for name in names]
    while waiting:
        importer, name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        module = env.find_module(name)
        if module is None or build.shuns(importer, name, module.path):
            continue
        try:
            waiting += [(name, i.module) for i in build.enter(name, module.path)]
        except RustextError as error:
            skipped.append(f"{name}: {error}")
        waiting += [(name, imported) for imported in iter_imports(module, env)]
    return tuple(sorted(skipped)), frozenset(seen)


def count(extensions: int, modules: int, files: int) -> str:
    """What was added to a program, in numbers, as both freezers' logs show it."""
    return f"Rust extensions: {extensions}, modules added: {modules}, files added: {files}"


def start_build(folder: Path, *, traces: Iterable[Path] = ()) -> Build:
    """A build in the running interpreter's environment; `folder` holds the program's script.

    `traces` are records besides the configuration's. Raises as `read_project`: each error is one of
    the user's.
    """
    env = program_environment(this_environment(), folder)
    planner = Planner(env, read_project(folder, env, traces=traces), keep=True)
    return Build(planner, folder=folder)
