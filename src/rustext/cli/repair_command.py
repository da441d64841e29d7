"""`rustext repair`: mend what verification finds in a finished bundle.

In: arguments. Out: a repaired copy, and a report on stdout. The exit code is 0 where the result
shows no error, 1 where findings at error level remain, and 2 where nothing could be done: for bad
input, a folder that cannot be written to, or because each repair needs what is not at hand.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from rustext.config import find_config, suggest
from rustext.environment.environment import (
    read_environment,
    stdlib_environment,
    stdlib_of,
)
from rustext.errors import InvalidBundle, InvalidConfiguration, UnwritableFile
from rustext.model.findings import Severity
from rustext.model.repair import RepairReport
from rustext.repair.apply import start_from_folder
from rustext.repair.origin import Origin
from rustext.repair.owners import find_lowered, kept_mode
from rustext.repair.repair import Repaired, Wanted, repair_copy
from rustext.repair.staging import compare, give_back, move_into_place, staged_copy
from rustext.report.console import Console, progress_line
from rustext.report.documents import to_json
from rustext.report.repair_report import print_repair, repair_json, repair_sarif
from rustext.report.rules import RULES
from rustext.verify.bundle.bundle import Bundle, read_bundle
from rustext.verify.facts.left_plan import find_plan
from rustext.verify.judge_path import VerifyOptions, run_program
from rustext.verify.onefile.open_bundle import open_bundle
from rustext.verify.onefile.report_paths import relocate, relocate_finding
from rustext.verify.target.target import find_target
from rustext.verify.verify import verify


def repair(args: argparse.Namespace, console: Console) -> int:
    """`rustext repair`: a repaired copy of one bundle."""
    quiet = args.quiet or args.json
    with progress_line(f"repairing {args.bundle}", quiet=quiet), ExitStack() as opened:
        wanted = _wanted(args)
        bundle = opened.enter_context(open_bundle(args.bundle))
        report = _repair(args, bundle, wanted, _target(args, bundle), opened)
    if args.format == "json":
        console.write(to_json(repair_json(report)))
    elif args.format == "sarif":
        console.write(to_json(repair_sarif(report)))
    else:
        print_repair(console, report, diff=args.diff, verbose=args.verbose)
    return 0 if report.after.ok else 1


def _wanted(args: argparse.Namespace) -> Wanted:
    config = find_config(Path.cwd(), args.config)
    origin = None
    if args.environment is not None:
        origin = Origin(read_environment(args.environment), config)
    facts = origin.env.interpreter if origin is not None else None
    select = {name.strip() for text in args.select for name in text.split(",") if name.strip()}
    for name in sorted(select - RULES.keys()):
        raise InvalidConfiguration(
            f"--select: no finding is called `{name}`", hint=suggest(name, RULES)
        )
    return Wanted(
        stdlib=stdlib_of(facts) if facts is not None else stdlib_environment(),
        select=frozenset(select),
        plan=args.plan,
        origin=origin,
        allow_system=(*config.allow_system, *args.allow_system),
        crate_rules=config.crate_rules,
        target=find_target(config.target),
    )


def _target(args: argparse.Namespace, bundle: Bundle) -> Path:
    """Where the result goes; raises before anything is done where it cannot."""
    path: Path = args.bundle.resolve()
    if args.in_place:
        if bundle.origin is not None:
            raise InvalidBundle(
                f"{args.bundle} is one file, and is not repaired in its place",
                hint="name a folder for what is in it: `-o NEW`",
            )
        return path
    suffix = path.suffix if path.suffix == ".app" else ""  # what macOS knows an application by
    new: Path = args.output or path.with_name(f"{path.name.removesuffix(suffix)}-repaired{suffix}")
    if not args.dry_run and os.path.lexists(new):
        raise UnwritableFile(
            f"{new} exists, and is left as it is", hint="name another folder: `-o NEW`"
        )
    return new.absolute()


def _repair(
    args: argparse.Namespace, bundle: Bundle, wanted: Wanted, target: Path, opened: ExitStack
) -> RepairReport:
    folder = Path(tempfile.gettempdir()) if args.dry_run else target.parent
    links = args.in_place or args.dry_run
    name = bundle.path.name
    find_plan(bundle, args.plan)  # so that an error names the user's file, not the copy's
    copy = opened.enter_context(staged_copy(bundle.root, folder, links=links, name=name))
    done = repair_copy(bundle, copy, wanted)
    _refuse_idle(done)
    after = done.report
    twin = bundle.twin.name if bundle.twin is not None else None
    keeps_twin = twin is not None and start_from_folder(copy / twin)
    if args.run:
        # A second copy runs, which shares no file: programs write logs, databases, bytecode.
        with staged_copy(copy, copy.parent, links=False, name=name) as second:
            if twin is not None and not keeps_twin:
                (second / twin).unlink()
            options = VerifyOptions(arguments=tuple(args.arguments), timeout=args.timeout)
            run, failed = run_program(read_bundle(second), options)
        if run is not None:
            run = replace(run, libraries=tuple(_moved(p, second, copy) for p in run.libraries))
        after = verify(replace(done.after, run=run), (*failed, *done.known))
    if twin is not None and not keeps_twin:
        (copy / twin).unlink()
    give_back(bundle.root, copy)
    files = tuple(file for file in compare(bundle.root, copy) if file.place != twin)
    lowered = find_lowered(bundle.root, copy)
    write = not args.dry_run and (bool(done.repairs) or args.output is not None)
    if write:
        old = bundle.root.stat()
        move_into_place(copy, target, kept_mode(old.st_mode, old, copy.stat()))
    final = target if write else bundle.path
    return RepairReport(
        bundle=bundle.path,
        written=target if write else None,
        repairs=tuple(
            replace(r, finding=relocate_finding(r.finding, copy, bundle.path)) for r in done.repairs
        ),
        unrepaired=done.unrepaired,
        files=files,
        before=replace(relocate(done.before, copy, bundle.path), bundle=bundle.path),
        after=replace(relocate(after, bundle.origin or copy, final), bundle=final),
        lowered=lowered,
        advice=_advice(bundle, final, keeps_twin=keeps_twin)
        if bundle.origin is not None and write
        else None,
    )


def _moved(path: Path, old: Path, new: Path) -> Path:
    return new / path.relative_to(old) if path.is_relative_to(old) else path


def _refuse_idle(done: Repaired) -> None:
    """Raise where an error could be repaired with what is not at hand, and nothing else was."""
    errors = [u for u in done.unrepaired if u.finding.severity is Severity.ERROR]
    if errors and not done.repairs:
        first = errors[0].finding
        raise InvalidBundle(
            f"{first.id} of `{first.subject}` is not repaired, and nothing is written: "
            f"{errors[0].reason}"
        )


def _advice(bundle: Bundle, folder: Path, *, keeps_twin: bool) -> str:
    # Nuitka's one file holds the program of the folder.
    starts = keeps_twin or (bundle.program is not None and bundle.program.path != bundle.twin)
    return (
        f"{bundle.path.name} is one file and stays as it is: {folder} is what it holds, repaired, "
        f"and {'starts as a folder' if starts else 'has no program'}. "
        "To get one file again, freeze again and add what the list of changes names: with "
        "rustext's plugin or hooks, or `--hidden-import` and `--add-data` of PyInstaller, "
        "`--include-module` and `--include-data-files` of Nuitka"
    )
