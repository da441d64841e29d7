"""Find the modules that native code imports and the bundle does not hold.

In: a `Subject`. Out: the finding `missing-import`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rustext.binary import open_binary
from rustext.findings import Finding, Severity
from rustext.imports import can_import, doubt_of, iter_crate_rules
from rustext.knowledge import read_data
from rustext.model import EvidenceKind, NativeFile, StringRef
from rustext.strings import iter_strings
from rustext.verify.subject import Subject


def check_imports(subject: Subject) -> Iterator[Finding]:
    """Find the modules that Rust code imports and that the bundle does not hold."""
    program = subject.bundle.program
    if program is not None and program.damage is not None:
        return  # which modules there are is not known
    for path, file in subject.bundle.files:
        if file.provenance.rust:
            yield from _check_file_imports(subject, path, file)


def _check_file_imports(subject: Subject, path: Path, file: NativeFile) -> Iterator[Finding]:
    never = read_data("stdlib")["never"]

    def is_stdlib(name: str) -> bool:
        return subject.in_stdlib(name) and name.partition(".")[0] not in never

    def accept(name: str) -> bool:
        return is_stdlib(name) or ("." in name and is_stdlib(name.rpartition(".")[0]))

    sure, maybe = set(), set()
    with open_binary(path) as (binary, data):
        if not can_import(data):
            return
        for ref in (r for image in binary.images for r in iter_strings(image, data, accept)):
            name = ref.text if is_stdlib(ref.text) else ref.text.rpartition(".")[0]
            if name in subject.bundle.modules:
                continue
            if ref.kind is EvidenceKind.IMPORT_CALL:
                sure.add(name)
                yield _missing_import(subject, path, name, (_describe(ref),))
            elif _may_be_import(ref) and name == ref.text:
                maybe.add(name)
        rules = list(iter_crate_rules(file, data))
    yield from _check_crate_rules(subject, path, rules)
    if maybe - sure:
        yield _possible_imports(subject, path, sorted(maybe - sure))


def _may_be_import(ref: StringRef) -> bool:
    return ref.kind is not EvidenceKind.LOOSE_STRING and doubt_of(ref.text) is None


def _check_crate_rules(
    subject: Subject, path: Path, rules: Sequence[tuple[Any, str]]
) -> Iterator[Finding]:
    """Rules of one crate that differ in what is installed are alternatives: one has to hold."""
    by_crate: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for rule, detail in rules:
        tops = {name.partition(".")[0] for name in rule["imports"]}
        # Without the package the program cannot get as far as this import (include-if-present).
        if not rule["when"] or tops <= subject.bundle.modules:
            missing = tuple(name for name in rule["imports"] if name not in subject.bundle.modules)
            by_crate.setdefault(rule["crate"], []).append((missing, detail))
    for alternatives in by_crate.values():
        missing, detail = min(alternatives, key=lambda a: len(a[0]))
        for name in missing:
            yield _missing_import(subject, path, name, (detail,))


def _missing_import(subject: Subject, path: Path, name: str, evidence: tuple[str, ...]) -> Finding:
    return Finding(
        id="missing-import",
        severity=Severity.ERROR,
        subject=name,
        message=f"native code imports `{name}`, which is not in the bundle",
        evidence=(
            ("imported by", subject.inside(path)),
            *(("evidence", line) for line in evidence),
        ),
        hint="freeze with rustext's plugin or hooks, or name the module to the freezer",
    )


def _possible_imports(subject: Subject, path: Path, names: Sequence[str]) -> Finding:
    return Finding(
        id="missing-import",
        severity=Severity.NOTE,
        subject=subject.inside(path),
        message="holds names of modules that are not in the bundle, but nothing that imports them",
        evidence=(("names", ", ".join(names)),),
        hint="run the parts of the program that use this extension",
    )


def _describe(ref: StringRef) -> str:
    return f"`{ref.text}` at 0x{ref.offset:x}: {ref.detail}"
