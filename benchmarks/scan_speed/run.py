"""Compare the wall time of `rustext scan` with that of `auditwheel show`, over the same wheels.

    python benchmarks/scan_speed/run.py FOLDER [--auditwheel PATH] [--rounds N] [--count 100]

Both read COUNT manylinux wheels of FOLDER, taken at random and each time the same, two at a time,
without a cache, in turns, so that both meet the same load; the first round, which warms the file
system's cache, does not count. `auditwheel show` takes one wheel, so there is one process for each,
as its users have it. Prints a Markdown table; exit code 1 if rustext takes longer.
"""

from __future__ import annotations

import argparse
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

WORKERS = 2  # as many as `rustext scan` takes
TIMEOUT = 3600  # seconds
OURS, THEIRS = "`rustext scan --json --no-cache`", "`auditwheel show`"


def main() -> int:
    arguments = _arguments()
    wheels = sorted(arguments.folder.glob(f"*manylinux*{platform.machine()}.whl"))
    wheels = random.Random(0).sample(wheels, min(arguments.count, len(wheels)))
    with tempfile.TemporaryDirectory() as name:
        for wheel in wheels:
            Path(name, wheel.name).symlink_to(wheel.resolve())
        return compare(Path(name), wheels, arguments)


def compare(folder: Path, wheels: Sequence[Path], arguments: argparse.Namespace) -> int:
    contenders: dict[str, Callable[[], None]] = {
        OURS: lambda: _scan(folder),
        THEIRS: lambda: _show(arguments.auditwheel, wheels),
    }
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(arguments.rounds + 1):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            if number:
                times[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(values) for name, values in times.items()}
    size = sum(wheel.stat().st_size for wheel in wheels)
    print(f"{len(wheels)} wheels, {size / 1e6:.0f} MB\n\n| | median | rounds |\n|---|---:|---|")
    for name, median in medians.items():
        spread = ", ".join(f"{value:.1f}" for value in times[name])
        print(f"| {name} | {median:.2f} s | {spread} |")
    ratio = medians[THEIRS] / medians[OURS]
    print(f"\n{THEIRS} takes {ratio:.1f} times as long.")
    return 0 if ratio > 1 else 1


def _scan(folder: Path) -> None:
    command = [sys.executable, "-m", "rustext", "scan", "--json", "--no-cache", str(folder)]
    _run(command)


def _show(auditwheel: str, wheels: Sequence[Path]) -> None:
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(lambda wheel: _run([auditwheel, "show", str(wheel)]), wheels))


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, check=False, timeout=TIMEOUT)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr.decode(errors='replace')[-2000:]}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="a folder of Linux wheels")
    parser.add_argument(
        "--auditwheel", default=shutil.which("auditwheel") or "auditwheel", metavar="PATH"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=100)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
