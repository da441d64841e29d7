"""The commands that tell freezers about an environment."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from rustext.config import find_config
from rustext.environment import (
    this_environment,
)
from rustext.errors import UnreadableFile
from rustext.hook_files import write_hooks
from rustext.plan import Planner
from rustext.report.console import print_json, progress_line


def write_hook_files(args: argparse.Namespace, console: Console) -> int:
    """`rustext hooks`: hooks for this environment."""
    folder: Path = args.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise UnreadableFile(f"{folder} is no folder, which hooks need") from error
    with progress_line(args) as progress:
        progress.add_task("reading the environment", total=None)
        written = write_hooks(Planner(this_environment(), find_config(Path.cwd())), folder)
    if args.json:
        print_json(console, {"hooks": [str(path) for path in written]})
    else:
        modules = {path.name for path in written}
        console.print(f"{len(modules)} hooks in {folder}", markup=False, soft_wrap=True)
    return 0
