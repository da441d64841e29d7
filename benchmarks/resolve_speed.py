"""How fast libraries are resolved, beside ldd, auditwheel's lddtree and the freezers' own scanners.

    python benchmarks/resolve_speed.py WHEELS [--count 100] [--rounds 7] [--growth]

WHEELS is a folder of wheels for this machine. The first extension modules found in them are
unpacked, and in each round the full closure of all of them is resolved: by `ldd`, one process a
file; by `auditwheel.lddtree.ldd`; by PyInstaller's `bindepend.get_imports` and by Nuitka's
`detectBinaryPathDLLsPosix`, which start `ldd`; by one `Resolver` of rustext. The rounds alternate,
so that a busy moment of the machine hits all. The median of each and the ratios are printed; exit
code 1 means that a ratio is below what the project promises. `--growth` prints what 1, 10, 100, …
extensions cost instead. Needs `pip install auditwheel nuitka pyinstaller`.
"""

from __future__ import annotations

import argparse
import gc
import platform
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

from rustext.binary import read_binary
from rustext.errors import RustextError
from rustext.loader import Loader
from rustext.model import Format, ImageKind
from rustext.resolve import Resolver

PROMISED = {"ldd": 10, "lddtree": 5, "PyInstaller": 10, "Nuitka": 10}
GROWTH = (1, 10, 50, 100, 250, 500)  # extensions


def iter_extensions(wheels: Path, folder: Path) -> Iterator[Path]:
    """Unpack the wheels for this machine one by one; yield their extension modules."""
    for wheel in sorted(wheels.glob(f"*manylinux*{platform.machine()}.whl")):
        target = folder / wheel.stem
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if name.endswith(".so") or ".so." in name:
                    archive.extract(name, target)
        for path in sorted(target.rglob("*.so")):
            if is_extension(path):
                yield path


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


CONTESTANTS: dict[str, Callable[[list[Path]], None]] = {
    "ldd": run_ldd,
    "lddtree": run_lddtree,
    "PyInstaller": run_pyinstaller,
    "Nuitka": run_nuitka,
    "rustext": run_rustext,
}


def measure(files: list[Path], rounds: int) -> dict[str, list[float]]:
    """Seconds of each round; one round before the first warms the page cache for all."""
    seconds: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
    for number in range(rounds + 1):
        for name, contestant in CONTESTANTS.items():
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
    parser.add_argument("wheels", type=Path)
    parser.add_argument("--count", type=int, default=100, help="extensions (default 100)")
    parser.add_argument("--rounds", type=int, default=7, help="rounds (default 7)")
    parser.add_argument("--growth", action="store_true", help="cost by number of extensions")
    options = parser.parse_args()
    count = GROWTH[-1] if options.growth else options.count
    with tempfile.TemporaryDirectory() as folder:
        found = iter_extensions(options.wheels, Path(folder))
        files = [file for file, _ in zip(found, range(count), strict=False)]
        if not files:
            parser.error(f"no extension modules for {platform.machine()} in {options.wheels}")
        if options.growth:
            return print_growth(files, options.rounds)
        seconds = measure(files, options.rounds)
    print(f"{len(files)} extensions, {options.rounds} rounds, {platform.machine()}, "
          f"Python {platform.python_version()}")  # fmt: skip
    print(f"{'':12}{'median':>10}{'fastest':>10}{'slowest':>10}")
    for name, values in seconds.items():
        figures = (statistics.median(values), min(values), max(values))
        print(f"{name:12}" + "".join(f"{1000 * v:7.1f} ms" for v in figures))
    return compare(seconds)


def print_growth(files: list[Path], rounds: int) -> int:
    """The median cost of the first N extensions, all and each."""
    print(f"{'extensions':>10}{'all':>12}{'each':>12}")
    for count in (n for n in GROWTH if n <= len(files)):
        seconds = []
        for _ in range(rounds):
            start = time.perf_counter()
            run_rustext(files[:count])
            seconds.append(time.perf_counter() - start)
        median = 1000 * statistics.median(seconds)
        print(f"{count:>10}{median:9.1f} ms{median / count:9.2f} ms")
    return 0


def compare(seconds: dict[str, list[float]]) -> int:
    """Print the ratio of the medians and of the least favourable round."""
    good = True
    for name, promised in PROMISED.items():
        rounds = [a / b for a, b in zip(seconds[name], seconds["rustext"], strict=True)]
        ratio = statistics.median(seconds[name]) / statistics.median(seconds["rustext"])
        good &= ratio >= promised
        print(f"rustext is {ratio:.1f} times as fast as {name}; "
              f"worst round {min(rounds):.1f}, promised {promised}")  # fmt: skip
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
