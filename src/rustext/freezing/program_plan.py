"""Plan one program without a freezer: what it would be told, and what a record changes of that.

In: a script, an interpreter and a configuration. Out: a `ProgramPlan`. The modules that the program
reaches are those that its `import` statements name, where a freezer would see more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from rustext.environment.environment import Environment, read_environment, this_environment
from rustext.errors import UnreadableFile
from rustext.freezing.build import Build, follow_modules
from rustext.freezing.options import read_options
from rustext.freezing.project import program_environment, read_project
from rustext.freezing.script_imports import iter_program
from rustext.freezing.session import make_plan
from rustext.imports.crate_rules import is_installed
from rustext.model.plan import BuildPlan, Companion, RecordEffect
from rustext.plan.planner import Planner
from rustext.tracing.trace_file import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramPlan:
    """A plan, what could not be judged, and what the record of a run changes, if there is one."""

    plan: BuildPlan
    skipped: tuple[str, ...]
    effect: RecordEffect | None


def plan_program(
    script: Path,
    *,
    python: Path | None = None,
    config: Path | None = None,
    traces: Iterable[Path] = (),
) -> ProgramPlan:
    """What would be added to one program, and why.

    `python` is another interpreter, `config` a file in place of the nearest `pyproject.toml`,
    `traces` are further records. Raises `RustextError` for what cannot be read.
    """
    if not script.exists():
        raise UnreadableFile(f"{script} does not exist")
    script = script.resolve()
    env = read_environment(python) if python else this_environment()
    env = program_environment(env, script.parent)
    options = read_options(traces=map(str, traces))
    settings = read_project(script.parent, env, file=config, traces=options.traces, here=not python)
    build, skipped, seen = follow(script, Build(Planner(env, settings), folder=script.parent))
    effect = None
    if settings.trace.usages:
        untraced = Planner(env, replace(settings, trace=Trace()))
        plain, _, plainly_seen = follow(script, Build(untraced, folder=script.parent))
        effect = compare(build, seen, plain, plainly_seen)
    made = make_plan(build)
    idle = (
        f"the rule about `{rule.crate}` in [tool.rustext] crate-rules: no Rust file of this "
        "program shows that crate"
        for rule in settings.crate_rules
        if is_installed(rule.when, env) and not seen.issuperset(rule.imports)
    )
    made = replace(made, warnings=(*made.warnings, *idle))
    return ProgramPlan(plan=made, skipped=skipped, effect=effect)


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


def follow(script: Path, build: Build) -> tuple[Build, tuple[str, ...], frozenset[str]]:
    """Let all modules that a script reaches enter the build.

    Also what could not be judged, and the names of the modules.
    """
    waiting = [*iter_program(script, build.planner.env)]
    skipped, seen = follow_modules(build, (*waiting, *(i.module for i in build.begin([script]))))
    return build, skipped, seen
