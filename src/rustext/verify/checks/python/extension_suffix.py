"""Find the extension modules whose file names the bundle's interpreter never looks for.

In: a `Subject`. Out: the finding `ext-suffix`, and `Misnamed` with the name that would work.

An interpreter looks for the suffixes that were compiled into it (`_PyImport_DynLoadFiletab`,
https://github.com/python/cpython/blob/v3.13.0/Python/dynload_shlib.c#L33-L44), so they are read
from its own file. Build systems that put a suffix together from `uname -m` or from a compiler's
target get another one on some machines (`armv7l-linux-gnueabihf` where Python says
`arm-linux-gnueabihf`), and then the module is there and cannot be imported.
"""

from __future__ import annotations

from collections.abc import Iterator

from rustext.model.findings import Finding, Severity
from rustext.verify.facts.python.python_suffixes import choose_looked_for, iter_misnamed
from rustext.verify.subject import Subject


def check_suffixes(subject: Subject) -> Iterator[Finding]:
    """Find the extension modules that the bundle's interpreter never looks for."""
    looked_for = choose_looked_for(subject.bundle, subject.python)
    if looked_for is None:
        return
    for file in iter_misnamed(subject.bundle, looked_for):
        yield Finding(
            id="ext-suffix",
            severity=Severity.WARNING if file.lib_prefix else subject.severity(file.path),
            subject=subject.inside(file.path),
            message=f"the bundle's Python never looks for `{file.path.name}`",
            evidence=(
                ("looks for", ", ".join(file.looked_for)),
                ("says", looked_for.said_by),
                ("would work", file.wanted.name),
            ),
            hint="rename it where it is built, or let `rustext verify --fix-suffix` link it",
        )
