"""Freeze a folder of programs, with and without rustext, and keep a table of what happened.

Usage: python tests/freezing/matrix.py APPS [--freezer F]... [--without] [--only NAME]... [-o FILE]

APPS holds one folder a program: `main.py` prints a line that begins with `OK `, and
`requirements.txt` pins what it needs. The table (JSON lines) grows as programs finish; a second
call goes on where the first one stopped. A frozen program passes if it prints what the unfrozen
one prints, where what differs between two unfrozen runs may differ.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from lab import FREEZERS, ROOT, Frozen, Lab

from rustext.errors import RustextError


@dataclass(frozen=True, kw_only=True)
class Row:
    """What became of one program with one freezer."""

    app: str
    freezer: str
    rustext: bool
    result: str  # "pass", "fail", "build fails", "unfrozen fails"
    seconds: float
    megabytes: float
    detail: str


def main() -> int:
    args = parse_arguments()
    lab = Lab(args.cache, build_wheel(args.cache))
    done = {(r["app"], r["freezer"], r["rustext"]) for r in read_rows(args.output)}
    for app in sorted(p.parent for p in args.apps.glob("*/main.py")):
        if args.only and app.name not in args.only:
            continue
        for freezer in args.freezer or FREEZERS:
            if (app.name, freezer, not args.without) in done:
                continue
            row = freeze_and_run(lab, app, freezer, rustext=not args.without, root=args.cache)
            with args.output.open("a") as file:
                file.write(json.dumps(asdict(row)) + "\n")
            print(
                f"{row.app:<28} {row.freezer:<12} {row.result:<16} {row.detail[-90:]}", flush=True
            )
    rows = read_rows(args.output)
    passed = sum(r["result"] == "pass" for r in rows)
    print(f"{passed} of {len(rows)} pass")
    return 0 if passed == len(rows) else 1


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("apps", type=Path)
    parser.add_argument("--freezer", action="append", choices=FREEZERS)
    parser.add_argument("--without", action="store_true", help="without rustext")
    parser.add_argument("--only", action="append", metavar="NAME")
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache" / "tests")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / ".cache" / "matrix.jsonl")
    return parser.parse_args()


def build_wheel(cache: Path) -> Path:
    out = cache / "matrix-wheel"
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return next(out.glob("*.whl"))


def read_rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def freeze_and_run(lab: Lab, app: Path, freezer: str, *, rustext: bool, root: Path) -> Row:
    requirements = ("-r", str(app / "requirements.txt"))
    out = root / "matrix" / f"{app.name}-{freezer}-{'with' if rustext else 'without'}"
    shutil.rmtree(out, ignore_errors=True)
    (out / "source").mkdir(parents=True)
    script = out / "source" / "main.py"
    shutil.copy(app / "main.py", script)
    start = time.monotonic()
    size = 0.0

    def row(result: str, detail: str) -> Row:
        return Row(
            app=app.name, freezer=freezer, rustext=rustext, result=result,
            seconds=round(time.monotonic() - start, 1), megabytes=round(size, 1), detail=detail,
        )  # fmt: skip

    try:
        expected = [lab.run_unfrozen(script, *requirements) for _ in range(2)]
    except (AssertionError, subprocess.SubprocessError) as error:
        return row("unfrozen fails", str(getattr(error, "stderr", error))[-400:])
    compiled = tuple(top_level_names(app / "requirements.txt"))
    try:
        frozen = lab.freeze(
            freezer, script, *requirements, out=out / "build", rustext=rustext, compiled=compiled
        )
    except AssertionError as error:
        return row("build fails", str(error)[-400:])
    size = sum(p.lstat().st_size for p in frozen.bundle.rglob("*")) / 1e6
    result = row(*judge(frozen, expected, hide=out / "source"))
    shutil.rmtree(out, ignore_errors=True)
    return result


def judge(frozen: Frozen, expected: list[str], hide: Path) -> tuple[str, str]:
    try:
        ended = frozen.run(hide=[hide])
    except RustextError as error:
        return "fail", str(error)
    if ended.code != 0:
        return "fail", (ended.stderr or ended.stdout).strip()[-400:]
    if ended.stdout in expected or all(
        mine == first or first != second
        for mine, first, second in zip(
            ended.stdout.split(), *map(str.split, expected), strict=False
        )
    ):
        return "pass", ""
    return "fail", f"printed {ended.stdout[-200:]!r}, expected {expected[0][-200:]!r}"


def top_level_names(requirements: Path) -> Iterator[str]:
    """The first pinned distribution is the one under test: it is compiled, its neighbours not."""
    for line in requirements.read_text().splitlines()[:1]:
        yield line.partition("==")[0].strip().lower().replace("-", "_")


if __name__ == "__main__":
    sys.exit(main())
