"""Compare the wall time of `rustext scan` with that of `auditwheel show`, over the same wheels.

    python benchmarks/scan_speed/run.py FOLDER [--auditwheel PATH] [--rounds N]

Both read every wheel in FOLDER (manylinux and musllinux wheels: auditwheel refuses others), two at
a time, without a cache, in turns, so that both meet the same load; the first round, which warms
the file system's cache, does not count. Prints a table, and a JSON line for machines.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

WORKERS = 2  # as many as `rustext scan` takes
TIMEOUT = 3600  # seconds


def main() -> int:
    arguments = _arguments()
    wheels = sorted(arguments.folder.glob("*.whl"))
    contenders: dict[str, Callable[[], None]] = {
        "rustext scan": lambda: _scan(arguments.folder),
        "auditwheel show": lambda: _show(arguments.auditwheel, wheels),
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
    print(f"{len(wheels)} wheels, {size / 1e6:.0f} MB, {arguments.rounds} rounds\n")
    for name, median in medians.items():
        spread = ", ".join(f"{value:.1f}" for value in times[name])
        print(f"{name:<16} {median:7.2f} s  ({spread})")
    ratio = medians["auditwheel show"] / medians["rustext scan"]
    print(f"\nauditwheel show takes {ratio:.2f} times as long")
    print(json.dumps({"wheels": len(wheels), "bytes": size, "seconds": times, "ratio": ratio}))
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
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
