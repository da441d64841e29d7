"""The options of all commands, each written once.

`OPTIONS` maps a key, by which the table of commands names an option, to the words that users type
and to what argparse is told. A key is the option's name, with what tells two of one name apart.
"""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rustext.report.rules import RULES

_MOST_JOBS = 512
FORMATS = ("text", "json", "html", "sarif", "github", "azure", "gitlab", "junit", "markdown")
PAGE_FORMATS = ("text", "json", "markdown", "html")
_FORMAT = "text is the default; the name of -o FILE may say it (report.html)"
# Options that a variable of the environment may give; the command line counts for more.
VARIABLES = {
    "--baseline": "RUSTEXT_BASELINE", "--fail-on": "RUSTEXT_FAIL_ON", "--format": "RUSTEXT_FORMAT",
    "--jobs": "RUSTEXT_JOBS", "--no-cache": "RUSTEXT_NO_CACHE", "--timeout": "RUSTEXT_TIMEOUT",
}  # fmt: skip
# What the name of a report's file ends with.
FORMAT_OF_SUFFIX = {
    ".cdx.json": "cyclonedx", ".htm": "html", ".html": "html", ".json": "json",
    ".md": "markdown", ".sarif": "sarif", ".sarif.json": "sarif", ".xml": "junit",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """What `add_argument` is called with."""

    names: tuple[str, ...]
    settings: Mapping[str, Any]


def _option(*names: str, **settings: Any) -> Option:
    return Option(names=names, settings=settings)


def _flag(*names: str, help: str) -> Option:  # noqa: A002  (argparse's word)
    return Option(names=names, settings={"action": "store_true", "help": help})


def _file(*names: str, metavar: str = "FILE", **settings: Any) -> Option:
    return Option(names=names, settings={"type": path, "metavar": metavar, **settings})


def _list(*names: str, **settings: Any) -> Option:
    return Option(names=names, settings={"action": "append", "default": [], **settings})


def _choice(*names: str, choices: tuple[str, ...], help: str, **settings: Any) -> Option:  # noqa: A002
    """A choice; the values lead the help, which a narrow terminal can break."""
    settings = {"metavar": names[-1][2:].upper(), **settings}
    known = f"{', '.join(choices[:-1])} or {choices[-1]}"
    return _option(*names, choices=choices, help=f"{known}: {help}", **settings)


def seconds(text: str) -> float:
    """A time that can pass; raises `ArgumentTypeError` for any other text."""
    with contextlib.suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise argparse.ArgumentTypeError(f"`{text}` is no number of seconds above 0")


def path(text: str) -> Path:
    """A path; raises `ArgumentTypeError` for none, as of a variable that is not set."""
    if not text:
        raise argparse.ArgumentTypeError("the path is empty")
    return Path(text)


def report_file(text: str) -> Path | None:
    """A path; None is stdout, written `-`."""
    return None if text == "-" else path(text)


def interpreter(text: str) -> Path:
    """An interpreter, or the one of the virtual environment that the text names.

    A bare word may be a program on PATH; `Path` takes the `./` from what is not one.
    """
    named = path(text)
    if text != named.name:
        named = named.absolute()
    inside = (named / "bin" / "python", named / "Scripts" / "python.exe")
    return next((p for p in inside if os.path.exists(p)), named)  # noqa: PTH110 (never raises)


def jobs(text: str) -> int:
    """How many processes; raises `ArgumentTypeError` for what is no such number."""
    if text.isdecimal() and len(text) < 4 and 0 < int(text) <= _MOST_JOBS:
        return int(text)
    raise argparse.ArgumentTypeError(f"`{text}` is no number of processes from 1 to {_MOST_JOBS}")


OPTIONS: Mapping[str, Option] = {
    # --- of each command ---
    "json": _flag("--json", help="print one JSON document"),
    "quiet": _option(
        "-q", "--quiet", action="count", default=0,
        help="no progress and no warnings; -qq: no report, the exit code alone",
    ),
    "verbose": _option(
        "-v", "--verbose", action="count", default=0,
        help="leave nothing out; -vv: also say what is being done",
    ),
    "color": _choice(
        "--color", choices=("auto", "always", "never"), default="auto", metavar="WHEN",
        help="auto is the default, and heeds the terminal, NO_COLOR and FORCE_COLOR",
    ),
    "debug": _flag("--debug", help="show where a fault of rustext is"),
    # --- of several ---
    "config": _file(
        "--config",
        help="read [tool.rustext] of this file, not of the nearest pyproject.toml",
    ),
    "isolated": _option(
        "--isolated", dest="config", action="store_const", const=Path(os.devnull),
        help="read no configuration file",
    ),
    "show-config": _flag(
        "--show-config", help="print the configuration that counts here, and do nothing else"
    ),
    "python": _option(
        "--python", type=interpreter, metavar="PATH",
        help="another interpreter, or a virtual environment",
    ),
    "no-cache": _flag("--no-cache", help="read everything anew"),
    "plan": _file(
        "--plan",
        help="what the freezer was told, where it is not in the bundle (--rustext-report)",
    ),
    "run": _flag("--run", help="also start the program, isolated"),
    "timeout": _option(
        "--timeout", type=seconds, default=60, metavar="SECONDS",
        help="limit for what is started (default 60)",
    ),
    "allow-system": _list(
        "--allow-system", metavar="SONAME", help="a library that the target machines provide"
    ),
    "record": _list(
        "--trace", type=path, metavar="RECORD",
        help="a record of `rustext trace`, in addition to the one in pyproject.toml",
    ),
    # --- scan and inspect ---
    "all": _flag("--all", help="list native files that are not Rust too"),
    "jobs": _option(
        "-j", "--jobs", type=jobs, metavar="N", help="processes that read wheels (default 2)"
    ),
    "probe": _flag("--probe", help="import the module once, and see what it imports"),
    "tree": _flag("--tree", help="the tree of its libraries alone"),
    "format": _choice("--format", choices=PAGE_FORMATS, help=_FORMAT),
    "format-scan": _choice(
        "--format", choices=(*PAGE_FORMATS, "cyclonedx"),
        help=f"{_FORMAT}, cyclonedx is a bill of materials of the crates",
    ),
    "format-inspect": _choice(
        "--format", choices=(*PAGE_FORMATS, "dot"),
        help=f"{_FORMAT}, dot is its libraries as a picture, for Graphviz",
    ),
    # --- verify ---
    "alive": _option(
        "--alive", type=seconds, metavar="SECONDS",
        help="start the program, isolated: one that does not end has to run well for so long",
    ),
    "selftest": _flag(
        "--selftest", help="also start the self-test that is built into the program, isolated"
    ),
    "record-verify": _list(
        "--trace", type=path, metavar="RECORD",
        help="a record of `rustext trace`: report what the run used and the bundle lacks",
    ),
    "hide": _list(
        "--hide", type=path, metavar="DIR",
        help="a folder that the program must not see when it is started, such as its sources",
    ),
    "target": _option(
        "--target", metavar="TAG",
        help="the machines that it has to run on, as wheels name them: manylinux_2_28_x86_64",
    ),
    "python-kind": _option(
        "--python", metavar="KIND",
        help="the bundle's Python: 3.12, pypy3.10, or an interpreter (default: what it shows)",
    ),
    "fix-suffix": _flag(
        "--fix-suffix",
        help="first give misnamed extension modules in the folder a name that Python looks for",
    ),
    "format-verify": _choice(
        "--format", choices=FORMATS,
        help=_FORMAT,
    ),
    "select": _list(
        "--select", metavar="ID[:PATTERN]",
        help="count nothing but these findings; the pattern is for their subjects and files",
    ),
    "ignore": _list(
        "--ignore", metavar="ID[:PATTERN]",
        help="do not count these findings; adds to `ignore` in pyproject.toml",
    ),
    "baseline": _file("--baseline", help="do not count the findings in this file"),
    "write-baseline": _file("--write-baseline", help="write all findings into such a file"),
    "fail-on": _choice(
        "--fail-on", choices=("error", "warning", "note", "never"), default="error",
        metavar="LEVEL", help="the least that makes the exit code 1 (default error)",
    ),
    "statistics": _flag("--statistics", help="count the findings by id instead of naming them"),
    "output-reports": _list(
        "-o", "--output", dest="outputs", type=report_file, metavar="FILE",
        help="write the report into a file (- is stdout); an earlier report is replaced, nothing "
        "else is; once more for one in another format",
    ),
    "output-report": _option(
        "-o", "--output", type=report_file, metavar="FILE",
        help="write the report into a file; an earlier report is replaced, nothing else is",
    ),
    # --- repair ---
    "output-repaired": _file(
        "-o", "--output", metavar="NEW",
        help="the folder to make (default: BUNDLE-repaired, next to it)",
    ),
    "in-place": _flag("--in-place", help="put the repaired one in its place"),
    "dry-run": _flag("--dry-run", help="say what would be done, and write nothing"),
    "diff": _flag(
        "--diff", help="also list each file that differs, with digests before and after"
    ),
    "environment": _option(
        "--environment", type=interpreter, metavar="PYTHON",
        help="the Python that the bundle was made with: what is missing is taken from there",
    ),
    "select-ids": _list(
        "--select", metavar="IDS", help="repair these findings only: ids, with commas between them"
    ),
    "format-repair": _choice(
        "--format", choices=("text", "json", "sarif"),
        help="text is the default",
    ),
    "sarif": _option(
        "--sarif", dest="format", action="store_const", const="sarif", help="as --format sarif"
    ),
    # --- trace ---
    "output-record": _file(
        "-o", "--output", help="where to write the record (default rustext-trace.toml)"
    ),
    "all-native": _flag(
        "--all",
        help='keep what C, Cython and other native code imports too, for scope = "native"',
    ),
    "merge": _file(
        "--merge", nargs="+", default=[], metavar="RECORD",
        help="run nothing: join these records; also written `rustext trace merge RECORD…`",
    ),
    "start": _file(
        "--start", metavar="DIR",
        help="run nothing: Python programs that have DIR in PYTHONPATH are recorded from now on",
    ),
    "finish": _file(
        "--finish", metavar="DIR",
        help="run nothing: write the record of what was run since --start DIR",
    ),
    "module": _option(
        "-m", dest="module", nargs=argparse.REMAINDER, default=[], metavar="MODULE",
        help="run a module with the arguments that follow, as python -m does",
    ),
    # --- positional arguments ---
    "path": _option(
        "paths", nargs="*", type=path, metavar="PATH",
        help="wheels, or a folder of wheels, a virtual environment, or another folder",
    ),
    "what": _option(
        "target", metavar="TARGET",
        help="a module or distribution name, a native file, or a wheel",
    ),
    "bundles": _option(
        "bundles", type=path, nargs="+", metavar="BUNDLE",
        help="its folder, a one-file program, an archive (zip, tar, wheel), or a folder of builds",
    ),
    "bundle": _option(
        "bundle", type=path, metavar="BUNDLE", help="its folder, or the one-file program"
    ),
    "program": _option(
        "program", nargs=argparse.REMAINDER, metavar="SCRIPT", help="a program, its arguments"
    ),
    "script": _option("script", type=path, metavar="SCRIPT", help="the program's first file"),
    "config-file": _option(
        "file", type=path, metavar="FILE", help="for --user-package-configuration-file"
    ),
    "folder": _option(
        "folder", type=path, metavar="FOLDER",
        help="for --additional-hooks-dir; made where missing",
    ),
    "id": _option(
        "id", nargs="?", choices=tuple(RULES), metavar="ID",
        help="the id of a finding, as `error[ID]` shows it; without one, all are listed",
    ),
    "shell": _option(
        "shell", choices=("bash", "zsh", "tcsh"), metavar="SHELL", help="bash, zsh or tcsh"
    ),
}  # fmt: skip
COMMON = ("json", "quiet", "verbose", "color", "debug")
ANY_FORMAT = frozenset(
    value for option in OPTIONS.values() if "--format" in option.names
    for value in option.settings["choices"]
)  # fmt: skip
