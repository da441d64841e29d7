"""The command line: reads arguments, runs stages, renders what they return.

Exit codes: 0 for good, 1 for findings at error level, 2 for a question that cannot be answered.
"""

from __future__ import annotations

import argparse
import importlib
import io
import logging
import os
import sys
from collections.abc import Callable, Sequence

from rustext.cli.arguments import parse_arguments
from rustext.errors import RustextError
from rustext.report.console import Console, describe_error, open_console, print_error


def run(args: Sequence[str]) -> int:
    """Run one command; return its exit code."""
    parsed = parse_arguments(args)
    level = logging.DEBUG if parsed.verbose else logging.ERROR if parsed.quiet else logging.WARNING
    logging.basicConfig(level=level, format="%(name)s: %(message)s", stream=sys.stderr)
    module, _, name = parsed.command.partition(":")
    try:
        command: Callable[[argparse.Namespace, Console], int]
        command = getattr(importlib.import_module(module), name)
        return command(parsed, _stdout())
    except BrokenPipeError:  # the reader has seen enough: `rustext scan | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (RustextError, OSError) as error:  # the system's: a name too long, a full disk
        print_error(open_console(sys.stderr), *describe_error(error))
        return 2
    except KeyboardInterrupt:
        return 130


def _stdout() -> Console:
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file's name need not be text
        sys.stdout.reconfigure(errors="backslashreplace")
    return open_console(sys.stdout)
