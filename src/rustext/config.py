"""`[tool.rustext]` of a project's `pyproject.toml`.

In: the folder of the program that is frozen. Out: a `Config`. The nearest `pyproject.toml` at or
above the folder counts, as with other tools of the field.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from rustext.errors import InvalidConfiguration
from rustext.tracing.trace_file import Trace, merge, read_trace

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class Optional(Enum):
    """What to do with a distribution that native code imports and that nothing requires."""

    INSTALLED = "installed"  # include it when it is installed and nobody else requires it
    PRESENT = "present"  # complete its modules when the program has it already
    NEVER = "never"  # report it


class Scope(Enum):
    """Which native files rustext looks after."""

    RUST = "rust"
    NATIVE = "native"  # those made from C, Cython, mypyc and so on as well


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What a project wants to keep; the defaults suit most."""

    include: tuple[str, ...] = ()  # modules that native code imports, by the user's own knowledge
    optional: Optional = Optional.INSTALLED
    allow_system: tuple[str, ...] = ()  # sonames that the target machines provide
    scope: Scope = Scope.RUST
    trace: Trace = field(default_factory=Trace)  # what native code was seen to import
    trace_file: str = ""  # where that is from, relative to pyproject.toml
    selftest: bool = False  # build an entry into the program that `rustext verify` asks
    target: str = ""  # the platform tag of the machines that bundles are meant for
    leave_plan: bool = False  # leave what was added, and why, in the bundle


def find_config(start: Path) -> Config:
    """Read the nearest `pyproject.toml` at or above `start`; without one, the defaults."""
    file = find_project(start)
    return read_config(file) if file is not None else Config()


def find_project(start: Path) -> Path | None:
    """The nearest `pyproject.toml` at or above `start`."""
    folders = (start.resolve(), *start.resolve().parents)
    return next((f / "pyproject.toml" for f in folders if (f / "pyproject.toml").is_file()), None)


def read_config(file: Path) -> Config:
    """Read one `pyproject.toml`.

    Raises `InvalidConfiguration` if it is no TOML, or if `[tool.rustext]` holds what it must not,
    `UnreadableFile` or `InvalidTrace` if the record that it names is none.
    """
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidConfiguration(f"{file} is not valid TOML: {error}") from error
    except OSError as error:
        raise InvalidConfiguration(f"{file} cannot be read: {error.strerror}") from error
    tool = table.get("tool", {})
    if not isinstance(tool, dict):
        raise InvalidConfiguration(f"{file}: `tool` is not a table")
    config = parse_config(tool.get("rustext", {}), str(file))
    if not config.trace_file:
        return config
    return replace(config, trace=read_trace(file.parent / config.trace_file))


def with_traces(config: Config, files: Iterable[Path]) -> Config:
    """The same configuration with further records; raises `UnreadableFile` or `InvalidTrace`."""
    more = tuple(files)
    if not more:
        return config
    names = [name for name in (config.trace_file, *(file.name for file in more)) if name]
    trace = merge([config.trace, *map(read_trace, more)])
    return replace(config, trace=trace, trace_file=", ".join(names))


def parse_config(table: Any, where: str) -> Config:
    """Check the table `[tool.rustext]`; `where` names it in messages. No other file is read."""
    if not isinstance(table, dict):
        raise InvalidConfiguration(f"{where}: `tool.rustext` is not a table")
    known = {
        "include", "optional", "allow-system", "scope", "trace", "selftest", "leave-plan", "target",
    }  # fmt: skip
    unknown = sorted(set(table) - known)
    if unknown:
        raise InvalidConfiguration(
            f"{where}: [tool.rustext] has no option `{unknown[0]}`",
            hint=f"known are {', '.join(sorted(known))}",
        )
    return Config(
        include=_strings(table, "include", where),
        optional=_choice(table, "optional", Optional.INSTALLED, where),
        allow_system=_strings(table, "allow-system", where),
        scope=_choice(table, "scope", Scope.RUST, where),
        trace_file=_string(table, "trace", where),
        selftest=_flag(table, "selftest", where),
        leave_plan=_flag(table, "leave-plan", where),
        target=_string(table, "target", where),
    )


_Choice = TypeVar("_Choice", bound=Enum)


def _choice(table: dict[str, Any], key: str, default: _Choice, where: str) -> _Choice:
    kind = type(default)
    try:
        return kind(table.get(key, default.value))
    except ValueError as error:
        values = ", ".join(f'"{option.value}"' for option in kind)
        raise InvalidConfiguration(f"{where}: `{key}` is one of {values}") from error


def _flag(table: dict[str, Any], key: str, where: str) -> bool:
    value = table.get(key, False)
    if not isinstance(value, bool):
        raise InvalidConfiguration(f"{where}: `{key}` is true or false")
    return value


def _string(table: dict[str, Any], key: str, where: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str):
        raise InvalidConfiguration(f"{where}: `{key}` is a string")
    return value


def _strings(table: dict[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidConfiguration(f"{where}: `{key}` is a list of strings")
    return tuple(value)
