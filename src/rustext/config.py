"""`[tool.rustext]` of a project's `pyproject.toml`.

In: the folder of the program that is frozen. Out: a `Config`. The nearest `pyproject.toml` at or
above the folder counts, as with other tools of the field.
"""

from __future__ import annotations

import difflib
import logging
import os
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from rustext.errors import (
    InvalidConfiguration,
    InvalidToml,
    InvalidTrace,
    UnreadableFile,
    shown_path,
)
from rustext.files.untrusted import is_strangers, is_withheld
from rustext.formats.toml import read_toml
from rustext.model.crate_rule import CrateRule
from rustext.report.rules import RULES
from rustext.tracing.freshness import is_of_program_in
from rustext.tracing.trace_file import DEFAULT_FILE, Trace, merge, read_trace

_log = logging.getLogger(__name__)

_LONGEST = 60  # characters of a value in a message
_NOTHING = Path(os.devnull)  # --isolated; as a file it is empty everywhere
# The ratios of difflib from which a table's name, and that of the table around it, are misspelt.
_SURE, _ALIKE = 0.9, 0.75
_KEYS = (
    "allow-system", "crate-rules", "ignore", "include", "leave-plan", "optional",
    "per-path-ignores", "record", "scope", "selftest", "target", "trace",
)  # fmt: skip
_RULE_KEYS = ("crate", "imports", "strings", "versions", "when", "why")


class Optional(Enum):
    """What to do with a distribution that native code imports and that nothing requires."""

    INSTALLED = "installed"  # include it when it is installed and nothing else requires it
    PRESENT = "present"  # complete its modules when the program has it already
    NEVER = "never"  # report it


class Scope(Enum):
    """Which native files rustext looks after."""

    RUST = "rust"
    NATIVE = "native"  # those made from C, Cython, mypyc and so on as well


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Findings of one id ("*": of each), whose subject or files match a pattern as in a shell."""

    id: str
    pattern: str = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What a project wants to keep; the defaults suit most."""

    include: tuple[str, ...] = ()  # modules that native code imports, by the user's own knowledge
    optional: Optional = Optional.INSTALLED
    allow_system: tuple[str, ...] = ()  # sonames that the target machines provide
    scope: Scope = Scope.RUST
    trace: Trace = field(default_factory=Trace)  # what a run was seen to use
    trace_file: str = ""  # where that is from, relative to pyproject.toml
    record: str = ""  # the command that makes the record
    folder: Path | None = field(default=None, compare=False)  # of pyproject.toml
    selftest: bool = False  # build an entry into the program that `rustext verify` asks
    target: str = ""  # the platform tag of the machines that bundles are meant for
    leave_plan: bool = False  # leave what was added, and why, in the bundle
    ignore: tuple[Selector, ...] = ()  # findings of `rustext verify` that do not count
    crate_rules: tuple[CrateRule, ...] = ()  # what the project's own crates import


def find_config(start: Path, file: Path | None = None) -> Config:
    """Read `file`, or the nearest `pyproject.toml` at or above `start`; else the defaults."""
    file = file or find_project(start)
    return read_config(file) if file is not None and file != _NOTHING else Config()


def find_project(start: Path) -> Path | None:
    """The nearest `pyproject.toml` at or above `start`, whether it can be read or not.

    One above that belongs to a stranger (`/tmp/pyproject.toml`) is ignored, and named: neither
    to this user, nor to root, nor to the owner of `start`, which the user has chosen. So is one
    of another user that this one cannot read.
    """
    folder = start.resolve()
    files = (f / "pyproject.toml" for f in (folder, *folder.parents))
    found = next((f for f in files if os.path.lexists(f) and not os.path.isdir(f)), None)  # noqa: PTH112 (never raises)
    if found is None or found.parent == folder:
        return found
    if not is_strangers(found, folder) and not is_withheld(found):
        return found
    _log.warning("%s belongs to another user and is not read", found)
    return find_project(found.parent.parent) if found.parent != found.parent.parent else None


def parse_project(file: Path) -> Config:
    """Read one `pyproject.toml`, and no other file; raises `InvalidConfiguration`."""
    file = shown_path(file)
    try:
        table = read_toml(file)
    except InvalidToml as error:
        raise InvalidConfiguration(str(error)) from error
    except OSError as error:
        raise InvalidConfiguration(f"{file} cannot be read: {error.strerror}") from error
    tool = table.get("tool", {})
    if not isinstance(tool, dict):
        raise InvalidConfiguration(f"{file}: `tool` is not a table")
    _refuse_misspelt(table, tool, str(file))
    return parse_config(tool.get("rustext", {}), str(file))


def read_config(file: Path) -> Config:
    """Read one `pyproject.toml`, and the record that it names.

    Raises `InvalidConfiguration` if it is no TOML, or if `[tool.rustext]` holds what it must not,
    `UnreadableFile` or `InvalidTrace` if the record is none.
    """
    config = replace(parse_project(file), folder=file.parent)
    place = record_file(config)
    if not config.trace_file and not (config.record and place.exists()):
        return config  # a record that is to be made and that is not there: builds say so
    try:
        trace = _read_record(shown_path(place))
    except UnreadableFile as error:
        hint = "make it with `rustext record`" if config.record else "make it with `rustext trace`"
        raise UnreadableFile(str(error), hint=hint) from error
    return replace(config, trace=trace, trace_file=config.trace_file or str(DEFAULT_FILE))


def record_file(config: Config) -> Path:
    """Where the project's record is, or would be."""
    return (config.folder or Path()) / (config.trace_file or DEFAULT_FILE)


def record_warnings(config: Config, folder: Path) -> tuple[str, ...]:
    """What is to be said of a project's record: that it is missing, or of another program.

    `folder` is that of the program's first file.
    """
    if config.record and not config.trace_file:
        return ("there is no record of the program yet: make it with `rustext record`",)
    root = config.folder or folder
    if is_of_program_in(config.trace, (folder, root, root / "src")) is False:
        again = "`rustext record`" if config.record else "`rustext trace`"
        return (f"the program has changed since {config.trace_file} was recorded: {again}",)
    return ()


def with_traces(config: Config, files: Iterable[Path]) -> Config:
    """The same configuration with further records; raises `UnreadableFile` or `InvalidTrace`."""
    more = tuple(files)
    if not more:
        return config
    names = [name for name in (config.trace_file, *(file.name for file in more)) if name]
    trace = merge([config.trace, *map(_read_record, more)])
    return replace(config, trace=trace, trace_file=", ".join(names))


def _read_record(file: Path) -> Trace:
    try:
        return read_trace(file)
    except (RecursionError, ValueError) as error:
        raise InvalidTrace(f"{file} is not a record: {error}") from error


def _refuse_misspelt(table: dict[str, Any], tool: dict[str, Any], where: str) -> None:
    """Raise for a table that can only be meant as `[tool.rustext]`.

    Beside a `[tool.rustext]`, one with an option that rustext does not know is another tool's.
    """
    for path, value in _iter_tables(table):
        option = set(value) <= set(_KEYS) if isinstance(value, dict) else False
        if path != ("tool", "rustext") and _is_meant(path) and (option or "rustext" not in tool):
            name = ".".join(f'"{part}"' if "." in part else part for part in path)
            raise InvalidConfiguration(
                f"{where}: no tool reads [{_cut(name)}]", hint="did you mean [tool.rustext]?"
            )


def _iter_tables(table: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """What could be a tool's table, with its keys: those of a file, and those in them."""
    for name, value in table.items():
        yield (name,), value
        if isinstance(value, dict):
            yield from (((name, inner), content) for inner, content in value.items())


def _is_meant(path: tuple[str, ...]) -> bool:
    """Whether the keys of a table can only be meant as `tool.rustext`, or as `rustext` alone."""
    first, _, last = ".".join(path).rpartition(".")
    outer = not first or _likeness(first, "tool") >= _ALIKE
    return outer and _likeness(last, "rustext") >= _SURE


def _likeness(name: str, meant: str) -> float:
    """The ratio of difflib, without case and hyphens; letters may have changed their places."""
    letters = re.sub(r"[^a-z]", "", name[:_LONGEST].lower())
    if sorted(letters) == sorted(meant):
        return 1
    return difflib.SequenceMatcher(None, letters, meant).ratio()


def parse_config(table: Any, where: str) -> Config:
    """Check the table `[tool.rustext]`; `where` names it in messages. No other file is read."""
    if not isinstance(table, dict):
        raise InvalidConfiguration(f"{where}: `tool.rustext` is not a table")
    for key in sorted(set(table) - set(_KEYS)):
        raise InvalidConfiguration(
            f"{where}: [tool.rustext] has no option `{_cut(key)}`", hint=suggest(key, _KEYS)
        )
    return Config(
        include=_modules(table, "include", where),
        optional=_choice(table, "optional", Optional.INSTALLED, where),
        allow_system=_strings(table, "allow-system", where),
        scope=_choice(table, "scope", Scope.RUST, where),
        trace_file=_string(table, "trace", where),
        record=_command(table, "record", where),
        selftest=_flag(table, "selftest", where),
        leave_plan=_flag(table, "leave-plan", where),
        target=_string(table, "target", where),
        ignore=(
            *(parse_selector(text, where) for text in _strings(table, "ignore", where)),
            *_path_ignores(table, "per-path-ignores", where),
        ),
        crate_rules=tuple(_crate_rules(table, "crate-rules", where)),
    )


def parse_selector(text: str, where: str) -> Selector:
    """`ID` or `ID:PATTERN`; raises `InvalidConfiguration`, in which `where` names the place."""
    name, colon, pattern = text.partition(":")
    if name != "*" and name not in RULES:
        raise InvalidConfiguration(
            f"{where}: there is no finding `{_cut(name)}`", hint=suggest(name, RULES)
        )
    if (colon and not pattern) or name == text == "*":
        raise InvalidConfiguration(
            f"{where}: `{_cut(text)}` names no pattern", hint="write it as `ID:PATTERN`"
        )
    return Selector(id=name, pattern=pattern or "*")


def _path_ignores(table: dict[str, Any], key: str, where: str) -> Iterator[Selector]:
    paths = table.get(key, {})
    if not isinstance(paths, dict):
        raise InvalidConfiguration(f"{where}: `{key}` is {_shown(paths)}; it must be a table")
    for pattern in paths:
        for name in _strings(paths, pattern, where):
            yield parse_selector(f"{name}:{pattern}", where)


def _crate_rules(table: dict[str, Any], key: str, where: str) -> Iterator[CrateRule]:
    """The project's own rules; `crate` and `imports` are all that a rule needs."""
    rows = table.get(key, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InvalidConfiguration(
            f"{where}: `{key}` is {_shown(rows)}; it must be an array of tables",
            hint="write each rule as [[tool.rustext.crate-rules]]",
        )
    for row in rows:
        for name in sorted(set(row) - set(_RULE_KEYS)):
            raise InvalidConfiguration(
                f"{where}: a rule in `{key}` has no `{_cut(name)}`", hint=suggest(name, _RULE_KEYS)
            )
        rule = CrateRule(
            crate=_string(row, "crate", where),
            imports=_modules(row, "imports", where),
            versions=_string(row, "versions", where),
            strings=_strings(row, "strings", where),
            when=_string(row, "when", where),
            why=_string(row, "why", where) or "a rule of the project",
            source=where,
        )
        if not (rule.crate and rule.imports):
            raise InvalidConfiguration(f"{where}: a rule in `{key}` needs `crate` and `imports`")
        _check_versions(rule, where)
        yield rule


def _check_versions(rule: CrateRule, where: str) -> None:
    # Hooks read a configuration in each build, and few have such rules.
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415

    try:
        SpecifierSet(rule.versions)
        Requirement(rule.when or rule.crate)
    except (InvalidSpecifier, InvalidRequirement) as error:
        said = str(error).splitlines()[0]
        raise InvalidConfiguration(f"{where}: the rule about `{rule.crate}`: {said}") from error


_Choice = TypeVar("_Choice", bound=Enum)


def suggest(word: str, known: Iterable[str]) -> str:
    """A hint for a word that is not known: the closest one that is, or all."""
    names = {name.lower(): name for name in sorted(known)}
    close = difflib.get_close_matches(word[:_LONGEST].lower(), names, n=1)
    if close:
        return f"did you mean `{names[close[0]]}`?"
    return f"known are {', '.join(names.values())}"


def _choice(table: dict[str, Any], key: str, default: _Choice, where: str) -> _Choice:
    kind, value = type(default), table.get(key, default.value)
    values = [option.value for option in kind]
    if value not in values:
        quoted = ", ".join(f'"{one}"' for one in values)
        close = difflib.get_close_matches(value.lower(), values) if isinstance(value, str) else ()
        raise InvalidConfiguration(
            f"{where}: `{key}` is {_shown(value)}; it must be one of {quoted}",
            hint=f'did you mean "{close[0]}"?' if close else None,
        )
    return kind(value)


def _flag(table: dict[str, Any], key: str, where: str) -> bool:
    value = table.get(key, False)
    if not isinstance(value, bool):
        raise InvalidConfiguration(
            f"{where}: `{key}` is {_shown(value)}; it must be true or false, without quotes"
        )
    return value


def _string(table: dict[str, Any], key: str, where: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str) or "\0" in value:
        raise InvalidConfiguration(f"{where}: `{key}` is {_shown(value)}; it must be a string")
    return value


def _command(table: dict[str, Any], key: str, where: str) -> str:
    value = _string(table, key, where)
    try:
        words = shlex.split(value)
    except ValueError as error:  # such as a quotation mark without its other half
        raise InvalidConfiguration(
            f"{where}: `{key}` is {_shown(value)}, which is no command: {error}"
        ) from error
    if value and not words:
        raise InvalidConfiguration(f"{where}: `{key}` is {_shown(value)}, which names no command")
    return value


def _strings(table: dict[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidConfiguration(
            f"{where}: `{key}` is {_shown(value)}; it must be a list of strings"
        )
    return tuple(value)


def _modules(table: dict[str, Any], key: str, where: str) -> tuple[str, ...]:
    names = _strings(table, key, where)
    for name in names:
        if not all(part.isidentifier() for part in name.split(".")):
            raise InvalidConfiguration(
                f"{where}: `{key}` holds {_shown(name)}, which is not the name of a module",
                hint="a module is named as in an import statement: `package.module`",
            )
    return names


def _shown(value: object) -> str:
    """A value of the file in a message."""
    try:
        return _cut(repr(value))
    except ValueError:  # an integer of more digits than Python converts
        return "a value with too many digits"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
