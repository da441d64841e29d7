"""The library graph of a native file, by the rules of the loader that would load it.

In: a file, what the loader knows (`Loader`), and how to read binaries. Out: a `LibraryGraph` with
one edge for each library that some image asks for, in the order in which the loader meets them.
The file's own format chooses the rules, never the platform that this runs on.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

from rustext.errors import RustextError, TooComplex
from rustext.formats.binary import read_linkage
from rustext.formats.elf.libc import uses_musl
from rustext.loaders.dyld import MachORules
from rustext.loaders.glibc import GlibcRules, SystemFolders, read_system
from rustext.loaders.musl import MuslRules
from rustext.loaders.rules import Loader, Mapped, Rejection, Rules
from rustext.loaders.sysroot import Sysroot
from rustext.loaders.windows import PeRules
from rustext.model.image import Binary, Format, Image, ImageKind, Needed
from rustext.model.libraries import Edge, FoundBy, LibraryGraph, Missing, Resolved, Searched

_FileId = tuple[int, int]  # device and inode, as all loaders compare files

_FILE_LIMIT = 50_000  # libraries and places for one file; a large GUI program takes some 3,000


def resolve(
    path: Path, *, loader: Loader, read: Callable[[Path], Binary] = read_linkage
) -> LibraryGraph:
    """Return the closure of one file's libraries; see `Resolver.resolve`."""
    return Resolver(loader=loader, read=read).resolve(path)


class Resolver:
    """Resolves many files for one loader, and reads each library and the cache only once.

    What it has read it does not read again: a resolver lives as long as the files stay the same.
    `limit` is how many places it looks at and answers it gives in all, `_FILE_LIMIT` for one
    file: untrusted files may need each other in millions of ways.
    """

    def __init__(
        self,
        *,
        loader: Loader,
        read: Callable[[Path], Binary] = read_linkage,
        limit: int | None = None,
    ) -> None:
        self._loader = loader
        self._root = Sysroot(loader.root, loader.cwd)
        self._files = _Files(self._root, read, limit)
        self._systems: dict[tuple[str, str | None], SystemFolders] = {}
        self._running: dict[str, _Process] = {}  # the loader's program, by architecture

    def resolve(self, path: Path) -> LibraryGraph:
        """Return the closure of one file's libraries, for all images in it.

        A file that is a program is judged as a process of its own, anything else as loaded into
        the loader's program. An edge that several slices of a fat file share appears once.
        Raises `RustextError` if `path` or the loader's program cannot be read, and `TooComplex` at
        a limit.
        """
        self._files.begin()
        graphs: list[tuple[Edge, ...]] = []
        for image in self._images(path):
            mapped = self._map(path, image)
            process = self._process(image) or self._alone(mapped)
            graphs.append(tuple(process.load(mapped)))
        edges = graphs[0] if len(graphs) == 1 else tuple(dict.fromkeys(chain(*graphs)))
        return LibraryGraph(root=path, edges=edges)

    def _images(self, path: Path) -> tuple[Image, ...]:
        binary = self._files.read(path)
        if isinstance(binary, RustextError):
            raise binary
        return binary.images

    def _map(self, path: Path, image: Image) -> Mapped:
        """Map a file that is asked for by path; the kernel starts a program at its real path."""
        file = self._root.real(path) if image.kind is ImageKind.EXECUTABLE else path
        name = self._root.enter(file)
        return Mapped(image=image, path=path, name=name, origin=self._files.origin(image, name))

    def _process(self, image: Image) -> _Process | None:
        """Return a process of the loader's program, or None where it could not load the image.

        What the program needs is there before anything is opened.
        """
        path = self._loader.executable
        if path is None or image.kind is ImageKind.EXECUTABLE:
            return None
        for own in self._images(path):
            if (own.format, own.architecture) == (image.format, image.architecture):
                break
        else:
            return None
        if own.architecture not in self._running:
            program = self._map(path, own)
            process = _Process(self._files, self._rules(program))
            deque(process.load(program), maxlen=0)
            process.names.update(self._loader.loaded)
            self._running[own.architecture] = process
        return self._running[own.architecture].fork()

    def _alone(self, mapped: Mapped) -> _Process:
        process = _Process(self._files, self._rules(mapped))
        if mapped.image.kind is not ImageKind.EXECUTABLE:
            process.names.update(self._loader.loaded)
        return process

    def _rules(self, program: Mapped) -> Rules:
        image = program.image
        if image.format is Format.MACHO:
            return MachORules(program)
        if image.format is Format.PE:
            return PeRules(self._loader, self._root, program)
        if uses_musl(image):
            return MuslRules(self._loader, self._root, program)
        key = image.architecture, image.interpreter
        if key not in self._systems:
            self._systems[key] = read_system(self._root, image)
        return GlibcRules(self._loader, self._root, program, self._systems[key])


class _Files:
    """Files of this machine, each found and read once, whatever it is called."""

    def __init__(
        self, root: Sysroot, read: Callable[[Path], Binary], limit: int | None = None
    ) -> None:
        self.root = root
        self._read = read
        self._left = -1 if limit is None else limit
        self._left_for_file = _FILE_LIMIT
        self._seen: dict[_FileId, Binary | RustextError] = {}
        self._located: dict[str, tuple[Path, _FileId] | None] = {}

    def begin(self) -> None:
        """Start to count for another file."""
        self._left_for_file = _FILE_LIMIT

    def count(self, asker: Path) -> None:
        """Count one place or answer; raise `TooComplex` when there were too many."""
        if not self._left_for_file:
            raise TooComplex(
                f"`{asker}` and what it needs name more than {_FILE_LIMIT:,} libraries and places "
                "to look for them"
            )
        if not self._left:
            raise TooComplex(
                f"the files before `{asker}` name too many libraries and places to look for them"
            )
        self._left -= 1
        self._left_for_file -= 1

    def locate(self, path: str) -> tuple[Path, _FileId] | None:
        """Return the file that a loader's path means and what identifies it, None if it is absent.

        Below a foreign root the answer may change when another bundle is entered.
        """
        if path in self._located and not self.root.foreign:
            return self._located[path]
        file = self.root.host_name(path)
        identity = _identify(file)
        found = self._located[path] = (Path(file), identity) if identity else None
        return found

    def origin(self, image: Image, path: str) -> str:
        """The folder that `$ORIGIN` or `@loader_path` stands for in an image with a loader's path.

        dyld alone follows links first (`JustInTimeLoader::makeJustInTimeLoaderDisk`).
        """
        if image.format is Format.MACHO:
            path = self.root.enter(self.root.real(self.root.host(path)))
        return self.root.folder(path)

    def read(self, path: Path, identity: _FileId | None = None) -> Binary | RustextError:
        """Return the file's images, or why they cannot be had."""
        identity = identity or _identify(path) or (-1, -1)
        if identity not in self._seen:
            try:
                self._seen[identity] = self._read(path)
            except RustextError as error:
                if identity == (-1, -1):
                    return error
                self._seen[identity] = error
        return self._seen[identity]


class _Process:
    """One process: its loader's rules, and what is mapped in it under which names."""

    def __init__(self, files: _Files, rules: Rules) -> None:
        self._files = files
        self._rules = rules
        self.names: dict[str, Path] = dict(rules.preloaded())
        self._mapped: dict[_FileId | None, Path] = {}

    def fork(self) -> _Process:
        """Return a copy, so that two files are opened as if each were the only one."""
        copy = _Process(self._files, self._rules)
        copy.names = dict(self.names)
        copy._mapped = dict(self._mapped)
        return copy

    def load(self, image: Mapped) -> Iterator[Edge]:
        """Map an image and all that it needs; yield each request and how it ended."""
        self._add(image, _identify(image.path))
        work = deque([image])
        while work:
            current = work.popleft()
            found: list[Mapped] = []
            for needed in current.image.needed:
                yield self._find(current, needed, found)
            if self._rules.breadth_first:
                work.extend(found)
            else:
                work.extendleft(reversed(found))

    def _add(self, mapped: Mapped, identity: _FileId | None, needed: str | None = None) -> None:
        self._mapped[identity] = mapped.path
        for name in self._rules.names(mapped, needed):
            self.names.setdefault(name, mapped.path)

    def _find(self, current: Mapped, needed: Needed, found: list[Mapped]) -> Edge:
        """Do what the loader does for one needed library; what gets mapped goes to `found`."""
        self._files.count(current.path)
        name = self._rules.key(current, needed.name)
        if name in self.names:
            how = FoundBy.SELF if self.names[name] == current.path else FoundBy.LOADED
            return _resolved(current, needed, how, self.names[name])
        searched: list[Searched] = []
        for place in self._rules.places(current, name):
            self._files.count(current.path)
            if place.how is FoundBy.SYSTEM:
                return _resolved(current, needed, place.how, None)
            if place.refused:
                searched.append(Searched(how=place.how, path=place.path, rejected=place.refused))
                continue
            located = self._files.locate(place.path)
            if located is None:
                if not place.silent:
                    searched.append(Searched(how=place.how, path=place.path))
                continue
            path, identity = located
            if identity in self._mapped:
                self.names.setdefault(name, self._mapped[identity])
                own = self._mapped[identity] == current.path
                return _resolved(current, needed, FoundBy.SELF if own else place.how, path)
            image = self._rules.select(self._files.read(path, identity))
            if isinstance(image, Rejection):
                rejected = Searched(how=place.how, path=place.path, rejected=image.reason)
                searched.append(rejected)
                if image.final:
                    break
                continue
            origin = self._files.origin(image, place.path)
            new = Mapped(image=image, path=path, name=place.path, origin=origin, loader=current)
            self._add(new, identity, name)
            found.append(new)
            return _resolved(current, needed, place.how, path)
        return Missing(
            soname=needed.name,
            searched=tuple(searched),
            needed_by=current.path,
            kind=needed.kind,
        )


def _resolved(current: Mapped, needed: Needed, how: FoundBy, path: Path | None) -> Resolved:
    return Resolved(
        soname=needed.name, path=path, how=how, needed_by=current.path, kind=needed.kind
    )


def _identify(path: Path | str) -> _FileId | None:
    """Return what tells a file from others, or None if it is not there."""
    try:
        status = os.stat(path)  # noqa: PTH116 - a Path for each file that is not there costs more
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return None
    return status.st_dev, status.st_ino
