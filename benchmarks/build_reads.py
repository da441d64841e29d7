"""Count how often rustext opens the files of an environment while PyInstaller builds a program.

    python benchmarks/build_reads.py PYTHON [--extensions 20] [--show]

PYTHON is the interpreter of an environment with rustext, PyInstaller and Rust packages. A program
that imports some of its Rust extension modules is built three times with one cache, which is empty
at first, and not into the program's own folder: what can be imported from there stays the same. The
third build has `--clean`, so that PyInstaller analyses the program again. An
audit hook in each Python process notes the native files and the Python sources of site-packages
that are opened (https://docs.python.org/3/library/sys.html#sys.addaudithook), where the innermost
function outside of the standard library is rustext's; what is imported does not count. Prints
Markdown. The goal: no file is opened twice in the first build, and none in the others; exit code 1
where that is missed. `--show` names who opens the files.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

TIMEOUT = 900  # seconds
KINDS = ("native files", "Python sources")

# `sitecustomize` of each process. The log is opened before the hook is there.
HOOK = r"""
import os, re, sys

def _watch(log, native=re.compile(r"\.so(?:\.\d+)*$|\.pyd$|\.dll$|\.dylib$")):
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    own = f"{os.sep}rustext{os.sep}"
    last = None  # what `open` was called with, whose `opener` calls `os.open`

    def hook(event, args):
        nonlocal last
        if event != "open" or not isinstance(args[0], (str, bytes, os.PathLike)):
            return
        path = os.fsdecode(args[0])
        nested, last = args[1] is None and path == last, path if args[1] is not None else None
        if nested:
            return
        if "site-packages" not in path or own in path:
            return
        if not (path.endswith(".py") or native.search(path)):
            return
        frame, who = sys._getframe().f_back, []
        while frame is not None:
            name = frame.f_globals.get("__name__", "")
            top = name.partition(".")[0]
            if top in {"importlib", "_frozen_importlib", "_frozen_importlib_external"} and not who:
                return
            if top in {"rustext", "rustext_hooks"}:
                who.append(f"{name}:{frame.f_code.co_name}")
            elif not who and top not in sys.stdlib_module_names:
                return
            frame = frame.f_back
        if who:
            line = "\t".join([os.path.realpath(path), *who[:6]]) + "\n"
            os.write(out, line.encode("utf-8", "surrogateescape"))

    sys.addaudithook(hook)

if os.environ.get("BUILD_READS"):
    _watch(os.environ["BUILD_READS"])
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("python", type=Path)
    parser.add_argument("--extensions", type=int, default=20, metavar="N")
    parser.add_argument("--show", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="build-reads-") as name:
        folder = Path(name)
        (folder / "hook").mkdir()
        (folder / "hook" / "sitecustomize.py").write_text(HOOK, encoding="utf-8")
        packages = rust_packages(args.python)[: args.extensions]
        program = "".join(f"import {package}\n" for package in packages)
        (folder / "program").mkdir()
        (folder / "program" / "app.py").write_text(program, encoding="utf-8")
        print(f"A program that imports {len(packages)} packages with Rust extensions.\n")
        builds = [build(args.python, folder, number) for number in (1, 2, 3)]
    print("| build | | opened | opens | most for one file |\n|---|---|---:|---:|---:|")
    for number, lines in enumerate(builds, 1):
        for kind, counts in zip(KINDS, count(lines), strict=True):
            most = max(counts.values(), default=0)
            print(f"| {number} | {kind} | {len(counts)} | {counts.total()} | {most} |")
    if args.show:
        show(builds)
    first = max((n for counts in count(builds[0]) for n in counts.values()), default=0)
    return int(first > 1 or any(builds[1:]))


def rust_packages(python: Path) -> list[str]:
    """The top-level packages with Rust extension modules."""
    command = [str(python), "-m", "rustext", "scan", "--json", "--quiet"]
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=TIMEOUT, check=True)
    rows = json.loads(done.stdout)["extensions"]
    return sorted({r["module"].partition(".")[0] for r in rows if r["rust"] and r["module"]})


def build(python: Path, folder: Path, number: int) -> list[list[str]]:
    """What is opened in one build: the file, and the functions of rustext, innermost first."""
    log = folder / f"log-{number}"
    env = {
        **os.environ,
        "BUILD_READS": str(log),
        "PYTHONPATH": str(folder / "hook"),
        "RUSTEXT_CACHE": str(folder / "cache"),
        "XDG_CACHE_HOME": str(folder / "xdg"),
    }
    command = [str(python), "-m", "PyInstaller", "--noconfirm", "--log-level=ERROR"]
    command += [f"--{kind}path={folder / kind}" for kind in ("work", "dist", "spec")]
    command += ["--clean"] if number == 3 else []
    subprocess.run(
        [*command, "app.py"],
        cwd=folder / "program",
        env=env,
        stdout=sys.stderr,
        timeout=TIMEOUT,
        check=True,
    )
    text = log.read_text("utf-8", "surrogateescape") if log.exists() else ""
    return [line.split("\t") for line in text.splitlines()]


def count(lines: list[list[str]]) -> tuple[Counter[str], Counter[str]]:
    """How often each native file, and each Python source, is opened."""
    sources = [path for path, *_ in lines if path.endswith(".py")]
    return Counter(p for p, *_ in lines if not p.endswith(".py")), Counter(sources)


def show(builds: list[list[list[str]]]) -> None:
    """Name the callers of what is opened again, or in a later build."""
    again = {path for counts in count(builds[0]) for path, n in counts.items() if n > 1}
    for number, lines in enumerate(builds, 1):
        callers: Counter[str] = Counter()
        for path, *who in lines:
            if number > 1 or path in again:
                suffix = "source" if path.endswith(".py") else "native"
                callers[f"{suffix}: {' < '.join(who)}"] += 1
        print(f"\nBuild {number}:\n")
        for who, times in callers.most_common():
            print(f"- {times} times: {who}")


if __name__ == "__main__":
    sys.exit(main())
