"""A file that could not be read, and what that costs: a value, so that all else goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

NoteFault = Callable[[Path, str, str], None]  # path, reason, effect


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One file or folder with the reason, and what is left out because of it."""

    path: Path
    reason: str
    effect: str

    def __str__(self) -> str:
        """One line for people; bytes of a name that are not UTF-8 are escaped."""
        path = str(self.path).encode("utf-8", "backslashreplace").decode()
        return f"cannot read `{path}`: {self.reason}; {self.effect}"
