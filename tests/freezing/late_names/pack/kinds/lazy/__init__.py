"""Has what its stub says, as soon as somebody asks for it."""

import ast
import importlib
from pathlib import Path


def attach_stub(package, file):
    """The `__getattr__` of a package (PEP 562)."""
    tree = ast.parse(Path(file).with_suffix(".pyi").read_text())
    froms = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    homes = {alias.name: node.module for node in froms for alias in node.names}

    def get(name):
        if homes.get(name, "") is None:
            return importlib.import_module(f"{package}.{name}")
        if name in homes:
            return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)
        raise AttributeError(name)

    return get


__getattr__ = attach_stub(__name__, __file__)
