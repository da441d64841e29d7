"""The configuration files in a program's folder, and the modules and classes that they name.

In: the folder of a program's script, and the facts of its sources. Out: files relative to it, and
names in those that the program opens by a literal, or in a folder that it names. The files
themselves are the user's, and no freezer takes them unasked.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from rustext.discovery.source_facts import find_names
from rustext.model.sources import DistributionSources

_SUFFIXES = frozenset({".json", ".toml", ".yaml", ".yml", ".ini", ".cfg", ".conf"})
_DEEPEST = 3  # folders
_MOST = 500  # folders, and files
_LIMIT = 1 << 20  # bytes


def find_settings(folder: Path) -> tuple[PurePosixPath, ...]:
    """The configuration files in a folder and a few levels below, sorted, relative to it."""
    found: list[PurePosixPath] = []
    for number, (path, folders, files) in enumerate(os.walk(folder)):
        place = PurePosixPath(Path(path).relative_to(folder).as_posix())
        deep = len(place.parts) >= _DEEPEST or number >= _MOST
        folders[:] = [] if deep else sorted(n for n in folders if n[0] not in "._")
        found += (place / name for name in files if Path(name).suffix in _SUFFIXES)
    return tuple(sorted(found)[:_MOST])


def iter_setting_names(
    folder: Path, files: Iterable[PurePosixPath], sources: DistributionSources
) -> Iterator[tuple[PurePosixPath, str]]:
    """The names in those of the files that the program's own code names, each with its file."""
    words = {word.replace("\\", "/") for facts in sources.files for word in facts.parts}
    for file in files:
        if not words.isdisjoint((file.name, str(file), *(parent.name for parent in file.parents))):
            with contextlib.suppress(OSError):
                if (folder / file).is_file():
                    with (folder / file).open("rb") as stream:
                        text = stream.read(_LIMIT).decode("utf-8", "replace")
                    yield from ((file, name) for name in find_names(text, settings=True))
