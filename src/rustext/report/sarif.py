"""Render the result of a verification as SARIF 2.1.0, for code scanning services and editors.

In: the verdict on each bundle. Out: one document. A finding is about a native file, a library or a
module, never about a line of source; its place is the file of the bundle that it names, or the
bundle.
https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/sarif-v2.1.0-errata01-os-complete.html
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rustext import __version__
from rustext.model.findings import Finding
from rustext.model.verification import NotJudged, VerifyReport, name_each
from rustext.report.escape import one_line
from rustext.report.rules import DOCS, RULES, help_uri
from rustext.report.verify_text import iter_notes

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_BASE = "BUNDLE"  # the folder in which the bundle lies


def sarif_document(*verdicts: VerifyReport | NotJudged) -> dict[str, Any]:
    """The whole log, with a run for each bundle."""
    # GitHub wants the runs of one tool in one log told apart.
    runs = [
        {"automationDetails": {"id": f"rustext/{one_line(name)}/"}, **_run(one)}
        for name, one in zip(name_each(verdicts), verdicts, strict=True)
    ]
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": runs}


def _driver(rules: Sequence[str]) -> dict[str, Any]:
    return {
        "driver": {
            "name": "rustext",
            "version": __version__,
            "informationUri": DOCS,
            "rules": [_rule(name) for name in rules],
        }
    }


def _run(report: VerifyReport | NotJudged) -> dict[str, Any]:
    if isinstance(report, NotJudged):
        level = "note" if report.skipped else "error"
        said = {"level": level, "message": {"text": one_line(report.message)}}
        ended = {"executionSuccessful": report.skipped, "toolExecutionNotifications": [said]}
        return {"tool": _driver(()), "invocations": [ended], "results": []}
    used = sorted({finding.id for finding in report.findings})
    base = f"{quote(os.fsencode(report.bundle.parent.as_posix().rstrip('/')))}/"
    return {
        "tool": _driver(used),
        "originalUriBaseIds": {_BASE: {"uri": f"file://{base}"}},
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": [
                    {"level": "note", "message": {"text": one_line(note)}}
                    for note in iter_notes(report)
                ],
            }
        ],
        "properties": {
            "freezer": report.freezer,
            "platform": report.platform,
            "target": report.target,
            "ok": report.ok,
            "suppressed": report.suppressed,
        },
        "results": [_result(f, used.index(f.id), report.bundle) for f in report.findings],
    }


def _rule(name: str) -> dict[str, Any]:
    return {
        "id": name,
        "shortDescription": {"text": RULES.get(name, name)},
        "helpUri": help_uri(name),
    }


def _result(finding: Finding, rule: int, bundle: Path) -> dict[str, Any]:
    identity = "\0".join((finding.id, finding.subject, finding.message))
    return {
        "ruleId": finding.id,
        "ruleIndex": rule,
        "level": finding.severity.value,
        "message": {"text": text_of(finding)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": artifact_location(place_of(finding, bundle))
                },
                "logicalLocations": [{"fullyQualifiedName": one_line(finding.subject)}],
            }
        ],
        "partialFingerprints": {
            "finding/v1": hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()
        },
    }


def artifact_location(place: str) -> dict[str, str]:
    """Where a file is whose path begins with the bundle's name."""
    return {"uri": quote(os.fsencode(place)), "uriBaseId": _BASE}


def text_of(finding: Finding) -> str:
    """All that is known, for most viewers show nothing but the message."""
    lines = [finding.message]
    lines += [f"{label}: {text}" for label, text in finding.evidence]
    lines += [f"hint: {finding.hint}"] if finding.hint else []
    return "\n".join(map(one_line, lines))


def place_of(finding: Finding, bundle: Path) -> str:
    """The first file of the bundle that the finding names, from the bundle's own name on.

    What is said behind a name (`app/x.so (DT_RUNPATH)`) is none of it. The files in a one-file
    program are nowhere else: its findings are about the program.
    """
    for text in (finding.subject, *(text for _, text in finding.evidence)):
        if text.startswith(f"{bundle.name}/"):
            names = (text, text.partition(" (")[0], text.partition(": ")[0])
            found = next((n for n in names if os.path.lexists(f"{bundle.parent}/{n}")), None)
            if found is not None:
                return found
    return bundle.name
