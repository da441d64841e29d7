"""How rustext's share of a build grows with the environment that it is in.

    python benchmarks/environment_growth.py [--sizes 100 1000] [--files 150] [--extensions 20]

Runs in an environment with rustext and Rust packages, by its interpreter. For each size, an
environment is made: rustext with what it needs, distributions with Rust extension modules copied
from this one, and others of Python files, until there are as many as the size says. Measured is
what rustext does in a build with PyInstaller, in new processes as there: the entry point that
writes the hooks, and a session that the extension modules enter, one after the other. The first
time the cache is empty, later it holds what that left. Prints Markdown; exit code 1 if the share in
the largest environment, warm, is over the goal.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import venv
from importlib import metadata
from pathlib import Path

from rustext.api import scan

GOAL = 2.0  # seconds
ROUNDS = 3
OWN_NEEDS = ("rustext", "platformdirs", "packaging", "pyelftools", "macholib", "altgraph")

ENTRY = """
import json, time
wall, busy = time.perf_counter(), time.process_time()
from rustext_hooks import get_hook_dirs
get_hook_dirs()
print(json.dumps([time.perf_counter() - wall, time.process_time() - busy, 0]))
"""
SESSION = """
import json, sys, time
from pathlib import Path
wall, busy = time.perf_counter(), time.process_time()
from rustext.freezing.options import read_options
from rustext.freezing.session import start_session
from rustext.model.plan import CompanionKind
build = start_session(Path.cwd(), read_options(), freezer="benchmark").build
entered = 0
for module in sys.argv[1:]:
    path = build.file_of(module)
    build.enter(module, path)
    list(build.accompany(path, *CompanionKind))
    entered += build.plan(path) is not None
print(json.dumps([time.perf_counter() - wall, time.process_time() - busy, entered]))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--files", type=int, default=150, help="Python files of a distribution")
    parser.add_argument("--extensions", type=int, default=20)
    args = parser.parse_args()
    modules = rust_modules(args.extensions)
    print(
        "| distributions | files | extensions | cache | wall | processor | of it the entry point |"
    )
    print("|---:|---:|---:|---|---:|---:|---:|")
    last = 0.0
    for size in args.sizes:
        with tempfile.TemporaryDirectory(prefix="environment-growth-") as name:
            folder = Path(name)
            python, count = make(folder, modules, size, args.files)
            rounds = [share(python, folder, modules) for _ in range(ROUNDS + 1)]
        for label, found in (("cold", rounds[:1]), ("warm", rounds[1:])):
            wall, busy, entry, entered = map(statistics.median, zip(*found, strict=True))
            print(
                f"| {size} | {count:,} | {entered:.0f} | {label} | {wall:.2f} s | {busy:.2f} s "
                f"| {entry:.2f} s |",
                flush=True,
            )
            last = busy
    return int(last > GOAL)


def rust_modules(count: int) -> dict[str, str]:
    """Rust extension modules of this environment, one a distribution, with its name."""
    found: dict[str, str] = {}
    for file in scan():
        if file.provenance.rust and file.module and file.distribution:
            found.setdefault(file.distribution, file.module)
    return {module: name for name, module in sorted(found.items())[:count]}


def make(folder: Path, modules: dict[str, str], size: int, files: int) -> tuple[Path, int]:
    """An environment with so many distributions: its interpreter, and how many files it has."""
    venv.create(folder / "venv", symlinks=True)
    (site,) = (folder / "venv").glob("lib/python3*/site-packages")
    copied = {*OWN_NEEDS, *modules.values()}
    for name in sorted(copied):
        copy(name, site)
    for number in range(size - len(copied)):
        write_distribution(site, f"filler_{number:04}", files)
    count = sum(len(names) for _, _, names in os.walk(site))
    return folder / "venv" / "bin" / "python", count


def copy(name: str, site: Path) -> None:
    dist = metadata.distribution(name)
    for file in dist.files or ():
        if ".." not in file.parts and "__pycache__" not in file.parts:
            (site / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(dist.locate_file(file), site / file)


def write_distribution(site: Path, name: str, files: int) -> None:
    package, info = site / name, site / f"{name}-1.0.dist-info"
    package.mkdir()
    info.mkdir()
    rows = []
    for number in range(files):
        text = (
            f"from . import part_{(number + 1) % files}\n\n\ndef answer():\n    return {number}\n"
        )
        file = "__init__.py" if not number else f"part_{number}.py"
        (package / file).write_text(text, encoding="utf-8")
        rows.append(f"{name}/{file},,")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    rows += [f"{info.name}/METADATA,,", f"{info.name}/RECORD,,"]
    (info / "RECORD").write_text("\n".join(rows) + "\n", encoding="utf-8")


def share(python: Path, folder: Path, modules: dict[str, str]) -> tuple[float, ...]:
    """Wall and processor time of both parts, the entry point's, and how many modules entered."""
    env = {**os.environ, "XDG_CACHE_HOME": str(folder / "xdg")}
    parts = [
        json.loads(
            subprocess.run(
                [str(python), "-c", code, *modules],
                cwd=folder,
                env=env,
                stdout=subprocess.PIPE,
                check=True,
            ).stdout
        )
        for code in (ENTRY, SESSION)
    ]
    (entry_wall, entry_busy, _), (wall, busy, entered) = parts
    return entry_wall + wall, entry_busy + busy, entry_busy, entered


if __name__ == "__main__":
    sys.exit(main())
