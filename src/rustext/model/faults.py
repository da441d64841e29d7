"""A file that could not be read, and what that costs: a value, so that all else goes on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

NoteFault = Callable[[Path, str, str], None]  # path, reason, effect


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One file or folder with the reason, and what is left out because of it."""

    path: Path
    reason: str  # what belongs to this file alone follows a colon or a parenthesis
    effect: str
    more: int = 0  # other files of the same distribution with the same reason

    def __str__(self) -> str:
        """One line for people; line breaks in names, and bytes that are not UTF-8, are escaped."""
        more = f" (and of {self.more} more files of this distribution)" if self.more else ""
        line = f"cannot read `{self.path}`: {self.reason}; {self.effect}{more}"
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


def collapse(faults: Iterable[Fault], owner_of: Callable[[Path], object]) -> tuple[Fault, ...]:
    """Each fault once, by path; of many files of one distribution, the first with the count.

    Of the effects that one reason has, the first is said.
    """
    groups: dict[object, list[Fault]] = {}
    known: dict[object, Fault] = {}
    for fault in faults:
        known.setdefault((fault.path, fault.reason), fault)
    for fault in sorted(known.values(), key=lambda fault: str(fault.path)):
        owner = owner_of(fault.path)
        kind = (id(owner), re.split(r"[:(]", fault.reason)[0], fault.effect)
        groups.setdefault(fault if owner is None else kind, []).append(fault)
    return tuple(replace(first, more=len(rest)) for first, *rest in groups.values())
