"""The arguments of the command line.

In: what was typed. Out: a namespace whose `command` is `module:function`: a command's modules are
imported when it is chosen, for what all of them import takes longer than most of them run.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from rustext import __version__
from rustext.report.console import open_console, print_error
from rustext.report.rules import DOCS

_EPILOG = f"Documentation: {DOCS}; each command has --help."


def parse_arguments(args: Sequence[str]) -> argparse.Namespace:
    """Read the arguments; those for a program, after `--`, argparse would not take after an option.

    https://github.com/python/cpython/issues/58399
    """
    own, program = list(args), []
    if own[:1] in (["verify"], ["repair"]) and "--" in own:
        at = own.index("--")
        own, program = own[:at], own[at + 1 :]
    if own[:2] == ["trace", "merge"]:  # a program of this name is run with `trace -- merge`
        own[1] = "--merge"
    if own[:1] == ["help"]:
        own = [*own[1:], "--help"]
    parser = make_parser()
    parsed, rest = parser.parse_known_args(own)
    if "bundles" in parsed:  # argparse takes positionals from one place of the line alone
        parsed.bundles += [Path(word) for word in rest if not word.startswith("-")]
        parsed.arguments = program
        rest = [word for word in rest if word.startswith("-")]
    if rest:
        parser.refuse_unknown(own[0], rest)
    if "format" in parsed:
        if parsed.json and parsed.format not in (None, "json"):
            parser.error(f"argument --json: not allowed with argument --format {parsed.format}")
        guessed = _guess_format(parsed)
        parsed.format = "json" if parsed.json else parsed.format or guessed
        parsed.json = parsed.format == "json"
    return parsed


def _guess_format(parsed: argparse.Namespace) -> str:
    """The format that the name of `verify -o NAME` stands for."""
    if parsed.format is None and getattr(parsed, "output", None) is not None:
        return _FORMATS.get("".join(parsed.output.suffixes[-2:]).lower()) or _FORMATS.get(
            parsed.output.suffix.lower(), "text"
        )
    return "text"


def _seconds(text: str) -> float:
    """A time that can pass; raises `ValueError` or `ArgumentTypeError` for any other text."""
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"`{text}` is no number of seconds above 0")
    return seconds


# What the name of a report's file ends with.
_FORMATS = {
    ".htm": "html", ".html": "html", ".json": "json", ".md": "markdown", ".sarif": "sarif",
    ".sarif.json": "sarif", ".xml": "junit",
}  # fmt: skip


class _Parser(argparse.ArgumentParser):
    """A parser whose errors look like all others of rustext, with what may have been meant."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **options})
        self.commands: Mapping[str, argparse.ArgumentParser] = {}

    def error(self, message: str) -> NoReturn:
        self.refuse(message, f"`{self.prog} --help` lists what there is")

    def refuse(self, message: str, hint: str) -> NoReturn:
        """Leave with exit code 2."""
        print_error(open_console(sys.stderr), message, hint)
        raise SystemExit(2)

    def refuse_unknown(self, command: str, words: Sequence[str]) -> NoReturn:
        """Leave for words that no argument takes."""
        known = re.findall(r"--[a-z][\w-]*", self.commands[command].format_help())
        close = difflib.get_close_matches(words[0].partition("=")[0], known, n=1)
        hint = f"did you mean `{close[0]}`?" if close else f"see `rustext help {command}`"
        self.refuse(f"rustext {command} takes no `{words[0]}`", hint)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = sorted(map(str, action.choices))
            close = difflib.get_close_matches(str(value), known, n=1)
            what = f"value of {action.option_strings[-1]}" if action.option_strings else "command"
            hint = f"did you mean `{close[0]}`?" if close else f"known are {', '.join(known)}"
            self.refuse(f"`{value}` is no {what}", hint)


def make_parser() -> _Parser:
    """The parser of all commands; the reference in the documentation is made from it."""
    common = _Parser(add_help=False)
    common.add_argument("--json", action="store_true", help="print one JSON document")
    loudness = common.add_mutually_exclusive_group()
    loudness.add_argument("-q", "--quiet", action="store_true", help="no progress, no warnings")
    loudness.add_argument("-v", "--verbose", action="store_true", help="say what is being done")
    common.add_argument("--debug", action="store_true", help="show where a fault of rustext is")

    parser = _Parser(
        prog="rustext",
        description="Freeze Python programs that use Rust extension modules, and prove the result.",
        epilog=_EPILOG,
    )
    parser.add_argument("-V", "--version", action="version", version=f"rustext {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    one = commands.add_parser("scan", parents=[common], help="list the Rust extensions")
    one.add_argument("path", nargs="?", type=Path, help="a wheel, a folder of wheels, or a folder")
    one.add_argument("--python", type=Path, metavar="PATH", help="another interpreter")
    one.add_argument("--all", action="store_true", help="list native files that are not Rust too")
    one.add_argument("--no-cache", action="store_true", help="read everything anew")
    one.set_defaults(command="rustext.cli.scan_command:scan")

    one = commands.add_parser("inspect", parents=[common], help="everything about one extension")
    one.add_argument("target", help="a module or distribution name, a native file, or a wheel")
    one.add_argument("--python", type=Path, metavar="PATH", help="another interpreter")
    one.add_argument(
        "--probe", action="store_true", help="import the module once, and see what it imports"
    )
    one.add_argument("--no-cache", action="store_true", help="read everything anew")
    one.add_argument("--tree", action="store_true", help="the tree of its libraries alone")
    one.add_argument(
        "--format", choices=("text", "json", "dot"),
        help="dot: its libraries as a picture, for Graphviz",
    )  # fmt: skip
    one.set_defaults(command="rustext.cli.inspect_command:inspect")

    one = commands.add_parser("verify", parents=[common], help="prove that a bundle stands alone")
    _add_verify_arguments(one)

    one = commands.add_parser(
        "repair", parents=[common], help="mend what verification finds in a bundle, in a copy of it"
    )
    _add_repair_arguments(one)

    one = commands.add_parser("trace", parents=[common], help="record what a run uses")
    _add_trace_arguments(one)

    one = commands.add_parser(
        "record", parents=[common], help="make the project's record, by the run that it names"
    )
    one.set_defaults(command="rustext.cli.record_command:make_record")

    one = commands.add_parser(
        "plan", parents=[common], help="what a freezer would be told for one program, and why"
    )
    one.add_argument("script", type=Path, help="the program's first file")
    one.add_argument("--python", type=Path, metavar="PATH", help="another interpreter")
    one.add_argument(
        "--trace", type=Path, action="append", default=[], metavar="RECORD",
        help="a record of `rustext trace`, beside the one in pyproject.toml",
    )  # fmt: skip
    one.set_defaults(command="rustext.cli.plan_command:plan")

    one = commands.add_parser(
        "nuitka-config", parents=[common], help="write a package configuration for Nuitka"
    )
    one.add_argument("file", type=Path, help="for --user-package-configuration-file")
    one.add_argument("--python", type=Path, metavar="PATH", help="another interpreter")
    one.set_defaults(command="rustext.cli.plan_command:write_config")

    one = commands.add_parser("hooks", parents=[common], help="write PyInstaller hooks")
    one.add_argument("folder", type=Path, help="for --additional-hooks-dir; made where missing")
    one.set_defaults(command="rustext.cli.hooks_command:write_hook_files")

    one = commands.add_parser("plugin-path", parents=[common], help="for Nuitka's --user-plugin")
    one.set_defaults(command="rustext.cli.doctor_command:print_plugin_path")

    one = commands.add_parser("doctor", parents=[common], help="is this machine ready to freeze")
    one.set_defaults(command="rustext.cli.doctor_command:print_checks")
    parser.commands = commands.choices
    return parser


def _add_trace_arguments(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "-o", "--output", type=Path, metavar="FILE",
        help="where to write the record (default rustext-trace.toml)",
    )  # fmt: skip
    one.add_argument("--python", type=Path, metavar="PATH", help="another interpreter")
    one.add_argument(
        "--all", action="store_true",
        help='keep what C, Cython and other native code imports too, for scope = "native"',
    )  # fmt: skip
    one.add_argument(
        "--merge", type=Path, nargs="+", default=[], metavar="RECORD",
        help="run nothing: join these records; also written `rustext trace merge RECORD…`",
    )  # fmt: skip
    one.add_argument(
        "--start", type=Path, metavar="DIR",
        help="run nothing: Python programs that have DIR in PYTHONPATH are recorded from now on",
    )  # fmt: skip
    one.add_argument(
        "--finish", type=Path, metavar="DIR",
        help="run nothing: write the record of what was run since --start DIR",
    )  # fmt: skip
    one.add_argument(
        "-m", dest="module", nargs=argparse.REMAINDER, default=[], metavar="MODULE",
        help="run a module with the arguments that follow, as python -m does",
    )  # fmt: skip
    one.add_argument(
        "program", nargs=argparse.REMAINDER, metavar="-- SCRIPT", help="a program, its arguments"
    )
    one.set_defaults(command="rustext.cli.trace_command:trace")


def _add_verify_arguments(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "bundles", type=Path, nargs="+", metavar="BUNDLE",
        help="its folder, a one-file program, an archive (zip, tar, wheel), or a folder of builds",
    )  # fmt: skip
    one.add_argument("--no-cache", action="store_true", help="read everything anew")
    one.add_argument("--run", action="store_true", help="also start the program, isolated")
    one.add_argument(
        "--alive", type=_seconds, metavar="SECONDS",
        help="start the program, isolated: one that does not end has to run well for so long",
    )  # fmt: skip
    one.add_argument(
        "--selftest", action="store_true",
        help="also start the self-test that is built into the program, isolated",
    )  # fmt: skip
    one.add_argument(
        "--plan", type=Path, metavar="FILE",
        help="what the freezer was told, where it is not in the bundle (--rustext-report)",
    )  # fmt: skip
    one.add_argument(
        "--trace", type=Path, action="append", default=[], metavar="FILE",
        help="a record of `rustext trace`: report what the run used and the bundle lacks",
    )  # fmt: skip
    one.add_argument(
        "--timeout", type=_seconds, default=60, metavar="SECONDS",
        help="limit for --run and --selftest (default 60)",
    )  # fmt: skip
    one.add_argument(
        "--hide", type=Path, action="append", default=[], metavar="DIR",
        help="a folder that the program must not see when it is started, such as its sources",
    )  # fmt: skip
    one.add_argument(
        "--allow-system", action="append", default=[], metavar="SONAME",
        help="a library that the target machines provide",
    )  # fmt: skip
    one.add_argument(
        "--target", metavar="TAG",
        help="the machines that it has to run on, as wheels name them: manylinux_2_28_x86_64",
    )  # fmt: skip
    one.add_argument(
        "--python", metavar="KIND",
        help="the bundle's Python: 3.12, pypy3.10, or an interpreter (default: what it shows)",
    )  # fmt: skip
    one.add_argument(
        "--fix-suffix", action="store_true",
        help="first give misnamed extension modules in the folder a name that Python looks for",
    )  # fmt: skip
    one.add_argument(
        "--format",
        choices=(
            "text", "json", "html", "sarif", "github", "gitlab", "junit", "markdown",
        ),
        help="text for people (the default), or for a machine; -o FILE may say it by its name",
    )  # fmt: skip
    one.add_argument(
        "--select", action="append", default=[], metavar="ID[:PATTERN]",
        help="count nothing but these findings; the pattern is for their subjects and files",
    )  # fmt: skip
    one.add_argument(
        "--ignore", action="append", default=[], metavar="ID[:PATTERN]",
        help="do not count these findings; adds to `ignore` in pyproject.toml",
    )  # fmt: skip
    one.add_argument(
        "--baseline", type=Path, metavar="FILE", help="do not count the findings in this file"
    )
    one.add_argument(
        "--write-baseline", type=Path, metavar="FILE", help="write all findings into such a file"
    )
    one.add_argument(
        "--fail-on", choices=("error", "warning", "note", "never"), default="error",
        help="from which findings on the exit code is 1 (default error)",
    )  # fmt: skip
    one.add_argument(
        "-o", "--output", type=Path, metavar="FILE",
        help="write the report into a file; an earlier report is replaced, nothing else is",
    )  # fmt: skip
    one.usage = "%(prog)s [OPTION ...] BUNDLE [BUNDLE ...] [-- ARGUMENT_OF_THE_PROGRAM ...]"
    one.set_defaults(arguments=[])
    one.set_defaults(command="rustext.cli.verify_command:verify")


def _add_repair_arguments(one: argparse.ArgumentParser) -> None:
    one.add_argument("bundle", type=Path, help="its folder, or the one-file program")
    where = one.add_mutually_exclusive_group()
    where.add_argument(
        "-o", "--output", type=Path, metavar="NEW",
        help="the folder to make (default: BUNDLE-repaired, next to it)",
    )  # fmt: skip
    where.add_argument("--in-place", action="store_true", help="put the repaired one in its place")
    where.add_argument(
        "--dry-run", action="store_true", help="say what would be done, and write nothing"
    )
    one.add_argument(
        "--diff", action="store_true",
        help="also list each file that differs, with digests before and after",
    )  # fmt: skip
    one.add_argument(
        "--environment", type=Path, metavar="PYTHON",
        help="the Python that the bundle was made with: what is missing is taken from there",
    )  # fmt: skip
    one.add_argument(
        "--plan", type=Path, metavar="FILE",
        help="what the freezer was told, where it is not in the bundle (--rustext-report)",
    )  # fmt: skip
    one.add_argument(
        "--select", action="append", default=[], metavar="IDS",
        help="repair these findings only: ids, with commas between them",
    )  # fmt: skip
    one.add_argument("--run", action="store_true", help="then start the program, isolated")
    one.add_argument(
        "--timeout", type=float, default=60, metavar="SECONDS", help="limit for --run (default 60)"
    )
    one.add_argument(
        "--allow-system", action="append", default=[], metavar="SONAME",
        help="a library that the target machines provide",
    )  # fmt: skip
    one.add_argument(
        "--format", choices=("text", "json", "sarif"),
        help="text for people (the default), or for a machine",
    )  # fmt: skip
    one.add_argument(
        "--sarif", dest="format", action="store_const", const="sarif", help="as --format sarif"
    )
    one.add_argument("arguments", nargs="*", help="arguments for the program, after --")
    one.set_defaults(command="rustext.cli.repair_command:repair", alive=None, hide=[], python=None)
