"""Render the plan of a program for people.

In: a `BuildPlan`. Out: text on a console; colour carries nothing that the words do not say.
"""

from __future__ import annotations

from collections.abc import Iterable

from rustext.model.plan import BuildPlan, Companion, ImplicitImport, RecordEffect, Verdict
from rustext.report.console import Console, Style, counted


def print_build_plan(
    console: Console, made: BuildPlan, skipped: Iterable[str], *, verbose: bool
) -> None:
    """The plan for people; `verbose` shows all evidence and what is left out for want of it."""
    console.heading("Rust extensions", f" ({len(made.extensions)})")
    for extension in made.extensions:
        owner = f"{extension.distribution or '-'} {extension.version or ''}".strip()
        console.line(f"  {extension.module or extension.file}  ", (owner, Style.DIM), indent=4)
    _print_imports(console, "added", made.modules, verbose=verbose)
    optional = [i for i in made.left_out if i.verdict is Verdict.IF_PRESENT]
    _print_imports(console, "added where the program has the package", optional, verbose=verbose)
    if verbose:
        rest = [i for i in made.left_out if i.verdict is not Verdict.IF_PRESENT]
        _print_imports(console, "not added", rest, verbose=True)
    _print_companions(console, made.companions)
    if made.unfollowed:
        console.heading("not followed: names that come from data", f" ({len(made.unfollowed)})")
    for place in made.unfollowed:
        name = f"{place.module}.{place.function}".strip(".")
        why = (f"{place.distribution}; `rustext trace` records", Style.DIM)
        console.line(f"  {name}  ", why, indent=4)
    for warning in (*made.warnings, *(f"nothing is known of {line}" for line in skipped)):
        console.line(("warning:", Style.YELLOW), f" {warning}", indent=2)


def print_effect(console: Console, effect: RecordEffect, *, verbose: bool) -> None:
    """What the record of a run adds, and what is added without a run having used it."""
    for title, modules, files, size in (
        ("the record adds", effect.modules, effect.files, effect.size),
        ("no run used", effect.unused_modules, effect.unused_files, effect.unused_size),
    ):
        counts = f"{counted(len(modules), 'module')}, {counted(len(files), 'file')}"
        console.heading(title, f" {counts}, {size / 1024:,.0f} KiB")
        for name in (*modules, *map(str, files)) if verbose else ():
            console.line(f"  {name}")


def _print_imports(
    console: Console, title: str, imports: Iterable[ImplicitImport], *, verbose: bool
) -> None:
    rows = list(imports)
    if rows:
        console.heading(f"modules {title}", f" ({len(rows)})")
    for implicit in rows:
        first = implicit.evidence[0]
        why = f"{implicit.reason}; {first.kind.value}: {first.where}"
        console.line(f"  {implicit.module}  ", (why, Style.DIM), indent=4)
        for more in implicit.evidence[1:] if verbose else ():
            said = f"{more.kind.value}: {more.where}  {more.detail}"
            console.line("      ", (said, Style.DIM), indent=8)


def _print_companions(console: Console, companions: Iterable[Companion]) -> None:
    rows = list(companions)
    if rows:
        console.heading("files beside them", f" ({len(rows)})")
    for companion in rows:
        where = f"  {companion.kind.value:<11} {companion.destination}  "
        console.line(where, (companion.reason, Style.DIM), indent=14)
