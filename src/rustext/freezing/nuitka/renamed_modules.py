"""Show a freezer modules under the names that they have in the bundle.

In: the folder of a package, and the companions of its distribution. Out: a folder with copies of
those that have another name in the bundle, for a freezer that looks for modules by their names.
"""

from __future__ import annotations

import functools
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from rustext.model.plan import Companion


class StandIns:
    """Copies of misnamed modules, a folder for each package; they go with the process."""

    def __init__(self) -> None:
        self._originals: dict[Path, Path] = {}

    @functools.cached_property
    def _folder(self) -> tempfile.TemporaryDirectory[str]:
        return tempfile.TemporaryDirectory(prefix="rustext-names-")

    def folder_for(self, package: Path, companions: Iterable[Companion]) -> tuple[Path, ...]:
        """The folder with the copies for one package; empty where none of its files needs one."""
        renamed = [c for c in companions if c.renamed and c.path.parent == package]
        folders = set()
        for companion in renamed:
            copy = Path(self._folder.name, companion.destination)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(companion.path, copy)
            self._originals[copy] = companion.path
            folders.add(copy.parent)
        return tuple(sorted(folders))

    def original(self, path: Path) -> Path:
        """The original of a copied file; any other file itself."""
        return self._originals.get(path, path)
