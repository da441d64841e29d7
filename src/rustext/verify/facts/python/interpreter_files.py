"""Which files of a bundle came with its Python, from the machine that it was frozen on.

In: a `Subject`. Out: paths: libpython, the extension modules of the standard library, and the
libraries that these need. What such files ask of a system has one cause, the interpreter that was
frozen; wheels were built elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from rustext.model.findings import Finding
from rustext.verify.subject import Subject


def find_interpreter_files(subject: Subject) -> frozenset[Path]:
    """The files that came with the Python, by real path; empty without extension modules of it."""
    own = [
        path
        for path, file in subject.bundle.files
        if path.name.startswith("libpython")
        or (file.module is not None and subject.in_stdlib(file.module))
    ]
    closures = (subject.loaded.closure(path) for path in own)
    found = frozenset(path for closure in closures for path in closure)
    return frozenset(path for path in found if subject.bundle.holds(path))


def join_findings(
    subject: Subject, findings: Iterable[tuple[Path, Finding]], says: str
) -> Iterable[Finding]:
    """One finding for all files that came with the Python; the others as they are.

    `says` goes on after "the Python of the bundle, with 36 of its files, ".
    """
    pairs = list(findings)
    own = find_interpreter_files(subject) if len(pairs) > 1 else frozenset()
    joined = [(path, f) for path, f in pairs if path.resolve() in own]
    if len(joined) < 2:
        return [f for _, f in pairs]
    joined.sort(key=lambda pair: (not pair[0].name.startswith("libpython"), pair[1].subject))
    first = joined[0][1]
    lines = (
        (label, f"{finding.subject}: {text}" if label == "needs" else text)
        for _, finding in joined
        for label, text in finding.evidence
    )
    one = replace(
        first,
        message=f"the Python of the bundle, with {len(joined)} of its files, {says}",
        evidence=tuple(dict.fromkeys(lines)),
    )
    return [one, *(f for path, f in pairs if path.resolve() not in own)]
