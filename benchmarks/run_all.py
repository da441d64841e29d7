"""Run the benchmarks, and keep the tables that the documentation shows.

Usage: python benchmarks/run_all.py [NAME]... [--apps APPS] [--population POPULATION]
                                    [--wheels WHEELS]

Each benchmark is a command of its own that prints Markdown. It runs in an environment made of
requirements.txt and of rustext as it is built from this source, and what it prints is kept in
results/NAME.md, below the command and the facts of the run; the pages in docs/benchmarks show these
files. Without names, all run whose inputs are given. APPS is a folder of programs, each with
`main.py` and `requirements.txt`; POPULATION describes published wheels (population/README.md), and
WHEELS is the folder for them (default: .cache/benchmarks/wheels), into which the missing ones are
downloaded first. The rest is made here: PINNED, SITE and PYTHON are the wheels of requirements.txt
and the environment into which they are installed, MACOS is a folder of further wheels, those of
macos_wheels.json. Exit code 1 if a benchmark missed its goal, 2 if an input is missing.
`./test --benchmarks` runs this, with all that it needs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT / "tests" / "freezing"), str(HERE / "population")]

from download import download  # noqa: E402
from lab import Lab  # noqa: E402

CACHE = ROOT / ".cache" / "benchmarks"
RESULTS = HERE / "results"


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """A command in this folder; words in capitals stand for its inputs."""

    command: str
    beside: tuple[str, ...] = ()  # distributions whose version the result depends on


BENCHMARKS: Mapping[str, Benchmark] = {
    "recall": Benchmark(command="recall/run.py APPS"),
    "native_imports": Benchmark(command="native_imports.py POPULATION WHEELS"),
    "population": Benchmark(command="population/compare.py POPULATION --wheels WHEELS"),
    "resolve_agreement": Benchmark(command="resolve_agreement.py PINNED"),
    "macos_agreement": Benchmark(
        command="macos_agreement.py WHEELS MACOS", beside=("nuitka", "pyinstaller", "macholib")
    ),
    "resolve_speed": Benchmark(
        command="resolve_speed.py SITE", beside=("auditwheel", "nuitka", "pyinstaller")
    ),
    "resolve_growth": Benchmark(command="resolve_speed.py SITE --growth"),
    "scan_speed": Benchmark(command="scan_speed/run.py PINNED --rounds 2", beside=("auditwheel",)),
    "scan_jobs": Benchmark(command="scan_speed/jobs.py PINNED"),
    "second_scan": Benchmark(command="scan_speed/second_scan.py SITE"),
    "inspect_speed": Benchmark(
        command="inspect_speed.py polars-runtime-32 pyarrow cryptography tokenizers orjson"
    ),
    "verify_speed": Benchmark(command="verify_speed.py SITE", beside=("pyinstaller",)),
    "entry_point": Benchmark(command="entry_point.py PYTHON", beside=("pyinstaller",)),
    "build_reads": Benchmark(command="build_reads.py PYTHON", beside=("pyinstaller",)),
    "environment_growth": Benchmark(command="environment_growth.py"),
    "overhead_nuitka": Benchmark(
        command="build_overhead.py --freezer nuitka --rounds 1", beside=("nuitka",)
    ),
    "overhead_pyinstaller": Benchmark(
        command="build_overhead.py --freezer pyinstaller --rounds 32", beside=("pyinstaller",)
    ),
    "free_threaded": Benchmark(command="free_threaded.py", beside=("packaging",)),
    "bundle_size": Benchmark(command="bundle_size.py"),
}


def main() -> int:
    args = parse_arguments()
    given = {"APPS": args.apps, "POPULATION": args.population}
    missing = {word for word, path in given.items() if path is None}
    missing |= {"WHEELS"} if args.population is None else set()
    chosen = args.names or [n for n in BENCHMARKS if not missing & words(n)]
    lacking = {f"--{word.lower()}" for name in chosen for word in missing & words(name)}
    if lacking:
        print(f"error: not given: {', '.join(sorted(lacking))}", file=sys.stderr)
        return 2
    python = make_environment()
    wheels = {"WHEELS": args.population, "MACOS": HERE / "macos_wheels.json"}
    folders = {"WHEELS": args.wheels, "MACOS": CACHE / "macos_wheels"}
    for word in sorted(wheels.keys() & set[str]().union(*map(words, chosen))):
        download(json.loads(wheels[word].read_text("utf-8")), folders[word])
    site = python.parent.parent / "lib" / f"python{python_version(python)}" / "site-packages"
    inputs = {
        **given,
        **folders,
        "SITE": site,
        "PYTHON": python,
        "PINNED": CACHE / "pinned",
    }
    if any("PINNED" in words(name) for name in chosen):
        fetch_pinned(python, CACHE / "pinned")
    codes = [run(name, python, inputs) for name in chosen]
    return int(any(codes))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="see the file's docstring")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--apps", type=Path)
    parser.add_argument("--population", type=Path)
    parser.add_argument("--wheels", type=Path, default=CACHE / "wheels")
    args = parser.parse_args()
    if unknown := set(args.names) - BENCHMARKS.keys():
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    return args


def words(name: str) -> set[str]:
    """The inputs of a benchmark."""
    return {word for word in BENCHMARKS[name].command.split() if word.isupper()}


def make_environment() -> Path:
    """The interpreter of an environment with rustext, as it is now, and its rivals."""
    out = CACHE / "wheel"
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    wheel = max(out.glob("*.whl"), key=lambda path: path.stat().st_mtime)
    pinned = (HERE / "requirements.txt").read_text("utf-8").splitlines()
    wanted = [line for line in pinned if line and not line.startswith("#")]
    return Lab(ROOT / ".cache" / "tests", wheel).environment(*wanted, rustext=True)


def fetch_pinned(python: Path, folder: Path) -> None:
    """The wheels of requirements.txt, as pip chooses them for this machine."""
    command = [str(python), "-m", "pip", "wheel", "-q", "--no-deps"]
    command += ["--disable-pip-version-check", "--wheel-dir", str(folder)]
    subprocess.run([*command, "-r", str(HERE / "requirements.txt")], check=True)


def run(name: str, python: Path, inputs: Mapping[str, Path | None]) -> int:
    """Run one benchmark, and keep what it prints; the exit code."""
    script, *rest = BENCHMARKS[name].command.split()
    print(f"== {name}", file=sys.stderr, flush=True)
    facts = " ".join(iter_facts(name, python))
    env = {**os.environ, "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}
    command = [str(python), str(HERE / script), *(str(inputs.get(word, word)) for word in rest)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=env, check=False)
    if not done.stdout:
        print(f"error: {name} printed nothing; its result is as before", file=sys.stderr)
        return done.returncode or 1
    missed = "" if done.returncode == 0 else "\nThe goal was missed.\n"
    RESULTS.mkdir(exist_ok=True)
    text = f"    python benchmarks/{BENCHMARKS[name].command}\n\n{facts}\n\n{done.stdout}{missed}"
    (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
    return done.returncode


def iter_facts(name: str, python: Path) -> Iterator[str]:
    """When, where and beside which versions."""
    yield f"Measured on {datetime.now(tz=timezone.utc):%Y-%m-%d}:"
    distributions = ("rustext", *BENCHMARKS[name].beside)
    code = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    answer = subprocess.run(
        [str(python), "-c", code, *distributions], stdout=subprocess.PIPE, text=True, check=True
    )
    for one, version in zip(distributions, answer.stdout.split(), strict=True):
        yield f"{one} {version},"
    libc = " ".join(platform.libc_ver())
    yield f"CPython {platform.python_version()}, {platform.machine()} {platform.system()}, {libc},"
    yield f"{os.cpu_count()} processors with a load of {os.getloadavg()[0]:.1f} before the start."


def python_version(python: Path) -> str:
    code = "import sysconfig; print(sysconfig.get_python_version())"
    done = subprocess.run([str(python), "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
