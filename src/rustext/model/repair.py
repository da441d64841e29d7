"""Records of a repair: what is changed in a bundle, for which finding, and what could not be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rustext.model.findings import Finding
from rustext.model.verification import VerifyReport


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyFile:
    """Put a copy of `source` there, in the place of what has the name now."""

    source: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeLink:
    """Put a relative symbolic link there; `target` is relative to the link's folder."""

    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeFolder:
    """Make a folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveFile:
    """Delete a file or link."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMode:
    """Change the permissions."""

    mode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRunPath:
    """Give an ELF file other entries in the search path that counts for it."""

    entries: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EditLoadCommands:
    """Change the names of needed libraries of a Mach-O file, and drop run paths; then sign it.

    What has a certificate's signature is not signed: an ad-hoc one is no substitute.
    """

    names: tuple[tuple[str, str], ...] = ()
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AddMember:
    """Add the source of a module to a zip file on `sys.path`."""

    source: Path
    member: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SealApplication:
    """List the files of an application for macOS anew, and sign the list, ad hoc."""


Change = (
    CopyFile
    | MakeLink
    | MakeFolder
    | RemoveFile
    | SetMode
    | SetRunPath
    | EditLoadCommands
    | AddMember
    | SealApplication
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """One change to one file of a bundle; `place` is relative to the bundle."""

    finding: Finding
    place: PurePosixPath
    change: Change
    what: str  # in words: "copied from numpy.libs/libx.so of the environment"
    evidence: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrepaired:
    """A finding that could be repaired with what is not at hand, and what that is."""

    finding: Finding
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ByteEdit:
    """Bytes of a file, from `offset` on, in the place of as many others."""

    offset: int
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedFile:
    """A file that differs after a repair; a digest is SHA-256, or a link's target."""

    place: str
    before: str | None  # None where there was none
    after: str | None
    edits: tuple[ByteEdit, ...] = ()  # the whole difference, where it is a few bytes of a file


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairReport:
    """What was repaired, and what verification says of the bundle before and after it."""

    bundle: Path
    written: Path | None  # None where nothing was
    repairs: tuple[Repair, ...]
    unrepaired: tuple[Unrepaired, ...]
    files: tuple[ChangedFile, ...]
    before: VerifyReport
    after: VerifyReport
    lowered: tuple[tuple[str, int], ...] = ()  # files that lost setuid or setgid, and their modes
    advice: str | None = None  # what is to be done with the result of a one-file program
