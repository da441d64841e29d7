"""How long `rustext inspect` takes, and how much memory: without its cache, and from it.

Usage: python benchmarks/inspect_speed.py TARGET...     (installed distributions, files or wheels)

Prints a Markdown row for each target: wall time and peak memory of a process that reads everything,
and wall time of the best of five that find the answer in the cache.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

ROUNDS = 5


def main(targets: list[str]) -> int:
    bare, _ = best("-c", "pass")
    print(f"An interpreter that does nothing takes {bare:.3f} s.\n")
    print("| target | without cache | memory | from the cache |\n|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache
        for target in targets:
            inspect = ("-m", "rustext", "inspect", target, "--json")
            cold, memory = measure(*inspect, "--no-cache")
            measure(*inspect)
            warm, _ = best(*inspect)
            name = target.rpartition("/")[2]
            print(f"| {name} | {cold:.2f} s | {memory:.0f} MB | {warm:.3f} s |", flush=True)
    return 0


def best(*args: str) -> tuple[float, float]:
    return min(measure(*args) for _ in range(ROUNDS))


def measure(*args: str) -> tuple[float, float]:
    """Seconds, and megabytes at the peak."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, *args], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"{' '.join(args)} failed")
    return seconds, usage.ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
