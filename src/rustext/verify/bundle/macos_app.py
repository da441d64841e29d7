"""Know an application of macOS, a folder whose name ends in `.app`, by its layout.

In: a `Tree`. Out: an `App`: its programs, and the folders that take the place of `site-packages`.

Layout: https://developer.apple.com/documentation/bundleresources/placing-content-in-a-bundle.
PyInstaller 6 puts native files into `Contents/Frameworks` and all others into
`Contents/Resources`, each with links to the other (`PyInstaller/building/osx.py`); before that, all
went into `Contents/MacOS`. Nuitka puts all into `Contents/MacOS`, and leaves links there to folders
with a dot in their name, which cannot be signed in this place (`nuitka/freezer/Standalone.py`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from rustext.formats.macho.property_lists import read_plist
from rustext.verify.bundle.tree import Tree

_PROGRAMS, _FRAMEWORKS, _RESOURCES = "Contents/MacOS", "Contents/Frameworks", "Contents/Resources"
_INFO = "Contents/Info.plist"


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """An application: what starts it, the main program first, and where its modules are."""

    programs: tuple[str, ...]
    contents: str
    resources: str = _RESOURCES


def find_app(tree: Tree) -> App | None:
    """The application that a tree is; None for any other folder."""
    if _PROGRAMS not in tree.folders:
        return None
    programs = [f for f in tree.files if f.rpartition("/")[0] == _PROGRAMS]
    main = f"{_PROGRAMS}/{_main_program(tree)}"
    split = f"{_FRAMEWORKS}/base_library.zip" in tree.files
    return App(
        programs=tuple(sorted(programs, key=lambda name: (name != main, name))),
        contents=_FRAMEWORKS if split else _PROGRAMS,
    )


def without_links(tree: Tree) -> Tree:
    """The tree without links to files that it holds anyway: each counts once, where it is."""
    names = (f for f in tree.files if f not in tree.linked)
    real = (f for f in names if not os.path.islink(tree.path(f)))  # noqa: PTH114 (many)
    return replace(tree, files=tuple(real))


def _main_program(tree: Tree) -> str:
    """CFBundleExecutable of the Info.plist, "" where that cannot be read."""
    info = read_plist(tree.path(_INFO)) if _INFO in tree.files else {}
    name = info.get("CFBundleExecutable", "")
    return PurePosixPath(name).name if isinstance(name, str) else ""
