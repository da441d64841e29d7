"""Freeze programs with PyInstaller for macOS, on Linux, and keep a table.

Usage: python tests/macos/macos_matrix.py [--apps APPS] [--machine M]... [--minutes N] [NAME]...

Each program is frozen without and with rustext, by a PyInstaller that takes itself for one on a Mac
(see `macos_python`), as a folder and as an application. Nothing of it can be run here. Instead:

- `rustext verify` reads what was made with rustext, and `dyld_walk` follows each load of it, with
  another reader: both have to find the same libraries missing;
- what rustext plans is compared with its plan for the same program on Linux, row by row; a row that
  one of them lacks is explained where the wheels differ in what the row comes from;
- what rustext added is counted against the build without it.

Programs are those of `example_apps/`, and with --apps those of a folder with a `main.py` and a
`requirements.txt` each. Rows are added to `.cache/macos/rows.jsonl` as they come; a second call
goes on where the first one stopped. Run by `./test --macos`, which writes
benchmarks/macos/programs.md.
"""

from __future__ import annotations

import argparse
import ast
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from compare_plans import compare_plans
from dyld_walk import names_of_the_builder, walk_bundle
from macos_python import FOLDER, PLATFORMS, ROOT, MacPython

PINNED = ROOT / "tests" / "freezing" / "requirements.txt"
ROWS = FOLDER / "rows.jsonl"
PAGE = ROOT / "benchmarks" / "macos" / "programs.md"
LAYOUTS = {"folder": ("app", "app"), "application": ("App.app", "Contents/MacOS/app")}
SPEC = """
a = Analysis([{script!r}])
exe = EXE(PYZ(a.pure), a.scripts, exclude_binaries=True, name="app")
folder = COLLECT(exe, a.binaries, a.datas, name="app")
BUNDLE(folder, name="App.app", bundle_identifier="org.example.app")
"""


@dataclass(frozen=True, kw_only=True)
class Row:
    """What became of one program; the lists are empty where all is well."""

    program: str
    machine: str
    result: str  # "built", "build fails", "no wheel"
    message: str = ""
    seconds: int = 0  # both builds, and all that was compared
    added: tuple[int, int] = (0, 0)  # modules and files that the build without rustext lacks
    loads: int = 0  # libraries that were followed, in both layouts
    verify: dict[str, tuple[str, ...]] = field(default_factory=dict)  # by layout
    missing: dict[str, tuple[str, ...]] = field(default_factory=dict)  # by layout, by the walk
    foreign: tuple[str, ...] = ()  # of these, what the wheel takes from its builder's machine
    planned: int = 0  # rows of the plan
    explained: int = 0  # differences to the plan on Linux
    unexplained: tuple[str, ...] = ()


def main() -> int:
    args = parse_arguments()
    with tempfile.TemporaryDirectory() as room:
        return rehearse_all(args, build_wheel(Path(room)))


def rehearse_all(args: argparse.Namespace, wheel: Path) -> int:
    done = {(row.program, row.machine) for row in read_rows()}
    folders = sorted((ROOT / "example_apps").glob("*/app.py"))
    folders += sorted(args.apps.glob("*/main.py"), key=by_size) if args.apps else []
    wanted = [s for s in folders if not args.names or s.parent.name in args.names]
    todo = [(s, m) for m in args.machine or ["arm64"] for s in wanted]
    todo = [(s, m) for s, m in todo if args.again or (s.parent.name, m) not in done]
    start = time.monotonic()
    for number, (script, machine) in enumerate(todo, 1):
        python = MacPython(machine)
        python.prepare()
        row = rehearse(python, wheel, script)
        with ROWS.open("a") as file:
            file.write(json.dumps(asdict(row)) + "\n")
        print(f"{number}/{len(todo)} {describe(row)}", flush=True)
        if args.minutes and time.monotonic() - start > args.minutes * 60:
            break
    rows = read_rows()
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(as_markdown(rows))
    print(f"{PAGE.relative_to(ROOT)} is written")
    return 1 if any(map(is_bad, rows)) else 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--apps", type=Path, help="a folder of further programs")
    parser.add_argument("--machine", action="append", choices=PLATFORMS, help="default: arm64")
    parser.add_argument("--again", action="store_true", help="rehearse what has a row already")
    parser.add_argument("--minutes", type=float, help="begin no further program after that time")
    return parser.parse_args()


def by_size(script: Path) -> tuple[int, str]:
    return (script.parent / "requirements.txt").read_text().count("=="), script.parent.name


def build_wheel(out: Path) -> Path:
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return next(out.glob("*.whl"))


def rehearse(python: MacPython, wheel: Path, script: Path) -> Row:
    """Freeze one program without and with rustext, and compare what came out."""
    start = time.monotonic()
    name = script.parent.name
    requirements = ["-r", str(script.parent / "requirements.txt"), *pinned_freezer()]
    message = ""
    if (script.parent / "build_wheel.py").exists():
        message = "is built from source, for this machine"
    elif not (script.parent / "requirements.txt").read_text().strip():
        message = "its requirements name no package"
    if message:
        return Row(program=name, machine=python.machine, result="no wheel", message=message)
    contents = []
    for rustext in (False, True):
        try:
            python.install(requirements, [str(wheel)] if rustext else [])
        except subprocess.CalledProcessError as error:
            message = last_line(error.stderr)
            return Row(program=name, machine=python.machine, result="no wheel", message=message)
        work = FOLDER / "builds" / f"{name}-{python.machine}-{'with' if rustext else 'without'}"
        if message := freeze(python, script, work):
            return Row(program=name, machine=python.machine, result="build fails", message=message)
        contents.append(read_contents(work))
    loads, verify, missing = 0, {}, {}
    for layout, (folder, program) in LAYOUTS.items():
        bundle = work / "dist" / folder
        verify[layout] = verify_bundle(bundle)
        walk = walk_bundle(bundle, bundle / program, python.machine)
        missing[layout] = tuple(f"{name}: {lib}" for name, lib in sorted(walk.missing))
        loads += walk.loads
    names = names_of_the_builder(python.site) if any(missing.values()) else set()
    absent = {lib for found in missing.values() for line in found for lib in [Path(line).name]}
    planned, explained, unexplained = compare_plans(python, script)
    (old_modules, old_files), (modules, files) = contents
    return Row(
        program=name, machine=python.machine, result="built",
        seconds=round(time.monotonic() - start),
        added=(len(modules - old_modules), len(files - old_files)),
        loads=loads, verify=verify, missing=missing,
        foreign=tuple(sorted(name for name in names if Path(name).name in absent)),
        planned=planned, explained=explained, unexplained=unexplained,
    )  # fmt: skip


def pinned_freezer() -> list[str]:
    """PyInstaller with the hooks of others, in the releases that all tests run."""
    return [line for line in PINNED.read_text().splitlines() if line.startswith("pyinstaller")]


def freeze(python: MacPython, script: Path, work: Path) -> str:
    """Both layouts, from one analysis; returns why it failed."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    shutil.copy(script, work)
    (work / "app.spec").write_text(SPEC.format(script=script.name))
    own = {"PYINSTALLER_CONFIG_DIR": str(FOLDER / python.machine / "pyinstaller")}
    own |= {"XDG_CACHE_HOME": str(FOLDER / python.machine / "cache")}
    built = python.run(
        "-m", "PyInstaller", "--noconfirm", "app.spec", cwd=work, timeout=1800,
        RUSTEXT_BUILD_LEAVE_PLAN="1", **own,
    )  # fmt: skip
    (work / "log.txt").write_text(built.stdout + built.stderr)
    if built.returncode:
        return last_line(built.stderr) or f"exit code {built.returncode}"
    return ""


def read_contents(work: Path) -> tuple[set[str], set[str]]:
    """The modules in the archive, and the files of the folder."""
    (toc,) = (work / "build" / "app").glob("PYZ-*.toc")
    _, entries = ast.literal_eval(toc.read_text())
    folder = work / "dist" / "app"
    files = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    return {name for name, *_ in entries}, files


def verify_bundle(bundle: Path) -> tuple[str, ...]:
    """The errors and warnings of `rustext verify`."""
    command = [sys.executable, "-m", "rustext", "verify", "--json", bundle.name]
    done = subprocess.run(
        command, cwd=bundle.parent, capture_output=True, text=True, check=False, timeout=900
    )
    try:
        found = json.loads(done.stdout)["findings"]
    except ValueError:
        return (f"no answer: {last_line(done.stderr)}",)
    return tuple(
        f"{f['severity']} {f['id']} {f['subject']}" for f in found if f["severity"] != "note"
    )


def last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip()[-200:] if lines else ""


def read_rows() -> list[Row]:
    if not ROWS.exists():
        return []
    rows = [Row(**json.loads(line)) for line in ROWS.read_text().splitlines()]
    return [*{(row.program, row.machine): row for row in rows}.values()]


def is_bad(row: Row) -> bool:
    known = {Path(name).name for name in row.foreign}
    lines = [line for found in (row.verify, row.missing) for one in found.values() for line in one]
    unknown = [line for line in lines if Path(line).name not in known]
    return row.result == "build fails" or bool(unknown) or bool(row.unexplained)


def describe(row: Row) -> str:
    said = [row.message, *row.unexplained]
    for layout in row.verify:
        said += [f"{layout}: {line}" for line in (*row.verify[layout], *row.missing[layout])]
    return f"{row.program:<22} {row.machine:<7} {row.result:<12} {row.seconds:>4} s  " + "; ".join(
        filter(None, said)
    )


def as_markdown(rows: list[Row]) -> str:
    built = sorted((r for r in rows if r.result == "built"), key=lambda r: (r.program, r.machine))
    lines = (HEAD.format(count=len(built)) + "\n").splitlines()
    for row in built:
        found = [
            "<br>".join(dict.fromkeys(line for layout in LAYOUTS for line in by_layout[layout]))
            or none
            for by_layout, none in ((row.verify, "no error, no warning"), (row.missing, "none"))
        ]
        added = f"{row.added[0]} modules, {row.added[1]} files"
        differ = "<br>".join(row.unexplained) or "0"
        if row.foreign:
            found[1] += f"; the wheel takes it from its builder's machine: {', '.join(row.foreign)}"
        lines.append(
            f"| {row.program} | {row.machine} | {added} | {found[0]} | {row.loads} | {found[1]} "
            f"| {row.planned} | {row.explained} | {differ} |"
        )
    others = sorted((r.program, r.machine, r.result, r.message) for r in rows if r not in built)
    lines += ["", "Not frozen:", ""] if others else []
    lines += [f"- {name}, {machine}: {result}: `{why}`" for name, machine, result, why in others]
    return "\n".join(lines) + "\n"


HEAD = """# Programs frozen for macOS, on Linux

{count} builds by PyInstaller's own code for macOS, out of wheels for macOS, on Linux; none of them
was started: *no error* is what `verify` says, and not what a Mac does. Written by
`./test --macos [--apps APPS] [--machine MACHINE]`; how that PyInstaller is made to take itself for
one on a Mac is told in `tests/macos/macos_python.py`.

- *added*: what is in the folder with rustext, and not in the one without;
- *verify*: errors and warnings, for the folder and for the application;
- *loads*, *not found*: libraries that were followed by dyld's rules, with another reader than
  rustext's, in both layouts;
- *plan*: modules and files that rustext plans; *explained*: rows that the plan on Linux lacks, or
  the one for macOS, as the wheels differ in what the row comes from; *unexplained*: the others.

| program | machine | added | `verify` | loads | not found | plan | explained | unexplained |
|---|---|---|---|---|---|---|---|---|"""


if __name__ == "__main__":
    sys.exit(main())
