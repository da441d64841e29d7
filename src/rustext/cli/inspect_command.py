"""`rustext inspect`: everything about the native files of one target.

In: arguments. Out: text or JSON on stdout. The output is cached, with the files that it was
made from: as long as neither they nor the environment nor the project's configuration change, the
same question is answered from the cache, and no module that reads binaries is so much as imported.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from rustext.environment import interpreter_facts as interpreter
from rustext.files.cache import Cache, Listing, Row, identify, is_current, open_cache
from rustext.report.console import Console

_LOADER_VARIABLES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH")
_ROOT = Path(Path(sys.prefix).anchor)  # what the paths of a listing are relative to


def inspect(args: argparse.Namespace, console: Console) -> int:
    """Print the plans of the target; raises `RustextError` if there is nothing of that name."""
    own = args.format in ("markdown", "html")
    if (
        own or args.probe or args.python or args.config or args.no_cache
    ):  # more has a say in the answer
        _print_inspection(args, console)
        return 0
    cache = open_cache("inspect", _question(args, console))
    known = cache.read(_ROOT)
    if known is not None and is_current(known, _ROOT):
        text = json.loads(known.rows[0].text)
    else:
        printed = io.StringIO()
        sources = _print_inspection(args, replace(console, stream=printed))
        text = printed.getvalue()
        _store(cache, text, sources)
    console.write(text)
    return 0


def _print_inspection(args: argparse.Namespace, console: Console) -> tuple[Path, ...]:
    inspection = importlib.import_module("rustext.cli.inspection")
    sources: tuple[Path, ...] = inspection.print_inspection(args, console)
    return sources


def _question(args: argparse.Namespace, console: Console) -> str:
    """All that decides the answer, but the files that are read for it."""
    facts = interpreter.describe()
    asked = {k: str(v) for k, v in sorted(vars(args).items()) if k != "quiet"}
    look = (console.width, console.styled, console.unicode)
    loader = [os.environ.get(name) for name in _LOADER_VARIABLES]
    known = (asked, os.fspath(Path.cwd()), look, loader, facts, list(_iter_state(facts)))
    return hashlib.sha256(json.dumps(known).encode("utf-8", "surrogatepass")).hexdigest()


def _iter_state(facts: dict[str, object]) -> Iterator[object]:
    """What is installed, and how the project and the system's loader are configured."""
    for site in interpreter.sites(facts["path"], facts["stdlib"], facts["prefixes"]):  # type: ignore[arg-type]
        yield [os.fspath(site), identify(site)]
        yield [[str(r), identify(r)] for r in sorted(site.glob("*.dist-info/RECORD"))]
    for folder in (Path.cwd(), *Path.cwd().parents):
        file = folder / "pyproject.toml"
        if file.is_file():
            yield [os.fspath(file), identify(file)]
            break
    yield identify("/etc/ld.so.cache")


def _store(cache: Cache, text: str, sources: Iterable[Path]) -> None:
    known = {os.fspath(path.absolute()): identify(path) for path in sources}
    files = {name: identity for name, identity in known.items() if identity is not None}
    if files and all(Path(name).anchor == str(_ROOT) for name in files):
        relative = {os.path.relpath(name, _ROOT): identity for name, identity in files.items()}
        row = Row(path="", owner="", text=json.dumps(text))
        cache.write(_ROOT, Listing(folders={}, files=relative, rows=(row,)))
