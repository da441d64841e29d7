"""Modules that native code makes as it loads, below its own name.

In: an extension module, what its distribution's Python sources say, its binary. Out: the names
below it that no file has. Python imports such a name because the extension has entered it into
`sys.modules` by then (https://docs.python.org/3/reference/import.html#the-module-cache). A freezer
that looks for a file finds none, and may then drop the extension with it, where nothing imports
that by its own name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from rustext.environment.environment import Environment
from rustext.model.sources import DistributionSources


def find_runtime_modules(
    module: str,
    sources: DistributionSources | None,
    env: Environment,
    names_in_binary: Callable[[], Iterable[str]],
) -> tuple[str, ...]:
    """The modules that the extension `module` makes below its name, sorted, parents included.

    The distribution's own Python code knows them best; without a word there, the binary is asked,
    by `names_in_binary`. That holds the names of classes as well: they do no harm, since nothing
    imports them.
    """
    said = [name for facts in (sources.files if sources else ()) for name in facts.below_native]
    found = {name for name in said if name.startswith(f"{module}.")} or {*names_in_binary()}
    names = {parent for name in found for parent in _iter_below(module, name)}
    return tuple(sorted(name for name in names if env.find_module(name) is None))


def _iter_below(module: str, name: str) -> Iterator[str]:
    """`name` and the names between `module` and it."""
    while name != module:
        yield name
        name = name.rpartition(".")[0]
