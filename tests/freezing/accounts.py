"""Record programs as two accounts, and freeze each as one of them with the record of the other.

Usage: ./test --accounts APPS [--only NAME]... [-o FILE]

APPS is a folder of programs as for `matrix.py`. Root has the program and its environment in one
place, the account `nobody` copies of both in another, and a home and caches of its own. Started by
root, where that account can read this Python. Writes benchmarks/record_accounts.md, and ends with
1 if two records differ, two bundles do, or the frozen program of `nobody` prints something else
than its unfrozen one does.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from fault_rooms import account, hand_over
from kept_rows import CACHE
from lab import ROOT, Lab, check
from matrix import SCRIPTS, build_wheel

from rustext.verify.bundle.bundle import read_bundle

TABLE = ROOT / "benchmarks" / "record_accounts.md"
RECORD = "rustext-trace.toml"
HEAD = """\
# Records and bundles of two accounts

    ./test --accounts APPS

Each program runs once as root and once as the account `nobody`, which has copies of the program
and of its environment in another place. Then both freeze it with PyInstaller, each with the record
that the *other* account has made, and `nobody` starts the program that it has frozen.

| program | rows of the record | records | files of the bundles | contents | modules | as `nobody` |
|---|---:|---|---:|---|---|---|
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("apps", type=Path, nargs="+")
    parser.add_argument("--only", action="append", metavar="NAME")
    parser.add_argument("-o", "--output", type=Path, default=TABLE)
    args = parser.parse_args()
    if not account():
        print(f"root is needed, and an account that can read {sys.executable}", file=sys.stderr)
        return 2
    lab = Lab(CACHE, build_wheel(CACHE), freezers=("pyinstaller",))
    apps = sorted(p for folder in args.apps for p in folder.iterdir() if p.is_dir())
    chosen = [p for p in apps if not args.only or p.name in args.only]
    lines = []
    for app in chosen:
        lines.append(measure(lab, app))
        print(lines[-1], flush=True)
    args.output.write_text(HEAD + "\n".join(lines) + "\n")
    return 1 if any("differ" in line or "fails" in line for line in lines) else 0


def measure(lab: Lab, app: Path) -> str:
    """The row of one program."""
    wanted = app / "requirements.txt"
    requirements = ("-r", str(wanted)) if wanted.exists() else (str(next(app.glob("*pack"))),)
    environment = lab.environment(*requirements, rustext=True).parent.parent
    with tempfile.TemporaryDirectory(prefix="rustext-accounts-") as text:
        Path(text).chmod(0o755)
        ours, theirs = Side(Path(text) / "ours", ()), Side(Path(text) / "theirs", account())
        for side in (ours, theirs):
            side.fill(app, environment)
        records = [side.record() for side in (ours, theirs)]
        ours.keep(records[1])
        theirs.keep(records[0])
        mine, other = (side.freeze() for side in (ours, theirs))
        names = [{p: digest(b / p) for p in files(b)} for b in (mine, other)]
        apart = sorted(p for p, q in names[0].items() if names[1].get(p, q) != q and p != "main")
        modules = [read_bundle(bundle).modules for bundle in (mine, other)]
        printed = [theirs.run([str(other / "main")]), theirs.run(theirs.unfrozen)]
    same = names[0].keys() == names[1].keys()
    cells = (
        app.name,
        str(sum(line.startswith('"') for line in records[0].decode().splitlines())),
        "same bytes" if records[0] == records[1] else "differ",
        str(len(names[0])) if same else f"differ: {sorted(names[0].keys() ^ names[1].keys())[:5]}",
        "same" if not apart else f"differ: {apart[:5]}",
        f"the same {len(modules[0]):,}" if modules[0] == modules[1] else "differ",
        "runs" if printed[0] == printed[1] else f"fails: {printed[0][-200:]!r}",
    )
    return "| " + " | ".join(cells) + " |"


class Side:
    """An account with a program, an environment and a home of its own."""

    def __init__(self, home: Path, start: Sequence[str]) -> None:
        self.home = home
        self.start = start
        self.program = home / "program"
        self.python = home / "environment" / "bin" / "python"
        self.unfrozen = [str(self.python), "main.py"]

    def fill(self, app: Path, environment: Path) -> None:
        shutil.copytree(environment, self.home / "environment", symlinks=True)
        shutil.copytree(app, self.program, copy_function=shutil.copyfile)
        self.program.chmod(0o755)  # whatever the rights of what was copied
        script = next(self.program / name for name in SCRIPTS if (self.program / name).exists())
        script.rename(self.program / "main.py")
        (self.program / "pyproject.toml").write_text(f'[tool.rustext]\ntrace = "{RECORD}"\n')
        self.own()

    def own(self) -> None:
        if self.start:
            hand_over(self.home)

    def command(self, words: Sequence[str]) -> tuple[list[str], dict[str, object]]:
        env = {
            **os.environ,
            "HOME": str(self.home),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return [*self.start, *words], {"cwd": self.program, "env": env}

    def record(self) -> bytes:
        words = [str(self.python), "-m", "rustext", "trace", "-o", RECORD, "--", "main.py"]
        command, options = self.command(words)
        check(command, **options)
        return (self.program / RECORD).read_bytes()

    def keep(self, record: bytes) -> None:
        """Take the record of somebody else."""
        (self.program / RECORD).write_bytes(record)
        self.own()

    def freeze(self) -> Path:
        command, options = self.command(
            [str(self.python), "-m", "PyInstaller", "--noconfirm", "main.py"]
        )
        check(command, **options)
        return self.program / "dist" / "main"

    def run(self, words: Sequence[str]) -> str:
        """What a program prints, and how it ends."""
        command, options = self.command(words)
        done = subprocess.run(command, check=False, capture_output=True, text=True, **options)
        return f"{done.stdout}\n{done.returncode} {done.stderr if done.returncode else ''}"


def files(bundle: Path) -> list[str]:
    return sorted(str(p.relative_to(bundle)) for p in bundle.rglob("*") if p.is_file())


def digest(file: Path) -> str:
    """Of what a file holds: archives carry the times at which they were made."""
    if not zipfile.is_zipfile(file):
        return hashlib.sha256(file.read_bytes()).hexdigest()
    with zipfile.ZipFile(file) as archive:
        members = [(name, archive.read(name)) for name in sorted(archive.namelist())]
    return hashlib.sha256(repr(members).encode()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
