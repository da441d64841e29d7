"""Find what cannot be read, here or by the loader, and the links that lead out of the bundle.

In: a `Subject`. Out: the findings `unreadable-file`, `too-complex` and `outside-link`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rustext.model.findings import Finding, Severity
from rustext.verify.bundle.native_files import Unreadable
from rustext.verify.bundle.program import Freezer
from rustext.verify.bundle.tree import Link
from rustext.verify.common_findings import too_complex, unreadable_file
from rustext.verify.facts.native.loaded_files import PLANNED, Reason
from rustext.verify.subject import Subject

_LINK_HINT = "put a copy of the file there, or a link to a file inside the bundle"
_SHOWN = 50  # findings of one kind; a hostile folder has a million


def check_unreadable(subject: Subject) -> Iterator[Finding]:
    """Find the native files, archives and folders that cannot be read."""
    bundle = subject.bundle
    for program in bundle.programs:
        if program.damage is not None:
            yield unreadable_file(subject.inside(program.path), program.damage)
    used, data = [], []
    paths = {file.path for file in bundle.unreadable}
    for file in bundle.unreadable:
        if (real := Path(os.path.realpath(file.path))) != file.path and real in paths:
            continue  # each file counts once, where it is
        if file.complex:
            yield too_complex(subject.inside(file.path), file.reason)
            continue
        reason = subject.loaded.why(file.path) if _is_library(file) else None
        if reason is not None or not _is_library(file):
            used.append((file, reason))
        else:
            data.append(file)
    judged = [(_judge(subject, file, reason), file, reason) for file, reason in used]
    judged.sort(key=lambda one: one[0] is not Severity.ERROR)
    for severity, file, reason in judged[:_SHOWN]:
        finding = unreadable_file(subject.inside(file.path), file.reason, severity)
        evidence = (*finding.evidence, *([reason] if reason is not None else []))
        yield replace(finding, evidence=evidence)
    if more := judged[_SHOWN:]:
        yield unreadable_file(f"{bundle.path.name}: {len(more)} more", "as above", more[0][0])
    if data:
        yield _note(subject, data)


def _judge(subject: Subject, file: Unreadable, reason: Reason | None) -> Severity:
    if file.path.is_dir():  # what a program misses of it, other findings tell
        return Severity.ERROR if _is_listed(subject, file.path) else Severity.WARNING
    if reason is not None and reason[0] == PLANNED:  # as bad as if it were not there
        return Severity.WARNING if subject.guessed else Severity.ERROR
    ends = file.fatal and subject.loaded.ends_program(file.path)
    if subject.loaded.is_started(file.path) or ends or (file.native and reason is None):
        return Severity.ERROR
    return subject.severity(file.path) if reason is not None else Severity.WARNING


def _is_listed(subject: Subject, folder: Path) -> bool:
    """Whether Python would list a folder to import from it; Nuitka's programs know all paths."""
    loaded = subject.loaded
    if subject.bundle.freezer is Freezer.NUITKA:
        return False
    inside = (path for path in loaded.modules if path.is_relative_to(folder))
    return folder == subject.bundle.contents or any(map(loaded.is_required, (folder, *inside)))


def _is_library(file: Unreadable) -> bool:
    """Whether the loader would have to read it: no folder, and no archive of modules."""
    return not file.path.is_dir() and file.path.suffix != ".zip"


def _note(subject: Subject, data: Sequence[Unreadable]) -> Finding:
    files = "a file" if len(data) == 1 else f"{len(data)} files"
    return Finding(
        id="unreadable-file",
        severity=Severity.NOTE,
        subject=subject.inside(data[0].path),
        message=f"the bundle holds {files} with a library's name or header that cannot be read as "
        "one, and that nothing in it is seen to load",
        evidence=tuple(("file", f"{subject.inside(f.path)}: {f.reason}") for f in data[:_SHOWN]),
    )


def check_links(subject: Subject) -> Iterator[Finding]:
    """Find the links that lead out of the bundle, or nowhere, and those with an absolute path.

    One that some file's library is found through is a `host-library` already.
    """
    bundle = subject.bundle
    used = {str(edge.path) for edge in subject.edges if edge.path is not None}
    links = [
        (link, _judge_link(subject, link))
        for link in bundle.links
        if link.inside or str(bundle.root / link.path) not in used
    ]
    links.sort(key=lambda pair: pair[1] is not Severity.ERROR)
    for link, severity in links[:_SHOWN]:
        where = f"{bundle.path.name}/{link.path}"
        leads = "out of the bundle" if link.exists else "nowhere"
        if link.inside:
            leads = "into the bundle from outside, and nowhere once the bundle is moved"
        yield Finding(
            id="outside-link",
            severity=severity,
            subject=where,
            message=f"`{where}` is a link that leads {leads}",
            evidence=(("leads to", link.target),),
            hint=_LINK_HINT,
        )
    if more := links[_SHOWN:]:
        yield Finding(
            id="outside-link",
            severity=more[0][1],
            subject=f"{bundle.path.name}: {len(more)} more",
            message=f"{len(more)} more links lead out of the bundle, or nowhere",
            evidence=tuple(("link", f"{link.path} -> {link.target}") for link, _ in more),
            hint=_LINK_HINT,
        )


def _judge_link(subject: Subject, link: Link) -> Severity:
    """A link in the place of an extension module matters as much as the module does."""
    path = subject.bundle.root / link.path
    if subject.loaded.module_at(path) is not None:
        return subject.severity(path)
    return Severity.ERROR if link.exists else Severity.WARNING
