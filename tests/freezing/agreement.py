"""Damage healthy bundles in many ways, run each, and compare with what `verify` says of it.

    ./test --agreement [N] --bundles FOLDER [--table FILE]

`N` damages (240) are spread over all bundles and all ways (`damage.py`, `more_damage.py`,
`further_damage.py`, `deeper_damage.py`, `latest_damage.py`). The run is the truth: the program
works where it ends with 0 and prints what the healthy one prints. What has been run is remembered in
`.cache/agreement`, so that a second call goes on; it judges again what another state of the sources
has judged.
`--bundles` takes a folder of finished bundles, each with a file `VERIFY` that names it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from damage import DAMAGES, Damage, NotHere, copy_bundle, find_targets
from deeper_damage import DEEPER
from further_damage import FURTHER
from latest_damage import LATEST
from more_damage import MORE

from rustext.environment.environment import stdlib_environment
from rustext.errors import RustextError
from rustext.model.findings import Severity
from rustext.verify.onefile.open_bundle import open_bundle
from rustext.verify.run.isolated_run import python_folders, run_isolated
from rustext.verify.verify import read_subject, verify

ROOT = Path(__file__).resolve().parent.parent.parent
CACHE = ROOT / ".cache" / "agreement"
TABLE = ROOT / "benchmarks" / "agreement.md"
_DAMAGES = (
    "damage.py",
    "more_damage.py",
    "further_damage.py",
    "deeper_damage.py",
    "latest_damage.py",
)


@dataclass(frozen=True, kw_only=True)
class Healthy:
    """A bundle that works, in a folder of its own."""

    name: str
    root: Path  # of a one-file program, the folder in which it lies alone
    program: Path
    printed: str

    @property
    def one_file(self) -> bool:
        return [*self.root.iterdir()] == [self.program]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One damage of one bundle."""

    bundle: Healthy
    damage: Damage
    target: Path

    @property
    def key(self) -> str:
        inside = self.target.relative_to(self.bundle.root)
        return f"{self.bundle.name}:{self.damage.targets}-{self.damage.name}:{inside}"


def start(root: Path, program: Path) -> tuple[int, str, str]:
    """How a program ends, what it prints and its last word on stderr."""
    facts = stdlib_environment().interpreter
    hide = python_folders(facts.prefixes, facts.stdlib)
    try:
        ended = run_isolated(root, program, hide=hide, timeout=60)
    except RustextError as error:
        return 126, "", str(error)
    last = ended.stderr.strip().splitlines()[-1:] or [""]
    return ended.code, ended.stdout, last[0][:200]


def judge(subject: Path) -> tuple[str, list[str]]:
    """`error`, `warning`, `clean` or `refused` (no bundle: exit code 2), and what was found."""
    try:
        with open_bundle(subject) as bundle:
            report = verify(read_subject(bundle, stdlib=stdlib_environment()))
    except RustextError as error:
        return "refused", [str(error)[:200]]
    for severity in (Severity.ERROR, Severity.WARNING):
        # Whether other machines have a library, a run on this one cannot say.
        found = [f for f in report.findings if f.severity is severity and f.id != "host-library"]
        if found:
            return severity.value, sorted({f"{f.id} {f.subject}" for f in found})
    return "clean", []


def read_bundles(folder: Path, truth: dict[str, list[object]]) -> Iterator[Healthy]:
    """The bundles of a folder that work, twice the same."""
    for mark in sorted(folder.glob("*/VERIFY")):
        made = mark.parent / mark.read_text().strip()
        root, names = (made, ("main", "main.bin")) if made.is_dir() else (mark.parent, (made.name,))
        program = next(root / name for name in names if (root / name).is_file())
        if not made.is_dir():  # alone, without the mark
            root = CACHE / "alone" / mark.parent.name
            root.mkdir(parents=True, exist_ok=True)
            program = Path(shutil.copy2(program, root / program.name))
        key = str(mark.parent)
        if key not in truth:
            truth[key] = [start(root, program), start(root, program)]
        first, second = map(list, truth[key])
        if first[0] == 0 and first == second:
            yield Healthy(name=mark.parent.name, root=root, program=program, printed=first[1])


def iter_cases(bundles: list[Healthy], seed: int) -> Iterator[Case]:
    """All cases, spread: each way once, in some bundle, before any comes a second time."""
    chance = random.Random(seed)
    targets = {b.name: find_targets(b.root, b.program) for b in bundles}
    while True:
        for damage in (*LATEST, *DEEPER, *FURTHER, *DAMAGES, *MORE):
            able = [b for b in bundles if damage.targets in targets[b.name]]
            if able:
                bundle = chance.choice(able)
                target = chance.choice(targets[bundle.name][damage.targets])
                yield Case(bundle=bundle, damage=damage, target=target)


def try_case(case: Case, truth: dict[str, list[object]]) -> dict[str, object] | None:
    """Damage a copy, judge it, and run it if that was not done; None where it cannot be done."""
    bundle = case.bundle
    with tempfile.TemporaryDirectory(prefix="agreement-", dir=CACHE) as folder:
        root = Path(folder) / "app"
        copy_bundle(bundle.root, root)
        program = root / bundle.program.relative_to(bundle.root)
        before = set(root.iterdir())
        try:
            case.damage.apply(root / case.target.relative_to(bundle.root))
        except (NotHere, OSError, ValueError):
            return None
        if not program.exists() and case.damage.name == "renamed":
            (program,) = set(root.iterdir()) - before
        verdict, found = judge(program if bundle.one_file else root)
        if case.key not in truth:
            moved = root.rename(root.with_name("moved"))  # as bundles are, after they were made
            code, printed, last = start(moved, moved / program.relative_to(root))
            works = code == 0 and printed == bundle.printed
            if works and (other := moved / "other").is_file():  # the second of two programs
                code, _, last = start(moved, other)
            truth[case.key] = [works and code == 0, code, last]
    works, code, last = truth[case.key]
    return {
        "case": case.key, "kind": f"{case.damage.targets}: {case.damage.name}", "works": works,
        "code": code, "last": last, "verdict": verdict, "found": found,
    }  # fmt: skip


def name_outcome(row: dict[str, object]) -> str:
    if row["verdict"] == "warning":
        return "warned, works" if row["works"] else "warned, broken"
    told = row["verdict"] in {"error", "refused"}
    if row["works"]:
        return "false alarm" if told else "clean, works"
    return "found" if told else "missed"


def hash_files(paths: Iterable[Path]) -> str:
    return hashlib.sha256(b"".join(p.read_bytes() for p in sorted(paths))).hexdigest()[:12]


_TRUTH = "Each was run in isolation; the run is the truth."
COLUMNS = ("found", "clean, works", "warned, broken", "warned, works", "missed", "false alarm")


def write_table(rows: list[dict[str, object]], bundles: list[Healthy], file: Path) -> None:
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        kinds[str(row["kind"])][name_outcome(row)] += 1
    total = sum(kinds.values(), Counter())
    lines = [
        "# Agreement of `verify` with the run\n",
        f"`./test --agreement`: {len(rows)} damages of {len(bundles)} working bundles. {_TRUTH}\n",
        f"| damage | {' | '.join(COLUMNS)} |",
        "|---|" + "--:|" * len(COLUMNS),
    ]
    for name, counts in [("**all**", total), *sorted(kinds.items())]:
        lines.append(f"| {name} | " + " | ".join(str(counts[c] or "") for c in COLUMNS) + " |")
    for outcome in ("missed", "false alarm", "warned, broken"):
        of = [row for row in rows if name_outcome(row) == outcome]
        lines += ["", f"## {outcome.capitalize()}: {len(of)}", ""]
        for row in of:
            said = "; ".join(row["found"])[:160] if row["found"] else row["last"]
            lines.append(f"- `{row['case']}` (ends with {row['code']}): {said}")
    lines += ["", "## Before any damage", "", "| bundle | verdict | said |", "|---|---|---|"]
    for bundle in bundles:
        verdict, found = judge(bundle.program if bundle.one_file else bundle.root)
        lines.append(f"| {bundle.name} | {verdict} | {', '.join(f'`{f}`' for f in found)} |")
    file.write_text("\n".join(lines) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="./test --agreement")
    parser.add_argument("number", nargs="?", type=int, default=240)
    parser.add_argument("--bundles", type=Path, action="append", required=True)
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--seed", type=int, default=20)
    options = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    damages = [Path(__file__).with_name(name) for name in _DAMAGES]
    file = CACHE / f"truth-{hash_files(damages)}.json"
    source = [path for end in ("*.py", "*.toml") for path in (ROOT / "src").rglob(end)]
    judged = CACHE / f"judged-{hash_files([*damages, *source])}.json"
    truth, known = (json.loads(f.read_text()) if f.exists() else {} for f in (file, judged))
    bundles = []
    for bundle in (b for folder in options.bundles for b in read_bundles(folder, truth)):
        bundles.append(bundle)
        file.write_text(json.dumps(truth))
    rows: dict[str, dict[str, object]] = {}
    for tried, case in enumerate(iter_cases(bundles, options.seed)):
        if len(rows) >= options.number or tried > 20 * options.number:
            break
        if case.key in rows:
            continue
        row = known[case.key] if case.key in known else try_case(case, truth)
        if case.key not in known:
            known[case.key] = row
            file.write_text(json.dumps(truth))
            judged.write_text(json.dumps(known))
        if row is not None:
            rows[case.key] = row
            outcome = name_outcome(row)
            print(f"{len(rows)}/{options.number} {outcome}: {case.key}", file=sys.stderr)
    write_table(list(rows.values()), bundles, options.table)
    counts = Counter(map(name_outcome, rows.values()))
    print(dict(counts))
    return 1 if counts["missed"] > 0.02 * len(rows) or counts["false alarm"] else 0


if __name__ == "__main__":
    sys.exit(main())
