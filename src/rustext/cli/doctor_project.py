"""What a build in the current folder starts with: configuration, record, Rust extensions, hooks.

In: the folder, the running interpreter, and the environment's variables. Out: `Check` records. Each
is made by what the freezers' adapters call, so that doctor fails where a build would.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from rustext.config import Config, find_project
from rustext.environment.child_process import ask_python
from rustext.environment.environment import this_environment
from rustext.errors import ForeignProcessError, RustextError
from rustext.freezing.options import read_options
from rustext.freezing.project import folder_environment, read_project
from rustext.freezing.pyinstaller.hook_files import iter_hook_targets
from rustext.model.findings import Severity
from rustext.plan.planner import Planner
from rustext.report.console import counted
from rustext.report.escape import one_line

_ENTRY_POINT = "import json, rustext_hooks; print(json.dumps(rustext_hooks.get_hook_dirs()))"
_TIMEOUT = 300  # seconds; the first call in an environment reads all its native files


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at; `severity` is None where all is well."""

    name: str
    message: str
    severity: Severity | None = None
    hint: str | None = None


def check_project(folder: Path, file: Path | None = None, *, pyinstaller: bool) -> Iterator[Check]:
    """What rustext would do for a program in `folder`, with the configuration in `file`.

    With `pyinstaller`, its entry point is called as a build does it.
    """
    env = folder_environment(this_environment(), folder)
    try:
        options = read_options()
        config = read_project(folder, env, file=file, traces=options.traces)
    except RustextError as error:
        yield _failed("configuration", error)
        return
    file = file or find_project(folder)
    message = str(file) if file is not None else "the defaults: no pyproject.toml here or above"
    yield Check(name="configuration", message=message)
    if config.trace_file:
        importers = config.trace.importers
        modules = len({module for importer in importers for module in importer.imports})
        names = f"{counted(modules, 'module')} of {counted(len(importers), 'native file')}"
        yield Check(name="trace", message=f"{config.trace_file}: {names}")
    planner = Planner(env, config, keep=True)
    try:
        targets = tuple(iter_hook_targets(planner))
        for dist in filter(planner.catalogue.seems_rust, env.distributions.values()):
            planner.sources.read(dist)  # as a build does where a program imports it
            planner.companions_for(dist.site / next(iter(dist.files), "."))
    except RustextError as error:
        yield _failed("rust-extensions", error)
        return
    count = sum(target.extension for target in targets)
    yield Check(name="rust-extensions", message=f"{counted(count, 'Rust extension')} found here")
    for fault in env.faults:
        yield Check(name="file", message=str(fault), severity=Severity.WARNING)
    if pyinstaller:
        yield _check_entry_point(folder)


def _check_entry_point(folder: Path) -> Check:
    """Call what PyInstaller calls, in a process of its own as it does."""
    name = "pyinstaller-build"
    try:
        done = ask_python(sys.executable, _ENTRY_POINT, timeout=_TIMEOUT, cwd=folder)
    except ForeignProcessError as error:
        return _failed(name, error)
    said = [line for line in done.stderr.splitlines() if line.strip()]
    try:
        named = [Path(text) for text in json.loads(done.stdout)]
    except ValueError:
        named = []
    folders = [folder for folder in named if folder.parent.name != "each_build"]
    if not folders:
        last = said[-1] if said else f"exit code {done.code}"
        return Check(name=name, message=f"no hooks: {last}", severity=Severity.ERROR)
    hooks = len([*folders[0].glob("hook-*.py")])
    message = f"{counted(hooks, 'module')} with hooks, in {folders[0]}"
    if said:
        return Check(name=name, message=f"{message}; {said[-1]}", severity=Severity.WARNING)
    return Check(name=name, message=message)


def _failed(name: str, error: RustextError) -> Check:
    return Check(name=name, message=str(error), severity=Severity.ERROR, hint=error.hint)


def format_config(config: Config, file: Path | None) -> str:
    """The configuration as a table of `pyproject.toml`, defaults and all; `file` is its source."""
    ignored = [f"{s.id}:{s.pattern}" for s in config.ignore]
    values = {
        "include": list(config.include), "optional": config.optional.value,
        "allow-system": list(config.allow_system), "scope": config.scope.value,
        "trace": config.trace_file, "record": config.record, "selftest": config.selftest,
        "leave-plan": config.leave_plan, "target": config.target, "ignore": ignored,
    }  # fmt: skip
    where = file if file is not None else "no pyproject.toml: these are the defaults"
    # A JSON value of these types is a TOML value: https://toml.io/en/v1.0.0#string
    rows = [f"{key} = {json.dumps(value)}" for key, value in sorted(values.items())]
    for rule in config.crate_rules:
        table = {
            key: value for key, value in asdict(rule).items() if key not in ("named", "source")
        }
        rows += ["", "[[tool.rustext.crate-rules]]"]
        rows += [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    return "\n".join((one_line(f"# {where}"), "[tool.rustext]", *rows, ""))
