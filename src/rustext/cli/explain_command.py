"""`rustext explain` and `rustext completion`, texts that come with rustext, and `rustext clean`."""

from __future__ import annotations

import argparse
import importlib
import re
from pathlib import Path
from typing import Any

from rustext.cli.arguments import make_parser
from rustext.data import finding_page
from rustext.errors import RustextError
from rustext.files.cache import clear_cache
from rustext.report.console import Console, Style
from rustext.report.documents import to_json
from rustext.report.rules import RULES, help_uri

_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")
_RULER = re.compile(r"^\|[-|]+\n", re.MULTILINE)  # between a table's head and its rows


def explain(args: argparse.Namespace, console: Console) -> int:
    """Print the page about a finding, or the list of all findings."""
    if args.json:
        names = [args.id] if args.id else sorted(RULES)
        console.write(to_json({"findings": [_as_json(name) for name in names]}))
    elif args.id is None:
        width = max(map(len, RULES))
        for name, meaning in sorted(RULES.items()):
            console.line((f"{name:<{width}}", Style.BOLD), f"  {meaning}", indent=width + 2)
    else:
        _print_page(console, finding_page(args.id))
        console.line(help_uri(args.id))
    return 0


def _as_json(name: str) -> dict[str, str]:
    text = finding_page(name)
    return {"id": name, "meaning": RULES[name], "page": text, "url": help_uri(name)}


def _print_page(console: Console, text: str) -> None:
    """A page of Markdown without its marks; a terminal breaks paragraphs where it ends."""
    for number, part in enumerate(re.split(r"^```.*\n", text, flags=re.MULTILINE)):
        if number % 2:  # a block of code
            for line in part.splitlines():
                console.line(f"    {line}")
            continue
        prose = _RULER.sub("", _LINK.sub(r"\1", part))
        if console.width is not None:  # an item and a row begin lines of their own
            prose = re.sub(r"(?<=[^\n])\n(?![-|*\n] ?)\s*(?=\S)", " ", prose)
        for line in prose.splitlines():
            title = line.lstrip("# ") if line.startswith("#") else None
            console.line((title, Style.BOLD) if title else line, indent=2 * line.startswith("- "))


def clean(args: argparse.Namespace, console: Console) -> int:
    """Empty the cache, and say what that freed."""
    folder, files, size = clear_cache()
    if args.json:
        console.write(to_json({"folder": str(folder), "files": files, "bytes": size}))
    else:
        console.line(f"removed {files} files ({size / 1e6:.1f} MB) from {folder}")
    return 0


def print_completion(args: argparse.Namespace, console: Console) -> int:
    """Print the script that completes the words of a command line.

    Raises `RustextError` without shtab, which reads the parser: https://docs.iterative.ai/shtab/
    """
    try:
        shtab: Any = importlib.import_module("shtab")
    except ImportError as error:
        hint = "pip install 'rustext[completion]'"
        raise RustextError("completion scripts are made by shtab", hint=hint) from error
    parser = make_parser()
    for one in parser.commands.values():
        for action in one._actions:  # noqa: SLF001  (argparse has no other way to list them)
            if action.type is Path:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    console.write(shtab.complete(parser, shell=args.shell))
    return 0
