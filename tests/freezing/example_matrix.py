"""Freeze every example app in every way, and keep the table in docs/.

Usage: python tests/freezing/example_matrix.py [--python P]... [--freezer F] [--with | --without]
                                               [NAME]...

Each example is frozen by each freezer, with and without rustext, as a folder and as one file; each
result is run alone and compared with `expected.txt`. Rows replace those of the same kind in
docs/example-matrix.json, from which docs/example-matrix.md is written. Run by `./test --matrix`.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from examples import Example, Outcome, find_examples, iter_outcomes
from lab import FREEZERS, ROOT, Lab
from matrix import build_wheel

from rustext.environment.environment import read_interpreter

TABLE = ROOT / "docs" / "example-matrix.json"
PAGE = ROOT / "docs" / "example-matrix.md"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One bundle: how it was made, and what became of it."""

    example: str
    python: str  # major.minor
    freezer: str
    rustext: bool
    layout: str
    result: str  # "runs", "fails", "build fails"
    seconds: float
    megabytes: float
    message: str
    verify: tuple[str, ...]

    @property
    def key(self) -> tuple[object, ...]:
        return (self.example, self.python, self.freezer, self.layout, self.rustext)


def main() -> int:
    args = parse_arguments()
    cache = ROOT / ".cache" / "tests"
    wheel = build_wheel(cache)
    bad = 0
    for interpreter in args.python:
        lab = Lab(cache, wheel, interpreter)
        for example in find_examples():
            if not args.names or example.name in args.names:
                for freezer in args.freezer or FREEZERS:
                    bad += run_one(lab, example, freezer, args.rustext)
    write_page(read_rows())
    print(f"{PAGE.relative_to(ROOT)} is written; {bad} of the new rows with rustext are not good")
    return 1 if bad else 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    known = [example.name for example in find_examples()]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(known)}")
    parser.add_argument("--freezer", action="append", choices=FREEZERS)
    parser.add_argument("--python", action="append", type=Path, metavar="INTERPRETER")
    one = parser.add_mutually_exclusive_group()
    for name, values in (("with", (True,)), ("without", (False,))):
        one.add_argument(
            f"--{name}", dest="rustext", action="store_const", const=values, default=(False, True),
            help=f"{name} rustext only",
        )  # fmt: skip
    args = parser.parse_args()
    unknown = sorted(set(args.names) - set(known))
    if unknown:
        parser.error(f"no example `{unknown[0]}`; there are {', '.join(known)}")
    args.python = args.python or [Path(sys.executable)]
    return args


def run_one(lab: Lab, example: Example, freezer: str, choices: tuple[bool, ...]) -> int:
    """Freeze without and with rustext, keep the rows; how many of those with it are not good."""
    bad = 0
    for rustext in choices:
        with tempfile.TemporaryDirectory(prefix="rustext-matrix-") as out:
            for outcome in iter_outcomes(lab, example, freezer, out=Path(out), rustext=rustext):
                row = to_row(lab, example, freezer, outcome, rustext=rustext)
                keep(row)
                print(describe(row), flush=True)
                bad += rustext and not outcome.good
    return bad


def to_row(lab: Lab, example: Example, freezer: str, outcome: Outcome, *, rustext: bool) -> Row:
    facts = read_interpreter(lab.interpreter)
    result = "build fails" if not outcome.built else "fails" if outcome.message else "runs"
    return Row(
        example=example.name,
        python=".".join(map(str, facts.version[:2])),
        freezer=freezer,
        rustext=rustext,
        layout=outcome.layout,
        result=result,
        seconds=round(outcome.seconds),
        megabytes=round(outcome.megabytes, 1),
        message=outcome.message,
        verify=outcome.errors,
    )


def describe(row: Row) -> str:
    how = "with" if row.rustext else "without"
    what = f"{row.example:<15} {row.python} {row.freezer:<12} {row.layout:<9} {how:<8}"
    said = "; ".join(filter(None, (row.message[-80:], *row.verify)))
    return f"{what} {row.result:<12} {row.seconds:>4.0f} s {row.megabytes:>6.1f} MB  {said}"


def read_rows() -> list[Row]:
    if not TABLE.exists():
        return []
    rows = json.loads(TABLE.read_text())["rows"]
    return [Row(**{**row, "verify": tuple(row["verify"])}) for row in rows]


def keep(row: Row) -> None:
    """Write the table with this row, which replaces an earlier one."""
    rows = sorted([*(r for r in read_rows() if r.key != row.key), row], key=lambda r: str(r.key))
    table = {"versions": versions(), "rows": [asdict(r) for r in rows]}
    TABLE.write_text(json.dumps(table, indent=1) + "\n")


def versions() -> dict[str, str]:
    freezers = {name: version(name) for name in FREEZERS}
    return {"rustext": version("rustext"), **freezers, "machine": platform.machine()}


def write_page(rows: Sequence[Row]) -> None:
    """Write docs/example-matrix.md."""
    said = ", ".join(f"{name} {value}" for name, value in versions().items())
    lines = [
        "# What runs, and what it weighs",
        "",
        "Each program of `example_apps/`, frozen by each freezer without and with rustext, as a",
        "folder and as one file, then started alone: the host's Python, the environment and the",
        "sources are out of sight. *Runs* means that it prints its `expected.txt`, says nothing on",
        "stderr and ends with 0. Where `rustext verify` finds something at error level in a folder",
        "that was frozen with rustext, the table says so. `./test --matrix` writes this page and",
        "`example-matrix.json` beside it.",
        "",
        f"Made with {said}.",
        "",
        "The seconds are those of one build, on a busy machine with two cores and a warm compiler",
        "cache; Nuitka packs a folder and a one-file program in one build. To keep that short,",
        "Nuitka bundles modules as bytecode here and compiles few of them, so its sizes and times",
        "are not those of a full build. Megabytes are 10⁶ bytes, as on disk. An empty cell was not",
        "measured.",
        "",
    ]
    for python in sorted({r.python for r in rows}, key=lambda v: [int(n) for n in v.split(".")]):
        chosen = [r for r in rows if r.python == python]
        lines += [f"## Python {python}", "", *iter_table(chosen), "", *iter_failures(chosen)]
    PAGE.write_text("\n".join(lines).rstrip() + "\n")


def iter_table(rows: Sequence[Row]) -> Iterable[str]:
    yield "| program | freezer | layout | without rustext | with rustext |"
    yield "|---|---|---|---|---|"
    found = {r.key: r for r in rows}
    for key in sorted({r.key[:-1] for r in rows}, key=str):
        example, _, freezer, layout = key
        without, with_it = (cell(found.get((*key, rustext))) for rustext in (False, True))
        yield f"| {example} | {freezer} | {layout} | {without} | {with_it} |"


def cell(row: Row | None) -> str:
    if row is None:
        return ""
    if row.result == "build fails":
        return f"**{row.result}**"
    result = f"**{row.result}**" if row.result != "runs" else row.result
    found = f", `verify` finds {len(row.verify)}" if row.rustext and row.verify else ""
    return f"{result}{found}, {row.seconds:.0f} s, {row.megabytes:.0f} MB"


def iter_failures(rows: Sequence[Row]) -> Iterable[str]:
    """What the programs that fail say, and what verify finds: a line for each kind."""
    said = {(r.example, r.freezer, r.rustext, r.message) for r in rows if r.message}
    said |= {(r.example, r.freezer, True, v) for r in rows if r.rustext for v in r.verify}
    for example, freezer, rustext, message in sorted(said):
        how = "with" if rustext else "without"
        yield f"- {example}, {freezer}, {how} rustext: `{message}`"
    if said:
        yield ""


if __name__ == "__main__":
    sys.exit(main())
