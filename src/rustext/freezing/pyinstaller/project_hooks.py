"""Find the hooks of a program's own that PyInstaller cannot compare with others.

Of several hooks of one name, PyInstaller reads the priorities as UTF-8, whatever a file declares,
and ends where that fails; one alone it runs. In: the folders of a build. Out: those in and below
them with such hooks. Nothing tells an entry point which folders a build is given
(`--additional-hooks-dir`), so they are looked for near the program.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from rustext.files.untrusted import SOURCE_LIMIT, read_start

_DEEPEST = 3  # levels below a folder of the program
_MOST_FOLDERS = 2000
_KINDS = frozenset({"pre_safe_import_module", "pre_find_module_path"})
_SKIPPED = frozenset({"site-packages", "node_modules", "__pycache__"})


def find_odd_folders(roots: Iterable[Path]) -> tuple[Path, ...]:
    """The folders of hooks, in and near these, in which one is not UTF-8 or cannot be read."""
    found: set[Path] = set()
    for root in dict.fromkeys(roots):
        for folder, names in islice(_walk(root), _MOST_FOLDERS):
            hooks = (n for n in names if n.startswith("hook-") and n.endswith(".py"))
            if not all(can_be_compared(folder / name) for name in hooks):
                found.add(folder.parent if folder.name in _KINDS else folder)
    return tuple(sorted(found))


def can_be_compared(path: Path) -> bool:
    """Whether PyInstaller can read the priority of a hook; one that is not there has none."""
    if not os.path.lexists(path):
        return True
    try:
        read_start(path, SOURCE_LIMIT).decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return True


def _walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    depth = len(root.parts)
    for text, folders, names in os.walk(root):
        folder = Path(text)
        deep = len(folder.parts) - depth >= _DEEPEST
        folders[:] = [] if deep else [f for f in folders if f[0] != "." and f not in _SKIPPED]
        yield folder, names
