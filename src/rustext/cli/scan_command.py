"""`rustext scan`: the native files of an environment, a folder, a wheel or a folder of wheels.

In: arguments. Out: one row a native file, on stdout. Rows are JSON texts from the start: those of
a folder that has not changed come out of the cache and are written as they are, and no module
that reads binaries is so much as imported.
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rustext.environment import interpreter_facts as interpreter
from rustext.errors import InvalidWheel, RustextError, UnreadableFile
from rustext.files.cache import is_current, open_cache
from rustext.report.console import Console, counted, open_console, print_error

_log = logging.getLogger(__name__)
_IS_RUST = '"rust": true'  # in a row's text; within a string its marks would have backslashes


def scan(args: argparse.Namespace, console: Console) -> int:
    """Print the rows; raises `InvalidWheel` at the end if some wheels could not be read."""
    refused: list[RustextError] = []
    files = [file for path in args.paths for file in _files(path, alone=len(args.paths) == 1)]
    if not files:
        rows = _scan_folders(_folders(args), args)
    elif files == args.paths and len(files) == 1:
        rows = _reader().read_file(files[0])
    else:
        quiet = args.quiet or args.json
        rows = _reader().read_files(files, refused, jobs=args.jobs, quiet=quiet)
    if args.format == "cyclonedx":
        documents = importlib.import_module("rustext.report.documents")
        rust = [json.loads(row) for row in rows if _IS_RUST in row]
        console.write(documents.to_json(documents.bill_of_materials(rust)))
    elif args.json:
        _write_json(console, [row for row in rows if args.all or _IS_RUST in row])
    else:
        _print_table(console, [json.loads(row) for row in rows], everything=args.all)
    for error in refused:
        print_error(open_console(sys.stderr), str(error), error.hint)
    if refused:
        raise InvalidWheel(f"{len(refused)} of {len(files)} files could not be read")
    return 0


def _files(path: Path, *, alone: bool) -> Sequence[Path]:
    """The files to read for one argument: a wheel or a native file, or the wheels of a folder."""
    if not path.is_dir():
        return [path]
    wheels = sorted(path.glob("*.whl"))
    if not wheels and not alone:
        raise UnreadableFile(
            f"{path} holds no wheels", hint="name an environment, or a folder of other files, alone"
        )
    return wheels


def _reader() -> Any:
    """The part of the command that reads binaries; a folder found in the cache needs none of it."""
    return importlib.import_module("rustext.cli.scan_rows")


def _environments() -> Any:
    """What reads another interpreter's environment."""
    return importlib.import_module("rustext.environment.environment")


def _editable_installs() -> Any:
    """What reads the import finders of editable installs; few environments have one."""
    return importlib.import_module("rustext.environment.editable_installs")


def _folders(args: argparse.Namespace) -> Sequence[Path]:
    if args.paths:
        root = args.paths[0].resolve()
        next(root.iterdir(), None)  # raises where it cannot be listed, which is no empty folder
        return _sites_of(root) if (root / "pyvenv.cfg").is_file() else [root]
    if args.python is not None:
        folders: Sequence[Path] = _environments().read_environment(args.python).sites
        return folders
    facts: dict[str, Any] = interpreter.describe()
    path: list[str] = facts["path"]
    # Python puts the folder of the program that it runs first, for `-m` the current one: neither
    # is part of the environment. https://docs.python.org/3/library/sys.html#sys.path
    if path[:1] == sys.path[:1] and not getattr(sys.flags, "safe_path", False):
        path = path[1:]
    folders = interpreter.sites(path, facts["stdlib"], facts["prefixes"])
    editable = _editable_installs().find_editable(folders)
    for fault in editable.faults:
        _log.warning("%s", fault)
    if editable.modules:
        try:
            folders = [*map(Path, _editable_installs().search_path(editable, map(str, folders)))]
        except UnreadableFile as error:
            _log.warning("%s", error)
    return folders


def _sites_of(venv: Path) -> Sequence[Path]:
    """The folders for packages of a virtual environment, whose Python is not started.

    https://docs.python.org/3/library/sysconfig.html#installation-paths
    """
    names = ("lib/python*/site-packages", "lib64/python*/site-packages", "Lib/site-packages")
    found = {path.resolve() for name in names for path in venv.glob(name)}
    return sorted(found) or [venv]


def _scan_folders(folders: Sequence[Path], args: argparse.Namespace) -> list[str]:
    cache = None if args.no_cache else open_cache("scan")
    found: dict[str, str] = {}
    for folder in folders:
        known = cache.read(folder) if cache is not None else None
        if known is None or not is_current(known, folder):
            known = _reader().list_folder(folder, known, quiet=args.quiet or args.json)
            if cache is not None:
                cache.write(folder, known)
        found.update({f"{folder}/{row.path}": row.text for row in known.rows})
    return list(found.values())


# --- output -----------------------------------------------------------------------------------


def _write_json(console: Console, rows: Iterable[str]) -> None:
    """One document, an extension a line."""
    text = ",\n    ".join(rows)
    console.write(
        f'{{\n  "extensions": [\n    {text}\n  ]\n}}\n' if text else '{\n  "extensions": []\n}\n'
    )


def _print_table(console: Console, rows: Sequence[Mapping[str, Any]], *, everything: bool) -> None:
    rows = sorted(rows, key=lambda row: (row["distribution"] or "", row["file"]))
    rust = [row for row in rows if row["rust"]]
    lines = [_cells(row) for row in (rows if everything else rust)]
    if lines:
        head = ("module or file", "distribution", "binding", "rustc", "platform")
        console.table([head, *lines])
    console.line(f"{len(rust)} Rust of {counted(len(rows), 'native file')}")


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    binding = f"{row['binding']} {row['pyo3']}" if row["pyo3"] else row["binding"]
    floor = f", glibc {row['glibc_floor']}" if row["glibc_floor"] else ""
    minimum = f", macOS {row['minimum_os']}" if row["minimum_os"] else ""
    return (
        row["module"] or f"{row['file']}  ({_kind(row['naming'])})",
        f"{row['distribution'] or '-'} {row['version'] or ''}".strip(),
        binding,
        row["rustc"] or "-",
        f"{row['format']} {'+'.join(row['architectures'])}{floor}{minimum}",
    )


def _kind(naming: Sequence[str]) -> str:
    """What a native file is that nothing can import."""
    if "executable" in naming:
        return "a program"
    return "a library" if "no-init" in naming else "no Python imports it"
