"""How much larger bundles are with rustext than without, from the tables of bundles that were made.

    python benchmarks/bundle_size.py

Reads what `./test --matrix` wrote about the example apps (docs/example-matrix.json) and what
`tests/freezing/matrix.py` wrote about a corpus (benchmarks/corpus/results.jsonl), and prints
Markdown: of each program, freezer and layout that was frozen in both ways, the sizes as on disk.
Where a program does not run without rustext, what it gained is what it lacked; the totals are of
those that run in both ways.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUNS = {"runs", "pass"}


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One program, frozen without and with rustext; sizes in megabytes of 10⁶ bytes."""

    name: tuple[str, ...]  # program, freezer, layout
    without: float
    with_rustext: float
    ran: bool  # without rustext

    @property
    def growth(self) -> float:
        """The share of its size by which the bundle grew; below 0, it shrank."""
        return self.with_rustext / self.without - 1


def main() -> int:
    examples = json.loads((ROOT / "docs" / "example-matrix.json").read_text("utf-8"))["rows"]
    lines = (ROOT / "benchmarks" / "corpus" / "results.jsonl").read_text("utf-8").splitlines()
    pairs = [
        *iter_pairs(examples, ("example", "freezer", "layout", "python")),
        *iter_pairs([json.loads(line) for line in lines], ("app", "freezer")),
    ]
    alike = [pair.growth for pair in pairs if pair.ran]
    if not alike:
        sys.exit("error: no program was frozen in both ways\nhint: run `./test --matrix` first")
    print("| | |\n|---|---|")
    print(f"| bundles that run in both ways | {len(alike)} of {len(pairs)} |")
    print(f"| their growth | median {statistics.median(alike):+.1%}, most {max(alike):+.1%} |\n")
    print("| program | freezer | layout | runs without | without | with | |")
    print("|---|---|---|---|---:|---:|---:|")
    for pair in sorted(pairs, key=lambda pair: pair.name):
        program, freezer, layout = (*pair.name, "folder")[:3]
        print(
            f"| {program} | {freezer} | {layout} | {'yes' if pair.ran else 'no'} "
            f"| {pair.without:.1f} MB | {pair.with_rustext:.1f} MB | {pair.growth:+.1%} |"
        )
    return 0


def iter_pairs(rows: list[dict[str, object]], key: tuple[str, ...]) -> Iterator[Pair]:
    """The rows that tell of the same bundle, made in both ways, the second of which runs."""
    by_name: dict[tuple[str, ...], dict[bool, dict[str, object]]] = {}
    for row in rows:
        by_name.setdefault(tuple(str(row[k]) for k in key), {})[bool(row["rustext"])] = row
    for name, both in by_name.items():
        if len(both) == 2 and both[True]["result"] in RUNS and both[False]["megabytes"]:
            yield Pair(
                name=name,
                without=float(str(both[False]["megabytes"])),
                with_rustext=float(str(both[True]["megabytes"])),
                ran=both[False]["result"] in RUNS,
            )


if __name__ == "__main__":
    sys.exit(main())
