"""The command line: reads arguments, runs stages, renders what they return.

Exit codes: 0 for good, 1 for findings that count or a machine that is not ready, 2 for a question
that cannot be answered, 3 for a fault of rustext itself.
"""

from __future__ import annotations

import argparse
import importlib
import io
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence

from rustext.cli.arguments import parse_arguments
from rustext.errors import RustextError
from rustext.report.console import Console, describe_error, open_console, print_error
from rustext.report.escape import one_line
from rustext.report.rules import DOCS

_Command = Callable[[argparse.Namespace, Console], int]
_PAGES = ("markdown", "html")
_LONGEST = 200  # characters of an error that is not ours
# https://no-color.org, https://force-color.org
_COLORS = {
    "always": {"NO_COLOR": "", "FORCE_COLOR": "1"},
    "never": {"NO_COLOR": "1", "FORCE_COLOR": ""},
}


class _OneLine(logging.Formatter):
    """Log lines that no name of a file breaks."""

    def format(self, record: logging.LogRecord) -> str:
        return one_line(super().format(record))


def run(args: Sequence[str]) -> int:
    """Run one command; return its exit code."""
    parsed = parse_arguments(args)
    if parsed.color != "auto":  # what is started hears of it too
        os.environ.update(_COLORS[parsed.color])
    level = (
        logging.DEBUG if parsed.verbose > 1 else logging.ERROR if parsed.quiet else logging.WARNING
    )
    log = logging.StreamHandler(sys.stderr)
    log.setFormatter(_OneLine("%(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[log])
    module, _, name = parsed.command.partition(":")
    try:
        command: _Command = getattr(importlib.import_module(module), name)
        console = _stdout(silent=parsed.quiet > 1 and not parsed.json)
        is_page = parsed.formats and "bundles" not in parsed and parsed.format != "dot"
        if is_page and (parsed.output is not None or parsed.format in _PAGES):
            return _write_page(command, parsed, console)
        return command(parsed, console)
    except BrokenPipeError:  # the reader has seen enough: `rustext scan | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (RustextError, OSError, MemoryError) as error:  # a name too long, a full disk
        print_error(open_console(sys.stderr), *describe_error(error))
        return 2
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 (no other exit code may mean a fault of ours)
        if parsed.debug:
            traceback.print_exc()
        what = f"{type(error).__name__}: {error}".splitlines()[0][:_LONGEST]
        hint = f"report it with what --debug shows: {DOCS}"
        print_error(open_console(sys.stderr), f"a fault of rustext: {what}", hint)
        return 3


def _write_page(command: _Command, parsed: argparse.Namespace, console: Console) -> int:
    """Run a command, and write what it prints as one document, to a file or to `console`."""
    out = io.StringIO()
    printed = Console(stream=out)
    page = None
    if parsed.format in _PAGES:
        given = [
            *vars(parsed).get("paths", ()),
            *(vars(parsed).get(k) for k in ("target", "script")),
        ]
        title = " ".join(("rustext", parsed.name, *(str(word) for word in given if word)))
        printed = page = importlib.import_module("rustext.report.page").Page(
            stream=out, title=title
        )
    failed: RustextError | None = None
    code = 2
    try:
        code = command(parsed, printed)
    except RustextError as error:  # of a folder of wheels, some may have been read
        failed = error
    text: str = page.render(parsed.format) if page is not None else out.getvalue()
    if failed is not None and not (page.blocks if page is not None else text):
        raise failed
    if parsed.output is None:
        console.write(text)
    else:
        importlib.import_module("rustext.report.output").write_report(text, parsed.output)
        if not parsed.quiet:
            open_console(sys.stderr).line(f"report: {parsed.output}")
    if failed is not None:
        raise failed
    return code


def _stdout(*, silent: bool) -> Console:
    if silent:
        return open_console(None)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file's name need not be text
        sys.stdout.reconfigure(errors="backslashreplace")
    return open_console(sys.stdout)
