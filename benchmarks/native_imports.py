"""Check the names that Rust code is known to import against those that rustext finds.

Usage: python benchmarks/native_imports.py POPULATION WHEELS [--work FILE] [--again]

POPULATION is a file of wheels with their `native_imports`, measured by other means (names whose
address and length reach `PyImport_Import`, Linux x86-64); WHEELS is a folder that holds the wheels.
A name counts as found with known bounds or by a crate rule, whatever is installed. Prints the
totals, and each wheel with names that are missing, as Markdown; exit code 1 if a name that is no
artefact of the record is missing in more than 1 % of the wheels. Wheels that are done are kept in
FILE (default: .cache/native_imports.jsonl) and not read again. The smallest wheels come first.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rustext.discovery.native_files import iter_native_files, open_source
from rustext.environment.environment import stdlib_environment
from rustext.imports.clues import read_clues
from rustext.imports.strings.name_filter import WantedNames
from rustext.imports.strings.name_refs import iter_strings
from rustext.model.evidence import EvidenceKind
from rustext.model.native_file import NativeFile

ROOT = Path(__file__).resolve().parent.parent
# Entries that are no module names: cut short, or two names as one (see the corpus' own notes).
KNOWN_ARTEFACTS = {
    ("ddtrace", "*"), ("qiskit", "*"), ("babycat", "numpy.core"), ("deepfilterlib", "numpy.core"),
    ("mjai", "numpy.core"), ("rdocx", "rdocx.enum"),
}  # fmt: skip


def main() -> int:
    args = parse_args()
    population = [json.loads(line.rstrip(",\n")) for line in args.population.open() if "{" in line]
    wanted = [entry for entry in population if any(names_of(f) for f in entry["files"])]
    known = {name for entry in wanted for f in entry["files"] for name in names_of(f)}
    done = {} if args.again else read_done(args.work)
    there = [e for e in wanted if (args.wheels / e["wheel"]).is_file()]
    args.work.parent.mkdir(parents=True, exist_ok=True)
    with args.work.open("w" if args.again else "a") as log:
        for entry in sorted(there, key=lambda e: (args.wheels / e["wheel"]).stat().st_size):
            if entry["wheel"] not in done:
                done[entry["wheel"]] = missing = find_missing(entry, args.wheels, known)
                log.write(json.dumps({"wheel": entry["wheel"], "missing": missing}) + "\n")
                log.flush()
                print(entry["wheel"], *missing, sep="\n    ", file=sys.stderr, flush=True)
    return summarise(wanted, done)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="see the file's docstring")
    parser.add_argument("population", type=Path)
    parser.add_argument("wheels", type=Path)
    parser.add_argument("--work", type=Path, default=ROOT / ".cache" / "native_imports.jsonl")
    parser.add_argument("--again", action="store_true")
    return parser.parse_args()


def names_of(file: dict[str, Any]) -> list[str]:
    """The names of a file that can be module names at all."""
    names = file.get("native_imports", ()) if file.get("is_rust") else ()
    return [n for n in names if all(part.isidentifier() for part in n.split("."))]


def read_done(work: Path) -> dict[str, list[str]]:
    lines = work.read_text().splitlines() if work.is_file() else []
    return {row["wheel"]: row["missing"] for row in map(json.loads, lines)}


def find_missing(entry: dict[str, Any], wheels: Path, known: set[str]) -> list[str]:
    """The wheel's names that are not found, each with its file."""
    expected = {f["path"]: names_of(f) for f in entry["files"]}
    missing = []
    with open_source(wheels / entry["wheel"]) as source:
        for path, file in iter_native_files(source):
            names = expected.get(str(file.path), [])
            found = find_names(path, file, known) if names else set()
            missing += [f"{file.path}: {name}" for name in names if name not in found]
    return missing


def find_names(path: Path, file: NativeFile, known: Iterable[str]) -> set[str]:
    """What rustext finds in a file, in an environment with all the population's modules."""
    env, names = stdlib_environment(), set(known)

    def is_module(name: str) -> bool:
        return name in names or env.find_module(name) is not None

    wanted = WantedNames(is_module)
    clues = read_clues(path, file, lambda image, data: iter_strings(image, data, wanted))
    found = {ref.text for ref in clues.strings if ref.kind is not EvidenceKind.LOOSE_STRING}
    return found.union(*(rule.imports for rule, _ in clues.rules))


def is_artefact(dist: str, name: str) -> bool:
    return bool({(dist.lower(), "*"), (dist.lower(), name)} & KNOWN_ARTEFACTS)


def summarise(wanted: list[dict[str, Any]], done: dict[str, list[str]]) -> int:
    judged = [e for e in wanted if e["wheel"] in done]
    total = sum(len(names_of(f)) for e in judged for f in e["files"])
    missing = {e["wheel"]: (e["dist"], done[e["wheel"]]) for e in judged if done[e["wheel"]]}
    bad = {wheel for wheel, (dist, names) in missing.items() if not all_artefacts(dist, names)}
    absent = sum(len(names) for _, names in missing.values())
    print("| | |\n|---|---|")
    print(f"| wheels judged | {len(judged)} of {len(wanted)} |")
    print(f"| names found | {total - absent} of {total} |")
    print(
        f"| wheels in which all names are found | {len(judged) - len(missing)} of {len(judged)} |"
    )
    print(f"| wheels that miss artefacts of the record alone | {len(missing) - len(bad)} |")
    print(f"| wheels that miss a module's name | {len(bad)} |")
    print("\n| wheel | missing | |\n|---|---|---|")
    for wheel, (_, names) in sorted(missing.items()):
        what = "a name" if wheel in bad else "no module's name: cut short, or two glued together"
        print(f"| {wheel} | {', '.join(f'`{name}`' for name in names)} | {what} |")
    return 0 if judged and len(bad) <= 0.01 * len(judged) else 1


def all_artefacts(dist: str, names: Iterable[str]) -> bool:
    return all(is_artefact(dist, name.rpartition(": ")[2]) for name in names)


if __name__ == "__main__":
    sys.exit(main())
