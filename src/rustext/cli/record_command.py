"""`rustext record`: make or refresh the record of a project, by the run that the project names."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path

from rustext.cli.trace_command import exit_code, keep_record, with_run
from rustext.config import Config, find_project, parse_project, record_file
from rustext.environment.child_process import run_attached
from rustext.environment.environment import this_environment
from rustext.errors import InvalidConfiguration
from rustext.report.console import Console
from rustext.tracing.recording import record
from rustext.tracing.trace_file import check_record_path

_PYTHONS = frozenset({"python", "python3", "python.exe"})
_EXAMPLE = '[tool.rustext] record = "python app.py --check", or the command of the tests'


def make_record(args: argparse.Namespace, console: Console) -> int:
    """Run `[tool.rustext] record` in the project's folder; return the command's exit code."""
    config = _find(Path.cwd())
    output = record_file(config)
    check_record_path(output)
    words = shlex.split(config.record)
    python = words[0] in _PYTHONS
    if python:
        words[0] = sys.executable
    scripts = Path(sys.executable).parent
    env = {**os.environ, "PATH": os.pathsep.join([str(scripts), os.environ.get("PATH", "")])}
    here = this_environment()
    with record(env, here.sites) as recording:
        code = run_attached(words, env=recording.variables, cwd=config.folder)
        found = recording.read(here).without_other_languages()
        outside = recording.outside
    found = with_run(found, words[1:] if python else words[:1], folder=config.folder)
    keep_record(found, output, outside, args, console)
    return exit_code(code)


def _find(folder: Path) -> Config:
    project = find_project(folder)
    if project is None:
        raise InvalidConfiguration(
            f"there is no pyproject.toml at or above {folder}", hint=_EXAMPLE
        )
    config = replace(parse_project(project), folder=project.parent)
    if not config.record:
        raise InvalidConfiguration(f"{project} does not say what to run", hint=_EXAMPLE)
    return config
