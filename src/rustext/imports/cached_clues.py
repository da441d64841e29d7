"""What a native file says of modules that can be imported, cached between builds.

In: a native file and an environment. Out: its `Clues`: strings whose text, or whose text completed,
can be imported there, and crate rules. Following code is by far the most of what a plan takes; the
answer is cached for as long as the file, what can be imported from the folders that were looked
into, and rustext itself stay as they are.

So a first build with PyInstaller opens a Rust file twice: the process that writes the hooks reads
what each native file of the environment is, and cannot ask for clues, as it does not know which of
the files the program uses. All of them would take nine times as long
(`benchmarks/results/build_reads.md`).
"""

from __future__ import annotations

import functools
import hashlib
import json
import mmap
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from rustext.environment.environment import Environment
from rustext.files.cache import Cache, Listing, Row, identify, is_current, open_cache
from rustext.files.codec import from_plain, to_plain
from rustext.formats.binary import located, map_file
from rustext.imports.clues import Clues, clues_in
from rustext.imports.strings.name_filter import WantedNames
from rustext.imports.verdicts import complete_names, find_named
from rustext.model.evidence import EvidenceKind, StringRef
from rustext.model.image import Image
from rustext.model.native_file import NativeFile


def find_clues(
    path: Path, file: NativeFile, env: Environment, *, below: str | None = None
) -> Clues:
    """A file's clues for one environment; raises `InvalidBinary` or `UnreadableFile`.

    With the name of a module in `below`, the names below it that the file holds as well.
    """
    from rustext.imports.strings.format_strings import iter_beginnings  # noqa: PLC0415
    from rustext.imports.strings.name_refs import iter_strings  # noqa: PLC0415  (a cached answer needs none of it)

    def importable(name: str) -> bool:
        return find_named(name, env) is not None

    def find(image: Image, data: mmap.mmap) -> Iterator[StringRef]:
        yield from iter_strings(image, data, wanted)
        yield from complete_names(iter_beginnings(image, data, importable), file, env)

    wanted = WantedNames(importable, env.top_level)
    with located(path), map_file(path) as data:
        clues = clues_in(data, file, find)
        return clues if below is None else replace(clues, below=_find_below(below, file, data))


def find_below(module: str, path: Path, file: NativeFile) -> tuple[str, ...]:
    """The names below a module that its file holds as strings, sorted; raises as `find_clues`."""
    with located(path), map_file(path) as data:
        return _find_below(module, file, data)


def _find_below(module: str, file: NativeFile, data: mmap.mmap) -> tuple[str, ...]:
    """The same in the file's bytes.

    Where a string could end in several places, it ends in the first: rustc puts others behind it.
    """
    from rustext.imports.strings.name_refs import iter_strings  # noqa: PLC0415  (as above)

    prefix = f"{module}."
    wanted = WantedNames(lambda name: name.startswith(prefix), (module.partition(".")[0],))
    shortest: dict[tuple[int, int], str] = {}
    images = enumerate(file.binary.images) if data.find(prefix.encode()) >= 0 else ()
    for number, image in images:
        for ref in iter_strings(image, data, wanted):
            if ref.kind is not EvidenceKind.LOOSE_STRING:
                known = shortest.setdefault((number, ref.offset), ref.text)
                shortest[number, ref.offset] = min(known, ref.text, key=len)
    return tuple(sorted(set(shortest.values())))


class KeptClues:
    """Answers for one environment, out of the cache where they still hold."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._digests: dict[str, str] = {}

    def find(self, path: Path, file: NativeFile, *, below: str | None = None) -> Clues:
        """As `find_clues`; `path` is the file's own."""
        known, made = self._cache.read(path), repr(file.provenance)
        if known is not None and is_current(known, Path(path.anchor)):
            answer = json.loads(known.rows[0].text)
            folders = answer["folders"].items()
            if answer["made"] == made and all(self._digest(f) == digest for f, digest in folders):
                clues: Clues = from_plain(Clues, answer["clues"])
                if below is None or clues.below is not None:
                    return clues
        identity = identify(path)
        found = find_clues(path, file, self._env, below=below)
        if identity is not None:
            listed = {str(folder): self._digest(str(folder)) for folder in self._env.listed}
            answer = {"folders": listed, "made": made, "clues": to_plain(found)}
            row = Row(path=path.name, owner="", text=json.dumps(answer))
            files = {str(path.relative_to(path.anchor)): identity}
            self._cache.write(path, Listing(folders={}, files=files, rows=[row]))
        return found

    @functools.cached_property
    def _cache(self) -> Cache:
        facts = repr(self._env.interpreter).encode("utf-8", "surrogateescape")
        return open_cache("clues", hashlib.sha256(facts).hexdigest()[:32])

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
