"""Find the implicit imports of one native file, from all kinds of evidence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from rustext.config import Config
from rustext.discovery.module_names import importer_name
from rustext.environment.environment import Environment
from rustext.imports.clues import KeptClues, find_clues
from rustext.imports.crate_rules import find_own_rules, is_installed
from rustext.imports.verdicts import find_imports
from rustext.model.evidence import Evidence, EvidenceKind
from rustext.model.native_file import NativeFile
from rustext.model.plan import ImplicitImport, included
from rustext.tracing.trace_file import UNKNOWN


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
