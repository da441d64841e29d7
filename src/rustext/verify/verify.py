"""Judge whether a finished bundle stands alone.

In: a `Bundle`, and what is known of it besides. Out: a `Subject`, and the `VerifyReport` on it.
Files are read and nothing is executed. Each check is a function of a `Subject`, in a module of its
own; `CHECKS` is the list of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from rustext.environment.environment import Environment
from rustext.files.cache import kept_facts
from rustext.model.crate_rule import CrateRule
from rustext.model.findings import Finding, Severity
from rustext.model.plan import BuildPlan
from rustext.model.verification import (
    BundlePython,
    IsolatedRun,
    ProgramVerdict,
    VerifyReport,
    is_ready,
)
from rustext.plan.selftest import SelfTest
from rustext.tracing.trace_file import Trace
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.checks import CHECKS
from rustext.verify.common_findings import too_complex
from rustext.verify.facts.native.libraries import resolve_bundle
from rustext.verify.facts.native.loaded_files import LoadedFiles
from rustext.verify.facts.native.system_floor import find_floors
from rustext.verify.facts.python.bundled_python import find_bundled_python
from rustext.verify.facts.python.start_imports import find_start
from rustext.verify.facts.unjudged import iter_unjudged
from rustext.verify.onefile.report_paths import relocate
from rustext.verify.subject import Subject, platform_of
from rustext.verify.target.target import Target

_RANK = tuple(Severity)


def read_subject(  # noqa: PLR0913 (all by name: what is known of one bundle, by its sources)
    bundle: Bundle,
    *,
    stdlib: Environment,
    allow_system: Sequence[str] = (),
    crate_rules: tuple[CrateRule, ...] = (),
    run: IsolatedRun | None = None,
    plan: BuildPlan | None = None,
    trace: Trace | None = None,
    selftest: SelfTest | None = None,
    target: Target | None = None,
    python: BundlePython | None = None,
    cached: bool = False,
) -> Subject:
    """What the checks read of one bundle; the arguments are fields of `Subject`.

    What cannot be judged within the limits of `resolve_bundle` is in its `complex_files`.
    """
    complex_files: list[tuple[Path, str]] = []
    edges = resolve_bundle(bundle, lambda path, error: complex_files.append((path, str(error))))
    python = python or find_bundled_python(bundle)
    version = python.version if python is not None else None
    keep = cached and bundle.origin is None  # a one-file program is unpacked anew each time
    with kept_facts("starts", bundle.root, keep=keep) as kept:
        starts = tuple(find_start(kept, bundle, program, version) for program in bundle.programs)
    return Subject(
        bundle=bundle,
        stdlib=stdlib,
        edges=edges,
        loaded=LoadedFiles(bundle, edges, starts, plan),
        allow_system=frozenset(allow_system),
        crate_rules=crate_rules,
        run=run,
        plan=plan,
        trace=trace,
        selftest=selftest,
        target=target,
        python=python,
        starts=starts,
        complex_files=tuple(complex_files),
        cached=cached,
    )


def verify(subject: Subject, known: Sequence[Finding] = ()) -> VerifyReport:
    """The findings of all checks and `known` ones, and the report that they make up."""
    bundle, target = subject.bundle, subject.target
    findings = [*known, *(finding for check in CHECKS for finding in check(subject))]
    findings += [
        too_complex(subject.inside(path), reason) for path, reason in subject.complex_files
    ]
    report = VerifyReport(
        bundle=bundle.path,
        freezer=bundle.freezer.value,
        platform=platform_of(bundle),
        target=target.tag if target is not None else None,
        findings=tuple(sort_findings(findings)),
        libraries=subject.edges,
        extensions=tuple(file for _, file in bundle.files if file.provenance.rust),
        modules=len(bundle.modules),
        python=subject.python,
        floors=find_floors(bundle, subject.edges, subject.version),
        programs=tuple(
            ProgramVerdict(
                name=start.program.path.name,
                ok=is_ready(start.program.path.name, findings),
                followed=len(start.reached),
            )
            for start in subject.starts
        ),
        unjudged=tuple(iter_unjudged(subject)),
        run=subject.run or (subject.selftest.run if subject.selftest is not None else None),
    )
    return report if bundle.origin is None else relocate(report, bundle.root, bundle.origin)


def sort_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Worst first, then by id and subject: the same findings always give the same bytes."""
    return sorted(findings, key=lambda f: (_RANK.index(f.severity), f.id, f.subject, f.message))
