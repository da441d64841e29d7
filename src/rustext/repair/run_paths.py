"""Repairs of search paths: entries that lead out of the bundle go.

In: a `Case`. Out: proposals for `unsafe-rpath`. An entry that a finding names is taken out of the
files that it names; what is found below the others stays as it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from rustext.model.findings import Finding
from rustext.model.image import Format, Image
from rustext.model.repair import EditLoadCommands, Repair, SetRunPath
from rustext.repair.case import Case, Proposal


def repair_run_paths(case: Case) -> Iterator[Proposal]:
    """Take the entries that lead out of the bundle out of its files."""
    named: dict[str, list[Finding]] = defaultdict(list)
    for finding in case.of("unsafe-rpath", notes=True):
        for label, text in finding.evidence:
            if label == "in":
                named[text].append(finding)
    for path, file in case.bundle.files:
        image = file.binary.image
        tag, entries = image.search_path
        findings = named.get(f"{case.subject.inside(path)} ({tag})", [])
        if findings and not path.is_symlink():
            yield _without(case, path, image, entries, findings)


def _without(
    case: Case, path: Path, image: Image, entries: tuple[str, ...], findings: list[Finding]
) -> Repair:
    gone = {finding.subject for finding in findings}
    rest = tuple(entry for entry in entries if entry not in gone)
    macho = image.format is Format.MACHO
    return Repair(
        finding=findings[0],
        place=case.place(path),
        change=EditLoadCommands(dropped=tuple(sorted(gone))) if macho else SetRunPath(entries=rest),
        what="taken out of its search path: "
        + ", ".join(f"`{text}`" if text else "an empty entry" for text in sorted(gone)),
        evidence=(("remains", ":".join(rest) or "nothing"),),
    )
