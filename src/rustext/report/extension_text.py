"""Render one native file as text, for `rustext inspect`.

In: an `ExtensionPlan`. Out: lines on a console.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from rustext.model import (
    Companion,
    ExtensionPlan,
    ImplicitImport,
    LibraryGraph,
    NativeFile,
    Verdict,
)
from rustext.report.escape import in_markup
from rustext.tree import library_tree

_VERDICTS = {Verdict.INCLUDE: "green", Verdict.IF_PRESENT: "yellow", Verdict.REPORT: "dim"}


def print_plan(console: Console, plan: ExtensionPlan, importable_by: Sequence[str]) -> None:
    """Everything about one native file."""
    file = plan.file
    console.print(f"[bold]{in_markup(file.module or str(file.path))}[/bold]")
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
        console.print(f"[yellow]warning:[/yellow] {in_markup(warning)}")


def _print_facts(console: Console, facts: Sequence[tuple[str, str]]) -> None:
    for label, text in facts:
        console.print(f"  {label:<14} {in_markup(text)}", soft_wrap=True)


def _print_crates(console: Console, file: NativeFile) -> None:
    crates = file.provenance.crates
    if crates:
        sources = sorted({c.source for c in crates})
        console.print(f"\n[bold]crates[/bold] ({len(crates)}, from {', '.join(sources)})")
        text = ", ".join(f"{c.name} {c.version or '?'}" for c in crates)
        console.print(f"  {in_markup(text)}")


def _print_libraries(console: Console, graph: LibraryGraph) -> None:
    tree = library_tree(graph, "\n[bold]libraries[/bold]")
    console.print(tree if tree.children else "\n[bold]libraries[/bold]\n  none", soft_wrap=True)


def _print_imports(console: Console, imports: Sequence[ImplicitImport], file: str) -> None:
    console.print(f"\n[bold]implicit imports[/bold] ({len(imports)})")
    for implicit in imports:
        colour = _VERDICTS[implicit.verdict]
        console.print(
            f"  [{colour}]{implicit.verdict.value:<18}[/{colour}] {in_markup(implicit.module)}"
            f"  [dim]{in_markup(implicit.reason)}[/dim]",
            soft_wrap=True,
        )
        for evidence in implicit.evidence:
            where = evidence.where.removeprefix(file).removeprefix(" at ")  # the headline has it
            said = f"{evidence.kind.value:<13} {where}{'  ' if where else ''}{evidence.detail}"
            console.print(
                f"      [dim]{in_markup(said)}[/dim]",
                soft_wrap=True,
            )


def _print_companions(console: Console, companions: Sequence[Companion]) -> None:
    if companions:
        console.print(f"\n[bold]companions[/bold] ({len(companions)})")
    for companion in companions:
        console.print(
            f"  {companion.kind.value:<11} {in_markup(companion.destination)}"
            f"  [dim]{in_markup(companion.reason)}[/dim]",
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
