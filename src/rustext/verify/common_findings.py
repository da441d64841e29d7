"""Findings that more than one check reports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rustext.model.findings import Finding, Severity
from rustext.model.verification import IsolatedRun
from rustext.verify.subject import Subject
from rustext.verify.target.policies import brought_by, is_system_library

SEAL = "Contents/_CodeSignature/CodeResources"  # the list of an application's files


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


def iter_host_libraries(subject: Subject, run: IsolatedRun) -> Iterator[Finding]:
    """The libraries that a running program took from outside of its bundle.

    What a library of the system needs in turn is news about the system, not the bundle.
    """
    inside = {e.soname for e in subject.edges if subject.bundle.holds(e.needed_by)}
    inside -= {name for name in inside if brought_by(name) is not None}
    systems = {e.soname for e in subject.edges} - inside
    for library in run.libraries:
        if not (
            library.is_relative_to(subject.bundle.root)
            or library.name in subject.allow_system | systems
            or is_system_library(library.name)
        ):
            evidence = (("loaded from", str(library)), ("by", "the running program"))
            yield host_library(library.name, evidence)


def broken_seal(
    subject: Subject, *, ad_hoc: bool, evidence: Sequence[tuple[str, str]] = ()
) -> Finding:
    """An application for macOS that was changed after it was signed."""
    return Finding(
        id="signature",
        severity=Severity.WARNING if ad_hoc else Severity.ERROR,
        subject=subject.inside(subject.bundle.root / SEAL),
        message=f"`{subject.bundle.root.name}` is not what was signed, and Gatekeeper calls it "
        "damaged",
        evidence=tuple(evidence),
        hint="sign the application again after its last change: "
        "`codesign --force --sign IDENTITY APPLICATION`",
    )


def cut(lines: Sequence[tuple[str, str]], most: int) -> tuple[tuple[str, str], ...]:
    """The first lines of evidence, and how many more there are."""
    more = len(lines) - most
    return (*lines[:most], *([("and", f"{more} more")] if more > 0 else ()))


def too_complex(subject: str, reason: str) -> Finding:
    """The finding about a file that would take too much work to judge."""
    return Finding(
        id="too-complex",
        severity=Severity.ERROR,
        subject=subject,
        message=f"`{subject}` would take too much work to judge",
        evidence=(("because", reason),),
        hint="no compiler or linker makes such a file: find out where it is from",
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
