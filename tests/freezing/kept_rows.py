"""Rows of a table that takes hours, kept as they come: a run that was stopped goes on where it was.

A row is a JSON object in one line of a file in the cache folder, with its name under "row"; of two
with a name the later one counts.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from lab import ROOT

CACHE = ROOT / ".cache" / "tests"
Row = dict[str, Any]  # as JSON has it


class KeptRows:
    """The rows of one table."""

    def __init__(self, table: str) -> None:
        self.path = CACHE / f"{table}.jsonl"
        self.path.parent.mkdir(parents=True, exist_ok=True)

    def read(self) -> dict[str, Row]:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return {row["row"]: row for row in map(json.loads, lines)}

    def measure(self, todo: Mapping[str, Callable[[], Row]], args: argparse.Namespace) -> None:
        """Measure what is not there yet; what is named is measured in any case."""
        begin = time.monotonic()
        known = {} if args.names or args.again else self.read()
        for name, measure in todo.items():
            if name in known or not all(part in name for part in args.names):
                continue
            if args.minutes is not None and time.monotonic() - begin > 60 * args.minutes:
                break
            start = time.monotonic()
            row = {"row": name, **measure()}
            with self.path.open("a") as stream:
                stream.write(f"{json.dumps(row)}\n")
            seconds = time.monotonic() - start
            print(f"{seconds:4.0f} s  {name}: {row.get('wrong') or 'good'}", file=sys.stderr)


def parser(description: str) -> argparse.ArgumentParser:
    """The options of a script that measures rows."""
    raw = argparse.RawTextHelpFormatter
    made = argparse.ArgumentParser(description=description, formatter_class=raw)
    made.add_argument("names", nargs="*", metavar="WORD", help="measure rows with all these words")
    made.add_argument("--again", action="store_true", help="measure what is kept from a run before")
    made.add_argument("--minutes", type=float, help="begin no row after this time")
    return made
