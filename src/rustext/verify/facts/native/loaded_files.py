"""Which files of a bundle get into its process, and why; the rest is data.

In: a `Bundle`, and what the loader would find for its files. Out: `LoadedFiles`, asked file by
file. A file is loaded if the program is started from it, if Python imports it, if a loaded file
needs it, if bundled code names it, or if the build's plan tells of code that opens it. Packages
carry files for other machines, plugins of other programs and files with debug information alone,
which nothing loads: those are no fault of a bundle.
"""

from __future__ import annotations

import functools
import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from rustext.discovery.extension_suffixes import parse_suffix, split_suffix
from rustext.discovery.module_names import find_init
from rustext.formats.elf.libc import libc_of
from rustext.model.image import ImageKind
from rustext.model.libraries import Edge, Missing, iter_reached
from rustext.model.native_file import NativeFile
from rustext.model.plan import BuildPlan, CompanionKind
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.bundle.native_files import folders_on_path, is_named_native
from rustext.verify.bundle.program import Freezer
from rustext.verify.facts.python.code_names import find_named
from rustext.verify.facts.python.program_starts import Start

Reason = tuple[str, str]  # a line of evidence
_STARTED = "started as"
PLANNED = "planned"
OPENED = "opened by"  # the program, which asks for its Python by name


def name_module(
    bundle: Bundle, folders: Sequence[str], file: str, inits: Collection[str] = ()
) -> str | None:
    """The module that a file was made to be: by its suffix, its function or a program's table."""
    stem, suffix = split_suffix(file)
    if suffix is None:
        return None
    name, parsed = ".".join((*folders, stem)), parse_suffix(suffix)
    tagged = parsed is not None and parsed.family != ""
    listed = any(name in program.modules for program in bundle.programs)
    return name if tagged or listed or find_init(stem, inits) is not None else None


class LoadedFiles:
    """The files that the bundle's process loads; what takes time is found when it is asked for."""

    def __init__(
        self,
        bundle: Bundle,
        edges: Iterable[Edge],
        starts: Sequence[Start] = (),
        plan: BuildPlan | None = None,
    ) -> None:
        """Take what the answers depend on; `starts` as far as they were followed."""
        self._bundle = bundle
        self._plan = plan
        self._starts = starts
        self._edges = tuple(edges)
        self._real = functools.cache(_resolve)

    def real(self, path: Path) -> Path:
        """The path without links, which is looked up once."""
        return self._real(path)

    def why(self, path: Path) -> Reason | None:
        """Why a file is loaded, as a line of evidence; None for one that nothing loads."""
        return self.surely(path) or self._opened.get(self._real(path))

    def surely(self, path: Path) -> Reason | None:
        """The same without what code names, which may never run."""
        return self._certain.get(self._real(path))

    def is_required(self, path: Path) -> bool:
        """Whether a program does not start without a file, or it is not known whether it does.

        A module whose import is caught, or that is imported in a function, is not required.
        """
        if not self._followed or self._real(path) in self._required:
            return True
        # What cannot be read or is misnamed is no module, but was made to be one.
        contents = self._bundle.contents
        if not path.is_relative_to(contents):
            return False
        folders = folders_on_path(contents, path.parent)
        module = ".".join((*folders, path.name.partition(".")[0]))
        return module in self._imported and not self._is_hidden(path.name, module)

    def ends_program(self, path: Path) -> bool:
        """Whether a program ends at its start if a file ends whatever loads it.

        It does not matter then whether the failure of an import is caught.
        """
        tried = frozenset(name for start in self._starts for name in start.tried)
        paths = (p for p, name in self.modules.items() if name in tried)
        return self.is_required(path) or any(self._real(path) in self.closure(p) for p in paths)

    @functools.cached_property
    def _followed(self) -> bool:
        return bool(self._starts) and all(start.followed for start in self._starts)

    @functools.cached_property
    def _imported(self) -> frozenset[str]:
        """The modules that the programs import when they start, whether they are there or not."""
        reached = {name for start in self._starts for name in (*start.reached, *start.intact)}
        return frozenset(reached | {m.name for start in self._starts for m in start.missing})

    @functools.cached_property
    def _required(self) -> frozenset[Path]:
        """The files that the programs load for these, by real path."""
        paths = {path for path, name in self.modules.items() if name in self._imported}
        for start in self._starts:
            if start.program.library:  # Python itself
                paths.add(self._real(self._bundle.contents / start.program.library))
        return self.at_start.union(*map(self.closure, paths))

    def is_started(self, path: Path) -> bool:
        """Whether a file is one of the programs at the top of the bundle."""
        reason = self.surely(path)
        return reason is not None and reason[0] == _STARTED

    @functools.cached_property
    def at_start(self) -> frozenset[Path]:
        """The files that are in the process before any code of the program runs, by real path."""
        started = (self.closure(program.path) for program in self._bundle.programs)
        return frozenset().union(*started)

    def closure(self, path: Path) -> frozenset[Path]:
        """A file and all that it needs, as far as it is found, by real path."""
        seen = {self._real(path)}
        work = [*seen]
        while work:
            new = self._needs.get(work.pop(), frozenset()) - seen
            seen |= new
            work.extend(new)
        return frozenset(seen)

    def lacks_any(self, path: Path) -> bool:
        """Whether a file or one that it needs does not find a library."""
        return not self._lacking.isdisjoint(self.closure(path))

    @functools.cached_property
    def modules(self) -> Mapping[Path, str]:
        """The extension modules that the process can import, by real path.

        One that lies in a folder with two names is known by the one that is imported.
        """
        found: dict[Path, str] = {}
        for path, file in self._bundle.files:
            name, real = self._module_of(path, file), self._real(path)
            if name is not None and (real not in found or name in self._imported):
                found[real] = name
        return found

    def fits(self, file: NativeFile) -> bool:
        """Whether the bundle's process could map a file: format, machine and C library."""
        own = self._bundle.image
        libc = libc_of(own)
        return any(
            (image.format, image.architecture, image.bits)
            == (own.format, own.architecture, own.bits)
            and (libc is None or libc_of(image) in {libc, None})
            for image in file.binary.images
        )

    def _module_of(self, path: Path, file: NativeFile) -> str | None:
        """The module that a file was made to be: by its suffix, its function or a table."""
        inits = file.binary.python_inits
        # A library with the mark of a program (DF_1_PIE) was made to be a module, and is refused.
        if not self.fits(file) or (file.binary.image.kind is ImageKind.EXECUTABLE and not inits):
            return None
        return name_module(self._bundle, file.path.parent.parts, path.name, inits)

    @functools.cached_property
    def _needs(self) -> Mapping[Path, frozenset[Path]]:
        """For each file the files that the loader takes for it, or refuses on the way."""
        needs: dict[Path, set[Path]] = defaultdict(set)
        for edge in self._edges:
            user = self._real(edge.needed_by)
            needs[user].update(map(self._real, iter_reached(edge)))
        return {user: frozenset(found) for user, found in needs.items()}

    @functools.cached_property
    def _lacking(self) -> frozenset[Path]:
        return frozenset(self._real(e.needed_by) for e in self._edges if isinstance(e, Missing))

    @functools.cached_property
    def _certain(self) -> dict[Path, Reason]:
        bundle = self._bundle
        roots: dict[Path, Reason] = {}
        program = bundle.program
        for one in bundle.programs:
            roots[self._real(one.path)] = (_STARTED, "the program")
            if one.library:
                python = self._real(bundle.contents / one.library)
                roots.setdefault(python, (OPENED, one.path.name))
        for path, file in bundle.files:
            if file.binary.image.kind is ImageKind.EXECUTABLE and path.parent == bundle.root:
                roots.setdefault(self._real(path), (_STARTED, "a program"))
            elif program is None and self.fits(file):  # a folder for a Python that is elsewhere
                roots.setdefault(self._real(path), ("in", "a folder of packages"))
        for path, name in self.modules.items():
            roots.setdefault(path, ("imported as", name))
        for unreadable in bundle.unreadable:
            meant = self.module_at(unreadable.path)
            if unreadable.path.parent == bundle.root and _is_started(unreadable.path):
                roots.setdefault(self._real(unreadable.path), (_STARTED, "a program"))
            elif meant is not None:
                roots.setdefault(self._real(unreadable.path), ("imported as", meant))
        return self._spread(roots)

    def module_at(self, path: Path) -> str | None:
        """The extension module that a file of this name would be, whatever is in it."""
        contents = self._bundle.contents
        if not path.is_relative_to(contents) or path.is_dir():
            return None
        folders = folders_on_path(contents, path.parent)
        module = name_module(self._bundle, folders, path.name)
        return None if module is None or self._is_hidden(path.name, module) else module

    def _is_hidden(self, file: str, module: str) -> bool:
        """Whether Python takes another file for a module: the one whose suffix says most.

        Nuitka's programs take the plain suffix alone.
        """
        return any(self._rank(other) < self._rank(file) for other in self._names_of[module])

    @functools.cached_property
    def _names_of(self) -> defaultdict[str, list[str]]:
        found = defaultdict(list)
        for path, module in self.modules.items():
            found[module].append(path.name)
        return found

    def _rank(self, name: str) -> int:
        suffix = parse_suffix(split_suffix(name)[1] or "")
        program = self._bundle.program
        plain = 0 if program is not None and program.freezer is Freezer.NUITKA else 2
        return plain if suffix is None or not suffix.family else int(suffix.family == "abi") + 1

    def _spread(self, roots: dict[Path, Reason]) -> dict[Path, Reason]:
        """The same with all files that these need, each with one file that needs it."""
        reasons = dict(roots)
        work = sorted(roots)
        while work:
            user = work.pop()
            for path in sorted(self._needs.get(user, ())):
                if path not in reasons:
                    reasons[path] = ("needed by", self._bundle.inside(user))
                    work.append(path)
        return reasons

    @functools.cached_property
    def _opened(self) -> dict[Path, Reason]:
        bundle = self._bundle
        others = [
            path
            for path, file in bundle.files
            if self._real(path) not in self._certain and self.fits(file)
        ]
        others += [u.path for u in bundle.unreadable if self._real(u.path) not in self._certain]
        named = find_named(bundle, others)
        roots = {self._real(p): ("named in", where) for p, where in named.items()}
        there = {self._real(path) for path in others}
        for companion in self._plan.companions if self._plan is not None else ():
            path = self._real(bundle.contents / companion.destination)
            if companion.kind is CompanionKind.LIBRARY and path in there:
                roots.setdefault(path, (PLANNED, companion.reason))
        return self._spread(roots)


def _resolve(path: Path) -> Path:
    """`Path.resolve` raises an error for a link to itself before Python 3.13."""
    return Path(os.path.realpath(path))


def _is_started(path: Path) -> bool:
    """Whether a file is a program by its mode and its name."""
    return not is_named_native(path.name) and path.is_file() and os.access(path, os.X_OK)
