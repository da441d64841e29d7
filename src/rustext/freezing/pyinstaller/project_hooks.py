"""Find the hooks of a program's own that PyInstaller cannot compare with others.

Of several hooks of one name, PyInstaller reads the priorities as UTF-8, whatever a file declares,
and ends where that fails; one alone it runs. In: the folders of a build. Out: those in and below
them with such hooks. Nothing tells an entry point which folders a build is given
(`--additional-hooks-dir`), so they are looked for near the program, and on Linux among the
arguments of the process that asks and in the spec file that these name.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from rustext.environment.python_source import parse_source
from rustext.files.untrusted import SOURCE_LIMIT, read_start

_DEEPEST = 3  # levels below a folder of the program
_MOST_FOLDERS = 2000
_KINDS = frozenset({"pre_safe_import_module", "pre_find_module_path"})
_SKIPPED = frozenset({"site-packages", "node_modules", "__pycache__"})


def find_odd_folders(roots: Iterable[Path], given: Iterable[Path] = ()) -> tuple[Path, ...]:
    """The folders of hooks, in and near the roots or given, with one that PyInstaller cannot read.

    Such a hook is not UTF-8, or cannot be opened.
    """
    found: set[Path] = set()
    near = (islice(_walk(root, _DEEPEST), _MOST_FOLDERS) for root in dict.fromkeys(roots))
    alone = (_walk(path, 0) for folder in given for path in (folder, *map(folder.joinpath, _KINDS)))
    for folder, names in chain.from_iterable((*near, *alone)):
        hooks = (n for n in names if n.startswith("hook-") and n.endswith(".py"))
        if not all(can_be_compared(folder / name) for name in hooks):
            found.add(folder.parent if folder.name in _KINDS else folder)
    return tuple(sorted(found))


def are_taken(hooks: Iterable[str], given: Iterable[Path]) -> bool:
    """Whether the folders that a build is given have all of these hooks, which then run first."""
    folders = tuple(given)
    return all(any((folder / name).is_file() for folder in folders) for name in hooks)


def read_given_folders(arguments: Iterable[str]) -> tuple[Path, ...]:
    """The folders that a command line names, or a spec file or script in it, from this folder."""
    words = [word.rpartition("=")[2] for word in arguments]
    for source in (Path(word) for word in words if word.endswith((".spec", ".py"))):
        try:
            tree = parse_source(read_start(source, SOURCE_LIMIT))
        except (OSError, SyntaxError):  # PyInstaller tells of it
            continue
        texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
        words += [text for text in texts if isinstance(text, str)]
    folders = [os.path.expanduser(word) for word in words]  # noqa: PTH111  (as PyInstaller does)
    # `Path.is_dir` raises for a text that is no path
    found = [Path(folder) for folder in folders if os.path.isdir(folder)]  # noqa: PTH112
    return tuple(dict.fromkeys(path.absolute() for path in found))


def arguments_of(process: int) -> list[str]:
    """A process's command line (proc(5)); none where the system does not tell."""
    try:
        line = Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return []
    return [os.fsdecode(word) for word in line.split(b"\0") if word]


def can_be_compared(path: Path) -> bool:
    """Whether PyInstaller can read the priority of a hook; one that is not there has none."""
    if not os.path.lexists(path):
        return True
    try:
        read_start(path, SOURCE_LIMIT).decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return True


def _walk(root: Path, deepest: int) -> Iterator[tuple[Path, list[str]]]:
    depth = len(root.parts)
    for text, folders, names in os.walk(root):
        folder = Path(text)
        deep = len(folder.parts) - depth >= deepest
        folders[:] = [] if deep else [f for f in folders if f[0] != "." and f not in _SKIPPED]
        yield folder, names
