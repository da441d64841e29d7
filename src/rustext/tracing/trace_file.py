"""Records of what a program used while it ran: their content, format and merging.

In: a file that was written before, or several records. Out: a `Trace`; new ones come from
`rustext.tracing.recording`. The file is TOML, sorted, and names nothing of the machine or the run,
so that it can be committed and compared: the same run gives the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from rustext.errors import InvalidToml, InvalidTrace, UnreadableFile
from rustext.files.output import LIMIT, check_output, write_output
from rustext.files.untrusted import read_bytes
from rustext.formats.toml import format_toml_string, parse_toml
from rustext.tracing.usage import (
    MODULES,
    PROGRAM,
    PYTHON,
    SYSTEM,
    Usage,
    format_usage,
    merge_usages,
    parse_usage,
)

_WHAT = "a record of `rustext trace`"
DEFAULT_FILE = Path("rustext-trace.toml")
VERSION = 2
_READABLE = (1, VERSION)  # the first held importers alone
_KEYS = frozenset({"version", "python", "platforms", "run", "program", "importer", "distribution"})
_DIGEST = re.compile(r"[0-9a-f]{16,64}")  # see `rustext.tracing.freshness`
_NO_MODULE = re.compile(r"[\s/\\\0]")
UNKNOWN = ""  # the importing file could not be found out
_HEADER = """\
# What this program was seen to use, by `rustext trace`. Keep it with the project, and name it in
# pyproject.toml: [tool.rustext] trace = "…"
"""


class Language(Enum):
    """What an importing file was made from, as far as can be known."""

    RUST = "rust"
    OTHER = "other"  # C, Cython, mypyc, …
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Importer:
    """One native file and what it imported; `name` is its module, or its path in its folder."""

    name: str
    language: Language
    imports: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """All that was seen; importers and usages are sorted by name.

    `pythons` and `platforms` say where: "3.12", "linux-x86_64". `runs` say what was run: the name
    of a script, or "-m" and a module. `programs` are digests of the program's own files.
    """

    importers: tuple[Importer, ...] = ()
    usages: tuple[Usage, ...] = ()
    pythons: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()

    def without_other_languages(self) -> Trace:
        """What Rust code, and code of which nothing is known, has imported."""
        kept = (i for i in self.importers if i.language is not Language.OTHER)
        return replace(self, importers=tuple(kept))

    @property
    def tells_of_program(self) -> bool:
        """Whether anything but the interpreter was seen to be used."""
        own = {PYTHON, SYSTEM}
        return bool(self.importers) or any(u.distribution not in own for u in self.usages)

    @property
    def of_program(self) -> bool:
        """Whether the program itself was run, and nothing that has it under test."""
        own = {
            use.name.partition(".")[0]
            for usage in self.usages
            if usage.distribution == PROGRAM
            for kind in MODULES
            for use in usage.of(kind)
        }
        return bool(self.runs) and all(
            run.removeprefix("-m ").partition(".")[0] in own
            if run.startswith("-m ")
            else run.endswith(".py")
            for run in self.runs
        )

    def imports_of(self, name: str) -> tuple[str, ...]:
        """What one native file, by its name in the record, was seen to import."""
        return next((i.imports for i in self.importers if i.name == name), ())


def merge(traces: Iterable[Trace]) -> Trace:
    """All that any of the records saw."""
    traces = tuple(traces)
    languages: dict[str, Language] = {}
    imports: dict[str, set[str]] = {}
    for trace in traces:
        for importer in trace.importers:
            imports.setdefault(importer.name, set()).update(importer.imports)
            if languages.get(importer.name, Language.UNKNOWN) is Language.UNKNOWN:
                languages[importer.name] = importer.language
    return Trace(
        importers=tuple(
            Importer(name=n, language=languages[n], imports=tuple(sorted(imports[n])))
            for n in sorted(imports)
        ),
        usages=merge_usages(usage for trace in traces for usage in trace.usages),
        pythons=tuple(sorted({p for trace in traces for p in trace.pythons}, key=_as_numbers)),
        platforms=tuple(sorted({p for trace in traces for p in trace.platforms})),
        runs=tuple(sorted({r for trace in traces for r in trace.runs})),
        programs=tuple(sorted({p for trace in traces for p in trace.programs})),
    )


def _as_numbers(version: str) -> tuple[tuple[bool, int, str], ...]:
    """A key that sorts 3.9 before 3.10, whatever else a record has for a version."""
    return tuple((not p.isdecimal(), len(p), p) for p in version.split("."))


def format_trace(trace: Trace) -> str:
    """The text of a record's file."""
    parts = [_HEADER, f"version = {VERSION}\n"]
    for key, values in (
        ("python", trace.pythons),
        ("platforms", trace.platforms),
        ("run", trace.runs),
        ("program", trace.programs),
    ):
        strings = ", ".join(map(format_toml_string, values))
        parts += [f"{key} = [{strings}]\n"] if values else []
    for importer in trace.importers:
        lines = ["", "[[importer]]"]
        lines.append(f"name = {format_toml_string(importer.name)}")
        lines.append(f"language = {format_toml_string(importer.language.value)}")
        lines += ["imports = [", *(f"    {format_toml_string(m)}," for m in importer.imports), "]"]
        parts.append("\n".join(lines) + "\n")
    parts += map(format_usage, trace.usages)
    return "".join(parts)


def parse_trace(text: str, where: str) -> Trace:
    """Read a record's text; `where` names it in messages.

    Raises `InvalidTrace` if it is none.
    """
    try:
        table = parse_toml(text.encode(), where)
    except InvalidToml as error:
        raise InvalidTrace(str(error)) from error
    version = table.get("version")
    if type(version) is not int or version not in _READABLE:  # `true` is 1 to Python
        raise InvalidTrace(
            f"{where} is no record of version {VERSION}", hint="make it anew with `rustext trace`"
        )
    try:
        return merge([_parse(table)])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InvalidTrace(f"{where} holds a row that no record has: {error}") from error


def _parse(table: Mapping[str, Any]) -> Trace:
    unknown = sorted(set(table) - _KEYS)
    if unknown:
        raise ValueError(f"`{unknown[0]}` is no key of a record")
    programs = _strings(table, "program")
    for digest in programs:
        if not _DIGEST.fullmatch(digest):
            raise ValueError(f"`program` holds {digest!r}, which is no digest")
    return Trace(
        importers=tuple(map(_parse_importer, table.get("importer", []))),
        usages=tuple(map(parse_usage, table.get("distribution", []))),
        pythons=_strings(table, "python"),
        platforms=_strings(table, "platforms"),
        runs=_strings(table, "run"),
        programs=programs,
    )


def _parse_importer(table: Mapping[str, Any]) -> Importer:
    name, imports = table["name"], _strings(table, "imports")
    if not isinstance(name, str):
        raise TypeError("`name` is no string")
    for module in imports:
        if not all(module.split(".")) or _NO_MODULE.search(module):
            raise ValueError(f"`imports` holds {module!r}, which is no module")
    return Importer(name=name, language=Language(table["language"]), imports=imports)


def _strings(table: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError(f"`{key}` is no list of strings")
    return tuple(value)


def read_trace(file: Path) -> Trace:
    """Read a record's file.

    Raises `UnreadableFile` or `InvalidTrace`.
    """
    try:
        text = read_bytes(file, LIMIT).decode("utf-8")
    except UnreadableFile as error:
        raise UnreadableFile(f"{file} cannot be read: {error}") from error
    except UnicodeDecodeError as error:
        raise InvalidTrace(f"{file} is not text in UTF-8") from error
    return parse_trace(text, str(file))


def check_record_path(file: Path) -> None:
    """Raise `UnwritableFile` where `write_trace` would: for the time before a long run."""
    check_output(file, _is_record, what=_WHAT)


def write_trace(trace: Trace, file: Path) -> None:
    """Write a record's file, whole or not at all; an earlier record is replaced, and nothing else.

    Raises `UnwritableFile`, also for a record that is not as it was written: somebody edited it.
    """
    write_output(file, format_trace(trace), _is_record, what=_WHAT)


def _is_record(data: bytes) -> bool:
    try:
        text = data.decode("utf-8").replace("\r\n", "\n")
        return text == format_trace(parse_trace(text, ""))
    except (InvalidTrace, UnicodeDecodeError):
        return False
