"""The records of verification: what it says of a bundle, and how a run of it ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from rustext.model import Edge, NativeFile


class Severity(Enum):
    """How bad a finding is: an error makes the exit code 1."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that verification has to say: stable id, subject, evidence, and a way out."""

    id: str
    severity: Severity
    subject: str
    message: str
    evidence: tuple[tuple[str, str], ...] = ()  # (label, text) lines, in order
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IsolatedRun:
    """The end of an isolated run. `hidden` is empty where the kernel gave no namespace."""

    code: int  # negative: the signal that ended it
    stdout: str
    stderr: str
    hidden: tuple[Path, ...]
    libraries: tuple[Path, ...]  # all that the loader initialised, in order


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """The result of verifying one bundle."""

    bundle: Path
    freezer: str
    platform: str
    target: str | None
    findings: tuple[Finding, ...]
    libraries: tuple[Edge, ...]
    extensions: tuple[NativeFile, ...]
    modules: int
    run: IsolatedRun | None = None

    @property
    def ok(self) -> bool:
        """True without findings at error level."""
        return all(f.severity is not Severity.ERROR for f in self.findings)
