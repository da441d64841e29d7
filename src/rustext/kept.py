"""What is found out about the files of a folder, kept from one run to the next.

In: a folder, a file in it, and a question that takes long to answer. Out: the answer, which is
found anew only where the file, or what else the answer depends on, has changed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rustext.cache import Cache, Listing, Row, identify


class KeptFacts:
    """The answers about one folder's files, as an earlier run has left them, and new ones."""

    def __init__(self, cache: Cache | None, root: Path) -> None:
        """Without a cache nothing is known, and nothing is kept."""
        self._cache, self._root = cache, root
        listing = cache.read(root) if cache is not None else None
        self._known = {row.path: row for row in listing.rows} if listing is not None else {}
        self._files = dict(listing.files) if listing is not None else {}
        self._rows: list[Row] = []
        self._changed = False

    def get(self, path: Path, find: Callable[[], str], *, given: str = "") -> str:
        """The answer about a file, which `find` gives where it is not known: a line of ASCII.

        `given` is all that the answer depends on beside the file. Raises what `find` raises.
        """
        if self._cache is None:
            return find()
        name = str(path.relative_to(self._root))
        identity = identify(path)
        row = self._known.get(name)
        if row is None or row.owner != given or self._files.get(name) != identity:
            row = Row(path=name, owner=given, text=find())
            self._changed = True
        if identity is not None:
            self._files[name] = identity
            self._rows.append(row)
        return row.text

    def save(self) -> None:
        """Keep what has been asked for, and forget the rest."""
        if self._cache is not None and self._changed:
            names = {row.path for row in self._rows}
            files = {name: one for name, one in self._files.items() if name in names}
            self._cache.write(self._root, Listing(folders={}, files=files, rows=self._rows))
