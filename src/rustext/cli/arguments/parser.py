"""The parser of the command line, made from the tables of commands and options."""

from __future__ import annotations

import argparse
import difflib
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from rustext import __version__
from rustext.cli.arguments.commands import COMMANDS, Command
from rustext.cli.arguments.options import ANY_FORMAT, COMMON, OPTIONS, VARIABLES, Option
from rustext.report.console import open_console, print_error
from rustext.report.rules import DOCS

_NARROWEST = 20  # columns


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Help that breaks lines between words alone: options and addresses are there to be copied."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._width = max(self._width, _NARROWEST)  # argparse stops at COLUMNS=1

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)

    def _fill_text(self, text: str, width: int, indent: str) -> str:  # noqa: ARG002
        """A paragraph a line; a line that is indented stays as it is."""
        return "\n".join(
            line
            if line.startswith(" ")
            else textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False)
            for line in text.splitlines()
        )

    def _format_args(self, action: argparse.Action, default_metavar: str) -> str:
        text = super()._format_args(action, default_metavar)
        return f"{action.metavar} ..." if text == "..." else text

    def _format_usage(self, usage: str | None, *others: Any, **named: Any) -> str:
        """What argparse leaves in one line: a usage that is given."""
        text = super()._format_usage(usage, *others, **named).replace("-- ", "--\xa0")
        lines = textwrap.wrap(
            text, self._width, subsequent_indent=" " * 7, break_long_words=False,
            break_on_hyphens=False,
        )  # fmt: skip
        return "\n".join(lines).replace("\xa0", " ") + "\n\n"


class Parser(argparse.ArgumentParser):
    """A parser whose errors look like all others of rustext, with what may have been meant."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_abbrev": False, "formatter_class": Formatter, **options})
        self.commands: Mapping[str, argparse.ArgumentParser] = {}

    def error(self, message: str) -> NoReturn:
        """Leave with exit code 2; argparse calls this."""
        self.refuse(message, f"`{self.prog} --help` lists what there is")

    def refuse(self, message: str, hint: str) -> NoReturn:
        """Leave with exit code 2."""
        print_error(open_console(sys.stderr), message, hint)
        raise SystemExit(2)

    def refuse_unknown(self, command: str, words: Sequence[str]) -> NoReturn:
        """Leave for words that no argument takes."""
        if command not in self.commands:
            self.refuse(f"`{words[0]}` comes before the command", "options follow it")
        known = [name for a in self.commands[command]._actions for name in a.option_strings]  # noqa: SLF001
        close = difflib.get_close_matches(words[0].partition("=")[0], known, n=1)
        hint = f"did you mean `{close[0]}`?" if close else f"see `rustext help {command}`"
        self.refuse(f"rustext {command} takes no `{words[0]}`", hint)

    def read_variables(self, command: str, environ: Mapping[str, str]) -> None:
        """Take the defaults of a command's options from the environment; leave for a bad value.

        A format that other commands alone have is no default of this one.
        """
        for action in self.commands[command]._actions if command in self.commands else ():  # noqa: SLF001
            name = action.option_strings[-1] if action.option_strings else ""
            text = environ.get(VARIABLES.get(name, ""))
            elsewhere = name == "--format" and text in ANY_FORMAT.difference(action.choices or ())
            if text and not elsewhere:
                value = self._read_variable(action, VARIABLES[name], text)
                where = "usual_format" if name == "--format" else action.dest
                self.commands[command].set_defaults(**{where: value})

    def _read_variable(self, action: argparse.Action, variable: str, text: str) -> Any:
        known: Iterable[Any] = ("1", "0") if action.nargs == 0 else action.choices or ()
        if known and text not in known:
            self.refuse(f"{variable} is `{text}`", f"it must be one of {', '.join(known)}")
        try:
            return text == "1" if action.nargs == 0 else self._get_value(action, text)
        except argparse.ArgumentError as error:
            self.refuse(
                f"{variable}: {error.message}", f"it stands for {action.option_strings[-1]}"
            )

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = sorted(map(str, action.choices))
            close = difflib.get_close_matches(str(value), known, n=1)
            what = action.option_strings[-1] if action.option_strings else action.metavar
            what = "command" if what == "COMMAND" else f"value of {what}"
            hint = f"did you mean `{close[0]}`?" if close else f"known are {', '.join(known)}"
            self.refuse(f"`{value}` is no {what}", hint)


def make_parser() -> Parser:
    """The parser of all commands; the reference in the documentation is made from it."""
    parser = Parser(
        prog="rustext",
        usage="rustext [-h] [-V] COMMAND ...",
        description="Freeze Python programs that use Rust extension modules, and prove the result.",
        epilog=f"`rustext help COMMAND` tells more about each.\nDocumentation: {DOCS}",
    )
    parser.add_argument(
        "-V", "--version", action="version", version=f"rustext {__version__}",
        help="print the version",
    )  # fmt: skip
    commands = parser.add_subparsers(required=True, metavar="COMMAND", prog="rustext")
    for command in COMMANDS:
        one = commands.add_parser(
            command.name, help=command.short, description=command.about, epilog=_epilog(command),
            usage=f"rustext {command.name} {command.usage}",
        )  # fmt: skip
        _add(one, command.options)
        if command.exclusive:
            _add(one.add_mutually_exclusive_group(), command.exclusive)
        _add(one, command.common)
        keys = [key for key in command.options if key.startswith("format")]
        is_report = {"output-report", "output-reports"} & set(command.options)
        formats = OPTIONS[keys[0]].settings["choices"] if is_report else ()
        one.set_defaults(command=command.runs, name=command.name, arguments=[], formats=formats)
        one.set_defaults(usual_format="text")
        one.set_defaults(**{key: OPTIONS[key].settings.get("default", False) for key in COMMON})
    parser.commands = commands.choices
    return parser


def _add(parser: argparse._ActionsContainer, keys: Iterable[str]) -> None:
    for key in keys:
        option: Option = OPTIONS[key]
        variable = VARIABLES.get(option.names[-1])
        said = f"{option.settings['help']} [{variable}]" if variable else option.settings["help"]
        parser.add_argument(*option.names, **{**option.settings, "help": said})


def _epilog(command: Command) -> str:
    codes = "\n".join(f"  {code}  {meaning}" for code, meaning in command.exits)
    return f"example:\n  {command.example}\n\nexit codes:\n{codes}"
