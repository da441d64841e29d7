"""Read the Python sources of a distribution, each file once.

In: a distribution. Out: `DistributionSources`: what each file says that could lead to a module or
to another file. Most is found by searching the text for words; only a file that computes the names
of modules, reads source code or starts Python is parsed. Nothing is imported or run.
"""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from rustext.data import read_data
from rustext.discovery.handed_sources import (
    HANDED_ON,
    find_read_classes,
    find_remade,
    find_takers,
)
from rustext.discovery.import_sites import IMPORT_CALLS, Importer, iter_handed, read_import_sites
from rustext.discovery.settings_files import find_names, iter_setting_names
from rustext.discovery.source_readers import (
    iter_python_starts,
    iter_read_sources,
    may_read_sources,
    runs_main,
)
from rustext.environment.distributions import Distribution, folders_by_path
from rustext.environment.python_source import find_fault, parse_source
from rustext.environment.python_text import (
    completed_names,
    is_lazy,
    iter_conventions,
    iter_first_parts,
    iter_imported,
    iter_imported_names,
    iter_listed_packages,
    iter_modules,
    iter_name_patterns,
    iter_paths_beside,
    iter_relative,
    iter_resource_packages,
    iter_starred,
    lists_own_folder,
    lists_top_level,
    shown_folder,
)
from rustext.files.untrusted import read_start
from rustext.model.sources import HOLE, DistributionSources, NamedCall, SourceFacts

_LIMIT = 4 << 20  # bytes of a source that are searched
# A part of a literal between quotes and slashes that could name a file or a folder.
_PART = re.compile(r"""["'/\\]([\w.+@*-]{1,120})(?=["'/\\])""")
_PATH = re.compile(r"""["']((?:[\w.+@-]{1,99}[/\\]){1,9}[\w.+@-]{1,99})/?["']""")
_WORD = re.compile(r"""["']([A-Za-z_]\w{0,99})["']""")
# A literal that ends in a dot or goes on with a field: `f"package.{name}"`.
_BEGINNING = re.compile(r"""["']((?:[A-Za-z_]\w*\.){1,9})(?:["']|%s|\{)""")
_FUNCTION = re.compile(
    r"^[ \t]*(?:async[ \t]+)?def[ \t]+(\w+)\s*\(\s*(?:(?:self|cls)\s*,\s*)?(\w+)", re.MULTILINE
)
# `"from package.module import name"`; `exec(f"import package.{name}")`, `eval("__import__(…)")`
_EXECUTED = re.compile(
    r"""["'](?:\\n|[ \t])*from\s+([\w.]+)(\s)+import\s"""
    r"""|\b(?:exec|eval)\(\s*f?["']+(?:\\n|\s)*(?:from|import)\s+([\w.]+)([\s"'{])"""
    r"""|\beval\(\s*["']__import__\(\\?["']([\w.]+)"""
)
# https://docs.python.org/3/library/pickle.html#pickling-class-instances and logging.config
_IMPORTS_FROM_DATA = re.compile(
    r"(?m)\b(?:dictConfig|fileConfig|pickle\.loads?|Unpickler)\s*\(|^[ \t]*from pickle import"
)
_MAY_IMPORT = re.compile(r"import|module|load|require|optional|lazy|plugin|resolve", re.IGNORECASE)
_LISTS = re.compile(r"\b(?:iter_modules|walk_packages)\s*\(")
_ENDING = re.compile(r"""f["']\{[^{}"'\n]+\}\.([A-Za-z_]\w*)["']""")
_LISTS_FILES = re.compile(r"\b(?:i?r?glob|iterdir|listdir|scandir|walk)\s*\(")
_LOADS = ("spec_from_file_location", "SourceFileLoader")
# The files of a folder are also modules where it is put on the path.
_LOADS_FILES = re.compile("|".join((*_LOADS, r"\bsys\.path\.(?:insert|append)\(")))
_READS_STUB = re.compile(r"\(\s*__name__\s*,\s*__file__\b")
_ASKS_ENTRY_POINTS = re.compile(r"\b(?:\w*_)?(?:entry_points|entrypoints|EntryPoint)\b")
_GROUP = re.compile(r"""["']([\w.:-]+)["']""")
_CONSTANT = re.compile(r"""^(\w+)(?:\s*:[^=\n]+)?\s*=\s*["']([\w.:-]+)["']""", re.MULTILINE)
_NAME = re.compile(r"\b[A-Za-z_]\w+")
_ASKS_FOR_METADATA = re.compile(r"importlib(?:[._]|\s+import\s.{0,99}\b)metadata\b|pkg_resources\b")
# Where installers put programs: https://docs.python.org/3/library/sysconfig.html#installation-paths
_ASKS_FOR_PROGRAMS = re.compile(r"""get_path\(\s*["']scripts["']""")
_NATIVE, _EMPTY = frozenset({".so", ".pyd"}), ast.Module([], [])


def read_sources(dist: Distribution, *, settings: bool = False) -> DistributionSources:
    """The facts of all Python files that a distribution has in its packages.

    A file that cannot be read is one row with the reason; a configuration file that the code opens,
    one with the names in it. With `settings`, class paths in lines of configuration
    (`key: package.Class`) are names as well, and any word may name a file, as a program can hold
    such texts and ask for the files of other distributions.
    """
    texts: dict[PurePosixPath, str] = {}
    broken: dict[PurePosixPath, str] = {}
    found: dict[PurePosixPath, SourceFacts] = {}
    for file in sorted(dist.files):
        if file.suffix == ".py" and ".." not in file.parts:
            try:
                data = read_start(dist.site / file, _LIMIT)
                texts[file] = data.decode("utf-8", "replace")
                is_module = all(part.isidentifier() for part in file.with_suffix("").parts)
                if is_module and is_used(file) and len(data) < _LIMIT:
                    broken[file] = find_fault(data)
            except OSError as error:
                found[file] = SourceFacts(file=file, unreadable=error.strerror or str(error))
    reader = _Reader(dist, texts, settings=settings)
    for file, text in texts.items():
        facts = reader.read(file, text)
        found[file] = facts if facts.refused else replace(facts, broken=broken.get(file, ""))
    if not settings and any(f.sites or f.imports_from_data for f in found.values()):
        words = {word for facts in found.values() if facts.locates for word in facts.parts}
        tops = {file.parts[0].removesuffix(".py") for file in texts}
        for file, names in iter_setting_names(dist.site, dist.files, words, tops):
            found[file] = SourceFacts(file=file, names=names)
    return DistributionSources(files=tuple(found[file] for file in sorted(found)))


def used_files(sources: DistributionSources) -> tuple[SourceFacts, ...]:
    """The facts of those files that a program can have."""
    return tuple(f for f in sources.files if is_used(f.file))


def is_used(file: PurePosixPath) -> bool:
    """Whether a program can have the file: it is no test, and not another tool's."""
    rules = read_data("companions")
    return (
        set(file.parts[:-1]).isdisjoint(rules["not_data_folders"])
        and file.name not in rules["not_data_names"]
        and (f"_{file.stem}".isidentifier() or file.suffix != ".py")
        and not any(file.match(pattern) for pattern in rules["test_files"])
    )


def module_of(file: PurePosixPath) -> str:
    """The dotted name of a Python file, relative to a folder of `sys.path`."""
    parts = file.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


class _Reader:
    """What is known of all texts of a distribution, for reading each of them."""

    def __init__(
        self, dist: Distribution, texts: Mapping[PurePosixPath, str], *, settings: bool
    ) -> None:
        self._settings = settings
        self._site, self._files = dist.site, frozenset(dist.files)
        self._tops = sorted({file.parts[0].removesuffix(".py") for file in texts})
        self._compiled = {
            ".".join((*file.parts[:-1], file.name.partition(".")[0]))
            for file in dist.files
            if file.suffix in _NATIVE
        }
        self._native_names = {f"{name.rpartition('.')[2]}." for name in self._compiled}
        self._folders = {f"/{file.parent}" for file in dist.files}
        self._roots = folders_by_path(dist.files)
        self._own_parts = {part for file in dist.files for part in file.parts}
        self._counting = {f.parent for f, text in texts.items() if "except SyntaxError" in text}
        self._by_module = {module_of(f): text for f, text in texts.items()}
        self._by_parameter: dict[str, Importer] = {}  # importers of others than their first one
        self._parsed = {f: self._parse(f, t) for f, t in texts.items() if _needs_tree(t)}
        self._constants = {
            name: value
            for text in texts.values()
            for name, value in _CONSTANT.findall(text)
            if name.isupper() or "_" in name
        }
        self._importers = {n for facts in self._parsed.values() for n in facts.importers}
        self._others = "|".join(map(re.escape, sorted(self._by_parameter)))
        self._passing: dict[PurePosixPath, set[str]] = {}
        self._add_importers(texts)
        handed = [f for f, facts in self._parsed.items() if HOLE in facts.sources_of]
        self._takers = find_takers(texts)
        self._remade = find_remade(texts, handed)
        self._read_classes = find_read_classes(texts)

    def _parse(self, file: PurePosixPath, text: str) -> SourceFacts:
        try:
            tree = parse_source(text)
        except SyntaxError:  # for another Python: what it computes is not seen
            tree = _EMPTY
        module, package = module_of(file), file.stem == "__init__"
        imports = any(word in text for word in IMPORT_CALLS)
        sites, importers = read_import_sites(tree if imports else _EMPTY, module, package=package)
        first = {name for name, how in importers.items() if how.place == 0 and not how.rest}
        self._by_parameter |= {n: how for n, how in importers.items() if n not in first}
        reads = may_read_sources(text)
        starts = "sys.executable" in text
        own = module if package else module.rpartition(".")[0]
        return SourceFacts(
            file=file,
            sites=sites,
            importers=tuple(sorted(first)),
            sources_of=tuple(sorted({s or module for s in iter_read_sources(tree, own)}))
            if reads
            else (),
            runs_main=reads and "__main__" in text and runs_main(tree),
            starts_python=tuple(sorted(set(iter_python_starts(tree)))) if starts else (),
        )

    def _add_importers(self, texts: Mapping[PurePosixPath, str]) -> None:
        """The functions that hand their first parameter to one that imports it, in turn."""
        fresh, steps = set(self._importers), HANDED_ON
        while fresh and (steps := steps - 1):
            names = "|".join(map(re.escape, sorted(fresh)))
            # Of methods, only those whose name says it: many have names such as `get` and `load`.
            calls = re.compile(rf"(?:(?<![\w.])|\.(?=\w*import))(?:{names})\s*\(\s*(\w+)\s*[,)]")
            found: set[str] = set()
            for file, text in texts.items():
                if any(f"{name}(" in text for name in fresh):
                    passing = set(_iter_passing(text, calls))
                    self._passing.setdefault(file, set()).update(passing)
                    found |= passing
            fresh = found - self._importers
            self._importers |= fresh

    def read(self, file: PurePosixPath, text: str) -> SourceFacts:
        """The facts of one file."""
        facts = self._parsed.get(file, SourceFacts(file=file))
        package = ".".join(file.parts[:-1])
        calls = tuple(dict.fromkeys(self._iter_calls(text, package)))
        imports = bool(facts.sites) or any(not call.origin for call in calls)
        lazy = is_lazy(text, imports=imports)
        computes = any(not site.is_spelled or not site.names for site in facts.sites)
        lists = "iter_modules" in text or "walk_packages" in text
        listing = lists and _LISTS.search(text) is not None
        locates = any(word in text for word in read_data("companions")["locators"])
        asks = ("importlib" in text or "pkg_resources" in text) and (
            _ASKS_FOR_METADATA.search(text) is not None
        )
        lists_files = (".py'" in text or '.py"' in text) and _LISTS_FILES.search(text) is not None
        stub = self._stub_of(file) if lazy and _READS_STUB.search(text) is not None else None
        return replace(
            facts,
            sources_of=(
                *facts.sources_of,
                *map(module_of, self._remade.get(file, ())),
                *((module_of(file),) if file in self._read_classes else ()),
            ),
            takes_sources=tuple(sorted(self._takers.get(file, ()))),
            importers=tuple(sorted({*facts.importers, *self._passing.get(file, ())})),
            refused=not self._counting.isdisjoint(file.parents) and find_fault(text.encode()) != "",
            calls=calls,
            names=find_names(text, settings=self._settings),
            relative_names=tuple(
                sorted({*iter_relative(text, package), *iter_imported(stub or "", package)})
            )
            if computes or lazy
            else (),
            beginnings=tuple(sorted(set(_BEGINNING.findall(text))))
            if computes or any(call.name == HOLE for call in calls)
            else (),
            words=tuple(sorted(set(_WORD.findall(text)))) if computes or lazy else (),
            lazy=lazy,
            lists_modules=listing,
            lists_packages=tuple(sorted(set(iter_listed_packages(text, package)))) if lists else (),
            endings=tuple(sorted(set(_ENDING.findall(text)))) if listing and facts.sites else (),
            lists_top_level=listing and lists_top_level(text),
            conventions=tuple(sorted(set(iter_conventions(text)))),
            imports_from_data=_IMPORTS_FROM_DATA.search(text) is not None,
            lists_files=locates and (lists_files or (bool(facts.sites) and lists_own_folder(text))),
            loads_files=lists_files and _LOADS_FILES.search(text) is not None,
            folders=tuple(
                p for p in iter_paths_beside(text) if f"/{file.parent / p}" in self._folders
            ),
            starred=tuple(sorted(set(iter_starred(text, package)))),
            below_native=tuple(sorted(set(self._iter_below_native(text, package)))),
            imported=tuple(sorted(set(iter_imported(text, package))))
            if listing or module_of(file) in self._compiled
            else (),
            entry_point_groups=tuple(sorted(set(self._iter_groups(text)))),
            parts=tuple(
                sorted({*self._iter_parts(text), *(self._iter_named(text) if locates else ())})
            ),
            data_packages=tuple(sorted({*self._iter_data_packages(text, file)})) if locates else (),
            roots=tuple(sorted({self._roots[p] for p in _PATH.findall(text) if p in self._roots}))
            if self._roots
            else (),
            locates=locates,
            uses_file="__file__" in text,
            shown_folder=shown_folder(text) if locates else "",
            uses_prefix="sys.prefix" in text,
            seeks_programs=_ASKS_FOR_PROGRAMS.search(text) is not None,
            asks_for_metadata=asks,
            distributions=tuple(sorted(set(self._iter_asked(text, package)))) if asks else (),
            reads_stub=stub is not None,
        )

    def _iter_asked(self, text: str, package: str) -> Iterator[str]:
        """What a text asks the metadata of, by its own literals or by tables of its neighbours."""
        yield from _GROUP.findall(text)
        for name, module in iter_imported_names(text, package):
            table = self._by_module.get(module) if name.isupper() else None
            yield from _GROUP.findall(table or "")

    def _iter_named(self, text: str) -> Iterator[str]:
        """Patterns of files' names, and the source files that the text loads as such."""
        yield from iter_name_patterns(text)
        if any(word in text for word in _LOADS):
            yield from self._own_parts.intersection(f"{word}.py" for word in _WORD.findall(text))

    def _stub_of(self, file: PurePosixPath) -> str | None:
        """The text of a module's stub file, or None."""
        stub = file.with_suffix(".pyi")
        with contextlib.suppress(OSError):
            if stub in self._files:
                return read_start(self._site / stub, _LIMIT).decode("utf-8", "replace")
        return None

    def _iter_below_native(self, text: str, package: str) -> Iterator[str]:
        if any(name in text for name in self._native_names):
            for module in iter_modules(text, package):
                parts = module.split(".")
                if any(".".join(parts[:end]) in self._compiled for end in range(1, len(parts))):
                    yield module

    def _iter_calls(self, text: str, package: str) -> Iterator[NamedCall]:
        """The calls of functions that import their first argument, as far as it is written."""
        for found in _EXECUTED.findall(text) if "exec(" in text or "__import__" in text else ():
            name = "".join(found).strip("\"' \t\n").replace("{", HOLE)
            yield NamedCall(function="exec", name=name, origin="")
        calls = rf"(?<!\w)(?<!def )({self._others})\s*\(((?:[^()]|\([^()]*\)){{0,500}})\)"
        for function, arguments in re.findall(calls, text) if self._others else ():
            for name in iter_handed(arguments, self._by_parameter[function]):
                yield NamedCall(function=function, name=name, origin="")
        origins = {
            name: module
            for name, module in iter_imported_names(text, package)
            if _MAY_IMPORT.search(name)
            if module.partition(".")[0] not in self._tops
        }
        names = {n for n in self._importers if f"{n}(" in text}.union(origins)
        if names:
            call = re.compile(
                rf"""(?<!\w)(?<!def )({"|".join(map(re.escape, sorted(names)))})\s*\(\s*"""
                r"""(?:\w+\s*=\s*)?(?:(f?)["']([A-Za-z_.][\w.:]*)(["']|\{)|([A-Za-z_]\w*))"""
            )
            completed = completed_names(text)
            for found in call.finditer(text):
                written = found[3] or completed.get(found[5], "")
                open_ended = written.endswith(".") and written != "."
                hole = (found[4] == "{" and found[2]) or open_ended or not written
                name = f"{written}{HOLE}" if hole else written
                yield NamedCall(function=found[1], name=name, origin=origins.get(found[1], ""))

    def _iter_data_packages(self, text: str, file: PurePosixPath) -> Iterator[str]:
        """The packages that resources are asked for, and its own below a completed name."""
        calls = read_data("companions")["resource_calls"]
        own = ".".join(file.parts[:-1])
        for package in dict.fromkeys(iter_resource_packages(text, own, calls)):
            if package and not package.endswith("."):
                yield package
                continue
            for beginning in _BEGINNING.findall(text):
                for name in (path[1:].replace("/", ".") for path in self._folders):
                    if name.startswith(beginning) and "." not in name[len(beginning) :]:
                        yield name

    def _iter_groups(self, text: str) -> Iterator[str]:
        """The literals of a file that asks for entry points, and the constants that it names."""
        if ("ntry_points" in text or "ntrypoints" in text) and _ASKS_ENTRY_POINTS.search(text):
            yield from _GROUP.findall(text)
            names = self._constants.keys() & set(_NAME.findall(text))
            yield from (self._constants[name] for name in names)

    def _iter_parts(self, text: str) -> Iterator[str]:
        for part in _PART.findall(text):
            if self._settings or "." in part or "*" in part or part in self._own_parts:
                yield part
        for path in _PATH.findall(text):
            if any(f"{folder}/".endswith(f"/{path}/") for folder in self._folders):
                yield path
        for word, folder in read_data("companions")["default_folders"].items():
            if word in text and folder in self._own_parts:
                yield folder


def _needs_tree(text: str) -> bool:
    return any(w in text for w in (*IMPORT_CALLS, "sys.executable")) or may_read_sources(text)


def _iter_passing(text: str, calls: re.Pattern[str]) -> Iterator[str]:
    """The functions whose first parameter is the first argument of such a call in them."""
    defined = list(_FUNCTION.finditer(text))
    bounds = [*(function.start() for function in defined), len(text)]
    for function, end in zip(defined, bounds[1:], strict=True):
        name, parameter = function.groups()
        handed = {call[1] for call in calls.finditer(text, function.end(), end)}
        body = text[function.end() : end] if handed else ""
        if not handed.isdisjoint({parameter, *iter_first_parts(body, parameter)}):
            yield name
