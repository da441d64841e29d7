"""Modules that a distribution's Python code imports by calls that not every freezer can read.

In: the facts of its sources, and the environment. Out: each such name, with the file and its words.
A name may be spelled out (which Nuitka reads, and PyInstaller does not), be handed to a function
that imports it, be completed at run time, or be in a table of what is imported when somebody
asks for it (https://peps.python.org/pep-0562/):

    importlib.import_module(".writer", __package__)

    def require(name):
        return importlib.import_module(name)

    require("table_library")
    importlib.import_module(f"dictionary_{kind}")
    TABLE = {"Reader": ("package.reader", "Reader"), "Writer": (".writer", "Writer")}
    importlib.import_module(TABLE[name][0], __name__)
    BACKEND = "package.backends.fast.Backend"
    importlib.import_module(setting.rpartition(".")[0])
    from package.parts import *
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath

from rustext.data import read_data
from rustext.discovery.import_sites import CLASS_PATH_CALLS
from rustext.discovery.source_facts import module_of, used_files
from rustext.environment.distributions import Distribution
from rustext.environment.environment import Environment, Owner
from rustext.environment.python_text import iter_exported, iter_modules, resolve
from rustext.files.untrusted import text_of
from rustext.model.evidence import Evidence, EvidenceKind
from rustext.model.sources import HOLE, DistributionSources, ImportSite, SourceFacts

_NOT_FOR_IMPORT = frozenset({"__init__", "__main__"})  # parts of names
_LARGE, _LARGE_BYTES = 200, 1 << 20  # modules of a package, and bytes of their sources
_INDENTED = re.compile(r"^[ \t].*", re.MULTILINE)
_STATEMENTS = 1 << 16  # bytes of a source that its first imports are in
_SHORTEST = 4  # characters of the end of a name that is completed
_DEEPEST = 6  # parts of a name that are completed
_CLASS = re.compile(r"[A-Z]\w*")

Named = tuple[str, Evidence]


def find_named_imports(
    sources: DistributionSources,
    dist: Distribution,
    env: Environment,
    *,
    importers: Collection[tuple[str, str]] = (),
) -> tuple[Named, ...]:
    """The names that the Python code of `dist` imports in such a way.

    `importers` are functions of others that import what their first argument names: the module that
    each is imported from, and its name. A name with a hole means all modules of the
    environment that it could become. Names in tables are those of modules that are there; whether
    the others can be imported is not looked at.
    """
    files = used_files(sources)
    return (
        *_iter_spelled(files, env),
        *_iter_calls(files, env, frozenset(importers)),
        *_iter_tables(files, dist, env, frozenset(importers)),
        *_iter_handed(files, dist, env),
        *_iter_joined(files, dist, env),
        *_iter_completed(files, dist, env),
        *_iter_starred(files, env),
    )


def borrowed_importers(sources: DistributionSources) -> frozenset[tuple[str, str]]:
    """The functions of others that may import what their first argument names: origin, name."""
    files = used_files(sources)
    return frozenset((c.origin, c.function) for f in files for c in f.calls if c.origin)


def importers_of(sources: DistributionSources) -> frozenset[str]:
    """The functions that import what their first argument names."""
    return frozenset(name for f in used_files(sources) for name in f.importers)


def find_started(sources: DistributionSources, env: Environment) -> tuple[Named, ...]:
    """The modules that sources run by starting Python again: `sys.executable -m MODULE`."""
    found = []
    for facts in used_files(sources):
        for how in facts.starts_python:
            name = how.removeprefix("-m ")
            evidence = _evidence(EvidenceKind.PYTHON_NAME, facts.file, f"starts Python with {how}")
            names = (name, f"{name}.__main__") if name != how and HOLE not in name else ()
            found += [(n, evidence) for n in names if env.find_module(n) is not None]
    return tuple(found)


def find_unfollowed(sources: DistributionSources) -> tuple[tuple[str, str], ...]:
    """The functions that import a name which the sources do not tell: module and function.

    Those are left out whose argument is spelled out wherever the distribution calls them.
    """
    files = used_files(sources)
    called = {call.function for f in files for call in f.calls if HOLE not in call.name}
    found = {
        (module_of(f.file), site.function)
        for f in files
        for site in f.sites
        if site.imports and _is_open(site)
        if site.function.rpartition(".")[2] not in called
    }
    return tuple(sorted(found))


def _not_data() -> frozenset[str]:
    return frozenset(read_data("companions")["not_data_folders"])


def _is_open(site: ImportSite) -> bool:
    """Whether not even the beginning of a name is known."""
    return not site.names or any(name.startswith(HOLE) for name in site.names)


def _evidence(kind: EvidenceKind, file: PurePosixPath, detail: str) -> Evidence:
    return Evidence(kind=kind, where=str(file), detail=detail)


# --- names that are written -----------------------------------------------------------------------


def _iter_spelled(files: Iterable[SourceFacts], env: Environment) -> Iterator[Named]:
    for facts in files:
        for name, call in sorted({(n, s.call) for s in facts.sites for n in s.names}):
            if HOLE not in name and _NOT_FOR_IMPORT.isdisjoint(name.split(".")):
                detail = f'{call}("{name}")'
                module = _module_in(name, env) if call in CLASS_PATH_CALLS else name
                yield module, _evidence(EvidenceKind.PYTHON_NAME, facts.file, detail)


def _iter_calls(
    files: Iterable[SourceFacts], env: Environment, importers: Collection[tuple[str, str]]
) -> Iterator[Named]:
    for facts in files:
        for call in facts.calls:
            name = resolve(call.name, ".".join(facts.file.parts[:-1]))
            known = not call.origin or (call.origin, call.function) in importers
            if known and name and name != HOLE:
                detail = f'{call.function}("{call.name.replace(HOLE, "{…}")}")'
                for found in _complete(name, env) if HOLE in name else (_module_in(name, env),):
                    yield found, _evidence(EvidenceKind.PYTHON_CALL, facts.file, detail)


def _module_in(name: str, env: Environment) -> str:
    """The module that a class path names: `package.module.Class`, `package.module:Class`."""
    name = name.replace(":", ".")
    module = name
    while "." in module and env.find_module(module) is None:
        module = module.rpartition(".")[0]
    return module if env.find_module(module) is not None else name


def _iter_starred(files: Iterable[SourceFacts], env: Environment) -> Iterator[Named]:
    """The modules in the `__all__` of a package of which all names are imported.

    Python imports what is no attribute of the package
    (https://docs.python.org/3/tutorial/modules.html#importing-from-a-package).
    """
    for facts in files:
        for package in facts.starred:
            module = env.find_module(package)
            if module is None or module.path is None or module.path.name != "__init__.py":
                continue
            for name in (f"{package}.{word}" for word in iter_exported(text_of(module.path))):
                if env.find_module(name) is not None:
                    detail = f'from {package} import *, whose `__all__` names "{name}"'
                    yield name, _evidence(EvidenceKind.PYTHON_CALL, facts.file, detail)


# --- names in tables ------------------------------------------------------------------------------


def _iter_tables(
    files: Iterable[SourceFacts],
    dist: Distribution,
    env: Environment,
    importers: Collection[tuple[str, str]],
) -> Iterator[Named]:
    """The modules of `dist` whose names are in code that imports by computed names.

    A whole name may be in any file of the top-level package that the import is in (of a program,
    which has no name: in any file), and go on with the name of a class; a relative one, and a word,
    next to the import.
    """

    def top(facts: SourceFacts) -> str:
        return facts.file.parts[0] if dist.name else ""

    open_tops = {
        top(f)
        for f in files
        if f.imports_from_data or any(s.imports and _is_open(s) for s in f.sites)
    } | {
        top(f)
        for f in files
        for call in f.calls
        if call.name == HOLE and (call.origin, call.function) in importers
    }
    for facts in files:
        computes = any(site.imports and _is_open(site) for site in facts.sites)
        names = {n: n for n in facts.names} if top(facts) in open_tops else {}
        package = ".".join(facts.file.parts[:-1])
        if computes or facts.lazy:
            names |= {n: n for n in facts.relative_names}
        if facts.lazy and package and (computes or not facts.sites):
            names |= {f"{package}.{word}": word for word in facts.words}
        for name, literal in sorted(names.items()):
            module = _own_module(name, dist, env)
            if module is not None and not f"{module_of(facts.file)}.".startswith(f"{module}."):
                detail = f'code that imports by name holds "{literal}"'
                yield module, _evidence(EvidenceKind.PYTHON_NAME, facts.file, detail)


def _iter_handed(
    files: Iterable[SourceFacts], dist: Distribution, env: Environment
) -> Iterator[Named]:
    """The modules of what `dist` requires whose names its code hands on: settings of others."""
    required = env.installed.requirements_of(dist.name) if dist.name else frozenset()
    for facts in files:
        for name in facts.names:
            module = env.find_module(_module_in(name, env)) if required else None
            if module is None or module.distribution not in required:
                continue
            if "." in module.name or _CLASS.fullmatch(name.removeprefix(f"{module.name}.")):
                detail = f'"{name}" names a module of {module.distribution}, which it requires'
                yield module.name, _evidence(EvidenceKind.PYTHON_NAME, facts.file, detail)


def _iter_joined(
    files: Iterable[SourceFacts], dist: Distribution, env: Environment
) -> Iterator[Named]:
    """The modules of `dist` that others complete with the name of a package: `"readers.csv"`.

    The whole literal names a module from the package of its file on, or a class in one.
    """
    own = {module_of(facts.file) for facts in files}
    for facts in files:
        package = ".".join(facts.file.parts[:-1])
        for literal in facts.names:
            name = f"{package}.{literal.replace(':', '.')}"
            if f"{package}.{literal.partition('.')[0]}" not in own or literal in own:
                continue
            module = _own_module(name, dist, env) or ""
            rest = name.removeprefix(f"{module}.") if module != name else ""
            if module.startswith(f"{package}.") and (not rest or _CLASS.fullmatch(rest)):
                detail = f'"{literal}" names a module from its package on'
                yield module, _evidence(EvidenceKind.PYTHON_NAME, facts.file, detail)


def _own_module(name: str, dist: Distribution, env: Environment) -> str | None:
    """The module of `dist` that a name is, or that holds what it names."""
    no_part = _NOT_FOR_IMPORT | _not_data()
    while "." in name:
        module = env.find_module(name)
        if module is not None:
            own = module.distribution == dist.name if dist.name else module.owner is Owner.NOBODY
            return name if own and no_part.isdisjoint(name.split(".")) else None
        name = name.rpartition(".")[0]
    return None


# --- names that are completed ---------------------------------------------------------------------


def _iter_completed(
    files: tuple[SourceFacts, ...], dist: Distribution, env: Environment
) -> Iterator[Named]:
    own = [module_of(f.file) for f in files]
    large = len(own) > _LARGE and _bytes_of(files, dist.site) > _LARGE_BYTES
    tops = {name.partition(".")[0] for name in own}
    for facts in files:
        # Modules that are asked for by their own name, which import statements show to a freezer.
        asked = (s for s in facts.sites if s.function == "__getattr__" and large)
        own_name = {n for s in asked for n in s.names}
        names = {n for s in facts.sites for n in s.names if HOLE in n}
        if any(site.imports and _is_open(site) for site in facts.sites):  # made somewhere else
            own_packages = (b for b in facts.beginnings if b.partition(".")[0] in tops)
            names.update(f"{beginning}{HOLE}" for beginning in own_packages)
        for name in sorted(names):
            package, _, last = name.rpartition(".")
            words = [w for w in facts.words if env.find_module(f"{package}.{w}") is not None]
            end = name.removeprefix(HOLE)
            if end != name and HOLE not in end:  # own modules that end so
                found = tuple(m for m in own if len(end) >= _SHORTEST and m.endswith(end))
            elif package == facts.file.parts[0] and last == HOLE and words and name not in own_name:
                found = tuple(f"{package}.{word}" for word in words)  # any of a top-level package
            elif name.startswith(f"{facts.file.parts[0]}.{HOLE}") and large:
                found = ()  # nearly all of a large package: the beginning alone is no evidence
            else:
                found = _complete(name, env)
            detail = f"completes `{name.replace(HOLE, '{…}')}`"
            for module in found:
                yield module, _evidence(EvidenceKind.PYTHON_CALL, facts.file, detail)


def _bytes_of(files: Iterable[SourceFacts], site: Path) -> int:
    total = 0
    for facts in files:
        with contextlib.suppress(OSError):
            total += (site / facts.file).stat().st_size
    return total


def _complete(name: str, env: Environment) -> tuple[str, ...]:
    """The modules that a name with holes could become; none where nothing says which package.

    A hole is a part of a name, or all of one.
    """
    beginning = name.partition(HOLE)[0]
    package, _, word = beginning.rpartition(".")
    if not beginning or (not package and not word.endswith("_")):
        return ()
    parts = name.split(".")
    found = env.modules_in(package) if package else tuple(sorted(env.top_level))
    for depth in range(package.count(".") + 2 if package else 1, min(len(parts), _DEEPEST) + 1):
        pattern = _pattern(".".join(parts[:depth]))
        matching = tuple(n for n in found if pattern.fullmatch(n))
        if depth == len(parts):
            fit = (n for n in matching if n.rpartition(".")[2] not in _NOT_FOR_IMPORT)
            return _without_toolkits(fit, env)
        found = tuple(inner for n in matching for inner in env.modules_in(n))
    return ()


def _without_toolkits(names: Iterable[str], env: Environment) -> tuple[str, ...]:
    """Those of some modules that can do without what no string brings in (see `is_too_large`).

    Only statements at the beginning of a line count, also those that import others of `names`.
    """
    texts = {name: _beginning_of(name, env) for name in names}
    large = "|".join(sorted(read_data("stdlib")["never"]))
    heavy = {n for n, t in texts.items() if re.search(rf"(?m)^(?:from|import)\s+(?:{large})\b", t)}
    for name, text in texts.items() if heavy else ():
        own = iter_modules(_INDENTED.sub("", text), name.rpartition(".")[0])
        heavy |= {name} if not heavy.isdisjoint(own) else set()
    return tuple(name for name in texts if name not in heavy)


def _beginning_of(name: str, env: Environment) -> str:
    module = env.find_module(name)
    if module is not None and module.path is not None and module.path.suffix == ".py":
        return text_of(module.path, _STATEMENTS)
    return ""


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(r"\w+".join(map(re.escape, name.split(HOLE))))
