"""What is judged: a bundle, what its target machines provide, and what was learnt by running it.

In: a `Bundle`. Out: what the loader would find for its files; with what the user said it makes a
`Subject`, which each check reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rustext.environment.environment import Environment
from rustext.model.crate_rule import CrateRule
from rustext.model.findings import Finding, Severity
from rustext.model.libraries import Edge
from rustext.model.plan import BuildPlan
from rustext.model.verification import BundlePython, IsolatedRun
from rustext.plan.selftest import SelfTest
from rustext.tracing.trace_file import Trace
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.facts.native.loaded_files import LoadedFiles
from rustext.verify.facts.python.program_starts import Start
from rustext.verify.target.stdlib import in_stdlib
from rustext.verify.target.target import Target, name_platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One bundle, with all that its checks may look at.

    `stdlib` is an environment whose standard library is taken for the bundle's; `edges` are
    what the loader would find for each native file, `loaded` which of these are loaded at all;
    `allow_system` are sonames that the target machines provide besides the platform's own.
    """

    bundle: Bundle
    stdlib: Environment
    edges: tuple[Edge, ...]
    loaded: LoadedFiles
    allow_system: frozenset[str] = frozenset()
    crate_rules: tuple[CrateRule, ...] = ()  # the project's own
    run: IsolatedRun | None = None
    plan: BuildPlan | None = None  # what the freezer was told, where that is known
    guessed: bool = False  # whether `plan` is what a freezer would have been told
    trace: Trace | None = None  # what a run of the unfrozen program has used
    selftest: SelfTest | None = None
    target: Target | None = None  # the machines that the bundle is meant for
    python: BundlePython | None = None  # which one the bundle brings along, where that is known
    starts: tuple[Start, ...] = ()  # what each program imports when it starts
    complex_files: tuple[tuple[Path, str], ...] = ()  # those over a limit, and which
    cached: bool = False  # whether what an earlier run found out of the same files may be used

    def in_stdlib(self, name: str) -> bool:
        """Whether a module is in the standard library of the bundle's Python."""
        return in_stdlib(name, self.stdlib, self.version)

    @property
    def version(self) -> tuple[int, int] | None:
        """The version of the bundle's Python, where that is known."""
        return self.python.version if self.python is not None else None

    def severity(self, path: Path) -> Severity:
        """How bad a fault of a file is: an error if a program does not start without the file."""
        return Severity.ERROR if self.loaded.is_required(path) else Severity.WARNING

    def inside(self, path: Path) -> str:
        """`Bundle.inside`."""
        return self.bundle.inside(path)


Check = Callable[[Subject], Iterator[Finding]]


def platform_of(bundle: Bundle) -> str:
    """The platform that the program was built for, as `linux-x86_64`."""
    return name_platform(bundle.image.format, bundle.image.architecture)
