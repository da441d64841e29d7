"""Ask a bundle's program to import all that native code needs, and judge its answers.

In: a `Bundle` with a self-test built in; then a `Subject` with its answers. Out: the findings
`selftest` and `host-library`. The
program is started as `--run` starts it, with the host's Python out of sight.
"""

from __future__ import annotations

from collections.abc import Iterator

from rustext.model.findings import Finding, Severity
from rustext.plan.selftest import Answer, Asked, SelfTest
from rustext.verify.common_findings import iter_host_libraries
from rustext.verify.run.start import name_end, quote_last
from rustext.verify.subject import Subject


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
                "it is needed" if sure else "its name is in native code",
            ),
        ),
        hint="if it fails unfrozen as well, this part of the package cannot work here",
    )
