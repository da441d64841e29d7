"""Find the modules that native code imports and the bundle does not hold.

In: a `Subject`. Out: the findings `missing-import`, for each program of the bundle that uses the
native code, and `unreadable-file` for a file whose strings cannot be found.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from pathlib import Path

from packaging.utils import canonicalize_name

from rustext.data import read_data
from rustext.discovery.module_names import packages_of
from rustext.discovery.provenance import missing_by_binding
from rustext.environment.distributions import Installed
from rustext.errors import InvalidBinary, UnknownFormat, UnreadableFile
from rustext.files.cache import Cache, KeptFacts, open_cache
from rustext.imports.clues import Clues
from rustext.imports.crate_rules import find_own_rules
from rustext.imports.strings.name_filter import WantedNames
from rustext.imports.verdicts import doubt_of
from rustext.model.crate_rule import CrateRule
from rustext.model.evidence import EvidenceKind, StringRef
from rustext.model.findings import Finding, Severity
from rustext.model.image import Binary
from rustext.model.native_file import NativeFile
from rustext.verify.bundle.program import Program
from rustext.verify.common_findings import unreadable_file
from rustext.verify.facts.python.code_names import imports_module, names_word
from rustext.verify.facts.python.import_clues import find_clues
from rustext.verify.subject import Subject
from rustext.verify.target.stdlib import stdlib_packages

_STARTS_WITH = "encodings"  # no Python starts without it
_KEPT_NAMES = 1 << 17  # names that have been looked up
_SMALL = 4 << 20  # bytes of a file in which any word is followed; in large ones that takes minutes
_MODULE = re.compile(r"[a-z_]\w{2,}(?:\.[a-z_]\w*)*")  # as modules are named: PEP 8
_CAPSULE_ATTRIBUTES = 2  # dotted parts at the end of a capsule's name that are no modules
_CAPSULE = "PyCapsule_Import"
_NOT_INSTALLED = (
    "its package does not require it, or it was not installed when the plan was made: install it "
    "if the program needs it"
)
_NAME_IT = "name it: `--hidden-import` (PyInstaller), `--include-module` (Nuitka)"
_HINT = "freeze with rustext's plugin or hooks, or name the module to the freezer"


class _Whose(Enum):
    """Where a missing module would come from."""

    STDLIB = "the standard library"
    PRESENT = "a package that is in the bundle"
    ABSENT = "a package of which the bundle holds nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lack:
    """A module that an import asks for and that is not there."""

    name: str
    whose: _Whose


class _Modules:
    """What can be imported by one program, or where there is none, in the whole bundle."""

    def __init__(self, subject: Subject, program: Program | None) -> None:
        bundle = subject.bundle
        self.program = program
        self.names = bundle.modules if program is None else bundle.modules_of(program)
        natives = {file.module for _, file in bundle.files if file.module is not None}
        self._natives = natives
        self._packages = {n for name in self.names for n in packages_of(name)}
        # Of a namespace package, other distributions may hold the rest.
        self._whole = (self._packages | self.names) - bundle.namespaces
        self.find = lru_cache(_KEPT_NAMES)(self._find)
        self._subject = subject

    def _find(self, name: str) -> _Lack | None:
        """What an import by this name lacks.

        A capsule's name ends in an attribute: `datetime.datetime_CAPI`. Most strings name modules
        that are there; to follow only the others through a file's code saves most of the time.
        """
        for module in (name, name.rpartition(".")[0]):
            if module and self._subject.in_stdlib(module):
                return None if module in self.names else _Lack(name=module, whose=_Whose.STDLIB)
        if self._is_there(name) or _MODULE.fullmatch(name) is None:
            return None
        top = name.partition(".")[0]
        return _Lack(name=name, whose=_Whose.PRESENT if top in self._whole else _Whose.ABSENT)

    def _is_there(self, name: str) -> bool:
        """Whether a module is there, or may be made by a native one that is."""
        return (
            name in self.names
            or name in self._packages
            or not self._natives.isdisjoint(packages_of(name))
        )

    def holds_part(self, name: str) -> bool:
        """Whether a name is that of a module in a package, of no matter which distribution."""
        return "." in name and name in self.names and not self._subject.in_stdlib(name)

    def holds_capsule(self, name: str) -> bool:
        """Whether the module of a capsule is there; what follows it are attributes."""
        return not self.names.isdisjoint(packages_of(name)[:_CAPSULE_ATTRIBUTES])


def check_imports(subject: Subject) -> Iterator[Finding]:
    """Find the modules that native code imports and that the bundle does not hold."""
    bundle = subject.bundle
    if bundle.program is not None and bundle.program.damage is not None:
        return  # which modules there are is not known
    if bundle.program is None and _STARTS_WITH not in bundle.modules:
        return  # a folder of packages, for a Python that is somewhere else
    views = [_Modules(subject, program) for program in bundle.programs or (None,)]
    kept = KeptFacts(_open_cache(subject, views), bundle.root)

    def find(name: str) -> list[_Lack]:
        return [lack for view in views if (lack := view.find(name)) is not None]

    def looked_for(name: str) -> bool:
        return bool(find(name)) or any(view.holds_part(name) for view in views)

    def counts(ref: StringRef) -> bool:
        return ref.kind is EvidenceKind.IMPORT_CALL or any(
            lack.whose is _Whose.STDLIB for lack in find(ref.text)
        )

    tops = stdlib_packages() - set(read_data("stdlib")["never"])
    tops |= {n for row in read_data("crates")["rule"] if row.get("named") for n in row["imports"]}
    wanted = WantedNames(looked_for, tops, dotted=True)
    every_word = WantedNames(looked_for)
    for path, file in bundle.files:
        if file.provenance.rust:
            names = every_word if _may_import_words(path, file) else wanted
            try:
                clues = find_clues(kept, path, file, names, counts)
                own = find_own_rules(path, file, subject.crate_rules)
                clues = replace(clues, rules=(*clues.rules, *own))
            except InvalidBinary as error:  # its headers can be read, and so the loader may take it
                yield unreadable_file(subject.inside(path), str(error), Severity.WARNING)
                continue
            for view in _users(subject, views, file):
                yield from _check_file_imports(subject, path, file, clues, view)
    kept.save()
    yield from _check_bindings(subject, views)


def _may_import_words(path: Path, file: NativeFile) -> bool:
    """Whether a plain word that a file imports tells of a missing module: see `_is_alternative`."""
    return not _in_package(file) and path.stat().st_size <= _SMALL


def _in_package(file: NativeFile) -> bool:
    return file.module is not None and "." in file.module


def _users(subject: Subject, views: Sequence[_Modules], file: NativeFile) -> Sequence[_Modules]:
    """The programs that import a native file; all of them where no code says so."""
    module = file.module
    if len(views) == 1 or module is None:
        return views
    packages = packages_of(module)
    using = [
        view
        for view in views
        if view.program is not None
        and (
            not view.program.modules.isdisjoint(packages)
            or imports_module(subject.bundle, view.program, subject.version, module)
        )
    ]
    return using or views


def _open_cache(subject: Subject, views: Sequence[_Modules]) -> Cache | None:
    """The clues of bundles that lack the same modules; a one-file program is unpacked anew."""
    if not subject.cached or subject.bundle.origin is not None:
        return None
    facts = subject.stdlib.interpreter
    stdlib = (facts.version, facts.stdlib, facts.builtins)
    asked = ([sorted(view.names) for view in views], subject.python, stdlib)
    return open_cache("verify", hashlib.sha256(repr(asked).encode()).hexdigest())


def _check_file_imports(
    subject: Subject, path: Path, file: NativeFile, clues: Clues, view: _Modules
) -> Iterator[Finding]:
    """One finding for each module, however many calls, slices and crates import it."""
    sure: dict[_Lack, list[str]] = {}
    maybe = set()
    for ref in clues.strings:
        lack = view.find(ref.text)
        if lack is None or (_CAPSULE in ref.detail and view.holds_capsule(ref.text)):
            continue
        if ref.kind is EvidenceKind.IMPORT_CALL:
            sure.setdefault(lack, []).append(_describe(ref, file.binary))
        elif lack.whose is _Whose.STDLIB and _may_be_import(ref) and lack.name == ref.text:
            maybe.add(lack.name)
    exact = {ref.text for ref in clues.strings if ref.kind is EvidenceKind.EXACT_STRING}
    rules = [(r, text) for r, text in clues.rules if not r.named or not exact.isdisjoint(r.imports)]
    for name, certain, detail in _broken_rules(view, rules):
        whose = _Whose.STDLIB if certain or subject.in_stdlib(name) else _Whose.PRESENT
        sure.setdefault(_Lack(name=name, whose=whose), []).append(detail)
    parts = {ref.text.partition(".")[0] for ref in clues.strings if view.holds_part(ref.text)}
    for lack, evidence in sure.items():
        if lack.whose is _Whose.STDLIB or not _is_alternative(subject, view, file, clues, lack):
            crates = {n.partition(".")[0] for rule, _ in clues.rules for n in rule.imports}
            severity = _severity(subject, file, lack, parts, crates)
            yield _missing_import(subject, path, lack.name, severity, evidence, view)
    rest = maybe - {lack.name for lack in sure}
    if rest:
        yield _possible_imports(subject, path, sorted(rest))


def _may_be_import(ref: StringRef) -> bool:
    return ref.kind is not EvidenceKind.LOOSE_STRING and doubt_of(ref.text) is None


def _is_alternative(
    subject: Subject, view: _Modules, file: NativeFile, clues: Clues, lack: _Lack
) -> bool:
    """Whether the program may well do without a module that native code imports.

    A module may have had another name in another release (`numpy.core`, `numpy._core`). And of a
    package that is not there at all, Python code of the program may know: what that names, and no
    freezer has found, it can do without. A plain word says too little, unless the extension is in
    no package.
    """
    last = lack.name.rpartition(".")[2]
    named = {name for rule, _ in clues.rules for name in rule.imports}
    named |= {ref.text for ref in clues.strings}
    top = lack.name.partition(".")[0]
    if lack.whose is _Whose.PRESENT:
        return any(
            name in view.names and name != lack.name
            for name in named
            if name.startswith(f"{top}.") and name.endswith(f".{last}")
        )
    if _in_package(file) and "." not in lack.name:
        return True
    return names_word(subject.bundle, view.program, top)


def _severity(
    subject: Subject, file: NativeFile, lack: _Lack, parts: set[str], crates: set[str]
) -> Severity:
    """How bad it is; `parts` are the packages that native code imports something present of.

    `crates` are those that a crate in it imports, whatever the program does with the crate.
    """
    plan, top = subject.plan, lack.name.partition(".")[0]
    if lack.whose is _Whose.ABSENT and plan is not None:
        # It names all that native code imports of what was installed.
        named = {i.module.partition(".")[0] for i in (*plan.modules, *plan.left_out)}
        return Severity.WARNING if top in named else Severity.NOTE
    if lack.whose is _Whose.ABSENT and top in crates and _does_without(subject, file, top):
        return Severity.NOTE
    # The freezer has followed such a package, and found most of what native code imports.
    followed = lack.whose is _Whose.PRESENT and top in parts
    return Severity.WARNING if followed or lack.whose is _Whose.ABSENT else Severity.ERROR


def _does_without(subject: Subject, file: NativeFile, package: str) -> bool:
    """Whether the distribution of a file says that it does not require a package.

    Its metadata lies in the bundle and all that it requires is there, so that no requirement can
    be the package under another name.
    """
    own = file.module.partition(".")[0] if file.module is not None else ""
    installed = Installed((subject.bundle.contents,), subject.stdlib.interpreter.markers)
    owners = {d.name for d in installed.by_name.values() if file.path in d.files}
    names = owners or {str(canonicalize_name(own))} & installed.by_name.keys()
    required = {name for dist in names for name in installed.requirements_of(dist)}
    there = {name.partition(".")[0] for name in subject.bundle.modules}
    there = {*map(canonicalize_name, there), *installed.by_name}
    return bool(names) and canonicalize_name(package) not in required and required <= there


def _check_bindings(subject: Subject, views: Sequence[_Modules]) -> Iterator[Finding]:
    """What modules that are not Rust lack by what they are made with."""
    reached = {name for start in subject.starts for name in start.reached}
    for path, file in subject.bundle.files:
        if file.module is None or file.provenance.rust:
            continue
        severity = Severity.ERROR if file.module in reached else Severity.WARNING
        with suppress(UnreadableFile, UnknownFormat):  # other checks name such a file
            for view in _users(subject, views, file):
                for name in sorted(missing_by_binding(path, file, view.names)):
                    evidence = f"`{name}` is in the file, which has a PyInit_ function"
                    finding = _missing_import(subject, path, name, severity, [evidence], view)
                    yield replace(finding, hint=_NAME_IT)


def _broken_rules(
    view: _Modules, rules: Sequence[tuple[CrateRule, str]]
) -> Iterator[tuple[str, bool, str]]:
    """The modules that crate rules ask for and that are missing, each with its evidence.

    Rules of one crate that differ in what is installed are alternatives: one has to hold. A rule
    that depends on nothing is certain, which is said with the name.
    """
    by_crate: dict[tuple[str, tuple[str, ...]], list[tuple[tuple[str, ...], str]]] = {}
    for rule, detail in rules:
        tops = {name.partition(".")[0] for name in rule.imports}
        # Without the package the program cannot get as far as this import (include-if-present).
        if not rule.when or tops <= view.names:
            missing = tuple(name for name in rule.imports if name not in view.names)
            always = () if rule.when or rule.named else rule.imports
            by_crate.setdefault((rule.crate, always), []).append((missing, detail))
    for (_, certain), alternatives in by_crate.items():
        missing, detail = min(alternatives, key=lambda a: len(a[0]))
        yield from ((name, bool(certain), detail) for name in missing)


def _missing_import(
    subject: Subject,
    path: Path,
    name: str,
    severity: Severity,
    evidence: Sequence[str],
    view: _Modules,
) -> Finding:
    several = len(subject.bundle.programs) > 1 and view.program is not None
    return Finding(
        id="missing-import",
        severity=severity,
        subject=name,
        message=f"native code imports `{name}`, which is not in the bundle",
        evidence=(
            *([("program", view.program.path.name)] if several and view.program else []),
            ("imported by", subject.inside(path)),
            *(("evidence", line) for line in evidence),
        ),
        hint=_HINT if severity is not Severity.NOTE else _NOT_INSTALLED,
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
