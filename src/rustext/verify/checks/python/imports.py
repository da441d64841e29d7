"""Find the modules that native code imports and the bundle does not hold.

In: a `Subject`. Out: the findings `missing-import`, and `unreadable-file` for a file whose strings
cannot be found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from rustext.data import read_data
from rustext.errors import InvalidBinary
from rustext.files.cache import Cache, KeptFacts, open_cache
from rustext.imports.verdicts import doubt_of
from rustext.model.evidence import EvidenceKind, StringRef
from rustext.model.findings import Finding, Severity
from rustext.model.image import Binary
from rustext.model.native_file import NativeFile
from rustext.strings.name_filter import WantedNames
from rustext.verify.common_findings import unreadable_file
from rustext.verify.facts.import_clues import Clues, find_clues
from rustext.verify.subject import Subject
from rustext.verify.target.stdlib import stdlib_packages

_STARTS_WITH = "encodings"  # no Python starts without it
_KEPT_NAMES = 1 << 17  # names that have been looked up


def check_imports(subject: Subject) -> Iterator[Finding]:
    """Find the modules that Rust code imports and that the bundle does not hold."""
    bundle = subject.bundle
    if bundle.program is not None and bundle.program.damage is not None:
        return  # which modules there are is not known
    if bundle.program is None and _STARTS_WITH not in bundle.modules:
        return  # a folder of packages, for a Python that is somewhere else
    packages = stdlib_packages() - set(read_data("stdlib")["never"])
    missing = lru_cache(_KEPT_NAMES)(partial(_missing_module, subject))
    wanted = WantedNames(lambda name: missing(name) is not None, packages)
    kept = KeptFacts(_open_cache(subject), bundle.root)
    for path, file in bundle.files:
        if file.provenance.rust:
            try:
                clues = find_clues(kept, path, file, wanted)
            except InvalidBinary as error:  # its headers can be read, and so the loader may take it
                yield unreadable_file(subject.inside(path), str(error), Severity.WARNING)
                continue
            yield from _check_file_imports(subject, path, file, clues, missing)
    kept.save()


def _open_cache(subject: Subject) -> Cache | None:
    """The clues of bundles that lack the same modules; a one-file program is unpacked anew."""
    if not subject.cached or subject.bundle.origin is not None:
        return None
    facts = subject.stdlib.interpreter
    stdlib = (facts.version, facts.stdlib, facts.builtins)
    asked = (sorted(subject.bundle.modules), subject.python, stdlib)
    return open_cache("verify", hashlib.sha256(repr(asked).encode()).hexdigest())


def _missing_module(subject: Subject, name: str) -> str | None:
    """The standard library's module that an import by this name wants and the bundle lacks.

    A capsule's name ends in an attribute: `datetime.datetime_CAPI`. Most strings name modules that
    are there; to follow only the others through a file's code saves most of the time.
    """
    for module in (name, name.rpartition(".")[0]):
        if module and subject.in_stdlib(module):
            return module if module not in subject.bundle.modules else None
    return None


def _check_file_imports(
    subject: Subject,
    path: Path,
    file: NativeFile,
    clues: Clues,
    missing: Callable[[str], str | None],
) -> Iterator[Finding]:
    """One finding for each module, however many calls, slices and crates import it."""
    sure: dict[str, list[str]] = {}
    maybe = set()
    for ref in clues.strings:
        name = missing(ref.text)
        if name is None:
            continue
        if ref.kind is EvidenceKind.IMPORT_CALL:
            sure.setdefault(name, []).append(_describe(ref, file.binary))
        elif _may_be_import(ref) and name == ref.text:
            maybe.add(name)
    for name, detail in _broken_rules(subject, clues.rules):
        sure.setdefault(name, []).append(detail)
    for name, evidence in sure.items():
        yield _missing_import(subject, path, name, evidence)
    if maybe - sure.keys():
        yield _possible_imports(subject, path, sorted(maybe - sure.keys()))


def _may_be_import(ref: StringRef) -> bool:
    return ref.kind is not EvidenceKind.LOOSE_STRING and doubt_of(ref.text) is None


def _broken_rules(subject: Subject, rules: Sequence[tuple[Any, str]]) -> Iterator[tuple[str, str]]:
    """The modules that crate rules ask for and that are missing, each with its evidence.

    Rules of one crate that differ in what is installed are alternatives: one has to hold.
    """
    by_crate: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for rule, detail in rules:
        tops = {name.partition(".")[0] for name in rule["imports"]}
        # Without the package the program cannot get as far as this import (include-if-present).
        if not rule["when"] or tops <= subject.bundle.modules:
            missing = tuple(name for name in rule["imports"] if name not in subject.bundle.modules)
            by_crate.setdefault(rule["crate"], []).append((missing, detail))
    for alternatives in by_crate.values():
        missing, detail = min(alternatives, key=lambda a: len(a[0]))
        yield from ((name, detail) for name in missing)


def _missing_import(subject: Subject, path: Path, name: str, evidence: Sequence[str]) -> Finding:
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


def _describe(ref: StringRef, binary: Binary) -> str:
    slices = binary.images if len(binary.images) > 1 else ()
    inside = (i.architecture for i in slices if 0 <= ref.offset - i.offset < i.size)
    return f"`{ref.text}` at 0x{ref.offset:x}: {ref.detail}" + "".join(f" ({a})" for a in inside)
