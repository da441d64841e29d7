"""`rustext verify`: judge a finished bundle.

In: arguments. Out: a report on stdout or in a file; the exit code is 1 for findings at error level.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from rustext.config import find_config
from rustext.environment.environment import (
    Environment,
    stdlib_environment,
    stdlib_of,
    this_interpreter,
)
from rustext.errors import ForeignProcessError
from rustext.model.findings import Finding, Severity
from rustext.model.verification import BundlePython, IsolatedRun, VerifyReport
from rustext.plan.selftest import SelfTest
from rustext.report.console import Console, open_console, progress_line
from rustext.report.output import ReportFormat, render, write_report
from rustext.report.verify_text import print_summary, print_verify
from rustext.tracing.trace_file import merge, read_trace
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.facts.left_plan import find_plan
from rustext.verify.facts.native.sizes import measure_parts
from rustext.verify.facts.python.bundled_python import find_bundled_python
from rustext.verify.fix_suffix import fix_suffixes
from rustext.verify.onefile.open_bundle import open_bundle
from rustext.verify.run.isolated_run import python_folders
from rustext.verify.run.selftest import run_selftest
from rustext.verify.run.start import run_bundle
from rustext.verify.target.requested_python import choose_python
from rustext.verify.target.target import Target, parse_target
from rustext.verify.verify import verify as verify_bundle


def verify(args: argparse.Namespace, console: Console) -> int:
    """`rustext verify`: findings about one bundle."""
    config = find_config(Path.cwd())
    tag = args.target or config.target
    target = parse_target(tag) if tag else None
    quiet = args.quiet or args.json
    with progress_line(f"reading {args.bundle}", quiet=quiet), ExitStack() as opened:
        bundle = opened.enter_context(open_bundle(args.bundle, cached=not args.no_cache))
        python, stdlib = _python(bundle, args.python, target)
        fixed = fix_suffixes(bundle, python) if args.fix_suffix else ()
        if fixed:
            bundle = opened.enter_context(open_bundle(args.bundle, cached=not args.no_cache))
        asked = args.run or args.alive is not None
        run, failed = isolated_run(bundle, args) if asked else (None, ())
        report = verify_bundle(
            bundle,
            stdlib=stdlib,
            target=target,
            python=python,
            allow_system=(*config.allow_system, *args.allow_system),
            run=run,
            plan=find_plan(bundle, args.plan),
            trace=merge(map(read_trace, args.trace)) if args.trace else None,
            selftest=_selftest(bundle, args) if args.selftest else None,
            known=(*fixed, *failed),
            cached=not args.no_cache,
        )
        if args.format == ReportFormat.HTML.value:
            report = replace(report, sizes=measure_parts(bundle))
    _show(report, args, console)
    return 0 if report.ok else 1


def _python(
    bundle: Bundle, text: str | None, target: Target | None
) -> tuple[BundlePython | None, Environment]:
    """The bundle's Python, and the standard library that stands for its own."""
    python = find_bundled_python(bundle)
    if text is None:
        return python, stdlib_environment()
    python, facts = choose_python(text, image=bundle.image, target=target, bundled=python)
    return python, stdlib_of(facts) if facts is not None else stdlib_environment()


def isolated_run(
    bundle: Bundle, args: argparse.Namespace
) -> tuple[IsolatedRun | None, tuple[Finding, ...]]:
    """The end of the run that was asked for; a program that cannot be run is a finding."""
    try:
        run = run_bundle(
            bundle,
            args.arguments,
            hide=_hidden(args),
            timeout=args.timeout if args.alive is None else args.alive,
            endless=args.alive is not None,
        )
    except ForeignProcessError as error:
        name = bundle.start.name if bundle.start is not None else bundle.path.name
        return None, (Finding(id="run", severity=Severity.ERROR, subject=name, message=str(error)),)
    return run, ()


def _selftest(bundle: Bundle, args: argparse.Namespace) -> SelfTest:
    return run_selftest(bundle, hide=_hidden(args), timeout=args.timeout)


def _hidden(args: argparse.Namespace) -> list[Path]:
    facts = this_interpreter()
    return [*python_folders(facts.prefixes, facts.stdlib), *args.hide]


def _show(report: VerifyReport, args: argparse.Namespace, console: Console) -> None:
    kind = ReportFormat(args.format)
    if args.output is not None:
        write_report(render(report, kind, verbose=args.verbose), args.output)
        if not args.quiet:
            notice = open_console(sys.stderr)
            print_summary(notice, report)
            notice.line(f"report: {args.output}")
    elif kind is ReportFormat.TEXT:
        print_verify(console, report, verbose=args.verbose)
    else:
        console.write(render(report, kind))
