"""What the loader would bind the symbols of a bundle's files to.

In: a `Bundle`, and which of its files are loaded. Out: for a file, the symbols without a
definition. A process looks first in the global scope, which is the program with all that it needs
(and PyInstaller's Python, which its bootloader opens with RTLD_GLOBAL), then in what was opened
with dlopen: the module with all that it needs (dlopen(3), elf/dl-lookup.c). Each file is read once.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from rustext.files.cache import identify
from rustext.formats.binary import parse_file
from rustext.formats.elf.symbol_lookup import (
    Bound,
    Offered,
    Wanted,
    parse_elf_bound,
    parse_elf_copied,
    parse_elf_offered,
    parse_elf_wanted,
)
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.facts.native.loaded_files import LoadedFiles


class SymbolScopes:
    """The scopes of one bundle's process; what files define is read when it is asked for."""

    def __init__(self, bundle: Bundle, loaded: LoadedFiles) -> None:
        """Read nothing yet."""
        self._bundle = bundle
        self._loaded = loaded
        self._in_global: dict[tuple[str, str | None], bool] = {}
        self._offers: dict[Path, Offered] = {}
        self._states: dict[frozenset[Path], bytes] = {}

    @functools.cached_property
    def started(self) -> frozenset[Path]:
        """The files of the global scope, by real path."""
        return self._loaded.at_start.union(*map(self._loaded.closure, self.pythons))

    @property
    def pythons(self) -> tuple[Path, ...]:
        """The Python that PyInstaller's program opens, for all to see (RTLD_NOW, RTLD_GLOBAL)."""
        program = self._bundle.program
        library = program.library if program is not None else ""
        return ((self._bundle.contents / library).resolve(),) if library else ()

    def unbound(self, path: Path, scopes: Iterable[frozenset[Path]]) -> tuple[Wanted, ...]:
        """The symbols that a file asks for and that neither the global scope nor `scopes` define.

        Empty for a file whose symbols cannot be read: that is for another finding.
        """
        asked = parse_file(path, parse_elf_wanted, ())
        left = [wanted for wanted in asked if not self._is_global(wanted)]
        if not left:
            return ()
        seen: set[Path] = set()
        for file in (file for scope in scopes for file in sorted(scope)):
            if left and file not in seen:
                seen.add(file)
                left = self.offered(file).without(left)
        return tuple(left)

    def state(self, scopes: Iterable[frozenset[Path]]) -> str:
        """A digest of the files in the global scope and in `scopes`: of what `unbound` reads."""
        digest = hashlib.sha256(self._state_of(self.started))
        for scope in sorted(map(self._state_of, scopes)):
            digest.update(scope)
        return digest.hexdigest()

    def _state_of(self, scope: frozenset[Path]) -> bytes:
        if scope not in self._states:
            lines = "\n".join(f"{path} {identify(path)}" for path in sorted(scope))
            self._states[scope] = hashlib.sha256(os.fsencode(lines)).digest()
        return self._states[scope]

    def uncopied(self, path: Path) -> tuple[Wanted, ...]:
        """The variables that a program has copies of and that no library of its defines."""
        others = self._loaded.at_start - {path}
        return tuple(
            w
            for w in parse_file(path, parse_elf_copied, ())
            if not any(self.offered(o).has_name(w.name) for o in others)
        )

    def offered(self, path: Path) -> Offered:
        """The definitions of a file."""
        if path not in self._offers:
            self._offers[path] = parse_file(path, parse_elf_offered, Offered({}))
        return self._offers[path]

    def definer(self, wanted: Wanted) -> Path | None:
        """A file of the bundle that has a definition, whoever loads it."""
        for path, file in self._bundle.files:
            if self._loaded.fits(file) and self.offered(path.resolve()).has(wanted):
                return path
        return None

    def _is_global(self, wanted: Wanted) -> bool:
        key = wanted[:2]
        found = self._in_global.get(key)
        if found is None:
            found = any(self.offered(path).has(wanted) for path in self.started)
            self._in_global[key] = found
        return found


def read_bound(path: Path) -> Bound:
    """The names that a file's relocations look up."""
    return parse_file(path, parse_elf_bound, Bound(frozenset(), frozenset()))
