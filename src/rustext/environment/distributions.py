"""The installed distributions of an environment: their files, and what they require.

In: the folders of `sys.path` that installers keep, and the interpreter's PEP 508 markers. Out:
`Installed`, which knows each `Distribution` by name and by its files
(https://packaging.python.org/en/latest/specifications/recording-installed-packages/).
"""

from __future__ import annotations

import contextlib
import csv
import functools
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """An installed distribution: what its metadata says of it."""

    name: str  # canonical (PEP 503)
    version: str
    site: Path
    metadata: PurePosixPath  # the .dist-info or .egg-info folder, relative to `site`
    requires: tuple[Requirement, ...]
    files: tuple[PurePosixPath, ...]  # relative to `site`; empty without RECORD

    @property
    def sboms(self) -> tuple[PurePosixPath, ...]:
        """The software bills of materials that PEP 770 puts below `.dist-info/sboms`."""
        folder = (self.metadata.name, "sboms")
        inside = (f for f in self.files if len(f.parts) == 3 and f.parts[:2] == folder)
        return tuple(f for f in inside if f.suffix in {".json", ".xml"})


class Installed:
    """The distributions in some folders of `sys.path`; they are read when first asked for."""

    def __init__(self, sites: Sequence[Path], markers: Mapping[str, str]) -> None:
        self._sites = sites
        self._markers = markers

    @functools.cached_property
    def by_name(self) -> Mapping[str, Distribution]:
        """The distributions by canonical name; the first on the path wins."""
        found: dict[str, Distribution] = {}
        for site in self._sites:
            for dist in iter_distributions(site):
                found.setdefault(dist.name, dist)
        return found

    @functools.cached_property
    def _owners(self) -> Mapping[str, Distribution]:
        found: dict[str, Distribution] = {}
        for dist in reversed(tuple(self.by_name.values())):
            folder = dist.site.as_posix()
            found.update((posixpath.join(folder, file), dist) for file in dist.files)
        return found

    def owner_of(self, path: Path) -> Distribution | None:
        """The distribution whose RECORD lists the file, or None."""
        return self._owners.get(path.as_posix())

    def requirements_of(self, name: str) -> frozenset[str]:
        """The canonical names of all that `name` requires here, directly or not.

        PEP 508 markers are evaluated for this interpreter; extras count where somebody asks for
        them in a requirement.
        """
        seen: set[tuple[str, frozenset[str]]] = set()
        todo: list[tuple[str, frozenset[str]]] = [(canonicalize_name(name), frozenset())]
        while todo:
            item = todo.pop()
            if item in seen:
                continue
            seen.add(item)
            dist = self.by_name.get(item[0])
            todo += self._direct(dist, item[1]) if dist is not None else ()
        return frozenset(n for n, _ in seen) - {canonicalize_name(name)}

    def named_by(self, name: str) -> frozenset[str]:
        """The canonical names that a distribution's requirements name, for an extra or not."""
        dist = self.by_name.get(name)
        return frozenset(canonicalize_name(r.name) for r in dist.requires) if dist else frozenset()

    def neighbours_of(self, name: str) -> frozenset[str]:
        """The installed distributions that `name` requires, or that require it: one step away.

        Extras count: what is installed beside a distribution that names it works with it.
        """
        either = self.named_by(name) | self._naming.get(name, frozenset())
        return (either & self.by_name.keys()) - {name}

    @functools.cached_property
    def _naming(self) -> Mapping[str, frozenset[str]]:
        """Whose requirements name a distribution, by its canonical name."""
        found: dict[str, set[str]] = {}
        for dist in self.by_name.values():
            for requirement in dist.requires:
                found.setdefault(canonicalize_name(requirement.name), set()).add(dist.name)
        return {name: frozenset(namers) for name, namers in found.items()}

    def _direct(
        self, dist: Distribution, extras: frozenset[str]
    ) -> list[tuple[str, frozenset[str]]]:
        return [
            (canonicalize_name(r.name), frozenset(r.extras))
            for r in dist.requires
            if any(self._applies(r, extra) for extra in extras or {""})
        ]

    def _applies(self, requirement: Requirement, extra: str) -> bool:
        try:
            return requirement.marker is None or requirement.marker.evaluate(
                {**self._markers, "extra": extra}
            )
        except (UndefinedComparison, UndefinedEnvironmentName):  # no installer can follow it
            return False

    @functools.cached_property
    def required(self) -> frozenset[str]:
        """The canonical names that any of these require without an extra."""
        return frozenset(
            name for dist in self.by_name.values() for name, _ in self._direct(dist, frozenset())
        )


def iter_distributions(site: Path) -> Iterator[Distribution]:
    """The distributions installed in one folder.

    Metadata that has no name, or that cannot be read as text, is passed over.
    """
    for raw in metadata.distributions(path=[str(site)]):
        with contextlib.suppress(UnicodeDecodeError, csv.Error):
            dist = _read_distribution(raw, site)
            if dist is not None:
                yield dist


def _read_distribution(raw: metadata.Distribution, site: Path) -> Distribution | None:
    fields = raw.metadata
    folder = getattr(raw, "_path", None)  # no public way to it before Python 3.13's `origin`
    if not fields or not fields["Name"] or folder is None:
        return None
    requires = fields.get_all("Requires-Dist") or raw.requires or ()  # the latter reads it again
    return Distribution(
        name=canonicalize_name(fields["Name"]),
        version=fields["Version"] or "",
        site=site,
        metadata=PurePosixPath(folder.name),
        requires=tuple(_iter_requirements(requires)),
        files=tuple(_iter_record(raw.read_text("RECORD") or "")),
    )


def _iter_record(text: str) -> Iterator[PurePosixPath]:
    """The paths of a RECORD; `importlib.metadata.files` costs ten times as much."""
    return (PurePosixPath(row[0]) for row in csv.reader(text.splitlines()) if row and row[0])


def _iter_requirements(lines: Iterable[str]) -> Iterable[Requirement]:
    for line in lines:
        try:
            yield Requirement(line)
        except InvalidRequirement:  # old metadata; pip ignores what it cannot read as well
            continue
