"""What a Rust distribution needs beside its modules.

In: a distribution of the environment and its native files. Out: its `Companion` files, each with
the reason. A *Rust distribution* is one whose files hold Rust code; nothing is said of others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from rustext.environment import Distribution
from rustext.model import Companion, CompanionKind, ImageKind, NativeFile

# What `importlib.metadata` reads: https://packaging.python.org/specifications/recording-installed-packages/
_METADATA_FILES = frozenset({"METADATA", "PKG-INFO", "entry_points.txt", "top_level.txt"})


def find_companions(
    dist: Distribution, native: Iterable[tuple[Path, NativeFile]]
) -> tuple[Companion, ...]:
    """The companions of one Rust distribution, sorted by destination.

    `native` holds the distribution's native files with their paths on this machine.
    """
    found = [*_path_loaded(native), *_metadata(dist)]
    return tuple(sorted(found, key=lambda c: c.destination))


def _path_loaded(native: Iterable[tuple[Path, NativeFile]]) -> Iterator[Companion]:
    """Native files that no import statement reaches keep their place beside the package.

    A freezer follows imports and the libraries that imported files name; a file that Python code
    opens by path (ctypes, uniffi, cffi, a plugin) or starts as a process is neither.
    """
    for path, file in native:
        if file.module is None and len(file.path.parts) > 1:
            program = file.binary.image.kind is ImageKind.EXECUTABLE
            yield Companion(
                path=path,
                destination=file.path,
                kind=CompanionKind.EXECUTABLE if program else CompanionKind.LIBRARY,
                reason=file.explanation,
            )


def _metadata(dist: Distribution) -> Iterator[Companion]:
    """The metadata that code asks for by a name which no freezer can read off the source."""
    for file in dist.files:
        if file.parent == dist.metadata and file.name in _METADATA_FILES:
            yield Companion(
                path=dist.site / file,
                destination=PurePosixPath(file),
                kind=CompanionKind.METADATA,
                reason="importlib.metadata may be asked for it with a computed name",
            )
