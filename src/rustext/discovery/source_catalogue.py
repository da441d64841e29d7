"""What the Python sources of an environment's distributions say, cached for each distribution.

In: a distribution. Out: its `DistributionSources`. With a cache, a second build reads no source: an
entry counts as long as the distribution's RECORD and the sizes, times and modes of its files are
the same.
"""

from __future__ import annotations

from pathlib import Path

from rustext.discovery.source_facts import read_sources, used_files
from rustext.environment.distributions import Distribution
from rustext.files.cache import KeptFacts, open_cache
from rustext.model.faults import NoteFault
from rustext.model.sources import DistributionSources, SourceFacts


class SourceCatalogue:
    """Facts by distribution; remembers what it has read for as long as it lives."""

    def __init__(self, note_fault: NoteFault | None = None, *, keep: bool = False) -> None:
        """With `keep`, facts are cached on disk for the next run."""
        self._note_fault = note_fault
        self._keep = keep
        self._sources: dict[str, DistributionSources] = {}
        self._used: dict[str, tuple[SourceFacts, ...]] = {}

    def read(self, dist: Distribution) -> DistributionSources:
        """The facts of one distribution; files that cannot be read are noted as faults."""
        if dist.name not in self._sources:
            record = dist.site / dist.metadata / "RECORD"
            kept = KeptFacts(open_cache("sources", dist.name) if self._keep else None, dist.site)
            self._sources[dist.name] = kept.get(
                record, DistributionSources, lambda: read_sources(dist), given=dist.identity()
            )
            kept.save()
            self._note_unreadable(dist, self._sources[dist.name])
        return self._sources[dist.name]

    def used(self, dist: Distribution) -> tuple[SourceFacts, ...]:
        """Those of the files that a program can have: see `used_files`."""
        if dist.name not in self._used:
            self._used[dist.name] = used_files(self.read(dist))
        return self._used[dist.name]

    def _note_unreadable(self, dist: Distribution, sources: DistributionSources) -> None:
        for facts in sources.unreadable:
            path = dist.site / facts.file
            if self._note_fault is not None and not _is_gone(path):
                effect = "what it imports and opens is not known"
                self._note_fault(path, facts.unreadable.lower(), effect)


def _is_gone(path: Path) -> bool:
    """Whether a file was removed since it was recorded; a link or closed folder was not."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
