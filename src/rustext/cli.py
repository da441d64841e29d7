"""The command line: reads arguments, runs stages, renders what they return.

Exit codes: 0 for good, 1 for findings at error level, 2 for a question that cannot be answered.
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from rustext import __version__, doctor, trace_command
from rustext.commands import inspect, scan, verify, write_hook_files
from rustext.errors import RustextError
from rustext.findings import Severity
from rustext.report import to_json

_PIPE_WIDTH = 240  # columns
_EPILOG = "Documentation: docs/ in the source; each command has --help."


class _Output(Console):
    """A console that leaves a closed pipe to `run`; rich's own exits with 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def run(args: Sequence[str]) -> int:
    """Run one command; return its exit code."""
    parsed = _parse(args)
    level = logging.DEBUG if parsed.verbose else logging.ERROR if parsed.quiet else logging.WARNING
    logging.basicConfig(level=level, format="%(name)s: %(message)s", stream=sys.stderr)
    command: Callable[[argparse.Namespace, Console], int] = parsed.command
    try:
        return command(parsed, _stdout())
    except RustextError as error:
        return _refuse(str(error), error.hint)
    except BrokenPipeError:  # the reader has seen enough: `rustext scan | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # a name that is too long, a full disk: the system's own words
        return _refuse(": ".join(str(p) for p in (error.filename, error.strerror or error) if p))
    except KeyboardInterrupt:
        return 130


def _parse(args: Sequence[str]) -> argparse.Namespace:
    """Read the arguments; those for a program, after `--`, argparse would not take after an option.

    https://github.com/python/cpython/issues/58399
    """
    own, program = list(args), []
    if own[:1] == ["verify"] and "--" in own:
        at = own.index("--")
        own, program = own[:at], own[at + 1 :]
    parsed = _parser().parse_args(own)
    if program:
        parsed.arguments = [*parsed.arguments, *program]
    return parsed


def _refuse(message: str, hint: str | None = None) -> int:
    """Say on stderr why the question cannot be answered; what a path holds stays on one line."""
    console = Console(stderr=True, highlight=False)
    for label, text in (("[red]error:[/red]", message), ("[bold]hint:[/bold]", hint)):
        if text:
            console.print(f"{label} {escape(_one_line(text))}", soft_wrap=True)
    return 2


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _stdout() -> Console:
    """A console as wide as the terminal; a pipe gets whole lines, whatever their length."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file's name need not be text
        sys.stdout.reconfigure(errors="backslashreplace")
    return _Output(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print one JSON document")
    loudness = common.add_mutually_exclusive_group()
    loudness.add_argument("-q", "--quiet", action="store_true", help="no progress, no warnings")
    loudness.add_argument("-v", "--verbose", action="store_true", help="say what is being done")

    parser = argparse.ArgumentParser(
        prog="rustext",
        description="Freeze Python programs that use Rust extension modules, and prove the result.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"rustext {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    one = commands.add_parser("scan", parents=[common], help="list the Rust extensions")
    one.add_argument("path", nargs="?", type=Path, help="a wheel, a folder of wheels, or a folder")
    one.add_argument("--python", type=Path, metavar="PATH", help="another interpreter")
    one.add_argument("--all", action="store_true", help="list native files that are not Rust too")
    one.set_defaults(command=scan)

    one = commands.add_parser("inspect", parents=[common], help="everything about one extension")
    one.add_argument("target", help="a module or distribution name, a native file, or a wheel")
    one.add_argument("--python", type=Path, metavar="PATH", help="another interpreter")
    one.add_argument("--tree", action="store_true", help="the tree of its libraries alone")
    one.add_argument(
        "--format", choices=("text", "dot"), default="text",
        help="dot: its libraries as a picture, for Graphviz",
    )  # fmt: skip
    one.set_defaults(command=inspect)

    one = commands.add_parser("verify", parents=[common], help="prove that a bundle stands alone")
    one.add_argument("bundle", type=Path, help="the folder that the freezer made")
    one.add_argument("--run", action="store_true", help="also start the program, isolated")
    one.add_argument(
        "--timeout", type=float, default=60, metavar="SECONDS", help="limit for --run (default 60)"
    )
    one.add_argument(
        "--hide", type=Path, action="append", default=[], metavar="DIR",
        help="a folder that the program must not see in --run, such as its sources",
    )  # fmt: skip
    one.add_argument(
        "--allow-system", action="append", default=[], metavar="SONAME",
        help="a library that the target machines provide",
    )  # fmt: skip
    one.add_argument("arguments", nargs="*", help="arguments for the program, after --")
    one.set_defaults(command=verify)

    one = commands.add_parser("trace", parents=[common], help="record what native code imports")
    trace_command.add_arguments(one)

    one = commands.add_parser("hooks", parents=[common], help="write PyInstaller hooks")
    one.add_argument("folder", type=Path, help="for --additional-hooks-dir; made where missing")
    one.set_defaults(command=write_hook_files)

    one = commands.add_parser("plugin-path", parents=[common], help="for Nuitka's --user-plugin")
    one.set_defaults(command=_plugin_path)

    one = commands.add_parser("doctor", parents=[common], help="is this machine ready to freeze")
    one.set_defaults(command=_doctor)
    return parser


def _plugin_path(args: argparse.Namespace, console: Console) -> int:
    path = str(doctor.plugin_path())
    console.print(to_json({"plugin": path}) if args.json else path, markup=False, soft_wrap=True)
    return 0


def _doctor(args: argparse.Namespace, console: Console) -> int:
    checks = doctor.examine()
    failed = any(check.severity is Severity.ERROR for check in checks)
    if args.json:
        rows = [
            {
                "name": c.name,
                "severity": c.severity.value if c.severity else None,
                "message": c.message,
                "hint": c.hint,
            }
            for c in checks
        ]
        console.print(to_json({"ok": not failed, "checks": rows}), markup=False, soft_wrap=True)
        return int(failed)
    for check in checks:
        label = "[green]ok[/green]     " if check.severity is None else f"{check.severity.value:<7}"
        console.print(f"{label} {check.name:<18} {escape(check.message)}", soft_wrap=True)
        if check.hint:
            console.print(f"        [bold]hint:[/bold] {escape(check.hint)}", soft_wrap=True)
    return int(failed)
