"""Build a program with each mistake of configuration beside it, and ask `plan` and `doctor`.

Usage: ./test --mistakes [--again] [--minutes N] [WORD]...

The builds are real, with both freezers, as they are by default and with as few words as they may
have. Writes benchmarks/mistakes.md, and ends with 1 where one of them ends with 0, or does not say
what `rustext plan` says. Goes on where it was stopped.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from fault_rooms import environments, escaped, ordinary
from kept_rows import KeptRows, Row, parser
from lab import ROOT

sys.path.insert(0, str(ROOT / "tests" / "unit"))
from environments import Files, write_files
from known_mistakes import MISTAKES

TABLE = ROOT / "benchmarks" / "mistakes.md"
_FOLDERS = re.compile(r"(?<!\S)(?:/[\w.-]+)+/")  # of the machine that made the table
PYINSTALLER = ("-m", "PyInstaller", "--noconfirm")
NUITKA = ("-m", "nuitka", "--standalone", "--enable-plugin=rustext", "--generate-c-only")
DOORS = {
    "PyInstaller": (*PYINSTALLER, "app.py"),
    "PyInstaller, `--log-level ERROR`": (*PYINSTALLER, "--log-level", "ERROR", "app.py"),
    "Nuitka": (*NUITKA, "app.py"),
    "Nuitka, `--quiet`": (*NUITKA, "--quiet", "app.py"),
    "`plan`": ("-m", "rustext", "plan", "app.py"),
    "`doctor`": ("-m", "rustext", "doctor"),
}
CODES = {"`plan`": 2}  # the others end with 1


def measure(python: Path, files: Files, variables: Mapping[str, str], said: str) -> Row:
    """The exit code and the line of each door."""
    codes, wrong, lines = {}, [], {}
    with tempfile.TemporaryDirectory(prefix="rustext-mistake-") as text:
        folder = Path(text)
        write_files(folder, {"app.py": "print()\n", **files})
        for door, command in DOORS.items():
            done = start(python, command, folder, variables)
            codes[door] = done.returncode
            lines[door] = words(done)
            if done.returncode != CODES.get(door, 1):
                wrong.append(f"{door} ends with {done.returncode}")
            if "Traceback" in done.stderr:
                wrong.append(f"{door} shows a traceback")
        told = lines["`plan`"].partition("error: ")[2]
        line = told.replace(" hint: ", "; ")
        if said not in line:
            wrong.append(f"`plan` says {line!r}")
        for door, found in lines.items():
            if told not in found and line not in found:
                wrong.append(f"{door} says {found[-300:]!r}")
        before, _, last = lines["PyInstaller, `--log-level ERROR`"].partition("ERROR: rustext: ")
        if last != line or "WARNING" in before:
            wrong.append("more than a line at ERROR")
        return {
            "codes": codes, "wrong": "; ".join(wrong),
            "line": _FOLDERS.sub("…/", line.replace(f"{folder}/", "").replace(str(folder), "…")),
        }  # fmt: skip


def start(
    python: Path, command: tuple[str, ...], folder: Path, variables: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    env = {
        **os.environ,
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "XDG_CACHE_HOME": str(folder / "cache"),
        **{f"RUSTEXT_BUILD_{name}": value for name, value in variables.items()},
    }
    return ordinary([str(python), *command], cwd=folder, env=env)


def words(done: subprocess.CompletedProcess[str]) -> str:
    """What was printed; Nuitka wraps its lines."""
    return " ".join(f"{done.stdout} {done.stderr}".split())


def table(rows: Mapping[str, Row]) -> Iterator[str]:
    found = {name: rows[name] for name in MISTAKES if name in rows}
    good = sum(not row["wrong"] for row in found.values())
    yield "# Mistakes of configuration\n"
    yield f"`./test --mistakes`: {len(found)} of {len(MISTAKES)} rows were run, {good} are good."
    yield "Each of these ends with the code in its column and says the line of the row, PyInstaller"
    yield "at `--log-level ERROR` nothing after its own first lines; `doctor` among its checks.\n"
    yield f"| mistake | line | {' | '.join(DOORS)} |"
    yield "|---" * (2 + len(DOORS)) + "|"
    for name, row in found.items():
        line = f"**{escaped(row['wrong'])}** " if row["wrong"] else ""
        codes = " | ".join(str(code) for code in row["codes"].values())
        yield f"| {name} | {line}{escaped(row['line'])} | {codes} |"


def main() -> int:
    args = parser(__doc__).parse_args()
    kept = KeptRows("mistakes")
    _, python = environments()
    todo: dict[str, Callable[[], Row]] = {
        name: partial(measure, python, *mistake) for name, mistake in MISTAKES.items()
    }
    kept.measure(todo, args)
    rows = kept.read()
    TABLE.write_text("\n".join(table(rows)) + "\n")
    return int(any(row["wrong"] for row in rows.values()))


if __name__ == "__main__":
    sys.exit(main())
