"""The installed metadata that a program's Python code asks for at run time.

In: distributions of an environment and the facts of sources. Out: the metadata files as companions.
A freezer includes what is asked for by a literal name at most.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import PurePosixPath

from packaging.utils import canonicalize_name

from rustext.environment.distributions import Distribution
from rustext.environment.environment import Environment
from rustext.model.plan import Companion, CompanionKind
from rustext.model.sources import SourceFacts

# What `importlib.metadata` reads:
# https://packaging.python.org/en/latest/specifications/recording-installed-packages/
_FILES = frozenset({"METADATA", "PKG-INFO", "entry_points.txt", "top_level.txt"})
_ANY_NAME = "importlib.metadata may be asked for it with a computed name"


def find_plugin_metadata(dist: Distribution, plugins: Iterable[Distribution]) -> list[Companion]:
    """The metadata of the distributions with entry points that `dist` asks for."""
    reason = f"{dist.name} asks for entry points"
    return [companion for plugin in plugins for companion in iter_metadata(plugin, reason)]


def find_asked_metadata(
    files: Iterable[SourceFacts], env: Environment, *, among: Collection[str] | None = None
) -> Iterator[Companion]:
    """The metadata of distributions named in code that asks for metadata.

    `among` are the canonical names that count. Code asks for others to learn whether they are
    there, and in a program without their modules they are not.
    """
    for facts in files:
        for word in facts.distributions:
            dist = env.distributions.get(canonicalize_name(word))
            if dist is not None and (among is None or dist.name in among):
                yield from iter_metadata(dist, f"`{facts.file}` asks for the metadata of {word}")


def iter_metadata(dist: Distribution, reason: str = _ANY_NAME) -> Iterator[Companion]:
    """The metadata that code asks for by a name which no freezer can read off the source."""
    for file in dist.files:
        if file.parent == dist.metadata and file.name in _FILES:
            yield own_file(dist, file, CompanionKind.METADATA, reason)


def own_file(
    dist: Distribution, file: PurePosixPath, kind: CompanionKind, reason: str
) -> Companion:
    """A file of a distribution as a companion, with the same place in the bundle."""
    return Companion(path=dist.site / file, destination=file, kind=kind, reason=reason)
