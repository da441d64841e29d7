"""The strings of a native file that may be names of modules, kept from one build to the next.

In: a native file and an environment. Out: the `StringRef`s whose text, or whose text completed, can
be imported there. Following code is by far the most of what a plan takes; the answer is kept in the
platform's cache folder for as long as the file, the folders that were looked into, and rustext
itself stay as they are.
"""

from __future__ import annotations

import functools
import hashlib
import json
import mmap
from collections.abc import Iterator
from pathlib import Path

from rustext.cache import Cache, Listing, Row, identify, is_current, open_cache, read_folders
from rustext.environment import Environment
from rustext.imports import complete_names, find_named
from rustext.model import Binary, EvidenceKind, NativeFile, StringRef
from rustext.wanted_names import WantedNames


def find_name_strings(
    binary: Binary, data: mmap.mmap, file: NativeFile, env: Environment
) -> Iterator[StringRef]:
    """The strings of all images of a file; raises `InvalidBinary` where one is damaged."""
    from rustext.strings import iter_strings  # noqa: PLC0415  (what is kept needs none of it)
    from rustext.templates import iter_beginnings  # noqa: PLC0415

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

    def find(
        self, path: Path, binary: Binary, data: mmap.mmap, file: NativeFile
    ) -> tuple[StringRef, ...]:
        """As `find_name_strings`; `path` is the file's own."""
        root = Path(path.anchor)
        known = self._cache.read(path)
        if known is not None and is_current(known, root):
            return tuple(map(_parse, known.rows))
        found = tuple(find_name_strings(binary, data, file, self._env))
        identity = identify(path)
        if identity is not None:
            folders = (
                str(f.relative_to(f.anchor))
                for f in self._env.listed
                if f.anchor == path.anchor and f not in self._env.sites
            )
            rows = tuple(Row(path="", owner="", text=_format(ref)) for ref in found)
            self._cache.write(
                path,
                Listing(
                    folders=read_folders(root, folders),
                    files={str(path.relative_to(root)): identity},
                    rows=rows,
                ),
            )
        return found

    @functools.cached_property
    def _cache(self) -> Cache:
        """A folder of `sys.path` counts by what can be imported from it.

        The time of its last change would not do: a program is frozen in one of them as a rule, with
        `build` and `dist` beside it.
        """
        tops = [self._env.entries(site) for site in self._env.sites]
        facts = repr((self._env.interpreter, tops)).encode("utf-8", "surrogateescape")
        return open_cache("names", hashlib.sha256(facts).hexdigest()[:32])


def _format(ref: StringRef) -> str:
    return json.dumps([ref.text, ref.offset, ref.kind.value, ref.detail])


def _parse(row: Row) -> StringRef:
    text, offset, kind, detail = json.loads(row.text)
    return StringRef(text=text, offset=offset, kind=EvidenceKind(kind), detail=detail)
