"""One run of a freezer and what its user asked rustext for: report, plan, self-test, verification.

In: the program's folder, and the options of the run. Out: a `Session`, of which the adapters ask
everything that is not a matter of their freezer's words.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rustext.config import Config
from rustext.freezing.build import Build, start_build
from rustext.freezing.options import SessionOptions
from rustext.model.findings import Finding
from rustext.model.plan import BuildPlan, Companion, CompanionKind, ExtensionPlan, PlannedExtension
from rustext.plan.plan_file import PLAN_FILE, format_plan, write_plan
from rustext.plan.selftest import SELFTEST_FILE, entry_source, format_questions


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftFile:
    """A file of rustext's own in a bundle; `name` is relative to the bundle's modules."""

    name: str
    data: bytes
    reason: str


class Session:
    """A build with what its user asked for."""

    def __init__(self, build: Build, options: SessionOptions, *, freezer: str) -> None:
        """`freezer` is its name and version, for people."""
        self.build = build
        self.options = options
        self._freezer = freezer

    @property
    def plan(self) -> BuildPlan:
        """What has been added so far."""
        return make_plan(self.build, freezer=self._freezer)

    def accompany(self, path: Path | None, *kinds: str) -> tuple[Companion, ...]:
        """`Build.accompany` for kinds by name; nothing for a module without a file."""
        wanted = [CompanionKind(kind) for kind in kinds]
        return tuple(self.build.accompany(path, *wanted)) if path is not None else ()

    def accompany_program(self, *kinds: str) -> tuple[Companion, ...]:
        """`Build.accompany_program` for kinds by name."""
        return tuple(self.build.accompany_program(*(CompanionKind(kind) for kind in kinds)))

    @property
    def selftest_source(self) -> str | None:
        """The text that goes into the program, ahead of its own; None unless it is asked for."""
        return entry_source() if self.wants_selftest else None

    @property
    def left_files(self) -> tuple[LeftFile, ...]:
        """What is left in the bundle on request, and nothing otherwise."""
        wants_plan = self.options.leave_plan or self._config.leave_plan
        if not wants_plan and not self.wants_selftest:
            return ()
        plan, found = self.plan, []
        if wants_plan:
            text = format_plan(plan)
            found.append(
                LeftFile(name=PLAN_FILE, data=text.encode(), reason="a plan was asked for")
            )
        if self.wants_selftest:
            text, reason = format_questions(plan.iter_modules()), "a self-test was asked for"
            found.append(LeftFile(name=SELFTEST_FILE, data=text.encode(), reason=reason))
        return tuple(found)

    def write_report(self) -> None:
        """Write the report where one was asked for; raises `UnreadableFile` if that fails."""
        if self.options.report is not None:
            write_plan(self.plan, self.options.report)

    def report_rows(self) -> tuple[tuple[str, str], ...]:
        """What was added and why, as names and texts for a freezer's own report.

        Names must be valid in XML, which paths need not be.
        """
        plan = self.plan
        rows = [(f"extension_{n}", str(e.file)) for n, e in enumerate(plan.extensions, 1)]
        for implicit in plan.modules:
            evidence = "; ".join(f"{e.kind.value}: {e.where}" for e in implicit.evidence)
            rows.append((f"implicit_import_{implicit.module}", f"{implicit.reason} ({evidence})"))
        for number, companion in enumerate(plan.companions, 1):
            text = f"{companion.destination} ({companion.kind.value}): {companion.reason}"
            rows.append((f"companion_{number}", text))
        rows += [(f"warning_{n}", text) for n, text in enumerate(plan.warnings, 1)]
        return tuple(rows)

    def judge(self, folder: Path) -> tuple[Finding, ...]:
        """What verification says of the finished folder, this build's plan at hand.

        Most builds do without, so that its modules are imported here. Raises `InvalidBundle` or
        `UnreadableFile`, and `InvalidConfiguration` for a target that means nothing.
        """
        from rustext.environment.environment import stdlib_environment  # noqa: PLC0415
        from rustext.verify.bundle.bundle import read_bundle  # noqa: PLC0415
        from rustext.verify.target.target import find_target  # noqa: PLC0415
        from rustext.verify.verify import read_subject, verify  # noqa: PLC0415

        subject = read_subject(
            read_bundle(folder),
            target=find_target(self._config.target),
            stdlib=stdlib_environment(),
            allow_system=self._config.allow_system,
            crate_rules=self._config.crate_rules,
            plan=self.plan,
        )
        return verify(subject).findings

    @property
    def _config(self) -> Config:
        return self.build.planner.config

    @property
    def wants_selftest(self) -> bool:
        """Whether the program is to have a self-test."""
        return self.options.selftest or self._config.selftest


def start_session(folder: Path, options: SessionOptions, *, freezer: str) -> Session:
    """A session for the program in `folder`; raises as `start_build`."""
    return Session(start_build(folder, traces=options.traces), options, freezer=freezer)


def make_plan(build: Build, *, freezer: str | None = None) -> BuildPlan:
    """The plan of a build; `freezer` is its name and version, for people."""
    found = (i for path in sorted(build.plans) for i in build.plans[path].imports)
    left_out = {i.module: i for i in found if i.module not in build.modules}
    return BuildPlan(
        freezer=freezer,
        python=".".join(map(str, build.planner.env.interpreter.version)),
        extensions=tuple(sorted(map(_extension, build.extensions), key=lambda e: e.file)),
        modules=tuple(build.modules[name] for name in sorted(build.modules)),
        left_out=tuple(left_out[name] for name in sorted(left_out)),
        companions=build.companions,
        warnings=build.warnings,
        unfollowed=build.unfollowed,
    )


def _extension(plan: ExtensionPlan) -> PlannedExtension:
    file = plan.file
    return PlannedExtension(
        file=file.path, module=file.module, distribution=file.distribution, version=file.version
    )
