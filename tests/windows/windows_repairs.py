"""Break a bundle for Windows in several ways, repair it there, and start it under wine.

    python tests/windows/windows_repairs.py [NAME]

NAME is a program of `example_apps/` that fails when PyInstaller freezes it without rustext. That
bundle is repaired as it is; of its repaired copy, native files are then removed, cut short, made
those of another architecture and renamed. `rustext repair --environment` runs in the Python for
Windows; all programs run with that Python out of sight. Run by `./test --windows-repairs`, which
writes benchmarks/repairs/windows.md.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from windows_damage import cut, judge, make_arm64, rename
from windows_matrix import PINNED, build_wheel, install, last_line, run_alone, run_unfrozen
from windows_python import FOLDER, ROOT, WindowsPython, as_windows, quick_check

PAGE = ROOT / "benchmarks" / "repairs" / "windows.md"
SPEC = """
a = Analysis([{script!r}])
exe = EXE(PYZ(a.pure), a.scripts, exclude_binaries=True, name="app")
COLLECT(exe, a.binaries, a.datas, name="app")
"""
DAMAGES: dict[str, Callable[[Path], object]] = {
    "removed": Path.unlink, "cut short": cut, "of arm64": make_arm64, "renamed": rename,
}  # fmt: skip


def misname(path: Path) -> None:
    """The suffix of a Python for another processor."""
    path.rename(path.with_name(path.name.replace("win_amd64", "win32")))


def cases(bundle: Path) -> Iterator[tuple[str, Path, Callable[[Path], object]]]:
    """Ways to break what the program needs: each for a module in a package, and some for others."""
    files = sorted(p for p in bundle.rglob("*") if p.suffix.lower() in {".dll", ".pyd"})
    modules = [p for p in files if "win_amd64" in p.name]
    others = [
        p for p in files if p.name.lower().startswith(("python3", "vcruntime140.", "_socket"))
    ]
    for path in (*modules[:1], *others):
        for what, damage in DAMAGES.items():
            yield what, path.relative_to(bundle), damage
    for path in modules:
        yield "called another processor's", path.relative_to(bundle), misname


def freeze(python: WindowsPython, script: Path, work: Path) -> Path:
    """The folder that PyInstaller makes of a script."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    shutil.copy(script, work)
    (work / "app.spec").write_text(SPEC.format(script=script.name))
    built = python.run("-m", "PyInstaller", "--noconfirm", "app.spec", cwd=work, timeout=1200)
    if built.returncode:
        sys.exit(f"error: {last_line(built.stderr)}")
    return work / "dist" / "app"


class Repairing:
    """Breaks, repairs and starts bundles of one program."""

    def __init__(self, python: WindowsPython, expected: list[list[str]]) -> None:
        self.python, self.expected = python, expected
        self.rows: list[str] = []

    def measure(self, what: str, file: str, bundle: Path, new: Path) -> bool:
        """One row; whether the result runs and is judged clean, where the broken one fails."""
        before, said = run_alone(self.python, bundle / "app.exe", self.expected)
        done = self.python.run(
            "-m", "rustext", "repair", as_windows(bundle), "-o", as_windows(new), "--json",
            "--environment", as_windows(self.python.program),
        )  # fmt: skip
        after, verdict, report = "-", last_line(done.stderr), None
        if new.is_dir():
            report = json.loads(done.stdout)
            after, later = run_alone(self.python, new / "app.exe", self.expected)
            after += f": `{later}`" if later else ""
            clean, found = judge(new)
            verdict = "no error" if clean else found
        good = after == "runs" and verdict == "no error"
        began = before + (f": `{said}`" if said else "")
        count = len(report["repairs"]) if report else "-"
        self.rows.append(
            f"| {what} | {file} | {began} | {count} | {after} | {verdict} | "
            f"{'' if good else '**no**'} |"
        )
        print(self.rows[-1], flush=True)
        return good


def main() -> int:
    name = sys.argv[1] if len(sys.argv) > 1 else "packed"
    script = ROOT / "example_apps" / name / "app.py"
    python = WindowsPython()
    python.prepare()
    quick_check(python, ["ctypes"])
    needed = ("-r", str(PINNED), "-r", str(script.parent / "requirements.txt"))
    install(python, *needed)
    expected = [run_unfrozen(python, script).stdout.split() for _ in range(2)]
    plain = freeze(python, script, FOLDER / "repairs" / name)
    install(python, *needed, str(build_wheel()))
    repairing = Repairing(python, expected)
    with tempfile.TemporaryDirectory(prefix="rustext-repairs-") as room:
        whole = Path(room, "app")
        good = repairing.measure("frozen without rustext", name, plain, whole)
        for what, inside, damage in cases(whole) if good else ():
            with tempfile.TemporaryDirectory(prefix="rustext-repairs-") as folder:
                broken = Path(shutil.copytree(whole, Path(folder, "app")))
                damage(broken / inside)
                repairing.measure(what, inside.as_posix(), broken, Path(folder, "new", "app"))
    rows = repairing.rows
    good_rows = sum(not row.endswith("**no** |") for row in rows)
    text = [
        "# Bundles for Windows, repaired",
        "",
        f"The example `{name}`, frozen by PyInstaller for Windows, is repaired by",
        "`rustext repair --environment` in a Python for Windows, under wine, started before and",
        f"after. {good_rows} of {len(rows)} run and have a clean verdict in the end. Written by",
        "`./test --windows-repairs`.",
        "",
        "| is | file | the program | repairs | repaired | `verify` | |",
        "|---|---|---|---|---|---|---|",
        *rows,
    ]
    PAGE.write_text("\n".join(text) + "\n")
    return int(good_rows != len(rows))


if __name__ == "__main__":
    sys.exit(main())
