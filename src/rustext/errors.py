"""Why a question could not be answered.

Every error that a user can cause, or that a damaged file can cause, is a `RustextError`; the
command line prints it as one line and exits with 2. Anything else that escapes is a defect.
"""

from __future__ import annotations

import contextlib
from pathlib import Path


class RustextError(Exception):
    """Base of all errors that rustext raises on purpose.

    `hint` says what to do next; it is printed on a line of its own.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    @property
    def line(self) -> str:
        """The message and the hint in one line, for a freezer's log."""
        return f"{self}; {self.hint}" if self.hint else str(self)


class InvalidBinary(RustextError):
    """The bytes are not a well-formed ELF, Mach-O or PE file."""


class UnknownFormat(InvalidBinary):
    """The file starts with none of the magic numbers of ELF, Mach-O and PE."""


class TruncatedBinary(InvalidBinary):
    """A header points past the end of the file."""


class UnmappedBinary(TruncatedBinary):
    """A file that lacks what the loader reads in memory, which ends the process with a signal."""


class TooComplex(InvalidBinary):
    """To read the file would take more work than any real one does."""


class UnreadableFile(RustextError):
    """The file is missing, is not a regular file, or may not be read."""


class UnwritableFile(RustextError):
    """A result cannot be put where it was asked for, or would replace somebody else's file."""


class InvalidToml(RustextError):
    """The bytes are not TOML, or more of it than can be parsed in bounded time."""


class InvalidWheel(RustextError):
    """The archive is no wheel, or one that must not be unpacked."""


class InvalidEnvironment(RustextError):
    """The interpreter or site-packages folder cannot be used as an environment."""


class InvalidBundle(RustextError):
    """The folder or file holds no frozen program that can be judged."""


class NotABundle(InvalidBundle):
    """There is nothing to judge: a file or folder of another kind, as lies next to bundles."""


class DamagedBundle(InvalidBundle):
    """A one-file program of which a part is missing or cannot be read."""


class InvalidConfiguration(RustextError):
    """A command line option or `[tool.rustext]` holds a value that means nothing."""


class InvalidTrace(RustextError):
    """The file is no record that `rustext trace` has written."""


class InvalidProgram(RustextError):
    """The file is no Python source that could be followed."""


class InvalidPlan(RustextError):
    """The file is no plan that rustext has left behind."""


class ForeignProcessError(RustextError):
    """A child process ran into its time limit, crashed, or answered nonsense."""


def shown_path(path: Path) -> Path:
    """How a message names a file: relative to the current folder where the file is in there."""
    with contextlib.suppress(OSError, ValueError):  # ValueError: it is elsewhere
        shown = path.relative_to(Path.cwd())
        return shown if shown.parts else path
    return path
