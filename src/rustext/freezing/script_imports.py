"""Which modules a program imports, as far as its source says; nothing is imported or run.

In: a script and its environment. Out: the modules that its `import` statements reach, one after
the other, through the program's own files and the packages of its environment. The standard library
is not followed. What a freezer finds by other means is not seen: names that are computed, and what
its own hooks and rules add.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from rustext.discovery.module_names import packages_of
from rustext.environment.environment import Environment, Module, Owner
from rustext.environment.python_source import iter_statements, parse_source
from rustext.environment.python_text import resolve
from rustext.errors import InvalidProgram, UnreadableFile, shown_path
from rustext.files.untrusted import SOURCE_LIMIT, read_bytes, read_start


def iter_program(script: Path, env: Environment) -> Iterator[str]:
    """The names that a script's own statements import, whether they can be found or not.

    Raises `UnreadableFile`, or `InvalidProgram` if it is not Python.
    """
    try:
        source = read_bytes(script, SOURCE_LIMIT)
    except UnreadableFile as error:
        raise UnreadableFile(f"{shown_path(script)} cannot be read: {error}") from error
    try:
        tree = parse_source(source)
    except SyntaxError as error:
        said = str(error).replace("(<unknown>, ", "(")
        raise InvalidProgram(f"{shown_path(script)} is no Python source: {said}") from error
    _refuse_spec(script, tree)
    yield from _iter_names(tree, "", env)


def _refuse_spec(script: Path, tree: ast.Module) -> None:
    """Raise for a spec file of PyInstaller, which is no part of the program that it names.

    https://pyinstaller.org/en/stable/spec-files.html
    """
    if script.suffix != ".spec":
        return
    scripts = [
        item.value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and call.args
        if isinstance(call.func, ast.Name) and call.func.id == "Analysis"
        for item in ast.walk(call.args[0])
        if isinstance(item, ast.Constant) and isinstance(item.value, str)
    ]
    named = f"name its script: `rustext plan {scripts[0]}`" if scripts else "name its script"
    raise InvalidProgram(f"{shown_path(script)} is a spec file, not the program", hint=named)


def iter_imports(module: Module, env: Environment, *, stdlib: bool = False) -> Iterator[str]:
    """The names that a module's statements import; none for native and unreadable ones.

    Those of the standard library are read on request.
    """
    if module.path is None or module.path.suffix != ".py":
        return
    if module.owner is Owner.STDLIB and not stdlib:
        return
    package = module.name
    if module.path.stem != "__init__":
        package = module.name.rpartition(".")[0]
    try:
        tree = parse_source(read_start(module.path, SOURCE_LIMIT))
    except (OSError, SyntaxError):
        return
    yield from _iter_names(tree, package, env)


def _iter_names(tree: ast.Module, package: str, env: Environment) -> Iterator[str]:
    for node in iter_statements(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from (*packages_of(alias.name), alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = resolve("." * node.level + (node.module or ""), package) or ""
            yield from (*packages_of(base), base) if base else ()
            for alias in node.names:
                name = f"{base}.{alias.name}" if base else alias.name
                if alias.name != "*" and env.find_module(name) is not None:
                    yield name
