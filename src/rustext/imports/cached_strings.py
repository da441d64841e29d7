"""The strings of a native file that may be names of modules, cached between builds.

In: a native file and an environment. Out: the `StringRef`s whose text, or whose text completed, can
be imported there. Following code is by far the most of what a plan takes; the answer is kept in the
platform's cache folder for as long as the file, what can be imported from the folders that were
looked into, and rustext itself stay as they are.
"""

from __future__ import annotations

import functools
import hashlib
import json
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

from rustext.environment.environment import Environment
from rustext.files.cache import Cache, Listing, Row, identify, is_current, open_cache
from rustext.files.codec import from_plain, to_plain
from rustext.imports.verdicts import complete_names, find_named
from rustext.model.evidence import StringRef
from rustext.model.image import Binary
from rustext.model.native_file import NativeFile
from rustext.strings.name_filter import WantedNames


def find_name_strings(
    binary: Binary, data: mmap.mmap, file: NativeFile, env: Environment
) -> Iterator[StringRef]:
    """The strings of all images of a file; raises `InvalidBinary` where one is damaged."""
    from rustext.strings.format_strings import iter_beginnings  # noqa: PLC0415
    from rustext.strings.name_refs import iter_strings  # noqa: PLC0415  (a cached answer needs none of it)

    def importable(name: str) -> bool:
        return find_named(name, env) is not None

    wanted = WantedNames(importable, env.top_level)
    for image in binary.images:
        yield from iter_strings(image, data, wanted)
        yield from complete_names(iter_beginnings(image, data, importable), file, env)


class NameStrings:
    """Answers for one environment, out of the cache where they still hold."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._digests: dict[str, str] = {}

    def find(
        self, path: Path, binary: Binary, data: mmap.mmap, file: NativeFile
    ) -> tuple[StringRef, ...]:
        """As `find_name_strings`; `path` is the file's own."""
        known = self._cache.read(path)
        if known is not None and is_current(known, Path(path.anchor)):
            answer = json.loads(known.rows[0].text)
            if all(self._digest(folder) == digest for folder, digest in answer["folders"].items()):
                strings: tuple[StringRef, ...] = from_plain(
                    tuple[StringRef, ...], answer["strings"]
                )
                return strings
        found = tuple(find_name_strings(binary, data, file, self._env))
        identity = identify(path)
        if identity is not None:
            folders = map(str, self._env.listed)
            answer = {
                "folders": {folder: self._digest(folder) for folder in folders},
                "strings": to_plain(found),
            }
            row = Row(path=path.name, owner="", text=json.dumps(answer))
            files = {str(path.relative_to(path.anchor)): identity}
            self._cache.write(path, Listing(folders={}, files=files, rows=[row]))
        return found

    @functools.cached_property
    def _cache(self) -> Cache:
        facts = repr(self._env.interpreter).encode("utf-8", "surrogateescape")
        return open_cache("name-strings", hashlib.sha256(facts).hexdigest()[:32])

    def _digest(self, folder: str) -> str:
        """What can be imported from a folder.

        The time of its last change would not do: as a rule a program is frozen in its own folder,
        which then gets `build` and `dist`.
        """
        if folder not in self._digests:
            suffixes = (*self._env.interpreter.suffixes, ".py", ".pyc", ".dist-info", ".egg-info")
            try:
                found = os.listdir(folder)  # noqa: PTH208 (names only)
            except OSError:
                found = []
            named = (n for n in found if "." not in n or n.endswith(suffixes))
            text = repr(sorted(n for n in named if n != "__pycache__"))
            digest = hashlib.sha256(text.encode("utf-8", "surrogateescape"))
            self._digests[folder] = digest.hexdigest()[:32]
        return self._digests[folder]
