"""`rustext plan` and `rustext nuitka-config`: what a freezer would be told, without a freezer."""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace
from pathlib import Path

from rustext.environment.environment import Environment, read_environment, this_environment
from rustext.files.output import check_output, is_sealed, write_output
from rustext.freezing.build import Build, follow_modules
from rustext.freezing.nuitka.package_config import format_config
from rustext.freezing.options import read_options
from rustext.freezing.project import folder_environment, program_environment, read_project
from rustext.freezing.script_imports import iter_program
from rustext.freezing.session import make_plan
from rustext.model.plan import Companion, RecordEffect
from rustext.model.plan_json import effect_json
from rustext.plan.plan_file import build_plan_json
from rustext.plan.planner import Planner
from rustext.report.console import Console, counted, progress_line
from rustext.report.documents import to_json
from rustext.report.plan_text import print_build_plan, print_effect
from rustext.tracing.trace_file import Trace

_log = logging.getLogger(__name__)
_CONFIG = "a configuration of `rustext nuitka-config`"


def plan(args: argparse.Namespace, console: Console) -> int:
    """Print what would be added to one program, and why."""
    script = args.script.resolve()
    env = read_environment(args.python) if args.python else this_environment()
    env = program_environment(env, script.parent)
    options = read_options(traces=map(str, args.trace))
    config = read_project(
        script.parent, env, file=args.config, traces=options.traces, here=not args.python
    )
    what = f"following the imports of {args.script}"
    with progress_line(what, quiet=args.quiet or args.json):
        build, skipped, seen = follow(script, Build(Planner(env, config), folder=script.parent))
        effect = None
        if config.trace.usages:
            plain = Build(Planner(env, replace(config, trace=Trace())), folder=script.parent)
            effect = compare(build, seen, *follow(script, plain)[::2])
    made = make_plan(build)
    if args.json:
        document = build_plan_json(made)
        console.write(to_json({**document, "record": effect_json(effect)} if effect else document))
    else:
        print_build_plan(console, made, skipped, verbose=args.verbose)
        if effect is not None:
            print_effect(console, effect, verbose=args.verbose)
    return 0


def compare(
    build: Build, seen: frozenset[str], plain: Build, plainly_seen: frozenset[str]
) -> RecordEffect:
    """What a record adds to a build of which `plain` is the same without it.

    `seen` and `plainly_seen` are the modules that both reach.
    """
    env, used = build.planner.env, build.recorded.used_modules
    places = {companion.destination for companion in build.recorded.companions_of_all}
    before = {companion.destination for companion in plain.companions}
    modules = [m for m in sorted(seen - plainly_seen) if env.find_module(m) is not None]
    files = [c for c in build.companions if c.destination not in before]
    idle = [m for m in sorted(plain.modules) if m not in used]
    unread = [c for c in plain.companions if c.destination not in places]
    return RecordEffect(
        modules=tuple(modules),
        files=tuple(c.destination for c in files),
        size=_size_of(modules, files, env),
        unused_modules=tuple(idle),
        unused_files=tuple(c.destination for c in unread),
        unused_size=_size_of(idle, unread, env),
    )


def _size_of(modules: list[str], files: list[Companion], env: Environment) -> int:
    found = (module.path for module in map(env.find_module, modules) if module is not None)
    paths = {*(path for path in found if path is not None), *(c.path for c in files)}
    return sum(path.stat().st_size for path in paths if path.is_file())


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


def follow(script: Path, build: Build) -> tuple[Build, tuple[str, ...], frozenset[str]]:
    """Let all modules that a script reaches enter the build.

    Also what could not be judged, and the names of the modules.
    """
    waiting = [*iter_program(script, build.planner.env)]
    skipped, seen = follow_modules(build, (*waiting, *(i.module for i in build.begin([script]))))
    return build, skipped, seen
