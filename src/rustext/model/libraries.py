"""Records of library resolution: each edge is found, with the rule that found it, or missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from rustext.model.image import NeedKind

# --- libraries --------------------------------------------------------------------------------


class FoundBy(Enum):
    """Which of the loader's rules found a library."""

    RPATH = "rpath"
    RUNPATH = "runpath"
    ENV = "LD_LIBRARY_PATH"
    CACHE = "ld.so.cache"
    DEFAULT = "default directory"
    PATH = "path"  # the name holds a slash, or is an absolute install name
    LOADED = "already loaded"  # a soname that is in the process by then
    SELF = "itself"  # a Mach-O file that names itself
    SYSTEM = "system"  # the dyld shared cache, a system DLL
    BESIDE = "application folder"  # PE


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A library that the loader would find; `path` is None only for `FoundBy.SYSTEM`."""

    soname: str
    path: Path | None
    how: FoundBy
    needed_by: Path
    kind: NeedKind = NeedKind.NORMAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """One place where the loader looked: the rule that sent it there, and the file it tried."""

    how: FoundBy
    path: str
    rejected: str | None = None  # why a file that exists was not taken: "wrong architecture: i686"


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A library that the loader would not find, and every place it would look at, in its order."""

    soname: str
    searched: tuple[Searched, ...]
    needed_by: Path
    kind: NeedKind = NeedKind.NORMAL

    @property
    def path(self) -> None:
        """None: there is no such file, or none that the loader takes."""

    @property
    def refused(self) -> tuple[Path, ...]:
        """The files that the loader would come across and not take."""
        return tuple(Path(p.path) for p in self.searched if p.rejected is not None)


Edge = Resolved | Missing


def iter_reached(edge: Edge) -> Iterator[Path]:
    """The files that the loader gets to: the one that it takes, or those that it refuses."""
    if isinstance(edge, Missing):
        yield from edge.refused
    elif edge.path is not None:
        yield edge.path


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryGraph:
    """The closure of one file's libraries, in the order in which the loader meets them."""

    root: Path
    edges: tuple[Edge, ...]

    @property
    def missing(self) -> tuple[Missing, ...]:
        """The edges that the loader would fail on; weak ones are not among them."""
        return tuple(
            e for e in self.edges if isinstance(e, Missing) and e.kind is not NeedKind.WEAK
        )
