"""Measure the entry point that PyInstaller calls before each build.

    python benchmarks/entry_point.py PYTHON [--rounds 9] [--goal 0.3]

PYTHON is the interpreter of an environment with rustext and PyInstaller, the more distributions the
better. The entry point is loaded and called as PyInstaller does it, in one of its isolated
subprocesses, each time a new one: the first time with an empty cache, then with what that left.
Those of other packages, which PyInstaller calls there in any case, come first. Prints wall and
processor time of the call alone (rustext's imports included); exit code 1 if the median of the
later ones is over the goal.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

GOAL = 0.3  # seconds, for 200 distributions
TIMEOUT = 600  # seconds

# Runs in PYTHON. The function's source is what PyInstaller sends to its subprocess.
CALL = """
import json
from PyInstaller import isolated

@isolated.decorate
def call():
    import time
    from importlib import metadata
    points = metadata.entry_points(group="pyinstaller40", name="hook-dirs")
    point, = [p for p in points if p.module == "rustext_hooks"]
    for other in points:
        if other != point:
            other.load()()
    wall, busy = time.perf_counter(), time.process_time()
    folder, = point.load()()
    wall, busy = time.perf_counter() - wall, time.process_time() - busy
    return folder, wall, busy, len(list(metadata.distributions()))

print(json.dumps(call()))
"""


def main() -> int:
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "XDG_CACHE_HOME": cache}
        calls = [_call(arguments.python, environment) for _ in range(arguments.rounds + 1)]
        hooks = len(list(Path(calls[0][0]).glob("hook-*.py")))
    first, *later = calls
    wall, busy = (statistics.median(call[kind] for call in later) for kind in (1, 2))
    print(f"{first[3]} distributions, {hooks} hooks; median of {len(later)} calls\n")
    print("| | wall | processor |\n|---|---:|---:|")
    print(f"| first call, empty cache | {first[1]:.2f} s | {first[2]:.2f} s |")
    print(f"| later calls | {wall:.3f} s | {busy:.3f} s |")
    return int(wall > arguments.goal)


def _call(python: Path, environment: dict[str, str]) -> tuple[str, float, float, int]:
    done = subprocess.run(
        [str(python), "-c", CALL],
        env=environment, check=True, stdout=subprocess.PIPE, text=True, timeout=TIMEOUT,
    )  # fmt: skip
    folder, wall, busy, dists = json.loads(done.stdout)
    return folder, wall, busy, dists


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("python", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--goal", type=float, default=GOAL, help="seconds")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
