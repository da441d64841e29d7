"""The records of verification: what it says of a bundle, and how a run of it ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


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
