"""How much longer a test suite takes while `rustext record` watches it, in turns, in one run.

Usage: python benchmarks/record_overhead.py PYTHON SUITE... [--rounds N]

PYTHON is the interpreter of an environment with rustext, pytest and what the suites need; a SUITE
is an unpacked sdist. What is compared is the processor time (user and system) of all processes,
the median over the rounds. The record is made after the suite has ended, and its time is told
apart: it is that of recording a script that does nothing.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

GOAL = 0.20
TESTS = ("-m", "pytest", "-q", "-p", "no:cacheprovider")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("python", type=Path)
    parser.add_argument("suite", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    python = str(args.python.absolute())
    print(f"{args.rounds} rounds, load {os.getloadavg()[0]:.1f}\n")
    print("| suite | without | recorded | of that the record's making | longer |")
    print("|---|---:|---:|---:|---:|")
    missed = False
    for suite in args.suite:
        with tempfile.TemporaryDirectory() as folder:
            nothing = Path(folder, "nothing.py")
            nothing.touch()
            trace = [python, "-m", "rustext", "trace", "-q", "-o"]
            suite_record, empty = (str(Path(folder, name)) for name in ("suite.toml", "empty.toml"))
            ways = [
                [python, *TESTS],
                [*trace, suite_record, "--", *TESTS],
                [*trace, empty, "--", str(nothing)],
            ]
            rounds = [[measure(way, suite) for way in ways] for _ in range(args.rounds)]
        plain, recorded, making = map(statistics.median, zip(*rounds, strict=True))
        longer = recorded / plain - 1
        missed |= longer >= GOAL
        times = f"{plain:.2f} s | {recorded:.2f} s | {making:.2f} s"
        print(f"| {suite.name} | {times} | {longer:+.0%} |", flush=True)
    return int(missed)


def measure(command: list[str], folder: Path) -> float:
    """Seconds of processor time that a command takes with all that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, cwd=folder, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    sys.exit(main())
