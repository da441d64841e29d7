"""Break bundles for macOS in the ways of the mutation suite; see what `verify` and `repair` do.

Usage: python tests/macos/macos_damage.py FOLDER [MINUTES]

FOLDER has the folder and the application that `macos_matrix` has made for arm64 of a program with
tsdownsample and NumPy. After `./test --macos downsample`, that is
`.cache/macos/builds/downsample-arm64-with/dist`.
`tests/mutation/macos_mutations.py` says what has to be found; before, nothing is. Then the bundle
is repaired out of the environment that `macos_matrix` has left, which has to be this program's, and
rcodesign's code checks the signatures of all Mach-O files, before and after. Rows are added to
`.cache/macos/damage.jsonl` as they come; a second call goes on where the first one stopped. Run by
`./test --macos-damage FOLDER`, which writes benchmarks/macos/damage.md and
benchmarks/repairs/macos.md.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from fnmatch import fnmatch
from pathlib import Path

import rcodesign
from macos_matrix import LAYOUTS, PAGE, last_line
from macos_mutations import MAC_MUTATIONS, MacMutation
from macos_python import FOLDER, RCODESIGN, ROOT, MacPython, write_tool
from repairing import digests, run_repair

from rustext.formats.binary import is_native

ROWS = FOLDER / "damage.jsonl"
LOST = "**lost**"
REPAIRS = ROOT / "benchmarks" / "repairs" / "macos.md"


def main() -> int:
    dist = Path(sys.argv[1])
    python = MacPython("arm64")
    python.prepare()
    tools = FOLDER / "repair-tools"  # rcodesign alone, as on a Linux machine
    tools.mkdir(exist_ok=True)
    write_tool(tools / "rcodesign", f"{sys.executable} {RCODESIGN}")
    os.environ["PATH"] = f"{tools}:{os.environ['PATH']}"
    end = time.monotonic() + 60 * float(sys.argv[2]) if len(sys.argv) > 2 else None
    rows = dict(map(json.loads, ROWS.read_text().splitlines() if ROWS.exists() else ()))
    keys: list[str] = []
    for layout, (name, _) in LAYOUTS.items():
        for mutation in (None, *MAC_MUTATIONS):
            what = mutation.name.replace("_", " ") if mutation else "*as it was made*"
            keys.append(key := f"| {layout} | {what} |")
            if key in rows or (end is not None and time.monotonic() > end):
                continue
            with tempfile.TemporaryDirectory() as room:
                bundle = Path(room, name)
                shutil.copytree(dist / name, bundle, symlinks=True)
                if mutation:
                    mutation.apply(bundle, FOLDER)
                found = findings(bundle)
                mended = mend(bundle, Path(room, "new", name), python.program)
            seen = any(is_wanted(mutation, one) for one in found) if mutation else not found
            rows[key] = [f"{describe(found)} | {'' if seen else LOST} |", mended]
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
        *(f"{key} {rows[key][0]}" for key in keys if key in rows),
    ]
    PAGE.with_name("damage.md").write_text("\n".join(text) + "\n")
    text = [
        "# Damaged bundles for macOS, repaired",
        "",
        "The bundles of `benchmarks/macos/damage.md`, repaired on Linux by",
        "`rustext repair --environment`, and signed by rcodesign where code was edited. *Refused*",
        "counts the Mach-O files in whose signature rcodesign's code (the crate apple-codesign)",
        "finds a problem, before and after. *Signatures* counts the changed files that are valid",
        "and are refused with one byte flipped. The *seal* of an application is whole where that",
        "code, sealing a copy anew, changes no byte. Nothing was started here.",
        "Written by `./test --macos-damage FOLDER`.",
        "",
        "| bundle | broken | repairs | refused | changed code | signatures | seal | left | |",
        "|---|---|---|---|---|---|---|---|---|",
        *(f"{key} {rows[key][1]}" for key in keys if key in rows),
    ]
    REPAIRS.write_text("\n".join(text) + "\n")
    return 1 if any("**" in "".join(row) for row in rows.values()) else 0


def mend(bundle: Path, new: Path, python: Path) -> str:
    """Repair a bundle; the end of its row in the second table."""
    refused = sum(bool(rcodesign.problems(path)) for path in code_of(bundle))
    new.parent.mkdir()
    _, out, err = run_repair(bundle, "-o", new, "--environment", python, "--json")
    if not new.is_dir():
        return f"- | {refused} | - | - | - | not repaired: `{last_line(err)}` | |"
    report = json.loads(out)
    named = {file["file"] for file in report["files"]}
    changed = [path for path in code_of(new) if path.relative_to(new).as_posix() in named]
    valid = [path for path in changed if not rcodesign.problems(path)]
    checked = [path for path in valid if rcodesign.notices_a_flipped_byte(path)]
    after = sum(bool(rcodesign.problems(path)) for path in code_of(new))
    left = describe(
        [
            (f["severity"], f["id"], f["subject"])
            for f in report["after"]["findings"]
            if f["severity"] != "note"
        ]
    )
    old, now = digests(bundle), digests(new)
    unnamed = {p for p in old.keys() | now.keys() if old.get(p) != now.get(p)} - named
    sealed = (new / "Contents" / "_CodeSignature").is_dir()
    broken = rcodesign.unsealed(new) if sealed else []
    wrong = "" if len(checked) == len(changed) and not unnamed | {*broken} else "**wrong**"
    seal = ("**broken**" if broken else "whole") if sealed else "none"
    code = "<br>".join(f"`{path.name}`" for path in changed) or "none"
    return (
        f"{len(report['repairs'])} | {refused} → {after} | {code} | "
        f"{len(checked)} of {len(changed)} | {seal} | {left} | {wrong} |"
    )


def code_of(bundle: Path) -> list[Path]:
    """The Mach-O files of a bundle, each once."""
    files = (p for p in sorted(bundle.rglob("*")) if p.is_file() and not p.is_symlink())
    return [path for path in files if is_native(path)]


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
