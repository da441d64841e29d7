"""Compare what rustext reads out of the wheels of a population with facts measured otherwise.

    python benchmarks/population/compare.py POPULATION.json [--wheels FOLDER] [--no-download]

Wheels that FOLDER lacks are downloaded into it first. Each fact of each native file is compared;
the table says how many values are equal, and every difference is printed with the explanation that
`differences.toml` holds for it. Exit code 1 if fewer than 99.5 % are equal, or if a difference is
unexplained.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any

from download import download

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from rustext.discovery.native_files import iter_native_files, open_source
from rustext.errors import RustextError
from rustext.model.image import Image, NeedKind
from rustext.model.native_file import NativeFile

WORKERS = 2
GOAL = 0.995  # share of equal values
# The record's words for what rustext names as `uname -m` and the formats' own tools do.
ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "aarch64", "arm": "armv7l", "AMD64": "x86_64"}
LOADS = {NeedKind.WEAK: "LOAD_WEAK_DYLIB:", NeedKind.REEXPORT: "REEXPORT_DYLIB:"}
KINDS = {"DYLIB": "shared", "BUNDLE": "bundle", "EXECUTE": "executable"}

Value = tuple[str, Any, Any]  # fact, the record's value, ours


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that is not equal."""

    wheel: str
    path: str
    fact: str
    recorded: Any
    ours: Any


@dataclass(frozen=True, slots=True)
class Result:
    """The comparison of one wheel."""

    equal: Counter[str]
    differences: tuple[Difference, ...]
    unlisted: tuple[tuple[str, str, bool], ...]  # native files without a record: is it Rust


def main() -> int:
    arguments = _arguments()
    records = json.loads(arguments.population.read_text(encoding="utf-8"))
    folder: Path = arguments.wheels
    if arguments.download:
        download(records, folder, done=lambda count: print("." * count, end="", file=sys.stderr))
    there = [r for r in records if (folder / r["wheel"]).exists()]
    results = []
    with ProcessPoolExecutor(WORKERS) as pool:
        for result in pool.map(partial(compare_wheel, folder), there, chunksize=4):
            results.append(result)
            print(f"\r{len(results)} of {len(there)} wheels", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return report(results, len(records), _explanations())


def compare_wheel(folder: Path, record: Mapping[str, Any]) -> Result:
    """Compare each recorded fact of one wheel."""
    try:
        with open_source(folder / record["wheel"]) as source:
            files = {str(file.path): file for _, file in iter_native_files(source)}
    except RustextError as error:
        files = {}
        print(f"{record['wheel']}: {error}", file=sys.stderr)
    equal: Counter[str] = Counter()
    differences = []
    for entry in record["files"]:
        file = files.pop(entry["path"], None)
        values = [("found", True, file is not None)]
        values += iter_values(entry, file) if file is not None else ()
        for fact, recorded, ours in values:
            if recorded == ours:
                equal[fact] += 1
            else:
                differences.append(Difference(record["wheel"], entry["path"], fact, recorded, ours))
    unlisted = tuple((record["wheel"], p, f.provenance.rust) for p, f in sorted(files.items()))
    return Result(equal, tuple(differences), unlisted)


def iter_values(entry: Mapping[str, Any], file: NativeFile) -> Iterator[Value]:
    """The facts of one file, as recorded and as rustext reads them."""
    image = file.binary.image
    yield "is_rust", entry["is_rust"], file.provenance.rust
    yield "format", entry["fmt"], image.format.value
    if "arch" in entry:
        yield "architecture", ARCHITECTURES[entry["arch"]], image.architecture
    if "suffix" in entry:  # recorded is the file name's end: `.dylib` is no module suffix
        recorded = None if entry["suffix"] == ".dylib" else entry["suffix"]
        yield "suffix", recorded, file.suffix
    if entry["fmt"] == "elf":
        yield from _elf(entry, image)
    elif entry["fmt"] == "macho":
        yield from _macho(entry["slices"], file.binary.images)
    else:
        yield from _pe(entry, image)


def _elf(entry: Mapping[str, Any], image: Image) -> Iterator[Value]:
    yield "needed", entry.get("needed", []), [needed.name for needed in image.needed]
    yield "pyinit", sorted(entry.get("pyinit", [])), list(image.python_inits)
    if not entry["is_rust"]:
        return  # soname, rpath and glibc were measured for Rust files alone
    yield "soname", entry.get("soname"), image.soname
    floor = f"GLIBC_{image.glibc_floor}" if image.glibc_floor else None
    yield "glibc", entry.get("glibc"), floor
    rpath = f"RPATH:{':'.join(image.rpath)}" if image.rpath else None
    rpath = f"RUNPATH:{':'.join(image.runpath)}" if image.runpath else rpath
    recorded = entry.get("rpath")
    yield "rpath", recorded, [rpath] if isinstance(recorded, list) and rpath else rpath


def _macho(slices: Sequence[Mapping[str, Any]], images: Sequence[Image]) -> Iterator[Value]:
    yield "slices", len(slices), len(images)
    for recorded, image in zip(slices, images, strict=False):
        yield "slice architecture", recorded["arch"].lower(), image.architecture
        yield "slice file type", KINDS[recorded["filetype"]], image.kind.value
        yield "install name", recorded["id"], [image.soname] if image.soname else []
        loads = [f"{LOADS.get(n.kind, '')}{n.name}" for n in image.needed]
        yield "loads", recorded["loads"], loads
        yield "slice rpath", recorded["rpath"], list(image.rpath)
        yield "minimum OS", recorded.get("minos"), image.minimum_os
        yield "header pad", recorded.get("headerpad"), image.header_pad
        signature = recorded.get("sig") or {}
        yield "signature size", signature.get("size"), image.signature and image.signature[1]
        yield "slice pyinit", sorted(recorded.get("pyinit", [])), list(image.python_inits)


def _pe(entry: Mapping[str, Any], image: Image) -> Iterator[Value]:
    if "imports_dll" in entry:
        normal = [n.name for n in image.needed if n.kind is NeedKind.NORMAL]
        yield "DLL imports", entry["imports_dll"], normal
        lazy = [n.name for n in image.needed if n.kind is NeedKind.LAZY]
        yield "delayed DLL imports", entry.get("delay", []), lazy
        yield "export name", entry.get("export_name"), image.soname
        yield "pyinit", sorted(entry.get("pyinit", [])), list(image.python_inits)


def report(
    results: Sequence[Result], wheels: int, explanations: Sequence[Mapping[str, str]]
) -> int:
    """Print the table and the differences; return the exit code."""
    equal = sum((result.equal for result in results), Counter[str]())
    differences = [difference for result in results for difference in result.differences]
    wrong = Counter(difference.fact for difference in differences)
    total = equal.total() + len(differences)
    share = equal.total() / total if total else 0.0
    print(f"{len(results)} of {wheels} wheels\n")
    print("| fact | values | equal | different |\n|---|---:|---:|---:|")
    for fact in sorted(equal.keys() | wrong.keys()):
        print(f"| {fact} | {equal[fact] + wrong[fact]} | {equal[fact]} | {wrong[fact]} |")
    print(f"| **all** | {total} | {equal.total()} | {len(differences)} |\n")
    print(f"{share:.3%} equal\n")
    print("| wheel | file | fact | recorded | rustext | why |\n|---|---|---|---|---|---|")
    unexplained = 0
    for difference in sorted(differences, key=lambda d: (d.fact, d.wheel, d.path)):
        why = _explain(difference, explanations)
        unexplained += why is None
        cells = (difference.wheel, difference.path, difference.fact)
        shown = (*cells, _short(difference.recorded), _short(difference.ours), why or "**open**")
        print(f"| {' | '.join(shown)} |")
    extra = Counter(rust for result in results for _, _, rust in result.unlisted)
    print(f"\nFiles without a record: {extra[True]} Rust, {extra[False]} not")
    return int(share < GOAL or unexplained > 0)


def _explain(difference: Difference, rows: Sequence[Mapping[str, str]]) -> str | None:
    for row in rows:
        if row["fact"] == difference.fact and fnmatch(
            f"{difference.wheel}/{difference.path}", row["files"]
        ):
            return row["why"]
    return None


def _explanations() -> Sequence[Mapping[str, str]]:
    text = Path(__file__).with_name("differences.toml").read_text(encoding="utf-8")
    rows: Sequence[Mapping[str, str]] = tomllib.loads(text).get("difference", [])
    return rows


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("population", type=Path, help="the records, a JSON array")
    parser.add_argument("--wheels", type=Path, default=Path("build/population"), metavar="FOLDER")
    parser.add_argument("--no-download", dest="download", action="store_false")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
