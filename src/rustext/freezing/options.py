"""What the user of a freezer asks rustext for in one run.

In: the options of the freezer's plugin, and the environment variables `RUSTEXT_BUILD_…` that stand
for them where a freezer has no options. Out: `SessionOptions`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rustext.config import suggest
from rustext.errors import InvalidConfiguration, UnwritableFile

_PREFIX = "RUSTEXT_BUILD_"
_NAMES = ("SELFTEST", "LEAVE_PLAN", "REPORT", "TRACE")
_OTHERS = frozenset({"RUSTEXT_SELFTEST"})  # a frozen program reads it
_FLAGS = {"1": True, "0": False, "": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """What is asked for on the command line of a freezer; the configuration may ask for more."""

    strict: bool = False  # what would be a warning stops the build
    verify: bool = False  # the finished bundle is verified
    selftest: bool = False
    leave_plan: bool = False
    report: Path | None = None
    traces: tuple[Path, ...] = ()


def read_options(
    environ: Mapping[str, str] = os.environ,
    *,
    strict: bool = False,
    verify: bool = False,
    selftest: bool = False,
    leave_plan: bool = False,
    report: str | None = None,
    traces: Iterable[str] = (),
) -> SessionOptions:
    """The options of a freezer's plugin, and those of the environment where they are not given.

    Raises `InvalidConfiguration` for a variable of this kind that is not known, for a flag that is
    neither 0 nor 1, and for a report that cannot be written where it is asked for.
    """
    for name in sorted(environ):
        unknown = name.startswith(_PREFIX) and name.removeprefix(_PREFIX) not in _NAMES
        if unknown or (name not in _OTHERS and _is_misspelt(name)):
            raise InvalidConfiguration(
                f"the environment variable {name} is not known",
                hint=suggest(name, (_PREFIX + known for known in _NAMES)),
            )

    def flag(name: str) -> bool:
        text = environ.get(_PREFIX + name, "")
        if text not in _FLAGS:
            raise InvalidConfiguration(f"{_PREFIX}{name} is {text!r}; it must be 1 or 0")
        return _FLAGS[text]

    file = report or environ.get(f"{_PREFIX}REPORT")
    if file:
        from rustext.plan.plan_file import check_plan_path  # noqa: PLC0415  (few ask for one)

        if _is_named_fifo(Path(file)):
            raise InvalidConfiguration(
                f"the report {file} cannot be written: it is a FIFO, and a build writes it again "
                "and again",
                hint="name a file",
            )
        try:
            check_plan_path(Path(file))
        except UnwritableFile as error:
            raise InvalidConfiguration(f"the report {error}", hint=error.hint) from error
    more = filter(None, environ.get(f"{_PREFIX}TRACE", "").split(os.pathsep))
    return SessionOptions(
        strict=strict,
        verify=verify,
        selftest=selftest or flag("SELFTEST"),
        leave_plan=leave_plan or flag("LEAVE_PLAN"),
        report=Path(file).absolute() if file else None,
        traces=tuple(map(Path, (*traces, *more))),
    )


def _is_misspelt(name: str) -> bool:
    """Whether a variable can only be meant as one of these, without `BUILD` or in other letters."""
    word = name.upper().replace("_", "").removeprefix("RUSTEXT").removeprefix("BUILD")
    meant = name.upper().startswith("RUSTEXT") and word in (n.replace("_", "") for n in _NAMES)
    return meant and name.removeprefix(_PREFIX) not in _NAMES


def _is_named_fifo(file: Path) -> bool:
    """Whether a build would wait for a reader; a pipe that a shell has opened has no path."""
    real = os.path.realpath(file)
    return os.path.exists(real) and stat.S_ISFIFO(os.stat(real).st_mode)  # noqa: PTH110, PTH116
