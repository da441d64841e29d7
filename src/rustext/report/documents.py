"""Render records as JSON documents.

In: records of `model` and `findings`. Out: the documents of each command's `--json`; their keys
are in the order of the JSON Schemas in `rustext/data/schemas`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from rustext import __version__
from rustext.files.codec import to_plain
from rustext.model.findings import Finding
from rustext.model.libraries import Edge, Missing, Resolved
from rustext.model.native_file import NativeFile
from rustext.model.plan import ExtensionPlan
from rustext.model.verification import (
    BundlePython,
    IsolatedRun,
    NotJudged,
    Verdicts,
    VerifyReport,
)
from rustext.report.escape import json_text, one_line


def to_json(value: Mapping[str, Any]) -> str:
    """One JSON document, indented, keys in the order of the documented schema; ASCII lines."""
    return json_text(json.dumps(value, indent=2)) + "\n"


def extension_json(file: NativeFile, importable_by: Sequence[str]) -> dict[str, Any]:
    """A native file as `rustext scan` lists it."""
    images = file.binary.images
    needed = {n.name: None for image in images for n in image.needed}
    rpaths = {p: None for image in images for p in (*image.rpath, *image.runpath)}
    return {
        "distribution": file.distribution,
        "version": file.version,
        "file": str(file.path),
        "module": file.module,
        "rust": file.provenance.rust,
        "binding": file.provenance.binding.value,
        "pyo3": file.provenance.pyo3,
        "rustc": file.provenance.rustc,
        "crates": to_plain(file.provenance.crates, whole=True),
        "init": sorted({i for image in images for i in image.python_inits}),
        "format": file.binary.image.format.value,
        "architectures": [image.architecture for image in images],
        "soname": file.binary.image.soname,
        "install_names": [i.soname for i in images if i.soname and i.format.value == "macho"],
        "needed": list(needed),
        "rpath": list(rpaths),
        "glibc_floor": file.binary.image.glibc_floor,
        "suffix": file.suffix,
        "importable_by": list(importable_by),
        "naming": list(file.naming),
        "explanation": file.explanation,
        "minimum_os": file.binary.image.minimum_os,
    }


def plan_json(plan: ExtensionPlan, importable_by: Sequence[str]) -> dict[str, Any]:
    """Everything about one native file, as `rustext inspect` shows it."""
    return {
        "extension": extension_json(plan.file, importable_by),
        "libraries": [edge_json(edge) for edge in plan.libraries.edges],
        "implicit_imports": to_plain(plan.imports, whole=True),
        "companions": [c.document() for c in plan.companions],
    }


def edge_json(edge: Edge) -> dict[str, Any]:
    """One library that some image asks for, with how it was found or where it was looked for."""
    found = isinstance(edge, Resolved)
    return {
        "soname": edge.soname,
        "found": found,
        "how": edge.how.value if isinstance(edge, Resolved) else None,
        "path": str(edge.path) if isinstance(edge, Resolved) and edge.path else None,
        "searched": [f"{s.path} ({s.how.value})" for s in edge.searched]
        if isinstance(edge, Missing)
        else [],
        "needed_by": str(edge.needed_by),
        "kind": edge.kind.value,
    }


def verify_json(report: VerifyReport) -> dict[str, Any]:
    """The result of `rustext verify`."""
    return {
        "bundle": str(report.bundle),
        "freezer": report.freezer,
        "platform": report.platform,
        "target": report.target,
        "ok": report.ok,
        "findings": [finding_json(f) for f in report.findings],
        "libraries": [edge_json(edge) for edge in report.libraries],
        "extensions": [str(f.path) for f in report.extensions],
        "modules": report.modules,
        "python": _python_json(report.python) if report.python is not None else None,
        "floors": to_plain(report.floors, whole=True),
        "programs": to_plain(report.programs, whole=True),
        "unjudged": list(report.unjudged),
        "run": _run_json(report.run) if report.run is not None else None,
        "suppressed": report.suppressed,
    }


def verdicts_json(verdicts: Verdicts) -> dict[str, Any]:
    """The same for several bundles; of one it is `verify_json`."""
    reports = [one for one in verdicts if isinstance(one, VerifyReport)]
    if len(verdicts) == 1 and reports:
        return verify_json(reports[0])
    others = [one for one in verdicts if isinstance(one, NotJudged)]
    failures = [one for one in others if not one.skipped]
    return {
        "ok": not failures and all(report.ok for report in reports),
        "reports": [verify_json(report) for report in reports],
        "failures": [_failure_json(one) for one in failures],
        "skipped": [_failure_json(one) for one in others if one.skipped],
    }


def _failure_json(one: NotJudged) -> dict[str, Any]:
    return {"bundle": str(one.bundle), "message": one.message, "hint": one.hint}


def _python_json(python: BundlePython) -> dict[str, Any]:
    return {
        "implementation": python.implementation,
        "version": ".".join(map(str, python.version)),
        "flags": python.flags,
        "source": python.source,
    }


def _run_json(run: IsolatedRun) -> dict[str, Any]:
    return {
        "code": run.code,
        "stdout": run.stdout,
        "stderr": run.stderr,
        "hidden": [str(path) for path in run.hidden],
        "lacking": list(run.lacking),
        "missing": list(run.missing),
        "seconds": run.seconds,
    }


def finding_json(finding: Finding) -> dict[str, Any]:
    """One finding; `evidence` keeps its order."""
    return {
        "id": finding.id,
        "severity": finding.severity.value,
        "subject": finding.subject,
        "message": finding.message,
        "evidence": [{"label": label, "text": text} for label, text in finding.evidence],
        "hint": finding.hint,
    }


def bill_of_materials(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The crates in rows of `rustext scan`, as CycloneDX 1.6: what tools for advisories read.

    Each release of a crate is one component, and its occurrences are the files that hold it. There
    is no serial number and no time: the same files give the same bytes.
    https://cyclonedx.org/docs/1.6/json/ https://github.com/package-url/purl-spec
    """
    places: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        for crate in row["crates"]:
            key = (one_line(crate["name"]), one_line(crate["version"] or ""))
            places.setdefault(key, set()).add(row["file"])
    components = []
    for (name, version), files in sorted(places.items()):
        end = f"@{quote(version, safe='')}" if version else ""
        purl = f"pkg:cargo/{quote(name, safe='')}{end}"
        components.append(
            {
                "type": "library",
                "bom-ref": purl,
                "name": name,
                **({"version": version} if version else {}),
                "purl": purl,
                "evidence": {"occurrences": [{"location": one_line(f)} for f in sorted(files)]},
            }
        )
    tool = {"type": "application", "name": "rustext", "version": __version__}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"tools": {"components": [tool]}},
        "components": components,
    }
