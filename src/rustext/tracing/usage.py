"""What a run used of each distribution: modules, files, metadata, libraries and programs.

In: TOML tables of a record, or several records. Out: `Usage` of each distribution, and their text.
All names are relative to a distribution; who asked is a module's name. No machine, user, or file
that belongs to neither a distribution nor the program is named.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from rustext.formats.toml import format_toml_string

# Names of what is no distribution; no distribution can be called like this.
PROGRAM = "(program)"  # the folder that the program's own modules are imported from
PYTHON = "(python)"  # the standard library
SYSTEM = "(system)"  # what the operating system provides
ALL = "(all)"  # each installed distribution, asked one by one

MAIN = "__main__"  # the program's first file, as one that asks
UNKNOWN_ASKER = ""  # native code, or the interpreter
_WIDTH = 100  # columns of a line of the file


class UseKind(Enum):
    """How something was used; the values are the keys of the file."""

    STATEMENT = "imported"  # by an import statement, which freezers can read
    IMPORT_MODULE = "import-module"  # by `importlib.import_module` or a call of `__import__`
    ENTRY_POINT = "entry-points"  # by `importlib.metadata.EntryPoint.load`
    EXECUTED = "executed"  # by a statement in code that is in no file
    FIND_SPEC = "looked-for"  # by `find_spec`, whether or not it was imported then
    FILE = "files"
    FOLDER = "folders"  # listed
    SOURCE = "sources"  # Python files that were read as text
    METADATA = "metadata"
    LIBRARY = "libraries"
    PROGRAM = "programs"
    LOCALS = "locals"  # modules whose functions' local variables other code looked at
    BYTECODE = "bytecode"  # modules whose functions' bytecode other code read


# Imports that no freezer can read off the source.
LATE = frozenset({UseKind.IMPORT_MODULE, UseKind.ENTRY_POINT, UseKind.EXECUTED})
# What compiled functions do not have.
INTERPRETED = frozenset({UseKind.LOCALS, UseKind.BYTECODE})
MODULES = LATE | {UseKind.STATEMENT, UseKind.FIND_SPEC}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Use:
    """One thing that was used, and the modules that asked for it.

    `name` is a module, a path relative to the folder that the distribution is imported from, or the
    name of a file of the metadata. The importers of import statements are not recorded.
    """

    name: str
    askers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What was used of one distribution; uses are sorted by name."""

    distribution: str
    versions: tuple[str, ...] = ()
    uses: Mapping[UseKind, tuple[Use, ...]]

    def of(self, kind: UseKind) -> tuple[Use, ...]:
        """The uses of one kind."""
        return self.uses.get(kind, ())


def merge_usages(usages: Iterable[Usage]) -> tuple[Usage, ...]:
    """All that any of these hold, sorted by distribution."""
    versions: dict[str, set[str]] = {}
    found: dict[str, dict[UseKind, dict[str, set[str]]]] = {}
    for usage in usages:
        versions.setdefault(usage.distribution, set()).update(usage.versions)
        kinds = found.setdefault(usage.distribution, {})
        for kind, uses in usage.uses.items():
            for use in uses:
                kinds.setdefault(kind, {}).setdefault(use.name, set()).update(use.askers)
    return tuple(
        Usage(
            distribution=name,
            versions=tuple(sorted(versions[name])),
            uses={
                kind: tuple(
                    Use(name=n, askers=tuple(sorted(a))) for n, a in sorted(kinds[kind].items())
                )
                for kind in UseKind
                if kind in kinds
            },
        )
        for name, kinds in sorted(found.items())
    )


# --- the file ---------------------------------------------------------------------------------


def format_usage(usage: Usage) -> str:
    """One `[[distribution]]` of a record's file."""
    lines = ["", "[[distribution]]", f"name = {format_toml_string(usage.distribution)}"]
    if len(usage.versions) == 1:
        lines.append(f"version = {format_toml_string(usage.versions[0])}")
    elif usage.versions:
        lines.append(f"version = {_array(usage.versions)}")
    for kind in UseKind:
        uses = usage.of(kind)
        if uses:
            lines += ["", f"[distribution.{kind.value}]"]
            rows = _by_package(uses) if kind is UseKind.STATEMENT else _by_name(uses)
            lines += [_line(name, values) for name, values in rows]
    return "\n".join(lines) + "\n"


def _by_name(uses: Iterable[Use]) -> Iterator[tuple[str, tuple[str, ...]]]:
    return ((use.name, use.askers) for use in uses)


def _by_package(uses: Iterable[Use]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Modules by the package that they are in; "" holds top-level ones."""
    found: dict[str, list[str]] = {}
    for use in uses:
        package, _, last = use.name.rpartition(".")
        found.setdefault(package, []).append(last)
    return ((package, tuple(sorted(lasts))) for package, lasts in sorted(found.items()))


def _line(name: str, values: tuple[str, ...]) -> str:
    line = f"{format_toml_string(name)} = {_array(values)}"
    if len(line) <= _WIDTH:
        return line
    rows = textwrap.wrap(
        ", ".join(map(format_toml_string, values)),
        _WIDTH - 4,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join((f"{format_toml_string(name)} = [", *(f"    {row}" for row in rows), "]"))


def _array(values: Iterable[str]) -> str:
    return f"[{', '.join(map(format_toml_string, values))}]"


def parse_usage(table: Mapping[str, Any]) -> Usage:
    """Read one `[[distribution]]`; raises `KeyError`, `TypeError` or `ValueError` if it is none."""
    known = {"name", "version", *(kind.value for kind in UseKind)}
    unknown = sorted(set(table) - known)
    if unknown:
        raise ValueError(f"`{unknown[0]}` is no key of a distribution")
    version = table.get("version", [])
    uses: dict[UseKind, tuple[Use, ...]] = {}
    for kind in UseKind:
        rows = table.get(kind.value, {})
        if not isinstance(rows, dict):
            raise TypeError(f"`{kind.value}` is a table")
        if kind is UseKind.STATEMENT:
            found = [
                Use(name=f"{package}.{last}" if package else last)
                for package, lasts in rows.items()
                for last in _strings(lasts)
            ]
        else:
            found = [Use(name=name, askers=_strings(askers)) for name, askers in rows.items()]
        if found:
            uses[kind] = tuple(sorted(found))
    name = table["name"]
    if not isinstance(name, str):
        raise TypeError("`name` is a string")
    return Usage(
        distribution=name,
        versions=(version,) if isinstance(version, str) else _strings(version),
        uses=uses,
    )


def _strings(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError("a row is a list of strings")
    return tuple(value)
