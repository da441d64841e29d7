"""What Nuitka's scanner for macOS has to be told of install names that it cannot place.

In: an environment, and the Mach-O files of it that enter a bundle. Out: for each file the path
under which Nuitka recognises it, what it will stop at, and the folders of libraries that another
distribution brings.

dyld never looks for the name in a file's own LC_ID_DYLIB. `otool -L` prints it among the libraries
all the same, and Nuitka looks for it as for any other: it guesses, and stops the build where no
guess leads to a file (`_resolveBinaryPathDLLsMacOS` in
https://github.com/Nuitka/Nuitka/blob/4.3.3/nuitka/freezer/DllDependenciesMacOS.py). A name whose
last part is the file's own is one that every release takes for the file itself, whatever stands
before it. So Nuitka is shown a link to the file that is called as the file calls itself.
"""

from __future__ import annotations

import os
import posixpath
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from rustext.files.untrusted import open_file
from rustext.formats.binary import HEAD, read_binary
from rustext.formats.macho.image import is_macho
from rustext.loaders.resolver import Resolver
from rustext.loaders.rules import Loader
from rustext.model.image import Binary
from rustext.model.libraries import Edge, FoundBy, LibraryGraph, Missing, Resolved
from rustext.plan.destinations import Layout, check_destinations
from rustext.plan.planner import Planner

_RPATH = "@rpath/"
_RELATIVE = frozenset({"@rpath", "@loader_path", "@executable_path"})


class InstallNames:
    """Answers for a planner's environment; the links live as long as they do."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner
        self._env = planner.env
        self._resolver = Resolver(loader=Loader())
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._links: dict[Path, Path] = {}
        self._with_libraries: set[Path] = set()

    def stand_in(self, path: Path, package: str | None) -> Path:
        """The path to show to Nuitka: a link in a folder of its own, or `path` if that will do.

        `package` is the one that Nuitka takes the file for. Libraries that the file finds from its
        own place have links in the same places seen from there, as Nuitka looks for them by the
        path that it was shown. Raises `RustextError` if the file is damaged.
        """
        if path in self._links or not _is_macho_file(path):
            return self._links.get(path, path)
        name = unknown_name(read_binary(path), package)
        if name is not None:
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="rustext-names-")
            root = Path(self._folder.name).resolve() / str(len(self._links))
            depth = path.parent.relative_to(path.anchor)
            links = dict(iter_links(self._resolver.resolve(path), root / depth / name))
            for link, target in links.items():
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(target)
            self._links[path] = root / depth / name
            if len(links) > 1:
                self._with_libraries.add(path)
        return self._links.get(path, path)

    def needs_outside(self, module: str) -> bool:
        """Whether the libraries of a module are shown to Nuitka outside of `site-packages`."""
        found = self._env.find_module(module) if self._with_libraries else None
        return found is not None and found.path in self._with_libraries

    def stops(self, path: Path) -> tuple[str, ...]:
        """What Nuitka will stop at, a line each: missing libraries, and a header without room.

        Unlike dyld it stops at weak libraries too. Raises as `stand_in`.
        """
        if not _is_macho_file(path):
            return ()
        missing = dict.fromkeys(e.soname for e in self._edges(path) if isinstance(e, Missing))
        gone = (name for name in missing if not any(self._folders_with(name)))
        return (
            *(f"'{path}' needs '{name}', which was not found; Nuitka will abort" for name in gone),
            *self._without_room(path),
        )

    def _without_room(self, path: Path) -> Iterator[str]:
        site = self._env.site_of(path)
        if site is not None:
            file, graph = self._planner.catalogue.read_file(path), self._resolver.resolve(path)
            for finding in check_destinations(file, graph, site, Layout.NUITKA):
                if finding.id == "install-name":
                    yield f"{finding.message}: install_name_tool fails, and Nuitka; {finding.hint}"

    def folders(self, package: str) -> tuple[Path, ...]:
        """The folders of libraries that a package's distribution takes from other distributions.

        dyld finds such a library by its install name, once the other distribution has loaded it.
        """
        module = self._env.find_module(package)
        dist = self._env.owner_of(module.path) if module and module.path else None
        if dist is None:
            return ()
        files = (dist.site / f for f in dist.files if f.suffix in {".so", ".dylib"})
        edges = chain.from_iterable(self._edges(path) for path in files if _is_macho_file(path))
        missing = dict.fromkeys(edge.soname for edge in edges if isinstance(edge, Missing))
        return tuple(chain.from_iterable(map(self._folders_with, missing)))

    def _edges(self, path: Path) -> tuple[Edge, ...]:
        """What the file itself asks for, and how that ends."""
        return tuple(e for e in self._resolver.resolve(path).edges if e.needed_by == path)

    def _folders_with(self, soname: str) -> Iterator[Path]:
        if not soname.startswith(_RPATH):
            return
        for dist in self._env.distributions.values():
            for file in dist.files:
                if file.name == soname.removeprefix(_RPATH):
                    yield (dist.site / file).parent


def unknown_name(binary: Binary, package: str | None) -> str | None:
    """The last part of the install name by which a file refers to itself, if that needs telling.

    None where it is the file's own name, or that name after the package's, which Nuitka knows;
    and for a file without an install name, or with several in its slices.
    """
    known = {binary.path.name, f"{package}.{binary.path.name}"}
    names = {posixpath.basename(image.soname) for image in binary.images if image.soname}
    return names.pop() if len(names) == 1 and names.isdisjoint(known) else None


def iter_links(graph: LibraryGraph, first: Path) -> Iterator[tuple[Path, Path]]:
    """Links that look, from `first` as the graph's file, like what that file finds from its place.

    Each is a path and the file that it stands for, `first` being the first of them. Nuitka takes
    the folder of the file that asks for `@rpath`, `@loader_path` and `@executable_path` alike.
    """
    places = {graph.root: first}
    yield first, graph.root
    taken = {first}
    for edge in graph.edges:
        if not isinstance(edge, Resolved) or edge.path is None or edge.how is FoundBy.SELF:
            continue
        start, _, rest = edge.soname.partition("/")
        if start in _RELATIVE and edge.needed_by in places:
            place = Path(os.path.normpath(places[edge.needed_by].parent / rest))
            places.setdefault(edge.path, place)
            if place not in taken:
                taken.add(place)
                yield place, edge.path


def _is_macho_file(path: Path) -> bool:
    try:
        with open_file(path) as stream:
            return is_macho(stream.read(HEAD))
    except OSError:
        return False
