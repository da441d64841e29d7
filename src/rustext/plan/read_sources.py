"""Python files that code reads, or lists, as files: a freezer has their modules in an archive.

In: the facts of a distribution's sources, and its environment. Out: the files as companions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from rustext.data import read_data
from rustext.discovery.source_facts import is_used, module_of, used_files
from rustext.environment.distributions import Distribution
from rustext.environment.environment import Environment
from rustext.environment.python_text import is_template, iter_imported, iter_imported_names
from rustext.files.untrusted import text_of
from rustext.imports.dynamic_imports import Named
from rustext.model.evidence import Evidence, EvidenceKind
from rustext.model.plan import Companion, CompanionKind
from rustext.model.sources import HOLE, DistributionSources, SourceFacts
from rustext.plan.metadata_files import own_file


def find_read_sources(sources: DistributionSources, env: Environment) -> Iterator[Companion]:
    """The source files of modules that the code reads and cannot do without.

    Code that reads the source of what it is handed may be handed functions of its own file.
    """
    for facts in used_files(sources):
        for name in facts.sources_of:
            inner, outer = env.find_module(name.replace(":", ".")), name.partition(":")[0]
            module = inner or env.find_module(module_of(facts.file) if name == HOLE else outer)
            if module and module.path and module.path.suffix == ".py":
                place = PurePosixPath(*module.name.split("."))
                package = module.path.name == "__init__.py"
                yield Companion(
                    path=module.path,
                    destination=place / "__init__.py" if package else place.with_suffix(".py"),
                    kind=CompanionKind.DATA,
                    reason=f"`{facts.file}` reads the source of `{module.name}`",
                )


def find_all_read(
    dist: Distribution, env: Environment, read: Callable[[Distribution], DistributionSources]
) -> Iterator[Companion]:
    """The source files of a distribution that its code reads, or code that it requires.

    `read` gives what the sources of a distribution say.
    """
    yield from find_read_sources(read(dist), env)
    yield from _find_handed(dist, env, read)


def _find_handed(
    dist: Distribution, env: Environment, read: Callable[[Distribution], DistributionSources]
) -> Iterator[Companion]:
    """The files that hand functions to code of a requirement: `@checked` of another package."""
    named = env.installed.named_by(dist.name)
    for other in (
        env.distributions[n] for n in sorted(named - {dist.name}) if n in env.distributions
    ):
        sources = read(other)
        tops = {file.parts[0].removesuffix(".py") for file in other.files}
        takers = {name for facts in used_files(sources) for name in facts.takes_sources}
        names = {name for name in takers if "." not in name and not name.startswith("_")}
        for file in dist.files if names else ():
            if file.suffix == ".py" and ".." not in file.parts and is_used(file):
                package = ".".join(file.parts[:-1])
                for name, module in iter_imported_names(text_of(dist.site / file), package):
                    if name in names and module.partition(".")[0] in tops:
                        reason = f"`{name}` of {other.name} reads the source of its functions"
                        yield own_file(dist, file, CompanionKind.DATA, reason)


def find_listed_files(sources: DistributionSources, dist: Distribution) -> Iterator[Companion]:
    """The Python files in folders that code lists next to itself, and stubs that it reads.

    Code that imports what it finds in a folder finds nothing where the modules are in an archive.
    """
    for facts in used_files(sources):
        if facts.reads_stub:
            stub = facts.file.with_suffix(".pyi")
            yield own_file(dist, stub, CompanionKind.DATA, f"`{facts.file}` reads it")
    for facts, file in _iter_listed(sources, dist):
        yield own_file(dist, file, CompanionKind.DATA, f"`{facts.file}` lists the folder")


def find_loaded_imports(
    sources: DistributionSources, dist: Distribution, env: Environment
) -> Iterator[Named]:
    """The modules that listed files import, and templates of Python: to a freezer these are data.

    What a template makes, such as a migration of a database, is run as it is made.
    """
    for facts, file in _iter_listed(sources, dist):
        yield from _iter_imports(dist.site, file, env, "lists files that import", facts.file)
    for file in dist.files:
        if is_template(file.name) and is_used(file):
            yield from _iter_imports(dist.site, file, env, "is a template that imports", file)


def _iter_imports(
    site: Path, file: PurePosixPath, env: Environment, what: str, where: PurePosixPath
) -> Iterator[Named]:
    text = text_of(site / file)
    for name in iter_imported(text, ".".join(file.parts[:-1])):
        if env.find_module(name) is not None:
            kind, detail = EvidenceKind.PYTHON_NAME, f'{what} "{name}"'
            yield name, Evidence(kind=kind, where=str(where), detail=detail)


def _iter_listed(
    sources: DistributionSources, dist: Distribution
) -> Iterator[tuple[SourceFacts, PurePosixPath]]:
    """The files in folders that code lists, each with that code.

    A package in such a folder counts as a whole. Where one module lists the Python files of a
    folder that it is handed and runs them, it may be
    any that another one finds next to itself, with all folders in it. So are a script that changes
    a database and the changes beside it.
    """
    files = used_files(sources)
    loads = any(f.loads_files for f in files)
    python = [file for file in dist.files if file.suffix == ".py"]
    inits = {file.parent for file in python if file.name == "__init__.py"}
    rules = read_data("companions")
    for facts in files:
        changes = facts.file.with_name(rules["migration_folder"])
        if facts.file.name == rules["migration_script"]:
            inside = [file for file in python if file.is_relative_to(changes)]
            yield from ((facts, file) for file in (*inside, facts.file) if inside)
        folders = set(_iter_folders(facts)) if facts.lists_files else set()
        deep = {facts.file.parent / name for name in facts.folders} if loads else set()
        packages = {folder for folder in inits if folder.parent in folders}
        for file in python if folders or deep else ():
            parents = set(file.parents)
            listed = file.parent in folders or not deep.isdisjoint(parents)
            if not packages.isdisjoint(parents) or (listed and file.stem != "__init__"):
                yield facts, file


def _iter_folders(facts: SourceFacts) -> Iterator[PurePosixPath]:
    """The folders that a file may list: below its own by a literal, or of what it imports."""
    yield from (facts.file.parent / part for part in facts.parts if part.strip("."))
    for name in {name for site in facts.sites for name in site.names}:
        *package, last = name.split(".")
        folder = PurePosixPath(*package)
        if last == HOLE and folder.is_relative_to(facts.file.parent):
            yield folder
