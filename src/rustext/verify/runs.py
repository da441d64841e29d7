"""Judge what an isolated run of the program showed.

In: a `Subject` whose program was run. Out: the findings `run` and `host-library`.
"""

from __future__ import annotations

from collections.abc import Iterator

from rustext.findings import Finding, Severity
from rustext.verify.libraries import host_library, is_system_library
from rustext.verify.subject import Subject

_LAST_LINES = 12  # of a failed program's output that a finding quotes


def check_run(subject: Subject) -> Iterator[Finding]:
    """Judge the end of the isolated run, and the libraries that it loaded."""
    bundle, run = subject.bundle, subject.run
    if run is None:
        return
    name = bundle.program.path.name
    if run.code != 0:
        how = f"signal {-run.code}" if run.code < 0 else f"exit code {run.code}"
        last = (run.stderr or run.stdout).strip().splitlines()[-_LAST_LINES:]
        yield Finding(
            id="run",
            severity=Severity.ERROR,
            subject=name,
            message=f"`{name}` ended with {how}",
            evidence=tuple(("printed", line) for line in last),
            hint="arguments for the program go after `--`",
        )
    for library in run.libraries:
        if not (
            library.is_relative_to(bundle.root)
            or library.name in subject.allow_system
            or is_system_library(library.name)
        ):
            evidence = (("loaded from", str(library)), ("by", "the running program"))
            yield host_library(library.name, evidence)
