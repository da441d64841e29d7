"""Judge what a bundle's program did when it was started alone.

In: a `Subject` with the end of the run. Out: the findings `run` and `host-library`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rustext.model.findings import Finding, Severity
from rustext.model.verification import IsolatedRun
from rustext.verify.common_findings import iter_host_libraries
from rustext.verify.run.start import name_end, quote_last
from rustext.verify.subject import Subject

_TRACEBACK = "Traceback (most recent call last):"
# What a record of the unfrozen program's run helps against: modules, files, metadata.
_RECORDABLE = re.compile(
    r"^(?:\w+\.)*(?:ModuleNotFoundError|ImportError|PackageNotFoundError|FileNotFoundError)\b",
    re.MULTILINE,
)
_RECORD = "record what it needs, `rustext trace -- SCRIPT`, and freeze it again with that record"
_ARGUMENTS = "arguments for the program go after `--`"


def check_run(subject: Subject) -> Iterator[Finding]:
    """Judge the end of the isolated run, and the libraries that it loaded."""
    bundle, run = subject.bundle, subject.run
    if run is None or bundle.start is None:
        return
    name = bundle.start.name
    yield from _judge_endless(name, run) if run.seconds is not None else _judge_end(name, run)
    yield from iter_host_libraries(subject, run)


def _judge_end(name: str, run: IsolatedRun) -> Iterator[Finding]:
    if run.code != 0:
        printed = run.stderr or run.stdout
        yield Finding(
            id="run",
            severity=Severity.ERROR,
            subject=name,
            message=f"`{name}` ended with {name_end(run)}",
            evidence=quote_last(printed),
            hint=_RECORD if _RECORDABLE.search(printed) else _ARGUMENTS,
        )


def _judge_endless(name: str, run: IsolatedRun) -> Iterator[Finding]:
    """A program that was ended: well where it was expected to run on, and nothing went wrong."""
    printed = run.stderr if _TRACEBACK in run.stderr else run.stdout
    if not run.endless:
        yield Finding(
            id="run",
            severity=Severity.ERROR,
            subject=name,
            message=f"`{name}` did not end within {run.seconds:g} seconds",
            evidence=quote_last(run.stderr or run.stdout),
            hint="`--alive SECONDS` is for programs that do not end by themselves",
        )
    elif _TRACEBACK in printed:
        yield Finding(
            id="run",
            severity=Severity.ERROR,
            subject=name,
            message=f"`{name}` ran on, but reported an error",
            evidence=quote_last(printed),
            hint=_RECORD if _RECORDABLE.search(printed) else None,
        )
    elif run.missing:
        yield Finding(
            id="run",
            severity=Severity.WARNING,
            subject=name,
            message=f"`{name}` ran on, but its loader did not find what it looked for",
            evidence=tuple(("missing", library) for library in run.missing),
            hint="if the program needs it, put it into the bundle",
        )
