"""What repairs are worked out from: a judged bundle, its findings, and its environment.

In: a `Subject`, the findings that are to be repaired, and an `Origin` where there is one. Out: a
`Case`, which each module of repairs reads; `Proposal` is what they answer with.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rustext.model.findings import Finding, Severity
from rustext.model.image import Image
from rustext.model.repair import Repair, Unrepaired
from rustext.repair.origin import Origin
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.subject import Subject

NO_ENVIRONMENT = "name the Python that the bundle was made with: `--environment PYTHON`"
Proposal = Repair | Unrepaired


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One judged bundle; `findings` are those that repairs are wanted for.

    `edited` are the places of files whose load commands an earlier round has changed.
    """

    subject: Subject
    findings: tuple[Finding, ...]
    origin: Origin | None
    edited: frozenset[PurePosixPath] = frozenset()

    @property
    def bundle(self) -> Bundle:
        """The bundle."""
        return self.subject.bundle

    def of(self, *ids: str, notes: bool = False) -> Iterator[Finding]:
        """The findings with these ids; notes on request."""
        for finding in self.findings:
            if finding.id in ids and (notes or finding.severity is not Severity.NOTE):
                yield finding

    def place(self, path: Path) -> PurePosixPath:
        """A file's place, relative to the bundle; links are not followed."""
        inside = Path(os.path.normpath(path.relative_to(self.bundle.root)))
        return PurePosixPath(inside.as_posix())

    def holds(self, path: Path) -> bool:
        """Whether a path, links aside, lies below the bundle."""
        normal = os.path.normpath(path)
        return normal.startswith(f"{self.bundle.root}{os.sep}")

    def image_of(self, path: Path) -> Image | None:
        """What a native file of the bundle says of itself, by whatever path a loader got to it."""
        real = path.resolve()
        files = (f.binary.image for p, f in self.bundle.files if p.resolve() == real)
        return next(files, None)

    def behind(self, path: Path) -> Path:
        """Where links lead that a freezer made to a library, which is gone; else the path."""
        root = self.bundle.root
        real = Path(os.path.realpath(path))
        if real.name != path.name or not real.is_relative_to(root.resolve()) or is_taken(real):
            return path
        return root / real.relative_to(root.resolve()) if real.parent.is_dir() else path

    def in_contents(self, place: PurePosixPath) -> PurePosixPath:
        """A place below the folder that serves as `site-packages`, relative to the bundle."""
        inside = self.bundle.contents.relative_to(self.bundle.root)
        return PurePosixPath(inside.as_posix()) / place


def is_taken(path: Path) -> bool:
    """Whether something there is not to be replaced: a file, or a folder with files in it."""
    return path.is_file() or (path.is_dir() and any(path.iterdir()))


Proposer = Callable[[Case], Iterator[Proposal]]
