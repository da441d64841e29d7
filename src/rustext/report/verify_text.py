"""Render the result of a verification as text.

In: a `VerifyReport`. Out: lines on a console.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape

from rustext.findings import Finding, Severity, VerifyReport

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}


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


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
