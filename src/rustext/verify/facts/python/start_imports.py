"""Follow what a program imports when it starts, from its first script through its archive.

In: a `Bundle` and one of its programs. Out: a `Start`: the modules that it gets to, those that it
cannot do without and that are not there, and the libraries that its code opens. Only what happens
in every run is followed: imports at module level, not below a condition, no failure caught. Native
code gets to all that it imports and that is there; the rest is for `checks.python.imports`.
"""

from __future__ import annotations

import functools
import hashlib
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from typing import Any

from rustext.discovery.module_names import packages_of
from rustext.environment.python_text import resolve
from rustext.errors import InvalidBinary, UnreadableFile
from rustext.files.cache import KeptFacts, identify
from rustext.files.codec import from_plain, to_plain
from rustext.formats.marshal_reader import Code
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.bundle.program import Freezer, Program
from rustext.verify.bytecode.code_store import CodeStore, Module
from rustext.verify.bytecode.instructions import is_known, iter_texts
from rustext.verify.bytecode.module_code import (
    Import,
    adds_folders,
    find_function,
    find_imports,
    iter_exported,
    iter_mentioned,
    iter_stored,
    makes_modules,
)
from rustext.verify.bytecode.named_paths import COMPUTES
from rustext.verify.facts.python.bound_names import find_unsure, makes_attributes, may_bind
from rustext.verify.facts.python.import_clues import may_enter, may_hand_in, read_imported
from rustext.verify.facts.python.importable_modules import find_packages
from rustext.verify.facts.python.program_starts import (
    MissingModule,
    Start,
    platform_facts,
)
from rustext.verify.facts.python.start_limits import may_matter, note_limits, note_listed
from rustext.verify.facts.python.start_openings import note_openings

# Every Python imports these when it starts, before any code of the program (Python/pylifecycle.c).
_INTERPRETER = ("encodings", "encodings.utf_8", "io")
_BOOTSTRAP = "pyimod"  # PyInstaller's own, which its bootloader puts in place out of the archive
_LIMIT = 20_000  # modules; a program that imports more than these at its start was never seen


def follow_start(bundle: Bundle, program: Program, python: tuple[int, int] | None) -> Start:
    """Follow a program's start; `python` is the version that wrote its bytecode, where known."""
    start = Start(program=program)
    if program.damage is not None:
        start.reason = program.damage
        return start
    if python is None or not is_known(python):
        version = ".".join(map(str, python)) if python is not None else "an unknown version"
        start.reason = f"bytecode of Python {version} cannot be followed"
        return start
    with CodeStore(bundle, program, python) as store:
        follower = _Follower(bundle, store, start)
        scripts = [store.read(s) for s in (program.archive.start if program.archive else ())]
        if bundle.freezer is Freezer.CX_FREEZE:
            scripts = list(store.find_cx_freeze_scripts(program.path.stem))
        if program.code is not None:
            scripts = list(filter(None, [store.find("__main__")]))
        if not any(s.code is not None or s.texts is not None for s in scripts):
            return start
        for name in _INTERPRETER:
            follower.need(name, None)
        for script in scripts:
            follower.run(script)
            follower.install(script)
        follower.try_caught()
        follower.search_rest()
    start.followed = True
    return start


def find_start(
    kept: KeptFacts, bundle: Bundle, program: Program, python: tuple[int, int] | None
) -> Start:
    """The same, followed only if it is not known for these files from an earlier run."""
    modules = [sorted(bundle.modules_of(program)), bundle.builtins_known]
    libraries = sorted({(str(m.library), identify(m.library)) for m in bundle.libraries})
    loose = [(name, identify(path)) for name, path in sorted(bundle.loose.items())]
    native = [(str(path), identify(path)) for path, file in bundle.files if file.provenance.rust]
    facts = (modules, libraries, loose, native, python, sys.version_info[:2])
    given = hashlib.sha256(repr(facts).encode()).hexdigest()
    plain = kept.get(
        program.carrier, Any, lambda: _dump(follow_start(bundle, program, python)), given=given
    )
    start: Start = from_plain(Start, {**plain, "program": program})
    return start


def _dump(start: Start) -> dict[str, Any]:
    return {f.name: to_plain(getattr(start, f.name)) for f in fields(start) if f.name != "program"}


class _Follower:
    """What has been reached so far, and what is still to be read."""

    def __init__(self, bundle: Bundle, store: CodeStore, start: Start) -> None:
        self._store, self._start, self._knows_all = store, start, bundle.builtins_known
        self._unsure = find_unsure(bundle, start.program)
        self._modules = bundle.modules_of(start.program)
        self._packages = find_packages(bundle, start.program, self._modules)
        self._known: dict[str, Module] = {}
        self._work: list[tuple[Module, bool]] = []
        self._platform = platform_facts(bundle.image, store.python)
        self._reported: set[str] = set()
        self._bound: dict[str, frozenset[str]] = {}
        self._caught: list[tuple[Import, Module]] = []
        self._seen = start.reached  # where modules are noted
        self._noted: set[str] = set()
        self._bootstrap = {m.name for m in bundle.libraries}
        on_disk = (*bundle.loose, *(f.module for _, f in bundle.files if f.module is not None))
        # What could be a module's name where a folder is added to `sys.path`.
        self._files = {part for name in on_disk for part in name.split(".")}
        self._natives = {
            file.module: (path, file) for path, file in bundle.files if file.provenance.rust
        }

    def run(self, script: Module) -> None:
        """Follow a script of the program, and all that it gets to."""
        self._start.reached.setdefault(script.name, None)
        self._noted.add(script.name)
        self._known[script.name] = script
        self._work.append((script, True))
        self._follow()

    def install(self, module: Module) -> None:
        """Follow the `install` of a module, as PyInstaller's pyiboot01_bootstrap.py calls it."""
        archive = self._start.program.archive
        code = module.code and find_function(module.code, self._store.python, "install")
        if code is not None and archive is not None and module.name not in archive.scripts:
            self.run(replace(module, name=f"{module.name}.install", code=code))

    def need(self, name: str, importer: str | None) -> None:
        """Follow the import of a module that has to be there."""
        self._import(name, importer)
        self._follow()

    def _follow(self) -> None:
        while self._work and len(self._noted) < _LIMIT:
            module, main = self._work.pop()
            code = module.code
            if module.texts is not None:
                self._take_texts(module, module.texts)
                continue
            if self._seen is self._start.reached:
                self._note_limits(module)
            if code is None:
                self._start.unread += [] if module.namespace else [module.name]
                continue
            facts = self._facts(module, main=main)
            self._note_openings(module, code, facts)
            is_gone = functools.partial(self._is_gone, module)
            for one in find_imports(code, self._store.python, facts, is_gone):
                if one.certain and one.caught:
                    self._caught.append((one, module))
                elif one.certain:
                    self._take(one, module)

    def _note_limits(self, module: Module) -> None:
        """Note what of a module's work cannot be followed."""
        code, start = module.code, self._start
        if code is None:
            start.opaque += [] if module.namespace else [module.name]
            return
        find = functools.partial(self._code_of, importer=module)
        called = note_limits(start, module, code, self._store.python, self._packages, find)
        self._caught += [(one, module) for one in called]
        if start.adds_folders is None and module.name not in self._bootstrap:
            start.adds_folders = module.name if adds_folders(code, self._store.python) else None

    def _code_of(self, one: Import, importer: Module) -> Code | None:
        """The code of the module that an import names, whether the start gets to it or not."""
        base = _absolute(one, importer)
        found = self._known.get(base or "") or (self._store.find(base) if base else None)
        return found.code if found is not None else None

    def try_caught(self) -> None:
        """Follow the imports that every run makes and can do without, as far as they succeed."""
        for seen in (self._start.intact, self._start.tried):
            self._seen, later = seen, []
            while self._caught:
                one, module = self._caught.pop()
                if one.caught_broken and seen is self._start.intact:
                    later.append((one, module))
                else:
                    self._take(one, module)
                    self._follow()
            self._caught = later

    def search_rest(self) -> None:
        """Look at modules that the start does not get to: what they open, and import of folders."""
        for name, data in self._store.iter_marshalled():
            if name not in self._known and may_matter(data):
                module = self._store.find(name)
                if module is not None and module.code is not None:
                    self._note_openings(module, module.code, self._facts(module, main=False))
                    note_listed(self._start, name, module.code, self._store.python)

    def _note_openings(self, module: Module, code: Code, facts: Mapping[str, object]) -> None:
        note_openings(
            self._start,
            module,
            code,
            python=self._store.python,
            known=facts,
            packages=self._packages,
            computed=any(map(self._computes, packages_of(module.name))),
        )

    def _computes(self, package: str) -> bool:
        """Whether any code of a package that the start gets to imports a name that it computes."""
        module = self._known.get(package)
        nested = module.code.iter_nested() if module is not None and module.code is not None else ()
        return any(not COMPUTES.isdisjoint(code.names) for code in nested)

    def _facts(self, module: Module, *, main: bool) -> dict[str, object]:
        return {**self._platform, "__name__": "__main__" if main else module.name}

    def _take(self, one: Import, module: Module) -> None:
        base = _absolute(one, module)
        if base is None or not self._import(base, module.name):
            return
        known = self._known.get(base)
        listed = known.code if "*" in one.names and known is not None else None
        names = one.names if listed is None else iter_exported(listed, self._store.python)
        for name in names:
            if name != "*":
                self._take_name(base, name, module.name, spelled=listed is None)

    def _take_texts(self, module: Module, texts: frozenset[str]) -> None:
        """Follow what a compiled module imports, its functions included.

        Nuitka's texts have the parts of names, and other texts too.
        """
        if module.name in self._natives:
            for text in sorted(texts):
                self._import(text, module.name)
            return
        around = {"", module.name, *packages_of(module.name)}
        for text in sorted(texts):
            for name in self._by_last_part.get(text.rpartition(".")[2], ()):
                package = name.rpartition(".")[0]
                if text == name or package in around or package.rpartition(".")[2] in texts:
                    self._import(name, module.name)

    @functools.cached_property
    def _by_last_part(self) -> Mapping[str, Sequence[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for name in sorted(self._modules):
            found[name.rpartition(".")[2]].append(name)
        return found

    def _take_name(self, base: str, name: str, importer: str, *, spelled: bool) -> None:
        """`from base import name`: a module, if `base` has no attribute of that name."""
        full = f"{base}.{name}"
        package = self._known.get(base)
        if full in self._known or package is None:
            return
        if not package.package:
            code = package.code if spelled and not self._unsure(base) else None
            if code is not None and not may_bind(code, self._store.python, base, name):
                self._miss(full, importer, attribute=True)
            return
        if full in self._modules or full in self._packages:
            if importer == base or name not in self._stored(package):  # not bound by this import
                self._import(full, importer)
        elif package.code is not None and not self._makes_attribute(package, package.code, name):
            self._miss(full, importer, attribute=True)

    def _stored(self, module: Module) -> frozenset[str]:
        """The names that a module's own code binds."""
        if module.name not in self._bound:
            found = iter_stored(module.code, self._store.python) if module.code is not None else ()
            self._bound[module.name] = frozenset(found)
        return self._bound[module.name]

    def _makes_attribute(self, package: Module, code: Code, name: str) -> bool:
        """Whether a package's code binds a name, or may do so in a way that cannot be seen."""
        return (
            name in self._stored(package)
            or makes_attributes(code)
            or any(
                "*" in one.names and self._may_export(_absolute(one, package), name)
                for one in iter_mentioned(code, self._store.python)
            )
            or makes_modules(code, self._store.python, f"{package.name}.{name}")
            or name.startswith("__")
        )

    def _may_export(self, source: str | None, name: str) -> bool:
        """Whether `from source import *` may bind a name.

        A private one has to be listed in `__all__`
        (https://docs.python.org/3/reference/simple_stmts.html#import).
        """
        module = self._known.get(source or "")
        if module is None or module.code is None:
            return True
        if not name.startswith("_"):
            return True
        taken = {one.names for one in iter_mentioned(module.code, self._store.python)}
        rest = tuple(c for c in module.code.constants if c not in taken)
        return name in iter_texts(rest)

    def _import(self, name: str, importer: str | None) -> bool:
        """Note a module and its packages as reached; False where one is not there."""
        parts = name.split(".")
        for count in range(1, len(parts) + 1):
            prefix = ".".join(parts[:count])
            if prefix in self._noted:
                continue
            if prefix not in self._modules and prefix not in self._packages:
                self._miss(prefix, importer)
                return False
            self._noted.add(prefix)
            self._seen[prefix] = importer
            found = self._store.find(prefix)
            if found is not None:
                self._known[prefix] = found
                self._work.append((found, False))
            elif prefix in self._natives:
                self._work.append((self._read_native(prefix), False))
        return True

    def _read_native(self, name: str) -> Module:
        """A native module, with the names of the modules that its code imports."""
        texts: frozenset[str] = frozenset()
        with suppress(InvalidBinary, UnreadableFile):  # other checks speak of such a file
            texts = read_imported(*self._natives[name], self._modules)
        return Module(name, package=False, code=None, texts=texts)

    def _miss(self, name: str, importer: str | None, *, attribute: bool = False) -> None:
        if self._seen is self._start.intact and not attribute:
            self._seen[name] = importer  # its file may be there, and be none that can be read
        excused = self._seen is not self._start.reached
        if excused or self._start.program.freezer is Freezer.NUITKA:
            return  # Nuitka knew what is not there; its table tells which files have to be
        if self._comes_along(name):
            return
        if name in self._reported or (importer is not None and self._may_be_made(name, importer)):
            return
        self._reported.add(name)
        chain = self._start.chain(importer) if importer is not None else ()
        parent = self._known.get(name.rpartition(".")[0]) if attribute else None
        module = parent.name if parent and not parent.package else ""
        self._start.missing.append(MissingModule(name=name, chain=chain, module=module))

    def _comes_along(self, name: str) -> bool:
        """Whether a package that adds folders to `sys.path` has such a module in one of its own."""
        top = (self._start.adds_folders or "").partition(".")[0]
        inner = (m for m in self._modules if m.startswith(f"{top}.")) if top else ()
        return any(module.endswith(f".{name}") for module in inner)

    def _is_gone(self, module: Module, one: Import) -> bool:
        """Whether an import fails in every run: there is no such module in the bundle."""
        base = _absolute(one, module)
        if base is None or one.lazy or not self._knows_all:
            return False
        names = (*reversed(packages_of(base)), base)
        absent = (n for n in names if n not in self._modules and n not in self._packages)
        first = next(absent, None)
        if first is None or (self._start.adds_folders and first.rpartition(".")[2] in self._files):
            return False
        return not self._may_be_made(first, module.name)

    def _may_be_made(self, name: str, importer: str) -> bool:
        """Whether code that has run by then, native or not, may have put the module in place."""
        if name.startswith(_BOOTSTRAP) and self._start.program.archive is not None:
            return False
        if name.startswith(f"{importer}.") and may_enter(self._natives, importer):
            return True  # the importing file need never run
        parent = name.rpartition(".")[0]
        if parent and parent not in self._known:
            return parent in self._modules
        if parent and may_hand_in(self._natives, self._seen.keys(), name):
            return True
        known = (self._known.get(at) for at in {importer, *packages_of(name)})
        codes = (module.code for module in known if module is not None)
        return any(makes_modules(c, self._store.python, name) for c in codes if c is not None)


def _absolute(one: Import, module: Module) -> str | None:
    """The absolute name of what an import names; None where it leads out of all packages."""
    package = module.name if module.package else module.name.rpartition(".")[0]
    return resolve("." * one.level + one.module, package)
