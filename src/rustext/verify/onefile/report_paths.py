"""Say where a one-file program's members are, in words that last longer than its temporary folder.

In: a `VerifyReport` of an unpacked program. Out: the same report, in which the file that the user
knows replaces the folder: `dist/app/libz.so.1` for what lies in the file `dist/app`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rustext.model.findings import Finding
from rustext.model.libraries import Edge, Resolved
from rustext.model.verification import VerifyReport


def relocate(report: VerifyReport, folder: Path, origin: Path) -> VerifyReport:
    """The report with `origin` in the place of `folder` wherever a path is named."""

    def text(value: str) -> str:
        return value.replace(str(folder), str(origin))

    def edge(value: Edge) -> Edge:
        needed_by = Path(text(str(value.needed_by)))
        if isinstance(value, Resolved):
            path = Path(text(str(value.path))) if value.path is not None else None
            return replace(value, path=path, needed_by=needed_by)
        searched = tuple(replace(place, path=text(place.path)) for place in value.searched)
        return replace(value, searched=searched, needed_by=needed_by)

    return replace(
        report,
        findings=tuple(relocate_finding(finding, folder, origin) for finding in report.findings),
        libraries=tuple(map(edge, report.libraries)),
    )


def relocate_finding(finding: Finding, folder: Path, origin: Path) -> Finding:
    """One finding with `origin` in the place of `folder`."""

    def text(value: str) -> str:
        return value.replace(str(folder), str(origin))

    return replace(
        finding,
        subject=text(finding.subject),
        message=text(finding.message),
        evidence=tuple((label, text(line)) for label, line in finding.evidence),
        hint=text(finding.hint) if finding.hint is not None else None,
    )
