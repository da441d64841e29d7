"""The native files and Python sources of an environment's distributions, each read once.

In: an environment, or a distribution. Out: the native files of each distribution, and whether it is
a Rust distribution or a neighbour of one; what its sources say, as `DistributionSources`. What a
distribution holds is read when it is first asked for. With a cache, a second build reads none of
it: an entry counts as long as the distribution's RECORD and the sizes, times and modes of its files
are the same.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from rustext.discovery.file_faults import iter_faults
from rustext.discovery.native_files import (
    environment_source,
    is_rust,
    iter_native_files,
    read_native_file,
)
from rustext.discovery.source_facts import read_sources, used_files
from rustext.discovery.sources import Source
from rustext.environment.distributions import Distribution
from rustext.environment.environment import Environment
from rustext.errors import InvalidBinary, UnreadableFile
from rustext.files.cache import kept_facts
from rustext.formats.binary import read_linkage
from rustext.model.faults import NoteFault
from rustext.model.image import Binary
from rustext.model.native_file import NativeFile
from rustext.model.sources import DistributionSources, SourceFacts


class Catalogue:
    """Native files by distribution; remembers what it has read for as long as it lives."""

    def __init__(self, env: Environment, *, keep: bool = False) -> None:
        """With `keep`, what is read is cached on disk for the next run."""
        self.env = env
        self._keep = keep
        self._sources: dict[Path, Source] = {}
        self._native: dict[str, tuple[tuple[Path, NativeFile], ...]] = {}
        self._binaries: dict[Path, Binary] = {}
        self._rust: dict[str, bool] = {}
        self._neighbours: dict[str, bool] = {}

    def read_file(self, path: Path) -> NativeFile:
        """One native file of the environment, Rust or not.

        Raises `InvalidBinary` or `UnreadableFile` if it cannot be read as a native file.
        """
        dist, site = self.env.owner_of(path), self.env.site_of(path)
        if dist is not None and dist.site == site:
            with contextlib.suppress(UnreadableFile):  # another file of the distribution, it may be
                for known, file in self.native_files(dist):
                    if known == path:
                        return file
        return read_native_file(path, self._source(site or path.parent))

    def read_linkage(self, path: Path) -> Binary:
        """A file's images, out of what has been read; else as `rustext.formats.binary` reads them.

        Raises as that does.
        """
        return self._binaries.get(path) or read_linkage(path)

    def native_files(self, dist: Distribution) -> tuple[tuple[Path, NativeFile], ...]:
        """The native files that the distribution installed, sorted by path."""
        if dist.name not in self._native:
            source = self._source(dist.site)
            files = (dist.site / f for f in dist.files if ".." not in f.parts)
            given = dist.identity() if self._keep else ""

            def read(path: Path, source: Source) -> NativeFile:
                return kept.get(
                    path, NativeFile, lambda: read_native_file(path, source), given=given
                )

            with kept_facts("native", dist.site, dist.name, keep=self._keep) as kept:
                found = iter_native_files(source, files, read=read, note_fault=self.env.note_fault)
                self._native[dist.name] = tuple(found)
            self._binaries |= {path: file.binary for path, file in self._native[dist.name]}
        return self._native[dist.name]

    def is_rust(self, dist: Distribution) -> bool:
        """Whether the distribution holds Rust code, be it in a program that it put on PATH."""
        if dist.name not in self._rust:
            native = self.native_files(dist)
            self._rust[dist.name] = any(f.provenance.rust for _, f in native) or any(
                _is_rust_program(dist.site / f) for f in dist.files if f.parts[0] == ".."
            )
        return self._rust[dist.name]

    def is_neighbour(self, dist: Distribution) -> bool:
        """Whether it holds no Rust, and requires or is required by one that does, extras or not."""
        if dist.name not in self._neighbours:
            names = self.env.installed.neighbours_of(dist.name)
            others = (self.env.distributions[name] for name in names)
            found = not self.is_rust(dist) and any(map(self.seems_rust, others))
            self._neighbours[dist.name] = found
        return self._neighbours[dist.name]

    def seems_rust(self, dist: Distribution) -> bool:
        """Whether it holds Rust; what cannot be read, and need not be in the program, does not."""
        try:
            return self.is_rust(dist)
        except (InvalidBinary, UnreadableFile):
            return False

    def _source(self, site: Path) -> Source:
        if site not in self._sources:
            self._sources[site] = environment_source(self.env, site)
        return self._sources[site]


def _is_rust_program(path: Path) -> bool:
    """Whether a file that was installed outside of `site-packages` holds Rust code."""
    try:
        return path.is_file() and is_rust(path)
    except (InvalidBinary, UnreadableFile):
        return False


class SourceCatalogue:
    """Facts by distribution; remembers what it has read for as long as it lives."""

    def __init__(
        self,
        note_fault: NoteFault | None = None,
        *,
        keep: bool = False,
        version: tuple[int, ...] = sys.version_info[:2],
    ) -> None:
        """With `keep`, facts are cached on disk for the next run.

        `version` is that of the environment's Python.
        """
        self._note_fault = note_fault
        self._keep = keep
        self._compiles = version == sys.version_info[:2]
        self._sources: dict[str, DistributionSources] = {}
        self._used: dict[str, tuple[SourceFacts, ...]] = {}

    def read(self, dist: Distribution) -> DistributionSources:
        """The facts of one distribution; files that cannot be read are noted as faults."""
        if dist.name not in self._sources:
            record = dist.site / dist.metadata / "RECORD"
            with kept_facts("sources", dist.site, dist.name, keep=self._keep) as kept:
                self._sources[dist.name] = kept.get(
                    record, DistributionSources, lambda: read_sources(dist), given=dist.identity()
                )
            if self._note_fault is not None:
                faults = iter_faults(dist, self._sources[dist.name], compiles=self._compiles)
                for fault in faults:
                    self._note_fault(*fault)
        return self._sources[dist.name]

    def used(self, dist: Distribution) -> tuple[SourceFacts, ...]:
        """Those of the files that a program can have: see `used_files`."""
        if dist.name not in self._used:
            self._used[dist.name] = used_files(self.read(dist))
        return self._used[dist.name]
