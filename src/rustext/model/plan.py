"""Records of a plan: implicit imports, companions, and the plan of a file or a build."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePosixPath

from rustext.model.evidence import Evidence, EvidenceKind
from rustext.model.libraries import LibraryGraph
from rustext.model.native_file import NativeFile

# --- implicit imports -------------------------------------------------------------------------


class Verdict(Enum):
    """What a freezer is told about an implicit import."""

    INCLUDE = "include"
    IF_PRESENT = "include-if-present"
    REPORT = "report"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImplicitImport:
    """A module that native code imports, with the verdict, its reason and all evidence."""

    module: str
    verdict: Verdict
    reason: str
    evidence: tuple[Evidence, ...]


def included(module: str, reason: str, *evidence: Evidence) -> ImplicitImport:
    """An implicit import that is added in any case."""
    return ImplicitImport(module=module, verdict=Verdict.INCLUDE, reason=reason, evidence=evidence)


class CompanionKind(Enum):
    """What a companion file is to the package that it belongs to."""

    LIBRARY = "library"
    EXECUTABLE = "executable"
    DATA = "data"
    METADATA = "metadata"
    FOLDER = "folder"  # the destination's folder has to exist; the file itself need not be there


@dataclass(frozen=True, slots=True, kw_only=True)
class Companion:
    """A file that must be at `destination` in the bundle for the package to work."""

    path: Path
    destination: PurePosixPath
    kind: CompanionKind
    reason: str

    @property
    def renamed(self) -> bool:
        """Whether the bundle has it by another name: one that its Python looks for."""
        return self.path.name != self.destination.name

    def document(self) -> dict[str, str]:
        """What documents say of it: `file` is its place in the bundle."""
        return {"file": str(self.destination), "kind": self.kind.value, "reason": self.reason}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionPlan:
    """All that a freezer must add for one native file."""

    file: NativeFile
    path: Path
    imports: tuple[ImplicitImport, ...]
    libraries: LibraryGraph
    companions: tuple[Companion, ...] = ()
    warnings: tuple[str, ...] = ()

    def modules(self, verdict: Verdict) -> tuple[ImplicitImport, ...]:
        """The implicit imports with this verdict."""
        return tuple(i for i in self.imports if i.verdict is verdict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedExtension:
    """A native file that rustext looked after; `module` is None if nothing imports it."""

    file: PurePosixPath
    module: str | None
    distribution: str | None
    version: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfollowed:
    """A function of a distribution that imports a name which no source tells."""

    module: str
    function: str  # "" for the top of the module
    distribution: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildPlan:
    """What was added to one program, what was not, and why.

    `modules` were added; `left_out` are the modules that native code may import and that were not
    (`include-if-present` where the program does without the package, and `report`). The paths of
    companions are those in the bundle.
    """

    freezer: str | None  # its name and version; None for a plan that no freezer asked for
    python: str
    extensions: tuple[PlannedExtension, ...]
    modules: tuple[ImplicitImport, ...]
    left_out: tuple[ImplicitImport, ...]
    companions: tuple[Companion, ...]
    warnings: tuple[str, ...]
    unfollowed: tuple[Unfollowed, ...] = ()

    def iter_modules(self) -> Iterator[tuple[str, bool]]:
        """All modules that the program has to hold, and whether that is sure."""
        for extension in self.extensions:
            if extension.module is not None:
                yield extension.module, True
        for implicit in self.modules:
            yield implicit.module, is_sure(implicit)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordEffect:
    """What a record adds to a plan, and what is in the plan without a run having used it."""

    modules: tuple[str, ...]
    files: tuple[PurePosixPath, ...]
    size: int  # bytes of these, of modules as they are installed
    unused_modules: tuple[str, ...]
    unused_files: tuple[PurePosixPath, ...]
    unused_size: int


SEEN = frozenset({EvidenceKind.TRACED, EvidenceKind.PROBED})
SURE = SEEN | {EvidenceKind.PYTHON_CALL, EvidenceKind.IMPORT_CALL, EvidenceKind.CRATE_RULE}
_SAID = frozenset({EvidenceKind.CONFIGURED, EvidenceKind.PLUGIN})  # not out of the binary


def is_sure(implicit: ImplicitImport) -> bool:
    """Whether more than a string speaks for the import."""
    return any(e.kind in SURE | _SAID for e in implicit.evidence)
