"""Judge whether a finished bundle stands alone.

In: a `Bundle`, what its target machines provide, and the end of an isolated run if there was one.
Out: a `VerifyReport`. Files are read and nothing is executed. Each check is a function of a
`Subject`, in a module of its own; `CHECKS` is the list of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from rustext.environment import Environment, stdlib_environment
from rustext.findings import BundlePython, Finding, IsolatedRun, Severity, VerifyReport
from rustext.plan_file import BuildPlan
from rustext.selftest import SelfTest
from rustext.verify.architecture import check_architecture
from rustext.verify.bundle import Bundle, read_bundle
from rustext.verify.bundle_python import find_bundled_python
from rustext.verify.duplicates import check_duplicates
from rustext.verify.ext_suffix import check_suffixes
from rustext.verify.floors import check_floors
from rustext.verify.imports import check_imports
from rustext.verify.install_names import check_install_names
from rustext.verify.libc import check_libc
from rustext.verify.libraries import check_libraries
from rustext.verify.plans import check_plan
from rustext.verify.python_abi import check_python_abi
from rustext.verify.relocate import relocate
from rustext.verify.rpaths import check_rpaths
from rustext.verify.runs import check_run
from rustext.verify.sealed import check_seal
from rustext.verify.selftests import check_selftest
from rustext.verify.signature import check_signatures
from rustext.verify.starting import check_start
from rustext.verify.static_interpreter import check_static_interpreter
from rustext.verify.subject import Check, Subject, platform_of, resolve_bundle
from rustext.verify.symbol_versions import check_versions
from rustext.verify.system_floor import find_floors
from rustext.verify.target import Target
from rustext.verify.unreadable import check_links, check_unreadable

CHECKS: tuple[Check, ...] = (
    check_libraries,
    check_start,
    check_versions,
    check_imports,
    check_suffixes,
    check_architecture,
    check_libc,
    check_static_interpreter,
    check_python_abi,
    check_floors,
    check_rpaths,
    check_duplicates,
    check_unreadable,
    check_links,
    check_install_names,
    check_signatures,
    check_seal,
    check_plan,
    check_selftest,
    check_run,
)

_RANK = tuple(Severity)


def verify(  # noqa: PLR0913 (all by name: what is known of one bundle from different sources)
    bundle: Bundle,
    *,
    stdlib: Environment,
    allow_system: Sequence[str] = (),
    run: IsolatedRun | None = None,
    plan: BuildPlan | None = None,
    selftest: SelfTest | None = None,
    known: Sequence[Finding] = (),
    target: Target | None = None,
    python: BundlePython | None = None,
    cached: bool = False,
) -> VerifyReport:
    """Verify a bundle; `known` are findings that stand already, the others as in `Subject`.

    Raises `InvalidBinary` where files name libraries without end.
    """
    subject = Subject(
        bundle=bundle,
        stdlib=stdlib,
        edges=resolve_bundle(bundle),
        allow_system=frozenset(allow_system),
        run=run,
        plan=plan,
        selftest=selftest,
        target=target,
        python=python or find_bundled_python(bundle),
        cached=cached,
    )
    findings = [*known, *(finding for check in CHECKS for finding in check(subject))]
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
        floors=find_floors(bundle, subject.edges),
        run=run or (selftest.run if selftest is not None else None),
    )
    return report if bundle.origin is None else relocate(report, bundle.root, bundle.origin)


def verify_folder(folder: Path, *, allow_system: Sequence[str] = ()) -> VerifyReport:
    """Read and verify the folder of a bundle, for the Python that runs this.

    Raises `InvalidBundle` or `UnreadableFile`.
    """
    return verify(read_bundle(folder), stdlib=stdlib_environment(), allow_system=allow_system)


def sort_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Worst first, then by id and subject: the same findings always give the same bytes."""
    return sorted(findings, key=lambda f: (_RANK.index(f.severity), f.id, f.subject, f.message))
