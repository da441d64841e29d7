"""Find what a recorded run has used and the bundle does not hold.

In: a `Subject` with a record of `rustext trace`. Out: the findings `missing-import`,
`missing-companion` and `missing-metadata`, for all that something in the bundle has asked for. What
the bundle's plan names is left to the check of the plan.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import PurePosixPath

from packaging.utils import canonicalize_name

from rustext.discovery.extension_suffixes import split_suffix
from rustext.model.findings import Finding, Severity
from rustext.tracing.trace_file import Trace
from rustext.tracing.usage import (
    ALL,
    LATE,
    MAIN,
    PYTHON,
    SYSTEM,
    UNKNOWN_ASKER,
    Usage,
    Use,
    UseKind,
)
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.bundle.program import Freezer
from rustext.verify.facts.python.importable_modules import importable_modules
from rustext.verify.subject import Subject

_FILES = (UseKind.FILE, UseKind.SOURCE, UseKind.LIBRARY, UseKind.FOLDER)
_WORDS = {
    UseKind.FILE: "opened",
    UseKind.SOURCE: "read as source",
    UseKind.LIBRARY: "loaded",
    UseKind.FOLDER: "listed",
}
_HINT = "freeze with `[tool.rustext] trace`, which adds what a record holds"


def check_record(subject: Subject) -> Iterator[Finding]:
    """What the recorded run has used, something in the bundle asks for, and is not there."""
    trace, bundle, plan = subject.trace, subject.bundle, subject.plan
    if trace is None:
        return
    modules = importable_modules(bundle)
    present = frozenset(module.partition(".")[0] for module in modules)
    planned = {i.module for i in plan.modules} if plan is not None else set()
    places = {c.destination for c in plan.companions} if plan is not None else set()
    for usage in trace.usages:
        if usage.distribution in {SYSTEM, ALL}:
            continue
        if bundle.freezer is not Freezer.UNKNOWN:
            for use, severity in _iter_missing_modules(usage, trace, modules, present):
                if use.name not in planned:
                    yield _missing_module(use, severity)
        for place, use, kind in _iter_missing_files(usage, bundle, present):
            if place not in places:
                yield _missing_file(place, use, kind)
        if bundle.freezer is not Freezer.NUITKA:  # which keeps metadata inside the program too
            yield from _iter_missing_metadata(usage, bundle, present)


def _iter_missing_modules(
    usage: Usage, trace: Trace, modules: frozenset[str], present: frozenset[str]
) -> Iterator[tuple[Use, Severity]]:
    for kind in LATE:
        for use in usage.of(kind):
            if use.name not in modules and _asked(use, present):
                yield use, Severity.ERROR
    if usage.distribution == PYTHON:  # the freezers leave out parts that no program reaches
        return
    late = {use.name for kind in LATE for use in usage.of(kind)}
    # A test runner imports what the program need not; importers by statement are not recorded.
    severity = Severity.ERROR if trace.of_program else Severity.NOTE
    for use in usage.of(UseKind.STATEMENT):
        missing = use.name not in modules and use.name not in late
        if missing and use.name.partition(".")[0] in present:
            yield use, severity


def _iter_missing_files(
    usage: Usage, bundle: Bundle, present: frozenset[str]
) -> Iterator[tuple[PurePosixPath, Use, UseKind]]:
    for kind in _FILES:
        for use in usage.of(kind):
            place = PurePosixPath(*(p for p in PurePosixPath(use.name).parts if p != ".."))
            if _asked(use, present) and not _holds(bundle, place, kind):
                yield place, use, kind


def _asked(use: Use, present: frozenset[str]) -> bool:
    return any(a in {MAIN, UNKNOWN_ASKER} or a.partition(".")[0] in present for a in use.askers)


def _holds(bundle: Bundle, place: PurePosixPath, kind: UseKind) -> bool:
    path = bundle.contents / place
    if kind is UseKind.FOLDER:
        return os.path.isdir(path)  # noqa: PTH112 (`Path` raises for a name that is too long)
    stem, suffix = split_suffix(place.name)
    paths = (path, path.with_name(f"{stem}.so")) if suffix is not None else (path,)
    return any(map(os.path.exists, paths))


def _iter_missing_metadata(
    usage: Usage, bundle: Bundle, present: frozenset[str]
) -> Iterator[Finding]:
    wanted = [use for use in usage.of(UseKind.METADATA) if _asked(use, present)]
    folders = [
        folder
        for pattern in ("*.dist-info", "*.egg-info")
        for folder in (bundle.contents.glob(pattern) if wanted else ())
        if canonicalize_name(folder.name.partition("-")[0]) == usage.distribution
    ]
    for use in wanted:
        if not any((folder / use.name).is_file() for folder in folders):
            yield Finding(
                id="missing-metadata",
                severity=Severity.ERROR,
                subject=f"{usage.distribution} {use.name}",
                message=f"`{use.name}` of {usage.distribution} was read in the recorded run, and "
                "is not in the bundle",
                evidence=(("asked for by", _askers(use)),),
                hint=_HINT,
            )


def _missing_module(use: Use, severity: Severity) -> Finding:
    by = (("asked for by", _askers(use)),) if use.askers else ()
    return Finding(
        id="missing-import",
        severity=severity,
        subject=use.name,
        message=f"`{use.name}` was imported in the recorded run, and is not in the bundle",
        evidence=by,
        hint=_HINT,
    )


def _missing_file(place: PurePosixPath, use: Use, kind: UseKind) -> Finding:
    return Finding(
        id="missing-library" if kind is UseKind.LIBRARY else "missing-companion",
        severity=Severity.WARNING if kind is UseKind.FOLDER else Severity.ERROR,
        subject=str(place),
        message=f"`{place}` was {_WORDS[kind]} in the recorded run, and is not in the bundle",
        evidence=(("asked for by", _askers(use)),),
        hint=_HINT,
    )


def _askers(use: Use) -> str:
    return ", ".join(asker or "native code" for asker in use.askers)
