"""One run of a freezer: what to tell it as modules enter the build, and each thing once.

In: modules by name and file, in whatever order the freezer finds them. Out: further modules and
companions. Both adapters use it, so that what they say cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rustext.binary import is_native
from rustext.config import find_config
from rustext.environment import this_environment
from rustext.model import Companion, CompanionKind, ExtensionPlan, ImplicitImport, Verdict
from rustext.naming import split_suffix
from rustext.plan import Planner


class Build:
    """Collects what native code needs while a freezer follows imports.

    A file that cannot be judged raises `RustextError`; the build is to go on without it.
    """

    def __init__(self, planner: Planner) -> None:
        self.planner = planner
        self.plans: dict[Path, ExtensionPlan] = {}
        self.modules: dict[str, ImplicitImport] = {}
        self.companions: dict[Path, Companion] = {}
        self._present: set[str] = set()  # top-level packages in the build
        self._waiting: dict[str, list[ImplicitImport]] = {}  # by top-level package
        self._done: set[Path] = set()

    def enter(self, name: str, path: Path | None) -> tuple[ImplicitImport, ...]:
        """The imports that a module causes on entering the build.

        These are its own, if it is a Rust extension, and those of earlier extensions that had to
        wait until a program brings in the module's package (`include-if-present`).
        """
        top = name.partition(".")[0]
        self._present.add(top)
        found = self._waiting.pop(top, [])
        plan = self.plan(path) if path is not None else None
        if plan is not None:
            found += plan.modules(Verdict.INCLUDE)
            for optional in plan.modules(Verdict.IF_PRESENT):
                package = optional.module.partition(".")[0]
                ready = package in self._present
                (found if ready else self._waiting.setdefault(package, [])).append(optional)
        if path is not None:
            found += self.planner.plugin_modules_for(path)
        found = [i for i in found if i.module not in self.modules]
        self.modules.update((i.module, i) for i in found)
        return tuple(found)

    def plan(self, path: Path) -> ExtensionPlan | None:
        """The plan for a module's file; None if it is no Rust extension."""
        if path not in self.plans and path not in self._done:
            self._done.add(path)
            if split_suffix(path.name)[1] is not None and is_native(path):
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
            if companion.kind in kinds and companion.path not in self.companions:
                self.companions[companion.path] = companion
                yield companion

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user has to look after, a line each."""
        return tuple(w for path in sorted(self.plans) for w in self.plans[path].warnings)

    def summary(self) -> str:
        """One line for the freezer's log."""
        parts = (
            f"Rust extensions: {len(self.plans)}",
            f"modules that they import: {len(self.modules)}",
            f"files beside them: {len(self.companions)}",
        )
        return ", ".join(parts)


def start_build(folder: Path) -> Build:
    """A build in the running interpreter's environment; `folder` holds the program.

    Raises `InvalidConfiguration` for a `[tool.rustext]` that cannot be understood.
    """
    return Build(Planner(this_environment(), find_config(folder)))
