"""Break a bundle for Windows in several ways, repair it there, and start it under wine.

    ./test --windows-repairs [--again] [--minutes N] [WORD]...

A program that fails when PyInstaller freezes it without rustext is repaired as it is; in its
repaired copy, native files are then removed, cut short, made those of another architecture and
renamed. `rustext repair --environment` runs in the Python for Windows; all programs run with that
Python out of sight. It writes benchmarks/repairs/windows.md, and goes on where it was stopped.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from kept_rows import KeptRows, parser
from windows_damage import cut, judge, make_arm64, rename
from windows_matrix import PINNED, build_wheel, install, last_line, run_alone, run_unfrozen
from windows_python import FOLDER, ROOT, WindowsPython, as_windows, quick_check

PAGE = ROOT / "benchmarks" / "repairs" / "windows.md"
PROGRAM = "packed"  # of `example_apps/`: fails when PyInstaller freezes it without rustext
FIRST = f"frozen without rustext: {PROGRAM}"
SPEC = """
a = Analysis([{script!r}])
exe = EXE(PYZ(a.pure), a.scripts, exclude_binaries=True, name="app")
COLLECT(exe, a.binaries, a.datas, name="app")
"""


def misname(path: Path) -> None:
    """The suffix of a Python for another processor."""
    path.rename(path.with_name(path.name.replace("win_amd64", "win32")))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "removed": Path.unlink, "cut short": cut, "of arm64": make_arm64, "renamed": rename,
    "called another processor's": misname,
}  # fmt: skip


def cases(bundle: Path) -> Iterator[tuple[str, Path]]:
    """Each damage of a module in a package, and what else the program needs, removed."""
    files = sorted(p for p in bundle.rglob("*") if p.suffix.lower() in {".dll", ".pyd"})
    module = next(p for p in files if "win_amd64" in p.name)
    yield from ((what, module.relative_to(bundle)) for what in DAMAGES)
    for path in files:
        if path.name.lower().startswith(("python3", "vcruntime140.", "_socket")):
            yield "removed", path.relative_to(bundle)


def freeze(python: WindowsPython, script: Path, work: Path) -> None:
    """Have PyInstaller make a folder of a script, below `dist`."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    shutil.copy(script, work)
    (work / "app.spec").write_text(SPEC.format(script=script.name))
    built = python.run("-m", "PyInstaller", "--noconfirm", "app.spec", cwd=work, timeout=1200)
    if built.returncode:
        sys.exit(f"error: {last_line(built.stderr)}")


def measure(
    python: WindowsPython, expected: list[list[str]], bundle: Path, new: Path
) -> dict[str, object]:
    """Start a broken bundle, repair it, and start and judge the result."""
    new.parent.mkdir(exist_ok=True)
    before, said = run_alone(python, bundle / "app.exe", expected)
    done = python.run(
        "-m", "rustext", "repair", as_windows(bundle), "-o", as_windows(new), "--json",
        "--environment", as_windows(python.program),
    )  # fmt: skip
    lines = done.stderr.strip().splitlines()
    verdict = next((line for line in lines if line.startswith("error")), last_line(done.stderr))
    count, after = 0, "-"
    if new.is_dir():
        count = len(json.loads(done.stdout)["repairs"])
        after, later = run_alone(python, new / "app.exe", expected)
        after += f": `{later}`" if later else ""
        clean, found = judge(new)
        verdict = "no error" if clean else found
    good = after == "runs" and verdict == "no error"
    return {
        "broken": before + (f": `{said}`" if said else ""), "repairs": count, "after": after,
        "verdict": verdict, "wrong": "" if good else "**no**",
    }  # fmt: skip


def measure_damage(
    python: WindowsPython, expected: list[list[str]], whole: Path, inside: Path, what: str
) -> dict[str, object]:
    """The same for a copy of a bundle that works, with one file damaged."""
    with tempfile.TemporaryDirectory(prefix="rustext-repairs-") as folder:
        broken = Path(shutil.copytree(whole, Path(folder, "app")))
        DAMAGES[what](broken / inside)
        return measure(python, expected, broken, Path(folder, "new", "app"))


def main() -> int:
    args = parser(__doc__).parse_args()
    script = ROOT / "example_apps" / PROGRAM / "app.py"
    python = WindowsPython()
    python.prepare()
    quick_check(python, ["ctypes"])
    needed = ("-r", str(PINNED), "-r", str(script.parent / "requirements.txt"))
    work = FOLDER / "repairs"
    plain, whole = work / "dist" / "app", work / "whole" / "app"
    if not plain.is_dir():
        install(python, *needed)
        freeze(python, script, work)
    install(python, *needed, str(build_wheel()))
    expected = [run_unfrozen(python, script).stdout.split() for _ in range(2)]
    kept = KeptRows("windows-repairs")
    if not whole.is_dir():
        kept.measure({FIRST: partial(measure, python, expected, plain, whole)}, args)
    todo = {
        f"{what}: {inside.as_posix()}": partial(
            measure_damage, python, expected, whole, inside, what
        )
        for what, inside in cases(whole)
    }
    kept.measure(todo, args)
    known = kept.read()
    rows = {key: known[key] for key in (FIRST, *todo) if key in known}
    good = sum(not row["wrong"] for row in rows.values())
    text = [
        "# Bundles for Windows, repaired",
        "",
        f"The example `{PROGRAM}`, frozen by PyInstaller for Windows, is repaired by",
        "`rustext repair --environment` in a Python for Windows, under wine, started before and",
        f"after. {good} of {len(rows)} run and have a clean verdict in the end. Written by",
        "`./test --windows-repairs`.",
        "",
        "| is: file | the program | repairs | repaired | `verify` | |",
        "|---|---|---|---|---|---|",
        *(
            f"| {key} | {row['broken']} | {row['repairs']} | {row['after']} | {row['verdict']} | "
            f"{row['wrong']} |"
            for key, row in rows.items()
        ),
    ]
    PAGE.write_text("\n".join(text) + "\n")
    return int(good != len(rows))


if __name__ == "__main__":
    sys.exit(main())
