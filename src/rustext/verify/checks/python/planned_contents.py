"""Find what a build's plan promises and the bundle does not hold.

In: a `Subject`, with the plan that was left in the bundle or given. Out: the findings
`missing-import`, `missing-companion` and `missing-metadata`. Without a plan little can be known of
companions: the source that opens a file by its path is not there to be read any more. What is left
are the bundle's own records of a Rust distribution (`*.dist-info/RECORD`), where a freezer has kept
them, and native code that asks for metadata of a distribution that the bundle holds none of.
"""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Iterator
from pathlib import Path

from packaging.utils import canonicalize_name

from rustext.discovery.extension_suffixes import split_suffix
from rustext.formats.binary import parse_file
from rustext.imports.strings.name_refs import text_regions
from rustext.model.findings import Finding, Severity
from rustext.model.native_file import NativeFile
from rustext.model.plan import SEEN, BuildPlan, Companion, CompanionKind, ImplicitImport, is_sure
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.bundle.program import Freezer
from rustext.verify.facts.python.importable_modules import importable_modules
from rustext.verify.facts.python.wheel_tags import iter_records
from rustext.verify.subject import Subject

_ASKS_METADATA = (b"importlib.metadata", b"importlib_metadata")
# A name that no extension module has; of `name.so`, only the file itself could tell.
_LIBRARY = re.compile(r"lib.*\.so(\.\d+)*|.*\.(dylib|dll)")
_HINT = "freeze again with rustext's plugin or hooks; what a later step removes has to stay"


def check_plan(subject: Subject) -> Iterator[Finding]:
    """What is planned and not there; without a plan, what the bundle itself shows to be missing.

    What a freezer was not told may be missing, and the program do without it.
    """
    bundle, plan = subject.bundle, subject.plan
    if plan is None:
        yield from _unlisted_libraries(bundle)
        if bundle.freezer is not Freezer.NUITKA:  # which keeps metadata inside the program too
            yield from _unanswered_metadata(subject)
        return
    if bundle.freezer is not Freezer.UNKNOWN:  # of others, not all modules can be listed
        yield from _missing_modules(subject, plan)
    for companion in plan.companions:
        if not _is_there(bundle, companion) and not _is_left_out(subject, companion):
            yield _missing_companion(companion, _certain(subject))


def _certain(subject: Subject) -> Severity:
    return Severity.WARNING if subject.guessed else Severity.ERROR


def _missing_modules(subject: Subject, plan: BuildPlan) -> Iterator[Finding]:
    bundle = subject.bundle
    tops = {name.partition(".")[0] for name in bundle.modules}
    # Nuitka's table names an extension module whether or not its file is there.
    extensions = {file.module for _, file in bundle.files}
    for extension in plan.extensions:
        if extension.module is not None and extension.module not in extensions:
            evidence = (("planned as", str(extension.file)),)
            yield _missing_import(extension.module, "a Rust extension of the program", evidence)
    modules = importable_modules(bundle)
    for implicit in plan.modules:
        if implicit.module not in modules:
            top = implicit.module.partition(".")[0]
            left_out = top not in tops and not subject.in_stdlib(top)
            yield _missing_module(subject, implicit, left_out=left_out)


def _is_left_out(subject: Subject, companion: Companion) -> bool:
    """Whether nothing at all is in the bundle of the package that a companion belongs to."""
    bundle = subject.bundle
    top = companion.destination.parts[0] if len(companion.destination.parts) > 1 else ""
    if companion.kind is CompanionKind.METADATA:
        absent = {canonicalize_name(name) for name in _planned_tops(subject)}
        return canonicalize_name(top.partition("-")[0]) in absent
    return bool(top) and top in _planned_tops(subject) and not (bundle.contents / top).exists()


def _planned_tops(subject: Subject) -> frozenset[str]:
    """The packages of planned modules that the bundle holds nothing of."""
    plan = subject.plan
    planned = {i.module.partition(".")[0] for i in plan.modules} if plan is not None else set()
    return frozenset(planned - {name.partition(".")[0] for name in subject.bundle.modules})


def _is_there(bundle: Bundle, companion: Companion) -> bool:
    # A plan may name what no file system takes: `Path` raises there, `os.path` says no.
    place = bundle.contents / companion.destination
    if companion.kind is CompanionKind.FOLDER:
        return os.path.isdir(place.parent)  # noqa: PTH112
    # Nuitka gives all extension modules one suffix; of a renamed one the plan names another.
    stem, suffix = split_suffix(place.name)
    places = (place,) if suffix is None else (place, place.with_name(f"{stem}.so"))
    return any(map(os.path.exists, places))


def _missing_import(
    name: str,
    what: str,
    evidence: tuple[tuple[str, str], ...],
    severity: Severity = Severity.ERROR,
) -> Finding:
    return Finding(
        id="missing-import",
        severity=severity,
        subject=name,
        message=f"`{name}`, {what}, is planned and not in the bundle",
        evidence=evidence,
        hint=_HINT,
    )


def _missing_module(subject: Subject, implicit: ImplicitImport, *, left_out: bool) -> Finding:
    """A planned module; of a package that was left out, only what was seen to be imported counts.

    Packages are left out of a build on purpose, with `--exclude-module` or `--nofollow-import-to`.
    """
    evidence = tuple(("evidence", f"{e.kind.value}: {e.where}") for e in implicit.evidence)
    seen = any(e.kind in SEEN for e in implicit.evidence)
    severity = _certain(subject) if not left_out and is_sure(implicit) else Severity.NOTE
    severity = Severity.ERROR if seen else severity
    return _missing_import(implicit.module, "which this program may import", evidence, severity)


def _missing_companion(companion: Companion, severity: Severity) -> Finding:
    metadata = companion.kind is CompanionKind.METADATA
    folder = companion.kind is CompanionKind.FOLDER
    place = companion.destination.parent if folder else companion.destination
    return Finding(
        id="missing-metadata" if metadata else "missing-companion",
        severity=severity,
        subject=str(place),
        message=f"`{place}` is planned and not in the bundle",
        evidence=((companion.kind.value, companion.reason),),
        hint=_HINT,
    )


# --- without a plan ---------------------------------------------------------------------------


def _unlisted_libraries(bundle: Bundle) -> Iterator[Finding]:
    """Libraries that a Rust distribution installed, by its RECORD, and the bundle does not hold."""
    names = {path.name for path, _ in bundle.files}
    rust = {file.path for _, file in bundle.files if file.provenance.rust}
    for record, listed in iter_records(bundle):
        for file in listed if not rust.isdisjoint(listed) else ():
            if _LIBRARY.fullmatch(file.name) and file.name not in names:
                yield Finding(
                    id="missing-companion",
                    severity=Severity.WARNING,
                    subject=str(file),
                    message=f"`{file}` was installed with the program's Rust code and is not in "
                    "the bundle",
                    evidence=(("listed in", record),),
                    hint="if code opens it by path, freeze with rustext's plugin or hooks",
                )


def _unanswered_metadata(subject: Subject) -> Iterator[Finding]:
    """Extensions that name the module which reads metadata, where theirs is not in the bundle.

    A distribution's name is known only by its metadata; what counts is one like the package's. What
    the program does not import when it starts may never ask.
    """
    bundle = subject.bundle
    reached = {name for start in subject.starts for name in start.reached}
    infos = (p.name for p in bundle.contents.glob("*.dist-info"))
    known = {canonicalize_name(name.partition("-")[0]) for name in infos}
    asking: dict[str, NativeFile] = {}
    for path, file in bundle.files:
        top = file.module.partition(".")[0] if file.module is not None else ""
        lacking = top and top not in asking and canonicalize_name(top) not in known
        if file.provenance.rust and lacking and _asks_metadata(path, file):
            asking[top] = file
    for top, file in sorted(asking.items()):
        yield Finding(
            id="missing-metadata",
            severity=Severity.WARNING if file.module in reached else Severity.NOTE,
            subject=top,
            message=f"native code of `{top}` reads metadata, and the bundle holds none of a "
            "distribution of that name",
            evidence=(("read by", str(file.path)),),
            hint="freeze with rustext's plugin or hooks, which bring it along",
        )


def _asks_metadata(path: Path, file: NativeFile) -> bool:
    regions = [r for image in file.binary.images for r in text_regions(image)]

    def holds(data: mmap.mmap) -> bool:
        return any(
            data.find(word, r.offset, r.offset + r.size) >= 0
            for word in _ASKS_METADATA
            for r in regions
        )

    return parse_file(path, holds, default=False)
