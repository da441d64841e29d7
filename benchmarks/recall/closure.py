"""What a freezer would take along without rustext: the modules that Python source imports.

In: an environment, a program, and modules to start from. Out: all modules that are reached through
import statements, wherever in the source these stand, as the freezers' own graphs do it. Hidden
imports of pure Python code are not known here, so that a bundle comes out rather too small, and
what rustext adds to it rather too large.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from rustext.environment.environment import Environment


class Closure:
    """The import graph of one environment; `parsed` is shared between environments."""

    def __init__(self, env: Environment, parsed: dict[tuple[int, int], tuple[Import, ...]]) -> None:
        self._env, self._parsed = env, parsed

    def of_program(self, script: Path) -> set[str]:
        """The modules that a script brings into its bundle."""
        return self.of_modules(_resolve(self._imports(script), ""))

    def of_modules(self, names: Iterable[str]) -> set[str]:
        """The modules that `import name` brings for each name, themselves and parents included."""
        found: set[str] = set()
        todo = list(names)
        while todo:
            name = todo.pop()
            if name in found:
                continue
            module = self._env.find_module(name)
            if module is None:
                continue
            found.add(name)
            if "." in name:
                todo.append(name.rpartition(".")[0])
            if module.path is not None and module.path.suffix == ".py":
                package = name if module.path.stem == "__init__" else name.rpartition(".")[0]
                todo += _resolve(self._imports(module.path), package)
        return found

    def size(self, names: Iterable[str]) -> int:
        """The bytes of the modules' files."""
        paths = {m.path for name in names if (m := self._env.find_module(name)) and m.path}
        return sum(path.stat().st_size for path in paths)

    def _imports(self, path: Path) -> tuple[Import, ...]:
        facts = path.stat()
        key = (facts.st_dev, facts.st_ino)  # installers link the same file into each environment
        if key not in self._parsed:
            try:
                tree = ast.parse(path.read_bytes())
            except (SyntaxError, ValueError):  # a template; the freezers pass over it as well
                self._parsed[key] = ()
            else:
                self._parsed[key] = tuple(_iter_imports(tree))
        return self._parsed[key]


Import = tuple[int, str, str]  # level, module, name after `import` in `from module import name`


def _iter_imports(tree: ast.AST) -> Iterator[Import]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.level, node.module or "", alias.name) for alias in node.names)


def _resolve(imports: Iterable[Import], package: str) -> Iterator[str]:
    for level, module, name in imports:
        base = package.split(".") if level else []
        if level > 1:
            base = base[: len(base) - level + 1]
        full = ".".join([*base, *([module] if module else [])])
        if full:
            yield full
        if name and name != "*" and full:
            yield f"{full}.{name}"  # a submodule, where there is one
