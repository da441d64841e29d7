"""Measure what takes the room in a bundle.

In: a `Bundle`. Out: its parts, each a file or folder at the top of the bundle or of its contents
folder, the largest first. Links take no room, and nothing is opened.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import PurePosixPath

from rustext.model.verification import PartSize
from rustext.verify.bundle.bundle import Bundle

_MOST_PARTS = 60
_MOST_FILES = 5  # of one part, by name


def measure_parts(bundle: Bundle) -> tuple[PartSize, ...]:
    """The parts; what is beyond the sixty largest is one part more, without a name."""
    parts: dict[str, list[tuple[int, str]]] = {}
    inside = bundle.contents.relative_to(bundle.root).as_posix()
    for size, path in _iter_files(str(bundle.root)):
        parts.setdefault(_part_of(path, inside), []).append((size, path))
    measured = sorted((_measure(name, files) for name, files in parts.items()), key=_by_size)
    rest = measured[_MOST_PARTS:]
    if not rest:
        return tuple(measured)
    others = PartSize(
        name="", size=sum(part.size for part in rest), files=sum(part.files for part in rest),
        largest=(),
    )  # fmt: skip
    return (*measured[:_MOST_PARTS], others)


def _iter_files(root: str) -> Iterator[tuple[int, str]]:
    """The regular files, relative to the root and with slashes."""
    for folder, _, names in os.walk(root):
        for entry in names:
            path = os.path.join(folder, entry)  # noqa: PTH118  (there may be a million of them)
            if not os.path.islink(path) and os.path.isfile(path):  # noqa: PTH113, PTH114
                yield os.lstat(path).st_size, os.path.relpath(path, root).replace(os.sep, "/")


def _part_of(path: str, inside: str) -> str:
    """`_internal/numpy` for all that lies in there; `lib` for a folder that holds no packages."""
    parts = PurePosixPath(path).parts
    depth = len(PurePosixPath(inside).parts) if PurePosixPath(path).is_relative_to(inside) else 0
    return "/".join(parts[: depth + 1])


def _measure(name: str, files: list[tuple[int, str]]) -> PartSize:
    largest = sorted(files, key=lambda file: (-file[0], file[1]))[:_MOST_FILES]
    return PartSize(
        name=name, size=sum(size for size, _ in files), files=len(files),
        largest=tuple((path, size) for size, path in largest),
    )  # fmt: skip


def _by_size(part: PartSize) -> tuple[int, str]:
    return (-part.size, part.name)
