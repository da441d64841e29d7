"""Measure a second `rustext scan` of an environment.

    python benchmarks/scan_speed/second_scan.py SITE [--wheels FOLDER [--count 200]] [--rounds 9]

SITE is an environment's site-packages, or with `--wheels` a folder into which the smallest COUNT
wheels of FOLDER, one of each distribution, are unpacked (and kept for the next time). It is scanned
once, and then the wall time of further scans is compared with that of an interpreter that does
nothing, in turns. Prints Markdown; exit code 1 if the medians differ by more than 0.2 s.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from packaging.utils import parse_wheel_filename

GOAL = 0.2  # seconds over the start of the interpreter
TIMEOUT = 600  # seconds


def main() -> int:
    arguments = _arguments()
    if arguments.wheels is not None and not arguments.site.is_dir():
        _install(arguments.wheels, arguments.site, arguments.count)
    dists = len(list(arguments.site.glob("*.dist-info")))
    scan = [sys.executable, "-m", "rustext", "scan", str(arguments.site)]
    commands = {
        "an interpreter that does nothing": [sys.executable, "-c", "pass"],
        "`rustext scan`": scan,
        "`rustext scan --json`": [*scan, "--json"],
    }
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "XDG_CACHE_HOME": cache}
        first, _ = _time(scan, environment)
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(arguments.rounds):
            for name, command in commands.items():
                times[name].append(_time(command, environment))
    wall, busy = (
        {name: statistics.median(pair[kind] for pair in pairs) for name, pairs in times.items()}
        for kind in (0, 1)
    )
    print(f"{dists} distributions, first scan {first:.2f} s\n")
    print("| | wall | processor |\n|---|---:|---:|")
    for name in commands:
        print(f"| {name} | {wall[name]:.3f} s | {busy[name]:.3f} s |")
    nothing, *scans = commands
    over = max(wall[name] for name in scans) - wall[nothing]
    spent = max(busy[name] for name in scans) - busy[nothing]
    print(f"\nOver the interpreter: {over:.3f} s of wall time, {spent:.3f} s of the processor's.")
    return int(over > GOAL)


def _install(folder: Path, site: Path, count: int) -> None:
    chosen: dict[str, Path] = {}
    for wheel in sorted(folder.glob("*linux*x86_64*.whl"), key=lambda path: path.stat().st_size):
        chosen.setdefault(parse_wheel_filename(wheel.name)[0], wheel)
    for wheel in list(chosen.values())[:count]:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)


def _time(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Wall time and processor time of a command; the second says what a busy machine hides."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT, env=environment)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("site", type=Path)
    parser.add_argument("--wheels", type=Path, help="a folder of Linux wheels to unpack into SITE")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=9)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
