"""What a native file says of the modules that it imports and its bundle lacks.

In: a native file, and what counts as a module that is lacking. Out: `Clues`. To follow strings
through code takes most of a verification's time, so clues are cached between runs: for as long as
the file is the same, and the bundle lacks the same modules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path

from rustext.discovery.module_names import packages_of
from rustext.errors import InvalidBinary, UnreadableFile
from rustext.files.cache import KeptFacts
from rustext.formats.binary import map_file
from rustext.imports.clues import Clues, read_clues
from rustext.imports.strings.name_filter import WantedNames
from rustext.imports.strings.name_refs import iter_strings
from rustext.model.evidence import EvidenceKind, StringRef
from rustext.model.native_file import NativeFile


def read_wanted(
    path: Path, file: NativeFile, wanted: WantedNames, counts: Callable[[StringRef], bool]
) -> Clues:
    """Read a file's clues; `wanted` are names to look for, of which a string is one that `counts`.

    Raises `InvalidBinary` or `UnreadableFile`.
    """
    return read_clues(
        path, file, lambda image, data: filter(counts, iter_strings(image, data, wanted))
    )


def read_imported(path: Path, file: NativeFile, modules: frozenset[str]) -> frozenset[str]:
    """Those of some modules that a file imports, as its machine code or a crate rule says.

    The name of a capsule ends in an attribute. Raises as `read_wanted`.
    """

    def is_there(name: str) -> bool:
        return name in modules or name.rpartition(".")[0] in modules

    def counts(ref: StringRef) -> bool:
        return ref.kind is EvidenceKind.IMPORT_CALL

    tops = {name.partition(".")[0] for name in modules}
    clues = read_wanted(path, file, WantedNames(is_there, tops), counts)
    names = {n for ref in clues.strings for n in (ref.text, ref.text.rpartition(".")[0])}
    return modules & names.union(*(rule.imports for rule, _ in clues.rules))


def may_enter(natives: Mapping[str | None, tuple[Path, NativeFile]], module: str) -> bool:
    """Whether a native module of a package around this one may enter it into `sys.modules`.

    So do PyO3's submodules, by their whole name; a file that is there too is for type checkers.
    """
    around = packages_of(module)
    for name, (path, _) in natives.items():
        if (name or "").rpartition(".")[0] in around:
            with suppress(InvalidBinary, UnreadableFile), map_file(path) as data:
                if data.find(module.encode()) >= 0:
                    return True
    return False


def may_hand_in(
    natives: Mapping[str | None, tuple[Path, NativeFile]], known: AbstractSet[str], module: str
) -> bool:
    """Whether one of the `known` native modules around this one puts it into `sys.modules`.

    It has its whole name, asks for `modules`, and does not import it by what its machine code says.
    """
    around, name = packages_of(module), module.encode()
    for native in known & natives.keys():
        path, file = natives[native]
        with suppress(InvalidBinary, UnreadableFile):
            if native.rpartition(".")[0] not in around:
                continue
            with map_file(path) as data:
                named = data.find(name) >= 0 and data.find(b"modules") >= 0
            if named and not read_imported(path, file, frozenset({module})):
                return True
    return False


def find_clues(
    kept: KeptFacts,
    path: Path,
    file: NativeFile,
    wanted: WantedNames,
    counts: Callable[[StringRef], bool],
) -> Clues:
    """The clues of a file, read only if they are not known; raises as `read_wanted`."""
    crates = repr(file.provenance.crates)
    return kept.get(path, Clues, lambda: read_wanted(path, file, wanted, counts), given=crates)
