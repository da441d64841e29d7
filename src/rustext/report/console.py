"""What every command does with its console: JSON on stdout, a progress line on stderr.

In: the arguments that all commands share (`quiet`, `json`). Out: nothing but what is shown.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from rustext.report.documents import to_json


def print_json(console: Console, value: Mapping[str, Any]) -> None:
    """Print one JSON document."""
    console.print(to_json(value), markup=False, soft_wrap=True)


def progress_line(args: argparse.Namespace) -> Progress:
    """A progress line on stderr; it shows on a terminal alone, and leaves no trace."""
    console = Console(stderr=True)
    console.quiet = args.quiet or args.json or not console.is_terminal
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=console.quiet,
    )
