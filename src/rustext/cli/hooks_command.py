"""The commands that tell freezers about an environment."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from rustext.environment.environment import this_environment
from rustext.errors import UnwritableFile
from rustext.freezing.project import folder_environment, read_project
from rustext.freezing.pyinstaller.hook_files import write_hooks
from rustext.plan.planner import Planner
from rustext.report.console import Console, progress_line
from rustext.report.documents import to_json

_log = logging.getLogger(__name__)


def write_hook_files(args: argparse.Namespace, console: Console) -> int:
    """`rustext hooks`: hooks for this environment."""
    folder: Path = args.folder
    env = folder_environment(this_environment(), Path.cwd())
    planner = Planner(env, read_project(Path.cwd(), env, file=args.config))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise UnwritableFile(f"{folder} is not a folder, which hooks need") from error
    with progress_line("reading the environment", quiet=args.quiet or args.json):
        written = write_hooks(planner, folder)
    for fault in env.faults:
        _log.warning("%s", fault)
    if args.json:
        console.write(to_json({"hooks": [str(path) for path in written]}))
    else:
        modules = {path.name for path in written}
        console.line(f"{len(modules)} hooks in {folder}")
    return 0
