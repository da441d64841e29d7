"""`rustext verify`: judge finished bundles.

In: arguments. Out: one report on stdout or in a file. The exit code is 1 for findings that count
(`--fail-on`), 2 where a bundle could not be judged.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from rustext.config import Config, find_config, parse_selector
from rustext.environment.environment import (
    Environment,
    stdlib_environment,
    stdlib_of,
    this_interpreter,
)
from rustext.errors import ForeignProcessError, InvalidConfiguration, RustextError
from rustext.model.findings import Finding, Severity
from rustext.model.verification import (
    BundlePython,
    IsolatedRun,
    NotJudged,
    Verdicts,
    VerifyReport,
)
from rustext.plan.selftest import SelfTest
from rustext.report.console import (
    Console,
    Style,
    describe_error,
    open_console,
    print_error,
    progress_line,
)
from rustext.report.output import ReportFormat, render, write_report
from rustext.report.verify_text import print_summary, print_total, print_verdicts
from rustext.tracing.trace_file import merge, read_trace
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.facts.left_plan import find_plan
from rustext.verify.facts.native.sizes import measure_parts
from rustext.verify.facts.python.bundled_python import find_bundled_python
from rustext.verify.fix_suffix import fix_suffixes
from rustext.verify.gate import Gate, reaches, read_baseline, stale_rows, write_baseline
from rustext.verify.onefile.find_bundles import find_bundles
from rustext.verify.onefile.open_bundle import open_bundle
from rustext.verify.run.isolated_run import python_folders
from rustext.verify.run.selftest import run_selftest
from rustext.verify.run.start import run_bundle
from rustext.verify.target.requested_python import choose_python
from rustext.verify.target.target import Target, parse_target
from rustext.verify.verify import verify as verify_bundle


def verify(args: argparse.Namespace, console: Console) -> int:
    """`rustext verify`: findings about each bundle; the worst of them decides the exit code."""
    config = find_config(Path.cwd(), args.config)
    _refuse_hidden(args)
    gate = _gate(args, config)
    tag = args.target or config.target
    target = parse_target(tag) if tag else None
    found: list[VerifyReport] = []
    verdicts: list[VerifyReport | NotJudged] = []
    notices = open_console(sys.stderr)
    for path in args.bundles:
        try:
            for report in _judge(path, args, config, target):
                found.append(report)
                verdicts.append(gate.judge(report))
        except (RustextError, OSError) as error:
            if len(args.bundles) == 1 and not verdicts:
                raise
            said, hint = describe_error(error)
            print_error(notices, said, hint)
            verdicts.append(NotJudged(bundle=path, message=said, hint=hint))
    for row in () if args.quiet else stale_rows(gate.baseline, found):
        text = f" {args.baseline}: `{row[1]}` of `{row[3]}` in {row[0]} is not found any more"
        notices.line(("warning:", Style.YELLOW), text)
    if args.write_baseline is not None:
        write_baseline(found, args.write_baseline)
    _show(tuple(verdicts), args, console)
    reports = [one for one in verdicts if isinstance(one, VerifyReport)]
    if len(reports) < len(verdicts):
        return 2
    return int(reaches(reports, None if args.fail_on == "never" else Severity(args.fail_on)))


def _refuse_hidden(args: argparse.Namespace) -> None:
    """Raise for `--hide` that hides nothing."""
    for folder in args.hide:
        if not folder.exists():
            raise InvalidConfiguration(f"--hide {folder} does not exist")
    if args.hide and not (args.run or args.selftest or args.alive is not None):
        raise InvalidConfiguration(
            "--hide is for a program that is started", hint="add --run, --alive or --selftest"
        )


def _gate(args: argparse.Namespace, config: Config) -> Gate:
    return Gate(
        select=tuple(parse_selector(text, "--select") for text in args.select),
        ignore=(*config.ignore, *(parse_selector(text, "--ignore") for text in args.ignore)),
        baseline=read_baseline(args.baseline) if args.baseline is not None else frozenset(),
    )


def _judge(
    path: Path, args: argparse.Namespace, config: Config, target: Target | None
) -> Iterator[VerifyReport]:
    """The reports on what is at a path: one, or one for each build in a folder or an archive."""
    with find_bundles(path) as bundles:
        for one in bundles:
            quiet = args.quiet or args.json
            with progress_line(f"reading {one.name}", quiet=quiet), ExitStack() as opened:
                report = _judge_one(one.path, args, config, target, opened)
            yield one.rename(report)


def _judge_one(
    path: Path,
    args: argparse.Namespace,
    config: Config,
    target: Target | None,
    opened: ExitStack,
) -> VerifyReport:
    bundle = opened.enter_context(open_bundle(path, cached=not args.no_cache))
    python, stdlib = _python(bundle, args.python, target)
    fixed = fix_suffixes(bundle, python) if args.fix_suffix else ()
    if fixed:
        bundle = opened.enter_context(open_bundle(path, cached=not args.no_cache))
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
    return report


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


def _show(verdicts: Verdicts, args: argparse.Namespace, console: Console) -> None:
    kind = ReportFormat(args.format)
    if args.output is not None:
        write_report(render(verdicts, kind, verbose=args.verbose), args.output)
        if not args.quiet:
            notice = open_console(sys.stderr)
            for one in verdicts:
                if isinstance(one, VerifyReport):
                    print_summary(notice, one)
            print_total(notice, verdicts)
            notice.line(f"report: {args.output}")
    elif kind is ReportFormat.TEXT:
        print_verdicts(console, verdicts, verbose=args.verbose)
    else:
        console.write(render(verdicts, kind))
