"""Render one native file as text, for `rustext inspect`.

In: an `ExtensionPlan`. Out: lines on a console.
"""

from __future__ import annotations

from collections.abc import Sequence

from rustext.model.libraries import LibraryGraph
from rustext.model.native_file import NativeFile
from rustext.model.plan import Companion, ExtensionPlan, ImplicitImport, Verdict
from rustext.report.console import Console, Style
from rustext.report.library_tree import iter_library_lines

_CRATES = 10  # that are named; large programs have hundreds
_VERDICTS = {
    Verdict.INCLUDE: Style.GREEN,
    Verdict.IF_PRESENT: Style.YELLOW,
    Verdict.REPORT: Style.DIM,
}


def print_plan(
    console: Console,
    plan: ExtensionPlan,
    importable_by: Sequence[str],
    *,
    verbose: bool = False,
) -> None:
    """Everything about one native file; `verbose` names each of its crates."""
    file = plan.file
    console.heading(file.module or str(file.path))
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
    _print_crates(console, file, verbose=verbose)
    _print_libraries(console, plan.libraries)
    _print_imports(console, plan.imports, str(file.path))
    _print_companions(console, plan.companions)
    for warning in plan.warnings:
        console.line(("warning:", Style.YELLOW), f" {warning}", indent=2)


def _print_facts(console: Console, facts: Sequence[tuple[str, str]]) -> None:
    for label, text in facts:
        console.line(f"  {label:<14} {text}", indent=17)


def _print_crates(console: Console, file: NativeFile, *, verbose: bool) -> None:
    crates = file.provenance.crates
    if not crates:
        return
    sources = sorted({c.source for c in crates})
    console.line()
    console.heading("crates", f" ({len(crates)}, from {', '.join(sources)})")
    few = crates if verbose or len(crates) <= _CRATES + 1 else crates[:_CRATES]
    for crate in few:
        console.line(f"  {crate.name} {crate.version or '?'}")
    if len(few) < len(crates):
        console.line(f"  … and {len(crates) - len(few)} more, which -v shows")


def _print_libraries(console: Console, graph: LibraryGraph) -> None:
    console.line()
    console.heading("libraries")
    lines = list(iter_library_lines(graph, unicode=console.unicode))
    for line in lines or [("  none",)]:
        console.line(*line)


def _print_imports(console: Console, imports: Sequence[ImplicitImport], file: str) -> None:
    console.line()
    console.heading("implicit imports", f" ({len(imports)})")
    for implicit in imports:
        verdict = (f"{implicit.verdict.value:<18}", _VERDICTS[implicit.verdict])
        reason = (implicit.reason, Style.DIM)
        console.line("  ", verdict, f" {implicit.module}  ", reason, indent=21)
        for evidence in implicit.evidence:
            where = evidence.where.removeprefix(file).removeprefix(" at ")  # the headline has it
            said = f"{evidence.kind.value:<13} {where}{'  ' if where else ''}{evidence.detail}"
            console.line("      ", (said, Style.DIM), indent=20)


def _print_companions(console: Console, companions: Sequence[Companion]) -> None:
    if companions:
        console.line()
        console.heading("companions", f" ({len(companions)})")
    for companion in companions:
        where = f"  {companion.kind.value:<11} {companion.destination}  "
        console.line(where, (companion.reason, Style.DIM), indent=14)


def _binding(file: NativeFile) -> str:
    name = file.provenance.binding.value
    return f"{name} {file.provenance.pyo3}" if name == "pyo3" and file.provenance.pyo3 else name


def _platform(file: NativeFile) -> str:
    image = file.binary.image
    architectures = "+".join(i.architecture for i in file.binary.images)
    floor = f", glibc {image.glibc_floor}" if image.glibc_floor else ""
    minimum = f", macOS {image.minimum_os}" if image.minimum_os else ""
    return f"{image.format.value} {architectures}{floor}{minimum}"
