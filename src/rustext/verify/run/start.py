"""Start a bundle in isolation, or the self-test that was built into it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from rustext.errors import InvalidBundle
from rustext.model.image import Format
from rustext.model.verification import IsolatedRun
from rustext.plan.selftest import SELFTEST_FILE, SELFTEST_VARIABLE, SelfTest, parse_answers
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.onefile.open_bundle import put_alone
from rustext.verify.run.isolated_run import run_isolated, temporary_folder
from rustext.verify.subject import platform_of

_SYSTEMS = {"linux": Format.ELF, "darwin": Format.MACHO, "win32": Format.PE}  # by sys.platform
_LAST_LINES = 12  # of a failed program's output that a finding quotes
_LONGEST = 1000  # characters of such a line


def run_bundle(
    bundle: Bundle,
    arguments: Sequence[str] = (),
    *,
    hide: Sequence[Path] = (),
    timeout: float = 60,
    endless: bool = False,
    variables: Mapping[str, str] | None = None,
) -> IsolatedRun:
    """Start a bundle's program as `run_isolated` does; a one-file program starts as one file.

    Raises `InvalidBundle` where there is none, or one for another system, and `ForeignProcessError`
    if it cannot be started.
    """
    if bundle.start is None:
        raise InvalidBundle(
            f"{bundle.path} holds no program that could be started",
            hint="leave out `--run` and `--selftest`",
        )
    if _SYSTEMS.get(sys.platform, bundle.image.format) is not bundle.image.format:
        raise InvalidBundle(
            f"{bundle.path} is for {platform_of(bundle)}, and does not start on this system",
            hint="leave out `--run` and `--selftest` here: all else is judged on any system",
        )
    isolated = partial(
        run_isolated,
        arguments=arguments,
        hide=hide,
        timeout=timeout,
        endless=endless,
        variables=variables,
    )
    if bundle.origin is None:
        return isolated(bundle.root, bundle.start)
    with temporary_folder("rustext-alone-") as alone:
        ended = isolated(alone, put_alone(bundle.origin, alone))
    libraries = (
        bundle.root / path.relative_to(alone) if path.is_relative_to(alone) else path
        for path in ended.libraries
    )
    return replace(ended, libraries=tuple(libraries))


def run_selftest(bundle: Bundle, *, hide: Sequence[Path] = (), timeout: float = 60) -> SelfTest:
    """Start the program's self-test.

    Raises `InvalidBundle` where none is built in, or for another system, and `ForeignProcessError`
    if it cannot be started.
    """
    if bundle.start is None or not (bundle.contents / SELFTEST_FILE).is_file():
        raise InvalidBundle(
            f"{bundle.path} has no self-test built in",
            hint="freeze it with `selftest = true` in [tool.rustext], or with Nuitka's "
            "--rustext-selftest, and again without for the release",
        )
    variables = {SELFTEST_VARIABLE: "1"}
    return parse_answers(run_bundle(bundle, hide=hide, timeout=timeout, variables=variables))


def name_end(run: IsolatedRun) -> str:
    """How a program ended: `exit code 1`, `signal 6` or `no end within 60 seconds`.

    Windows ends a program with a status, such as 0xc0000005 (STATUS_ACCESS_VIOLATION).
    """
    if run.seconds is not None:
        return f"no end within {run.seconds:g} seconds"
    code = f"{run.code:#x}" if run.code > 0xFFFF else run.code
    return f"signal {-run.code}" if run.code < 0 else f"exit code {code}"


def quote_last(printed: str) -> tuple[tuple[str, str], ...]:
    """The last lines of what a program printed, as evidence; long ones are cut."""
    lines = printed[-_LAST_LINES * _LONGEST :].strip().splitlines()[-_LAST_LINES:]
    return tuple(("printed", line[:_LONGEST]) for line in lines)
