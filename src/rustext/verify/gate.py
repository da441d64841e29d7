"""Decide which findings count: what a project selects, ignores, or has known for long.

In: a `VerifyReport`, and what the user chose. Out: the report with the findings that count, and how
many do not. A baseline is a JSON file of findings that are known, made by `--write-baseline`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from rustext.config import Selector
from rustext.errors import InvalidConfiguration, UnreadableFile, UnwritableFile
from rustext.model.findings import Finding, Severity
from rustext.model.verification import VerifyReport, is_ready

_FORMAT = "rustext-baseline"
_KEYS = ("bundle", "id", "severity", "subject")

Known = tuple[str, str, str, str]  # in the order of `_KEYS`


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What counts; without `select` all that is not ignored and not in the baseline."""

    select: tuple[Selector, ...] = ()
    ignore: tuple[Selector, ...] = ()
    baseline: frozenset[Known] = frozenset()

    def judge(self, report: VerifyReport) -> VerifyReport:
        """The report without the findings that do not count; they are counted."""
        findings = tuple(f for f in report.findings if self._counts(f, report.bundle))
        return replace(
            report,
            findings=findings,
            suppressed=len(report.findings) - len(findings),
            programs=tuple(
                replace(program, ok=is_ready(program.name, findings)) for program in report.programs
            ),
        )

    def _counts(self, finding: Finding, bundle: Path) -> bool:
        if self.select and not _any_fits(self.select, finding, bundle.name):
            return False
        if _any_fits(self.ignore, finding, bundle.name):
            return False
        return _key(finding, bundle) not in self.baseline


def _any_fits(selectors: Iterable[Selector], finding: Finding, bundle: str) -> bool:
    return any(_fits(one, finding, bundle) for one in selectors)


def _fits(selector: Selector, finding: Finding, bundle: str) -> bool:
    """Whether a finding is meant: its subject, or else each file of the bundle that it names."""
    if selector.id not in {"*", finding.id}:
        return False
    files = [text for _, text in finding.evidence if text.startswith(f"{bundle}/")]
    return _matches(finding.subject, selector.pattern, bundle) or (
        bool(files) and all(_matches(file, selector.pattern, bundle) for file in files)
    )


def _matches(text: str, pattern: str, bundle: str) -> bool:
    return any(fnmatchcase(t, pattern) for t in (text, text.removeprefix(f"{bundle}/")))


# --- baseline ---------------------------------------------------------------------------------


def _key(finding: Finding, bundle: Path) -> Known:
    return (bundle.name, finding.id, finding.severity.value, finding.subject)


def format_baseline(reports: Sequence[VerifyReport]) -> str:
    """The findings of some bundles, as a baseline holds them; the same ones give the same bytes."""
    keys = sorted({_key(f, report.bundle) for report in reports for f in report.findings})
    rows = [dict(zip(_KEYS, key, strict=True)) for key in keys]
    return json.dumps({"format": _FORMAT, "findings": rows}, indent=2) + "\n"


def read_baseline(path: Path) -> frozenset[Known]:
    """Read a baseline; raises `UnreadableFile` or `InvalidConfiguration`."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return frozenset(map(_parse_row, _rows(document)))
    except OSError as error:
        raise UnreadableFile(
            f"{path} cannot be read: {error.strerror}", hint="make it with --write-baseline"
        ) from error
    except (RecursionError, ValueError, KeyError, TypeError) as error:
        raise InvalidConfiguration(
            f"{path} is not a baseline", hint="make one with --write-baseline"
        ) from error


def _rows(document: Any) -> Sequence[Any]:
    if document["format"] != _FORMAT or not isinstance(document["findings"], list):
        raise ValueError(_FORMAT)
    rows: Sequence[Any] = document["findings"]
    return rows


def _parse_row(row: Any) -> Known:
    bundle, rule, severity, subject = (row[key] for key in _KEYS)
    return (str(bundle), str(rule), str(severity), str(subject))


def write_baseline(reports: Sequence[VerifyReport], path: Path) -> None:
    """Write a baseline; an earlier one is replaced, any other file is left alone.

    Raises `UnwritableFile`.
    """
    try:
        if path.exists():
            read_baseline(path)
        path.write_text(format_baseline(reports), encoding="utf-8", errors="backslashreplace")
    except (InvalidConfiguration, UnreadableFile) as error:
        raise UnwritableFile(
            f"{path} is there already, and is no baseline of rustext",
            hint="name another file, or remove this one",
        ) from error
    except OSError as error:
        raise UnwritableFile(f"{path} cannot be written: {error.strerror}") from error


def stale_rows(known: Iterable[Known], reports: Sequence[VerifyReport]) -> tuple[Known, ...]:
    """The rows of a baseline, of bundles that were judged, that no finding matches any more.

    `reports` are those from before the gate.
    """
    judged = {report.bundle.name for report in reports}
    found = {_key(f, report.bundle) for report in reports for f in report.findings}
    return tuple(sorted(row for row in known if row[0] in judged and row not in found))


def reaches(reports: Iterable[VerifyReport], threshold: Severity | None) -> bool:
    """Whether a finding is as bad as `threshold`, or worse; None is never reached."""
    order = list(Severity)
    worst = -1 if threshold is None else order.index(threshold)
    return any(order.index(f.severity) <= worst for report in reports for f in report.findings)
