"""What a crate imports from Python, where the binary alone does not say it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CrateRule:
    """One row of `data/crates.toml`, or of a project's `[[tool.rustext.crate-rules]]`.

    `versions` is a specifier and `when` a requirement as `packaging` reads them; empty ones always
    hold. `strings` are what a file holds into which the importing code was linked. With `named`, a
    module counts only where its name is an exact string in the file as well.
    """

    crate: str
    imports: tuple[str, ...]
    why: str
    source: str
    versions: str = ""
    strings: tuple[str, ...] = ()
    when: str = ""
    named: bool = False
