"""The standard library of the bundle's Python, by that of the Python at hand.

In: the modules of one version's standard library, and the version that is meant. Out: whether a
name is in the standard library of the version that is meant: the releases between the two have
added modules and taken some away, which is data, in `data/stdlib.toml`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import cache

from packaging.version import Version

from rustext.data import read_data
from rustext.environment.environment import Environment


def in_stdlib(name: str, stdlib: Environment, meant: tuple[int, int] | None) -> bool:
    """Whether `import name` finds the standard library's module in Python `meant`.

    `stdlib` is an environment without anything else. Without a version that is meant, its own
    counts; so it does for releases newer than the data.
    """
    changes = _changes(name)
    found = stdlib.find_module(name) is not None
    if meant is None or meant == stdlib.interpreter.version or not changes:
        return found
    if not found and all(name != changed for _, _, changed in changes):
        return False  # a name below a package that has come or gone, which is in no list
    there = not changes[0][1]
    for version, added, _ in changes:
        there = added if version <= meant else there
    return there


def stdlib_packages() -> frozenset[str]:
    """The top-level names of the standard library, in this Python or any other that is listed.

    Few of the strings in a file begin with one: a question that is asked before all others.
    """
    return sys.stdlib_module_names | {name.partition(".")[0] for name in _history()}


def _changes(name: str) -> list[tuple[tuple[int, int], bool, str]]:
    """When a module or its package came (True) or went (False), the oldest first."""
    history = _history()
    found = []
    while name:
        found += [(*change, name) for change in history.get(name, ())]
        name = name.rpartition(".")[0]
    return sorted(found, key=lambda change: (change[0], not change[1]))


@cache
def _history() -> Mapping[str, Sequence[tuple[tuple[int, int], bool]]]:
    """The changes of each module that the data lists: asked for with every string of a file."""
    history: dict[str, list[tuple[tuple[int, int], bool]]] = {}
    for row in read_data("stdlib")["release"]:
        major, minor = Version(row["version"]).release
        for there in (True, False):
            for name in row["added" if there else "removed"]:
                history.setdefault(name, []).append(((major, minor), there))
    return history
