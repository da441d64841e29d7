"""The arguments of the command line.

In: what was typed. Out: a namespace whose `command` is `module:function`: a command's modules are
imported when it is chosen, for what all of them import takes longer than most of them run.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from glob import glob
from pathlib import Path

from rustext.cli.arguments.options import FORMAT_OF_SUFFIX
from rustext.cli.arguments.parser import Parser, make_parser

__all__ = ["make_parser", "parse_arguments"]


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
    if not own:  # as ruff, uv and cargo answer
        parser.print_help(sys.stderr)
        raise SystemExit(2)
    parser.read_variables(own[0], os.environ)
    parsed, rest = parser.parse_known_args(own)
    parsed.arguments = program
    if program and not parsed.run and getattr(parsed, "alive", None) is None:
        parser.refuse("words behind `--` are for a program that is started", "add --run")
    if "bundles" in parsed:  # argparse takes positionals from one place of the line alone
        parsed.bundles += [Path(word) for word in rest if word and not word.startswith("-")]
        rest = [word for word in rest if not word or word.startswith("-")]
    if rest:
        parser.refuse_unknown(own[0], rest)
    _expand(parsed, windows=sys.platform == "win32")
    loudness = parsed.verbose - parsed.quiet
    parsed.verbose, parsed.quiet = max(loudness, 0), max(-loudness, 0)
    if "format" in parsed:
        if parsed.json and parsed.format not in (None, "json"):
            parser.error(f"argument --json: not allowed with argument --format {parsed.format}")
        _settle_formats(parsed, parser)
    return parsed


def _expand(parsed: argparse.Namespace, *, windows: bool) -> None:
    """Put files in the place of patterns, which the shells of Windows leave as they are."""
    for key in vars(parsed).keys() & {"bundles", "paths"} if windows else ():
        paths: list[Path] = []
        for path in vars(parsed)[key]:
            found = [] if path.exists() else sorted(glob(str(path)))  # noqa: PTH207 (absolute ones)
            paths += map(Path, found or [path])
        setattr(parsed, key, paths)


def _settle_formats(parsed: argparse.Namespace, parser: Parser) -> None:
    """Say what is written where: one file gets what was asked for, several what their names say."""
    asked = "json" if parsed.json else parsed.format
    spare = asked or parsed.usual_format
    if "outputs" in parsed:
        alone = asked if len(parsed.outputs) == 1 else None
        parsed.reports = [
            (output, alone or _guess_format(output, parsed, parser) or spare)
            for output in parsed.outputs or [None]
        ]
        parsed.format = parsed.reports[0][1] if len(parsed.reports) == 1 else spare
    else:
        output = getattr(parsed, "output", None)
        parsed.format = asked or _guess_format(output, parsed, parser) or spare
    parsed.json = parsed.format == "json"


def _guess_format(output: Path | None, parsed: argparse.Namespace, parser: Parser) -> str | None:
    """The format that the name in `-o NAME` means, where that is the name of a report."""
    if output is None or not parsed.formats:
        return None
    ends = ("".join(output.suffixes[-2:]).lower(), output.suffix.lower())
    found = next((FORMAT_OF_SUFFIX[end] for end in ends if end in FORMAT_OF_SUFFIX), None)
    if found and found not in parsed.formats:
        known = ", ".join(parsed.formats)
        parser.refuse(f"{output}: `{parsed.name}` has no `{found}`", f"its formats are {known}")
    return found
