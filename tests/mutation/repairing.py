"""Break good bundles, and let `rustext repair` mend them.

In: a mutation and the interpreter of the environment that the bundle was made from. Out: how the
broken and the repaired program ended, in isolation, and what the command reports. As a program:

    ./test --repairs [--again] [--minutes N] [WORD]...

It writes the table in `benchmarks/repairs/mutations.md`, and goes on where it was stopped.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bundles import REQUIREMENTS, Bundle, make_bundle
from kept_rows import KeptRows, Row, parser
from lab import FREEZERS, ROOT, Lab
from mutations import MUTATIONS, Mutation

from rustext.environment.environment import read_interpreter
from rustext.errors import RustextError
from rustext.model.verification import IsolatedRun
from rustext.verify.run.isolated_run import python_folders, run_isolated

# Nothing of the environment answers these: another system or processor is meant, nothing has the
# library, or two C libraries are mixed, which is never repaired.
FOR_NOBODY = frozenset(
    {
        "need_a_library_that_is_nowhere", "need_another_major_version",
        "start_with_a_loader_that_is_nowhere", "start_with_musls_loader",
        "lead_a_data_file_out_of_the_bundle", "need_a_glibc_that_does_not_exist",
        "need_a_newer_glibc_than_the_target_has", "need_a_newer_cxx_library_than_there_is",
        "mix_in_a_module_for_musl", "truncate_the_program", "damage_the_standard_library",
        "damage_a_module_in_the_archive", "put_code_for_another_python_into_the_archive",
        "damage_a_module_of_the_standard_library", "end_with_an_error",
    }
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Mended:
    """What became of one broken bundle."""

    broken: IsolatedRun
    code: int  # of `rustext repair`
    report: dict[str, Any]
    errors: str
    repaired: IsolatedRun | None
    again: dict[str, Any] | None  # the report of a second repair
    unnamed: frozenset[str]  # files that differ and are not in the report


def digests(root: Path) -> dict[str, str]:
    """The SHA-256 of each file of a folder; what a link leads to is not looked at."""
    return {
        path.relative_to(root).as_posix(): (
            str(path.readlink())
            if path.is_symlink()
            else hashlib.sha256(path.read_bytes()).hexdigest()
        )
        for path in root.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def start(root: Path, program: Path, python: Path) -> IsolatedRun:
    """Run a program with this Python, its environment and their sources out of sight."""
    hide = [
        folder
        for one in (python, Path(sys.executable))
        for facts in [read_interpreter(one)]
        for folder in python_folders(facts.prefixes, facts.stdlib)
    ]
    try:
        return run_isolated(root, program, hide=hide, timeout=60)
    except RustextError as error:  # nothing that can be started
        return IsolatedRun(code=126, stdout="", stderr=error.line, hidden=(), libraries=())


def run_repair(*arguments: str | Path) -> tuple[int, str, str]:
    """`rustext repair` with these arguments: its exit code, and what it prints."""
    command = [sys.executable, "-m", "rustext", "repair", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    return done.returncode, done.stdout, done.stderr


def mend(bundle: Bundle, mutation: Mutation, cache: Path, folder: Path, python: Path) -> Mended:
    """Break a copy, run it, repair it, run that, and repair it again."""
    broken = bundle.copy_to(folder / "app")
    mutation.apply(broken, cache)
    ended = start(broken.root, broken.program, python)
    new = folder / "new" / "app"
    new.parent.mkdir()
    code, out, err = run_repair(broken.root, "-o", new, "--environment", python, "--json")
    report = json.loads(out) if out else {}
    repaired = again = None
    unnamed: frozenset[str] = frozenset()
    if new.is_dir():
        before, after = digests(broken.root), digests(new)
        differ = {p for p in before.keys() | after.keys() if before.get(p) != after.get(p)}
        unnamed = frozenset(differ - {file["file"] for file in report["files"]})
        repaired = start(new, new / broken.program.relative_to(broken.root), python)
        again = json.loads(run_repair(new, "--dry-run", "--environment", python, "--json")[1])
    return Mended(
        broken=ended, code=code, report=report, errors=err, repaired=repaired, again=again,
        unnamed=unnamed,
    )  # fmt: skip


def measure(bundle: Bundle, mutation: Mutation, cache: Path, python: Path) -> Row:
    """One row: how both programs ended, and what a repair that keeps its promise does not have."""
    with tempfile.TemporaryDirectory() as name:
        mended = mend(bundle, mutation, cache, Path(name), python)
    wrong = []
    left = faults(mended.report, "after")
    if mended.code == 0 and not left and (mended.repaired is None or mended.repaired.code):
        wrong.append("the result does not run, and is said to stand alone")
    if mended.unnamed:
        wrong.append(f"not in the list of changes: {', '.join(sorted(mended.unnamed))}")
    if mended.again is not None and mended.again["repairs"]:
        wrong.append("a second repair changes more")
    return {
        "finding": mutation.id, "broken": mended.broken.code, "code": mended.code,
        "repairs": len(mended.report.get("repairs", ())),
        "repaired": mended.repaired.code if mended.repaired else None,
        "found": faults(mended.report, "before"), "left": left,
        "wrong": "; ".join(wrong), "said": mended.errors.strip().splitlines()[-1:],
    }  # fmt: skip


def faults(report: dict[str, Any], when: str) -> list[str]:
    """The errors and warnings before or after a repair, by their ids."""
    found = report.get(when, {}).get("findings", ())
    return sorted({f["id"] for f in found if f["severity"] != "note"})


def judge(code: int, left: Sequence[str]) -> str:
    """What `rustext repair` says of the result, in a cell of a table."""
    return f"left: {', '.join(left)}" if code == 0 and left else VERDICTS[code]


LEFT = """\
A program of Nuitka's looks for no file in a package that is inside the program: a module that is
missing there is not repaired, and the error says how to freeze again. Left in another of its
bundles is the name of a module that the mutation has written into the program; in PyInstaller's, a
member of the archive that nothing gets to."""
VERDICTS = {0: "no error and no warning", 1: "errors remain", 2: "not repaired"}


def table(rows: Mapping[str, Row]) -> Iterator[str]:
    """The rows in the order of the mutations; what has not been run has no row."""
    known = [(m, f, rows.get(f"{f}: {m.name}")) for m, f in _cases()]
    ran = [row for _, _, row in known if row is not None]
    mended = sum(row["repaired"] == 0 and row["code"] == 0 and not row["left"] for row in ran)
    starts = sum(row["broken"] != 0 for row in ran)
    again = sum(row["broken"] != 0 and row["repaired"] == 0 for row in ran)
    yield "# Bundles that were broken, repaired\n"
    yield "`./test --repairs`. Each known way to break a bundle that has a repair: the broken"
    yield "program is run, `rustext repair --environment` repairs a copy, the copy is run, and"
    yield "repaired again. All runs are isolated, with Python and the environment out of sight.\n"
    yield f"{len(ran)} of {len(known)} rows were run. {mended} end with a clean verdict and a"
    yield f"program that runs; of {starts} that did not run before, {again} run. Files that the"
    yield "report does not name are the same byte for byte, and a second repair finds nothing to"
    yield "do, but where the row says otherwise.\n"
    yield "| broken by | finding | freezer | broken | repairs | repaired | verdict | |"
    yield "|---|---|---|---|---|---|---|---|"
    for mutation, freezer, row in known:
        if row is not None:
            broken, repaired = name_end(row["broken"]), name_end(row["repaired"])
            verdict = judge(row["code"], row["left"])
            yield (
                f"| {mutation.name.replace('_', ' ')} | {row['finding']} | {freezer} | {broken} | "
                f"{row['repairs']} | {repaired} | {verdict} | {row['wrong']} |"
            )
    yield f"\n{LEFT}"


def name_end(code: int | None) -> str:
    """How a program ended, in a cell of a table."""
    return "-" if code is None else "runs" if code == 0 else f"ends with {code}"


def _cases() -> Iterator[tuple[Mutation, str]]:
    for mutation in MUTATIONS:
        if mutation.name not in FOR_NOBODY:
            yield from ((mutation, freezer) for freezer in mutation.freezers)


def made_bundles() -> tuple[Path, Path, dict[str, Bundle]]:
    """The cache, the interpreter of an environment, and what each freezer made in it."""
    cache = ROOT / ".cache" / "tests"
    wheels = cache / "repair-wheel"
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(wheels), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    lab = Lab(cache, next(wheels.glob("*.whl")))
    python = lab.environment(*REQUIREMENTS, rustext=True)
    return cache, python, {freezer: make_bundle(lab, freezer) for freezer in FREEZERS}


def main() -> int:
    """Write the table; 1 where a row is not as promised."""
    args = parser(__doc__).parse_args()
    cache, python, bundles = made_bundles()
    kept = KeptRows("repairs")
    todo = {
        f"{freezer}: {mutation.name}": partial(measure, bundles[freezer], mutation, cache, python)
        for mutation, freezer in _cases()
    }
    kept.measure(todo, args)
    rows = kept.read()
    (ROOT / "benchmarks" / "repairs" / "mutations.md").write_text("\n".join(table(rows)) + "\n")
    return int(any(row["wrong"] for row in rows.values()))


if __name__ == "__main__":
    sys.exit(main())
