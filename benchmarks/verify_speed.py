"""How long `rustext verify` takes over a bundle with 1,000 native files, cached and not.

    python benchmarks/verify_speed.py SITE [--bundle BUNDLE] [--files 1000] [--against CHECKOUT]

The bundle is assembled from one that a freezer made (if none is named: from an empty program, by
PyInstaller) and the packages of SITE, an environment's site-packages with some hundred native
files: all that is in it, then copies of packages under other names until there are as many native
files as wanted. Each round is a new process; the files are in the page cache. Prints Markdown: the
median, all rounds, the median of the processor time, and the most memory. With `--against`, another
state of the sources is measured too, in turn with this one.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 3
SUFFIXES = (".so", ".pyd", ".dylib")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("site", type=Path)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--against", type=Path, help="a checkout of another state")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="verify-speed-") as name:
        folder = Path(name, "bundle")
        count = assemble(args.bundle or freeze(Path(name)), args.site, folder, args.files)
        size = sum(p.stat().st_size for p in natives(folder))
        print(f"{count} native files, {size / 1e6:,.0f} MB\n")
        states = {"": ROOT, **({"before: ": args.against} if args.against else {})}
        rounds = measure_states(folder, {k: v.resolve() for k, v in states.items()}, Path(name))
    print(
        "| `rustext verify` | median | rounds | processor | peak memory |\n|---|---:|---|---:|---:|"
    )
    for label, measured in rounds.items():
        times, processor, memory = zip(*measured, strict=True)
        shown = ", ".join(f"{t:.2f}" for t in times)
        print(
            f"| {label} | {statistics.median(times):.2f} s | {shown} "
            f"| {statistics.median(processor):.2f} s | {max(memory) / 1e6:.0f} MB |"
        )


def measure_states(
    folder: Path, states: dict[str, Path], scratch: Path
) -> dict[str, list[tuple[float, float, int]]]:
    """The rounds of each state of the sources, in turn: first without the cache, then from it."""
    found: dict[str, list[tuple[float, float, int]]] = {}
    for label, arguments in (("without cache", ["--no-cache"]), ("from the cache", [])):
        for turn in range(ROUNDS if arguments else ROUNDS + 1):
            for state, checkout in states.items():
                env = {**os.environ, "XDG_CACHE_HOME": f"{scratch}/cache-{state.strip(': ')}"}
                env["PYTHONPATH"] = str(checkout / "src")
                taken = measure([str(folder), *arguments], env)
                if arguments or turn:  # the first one fills the cache
                    found.setdefault(state + label, []).append(taken)
    return found


def freeze(folder: Path) -> Path:
    """The bundle of a program that does nothing."""
    (folder / "app.py").write_text("", encoding="utf-8")
    command = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level=ERROR", "app.py"]
    subprocess.run(command, cwd=folder, check=True, stdout=sys.stderr)
    return folder / "dist" / "app"


def natives(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and (path.suffix in SUFFIXES or ".so." in path.name):
            yield path


def assemble(bundle: Path, site: Path, folder: Path, wanted: int) -> int:
    """Copy the bundle and the site, then packages again with a number, small ones first."""
    shutil.copytree(bundle, folder, symlinks=True)
    inner = folder / "_internal" if (folder / "_internal").is_dir() else folder
    shutil.copytree(site, inner, dirs_exist_ok=True)
    count = len(list(natives(folder)))
    found = {p: list(natives(p)) for p in site.iterdir() if p.is_dir() and any(natives(p))}
    packages = sorted(found, key=lambda p: sum(f.stat().st_size for f in found[p]) / len(found[p]))
    for number in itertools.count(2):
        for package in packages:
            if count >= wanted:
                return count
            for file in found[package][: wanted - count]:
                target = inner / f"{package.name}_{number}" / file.relative_to(package)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, target)
                count += 1
    return count


def measure(arguments: list[str], env: dict[str, str]) -> tuple[float, float, int]:
    """Seconds, seconds of the processor, and bytes at the peak."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "rustext", "verify", *arguments, "--json"],
        env=env, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    _, status, used = os.wait4(process.pid, 0)
    taken = time.perf_counter() - start
    assert os.waitstatus_to_exitcode(status) in {0, 1}
    return taken, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024


if __name__ == "__main__":
    main()
