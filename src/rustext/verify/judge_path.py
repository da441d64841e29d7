"""Judge the bundle at a path: read it, start it where that is asked for, and run all checks.

In: a path and `VerifyOptions`. Out: a `VerifyReport`. The command line and `rustext.api` ask here.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from rustext.environment.environment import (
    Environment,
    stdlib_environment,
    stdlib_of,
    this_interpreter,
)
from rustext.errors import ForeignProcessError
from rustext.model.crate_rule import CrateRule
from rustext.model.findings import Finding, Severity
from rustext.model.verification import BundlePython, IsolatedRun, VerifyReport
from rustext.plan.selftest import SelfTest
from rustext.tracing.trace_file import merge, read_trace
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.facts.left_plan import find_plan
from rustext.verify.facts.native.sizes import measure_parts
from rustext.verify.facts.python.bundled_python import find_bundled_python
from rustext.verify.fix_suffix import fix_suffixes
from rustext.verify.onefile.open_bundle import open_bundle
from rustext.verify.run.isolated_run import python_folders
from rustext.verify.run.start import run_bundle, run_selftest
from rustext.verify.target.requested_python import choose_python
from rustext.verify.target.target import Target
from rustext.verify.verify import read_subject, verify


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyOptions:
    """What is asked about a bundle; times are in seconds."""

    target: Target | None = None  # the machines that it has to run on
    python: str | None = None  # its Python: a kind, or an interpreter of this machine
    allow_system: tuple[str, ...] = ()  # sonames that those machines provide
    crate_rules: tuple[CrateRule, ...] = ()  # the project's own
    plan: Path | None = None  # what the freezer was told, where it was not left in the bundle
    traces: tuple[Path, ...] = ()  # records of what a run uses
    run: bool = False  # start the program, isolated
    alive: float | None = None  # start it, and expect it to run for so long
    selftest: bool = False  # start the self-test that is built into the program
    arguments: tuple[str, ...] = ()  # of the program
    timeout: float = 60
    hide: tuple[Path, ...] = ()  # folders that it must not see
    fix_suffix: bool = False  # give misnamed extension modules a name that Python looks for
    cached: bool = True  # what an earlier run found in a file may be used
    sizes: bool = False  # say what takes the room


def judge_path(path: Path, options: VerifyOptions) -> VerifyReport:
    """The report on one bundle; raises `RustextError` where it cannot be judged."""
    with ExitStack() as opened:
        bundle = opened.enter_context(open_bundle(path, cached=options.cached))
        python, stdlib = _python(bundle, options)
        fixed = fix_suffixes(bundle, python) if options.fix_suffix else ()
        if fixed:
            bundle = opened.enter_context(open_bundle(path, cached=options.cached))
        asked = options.run or options.alive is not None
        run, failed = run_program(bundle, options) if asked else (None, ())
        subject = read_subject(
            bundle,
            stdlib=stdlib,
            target=options.target,
            python=python,
            allow_system=options.allow_system,
            crate_rules=options.crate_rules,
            run=run,
            plan=find_plan(bundle, options.plan),
            trace=merge(map(read_trace, options.traces)) if options.traces else None,
            selftest=_selftest(bundle, options) if options.selftest else None,
            cached=options.cached,
        )
        report = verify(subject, known=(*fixed, *failed))
        return replace(report, sizes=measure_parts(bundle)) if options.sizes else report


def _python(bundle: Bundle, options: VerifyOptions) -> tuple[BundlePython | None, Environment]:
    """The bundle's Python, and the standard library that is taken for its own."""
    python = find_bundled_python(bundle)
    if options.python is None:
        return python, stdlib_environment()
    python, facts = choose_python(
        options.python, image=bundle.image, target=options.target, bundled=python
    )
    return python, stdlib_of(facts) if facts is not None else stdlib_environment()


def _selftest(bundle: Bundle, options: VerifyOptions) -> SelfTest:
    hide = (*_pythons(), *options.hide)
    return run_selftest(bundle, hide=hide, timeout=options.timeout)


def run_program(
    bundle: Bundle, options: VerifyOptions
) -> tuple[IsolatedRun | None, tuple[Finding, ...]]:
    """The end of the run that was asked for; a program that cannot be run is a finding."""
    try:
        run = run_bundle(
            bundle,
            options.arguments,
            hide=(*_pythons(), *options.hide),
            timeout=options.timeout if options.alive is None else options.alive,
            endless=options.alive is not None,
        )
    except ForeignProcessError as error:
        name = bundle.start.name if bundle.start is not None else bundle.path.name
        return None, (Finding(id="run", severity=Severity.ERROR, subject=name, message=str(error)),)
    return run, ()


def _pythons() -> tuple[Path, ...]:
    """The folders of this machine's Python, which a program must not need."""
    facts = this_interpreter()
    return tuple(python_folders(facts.prefixes, facts.stdlib))
