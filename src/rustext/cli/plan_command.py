"""`rustext plan` and `rustext nuitka-config`: what a freezer would be told, without a freezer."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from rustext.environment.environment import read_environment, this_environment
from rustext.files.codec import to_plain
from rustext.files.output import check_output, is_sealed, write_output
from rustext.freezing.nuitka.package_config import format_config
from rustext.freezing.program_plan import plan_program
from rustext.freezing.project import folder_environment, read_project
from rustext.plan.plan_file import build_plan_json
from rustext.plan.planner import Planner
from rustext.report.console import Console, counted, progress_line
from rustext.report.documents import to_json
from rustext.report.plan_text import print_build_plan, print_effect

_log = logging.getLogger(__name__)
_CONFIG = "a configuration of `rustext nuitka-config`"


def plan(args: argparse.Namespace, console: Console) -> int:
    """Print what would be added to one program, and why."""
    what = f"following the imports of {args.script}"
    with progress_line(what, quiet=args.quiet or args.json):
        found = plan_program(args.script, python=args.python, config=args.config, traces=args.trace)
    made, effect = found.plan, found.effect
    if args.json:
        document = build_plan_json(made)
        console.write(
            to_json({**document, "record": to_plain(effect, whole=True)} if effect else document)
        )
    else:
        print_build_plan(console, made, found.skipped, verbose=args.verbose)
        if effect is not None:
            print_effect(console, effect, verbose=args.verbose)
    return 0


def write_config(args: argparse.Namespace, console: Console) -> int:
    """Write a package configuration for Nuitka."""
    check_output(args.file, is_sealed, what=_CONFIG)
    env = read_environment(args.python) if args.python else this_environment()
    env = folder_environment(env, Path.cwd())
    config = read_project(Path.cwd(), env, file=args.config, here=not args.python)
    with progress_line("reading the environment", quiet=args.quiet or args.json):
        text = format_config(Planner(env, config))
    for fault in env.faults:
        _log.warning("%s", fault)
    write_output(args.file, text, is_sealed, what=_CONFIG)
    count = text.count("\n- module-name:")
    if args.json:
        console.write(to_json({"file": str(args.file), "modules": count}))
    elif not args.quiet:
        console.line(f"{counted(count, 'module')} in {args.file}")
    return 0
