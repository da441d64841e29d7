"""Start a bundle's program alone, and judge what that showed.

In: a `Bundle`; then a `Subject` with the end of the run. Out: the findings `run` and
`host-library`.
"""

from __future__ import annotations

from collections.abc import Iterator

from rustext.model.findings import Finding, Severity
from rustext.verify.common_findings import iter_host_libraries
from rustext.verify.run.start import name_end, quote_last
from rustext.verify.subject import Subject


def check_run(subject: Subject) -> Iterator[Finding]:
    """Judge the end of the isolated run, and the libraries that it loaded."""
    bundle, run = subject.bundle, subject.run
    if run is None or bundle.start is None:
        return
    name = bundle.start.name
    if run.code != 0:
        yield Finding(
            id="run",
            severity=Severity.ERROR,
            subject=name,
            message=f"`{name}` ended with {name_end(run)}",
            evidence=quote_last(run.stderr or run.stdout),
            hint="arguments for the program go after `--`",
        )
    yield from iter_host_libraries(subject, run)
