"""Tell what a native file of a bundle is there for: a module, a library of others, or mere data.

In: a `Subject`. Out: `Uses`, which says why a file gets into the bundle's process. Packages carry
files for other machines and other C libraries that nothing loads there; those are data, and no
fault of the bundle.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from rustext.model.image import ImageKind
from rustext.model.libraries import iter_reached
from rustext.model.native_file import NativeFile
from rustext.verify.facts.native.loaded_files import OPENED, name_module
from rustext.verify.subject import Subject

Fits = Callable[[Path, NativeFile], bool]


class Uses:
    """Why the files of one bundle are loaded; `fits` says which of them the process could load.

    Nothing is looked at before the first question: in most bundles there is none.
    """

    def __init__(self, subject: Subject, fits: Fits) -> None:
        """Take what the answers depend on."""
        self._subject = subject
        self._fits = fits

    @functools.cached_property
    def _fitting(self) -> frozenset[Path]:
        return frozenset(path for path, f in self._subject.bundle.files if self._fits(path, f))

    @functools.cached_property
    def _modules(self) -> frozenset[tuple[str, str] | None]:
        files = self._subject.bundle.files
        return frozenset(self._key(path, f) for path, f in files if path in self._fitting)

    def why_loaded(self, path: Path, file: NativeFile) -> tuple[str, str] | None:
        """A line of evidence, or None for a file that nothing in the bundle loads.

        A module counts as data where its package has the same module for this process as well.
        """
        module = self.module_of(path, file)
        if module is not None and self._key(path, file) not in self._modules:
            return ("imported as", module)
        asker = self._askers.get(path.resolve())
        if asker is not None:
            return ("needed by", self._subject.inside(asker))
        reason = self._subject.loaded.surely(path)
        return reason if reason is not None and reason[0] == OPENED else None

    def module_of(self, path: Path, file: NativeFile) -> str | None:
        """The module that a file was made to be, whoever can import it."""
        if file.binary.image.kind is ImageKind.EXECUTABLE:
            return None
        folders = file.path.parent.parts  # below one that is no name, it is found by its own
        start = max((n for n, part in enumerate(folders, 1) if not part.isidentifier()), default=0)
        inits = file.binary.python_inits
        return name_module(self._subject.bundle, folders[start:], path.name, inits)

    def _key(self, path: Path, file: NativeFile) -> tuple[str, str] | None:
        """A module by its package and last name: one for each machine may have a folder each."""
        module = self.module_of(path, file)
        if module is None:
            return None
        return module.partition(".")[0] if "." in module else "", module.rpartition(".")[2]

    @functools.cached_property
    def _askers(self) -> dict[Path, Path]:
        """For each file that the loader reaches or refuses, one that asks for it by name."""
        askers: dict[Path, list[Path]] = defaultdict(list)
        for edge in self._subject.edges:
            for path in iter_reached(edge) if edge.needed_by in self._fitting else ():
                askers[path].append(edge.needed_by)
        by_real_path: dict[Path, Path] = {}
        for path, needed_by in sorted(askers.items()):
            by_real_path.setdefault(path.resolve(), min(needed_by))
        return by_real_path
