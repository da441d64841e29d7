"""Render the result of a verification as text.

In: a `VerifyReport`. Out: lines on a console: the findings, worst first, and a summary. A terminal
gets lines that fit it, broken between words alone, so that a path can still be copied; a pipe or a
file gets whole lines. Findings with the same advice share it, and those that say the same of more
files than one are a single block.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from rustext.model.findings import Finding, Severity
from rustext.model.verification import (
    IsolatedRun,
    NotJudged,
    SystemFloor,
    Verdicts,
    VerifyReport,
    is_skipped,
    name_each,
)
from rustext.report.console import Console, Style, counted
from rustext.report.escape import one_line
from rustext.report.rules import help_uri

_STYLES = {
    Severity.ERROR: Style.RED,
    Severity.WARNING: Style.YELLOW,
    Severity.NOTE: Style.CYAN,
}
_SHOWN = 5  # of one kind; the rest is counted
_LINES = 8  # of evidence with one label
_LABEL = 11  # columns


def print_verify(
    console: Console, report: VerifyReport, *, name: str | None = None, verbose: bool = False
) -> None:
    """The findings of a bundle and a summary."""
    print_findings(console, report.findings, verbose=verbose)
    print_summary(console, report, name=name)
    for note in iter_run_notes(report.run) if report.run is not None else ():
        console.line(f"note: {note}", indent=2)


def iter_notes(report: VerifyReport) -> Iterator[str]:
    """What the verdict does not rest on: things not judged, and what a run cannot prove."""
    yield from (f"not judged: {line}" for line in report.unjudged)
    yield from iter_run_notes(report.run) if report.run is not None else ()


def iter_run_notes(run: IsolatedRun) -> Iterator[str]:
    """How the program was started, and what a run cannot prove for that reason."""
    if run.hidden:
        hidden = ", ".join(map(str, run.hidden))
        yield f"the program was started with these out of sight: {hidden}"
    else:
        yield (
            "the program was started without hiding anything: this kernel gives no mount namespace"
        )
    if run.lacking:
        yield f"it ran without what this system does not give: {', '.join(run.lacking)}"
    if run.seconds is not None:
        yield f"it was still running after {run.seconds:g} seconds, and was ended"


def print_findings(console: Console, findings: Iterable[Finding], *, verbose: bool = False) -> None:
    """The findings, each with its evidence and a way out; `verbose` leaves nothing out.

    Otherwise notes of one kind, and findings that say the same of several files, are counted
    after the first few.
    """
    for group in _groups(findings):
        alike = len(group) > 1 and len({f.message for f in group}) == 1
        long = not verbose and (alike or group[0].severity is Severity.NOTE)
        few = group[:_SHOWN] if long else group
        for number, finding in enumerate(few):
            if not alike or number == 0:
                _print_head(console, finding, f" ({len(group)} times)" if alike else "")
            lines = _evidence(finding)
            _print_evidence(console, lines if verbose else _shorten(lines))
        if len(few) < len(group):
            console.line(f"  … and {len(group) - len(few)} more, which -v shows", indent=2)
        if group[0].hint:
            console.line(("hint:", Style.BOLD), f" {group[0].hint}", indent=2)
        console.line()


def print_summary(console: Console, report: VerifyReport, *, name: str | None = None) -> None:
    """The verdict and what it is about, in one sentence, and the oldest systems that will do."""
    counts = {s: sum(f.severity is s for f in report.findings) for s in Severity}
    found = [counted(n, s.value) for s, n in counts.items() if n]
    said = ", ".join(found) or "no findings"
    said += f", {report.suppressed} suppressed" if report.suppressed else ""
    head = f"{name or report.bundle.name} ({report.freezer}, {report.platform}) "
    doubtful = Style.YELLOW if counts[Severity.WARNING] else Style.GREEN
    verdict = (name_verdict(report), doubtful if report.ok else Style.RED)
    tail = (
        f": {counted(len(report.extensions), 'Rust extension')}, {report.modules} modules, "
        f"{len({e.soname for e in report.libraries})} libraries; {said}"
    )
    console.line(head, verdict, tail, indent=2)
    for floor in report.floors:
        console.line(f"  {_floor(floor)}", indent=4)
    if len(report.programs) > 1:
        for program in report.programs:
            said = "stands alone" if program.ok else "does not stand alone"
            console.line(f"  `{program.name}` {said}", indent=4)
    for line in report.unjudged:
        console.line(f"  not judged: {line}", indent=4)


def name_verdict(report: VerifyReport) -> str:
    """What the report says of its bundle, in words that are true for every error."""
    if report.ok and any(f.severity is Severity.WARNING for f in report.findings):
        return "may not stand alone"
    if report.ok:
        return "shows no fault" if report.unjudged or report.suppressed else "stands alone"
    return f"is not ready for {report.target}" if report.target else "does not stand alone"


def print_verdicts(
    console: Console, verdicts: Verdicts, *, verbose: bool = False, statistics: bool = False
) -> None:
    """What is said of each bundle and, where there are several, of all of them.

    `statistics` counts the findings instead of naming them.
    """
    for name, report in zip(name_each(verdicts), verdicts, strict=True):
        if isinstance(report, VerifyReport):
            if statistics:
                _print_statistics(console, report.findings)
                print_summary(console, report, name=name)
            else:
                print_verify(console, report, name=name, verbose=verbose)
            if len(verdicts) > 1:
                console.line()
    print_total(console, verdicts)


def _print_statistics(console: Console, findings: Iterable[Finding]) -> None:
    """A row for each id: how often it was found; worst first, most first."""
    worst = tuple(Severity)
    counts = Counter((finding.severity, finding.id) for finding in findings)
    found = sorted(counts.items(), key=lambda row: (worst.index(row[0][0]), -row[1], row[0][1]))
    rows = [(level.value, name, str(number)) for (level, name), number in found]
    if rows:
        console.table([("level", "finding", "number"), *rows])
        console.line()


def print_total(console: Console, verdicts: Verdicts) -> None:
    """One line for several bundles: how many of them are well; above it, what is no bundle."""
    if len(verdicts) == 1:
        return
    bundles = [one for one in verdicts if not is_skipped(one)]
    skipped = [one for one in verdicts if isinstance(one, NotJudged) and one.skipped]
    reports = [one for one in bundles if isinstance(one, VerifyReport)]
    good, failed = sum(report.ok for report in reports), len(bundles) - len(reports)
    bad = len(reports) - good
    counts = ((good, "without an error"), (bad, "with errors"), (failed, "not judged"))
    said = ", ".join(f"{number} {text}" for number, text in counts if number)
    text = f"{counted(len(bundles), 'bundle')}: {said}"
    text += f"; {counted(len(skipped), 'other path')} not judged" if skipped else ""
    for one in skipped:
        console.line(f"not judged: {one.message}", indent=2)
    console.line((text, Style.GREEN if good == len(bundles) else Style.RED), indent=2)


def _floor(floor: SystemFloor) -> str:
    """`needs glibc 2.28 or later (x86_64): manylinux_2_28, Debian 10, RHEL 8`."""
    if floor.version is None:
        return f"needs no particular version of {floor.system} ({floor.architecture})"
    known = ", ".join(filter(None, (floor.policy, *floor.systems)))
    needs = f"needs {floor.system} {floor.version} or later ({floor.architecture})"
    return f"{needs}: {known}" if known else needs


def _groups(findings: Iterable[Finding]) -> Iterator[Sequence[Finding]]:
    """Neighbours of one id that have the same advice."""
    for _, group in groupby(findings, key=lambda f: (f.severity, f.id, f.hint)):
        yield tuple(group)


def _print_head(console: Console, finding: Finding, more: str) -> None:
    label = f"{finding.severity.value}[{finding.id}]"
    style = _STYLES[finding.severity]
    head = (label, style, help_uri(finding.id))
    console.line(head, f": {finding.message}{more}", indent=2)


def _evidence(finding: Finding) -> tuple[tuple[str, str], ...]:
    """The evidence, led by the subject where nothing else names it."""
    said = (finding.message, *(text for _, text in finding.evidence))
    if any(finding.subject in text for text in said):
        return finding.evidence
    return (("in", finding.subject), *finding.evidence)


def _shorten(lines: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The first few lines of each label, and how many there are besides."""
    for label, group in groupby(lines, key=lambda line: line[0]):
        same = tuple(group)
        few = same if len(same) <= _LINES + 1 else same[:_LINES]
        yield from few
        if len(few) < len(same):
            yield label, f"… and {len(same) - len(few)} more, which -v shows"


def _print_evidence(console: Console, lines: Iterable[tuple[str, str]]) -> None:
    lines = tuple(lines)
    width = max((_LABEL, *(len(one_line(label)) for label, _ in lines)))
    last = ""
    for label, text in lines:
        shown = "" if label == last else one_line(label)
        console.line(f"  {shown:<{width}} {text}", indent=width + 3)
        last = label
