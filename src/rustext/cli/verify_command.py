"""`rustext verify`: judge finished bundles.

In: arguments. Out: one report on stdout or in a file. The exit code is 1 for findings that count
(`--fail-on`), 2 where a bundle could not be judged.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rustext.config import Config, find_config, parse_selector
from rustext.errors import InvalidConfiguration, NotABundle, RustextError
from rustext.model.findings import Severity
from rustext.model.verification import NotJudged, Verdicts, VerifyReport, is_skipped, name_each
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
from rustext.verify.gate import Gate, reaches, read_baseline, stale_rows, write_baseline
from rustext.verify.judge_path import VerifyOptions, judge_path
from rustext.verify.onefile.find_bundles import Found, find_bundles
from rustext.verify.target.target import find_target


def verify(args: argparse.Namespace, console: Console) -> int:
    """`rustext verify`: findings about each bundle; the worst of them decides the exit code."""
    config = find_config(Path.cwd(), args.config)
    _refuse_hidden(args)
    if args.statistics and args.format != "text":
        raise InvalidConfiguration(
            f"--statistics is for text, and not for {args.format}",
            hint="the formats for machines have each finding",
        )
    gate = _gate(args, config)
    options = _options(args, config)
    judged = list(_iter_judged(args.bundles, options, quiet=args.quiet or args.json))
    found = [one for one in judged if isinstance(one, VerifyReport)]
    verdicts = tuple(sorted((_settle(one, gate, found) for one in judged), key=is_skipped))
    failed = [one for one in verdicts if isinstance(one, NotJudged) and not one.skipped]
    notices = open_console(sys.stderr)
    for one in failed:
        print_error(notices, one.message, one.hint)
    for row in () if args.quiet else stale_rows(gate.baseline, found):
        text = f" {args.baseline}: `{row[1]}` of `{row[3]}` in {row[0]} is not found any more"
        notices.line(("warning:", Style.YELLOW), text)
    if args.write_baseline is not None:
        write_baseline(found, args.write_baseline)
    _show(verdicts, args, console)
    if failed:
        return 2
    reports = [one for one in verdicts if isinstance(one, VerifyReport)]
    return int(reaches(reports, None if args.fail_on == "never" else Severity(args.fail_on)))


def _iter_judged(
    paths: Sequence[Path], options: VerifyOptions, *, quiet: bool
) -> Iterator[VerifyReport | NotJudged]:
    """What is found about each bundle: one a path, or each build in a folder or an archive.

    Where there is only one, and it cannot be judged, the error is raised.
    """
    for path in paths:
        try:
            with find_bundles(path) as bundles:
                for one in bundles:
                    alone = len(paths) == len(bundles) == 1
                    yield _judge(one, options, alone=alone, quiet=quiet)
        except (RustextError, OSError) as error:
            if len(paths) == 1:
                raise
            yield _refuse(path, error, options)


def _judge(
    one: Found, options: VerifyOptions, *, alone: bool, quiet: bool
) -> VerifyReport | NotJudged:
    try:
        with one.named(), progress_line(f"reading {one.given}", quiet=quiet):
            return one.rename(judge_path(one.path, options))
    except (RustextError, OSError) as error:
        if alone:
            raise
        return _refuse(one.given, error, options)


def _refuse(path: Path, error: Exception, options: VerifyOptions) -> NotJudged:
    said, hint = describe_error(error)
    if not path.exists() and (options.run or options.alive is not None):
        hint = hint or "words for the program come behind `--`"
    skipped = isinstance(error, NotABundle)
    return NotJudged(bundle=path, message=said, hint=hint, skipped=skipped)


def _settle(
    one: VerifyReport | NotJudged, gate: Gate, found: Sequence[VerifyReport]
) -> VerifyReport | NotJudged:
    """The verdict: findings that count, and nothing skipped where nothing was judged."""
    if isinstance(one, VerifyReport):
        return gate.judge(one)
    return replace(one, skipped=one.skipped and bool(found))


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


def _options(args: argparse.Namespace, config: Config) -> VerifyOptions:
    return VerifyOptions(
        target=find_target(args.target or config.target),
        python=args.python,
        allow_system=(*config.allow_system, *args.allow_system),
        crate_rules=config.crate_rules,
        plan=args.plan,
        traces=tuple(args.trace),
        run=args.run,
        alive=args.alive,
        selftest=args.selftest,
        arguments=tuple(args.arguments),
        timeout=args.timeout,
        hide=tuple(args.hide),
        fix_suffix=args.fix_suffix,
        cached=not args.no_cache,
        sizes=any(kind == ReportFormat.HTML.value for _, kind in args.reports),
    )


def _show(verdicts: Verdicts, args: argparse.Namespace, console: Console) -> None:
    how = {"verbose": args.verbose, "statistics": args.statistics}
    for file, name in args.reports:
        if file is not None:
            write_report(render(verdicts, ReportFormat(name), **how), file)
        elif name == ReportFormat.TEXT.value:
            print_verdicts(console, verdicts, **how)
        else:
            console.write(render(verdicts, ReportFormat(name)))
    files = [file for file, _ in args.reports if file is not None]
    if files and not args.quiet:
        notice = open_console(sys.stderr)
        for name, one in zip(name_each(verdicts), verdicts, strict=True):
            if isinstance(one, VerifyReport):
                print_summary(notice, one, name=name)
        print_total(notice, verdicts)
        for file in files:
            notice.line(f"report: {file}")
