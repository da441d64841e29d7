"""Damage a bundle for Windows in many ways, start each under wine, and compare with `verify`.

Usage: python tests/windows/windows_damage.py FOLDER

FOLDER is a bundle that PyInstaller has made for Windows, and that works, with a program `app.exe`.
Each DLL and extension module is removed; some are also cut short, made those of another
architecture, or renamed. Where the program then fails, `verify` has to find an error, and where it
runs, none. Run by `./test --windows-damage FOLDER`, which writes benchmarks/windows/damage.md.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from windows_matrix import last_line
from windows_python import ROOT, WindowsPython

PAGE = ROOT / "benchmarks" / "windows" / "damage.md"
CUT = 5000  # bytes that are left
ARM64 = 0xAA64  # Machine of the COFF header
OFTEN = 4  # of so many files one is damaged in every way

Damage = Callable[[Path], object]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:CUT])


def make_arm64(path: Path) -> None:
    data = bytearray(path.read_bytes())
    start = int.from_bytes(data[0x3C:0x40], "little") + 4
    data[start : start + 2] = ARM64.to_bytes(2, "little")
    path.write_bytes(data)


def rename(path: Path) -> None:
    path.rename(path.with_name(f"renamed-{path.name}"))


def cases(bundle: Path) -> Iterator[tuple[str, Path, Damage]]:
    files = sorted(p for p in bundle.rglob("*") if p.suffix.lower() in {".dll", ".pyd"})
    for number, path in enumerate(files):
        inside = path.relative_to(bundle)
        yield "removed", inside, Path.unlink
        if number % OFTEN == 0 or path.parent.name != "_internal":
            yield "cut short", inside, cut
            yield "of arm64", inside, make_arm64
            yield "renamed", inside, rename


def runs(python: WindowsPython, program: Path) -> tuple[bool, str]:
    with tempfile.TemporaryDirectory() as folder:
        done = python.wine("wine", str(program), cwd=Path(folder), timeout=180)
    return done.returncode == 0, last_line(done.stderr) if done.returncode else ""


def judge(bundle: Path) -> tuple[bool, str]:
    command = [sys.executable, "-m", "rustext", "verify", "--json", str(bundle)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    found = [f for f in json.loads(done.stdout)["findings"] if f["severity"] == "error"]
    return done.returncode == 0, ", ".join(
        dict.fromkeys(f"{f['id']} {f['subject']}" for f in found)
    )


def main() -> int:
    source = Path(sys.argv[1]).resolve()
    python = WindowsPython()
    python.prepare()
    assert runs(python, source / "app.exe")[0], "the bundle does not work as it is"
    rows, differ = [], 0
    for what, inside, damage in cases(source):
        with tempfile.TemporaryDirectory() as room:
            bundle = Path(shutil.copytree(source, Path(room, "app")))
            damage(bundle / inside)
            (works, said), (clean, found) = runs(python, bundle / "app.exe"), judge(bundle)
        differ += works != clean
        verdict = "agree" if works == clean else "**differ**"
        rows.append(
            f"| {inside.as_posix()} | {what} | {'runs' if works else f'fails: `{said}`'} "
            f"| {found or 'no error'} | {verdict} |"
        )
        print(rows[-1], flush=True)
    text = [
        "# Damaged bundles for Windows",
        "",
        "A bundle of PyInstaller's is damaged, started under wine, and judged by `rustext verify`",
        f"on Linux. {len(rows) - differ} of {len(rows)} verdicts agree with the run. Written by",
        "`./test --windows-damage FOLDER`.",
        "",
        "| file | is | the program | `verify` | |",
        "|---|---|---|---|---|",
        *rows,
    ]
    PAGE.write_text("\n".join(text) + "\n")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
