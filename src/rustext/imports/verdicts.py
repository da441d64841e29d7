"""Which Python modules native code imports, and what a freezer should do about each.

In: a native file, the target environment, and the project's configuration. Out: one
`ImplicitImport` for each module that can be imported there, with its verdict and evidence.

Verdicts separate certain imports, which are included, from possible ones, which are added only
where the program has them already: a data frame library in each app that could convert to one would
be a defect, a missing `zoneinfo` as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rustext.config import Config, Optional
from rustext.data import read_data
from rustext.discovery.module_names import importer_name
from rustext.environment.environment import Environment, Module, Owner
from rustext.imports.clues import Clues, KeptClues, find_clues, find_named, is_own
from rustext.imports.crate_rules import find_own_rules, is_installed
from rustext.imports.strings.name_refs import reads_code
from rustext.model.evidence import Evidence, EvidenceKind
from rustext.model.native_file import NativeFile
from rustext.model.plan import SEEN, SURE, ImplicitImport, Verdict, included
from rustext.tracing.trace_file import UNKNOWN

_ORDER = tuple(EvidenceKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One module with all that speaks for it, ready to be judged."""

    module: Module
    evidence: tuple[Evidence, ...]

    @property
    def kinds(self) -> frozenset[EvidenceKind]:
        return frozenset(e.kind for e in self.evidence)

    @property
    def surely_imported(self) -> bool:
        """A call, a crate rule, or a dotted name: plain words are not sure to be module names."""
        return bool(self.kinds & SURE) or (
            "." in self.module.name and self.kinds != {EvidenceKind.LOOSE_STRING}
        )


def find_file_imports(
    path: Path,
    file: NativeFile,
    env: Environment,
    config: Config,
    *,
    observed: Iterable[tuple[str, Evidence]] = (),
    kept: KeptClues | None = None,
) -> tuple[ImplicitImport, ...]:
    """The implicit imports of one native file, with what the project's configuration adds.

    `observed` holds modules with evidence besides the file and the records; `kept` are the
    answers of earlier builds.
    """
    clues = kept.find(path, file) if kept is not None else find_clues(path, file, env)
    seen = (*_iter_traced(file, config), *observed)
    found = find_imports(file, clues, env, optional=config.optional, seen=seen)
    return _with_configured(found, _iter_configured(path, file, env, config))


def _iter_traced(file: NativeFile, config: Config) -> Iterator[tuple[str, Evidence]]:
    """What the project's record says of the file, and what it cannot say whose it is."""
    details = {
        importer_name(file.path): "seen by `rustext trace`",
        UNKNOWN: "seen by `rustext trace`, which could not tell the importing file",
    }
    for name, detail in details.items():
        for module in config.trace.imports_of(name):
            yield (
                module,
                Evidence(kind=EvidenceKind.TRACED, where=config.trace_file, detail=detail),
            )


def _iter_configured(
    path: Path, file: NativeFile, env: Environment, config: Config
) -> Iterator[tuple[str, str, str]]:
    """Modules that the user names, each with the option and with what is known of it."""
    for name in config.include:
        yield name, "include", f"include, for {file.path}"
    for rule, detail in find_own_rules(path, file, config.crate_rules):
        for name in rule.imports if is_installed(rule.when, env) else ():
            yield name, "crate-rules", detail


def _with_configured(
    found: Iterable[ImplicitImport], configured: Iterable[tuple[str, str, str]]
) -> tuple[ImplicitImport, ...]:
    by_name = {implicit.module: implicit for implicit in found}
    for name, option, detail in configured:
        evidence = Evidence(kind=EvidenceKind.CONFIGURED, where="[tool.rustext]", detail=detail)
        by_name[name] = included(name, f"named in [tool.rustext] {option}", evidence)
    return tuple(by_name[name] for name in sorted(by_name))


def find_imports(
    file: NativeFile,
    clues: Clues,
    env: Environment,
    *,
    optional: Optional = Optional.INSTALLED,
    seen: Iterable[tuple[str, Evidence]] = (),
) -> tuple[ImplicitImport, ...]:
    """Find and judge the modules that `file` imports, sorted by name.

    `seen` are modules for which there is other evidence.
    """
    gathered: dict[str, set[Evidence]] = {}
    for name, evidence in (*_from_strings(file, clues), *_from_crates(file, clues, env), *seen):
        module = _importable(name, evidence.kind, env)
        if module is not None and module.name != file.module:
            gathered.setdefault(module.name, set()).add(evidence)
    found = []
    for name in sorted(gathered):
        module = env.find_module(name)
        if module is not None:
            ranked = sorted(gathered[name], key=lambda e: (_ORDER.index(e.kind), e.where, e.detail))
            case = _Case(module=module, evidence=tuple(ranked))
            verdict, reason = _judge(case, file, env, optional)
            found.append(
                ImplicitImport(module=name, verdict=verdict, reason=reason, evidence=case.evidence)
            )
    return tuple(found)


def _importable(name: str, kind: EvidenceKind, env: Environment) -> Module | None:
    return find_named(name, env) if kind in SURE else env.find_module(name)


def _from_strings(file: NativeFile, clues: Clues) -> Iterator[tuple[str, Evidence]]:
    for ref in clues.strings:
        where = f"{file.path} at 0x{ref.offset:x}"
        yield ref.text, Evidence(kind=ref.kind, where=where, detail=ref.detail)


def _from_crates(
    file: NativeFile, clues: Clues, env: Environment
) -> Iterator[tuple[str, Evidence]]:
    named = {ref.text for ref in clues.strings if ref.kind is EvidenceKind.EXACT_STRING}
    for rule, detail in clues.rules:
        if is_installed(rule.when, env):
            for name in rule.imports:
                if rule.named and name not in named:
                    continue
                yield (
                    name,
                    Evidence(kind=EvidenceKind.CRATE_RULE, where=str(file.path), detail=detail),
                )


def _judge(
    case: _Case, file: NativeFile, env: Environment, optional: Optional
) -> tuple[Verdict, str]:
    if case.kinds & SEEN:
        return Verdict.INCLUDE, "seen to be imported"
    if case.kinds == {EvidenceKind.LOOSE_STRING}:
        return Verdict.REPORT, "the name is in running text only"
    if case.module.owner is Owner.STDLIB:
        return _judge_stdlib(case, followed=any(map(reads_code, file.binary.images)))
    owner = case.module.distribution
    if is_own(case.module, file):
        return Verdict.INCLUDE, f"the extension's own {'distribution' if owner else 'package'}"
    if file.distribution is not None and owner in env.installed.requirements_of(file.distribution):
        return Verdict.INCLUDE, f"required by {file.distribution}"
    declared = file.distribution is not None and owner in env.installed.named_by(file.distribution)
    return _judge_optional(case, owner, env, optional, declared=declared)


def _judge_stdlib(case: _Case, *, followed: bool) -> tuple[Verdict, str]:
    """`followed` says that code which imports a name can be seen to do so."""
    if is_too_large(case.module.name):
        return Verdict.REPORT, "too large to be taken on the evidence of a string"
    doubt = doubt_of(case.module.name)
    if followed:
        doubt = doubt or "a plain word, and nothing shows that it is imported"
    in_source = EvidenceKind.PYTHON_NAME in case.kinds
    if doubt is not None and not in_source and not case.surely_imported:
        return Verdict.REPORT, doubt
    if is_in_every_bundle(case.module.name):
        return Verdict.IF_PRESENT, "in every bundle"
    return Verdict.INCLUDE, "standard library"


def is_too_large(name: str) -> bool:
    """Whether a module of the standard library is never taken on such evidence."""
    return name.partition(".")[0] in read_data("stdlib")["never"]


def is_in_every_bundle(name: str) -> bool:
    """Whether both freezers put the package that a module is in into each program, all of it."""
    return name.partition(".")[0] in read_data("stdlib")["bundled"]


def doubt_of(name: str) -> str | None:
    """Why a string with the name of this standard-library module proves nothing; None if it may."""
    known = read_data("stdlib")
    if name in known["vocabulary"]:
        return "a word that is in every Rust extension"
    if name in known["removed"]:
        return "a module that Python has since removed, and a short word"
    return None


def _judge_optional(
    case: _Case, owner: str | None, env: Environment, optional: Optional, *, declared: bool
) -> tuple[Verdict, str]:
    if owner is None:
        if case.surely_imported:
            return Verdict.INCLUDE, "beside the program, in no distribution"
        return Verdict.REPORT, "in no distribution, and the name may be an ordinary word"
    if optional is Optional.NEVER:
        return Verdict.REPORT, f"{owner} is not required, and optional imports are switched off"
    if not case.surely_imported and not declared:  # what is there already costs nothing
        why = f"{owner} is not required, and the name may be an ordinary word"
        return Verdict.IF_PRESENT, f"{why}; taken where the program has it already"
    if optional is Optional.INSTALLED and not env.is_required(owner):
        return Verdict.INCLUDE, f"{owner} is installed and nothing else requires it"
    return Verdict.IF_PRESENT, f"{owner} is not required; taken where the program has it already"
