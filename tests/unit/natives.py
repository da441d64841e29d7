"""Records of native files for the stages that judge them, over real files and folders."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rustext.discovery.native_files import folder_source, read_native_file
from rustext.model.evidence import EvidenceKind, StringRef
from rustext.model.native_file import Crate, NativeFile


def native_file(
    path: Path,
    root: Path,
    *,
    distribution: str | None = None,
    module: str | None = None,
    crates: Sequence[Crate] = (),
    rust: bool = True,
) -> NativeFile:
    """A file as discovery would describe it if it held Rust from these crates."""
    file = read_native_file(path, folder_source(root))
    provenance = replace(file.provenance, rust=rust, crates=tuple(crates))
    return replace(
        file,
        provenance=provenance,
        distribution=distribution or file.distribution,
        module=module or file.module,
    )


def string(text: str, kind: EvidenceKind = EvidenceKind.EXACT_STRING) -> StringRef:
    return StringRef(text=text, offset=0x1000 + len(text), kind=kind, detail="for the test")


@contextmanager
def mapped(path: Path) -> Iterator[mmap.mmap]:
    with path.open("rb") as stream:
        yield mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
