"""How much longer a freezer takes with rustext than without, in turns, in one run.

Usage: python benchmarks/build_overhead.py [--freezer nuitka|pyinstaller] [--rounds N]
                                           [--requirement R]... [--program FILE]

Each build is a real one: Nuitka compiles all that it would for a user, with ccache switched off,
PyInstaller's caches are warm, and what is installed is there as bytecode, as pip leaves it. The
program imports by name what rustext would add, so that both builds hold the same modules, and what
is compared is the work of rustext and not of the compiler.

Two figures for each build: wall time, and the processor time (user and system) of all its
processes, which other work on the machine changes less. The difference is the median of those
within the rounds. Every second round begins with rustext, so that a machine that grows slower
favours neither where their number is even. For Nuitka the time inside the plugin's own methods is
counted as well: it is the figure to trust where compiling varies by more than the plugin takes.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "freezing"))

from lab import Lab  # noqa: E402

PACKAGES = (
    "orjson==3.13.0",
    "ormsgpack==1.13.1",
    "rpds-py==2026.9.1",
    "pydantic==2.14.3",
    "jiter==0.19.0",
)
# What rustext itself needs is in both environments, for packages import what they find there.
OWN_NEEDS = ("platformdirs", "packaging", "pyelftools", "macholib")
PROGRAM = """
import dataclasses, datetime, decimal, email, enum, json, queue, uuid, zoneinfo
import fractions, pathlib, ipaddress, re, typing, collections.abc, copy, inspect
import jiter, orjson, ormsgpack, pydantic, rpds

class Point(pydantic.BaseModel):
    x: int
    when: datetime.datetime

point = Point(x="1", when="2024-01-01T00:00:00")
print(orjson.loads(point.model_dump_json()), rpds.HashTrieMap({1: 2}), jiter.from_json(b"[1]"))
"""
_INSIDE = re.compile(r"inside rustext: ([\d.]+) s")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Seconds that one build took; `inside` is None where nobody counted."""

    wall: float
    cpu: float
    inside: float | None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--freezer", choices=("nuitka", "pyinstaller"), default="nuitka")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requirement", action="append", metavar="R", help="instead of the five")
    parser.add_argument("--program", type=Path, help="that imports them")
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache" / "tests")
    args = parser.parse_args()
    work = args.cache / "build-overhead"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    script = work / "app.py"
    script.write_text(args.program.read_text() if args.program else PROGRAM)
    lab = Lab(args.cache, build_wheel(work))
    requirements = (*(args.requirement or PACKAGES), *OWN_NEEDS)
    pythons = {kind: lab.environment(*requirements, rustext=kind) for kind in (False, True)}
    for python in pythons.values():
        compile_all(python)
    costs: dict[bool, list[Cost]] = {False: [], True: []}
    for number in range(args.rounds + 1):  # the first fills caches, and does not count
        order = (False, True) if number % 2 else (True, False)
        for kind in order if number or args.freezer == "pyinstaller" else ():
            cost = build(args.freezer, pythons[kind], script, work, with_rustext=kind)
            print(f"{'with' if kind else 'without':<8} {cost}", file=sys.stderr, flush=True)
            if number:
                costs[kind].append(cost)
    show(args.freezer, costs)


def build_wheel(out: Path) -> Path:
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return next(out.glob("*.whl"))


def compile_all(python: Path) -> None:
    """Do what pip does at the end of an installation, and uv does not."""
    (site,) = python.parent.parent.glob("lib/python3*/site-packages")
    command = [str(python), "-m", "compileall", "-q", str(site)]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=False)  # templates cannot be compiled


def build(freezer: str, python: Path, script: Path, work: Path, *, with_rustext: bool) -> Cost:
    out = work / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    env = {**os.environ, "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
           "XDG_CACHE_HOME": str(work / "xdg")}  # fmt: skip
    command = [str(python), "-m", "PyInstaller", "--noconfirm", "--log-level=WARN"]
    if freezer == "nuitka":
        command = [str(python), "-m", "nuitka", "--standalone", "--assume-yes-for-downloads"]
        command += ["--disable-ccache", "--quiet"]
        if with_rustext:
            timer = Path(__file__).with_name("timed_plugin.py")
            command += ["--enable-plugin=rustext", f"--user-plugin={timer}"]
    with (work / "log").open("w+") as log:
        begin = time.monotonic()
        process = subprocess.Popen(
            [*command, str(script)], cwd=out, env=env, stdout=log, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)  # with all that it has waited for
        wall = time.monotonic() - begin
        log.seek(0)
        text = log.read()
    if status:
        sys.exit(f"{' '.join(command)} failed:\n{text[-3000:]}")
    inside = _INSIDE.search(text)
    return Cost(
        wall=wall,
        cpu=usage.ru_utime + usage.ru_stime,
        inside=float(inside[1]) if inside else None,
    )


def show(freezer: str, costs: dict[bool, list[Cost]]) -> None:
    print(f"{freezer}, {len(costs[True])} rounds, {os.cpu_count()} cores, "
          f"load {os.getloadavg()[0]:.1f}\n")  # fmt: skip
    print("| | without (median) | with (median) | difference in a round (median) "
          "| rounds without | rounds with |")  # fmt: skip
    print("|---|---:|---:|---:|---|---|")
    for name in ("wall", "cpu"):
        values = {kind: [getattr(c, name) for c in found] for kind, found in costs.items()}
        less, more = (statistics.median(values[kind]) for kind in (False, True))
        extra = statistics.median(w - o for o, w in zip(values[False], values[True], strict=True))
        each = [", ".join(f"{v:.1f}" for v in values[kind]) for kind in (False, True)]
        print(
            f"| {name} | {less:.2f} s | {more:.2f} s | {extra:+.2f} s ({extra / less:+.1%}) "
            f"| {each[0]} | {each[1]} |"
        )
    inside = [cost.inside for cost in costs[True] if cost.inside is not None]
    if inside:
        least = statistics.median(c.cpu for c in costs[False])
        spent = statistics.median(inside)
        print(
            f"\nInside the plugin: {spent:.2f} s of processor time, {spent / least:.2%} of a build."
        )


if __name__ == "__main__":
    main()
