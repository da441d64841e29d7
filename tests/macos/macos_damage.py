"""Break bundles for macOS in the ways of the mutation suite, and see that `verify` finds it.

Usage: python tests/macos/macos_damage.py FOLDER

FOLDER has the folder and the application that `macos_matrix` has made for arm64 of a program with
tsdownsample and NumPy. After `./test --macos downsample`, that is
`.cache/macos/builds/downsample-arm64-with/dist`.
`tests/mutation/macos_mutations.py` says what has to be found; before, nothing is. Run by
`./test --macos-damage FOLDER`, which writes benchmarks/macos/damage.md.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from fnmatch import fnmatch
from pathlib import Path

from macos_matrix import LAYOUTS, PAGE
from macos_mutations import MAC_MUTATIONS
from macos_python import FOLDER


def main() -> int:
    dist = Path(sys.argv[1])
    rows, lost = [], 0
    for layout, (name, _) in LAYOUTS.items():
        good = findings(dist / name)
        lost += bool(good)
        rows.append(f"| {layout} | *as it was made* | {describe(good)} | |")
        for mutation in MAC_MUTATIONS:
            with tempfile.TemporaryDirectory() as room:
                bundle = Path(room, name)
                shutil.copytree(dist / name, bundle, symlinks=True)
                mutation.apply(bundle, FOLDER)
                found = findings(bundle)
            wanted = (mutation.severity, mutation.id)
            seen = any(f[:2] == wanted and fnmatch(f[2], mutation.subject) for f in found)
            lost += not seen
            what = mutation.name.replace("_", " ")
            rows.append(f"| {layout} | {what} | {describe(found)} | {'' if seen else '**lost**'} |")
            print(rows[-1], flush=True)
    text = [
        "# Damaged bundles for macOS",
        "",
        "A folder and an application that PyInstaller's code for macOS made of a program with",
        "tsdownsample and NumPy for arm64, broken in each way that the mutation suite has, and",
        "judged by `rustext verify` on Linux. *Lost* is where it does not find what was done.",
        "Written by `./test --macos-damage FOLDER`.",
        "",
        "| bundle | broken | errors and warnings of `verify` | |",
        "|---|---|---|---|",
        *rows,
    ]
    PAGE.with_name("damage.md").write_text("\n".join(text) + "\n")
    return 1 if lost else 0


def findings(bundle: Path) -> list[tuple[str, str, str]]:
    command = [sys.executable, "-m", "rustext", "verify", "--json", str(bundle)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    found = json.loads(done.stdout)["findings"]
    return [(f["severity"], f["id"], f["subject"]) for f in found if f["severity"] != "note"]


def describe(found: list[tuple[str, str, str]]) -> str:
    lines = (f"{severity}: {id_} `{Path(subject).name}`" for severity, id_, subject in found)
    return "<br>".join(dict.fromkeys(lines)) or "none"


if __name__ == "__main__":
    sys.exit(main())
