"""Modules that a distribution finds by looking around, not by importing them by name.

In: a distribution, the facts of its sources, and its environment. Out: one `ImplicitImport` for
each module that it would find at run time: in a package of its own or a namespace package whose
folders it lists, or behind an entry point of a group that it asks for. Only what the distribution's
own code does counts. An extension module that another library opens by path is one of them: it has
to be there, imported or not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import PurePosixPath

from rustext.discovery.source_facts import module_of, used_files
from rustext.environment.distributions import COMMANDS, Distribution
from rustext.environment.environment import Environment, Owner
from rustext.model.evidence import Evidence, EvidenceKind
from rustext.model.native_file import NativeFile
from rustext.model.plan import ImplicitImport, included
from rustext.model.sources import DistributionSources, SourceFacts

_SEPARATORS = "._-"


def find_plugin_modules(
    sources: DistributionSources,
    dist: Distribution,
    env: Environment,
    native: Iterable[NativeFile] = (),
    required: Iterable[SourceFacts] = (),
) -> tuple[ImplicitImport, ...]:
    """The modules that `dist`, with its native files, would find in this environment, by name.

    `required` is what the code of its requirements says: that may list the modules of packages in
    whatever uses it, or look through all top-level modules for those that are named as `dist` says.
    """
    found = {name: _plugin(name, where, what) for name, where, what in _iter_opened(native)}
    files, required = used_files(sources), tuple(required)
    for facts in files:
        for name, what in _iter_modules_for(facts, dist, env):
            found[name] = _plugin(name, str(facts.file), what)
    conventions = {c: f.file for f in files for c in f.conventions}
    if conventions and any(f.lists_top_level for f in (*files, *required)):
        for name in sorted(env.top_level):
            for convention in filter(name.startswith, conventions):
                what = f"all top-level modules are looked through for `{convention}…`"
                found[name] = _plugin(name, str(conventions[convention]), what)
    for name, where in _iter_handed(sources, dist, env):
        found[name] = _plugin(name, where, "code lists the modules of packages that it is handed")
    endings = {ending for f in required for ending in f.endings}
    for file in dist.files if endings else ():
        if file.name == "__init__.py" and file.parent.name in endings and len(file.parts) > 2:
            what = f"code that it requires lists the modules of `…{file.parent.name}`"
            for name in (module_of(file), *_own_modules(file, file.parent, dist, env, deep=False)):
                found[name] = _plugin(name, str(file), what)
    return tuple(found[name] for name in sorted(found))


def _iter_handed(
    sources: DistributionSources, dist: Distribution, env: Environment
) -> Iterator[tuple[str, str]]:
    """The modules of packages that a distribution's code names, where it lists what it is handed.

    Such code lists the modules of no package that it imports itself, and imports what it finds.
    Each comes with the file that names its package.
    """
    files = used_files(sources)
    listing = (f for f in files if f.lists_modules and f.sites and not f.lists_packages)
    tops = {f.file.parts[0] for f in listing}
    for facts in files if tops else ():
        for name in facts.names if facts.file.parts[0] in tops else ():
            module = env.find_module(name)
            own = module is not None and module.distribution == dist.name and bool(dist.name)
            if own and facts.file.parts[0] == name.partition(".")[0]:
                folder = PurePosixPath(*name.split("."))
                for inner in _own_modules(facts.file, folder, dist, env, deep=True):
                    yield inner, str(facts.file)


def _iter_opened(native: Iterable[NativeFile]) -> Iterator[tuple[str, str, str]]:
    """The extension modules that bear the mark of a plugin: name, file, and the mark."""
    for file in native:
        if file.module is not None and file.plugin_mark is not None:
            what = f"exports `{file.plugin_mark}…`, for a library that opens it"
            yield file.module, str(file.path), what


def _iter_modules_for(
    facts: SourceFacts, dist: Distribution, env: Environment
) -> Iterator[tuple[str, str]]:
    """The modules that a source would find, each with what it does to find it."""
    for package in facts.imported if facts.lists_modules else ():
        for name in _namespace_modules(package, env):
            yield name, f"lists the modules of `{package}`"
    for how, package in facts.lists_packages:
        folder = PurePosixPath(*package.split(".")) if package else facts.file.parent
        for name in _own_modules(facts.file, folder, dist, env, deep=how == "walk_packages"):
            yield name, f"lists the modules of `{'.'.join(folder.parts)}`"
    for package in facts.data_packages:
        module = env.find_module(package)
        owner = module.distribution if module is not None else None
        if owner is not None and owner == (dist.name or owner):  # a program: of any
            yield package, f"opens files of `{package}`"
    for group in _groups_of(facts, env):
        for _, name in env.installed.entry_points[group]:
            if env.find_module(name) is not None:
                yield name, f"asks for entry points of `{group}`"


def find_plugin_distributions(
    sources: DistributionSources, env: Environment
) -> tuple[Distribution, ...]:
    """The distributions that have entry points of a group which the sources ask for, by name.

    Their metadata is what the entry points are found in.
    """
    groups = {group for facts in used_files(sources) for group in _groups_of(facts, env)}
    found = {dist.name: dist for group in groups for dist, _ in env.installed.entry_points[group]}
    return tuple(found[name] for name in sorted(found))


def _groups_of(facts: SourceFacts, env: Environment) -> list[str]:
    """The groups of this environment that a source asks for, or names for others that ask.

    A dotted literal that is the name of a group is handed to something that asks, and two literals
    may be put together: `create("app", "readers", entry_points=True)` for `app_readers`.
    """
    words, groups = frozenset(facts.entry_point_groups), env.installed.entry_points.keys()
    joined = (group for group in groups if words and _is_joined(group, words))
    return sorted((groups & {*words, *facts.names, *joined}) - COMMANDS)


def _is_joined(group: str, words: Collection[str]) -> bool:
    """Whether the name of a group is two words with a separator between them."""
    places = (place for place, sign in enumerate(group) if sign in _SEPARATORS)
    return any(group[:place] in words and group[place + 1 :] in words for place in places)


def _namespace_modules(package: str, env: Environment) -> Iterator[str]:
    module = env.find_module(package)
    if module is None or module.owner is not Owner.NOBODY or module.path is not None:
        return  # not a namespace package (PEP 420)
    yield package
    for site in env.sites:
        folder = site.joinpath(*package.split("."))
        if folder.is_dir():
            for entry in sorted(folder.iterdir()):
                name = f"{package}.{entry.name.partition('.')[0]}"
                if entry.name != "__pycache__" and env.find_module(name) is not None:
                    yield name


def _own_modules(
    file: PurePosixPath, folder: PurePosixPath, dist: Distribution, env: Environment, *, deep: bool
) -> Iterator[str]:
    """The Python modules in a folder; with `deep`, those in the packages below as well.

    The one that lists them, `file`, is none of these, nor is the package itself.
    """
    for other in dist.files:
        if other.suffix == ".py" and other.is_relative_to(folder) and other != file:
            parts = other.with_suffix("").relative_to(folder).parts
            inner = parts[:-1] if parts[-1] == "__init__" else parts
            name = ".".join((*folder.parts, *inner))
            if (deep or len(inner) == 1) and inner and env.find_module(name) is not None:
                yield name


def _plugin(name: str, where: str, what: str) -> ImplicitImport:
    evidence = Evidence(kind=EvidenceKind.PLUGIN, where=where, detail=what)
    return included(name, "found at run time", evidence)
