"""Find the calls and names of the freezers that rustext uses and a release of theirs does not have.

    python tests/freezing/freezer_interfaces.py [FOLDER]...

FOLDER holds the packages `nuitka` and `PyInstaller`, or one of them: an unpacked release, a clone;
without any, the installed ones are read. What is used comes from the syntax trees of `plugins/` and
`hooks/`, what a freezer has from those of its own classes: nothing is imported, so that any release
can be asked with any Python. Prints a line for each name that is missing, and exits with 1.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
USERS = {"nuitka": "plugins", "PyInstaller": "hooks"}
GRAPH = "altgraph"  # PyInstaller's graph inherits from it
PLUGIN = "NuitkaPluginBase"
# What an object is that has this name in our code: a class of the freezer's, or a module.
RECEIVERS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "nuitka": {
        "module": ("PythonExtensionModule", "PythonMainModule"),
        "entry": ("IncludedEntryPoint",),
        "included_entry_point": ("IncludedEntryPoint",),
        "_options()": ("options/Options", "Options"),  # the latter before Nuitka 4
        "Plugins": ("plugins/Plugins",),
    },
    "PyInstaller": {
        "api": ("PostGraphAPI", "PreSafeImportModuleAPI"),
        "analysis": ("Analysis",),
        "graph": ("PyiModuleGraph",),
        "isolated": ("isolated/__init__",),
    },
}
EITHER = {"api", "_options()"}  # one of these has the name; of the others, each
ANY = "*"
BUILTIN = {"object", "dict", "type"}
STDLIB = frozenset(dir(str)) | frozenset(dir(dict))


@dataclass(frozen=True, kw_only=True)
class Use:
    """A name of a freezer's, and the line of ours that uses it."""

    place: str
    owners: tuple[str, ...]  # classes or modules of the freezer; one of them has it
    name: str
    parameters: tuple[str, ...] | None = None  # of our method in place of the freezer's

    @property
    def said(self) -> str:
        return f"{' or '.join(self.owners)} has no `{self.name}`"


@dataclass(frozen=True, kw_only=True)
class Class:
    """What the source of a class says that its objects have."""

    names: Mapping[str, tuple[str, ...] | None]  # with the parameters of methods
    bases: tuple[str, ...]


class Freezer:
    """The source of one freezer; classes are found by name, with those that they inherit from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        paths = [*folder.rglob("*.py"), *(folder.parent / GRAPH).rglob("*.py")]
        paths = [p for p in paths if "inline_copy" not in p.parts]  # for Python 2, some of them
        self.texts = {path: path.read_text("utf-8", "replace") for path in paths}

    def has(self, owner: str, name: str) -> bool:
        if "/" in owner or (self.folder / f"{owner}.py").exists():
            return self.module_has(self.folder / f"{owner}.py", name)
        names = self.names(owner)
        if name.startswith("is") and "kind" in self.names(name[2:]):  # Nuitka makes it
            return True
        return name in names or (ANY in names and len(names) > 1)

    def module_has(self, path: Path, name: str) -> bool:
        text = self.texts.get(path)
        return text is not None and name in set(_defined(ast.parse(text)))

    @functools.cache  # noqa: B019 (one object for each freezer)
    def names(self, owner: str) -> Mapping[str, tuple[str, ...] | None]:
        """The attributes of a class, with parameters of methods; `ANY` for a class elsewhere."""
        found: dict[str, tuple[str, ...] | None] = {}
        seen = owner in BUILTIN or "MetaClass" in owner  # which Nuitka makes by a call
        for text in self.texts.values():
            if f"class {owner}" not in text:
                continue
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.ClassDef) and node.name == owner:
                    seen = True
                    for base in reversed(node.bases):
                        found.update(
                            self.names(ast.unparse(base).partition("(")[0].rpartition(".")[2])
                        )
                    found.update(_attributes(node))
        return found if seen else {ANY: None}

    def imported(self, module: str, name: str | None) -> bool:
        """Whether `from module import name` works, as far as the source tells."""
        path = self.folder.parent.joinpath(*module.split("."))
        file = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"
        if name is None or name == "*":
            return file.exists() or path.is_dir()
        return self.module_has(file, name) or any(
            (path / inner).exists() for inner in (f"{name}.py", name)
        )


def find_missing(freezer: Freezer, ours: Path = ROOT) -> list[str]:
    """A line for each name that we use and the freezer lacks, with our file and line."""
    package = freezer.folder.name
    lines = []
    for path in sorted((ours / USERS[package]).rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        where = path.relative_to(ours).as_posix()
        lines += [line for line in _missing_imports(freezer, tree, where) if "tests/" not in where]
        for use in _uses(tree, where, RECEIVERS[package]):
            if not any(freezer.has(owner, use.name) for owner in use.owners):
                lines.append(f"{use.place}: {package}: {use.said}")
            elif use.parameters is not None:
                theirs = freezer.names(use.owners[0]).get(use.name) or ()
                unknown = [p for p in theirs if p not in use.parameters]
                if unknown and "**" not in use.parameters:
                    lines.append(
                        f"{use.place}: {package}: {use.owners[0]}.{use.name} has a parameter "
                        f"`{unknown[0]}`, which ours has not"
                    )
    return lines


def _missing_imports(freezer: Freezer, tree: ast.AST, where: str) -> Iterator[str]:
    guarded = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.Try)
        for inner in ast.walk(node)
        if inner is not node
    }
    package = freezer.folder.name
    for node in ast.walk(tree):
        if id(node) in guarded:  # there is another way
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == package:
            wanted = [(str(node.module), alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            wanted = [(a.name, None) for a in node.names if a.name.split(".")[0] == package]
        else:
            continue
        for module, name in wanted:
            if not freezer.imported(module, name):
                what = f"{module} has no `{name}`" if name else f"there is no `{module}`"
                yield f"{where}:{node.lineno}: {package}: {what}"


def _uses(tree: ast.AST, where: str, receivers: Mapping[str, tuple[str, ...]]) -> Iterator[Use]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            said = ast.unparse(node.value).rpartition(".")[2]
            if said in receivers and node.attr not in STDLIB:
                owners = receivers[said]
                for group in (owners,) if said in EITHER else ((owner,) for owner in owners):
                    yield Use(place=f"{where}:{node.lineno}", owners=group, name=node.attr)
        elif isinstance(node, ast.ClassDef) and PLUGIN in map(ast.unparse, node.bases):
            yield from _plugin_uses(node, where)


def _plugin_uses(node: ast.ClassDef, where: str) -> Iterator[Use]:
    """What a plugin class overrides (in Nuitka's spelling: `onDllTags`) and inherits."""
    own = dict(_attributes(node))
    for method in _methods(node):
        name = method.name
        if name != name.lower() and not name.startswith("_"):
            place = f"{where}:{method.lineno}"
            yield Use(place=place, owners=(PLUGIN,), name=name, parameters=own[name])
    for inner in ast.walk(node):
        if _of_self(inner) and inner.attr not in own:
            yield Use(place=f"{where}:{inner.lineno}", owners=(PLUGIN,), name=inner.attr)


def _attributes(node: ast.ClassDef) -> Iterator[tuple[str, tuple[str, ...] | None]]:
    """Methods, attributes of the class, its slots, and what its methods give `self`."""
    for item in ast.walk(node):
        if isinstance(item, ast.FunctionDef):
            arguments = item.args
            names = [a.arg for a in (*arguments.args, *arguments.kwonlyargs)][1:]
            yield item.name, (*names, *(["**"] if arguments.kwarg else []))
        elif _of_self(item) and isinstance(item.ctx, ast.Store):
            yield item.attr, None
    for name in _defined(node):
        yield from [(name, None)] if name not in {m.name for m in _methods(node)} else []
    for item in node.body:
        if isinstance(item, ast.Assign) and ast.unparse(item.targets[0]) == "__slots__":
            yield from ((str(name), None) for name in ast.literal_eval(item.value))


def _of_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self"


def _methods(node: ast.ClassDef) -> list[ast.FunctionDef]:
    return [item for item in node.body if isinstance(item, ast.FunctionDef)]


def _defined(node: ast.AST) -> Iterator[str]:
    """The names that the body of a module or a class binds, in branches as well."""
    for item in ast.iter_child_nodes(node):
        if isinstance(item, ast.FunctionDef | ast.ClassDef):
            yield item.name
        elif isinstance(item, ast.Assign | ast.AnnAssign):
            targets = item.targets if isinstance(item, ast.Assign) else [item.target]
            for target in targets:
                yield from (n.id for n in ast.walk(target) if isinstance(n, ast.Name))
        elif isinstance(item, ast.Import | ast.ImportFrom):
            yield from ((a.asname or a.name).partition(".")[0] for a in item.names)
        elif isinstance(item, ast.If | ast.Try | ast.With):
            yield from _defined(item)


def freezers(folder: Path | None = None) -> list[Freezer]:
    """Those in a folder; without one, the installed ones."""
    if folder is not None:
        return [Freezer(folder / name) for name in USERS if (folder / name).is_dir()]
    specs = [importlib.util.find_spec(name) for name in USERS]
    return [Freezer(Path(s.submodule_search_locations[0])) for s in specs if s is not None]


def main() -> int:
    """Ask the releases that the command line names."""
    folders = [Path(name) for name in sys.argv[1:]]
    asked = [f for folder in folders for f in freezers(folder)] if folders else freezers()
    missing = 0
    for freezer in asked:
        lines = find_missing(freezer)
        missing += len(lines)
        print(*lines, f"{freezer.folder}: {len(lines)} missing", sep="\n")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
