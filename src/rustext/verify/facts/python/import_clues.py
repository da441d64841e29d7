"""What a native file says of the modules that it imports and its bundle lacks.

In: a native file, and what counts as a module that is lacking. Out: `Clues`. To follow strings
through code takes most of a verification's time, so clues are cached between runs: for as long as
the file is the same, and the bundle lacks the same modules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rustext.files.cache import KeptFacts
from rustext.formats.binary import open_binary
from rustext.imports.crate_rules import iter_crate_rules
from rustext.imports.verdicts import can_import
from rustext.model.evidence import EvidenceKind, StringRef
from rustext.model.native_file import NativeFile
from rustext.strings.name_filter import WantedNames
from rustext.strings.name_refs import iter_strings


@dataclass(frozen=True, slots=True, kw_only=True)
class Clues:
    """The strings that name modules, and the crate rules that speak of the file."""

    strings: tuple[StringRef, ...] = ()
    rules: tuple[tuple[Mapping[str, Any], str], ...] = ()  # rows of data/crates.toml, and evidence


def read_clues(
    path: Path, file: NativeFile, wanted: WantedNames, counts: Callable[[StringRef], bool]
) -> Clues:
    """Read a file's clues; none where it is not linked to Python's import.

    `wanted` are names to look for; of what is found, that is a clue which `counts`.

    Raises `InvalidBinary` or `UnreadableFile`.
    """
    with open_binary(path) as (_, data):
        if not can_import(data):
            return Clues()
        strings = [r for image in file.binary.images for r in iter_strings(image, data, wanted)]
        return Clues(
            strings=tuple(filter(counts, strings)), rules=tuple(iter_crate_rules(file, data))
        )


def read_imported(path: Path, file: NativeFile, modules: frozenset[str]) -> frozenset[str]:
    """Those of some modules that a file imports, as its machine code or a crate rule says.

    The name of a capsule ends in an attribute. Raises as `read_clues`.
    """

    def is_there(name: str) -> bool:
        return name in modules or name.rpartition(".")[0] in modules

    def counts(ref: StringRef) -> bool:
        return ref.kind is EvidenceKind.IMPORT_CALL

    tops = {name.partition(".")[0] for name in modules}
    clues = read_clues(path, file, WantedNames(is_there, tops), counts)
    names = {n for ref in clues.strings for n in (ref.text, ref.text.rpartition(".")[0])}
    return modules & names.union(*(rule["imports"] for rule, _ in clues.rules))


def find_clues(
    kept: KeptFacts,
    path: Path,
    file: NativeFile,
    wanted: WantedNames,
    counts: Callable[[StringRef], bool],
) -> Clues:
    """The clues of a file, read only if they are not known; raises as `read_clues`."""
    crates = repr(file.provenance.crates)
    return kept.get(path, Clues, lambda: read_clues(path, file, wanted, counts), given=crates)
