"""Freeze programs without rustext, and let `rustext repair --environment` alone make them run.

    ./test --repairs APPS [NAME …] [--freezer nuitka|pyinstaller] [-o TABLE]

APPS is a folder of programs, as for `./test --corpus`. Each row of the table is one frozen program:
how it ended before and after, in isolation, and what was changed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from lab import FREEZERS, ROOT, Frozen, Lab
from matrix import build_wheel, is_small, modules_that_ask_for_metadata, top_level_names
from repairing import faults, judge

from rustext.model.verification import IsolatedRun

HEAD = (
    "| program | freezer | frozen | repairs | files changed | repaired | prints what it does "
    "unfrozen | verdict |\n|---|---|---|---|---|---|---|---|"
)


def main() -> None:
    """Freeze, repair and run; rows are printed as they come, and kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("apps", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--freezer", choices=FREEZERS, action="append")
    parser.add_argument(
        "-o", "--output", type=Path, default=ROOT / "benchmarks" / "repairs" / "programs.md"
    )
    args = parser.parse_args()
    cache = ROOT / ".cache" / "tests"
    lab = Lab(cache, build_wheel(cache))
    kept = args.output.read_text().splitlines() if args.output.exists() else []
    rows = {row.split(" | ")[:2][0] + row.split(" | ")[1]: row for row in kept[2:]}
    for name in args.names or sorted(path.name for path in args.apps.iterdir()):
        for freezer in args.freezer or FREEZERS:
            with tempfile.TemporaryDirectory() as folder:
                try:
                    row = repair_program(lab, args.apps / name, freezer, Path(folder))
                except AssertionError as error:
                    print(name, freezer, str(error)[-300:], flush=True)
                    continue
            print(row, flush=True)
            rows[f"| {name}{freezer}"] = row
            args.output.write_text("\n".join([HEAD, *(rows[key] for key in sorted(rows))]) + "\n")


def repair_program(lab: Lab, app: Path, freezer: str, folder: Path) -> str:
    """Freeze one program without rustext, run it, repair it, run it again."""
    requirements = ("-r", str(app / "requirements.txt"))
    script = folder / "source" / "main.py"
    script.parent.mkdir()
    shutil.copy(app / "main.py", script)
    expected = lab.run_unfrozen(script, *requirements)
    python = lab.environment(*requirements, rustext=False)
    compiled = [n for n in top_level_names(app / "requirements.txt") if is_small(python, n)]
    compiled += modules_that_ask_for_metadata(python) if freezer == "nuitka" else []
    frozen = lab.freeze(
        freezer, script, *requirements, out=folder / "out", rustext=False, compiled=compiled
    )
    before = frozen.run(hide=[script.parent])
    new = folder / "repaired" / frozen.bundle.name
    new.parent.mkdir()
    command = [sys.executable, "-m", "rustext", "repair", frozen.bundle, "-o", new, "--json"]
    command += ["--environment", python]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    report = json.loads(done.stdout) if done.stdout else {"repairs": [], "files": []}
    after, same = None, False
    if new.is_dir():
        program = new / frozen.program.relative_to(frozen.bundle)
        repaired = Frozen(bundle=new, program=program, python=python, log="")
        after = repaired.run(hide=[script.parent, frozen.bundle])
        same = after.stdout == expected
    lab.forget(*requirements)
    return (
        f"| {app.name} | {freezer} | {_ended(before)} | {len(report['repairs'])} | "
        f"{len(report['files'])} | {_ended(after)} | {'yes' if same else 'no'} | "
        f"{judge(done.returncode, faults(report, 'after'))} |"
        + (f" <!-- {after.stderr[-200:]!r} -->" if after is not None and after.code else "")
        + (f" <!-- {done.stderr[-200:]!r} -->" if done.stderr else "")
    )


def _ended(run: IsolatedRun | None) -> str:
    return "-" if run is None else "runs" if run.code == 0 else f"ends with {run.code}"


if __name__ == "__main__":
    main()
