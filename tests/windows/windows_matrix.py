"""Freeze programs with PyInstaller for Windows, run them under wine, and keep a table.

Usage: python tests/windows/windows_matrix.py [--apps APPS] [--fresh] [NAME]...

Each program is frozen without and with rustext, as a folder and as one file, and is started in an
empty folder while its Python is out of sight. It passes if it prints what it prints unfrozen, under
the same wine. `rustext verify` reads each bundle on this machine and in the Python for Windows: the
table tells what it found, and whether both said the same. Programs are those of `example_apps/`,
and with --apps those of a folder with a `main.py` and a `requirements.txt` each. Rows are added to
`.cache/windows/rows.jsonl` as they come; a second call goes on where the first one stopped.
Run by `./test --windows`, which writes benchmarks/windows/programs.md.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path

from windows_python import FOLDER, ROOT, WindowsPython, as_windows, quick_check

PINNED = ROOT / "tests" / "freezing" / "requirements.txt"
ROWS = FOLDER / "rows.jsonl"
PAGE = ROOT / "benchmarks" / "windows" / "programs.md"
NEEDED = ("ctypes", "sqlite3", "ssl", "zoneinfo")
LAYOUTS = {"folder": "app/app.exe", "one file": "single.exe"}  # programs in `dist`
WAYS = 2 * len(LAYOUTS)
SPEC = """
a = Analysis([{script!r}])
pyz = PYZ(a.pure)
EXE(pyz, a.scripts, a.binaries, a.datas, name="single")
COLLECT(EXE(pyz, a.scripts, exclude_binaries=True, name="app"), a.binaries, a.datas, name="app")
"""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One bundle, or a program of which there is none."""

    program: str
    rustext: bool
    layout: str
    result: str  # "runs", "fails", "build fails", "unfrozen fails", "no wheel"
    seconds: float = 0.0
    message: str = ""
    verify: tuple[str, ...] = ()  # errors and warnings, as `severity id subject`
    same: bool = True  # `verify` says the same on both systems


def main() -> int:
    args = parse_arguments()
    python = WindowsPython()
    python.prepare()
    quick_check(python, NEEDED)
    wheel = build_wheel()
    if args.fresh:
        ROWS.unlink(missing_ok=True)
    rows = Counter(row.program for row in read_rows())
    done = {row.program for row in read_rows() if not row.layout or rows[row.program] == WAYS}
    folders = sorted((ROOT / "example_apps").glob("*/app.py"))
    folders += sorted(args.apps.glob("*/main.py"), key=by_size) if args.apps else []
    wanted = [s for s in folders if not args.names or s.parent.name in args.names]
    todo = [script for script in wanted if script.parent.name not in done]
    start = time.monotonic()
    for number, script in enumerate(todo, 1):
        for row in iter_rows(python, wheel, script):
            with ROWS.open("a") as file:
                file.write(json.dumps(asdict(row)) + "\n")
            print(f"{number}/{len(todo)} {describe(row)}", flush=True)
        if args.minutes and time.monotonic() - start > args.minutes * 60:
            break
    PAGE.write_text(as_markdown(read_rows()))
    print(f"{PAGE.relative_to(ROOT)} is written")
    return 1 if any(row.rustext and is_bad(row) for row in read_rows()) else 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--apps", type=Path, help="a folder of further programs")
    parser.add_argument("--fresh", action="store_true", help="forget earlier rows")
    parser.add_argument("--minutes", type=float, help="begin no further program after that time")
    return parser.parse_args()


def by_size(script: Path) -> tuple[int, str]:
    return (script.parent / "requirements.txt").read_text().count("=="), script.parent.name


def build_wheel() -> Path:
    out = FOLDER / "rustext-wheel"
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return next(out.glob("*.whl"))


def iter_rows(python: WindowsPython, wheel: Path, script: Path) -> Iterator[Row]:
    """Freeze and run one program in each of the ways."""
    name = script.parent.name
    requirements = ("-r", str(PINNED), "-r", str(script.parent / "requirements.txt"))
    if (script.parent / "build_wheel.py").exists():
        yield Row(program=name, rustext=False, layout="", result="no wheel",
                  message="is built from source, for this machine")  # fmt: skip
        return
    for rustext in (False, True):
        try:
            install(python, *requirements, *([str(wheel)] if rustext else []))
        except subprocess.CalledProcessError as error:
            yield Row(program=name, rustext=False, layout="", result="no wheel",
                      message=last_line(error.stderr))  # fmt: skip
            return
        if not rustext:
            unfrozen = [run_unfrozen(python, script) for _ in range(2)]
            if any(run.returncode for run in unfrozen):
                yield Row(program=name, rustext=False, layout="", result="unfrozen fails",
                          message=last_line(unfrozen[0].stderr))  # fmt: skip
                return
            expected = [run.stdout.split() for run in unfrozen]
        yield from freeze_and_run(python, script, expected, rustext=rustext)


def install(python: WindowsPython, *requirements: str) -> None:
    """Nuitka is not needed here, and has no wheel."""
    pinned = FOLDER / "pyinstaller.txt"
    lines = [n for n in PINNED.read_text().splitlines() if n.startswith("pyinstaller")]
    pinned.write_text("\n".join(lines) + "\n")
    python.install(*(str(pinned) if r == str(PINNED) else r for r in requirements))


def run_unfrozen(python: WindowsPython, script: Path) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as folder:
        return python.run(as_windows(script), cwd=Path(folder), timeout=180)


def freeze_and_run(
    python: WindowsPython, script: Path, expected: list[list[str]], *, rustext: bool
) -> Iterator[Row]:
    """Both layouts, from one analysis; the time is that of the analysis and of both."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="rustext für Windows ") as temporary:
        work = Path(temporary)
        source = shutil.copy(script, work / script.name)
        (work / "app.spec").write_text(SPEC.format(script=script.name))
        built = python.run("-m", "PyInstaller", "--noconfirm", "app.spec", cwd=work, timeout=1200)
        seconds = round(time.monotonic() - start)
        Path(source).unlink()
        for layout, name in LAYOUTS.items():
            program = work / "dist" / name
            row = partial(
                Row, program=script.parent.name, rustext=rustext, layout=layout, seconds=seconds
            )
            if built.returncode or not program.exists():
                yield row(result="build fails", message=last_line(built.stderr))
                continue
            result, message = run_alone(python, program, expected)
            bundle = program if layout == "one file" else program.parent
            verify, same = verify_twice(python, bundle) if rustext else ((), True)
            yield row(result=result, message=message, verify=verify, same=same)


def run_alone(python: WindowsPython, program: Path, expected: list[list[str]]) -> tuple[str, str]:
    """Start a program in an empty folder, with its Python moved away."""
    python.home.rename(python.away)
    try:
        with tempfile.TemporaryDirectory() as folder:
            ended = python.wine("wine", str(program), cwd=Path(folder), timeout=180)
    except subprocess.TimeoutExpired:
        return "fails", "does not end"
    finally:
        python.away.rename(python.home)
    if ended.returncode:
        return "fails", last_line(ended.stderr or ended.stdout)
    for mine, *others in zip_longest(ended.stdout.split(), *expected):
        if mine not in others and len(set(others)) == 1:
            return "fails", f"prints {mine!r} and not {others[0]!r}"
    return "runs", ""


def verify_twice(python: WindowsPython, bundle: Path) -> tuple[tuple[str, ...], bool]:
    """What `verify` finds, and whether it says the same here and in the Python for Windows."""
    command = [sys.executable, "-m", "rustext", "verify", "--json", bundle.name]
    here = subprocess.run(
        command, cwd=bundle.parent, capture_output=True, text=True, check=False, timeout=600
    )
    there = python.run("-m", "rustext", "verify", "--json", bundle.name, cwd=bundle.parent)
    try:
        ours, theirs = json.loads(here.stdout), json.loads(there.stdout)
    except ValueError:
        return (f"no answer: {last_line(here.stderr)} | {last_line(there.stderr)}",), False
    (FOLDER / "last-verify-here.json").write_text(here.stdout)
    (FOLDER / "last-verify-there.json").write_text(there.stdout)
    found = ours["findings"]
    lines = tuple(
        f"{f['severity']} {f['id']} {f['subject']}" for f in found if f["severity"] != "note"
    )
    return lines, spelled_alike(ours) == spelled_alike(theirs)


def spelled_alike(report: dict) -> dict:
    """A report with `/` in its paths and without what only a drive tells from another root."""
    text = json.dumps(report).replace("\\\\", "/").replace("Z:/", "/")
    return json.loads(text)


def last_line(text: str) -> str:
    lines = [n for n in text.splitlines() if n.strip() and not n.startswith("[PYI-")]
    return lines[-1].strip()[-160:] if lines else ""


def read_rows() -> list[Row]:
    if not ROWS.exists():
        return []
    rows = map(json.loads, ROWS.read_text().splitlines())
    found = [Row(**{**row, "verify": tuple(row["verify"])}) for row in rows]
    return [*{(row.program, row.rustext, row.layout): row for row in found}.values()]


def is_bad(row: Row) -> bool:
    return row.result in {"fails", "build fails"} or bool(row.verify) or not row.same


def describe(row: Row) -> str:
    how = "with" if row.rustext else "without"
    said = "; ".join(filter(None, (row.message, *row.verify, "" if row.same else "not the same")))
    return (
        f"{row.program:<22} {row.layout:<9} {how:<8} {row.result:<14} {row.seconds:>3.0f} s {said}"
    )


def as_markdown(rows: list[Row]) -> str:
    built = [row for row in rows if row.layout]
    lines = [
        "# Programs frozen for Windows",
        "",
        "PyInstaller in a CPython for Windows, under wine; each program is started in an empty",
        "folder, with its Python out of sight, in a path with blanks and an umlaut. `verify` reads",
        "each bundle that was made with rustext, on Linux and in that Python: *same* says that",
        "both found the same. Written by `./test --windows [--apps APPS]`; how that Python",
        "is made is told in `tests/windows/windows_python.py`. wine is not Windows: a program that",
        "runs here may need more there.",
        "",
        "| | folder, without | folder, with | one file, without | one file, with |",
        "|---|---|---|---|---|",
    ]
    ways = [(layout, rustext) for layout in LAYOUTS for rustext in (False, True)]
    counts = [Counter(r.result for r in built if (r.layout, r.rustext) == way) for way in ways]
    lines += [
        f"| {result} | " + " | ".join(str(c[result]) for c in counts) + " |"
        for result in ("runs", "fails", "build fails")
    ]
    lines += [
        "",
        "| program | layout | without | with | `verify` | same |",
        "|---|---|---|---|---|---|",
    ]
    found = {(r.program, r.layout, r.rustext): r for r in built}
    for program, layout in sorted({(r.program, r.layout) for r in built}):
        without, with_it = (found.get((program, layout, rustext)) for rustext in (False, True))
        said = "<br>".join(with_it.verify) or "no error, no warning" if with_it else ""
        same = ("yes" if with_it.same else "**no**") if with_it else ""
        cells = " | ".join(map(as_cell, (without, with_it)))
        lines.append(f"| {program} | {layout} | {cells} | {said} | {same} |")
    others = sorted((r.program, r.result, r.message) for r in rows if not r.layout)
    lines += ["", "Not frozen:", ""] if others else []
    lines += [f"- {program}: {result}: `{message}`" for program, result, message in others]
    return "\n".join(lines) + "\n"


def as_cell(row: Row | None) -> str:
    if row is None:
        return "not run"
    if row.result == "runs":
        return f"runs, {row.seconds:.0f} s"
    message = row.message.replace("|", "\\|").replace("`", "'")
    return f"**{row.result}**: `{message}`"


if __name__ == "__main__":
    sys.exit(main())
