"""Freeze a folder of programs, without and with rustext, and keep a table of what happened.

Usage: python tests/freezing/matrix.py APPS... [--freezer F]... [--with | --without | --recorded]
                                       [--only NAME]... [--keep] [-o FILE] [--markdown FILE]

APPS holds one folder a program: `main.py` (`app.py`, if it is an example app) prints something,
and `requirements.txt` pins what it needs. The table (JSON lines) grows as programs finish; a second
call goes on where the first one stopped. With `--recorded`, `rustext trace` runs the program once
and the freezer gets the record. A frozen program passes if it prints what the unfrozen one prints,
where what differs between unfrozen runs may differ: two of them, and ten more before it is said
that a program prints something else.
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
from typing import NamedTuple

from examples import Example
from lab import FREEZERS, ROOT, Frozen, Lab, check

from rustext.errors import RustextError

NOT_DATA = frozenset({"expected.txt", "requirements.txt", "pyproject.toml", "README.md"})
SCRIPTS = ("main.py", "app.py")
MOST_COMPILED = 200_000  # bytes of a package's source
MORE_RUNS = 10
SHOWN = 4  # bundles that are named for one finding
FINDINGS = ("error[", "warning[", "note[")
PRINTED = "printed"  # how a verdict about other words begins
FREEZERS_OWN = frozenset(
    {"nuitka", "PyInstaller", "_pyinstaller_hooks_contrib", "pip", "setuptools"}
)


class Way(NamedTuple):
    """How a program is frozen; `record` is the record of one run."""

    freezer: str
    rustext: bool
    record: bool = False

    def __str__(self) -> str:
        return "recorded" if self.record else "with" if self.rustext else "without"


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
    record: bool = False
    verify: str = ""  # how `rustext verify` sums the bundle up


def main() -> int:
    args = parse_arguments()
    freezers = args.freezer or FREEZERS
    lab = Lab(args.cache, build_wheel(args.cache), freezers=freezers)
    done = {(r["app"], way_of(r)) for r in read_rows(args.output)}
    scripts = (
        p for apps in args.apps for name in SCRIPTS for p in apps.absolute().glob(f"*/{name}")
    )
    for app in sorted((path.parent for path in scripts), key=by_size):
        if args.only and app.name not in args.only:
            continue
        todo = [
            way
            for freezer in freezers
            for way in (Way(freezer, rustext, args.recorded) for rustext in args.rustext)
            if (app.name, way) not in done
        ]
        for row in iter_rows(lab, app, todo, args.cache / "matrix", keep=args.keep):
            with args.output.open("a") as file:
                file.write(json.dumps(asdict(row)) + "\n")
            how = str(way_of(asdict(row)))
            print(
                f"{row.app:<28} {row.freezer:<12} {how:<8} {row.result:<16} {row.detail[-80:]!r}",
                flush=True,
            )
    rows = read_rows(args.output)
    if args.markdown:
        args.markdown.write_text(as_markdown(rows))
    passed = sum(r["result"] == "pass" for r in rows)
    print(f"{passed} of {len(rows)} pass")
    return 0 if all(r["result"] == "pass" for r in rows if r["rustext"]) else 1


def by_size(app: Path) -> tuple[int, str]:
    """Programs with few requirements come first: most results are there early."""
    return (app / "requirements.txt").read_text().count("=="), app.name


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("apps", type=Path, nargs="+")
    parser.add_argument("--freezer", action="append", choices=FREEZERS)
    parser.add_argument(
        "--with", dest="rustext", action="store_const", const=(True,), default=(False, True)
    )
    parser.add_argument("--without", dest="rustext", action="store_const", const=(False,))
    parser.add_argument("--recorded", action="store_true", help="record a run, and freeze with it")
    parser.add_argument("--keep", action="store_true", help="leave bundles and environments")
    parser.add_argument("--only", action="append", metavar="NAME")
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache" / "tests")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / ".cache" / "matrix.jsonl")
    parser.add_argument("--markdown", type=Path, help="write the table here")
    args = parser.parse_args()
    if args.recorded:
        args.rustext = (True,)
    return args


def way_of(row: dict) -> Way:
    return Way(row["freezer"], row["rustext"], row.get("record", False))


def build_wheel(cache: Path) -> Path:
    out = cache / "matrix-wheel"
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return next(out.glob("*.whl"))


def read_rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def iter_rows(
    lab: Lab, app: Path, todo: list[Way], work: Path, *, keep: bool = False
) -> Iterator[Row]:
    """Freeze and run one program in each of the ways; its environments go when it is done."""
    if not todo:
        return
    requirements = Example(folder=app).requirements(lab.interpreter)
    source = work / app.name / "source"
    shutil.rmtree(source.parent, ignore_errors=True)
    shutil.copytree(app, source)
    script = source / "main.py"
    next(source / name for name in SCRIPTS if (source / name).exists()).rename(script)
    try:
        expected = [lab.run_unfrozen(script, *requirements) for _ in range(2)]
    except (AssertionError, subprocess.SubprocessError) as error:
        detail = str(getattr(error, "stderr", error))[-400:]
        for way in todo:
            yield Row(
                app=app.name, **way._asdict(), result="unfrozen fails",
                seconds=0.0, megabytes=0.0, detail=detail,
            )  # fmt: skip
    else:
        for way in todo:
            out = source.parent / f"{way.freezer}-{way}"
            yield freeze_and_run(lab, app, script, way, out, expected)
            if not keep:
                shutil.rmtree(out)
    if not keep:
        lab.forget(*requirements)
        shutil.rmtree(source.parent, ignore_errors=True)


def freeze_and_run(
    lab: Lab, app: Path, script: Path, way: Way, out: Path, expected: list[str]
) -> Row:
    requirements = Example(folder=app).requirements(lab.interpreter)
    out.mkdir(parents=True, exist_ok=True)
    python = lab.environment(*requirements, rustext=way.rustext)
    compiled = [n for n in top_level_names(app / "requirements.txt") if is_small(python, n)]
    compiled += modules_that_ask_for_metadata(python) if way.freezer == "nuitka" else []
    own = {path.relative_to(app).parts[0] for path in app.rglob("*.py")}
    compiled += sorted(name.removesuffix(".py") for name in own)
    start = time.monotonic()
    size = 0.0
    verified = ""

    def row(result: str, detail: str) -> Row:
        return Row(
            app=app.name, **way._asdict(), result=result, verify=verified, detail=detail,
            seconds=round(time.monotonic() - start, 1), megabytes=round(size, 1),
        )  # fmt: skip

    configuration = script.with_name("pyproject.toml")
    configuration.unlink(missing_ok=True)
    try:
        if way.record:
            configuration.write_text('[tool.rustext]\ntrace = "rustext-trace.toml"\n')
            trace = [str(python), "-m", "rustext", "trace", "-o", "rustext-trace.toml", "--"]
            check([*trace, str(script)], cwd=script.parent)
        frozen = lab.freeze(
            way.freezer, script, *requirements,
            out=out, rustext=way.rustext, compiled=compiled, options=[*own_data(app, way.freezer)],
        )  # fmt: skip
    except AssertionError as error:
        return row("build fails", str(error)[-400:])
    size = sum(p.lstat().st_size for p in frozen.bundle.rglob("*")) / 1e6
    judged = judge(frozen, expected, hide=script.parent)
    if judged[1].startswith(PRINTED):
        expected += [lab.run_unfrozen(script, *requirements) for _ in range(MORE_RUNS)]
        judged = judge(frozen, expected, hide=script.parent)
    verified = sum_up(frozen)
    return row(*judged)


def own_data(app: Path, freezer: str) -> Iterator[str]:
    """The options by which an author adds the files of their own program, as freezers document.

    https://pyinstaller.org/en/stable/spec-files.html#adding-data-files,
    https://nuitka.net/user-documentation/use-cases.html
    """
    option, colon = (
        ("--add-data", ":") if freezer == "pyinstaller" else ("--include-data-files", "=")
    )
    for path in sorted(app.rglob("*")):
        place = path.relative_to(app)
        code = path.suffix in {".py", ".pyc"} and not is_script_among_data(path, app)
        if path.is_file() and not code and path.name not in NOT_DATA:
            target = place.parent if freezer == "pyinstaller" else place
            yield f"{option}={path}{colon}{target}"


def is_script_among_data(path: Path, app: Path) -> bool:
    """Whether a Python file lies in a folder of data, which authors add as a whole.

    That is one in the program's folder that is no package and holds other files at any depth.
    """
    if path.parent == app or path.suffix != ".py":
        return False
    top = app / path.relative_to(app).parts[0]
    packages = (folder for folder in path.parents if folder.is_relative_to(top))
    if any((folder / "__init__.py").exists() for folder in packages):
        return False
    return any(p.is_file() and p.suffix not in {".py", ".pyc"} for p in top.rglob("*"))


def sum_up(frozen: Frozen) -> str:
    """What `rustext verify` says about a bundle in one line, with its findings."""
    command = [sys.executable, "-m", "rustext", "verify", "-v", str(frozen.bundle)]
    said = subprocess.run(command, check=False, capture_output=True, text=True).stdout.splitlines()
    found = [n for n in said if n.startswith((*FINDINGS, f"{frozen.bundle.name} ("))]
    return "; ".join([*found, *(n.strip() for n in said if n.startswith("  not judged"))])


def is_small(python: Path, name: str) -> bool:
    """Whether Nuitka compiles a package in reasonable time; the large ones stay bytecode."""
    folders = python.parent.parent.glob(f"lib/python3*/site-packages/{name}")
    sources = (path for folder in folders for path in folder.rglob("*.py"))
    return sum(path.stat().st_size for path in sources) <= MOST_COMPILED


def modules_that_ask_for_metadata(python: Path) -> list[str]:
    """What Nuitka has to compile to see literal questions such as `version("x")`, as for users."""
    (site,) = python.parent.parent.glob("lib/python3*/site-packages")
    names = []
    for path in sorted(site.rglob("*.py")):
        if not FREEZERS_OWN.isdisjoint(path.relative_to(site).parts[:1]):
            continue
        if path.stat().st_size <= MOST_COMPILED and b"importlib.metadata" in path.read_bytes():
            parts = path.relative_to(site).with_suffix("").parts
            names.append("=" + ".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return names


def as_markdown(rows: list[dict]) -> str:
    """How many programs do what with each freezer, without and with rustext, and each of them."""
    ways = sorted({way_of(row) for row in rows})
    head = " | ".join(f"{way.freezer}, {way}" for way in ways)
    lines = [f"| | {head} |", "|---" * (1 + len(ways)) + "|"]
    for result in ("pass", "fail", "build fails", "unfrozen fails"):
        counts = []
        for way in ways:
            found = [r["result"] for r in rows if way_of(r) == way]
            counts.append(f"{found.count(result)} of {len(found)}")
        lines.append(f"| {result} | {' | '.join(counts)} |")
    results = {(r["app"], way_of(r)): r for r in rows}
    lines += ["", f"| program | {head} |", "|---" * (1 + len(ways)) + "|"]
    for app in sorted({r["app"] for r in rows}):
        cells = [results.get((app, way)) for way in ways]
        lines.append(f"| {app} | " + " | ".join(map(as_cell, cells)) + " |")
    if any(row.get("verify") for row in rows):
        lines += ["", *iter_verdicts(rows)]
    return "\n".join(lines) + "\n"


def iter_verdicts(rows: list[dict]) -> Iterator[str]:
    """What `rustext verify` says of the bundles that run: which findings, of how many."""
    found: dict[str, list[str]] = {}
    judged = [row for row in rows if row["result"] == "pass" and row.get("verify")]
    for row in judged:
        for text in {t for t in row["verify"].split("; ") if t.startswith(FINDINGS)}:
            found.setdefault(text, []).append(f"{row['app']} ({row['freezer']})")
    loud = {name for text in found if not text.startswith("note[") for name in found[text]}
    yield f"Of {len(judged)} bundles that run, `rustext verify` finds no error and no warning in "
    yield f"{len(judged) - len(loud)}. What it says, and of which bundles:\n"
    yield "| finding | bundles | |"
    yield "|---|--:|---|"
    for text, names in sorted(found.items(), key=lambda item: (item[0][0] == "n", item[0])):
        some = ", ".join(sorted(names)[:SHOWN]) + (", …" if len(names) > SHOWN else "")
        yield f"| {text.replace('|', chr(92) + '|')} | {len(names)} | {some} |"


def as_cell(row: dict | None) -> str:
    if row is None:
        return "not run"
    if row["result"] == "pass":
        return "pass"
    # PyInstaller's bootloader has the last word.
    lines = [n for n in row["detail"].splitlines() if n.strip() and not n.startswith("[PYI-")]
    last = lines[-1].strip()[:100].replace("|", "\\|").replace("`", "'") if lines else ""
    return f"{row['result']}: `{last}`" if last else row["result"]


def judge(frozen: Frozen, expected: list[str], hide: Path) -> tuple[str, str]:
    try:
        ended = frozen.run(hide=[hide])
    except RustextError as error:
        return "fail", str(error)
    if ended.code != 0:
        return "fail", (ended.stderr or ended.stdout).strip()[-400:]
    if ended.stdout in expected or all(
        mine in others or len(set(others)) > 1
        for mine, *others in zip(ended.stdout.split(), *map(str.split, expected), strict=False)
    ):
        return "pass", ""
    return "fail", f"{PRINTED} {ended.stdout[-200:]!r}, expected {expected[0][-200:]!r}"


def top_level_names(requirements: Path) -> Iterator[str]:
    """The first pinned distribution is the one under test: it is compiled, its neighbours not."""
    for line in requirements.read_text().splitlines()[:1]:
        yield line.partition("==")[0].strip().lower().replace("-", "_")


if __name__ == "__main__":
    sys.exit(main())
