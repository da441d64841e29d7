"""Which calls open the libraries and data files of a bundle, and what such files are called.

The calls are data (`calls` in `data/bindings.toml`, `file_calls` in `companions.toml`).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass

from rustext.data import read_data

LIBRARY_NAMES = {  # by `sys.platform`
    "linux": re.compile(r"[\w.+-]*\w\.so(?:\.\d+)*"),
    "darwin": re.compile(r"[\w.+-]*\w(?:\.dylib|\.so)"),
    "win32": re.compile(r"[\w.+-]*\w\.dll", re.IGNORECASE),
}
# A file of data: code and libraries are looked for elsewhere, and `Story.FitResult` is a class.
DATA_NAME = re.compile(
    r"[\w.+-]*\w\.(?!(?:py\w?|so|dll|dylib|exe)$|[A-Z][a-z]+[A-Z])[A-Za-z]\w{0,9}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """The calls that open a kind of files, these files' names by platform, and how it fails."""

    calls: frozenset[str]
    names: Mapping[str, re.Pattern[str]]
    error: type[OSError] = OSError
    by_name: frozenset[str] = frozenset()  # of the calls: those that look in a folder of their own


@functools.cache
def libraries() -> Sought:
    """The libraries that code opens."""
    calls = frozenset(call for row in read_data("bindings")["opener"] for call in row["calls"])
    return Sought(calls=calls, names=LIBRARY_NAMES)


@functools.cache
def data_files() -> Sought:
    """The files of data that code reads."""
    known = read_data("companions")
    by_name = frozenset(known["template_calls"])
    return Sought(
        calls=by_name.union(known["file_calls"]),
        names=dict.fromkeys(LIBRARY_NAMES, DATA_NAME),
        error=FileNotFoundError,
        by_name=by_name,
    )


def for_machine(names: tuple[str, ...], machine: str) -> tuple[str, ...]:
    """Those of alternative names that code asks for on a machine, as `uname -m` calls it.

    Where a name tells of another machine, the code chooses by it: then a name that tells of none is
    not the one for this machine.
    """
    words = _machine_words()
    own = words.get(machine)
    if own is None or not any(word.search(name) for name in names for word in words.values()):
        return names
    return tuple(name for name in names if own.search(name))


@functools.cache
def _machine_words() -> Mapping[str, re.Pattern[str]]:
    return {
        machine: re.compile(rf"(?<![a-z0-9])(?:{'|'.join(words)})(?![a-z0-9])", re.IGNORECASE)
        for machine, words in read_data("bindings")["machines"].items()
    }
