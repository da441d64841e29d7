"""Ask a bundle's program to import all that native code needs, and judge its answers.

In: a `Bundle` with a self-test built in; then a `Subject` with its answers. Out: the findings
`selftest` and `host-library`. The
program is started as `--run` starts it, with the host's Python out of sight.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rustext.errors import InvalidBundle
from rustext.findings import Finding, Severity
from rustext.selftest import (
    SELFTEST_FILE,
    SELFTEST_VARIABLE,
    Answer,
    Asked,
    SelfTest,
    parse_answers,
)
from rustext.verify.bundle import Bundle
from rustext.verify.runs import iter_host_libraries, name_end, quote_last, run_bundle
from rustext.verify.subject import Subject


def run_selftest(bundle: Bundle, *, hide: Sequence[Path] = (), timeout: float = 60) -> SelfTest:
    """Start the program's self-test.

    Raises `InvalidBundle` where none is built in, or for another system, and `ForeignProcessError`
    if it does not end in time.
    """
    if bundle.start is None or not (bundle.contents / SELFTEST_FILE).is_file():
        raise InvalidBundle(
            f"{bundle.path} has no self-test built in",
            hint="freeze it with `selftest = true` in [tool.rustext], or with Nuitka's "
            "--rustext-selftest, and again without for the release",
        )
    variables = {SELFTEST_VARIABLE: "1"}
    return parse_answers(run_bundle(bundle, hide=hide, timeout=timeout, variables=variables))


def check_selftest(subject: Subject) -> Iterator[Finding]:
    """One finding for each module that the program could not import, or library of the host's."""
    bundle, selftest = subject.bundle, subject.selftest
    if selftest is None:
        return
    program = bundle.start.name if bundle.start is not None else bundle.path.name
    if not selftest.answers and selftest.last is None:
        yield _finding(program, f"`{program}` did not answer the self-test", selftest)
    elif selftest.last is not None:
        message = f"`{program}` did not survive `import {selftest.last}`"
        yield _finding(selftest.last, message, selftest)
    for answer in selftest.answers:
        if answer.error is not None:
            yield _failed_import(answer)
    yield from iter_host_libraries(subject, selftest.run)


def _finding(subject: str, message: str, selftest: SelfTest) -> Finding:
    return Finding(
        id="selftest",
        severity=Severity.ERROR,
        subject=subject,
        message=message,
        evidence=(("ended with", name_end(selftest.run)), *quote_last(selftest.run.stderr)),
        hint="start the program with RUSTEXT_SELFTEST=1 to see the same",
    )


def _failed_import(answer: Answer) -> Finding:
    sure = answer.asked is Asked.IMPORT
    return Finding(
        id="selftest",
        severity=Severity.ERROR if sure else Severity.WARNING,
        subject=answer.module,
        message=f"`import {answer.module}` fails in the program",
        evidence=(
            ("error", str(answer.error)),
            (
                "asked",
                "it is needed" if sure else "its name stands in native code",
            ),
        ),
        hint="if it fails unfrozen as well, this part of the package cannot work here",
    )
