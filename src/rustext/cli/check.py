"""What `rustext doctor` says of one thing."""

from __future__ import annotations

from dataclasses import dataclass

from rustext.model.findings import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at; `severity` is None where all is well."""

    name: str
    message: str
    severity: Severity | None = None
    hint: str | None = None
