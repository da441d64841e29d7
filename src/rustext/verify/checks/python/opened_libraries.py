"""Find the libraries and data files that Python code opens next to itself and that are not there.

In: a `Subject`. Out: the findings `missing-library` about what the modules of its programs open,
and `missing-companion` about data that the start cannot do without, or that the distribution's
RECORD lists. A library of that name anywhere in the bundle, also with another suffix, is there;
data is where code spells out no other folder.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from rustext.discovery.settings_files import is_file_name
from rustext.model.findings import Finding, Severity
from rustext.model.image import Format
from rustext.verify.facts.python.opened_data import (
    find_record,
    is_reachable,
    iter_absent_data,
)
from rustext.verify.facts.python.program_starts import OpenedFile, Start
from rustext.verify.subject import Subject
from rustext.verify.target.policies import is_system_library

# As of `libx.so.1`, `x.abi3.so`, `x.cpython-311-x86_64-linux-gnu.so` and `libx.1.dylib`.
_COMPUTED = re.compile(
    r"linux|gnu|glibc|musl|mac|darwin|apple|win|x86|i\d86|amd|arm|aarch|\d\d|^cp\d|\.(?:dy)?libs$"
)
_SUFFIX = re.compile(r"(?:\.[\w-]+)?\.(?:so|dylib|dll|pyd)(?:\.\d+)*$", re.IGNORECASE)


def check_openings(subject: Subject) -> Iterator[Finding]:
    """Find the libraries that the programs' own code opens and that are not there."""
    held = _Held(subject)
    findings = {
        _missing(subject, start, opened): None
        for start in subject.starts
        for opened in start.opened
        if not opened.data
        and not any(held.expects(name) or held.folders(name) for name in opened.names)
    }
    yield from findings
    opened_by = ((start, one) for start in subject.starts for one in start.opened if not one.data)
    yield from filter(None, (_misplaced(subject, held, *pair) for pair in opened_by))
    for start in subject.starts:
        for opened in iter_absent_data(subject.bundle, start):
            where = find_record(subject.bundle, opened)
            certain = opened.certain and any(map(is_file_name, opened.names))
            if certain or where is not None or opened.respelled:
                yield _missing_data(subject, start, opened, where)


class _Held:
    """What is in the bundle or need not be; files are listed when the first is asked for."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject

    def expects(self, name: str) -> bool:
        """Whether a library is the target machine's, or the plan's, which has its own check."""
        plan = self._subject.plan if not self._subject.guessed else None
        planned = {c.destination.name for c in plan.companions} if plan is not None else set()
        return name in self._subject.allow_system | planned or is_system_library(name)

    def folders(self, name: str) -> Sequence[Path]:
        """The folders with a file of this name, whatever its suffix."""
        return self._stems.get(self._stem(name), ())

    def _stem(self, name: str) -> str:
        stem = _SUFFIX.sub("", name)
        return stem if self._subject.bundle.image.format is Format.ELF else stem.lower()

    @cached_property
    def _stems(self) -> Mapping[str, Sequence[Path]]:
        found = defaultdict(list)
        for folder, _, files in os.walk(self._subject.bundle.root):
            for name in filter(_SUFFIX.search, files):
                found[self._stem(name)].append(Path(folder))
        return found


def _misplaced(subject: Subject, held: _Held, start: Start, opened: OpenedFile) -> Finding | None:
    """A library that is in folders alone of which the code that opens it does not speak.

    Names of platforms are computed, as a rule.
    """
    contents, module = subject.bundle.contents, opened.module.split(".")
    severity = _severity(start, opened)
    folders = [folder for name in opened.names for folder in held.folders(name)]
    for folder in folders:
        if not folder.is_relative_to(contents):
            return None
        parts = folder.relative_to(contents).parts
        if all(p in module or p in opened.words or _COMPUTED.search(p) for p in parts):
            return None
    if not folders or any(held.expects(name) for name in opened.names):
        return None
    return Finding(
        id="missing-library",
        severity=severity if severity is Severity.NOTE else Severity.WARNING,
        subject=opened.names[0],
        message=f"`{opened.module}` opens `{opened.names[0]}` next to itself, which is in another "
        "folder of the bundle",
        evidence=tuple(("in", subject.inside(folder)) for folder in folders),
        hint="put it into the bundle where that code looks for it",
    )


def _missing_data(
    subject: Subject, start: Start, opened: OpenedFile, listed: str | None
) -> Finding:
    first, *others = opened.names
    what = "which is not in the bundle"
    if not is_reachable(subject.bundle, opened):
        what = f"by way of the folder `{opened.through}`, which is not in the bundle"
    elif opened.respelled:
        what = "which is in the bundle in other letters"
    elif opened.elsewhere:
        what = "which is in another folder of the bundle"
    return Finding(
        id="missing-companion",
        severity=Severity.ERROR if opened.certain else Severity.WARNING,
        subject=first,
        message=f"`{opened.module}` reads `{first}` next to itself, {what}",
        evidence=(
            *(("or", name) for name in others),
            *(("at", path.lstrip("/")) for path in opened.paths if opened.elsewhere),
            *(("in", path) for path in opened.elsewhere),
            *([("listed in", listed)] if listed is not None else []),
            ("imported by", " → ".join(start.chain(opened.module))),
        ),
        hint="freeze with rustext's plugin or hooks, or name the file to the freezer",
    )


def _missing(subject: Subject, start: Start, opened: OpenedFile) -> Finding:
    first, *others = opened.names
    program, module = start.program.path.name, opened.module
    several = len(subject.bundle.programs) > 1
    return Finding(
        id="missing-library",
        severity=_severity(start, opened),
        subject=first,
        message=f"`{module}` opens `{first}` next to itself, which is not in the bundle",
        evidence=(
            *([("program", program)] if several else []),
            *(("or", name) for name in others),
            ("imported by", " → ".join(start.chain(module)))
            if module in start.reached
            else ("but", f"`{program}` is not seen to import that module when it starts"),
        ),
        hint="put it into the bundle where that code looks for it, or allow it with "
        f"`--allow-system {first}`",
    )


def _severity(start: Start, opened: OpenedFile) -> Severity:
    """An error only where the start is sure to end at it."""
    if opened.module in start.reached:
        return Severity.ERROR if opened.certain else Severity.WARNING
    return Severity.WARNING if opened.computed else Severity.NOTE
