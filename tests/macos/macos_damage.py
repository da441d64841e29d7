"""Break bundles for macOS in the ways of the mutation suite, and see that `verify` finds it.

Usage: python tests/macos/macos_damage.py FOLDER

FOLDER has the folder and the application that `macos_matrix` has made for arm64 of a program with
tsdownsample and NumPy. After `./test --macos downsample`, that is
`.cache/macos/builds/downsample-arm64-with/dist`.
`tests/mutation/macos_mutations.py` says what has to be found; before, nothing is. Rows are added to
`.cache/macos/damage.jsonl` as they come; a second call goes on where the first one stopped. Run by
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
from macos_mutations import MAC_MUTATIONS, MacMutation
from macos_python import FOLDER

ROWS = FOLDER / "damage.jsonl"
LOST = "**lost**"


def main() -> int:
    dist = Path(sys.argv[1])
    rows = dict(map(json.loads, ROWS.read_text().splitlines() if ROWS.exists() else ()))
    keys: list[str] = []
    for layout, (name, _) in LAYOUTS.items():
        for mutation in (None, *MAC_MUTATIONS):
            what = mutation.name.replace("_", " ") if mutation else "*as it was made*"
            keys.append(key := f"| {layout} | {what} |")
            if key in rows:
                continue
            with tempfile.TemporaryDirectory() as room:
                bundle = Path(room, name)
                shutil.copytree(dist / name, bundle, symlinks=True)
                if mutation:
                    mutation.apply(bundle, FOLDER)
                found = findings(bundle)
            seen = any(is_wanted(mutation, one) for one in found) if mutation else not found
            rows[key] = f"{describe(found)} | {'' if seen else LOST} |"
            with ROWS.open("a") as file:
                file.write(json.dumps([key, rows[key]]) + "\n")
            print(key, rows[key], flush=True)
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
        *(f"{key} {rows[key]}" for key in keys),
    ]
    PAGE.with_name("damage.md").write_text("\n".join(text) + "\n")
    return 1 if any(LOST in rows[key] for key in keys) else 0


def is_wanted(mutation: MacMutation, finding: tuple[str, str, str]) -> bool:
    wanted = (mutation.severity, mutation.id)
    return finding[:2] == wanted and fnmatch(finding[2], mutation.subject)


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
