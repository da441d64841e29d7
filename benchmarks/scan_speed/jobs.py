"""Compare `rustext scan -j 2` with one process, over the same wheels: the time, and the bytes.

    python benchmarks/scan_speed/jobs.py FOLDER [--rounds N] [--count 100]

Both read COUNT manylinux wheels of FOLDER, taken at random and each time the same, without a
cache, in turns, so that both meet the same load; the first round, which warms the file system's
cache, does not count. Two processes need two processors: other work on the machine makes the ratio
worse, so the load before the run is printed. Prints a Markdown table; exit code 1 if two processes
take more than 0.6 of the time of one in the best round, or if their output differs.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TIMEOUT = 3600  # seconds
GOAL = 0.6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="a folder of Linux wheels")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=100)
    arguments = parser.parse_args()
    wheels = sorted(arguments.folder.glob(f"*manylinux*{platform.machine()}.whl"))
    wheels = random.Random(0).sample(wheels, min(arguments.count, len(wheels)))
    size = sum(wheel.stat().st_size for wheel in wheels)
    print(f"{len(wheels)} wheels, {size / 1e6:.0f} MB; {os.cpu_count()} processors, ", end="")
    print(f"load {os.getloadavg()[0]:.1f}\n\n| round | `-j 1` | `-j 2` | ratio |")
    print("|---|---:|---:|---:|")
    ratios = []
    with tempfile.TemporaryDirectory() as name:
        for wheel in wheels:
            Path(name, wheel.name).symlink_to(wheel.resolve())
        for number in range(arguments.rounds + 1):
            (one, first), (two, second) = (scan(name, jobs) for jobs in ("1", "2"))
            if first != second:
                print("\nThe output of two processes differs.")
                return 1
            if number:
                ratios.append(two / one)
                print(f"| {number} | {one:.2f} s | {two:.2f} s | {two / one:.2f} |")
    print(f"\nThe output is the same, {len(first)} bytes.")
    return int(min(ratios) > GOAL)


def scan(folder: str, jobs: str) -> tuple[float, bytes]:
    """The wall time in seconds, and what is printed."""
    command = [sys.executable, "-m", "rustext", "scan", "--json", "--no-cache", "-j", jobs, folder]
    start = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=TIMEOUT)
    return time.perf_counter() - start, done.stdout


if __name__ == "__main__":
    sys.exit(main())
