"""Records of one verification: the run, the system floor, sizes, and the report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rustext.model.findings import Finding, Severity
from rustext.model.libraries import Edge
from rustext.model.native_file import NativeFile


@dataclass(frozen=True, slots=True, kw_only=True)
class IsolatedRun:
    """The end of an isolated run. `hidden` is empty where the kernel gave no namespace.

    `seconds` is how long it ran where it was ended then, None where it ended by itself; `endless`
    says that it was not expected to. `missing` are the libraries that its loader did not find.
    """

    code: int  # negative: the signal that ended it
    stdout: str
    stderr: str
    hidden: tuple[Path, ...]
    libraries: tuple[Path, ...]  # all that the loader initialised, in order
    missing: tuple[str, ...] = ()
    seconds: float | None = None
    endless: bool = False
    lacking: tuple[str, ...] = ()  # what the kernel did not give for the sandbox


@dataclass(frozen=True, slots=True, kw_only=True)
class BundlePython:
    """The Python that a bundle brings along; `source` says how rustext came to know."""

    implementation: str  # cpython, pypy or graalpy
    version: tuple[int, int]
    flags: str  # "t" free-threaded, "d" debug
    source: str

    @property
    def name(self) -> str:
        """As people write it: `3.13t`, `pypy3.10`."""
        prefix = "" if self.implementation == "cpython" else self.implementation
        return f"{prefix}{self.version[0]}.{self.version[1]}{self.flags}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorCause:
    """A file that needs what a floor asks for, and the symbols for which it does so."""

    file: str
    version: str  # "GLIBC_2.34"; for the other systems the version alone
    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemFloor:
    """The oldest system that a bundle runs on, for one architecture.

    `version` is None where nothing in the bundle asks for one. `policy` is the oldest wheel policy
    whose every promise suffices, `systems` the oldest release of each well-known distribution. On
    Windows `version` is that of NT, and a lower bound: not every function's first release is known.
    """

    system: str  # glibc, musl, macOS or Windows
    architecture: str
    version: str | None
    policy: str | None
    systems: tuple[str, ...]
    causes: tuple[FloorCause, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartSize:
    """What one file or folder at the top of a bundle takes, in bytes."""

    name: str  # relative to the bundle; "" for all that is small
    size: int
    files: int
    largest: tuple[tuple[str, int], ...]  # some of its files with their sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramVerdict:
    """One program of a bundle; `followed` is how many modules its start was followed through."""

    name: str
    ok: bool
    followed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """The result of verifying one bundle; `unjudged` is what no check could look at, and why."""

    bundle: Path
    freezer: str
    platform: str
    target: str | None
    findings: tuple[Finding, ...]
    libraries: tuple[Edge, ...]
    extensions: tuple[NativeFile, ...]
    modules: int
    python: BundlePython | None = None
    floors: tuple[SystemFloor, ...] = ()
    run: IsolatedRun | None = None
    programs: tuple[ProgramVerdict, ...] = ()
    unjudged: tuple[str, ...] = ()
    sizes: tuple[PartSize, ...] = ()  # measured for reports that show them
    suppressed: int = 0  # findings that the user has selected not to see

    @property
    def ok(self) -> bool:
        """True without findings at error level."""
        return all(f.severity is not Severity.ERROR for f in self.findings)


def is_ready(program: str, findings: Iterable[Finding]) -> bool:
    """Whether no error is about a program; a finding that names none is about all of them."""
    about = (f for f in findings if dict(f.evidence).get("program", program) == program)
    return all(f.severity is not Severity.ERROR for f in about)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotJudged:
    """What could not be judged, one of several, and why."""

    bundle: Path
    message: str
    hint: str | None = None
    skipped: bool = False  # it is no bundle, and others were judged


Verdicts = tuple[VerifyReport | NotJudged, ...]


def name_each(verdicts: Verdicts) -> tuple[str, ...]:
    """The name of each bundle, with as much of its path as tells it from the others."""
    paths = [one.bundle.parts for one in verdicts]
    return tuple(
        next(
            ("/".join(path[-depth:]) for depth in range(1, len(path) + 1)
             if sum(other[-depth:] == path[-depth:] for other in paths) == 1),
            one.bundle.name,
        )
        for one, path in zip(verdicts, paths, strict=True)
    )  # fmt: skip


def is_skipped(one: VerifyReport | NotJudged) -> bool:
    """Whether it was no bundle, and others were judged."""
    return isinstance(one, NotJudged) and one.skipped
