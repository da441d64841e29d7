"""Tell whether a library belongs to the target system."""

from __future__ import annotations

from rustext.data import read_data


def is_system_library(soname: str, libc: str | None = None) -> bool:
    """Whether the platform's policy lets a program expect this library of the system.

    `libc` is "glibc" or "musl"; without it, any platform's policy will do.
    """
    policies = read_data("policies")
    tables = {"glibc": [policies["linux"]], "musl": [policies["musl"]]}
    return any(
        soname in table["libraries"] or soname.startswith(tuple(table["loaders"]))
        for table in tables.get(libc or "", policies.values())
    )
