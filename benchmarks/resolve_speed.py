"""How fast libraries are resolved, beside ldd, lddtree, auditwheel and the freezers' own scanners.

    python benchmarks/resolve_speed.py FOLDER [--count 100] [--rounds 7] [--growth]

FOLDER holds extension modules for this machine: an environment's site-packages, or wheels, which
are unpacked. In each round the full closure of the first of them is resolved: by `ldd` and by
pax-utils' `lddtree`, one process a file; by `auditwheel.lddtree.ldd`; by PyInstaller's
`bindepend.get_imports` and by Nuitka's `detectBinaryPathDLLsPosix`, which start `ldd`; by one
`Resolver` of rustext. The rounds alternate, so that a busy moment of the machine hits all. Prints
Markdown: the median of each and the ratios; exit code 1 means that a ratio is below what the
project promises. `--growth` prints what 1, 10, 50, … extensions cost instead. Needs `pip install
auditwheel nuitka pyinstaller`, and `apt install pax-utils`.
"""

from __future__ import annotations

import argparse
import gc
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from auditwheel.lddtree import ldd as lddtree
from nuitka.freezer import DllDependenciesPosix
from PyInstaller.depend import bindepend

from rustext.errors import RustextError
from rustext.formats.binary import read_binary
from rustext.loaders.resolver import Resolver
from rustext.loaders.rules import Loader
from rustext.model.image import Format, ImageKind

OURS = "rustext"
GROWTH = (1, 10, 50, 100, 250, 500)  # extensions


def iter_extensions(source: Path, folder: Path) -> Iterator[Path]:
    """The extension modules of a folder; those in wheels for this machine are unpacked, in turn."""
    yield from filter(is_extension, sorted(source.rglob("*.so")))
    for wheel in sorted(source.glob(f"*manylinux*{platform.machine()}.whl")):
        target = folder / wheel.stem
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if name.endswith(".so") or ".so." in name:
                    archive.extract(name, target)
        yield from filter(is_extension, sorted(target.rglob("*.so")))


def is_extension(path: Path) -> bool:
    try:
        image = read_binary(path).image
    except RustextError:
        return False
    native = image.format is Format.ELF and image.architecture == platform.machine()
    return native and image.kind is ImageKind.SHARED and bool(image.python_inits)


def run_ldd(files: list[Path]) -> None:
    for file in files:
        subprocess.run(["ldd", file], capture_output=True, check=False, timeout=60)


def run_lddtree(files: list[Path]) -> None:
    tool = shutil.which("lddtree")
    if tool is None:
        raise SystemExit("no lddtree here: apt install pax-utils")
    for file in files:
        subprocess.run([sys.executable, tool, file], capture_output=True, check=True, timeout=60)


def run_auditwheel(files: list[Path]) -> None:
    for file in files:
        lddtree(file)


def run_pyinstaller(files: list[Path]) -> None:
    for file in files:
        bindepend.get_imports(str(file))


def run_nuitka(files: list[Path]) -> None:
    DllDependenciesPosix.ldd_result_cache.clear()
    for file in files:
        DllDependenciesPosix.detectBinaryPathDLLsPosix(
            dll_filename=str(file), package_name=None, original_dir=str(file.parent)
        )


def run_rustext(files: list[Path]) -> None:
    resolver = Resolver(loader=Loader())
    for file in files:
        resolver.resolve(file)


# Each with how many times as long as rustext it takes at least.
RIVALS: dict[str, tuple[Callable[[list[Path]], None], int]] = {
    "`ldd`": (run_ldd, 10),
    "`lddtree` of pax-utils": (run_lddtree, 10),
    "`auditwheel.lddtree`": (run_auditwheel, 5),
    "PyInstaller's `bindepend`": (run_pyinstaller, 10),
    "Nuitka's scanner": (run_nuitka, 10),
}


def measure(files: list[Path], rounds: int) -> dict[str, list[float]]:
    """Seconds of each round; one round before the first warms the page cache for all."""
    contestants = {OURS: run_rustext, **{name: run for name, (run, _) in RIVALS.items()}}
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, contestant in contestants.items():
            gc.collect()
            start = time.perf_counter()
            contestant(files)
            if number:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=100, help="extensions (default 100)")
    parser.add_argument("--rounds", type=int, default=7, help="rounds (default 7)")
    parser.add_argument("--growth", action="store_true", help="cost by number of extensions")
    options = parser.parse_args()
    count = GROWTH[-1] if options.growth else options.count
    with tempfile.TemporaryDirectory() as folder:
        found = iter_extensions(options.folder, Path(folder))
        files = [file for file, _ in zip(found, range(count), strict=False)]
        if not files:
            parser.error(f"no extension modules for {platform.machine()} in {options.folder}")
        if options.growth:
            return print_growth(files, options.rounds)
        seconds = measure(files, options.rounds)
    print(f"{len(files)} extensions, {options.rounds} rounds\n")
    return compare(seconds)


def compare(seconds: dict[str, list[float]]) -> int:
    """Print the medians, their ratios, and the least favourable round; the exit code."""
    ours, good = seconds[OURS], True
    print("| | median | fastest | slowest | times rustext's | worst round | promised |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, values in sorted(seconds.items(), key=lambda item: statistics.median(item[1])):
        figures = (statistics.median(values), min(values), max(values))
        cells = [name, *(f"{1000 * figure:.1f} ms" for figure in figures), "", "", ""]
        if name in RIVALS:
            ratio = statistics.median(values) / statistics.median(ours)
            worst = min(a / b for a, b in zip(values, ours, strict=True))
            promised = RIVALS[name][1]
            good &= ratio >= promised
            cells[4:] = f"{ratio:.1f}", f"{worst:.1f}", f"{promised}"
        print(f"| {' | '.join(cells)} |")
    return 0 if good else 1


def print_growth(files: list[Path], rounds: int) -> int:
    """The median cost of the first N extensions, all and each."""
    print(f"{rounds} rounds\n\n| extensions | all | each |\n|---:|---:|---:|")
    for count in (n for n in GROWTH if n <= len(files)):
        seconds = []
        for _ in range(rounds):
            start = time.perf_counter()
            run_rustext(files[:count])
            seconds.append(time.perf_counter() - start)
        median = 1000 * statistics.median(seconds)
        print(f"| {count} | {median:.1f} ms | {median / count:.2f} ms |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
