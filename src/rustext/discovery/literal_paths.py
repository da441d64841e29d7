"""The folders that are meant by literal paths, as a framework or another module completes them.

In: the files of a distribution. Out: for each path that code may spell out, the folder of the file.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath


def folders_by_path(files: Iterable[PurePosixPath]) -> dict[str, str]:
    """For the paths of data files from some folder on, the folder that belongs to the words.

    `"pkg/page.html"` is how frameworks are told of `pkg/templates/pkg/page.html`: its folder is
    `pkg/templates`. `"data/table.txt"` in any module of `pkg` may be joined elsewhere with the
    folder of `pkg`: its folder is `pkg/data`.
    """
    found: dict[str, str] = {}
    for file in files:
        parts = file.parts
        if file.suffix in {".py", ".pyc"} or ".." in parts or len(parts) < 3:
            continue
        found["/".join(parts[1:])] = "/".join(parts[:-1])
        for place in range(2, len(parts) - 1):
            if parts[place] == parts[0]:
                found["/".join(parts[place:])] = "/".join(parts[:place])
    return found
