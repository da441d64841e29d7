"""Find the implicit imports of one native file, from all kinds of evidence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from rustext.config import Config
from rustext.discovery.module_names import importer_name
from rustext.environment.environment import Environment
from rustext.imports.cached_clues import KeptClues, find_clues
from rustext.imports.verdicts import find_imports
from rustext.model.evidence import Evidence, EvidenceKind
from rustext.model.native_file import NativeFile
from rustext.model.plan import ImplicitImport, Verdict
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
    return _with_configured(found, file, config)


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


def _with_configured(
    found: tuple[ImplicitImport, ...], file: NativeFile, config: Config
) -> tuple[ImplicitImport, ...]:
    wanted = set(config.include)
    kept = tuple(i for i in found if i.module not in wanted)
    evidence = Evidence(
        kind=EvidenceKind.CONFIGURED, where="[tool.rustext]", detail=f"include, for {file.path}"
    )
    added = tuple(
        ImplicitImport(
            module=name,
            verdict=Verdict.INCLUDE,
            reason="named in [tool.rustext] include",
            evidence=(evidence,),
        )
        for name in sorted(wanted)
    )
    return tuple(sorted((*kept, *added), key=lambda i: i.module))
