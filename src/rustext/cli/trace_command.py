"""`rustext trace`: run a program and keep what its native code imports; merge such records."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from rustext.environment.child_process import run_attached
from rustext.environment.environment import read_environment
from rustext.errors import RustextError, UnreadableFile
from rustext.report.console import Console, counted, open_console
from rustext.report.documents import to_json
from rustext.tracing.recording import record
from rustext.tracing.trace_file import Trace, format_trace, merge, read_trace

_SIGNALLED = 128  # what shells add to the number of the signal that ended a program


def trace(args: argparse.Namespace, console: Console) -> int:
    """Run the program or read the records; write one record; return the program's exit code."""
    if args.merge:
        code, found = 0, merge(read_trace(path) for path in args.merge)
    else:
        code, found = _run(_command(args), args.python or Path(sys.executable))
        found = found if args.all else found.without_other_languages()
    _write(args.output, found)
    if args.json:
        console.write(to_json(trace_json(found)))
    elif not args.quiet:
        # The program's own output is on stdout, and somebody may read that.
        open_console(sys.stderr).line(_summary(found, args.output))
    return code


def trace_json(found: Trace) -> dict[str, object]:
    """The record as JSON holds it."""
    return {
        "importers": [
            {"name": i.name or None, "language": i.language.value, "imports": list(i.imports)}
            for i in found.importers
        ]
    }


def _command(args: argparse.Namespace) -> list[str]:
    """What Python is to run: everything after `--`, or after `-m`."""
    words: list[str] = args.program[1:] if args.program[:1] == ["--"] else args.program
    if args.module:
        return [*words, "-m", *args.module]
    if not words:
        raise RustextError("nothing to run", hint="rustext trace -- SCRIPT ARGS, or -m MODULE ARGS")
    if not words[0].startswith("-") and not Path(words[0]).exists():
        raise UnreadableFile(f"{words[0]} does not exist")
    return words


def _run(words: list[str], python: Path) -> tuple[int, Trace]:
    """Run a program; return its exit code, as a shell would say it, and what was seen."""
    env = read_environment(python)
    with record(os.environ) as recording:
        code = run_attached([python, *words], env=recording.variables)
        return (_SIGNALLED - code if code < 0 else code), recording.read(env)


def _write(output: Path, found: Trace) -> None:
    try:
        output.write_text(format_trace(found), encoding="utf-8", newline="\n")
    except OSError as error:
        raise UnreadableFile(f"{output} cannot be written: {error.strerror}") from error


def _summary(found: Trace, output: Path) -> str:
    modules = counted(len({m for i in found.importers for m in i.imports}), "module")
    return f"{output}: {modules}, imported by {counted(len(found.importers), 'native file')}"
