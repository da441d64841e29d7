"""The records of verification: what it says of a bundle, and how a run of it ended."""

from __future__ import annotations

from collections.abc import Sequence
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


def name_few(names: Sequence[str], most: int) -> str:
    """The first names of a list, and how many more there are."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
