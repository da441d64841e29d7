"""`rustext trace`: run a program and record what it uses; merge such records."""

from __future__ import annotations

import argparse
import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from shutil import which

from rustext.environment.child_process import run_attached
from rustext.environment.environment import Environment, read_environment, this_environment
from rustext.errors import RustextError, UnreadableFile
from rustext.report.console import Console, counted, open_console
from rustext.report.documents import to_json
from rustext.tracing.freshness import program_digest
from rustext.tracing.recording import open_recording, prepare, record
from rustext.tracing.trace_file import (
    DEFAULT_FILE,
    Trace,
    check_record_path,
    merge,
    read_trace,
    write_trace,
)
from rustext.tracing.usage import MODULES, UseKind

_PYTHON = re.compile(r"python[\d.]*(\.exe)?")
_SIGNALLED = 128  # what shells add to the number of the signal that ended a program


def trace(args: argparse.Namespace, console: Console) -> int:
    """Run the program or read the records; write one record; return the program's exit code."""
    if args.start:
        recording = prepare(args.start, {})
        if args.json:
            console.write(to_json({"variables": dict(recording.variables)}))
        else:
            console.line(f"PYTHONPATH={recording.variables['PYTHONPATH']}")
        return 0
    output = args.output or DEFAULT_FILE
    check_record_path(output)
    code = 0
    outside: int | None = 0
    if args.merge:
        found = merge(read_trace(path) for path in args.merge)
    elif args.finish:
        recording = open_recording(args.finish.resolve(), {})
        if not recording.output.parent.is_dir():
            raise UnreadableFile(f"{args.finish} is no folder", hint="rustext trace --start DIR")
        found = recording.read(_environment(args.python))
    else:
        code, found, outside = run_recorded(_command(args), args.python or Path(sys.executable))
    found = found if args.all or args.merge else found.without_other_languages()
    keep_record(found, output, outside, args, console)
    return code


def keep_record(
    found: Trace, output: Path, outside: int | None, args: argparse.Namespace, console: Console
) -> None:
    """Write a record, and say what is in it; an empty one does not replace that of a program.

    Raises `UnreadableFile`, or `RustextError` where nothing was recorded.
    """
    if not found.tells_of_program and output.exists() and read_trace(output).tells_of_program:
        raise RustextError(
            f"nothing was recorded, and {output} is left as it was",
            hint="run the program without rustext first: it may not have started",
        )
    write_trace(found, output)
    if args.json:
        console.write(to_json(_trace_json(found)))
    elif not args.quiet:
        # The program's own output is on stdout, and somebody may read that.
        open_console(sys.stderr).line(_summary(found, output, outside))


def _trace_json(found: Trace) -> dict[str, object]:
    """The record as JSON holds it."""
    return {
        "python": list(found.pythons),
        "platforms": list(found.platforms),
        "runs": list(found.runs),
        "importers": [
            {"name": i.name or None, "language": i.language.value, "imports": list(i.imports)}
            for i in found.importers
        ],
        "distributions": [
            {
                "name": usage.distribution,
                "versions": list(usage.versions),
                "uses": [
                    {"kind": kind.value, "name": use.name, "askers": list(use.askers)}
                    for kind in UseKind
                    for use in usage.of(kind)
                ],
            }
            for usage in found.usages
        ],
    }


def _command(args: argparse.Namespace) -> list[str]:
    """What Python is to run: everything after `--`, or after `-m`."""
    words: list[str] = args.program[1:] if args.program[:1] == ["--"] else args.program
    if args.module:
        return [*words, "-m", *args.module]
    if not words:
        raise RustextError("nothing to run", hint="rustext trace -- SCRIPT ARGS, or -m MODULE ARGS")
    if not words[0].startswith("-") and not Path(words[0]).exists():
        raise UnreadableFile(f"{words[0]} does not exist", hint=_hint(words))
    return words


def _hint(words: list[str]) -> str | None:
    """What somebody may have meant who names a command instead of a script."""
    if _PYTHON.fullmatch(words[0]):
        return f"leave it out, it is run in any case: rustext trace -- {' '.join(words[1:])}"
    command = which(words[0])
    if command is None:
        return None
    return f"name a script, `{command}` for example, or a module: rustext trace -m {words[0]}"


def run_recorded(words: list[str], python: Path) -> tuple[int, Trace, int | None]:
    """Run a program: its exit code, as a shell would say it, what was seen, and what not.

    The last is how many files were opened that are neither a distribution's nor the program's;
    None where nothing took part.
    """
    env = read_environment(python)
    with record(os.environ, env.sites) as recording:
        code = run_attached([python, *words], env=recording.variables)
        found = with_run(recording.read(env), words)
        return exit_code(code), found, recording.outside


def exit_code(code: int) -> int:
    """An exit code as a shell says it."""
    return _SIGNALLED - code if code < 0 else code


def with_run(found: Trace, words: list[str], *, folder: Path | None = None) -> Trace:
    """A record that says what was run, and of which program.

    `words` are what Python was given, or another command; `folder` is where it was run.
    """
    here = folder or Path.cwd()
    label, script = _describe_run(words)
    found = replace(found, runs=(label,))
    digest = program_digest(found, (here / script).parent if script else here)
    return replace(found, programs=(digest,)) if digest is not None else found


def _describe_run(words: list[str]) -> tuple[str, str]:
    """What a record calls a run, and the script, "" for a module or another command."""
    rest = iter(words)
    for word in rest:
        if word == "-m":
            return f"-m {next(rest, '')}", ""
        if word in {"-X", "-W"}:  # their values are words of their own
            next(rest, None)
        elif not word.startswith("-"):
            return Path(word).name, word if word.endswith(".py") else ""
    return "python", ""


def _environment(python: Path | None) -> Environment:
    return read_environment(python) if python is not None else this_environment()


def _summary(found: Trace, output: Path, outside: int | None) -> str:
    """One line about a record."""
    if outside is None:
        return f"{output}: nothing was recorded; `python -I`, `-E` and `-S` start no recorder"
    kinds = [(kind, len(usage.of(kind))) for usage in found.usages for kind in UseKind]
    modules = sum(count for kind, count in kinds if kind in MODULES)
    files = sum(count for kind, count in kinds) - modules
    said = f"{output}: {counted(modules, 'module')} and {counted(files, 'file')} of "
    said += counted(len(found.usages), "distribution")
    return f"{said}; {counted(outside, 'other file')} opened and not named" if outside else said
