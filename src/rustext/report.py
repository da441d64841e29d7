"""Render results for people and for machines.

In: records of `model`. Out: text on a console, or JSON. The same input always gives the same
bytes; colour carries nothing that the words do not say. Data goes to stdout, all else to stderr.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

from rustext.findings import Finding, IsolatedRun, Severity, VerifyReport
from rustext.model import (
    Companion,
    Edge,
    ExtensionPlan,
    ImplicitImport,
    LibraryGraph,
    Missing,
    NativeFile,
    Resolved,
    Verdict,
)
from rustext.tree import library_tree

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
_VERDICTS = {Verdict.INCLUDE: "green", Verdict.IF_PRESENT: "yellow", Verdict.REPORT: "dim"}


def to_json(value: Mapping[str, Any]) -> str:
    """One JSON document, indented, keys in the order of the documented schema; ASCII alone."""
    return json.dumps(value, indent=2)


# --- JSON -------------------------------------------------------------------------------------


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
        "crates": [
            {"name": c.name, "version": c.version, "source": c.source}
            for c in file.provenance.crates
        ],
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
        "implicit_imports": [_import_json(i) for i in plan.imports],
        "companions": [_companion_json(c) for c in plan.companions],
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


def _import_json(implicit: ImplicitImport) -> dict[str, Any]:
    return {
        "module": implicit.module,
        "verdict": implicit.verdict.value,
        "reason": implicit.reason,
        "evidence": [
            {"kind": e.kind.value, "where": e.where, "detail": e.detail} for e in implicit.evidence
        ],
    }


def _companion_json(companion: Companion) -> dict[str, Any]:
    return {
        "file": str(companion.destination),
        "kind": companion.kind.value,
        "reason": companion.reason,
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
        "run": _run_json(report.run) if report.run is not None else None,
    }


def _run_json(run: IsolatedRun) -> dict[str, Any]:
    return {
        "code": run.code,
        "stdout": run.stdout,
        "stderr": run.stderr,
        "hidden": [str(path) for path in run.hidden],
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


# --- text -------------------------------------------------------------------------------------


def print_plan(console: Console, plan: ExtensionPlan, importable_by: Sequence[str]) -> None:
    """Everything about one native file."""
    file = plan.file
    console.print(f"[bold]{escape(file.module or str(file.path))}[/bold]")
    rust = f"yes ({', '.join(file.provenance.marks)})" if file.provenance.rust else "no"
    _print_facts(
        console,
        (
            ("file", str(file.path)),
            ("distribution", f"{file.distribution or '-'} {file.version or ''}".strip()),
            ("rust", rust + (f", rustc {file.provenance.rustc}" if file.provenance.rustc else "")),
            ("binding", _binding(file)),
            ("platform", _platform(file)),
            ("naming", ", ".join((*file.naming, file.explanation))),
            ("importable by", ", ".join(importable_by) or "no Python"),
        ),
    )
    _print_crates(console, file)
    _print_libraries(console, plan.libraries)
    _print_imports(console, plan.imports, str(file.path))
    _print_companions(console, plan.companions)
    for warning in plan.warnings:
        console.print(f"[yellow]warning:[/yellow] {escape(warning)}")


def print_findings(console: Console, findings: Iterable[Finding]) -> None:
    """The findings, each with its evidence and a way out."""
    for finding in findings:
        colour = _COLOURS[finding.severity]
        head = f"[{colour}]{finding.severity.value}\\[{finding.id}][/{colour}]"
        console.print(f"{head}: {escape(finding.message)}", soft_wrap=True)
        last = ""
        for label, text in finding.evidence:
            shown = label if label != last else ""
            console.print(f"  {shown:<11} {escape(text)}", soft_wrap=True)
            last = label
        if finding.hint:
            console.print(f"[bold]hint:[/bold] {escape(finding.hint)}", soft_wrap=True)
        console.print()


def print_verify(console: Console, report: VerifyReport) -> None:
    """The findings of a bundle and one line of summary."""
    print_findings(console, report.findings)
    counts = {s: sum(f.severity is s for f in report.findings) for s in Severity}
    said = ", ".join(_counted(n, s.value) for s, n in counts.items() if n)
    verdict = "[green]stands alone[/green]" if report.ok else "[red]does not stand alone[/red]"
    console.print(
        f"{escape(report.bundle.name)} ({report.freezer}, {report.platform}) {verdict}: "
        f"{_counted(len(report.extensions), 'Rust extension')}, {report.modules} modules, "
        f"{len({e.soname for e in report.libraries})} libraries; {said or 'no findings'}",
        soft_wrap=True,
    )
    if report.run is not None:
        hidden = ", ".join(map(str, report.run.hidden))
        how = (
            f"with these out of sight: {hidden}"
            if hidden
            else "without hiding anything, for this kernel gives no mount namespace"
        )
        console.print(f"note: the program was started {escape(how)}", soft_wrap=True)


def _print_facts(console: Console, facts: Sequence[tuple[str, str]]) -> None:
    for label, text in facts:
        console.print(f"  {label:<14} {escape(text)}", soft_wrap=True)


def _print_crates(console: Console, file: NativeFile) -> None:
    crates = file.provenance.crates
    if crates:
        sources = sorted({c.source for c in crates})
        console.print(f"\n[bold]crates[/bold] ({len(crates)}, from {', '.join(sources)})")
        text = ", ".join(f"{c.name} {c.version or '?'}" for c in crates)
        console.print(f"  {escape(text)}")


def _print_libraries(console: Console, graph: LibraryGraph) -> None:
    tree = library_tree(graph, "\n[bold]libraries[/bold]")
    console.print(tree if tree.children else "\n[bold]libraries[/bold]\n  none", soft_wrap=True)


def _print_imports(console: Console, imports: Sequence[ImplicitImport], file: str) -> None:
    console.print(f"\n[bold]implicit imports[/bold] ({len(imports)})")
    for implicit in imports:
        colour = _VERDICTS[implicit.verdict]
        console.print(
            f"  [{colour}]{implicit.verdict.value:<18}[/{colour}] {escape(implicit.module)}"
            f"  [dim]{escape(implicit.reason)}[/dim]",
            soft_wrap=True,
        )
        for evidence in implicit.evidence:
            where = evidence.where.removeprefix(file).removeprefix(" at ")  # the headline has it
            said = f"{evidence.kind.value:<13} {where}{'  ' if where else ''}{evidence.detail}"
            console.print(
                f"      [dim]{escape(said)}[/dim]",
                soft_wrap=True,
            )


def _print_companions(console: Console, companions: Sequence[Companion]) -> None:
    if companions:
        console.print(f"\n[bold]companions[/bold] ({len(companions)})")
    for companion in companions:
        console.print(
            f"  {companion.kind.value:<11} {escape(str(companion.destination))}"
            f"  [dim]{escape(companion.reason)}[/dim]",
            soft_wrap=True,
        )


def _binding(file: NativeFile) -> str:
    name = file.provenance.binding.value
    return f"{name} {file.provenance.pyo3}" if name == "pyo3" and file.provenance.pyo3 else name


def _platform(file: NativeFile) -> str:
    image = file.binary.image
    architectures = "+".join(i.architecture for i in file.binary.images)
    floor = f", glibc {image.glibc_floor}" if image.glibc_floor else ""
    minimum = f", macOS {image.minimum_os}" if image.minimum_os else ""
    return f"{image.format.value} {architectures}{floor}{minimum}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
