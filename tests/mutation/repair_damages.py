"""Let `rustext repair` mend what the agreement suite damages, where a repair is to be had.

In: the damages of `tests/freezing/damage.py` and its neighbours, each done once to a good bundle of
one of the freezers, and the interpreter of the environment that the bundle was made from. Out: how
the damaged and the repaired program ended, in isolation. As a program:

    ./test --repairs --damages [--again] [--minutes N] [WORD]...

It writes the table in `benchmarks/repairs/damages.md`, and goes on where it was stopped.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from bundles import Bundle
from damage import DAMAGES, Damage, NotHere, find_targets
from further_damage import FURTHER
from kept_rows import KeptRows, Row, parser
from lab import ROOT
from more_damage import MORE
from mutations import Mutation
from repairing import judge, made_bundles, measure, name_end

SEED = 26
_TRIES = 12  # targets that a damage is tried on
_ALL = (*FURTHER, *DAMAGES, *MORE)


def measure_damage(damage: Damage, bundle: Bundle, cache: Path, python: Path) -> Row:
    """One row: as `repairing.measure`, of the first target that the damage can be done to."""
    chance = random.Random(f"{SEED} {damage.targets} {damage.name}")
    targets = find_targets(bundle.root, bundle.program).get(damage.targets, [])
    for target in chance.sample(targets, min(_TRIES, len(targets))):
        inside = target.relative_to(bundle.root)

        def apply(copy: Bundle, cache: Path, inside: Path = inside) -> None:
            damage.apply(copy.root / inside)
            if not copy.program.exists():
                raise NotHere  # a program of another name is started by that

        try:
            mutation = Mutation(apply=apply, id="", subject="", starts=False)
            return {"target": inside.as_posix(), **measure(bundle, mutation, cache, python)}
        except (NotHere, OSError, ValueError):
            continue
    return {"target": None, "wrong": ""}


def table(rows: Mapping[str, Row]) -> Iterator[str]:
    """What became of the damaged programs that did not run, by what became of them."""
    done = {name: row for name, row in rows.items() if row["target"] is not None}
    broken = {name: row for name, row in done.items() if row["broken"] != 0}
    again = sum(row["repaired"] == 0 for row in broken.values())
    harmed = sum(row["broken"] == 0 and row["repaired"] not in (0, None) for row in done.values())
    yield "# Bundles that were damaged, repaired\n"
    yield "`./test --repairs --damages`: each damage of the agreement suite, done once to a bundle"
    yield "of one of the freezers; `rustext repair --environment` repairs a copy. All runs are"
    yield "isolated, with Python and the environment out of sight.\n"
    yield f"{len(done)} damages were done. {len(broken)} programs did not run then, and of these"
    yield f"{again} run after the repair. Of the others {harmed or 'none'} was harmed by it.\n"
    yield "| damage | freezer | file | broken | findings | repairs | repaired | verdict | |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for name, row in sorted(broken.items(), key=lambda item: (item[1]["repaired"] != 0, item[0])):
        freezer, _, kind = name.partition(": ")
        found = ", ".join(row["found"]) or "none"
        yield (
            f"| {kind} | {freezer} | `{row['target']}` | {name_end(row['broken'])} | {found} | "
            f"{row['repairs']} | {name_end(row['repaired'])} | {judge(row['code'], row['left'])} | "
            f"{row['wrong'] or (row['said'][0] if row['said'] else '')} |"
        )


def main() -> int:
    """Write the table; 1 where a row is not as promised."""
    args = parser(__doc__).parse_args()
    cache, python, bundles = made_bundles()
    kept = KeptRows("repair-damages")
    todo = {}
    for number, damage in enumerate(_ALL):
        targets = [
            f for f, b in bundles.items() if damage.targets in find_targets(b.root, b.program)
        ]
        if targets:
            freezer = targets[number % len(targets)]
            key = f"{freezer}: {damage.targets}: {damage.name}"
            todo[key] = partial(measure_damage, damage, bundles[freezer], cache, python)
    kept.measure(todo, args)
    rows = kept.read()
    text = "\n".join(table({name: rows[name] for name in todo if name in rows})) + "\n"
    (ROOT / "benchmarks" / "repairs" / "damages.md").write_text(text)
    return int(any(row["wrong"] for row in rows.values()))


if __name__ == "__main__":
    sys.exit(main())
