"""Functions of the program of which a package looks up local variables, by names in a text.

    def report(orders):
        return duckdb.sql("SELECT * FROM orders")

DuckDB and Polars do so for queries, pandas for `@limit` in a query
(https://duckdb.org/docs/stable/clients/python/data_ingestion.html,
https://pandas.pydata.org/docs/reference/api/pandas.DataFrame.query.html). In: a module's source and
the environment. Out: the first such function, and who looks. Nothing is imported.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from contextlib import suppress

from rustext.environment.environment import Environment
from rustext.environment.python_scopes import (
    Function,
    Scope,
    bind_names,
    function_scope,
    split_scope,
)
from rustext.environment.python_source import parse_source
from rustext.errors import RustextError
from rustext.formats.binary import map_file

_OF_QUERIES = re.compile(r"\b(?:from|join|describe|summarize)\s+([a-z_]\w*)", re.IGNORECASE)
_MARKED = re.compile(r"(?<!\w)@([A-Za-z_]\w*)")
# What a file holds that reads local variables for a query, or for a marked name;
# https://docs.python.org/3/reference/datamodel.html#frame.f_locals
_LOOKS = b"f_locals"
_READERS = ((_OF_QUERIES, (_LOOKS, b"SELECT")), (_MARKED, (_LOOKS,)))
_CODE = frozenset({".py", ".so", ".pyd"})


def find_looked_at(source: str, env: Environment) -> str | None:
    """The reason to keep a module's local variables visible; None where nothing reads them.

    A function has a text that names one of its variables, and a package that the module imports
    has code that reads the local variables of frames.
    """
    if all(pattern.search(source) is None for pattern, _ in _READERS):
        return None
    try:
        tree = parse_source(source)
    except SyntaxError:
        return None
    for pattern, words in _READERS:
        for function, variable in _iter_named(tree, pattern):
            for package in sorted({name.partition(".")[0] for name in _iter_imported(tree)}):
                if _has_file(package, words, env):
                    return f"`{package}` may look for the variable `{variable}` of `{function}`"
    return None


def _iter_named(tree: ast.Module, pattern: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    """The functions with texts that name a variable of theirs, each with one such variable."""
    for node in ast.walk(tree):
        if isinstance(node, Function):
            scope = function_scope(node, Scope(name="", outer=None))
            own, _ = split_scope(node.body if isinstance(node.body, list) else [node.body])
            bind_names(scope, own)
            alone = {id(n.value) for n in own if isinstance(n, ast.Expr)}  # docstrings
            texts = (n.value for n in own if isinstance(n, ast.Constant) and id(n) not in alone)
            words = {w for text in texts if isinstance(text, str) for w in pattern.findall(text)}
            found = sorted(words & {*scope.bound, *scope.parameters} - {""})
            if found:
                yield scope.name or "<lambda>", found[0]


def _iter_imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module


def _has_file(package: str, words: tuple[bytes, ...], env: Environment) -> bool:
    """Whether what installed a package has a file of code that holds all of these words."""
    module = env.find_module(package)
    dist = env.owner_of(module.path) if module is not None and module.path is not None else None
    if dist is None:
        return False
    for file in dist.files:
        if file.suffix in _CODE:
            with suppress(RustextError), map_file(dist.site / file) as data:
                if all(data.find(word) >= 0 for word in words):
                    return True
    return False
