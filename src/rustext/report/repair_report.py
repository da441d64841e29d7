"""Render the result of a repair: text, JSON, and SARIF with its `fixes`.

In: a `RepairReport`. Out: lines, or a document. A SARIF fix is a replacement of bytes; what changes
a link or a mode, or more than a few bytes, is told in words alone, as `properties` of the result.
"""

from __future__ import annotations

from base64 import b64encode
from itertools import groupby
from typing import Any

from rustext.model.findings import Finding
from rustext.model.repair import ChangedFile, Repair, RepairReport
from rustext.report.console import Console, Style, counted
from rustext.report.documents import finding_json, verify_json
from rustext.report.escape import one_line
from rustext.report.sarif import artifact_location, sarif_document
from rustext.report.verify_text import print_verify

_SHOWN = 8  # repairs of one finding; the rest is counted


def print_repair(
    console: Console, report: RepairReport, *, diff: bool = False, verbose: bool = False
) -> None:
    """What was repaired and what was not, and the verdict on the result."""
    for finding, group in groupby(report.repairs, key=lambda repair: repair.finding):
        head = (f"repaired[{finding.id}]", Style.GREEN)
        console.line(head, f": {finding.message}", indent=2)
        repairs = tuple(group)
        shown = repairs if verbose or len(repairs) <= _SHOWN + 1 else repairs[:_SHOWN]
        for repair in shown:
            console.line(f"  {repair.place}: {repair.what}", indent=4)
        if len(shown) < len(repairs):
            console.line(f"  … and {len(repairs) - len(shown)} more, which -v shows", indent=4)
    for one in report.unrepaired:
        head = (f"not repaired[{one.finding.id}]", Style.RED)
        console.line(head, f": `{one.finding.subject}`: {one.reason}", indent=2)
    if diff:
        for file in report.files:
            console.line(
                f"{file.place}: {file.before or 'new'} -> {file.after or 'gone'}", indent=2
            )
    if report.repairs or report.unrepaired:
        console.line()
    print_verify(console, report.after, verbose=verbose)
    changed = (
        f"{counted(len(report.repairs), 'repair')}, {counted(len(report.files), 'file')} changed"
    )
    where = f": {report.written}" if report.written is not None else ", nothing written"
    console.line(f"{changed}{where}")
    for place, mode in report.lowered:
        console.line(
            f"note: {place}: permissions set to {mode:o}, for its owner is not the one whose "
            "rights it lent",
            indent=2,
        )
    if report.advice is not None:
        console.line(f"note: {report.advice}", indent=2)


def repair_json(report: RepairReport) -> dict[str, Any]:
    """The result of `rustext repair`."""
    return {
        "bundle": str(report.bundle),
        "written": str(report.written) if report.written is not None else None,
        "repairs": [_repair_json(repair) for repair in report.repairs],
        "unrepaired": [
            {"finding": finding_json(u.finding), "reason": u.reason} for u in report.unrepaired
        ],
        "files": [
            {"file": file.place, "before": file.before, "after": file.after}
            for file in report.files
        ],
        "lowered": [{"file": place, "mode": f"{mode:o}"} for place, mode in report.lowered],
        "before": verify_json(report.before),
        "after": verify_json(report.after),
        "advice": report.advice,
    }


def _repair_json(repair: Repair) -> dict[str, Any]:
    return {
        "finding": finding_json(repair.finding),
        "file": str(repair.place),
        "change": type(repair.change).__name__,
        "what": repair.what,
        "evidence": [{"label": label, "text": text} for label, text in repair.evidence],
    }


def repair_sarif(report: RepairReport) -> dict[str, Any]:
    """The findings of the bundle as it was, each with its repairs.

    Repairs that change bytes of a file and nothing else are `fixes` (SARIF 2.1.0, 3.55), which a
    viewer can apply. SARIF has no words for a copied file, a link or a mode: these are in the
    result's properties alone, as all repairs are.
    """
    document = sarif_document(report.before)
    by_finding: dict[tuple[str, str, str], list[Repair]] = {}
    for repair in report.repairs:
        by_finding.setdefault(_identity(repair.finding), []).append(repair)
    files = {file.place: file for file in report.files}
    results = document["runs"][0]["results"]
    for finding, result in zip(report.before.findings, results, strict=True):
        repairs = by_finding.get(_identity(finding), [])
        if repairs:
            result["properties"] = {"repairs": [_repair_json(repair) for repair in repairs]}
        changed = [files.get(str(repair.place)) for repair in repairs]
        edited = {file.place: file for file in changed if file is not None and file.edits}
        if repairs and len(edited) == len({str(repair.place) for repair in repairs}):
            text = "; ".join(dict.fromkeys(one_line(f"{r.place}: {r.what}") for r in repairs))
            result["fixes"] = [
                {
                    "description": {"text": text},
                    "artifactChanges": [
                        _artifact_change(file, report.bundle.name) for file in edited.values()
                    ],
                }
            ]
    return document


def _artifact_change(file: ChangedFile, bundle: str) -> dict[str, Any]:
    return {
        "artifactLocation": artifact_location(f"{bundle}/{file.place}"),
        "replacements": [
            {
                "deletedRegion": {"byteOffset": edit.offset, "byteLength": len(edit.content)},
                "insertedContent": {"binary": b64encode(edit.content).decode()},
            }
            for edit in file.edits
        ],
    }


def _identity(finding: Finding) -> tuple[str, str, str]:
    return finding.id, finding.subject, finding.message
