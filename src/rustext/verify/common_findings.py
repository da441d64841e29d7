"""Findings that more than one check reports."""

from __future__ import annotations

from collections.abc import Sequence

from rustext.model.findings import Finding, Severity


def host_library(soname: str, evidence: Sequence[tuple[str, str]]) -> Finding:
    """A library that the program takes from the machine that it happens to run on."""
    return Finding(
        id="host-library",
        severity=Severity.ERROR,
        subject=soname,
        message=f"`{soname}` comes from this machine, not from the bundle",
        evidence=tuple(evidence),
        hint=f"put it into the bundle, or allow it with `--allow-system {soname}`",
    )


def unreadable_file(subject: str, reason: str, severity: Severity = Severity.ERROR) -> Finding:
    """The finding about a file, and why it cannot be read."""
    return Finding(
        id="unreadable-file",
        severity=severity,
        subject=subject,
        message=f"`{subject}` cannot be read",
        evidence=(("because", reason),),
        hint="build the bundle again, and look at what has changed it since",
    )
