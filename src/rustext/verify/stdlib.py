"""The standard library of the bundle's Python, by that of the Python at hand.

In: the modules of one version's standard library, and the version that is meant. Out: whether a
name is in the standard library of the version that is meant: the releases between the two have
added modules and taken some away, which is data, in `data/stdlib.toml`.
"""

from __future__ import annotations

from packaging.version import Version

from rustext.environment import Environment
from rustext.knowledge import read_data


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
        return False  # a name below a package that has come or gone, which nobody has listed
    there = not changes[0][1]
    for version, added, _ in changes:
        there = added if version <= meant else there
    return there


def _changes(name: str) -> list[tuple[tuple[int, int], bool, str]]:
    """When a module or its package came (True) or went (False), the oldest first."""
    parts = name.split(".")
    names = {".".join(parts[:count]) for count in range(1, len(parts) + 1)}
    found = []
    for row in read_data("stdlib")["release"]:
        major, minor = Version(row["version"]).release
        for there in (True, False):
            listed = row["added" if there else "removed"]
            found += [((major, minor), there, changed) for changed in listed if changed in names]
    return found
