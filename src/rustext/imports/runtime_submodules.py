"""Modules that native code makes as it loads, below its own name.

In: an extension module, what its distribution's Python sources say, its binary. Out: the names
below it that no file has. Python imports such a name because the extension has entered it into
`sys.modules` by then (https://docs.python.org/3/reference/import.html#the-module-cache). A freezer
that looks for a file finds none, and may then drop the extension with it, where nothing imports
that by its own name.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rustext.environment.environment import Environment
from rustext.files.cache import KeptFacts, open_cache
from rustext.formats.binary import located, open_binary
from rustext.model.evidence import EvidenceKind
from rustext.model.sources import DistributionSources


def find_runtime_modules(
    module: str, path: Path, sources: DistributionSources | None, env: Environment
) -> tuple[str, ...]:
    """The modules that the extension `module` makes below its name, sorted, parents included.

    The distribution's own Python code knows them best; without a word there, the binary is asked.
    That holds the names of classes as well: they do no harm, since nothing imports them. Raises
    `InvalidBinary` or `UnreadableFile`.
    """
    said = [name for facts in (sources.files if sources else ()) for name in facts.below_native]
    found = {name for name in said if name.startswith(f"{module}.")}
    found = found or set(_names_in_binary(module, path))
    names = {parent for name in found for parent in _iter_below(module, name)}
    return tuple(sorted(name for name in names if env.find_module(name) is None))


def _iter_below(module: str, name: str) -> Iterator[str]:
    """`name` and the names between `module` and it."""
    while name != module:
        yield name
        name = name.rpartition(".")[0]


def _names_in_binary(module: str, path: Path) -> frozenset[str]:
    """The names below `module` that the binary holds as strings, from one build to the next."""
    kept = KeptFacts(open_cache("runtime-modules", module), path.parent)
    found = kept.get(path, frozenset[str], lambda: _read_names(module, path))
    kept.save()
    return found


def _read_names(module: str, path: Path) -> frozenset[str]:
    """Where a string could end in several places, it ends in the first.

    rustc puts others behind it.
    """
    from rustext.imports.strings.name_filter import WantedNames  # noqa: PLC0415
    from rustext.imports.strings.name_refs import iter_strings  # noqa: PLC0415  (a cached answer needs none of it)

    prefix = f"{module}."
    wanted = WantedNames(lambda name: name.startswith(prefix), (module.partition(".")[0],))
    shortest: dict[tuple[int, int], str] = {}
    with open_binary(path) as (binary, data), located(path):
        if data.find(prefix.encode()) >= 0:
            for number, image in enumerate(binary.images):
                for ref in iter_strings(image, data, wanted):
                    if ref.kind is not EvidenceKind.LOOSE_STRING:
                        known = shortest.setdefault((number, ref.offset), ref.text)
                        shortest[number, ref.offset] = min(known, ref.text, key=len)
    return frozenset(shortest.values())
