"""The example apps as the tests and the matrix see them, and what freezing one comes to.

In: a folder of `example_apps`. Out: an `Outcome` for each bundle that a freezer made of it. Each
example holds `app.py`, its pinned `requirements.txt`, the `expected.txt` that it prints, and, where
it is built from source, a `build_wheel.py` that prints the path of its wheel.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

from lab import ROOT, Frozen, Lab, locked

from rustext.environment.environment import stdlib_environment
from rustext.errors import RustextError
from rustext.model.findings import Severity
from rustext.model.verification import IsolatedRun
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.verify import read_subject, verify

FOLDER = ROOT / "example_apps"
# Where a program lies, or unpacks itself, differs from run to run.
_UNPACKED = re.compile(r"/\S*/(?:bundle|_MEI\w+|onefile_\w+)/(?:_internal/)?")


@dataclass(frozen=True, kw_only=True)
class Example:
    """One folder of `example_apps`."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def script(self) -> Path:
        return self.folder / "app.py"

    @property
    def expected(self) -> str:
        return (self.folder / "expected.txt").read_text()

    def requirements(self, interpreter: Path, *variant: str) -> tuple[str, ...]:
        """What to install; a wheel that is built from source is built by now."""
        pinned = ("-r", str(self.folder / "requirements.txt"))
        builder = self.folder / "build_wheel.py"
        if not builder.exists():
            return pinned
        with locked(ROOT / ".cache" / self.folder.name):
            done = subprocess.run(
                [interpreter, builder, *variant], stdout=subprocess.PIPE, text=True, check=True
            )
        return (*pinned, done.stdout.strip())


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of an example with one freezer."""

    layout: str  # "folder" or "one file"
    built: bool
    seconds: float  # for the build
    megabytes: float
    message: str = ""  # the last line of what went wrong; empty for a good run
    errors: tuple[str, ...] = ()  # what `rustext verify` finds in the folder, at error level

    @property
    def good(self) -> bool:
        return self.built and not self.message and not self.errors


def find_examples() -> list[Example]:
    return [Example(folder=p.parent) for p in sorted(FOLDER.glob("*/app.py"))]


def freeze_example(
    lab: Lab,
    example: Example,
    freezer: str,
    *,
    out: Path,
    rustext: bool,
    one_file: bool,
    variant: Sequence[str] = (),
) -> Frozen:
    """Freeze an example in an environment of its own; raises `AssertionError` if that fails."""
    return lab.freeze(
        freezer,
        example.script,
        *example.requirements(lab.interpreter, *variant),
        out=out,
        rustext=rustext,
        one_file=one_file,
    )


def iter_outcomes(
    lab: Lab, example: Example, freezer: str, *, out: Path, rustext: bool
) -> Iterator[Outcome]:
    """Freeze an example as a folder and as one file, run both alone, verify the folder.

    Nuitka packs the folder that it made, so one build serves for both.
    """
    lab.environment(*example.requirements(lab.interpreter), rustext=rustext)  # not timed
    for one_file in (True,) if freezer == "nuitka" else (False, True):
        start = time.monotonic()
        try:
            frozen = freeze_example(
                lab, example, freezer, out=out, rustext=rustext, one_file=one_file
            )
        except AssertionError as error:
            seconds = time.monotonic() - start
            last = str(error).splitlines()[-1]
            yield Outcome(
                layout="one file" if one_file else "folder",
                built=False, seconds=seconds, megabytes=0, message=last,
            )  # fmt: skip
            continue
        seconds = time.monotonic() - start
        if freezer == "nuitka":
            dist = out / "app.dist"
            packed = replace(frozen, bundle=dist, program=dist / "app.bin")
            yield judge(example, packed, seconds)
        yield judge(example, frozen, seconds)


def judge(example: Example, frozen: Frozen, seconds: float) -> Outcome:
    """Run a bundle alone; a folder is verified as well."""
    one_file = frozen.bundle.name == "one-file"
    errors: tuple[str, ...] = ()
    try:
        ended = frozen.run(hide=[FOLDER])
        message = complaint(ended, example.expected)
        if not one_file:
            report = verify(
                read_subject(read_bundle(frozen.bundle), stdlib=stdlib_environment(), run=ended)
            )
            findings = [f for f in report.findings if f.severity is Severity.ERROR]
            errors = tuple(f"{f.id}: {f.subject}" for f in findings if f.id != "run")
    except RustextError as error:
        message = str(error)
    return Outcome(
        layout="one file" if one_file else "folder",
        built=True,
        seconds=seconds,
        megabytes=sum(p.lstat().st_size for p in frozen.bundle.rglob("*")) / 1e6,
        message=message,
        errors=errors,
    )


def complaint(ended: IsolatedRun, expected: str) -> str:
    """Why a run is not good, in the program's last words; empty if it is."""
    words = [line for line in ended.stderr.splitlines() if not line.startswith("[PYI-")]
    if ended.code != 0:
        errors = [line for line in words if "Error: " in line]
        last = (errors or words or ["no message"])[-1].strip()
        return f"{_UNPACKED.sub('', last)} (exit code {ended.code})"
    if words:
        return _UNPACKED.sub("", words[-1])
    if ended.stdout == expected:
        return ""
    pairs = zip_longest(ended.stdout.splitlines(), expected.splitlines(), fillvalue="nothing")
    return next((f"prints `{a}`, not `{b}`" for a, b in pairs if a != b), "ends otherwise")
