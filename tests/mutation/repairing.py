"""Break good bundles, and let `rustext repair` mend them.

In: a mutation and the interpreter of the environment that the bundle was made from. Out: how the
broken and the repaired program ended, in isolation, and what the command reports. As a program it
writes the table in `benchmarks/repairs/mutations.md`: `./test --repairs`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bundles import REQUIREMENTS, Bundle, make_bundle
from lab import FREEZERS, ROOT, Lab
from mutations import MUTATIONS, Mutation

from rustext.environment.environment import read_interpreter
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


def start(root: Path, program: Path, python: Path) -> IsolatedRun:
    """Run a program with this Python, its environment and their sources out of sight."""
    hide = [
        folder
        for one in (python, Path(sys.executable))
        for facts in [read_interpreter(one)]
        for folder in python_folders(facts.prefixes, facts.stdlib)
    ]
    return run_isolated(root, program, hide=hide, timeout=60)


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
    if new.is_dir():
        repaired = start(new, new / broken.program.relative_to(broken.root), python)
        again = json.loads(run_repair(new, "--dry-run", "--environment", python, "--json")[1])
    return Mended(
        broken=ended, code=code, report=report, errors=err, repaired=repaired, again=again
    )


def main() -> None:
    """Write the table."""
    cache = ROOT / ".cache" / "tests"
    wheels = cache / "repair-wheel"
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(wheels), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    lab = Lab(cache, next(wheels.glob("*.whl")))
    python = lab.environment(*REQUIREMENTS, rustext=True)
    rows = ["| broken by | finding | freezer | broken | repairs | repaired | verdict |"]
    rows.append("|---|---|---|---|---|---|---|")
    bundles = {freezer: make_bundle(lab, freezer) for freezer in FREEZERS}
    for mutation in MUTATIONS:
        for freezer in mutation.freezers:
            if mutation.name in FOR_NOBODY:
                continue
            with tempfile.TemporaryDirectory() as name:
                mended = mend(bundles[freezer], mutation, cache, Path(name), python)
            rows.append(_row(mutation, freezer, mended))
            print(rows[-1], mended.errors.strip()[-300:], flush=True)
    table = ROOT / "benchmarks" / "repairs" / "mutations.md"
    table.write_text("\n".join(rows) + "\n")


def _row(mutation: Mutation, freezer: str, mended: Mended) -> str:
    def ended(run: IsolatedRun | None) -> str:
        return "-" if run is None else "runs" if run.code == 0 else f"ends with {run.code}"

    repairs = len(mended.report.get("repairs", ()))
    verdict = {0: "stands alone", 1: "findings remain", 2: "not repaired"}[mended.code]
    name = mutation.name.replace("_", " ")
    return (
        f"| {name} | {mutation.id} | {freezer} | {ended(mended.broken)} | {repairs} | "
        f"{ended(mended.repaired)} | {verdict} |"
    )


if __name__ == "__main__":
    main()
