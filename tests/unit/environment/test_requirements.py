"""rustext is installed beside the program that is frozen, and must not change what is in it.

A package that imports something where it is there (as one that prints in colour does) takes it into
a bundle from every environment that has it. So little comes with rustext, and nothing that programs
look for.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "src" / "rustext"
ALLOWED = {"macholib", "packaging", "platformdirs", "pyelftools", "tomli"}
MODULES = ALLOWED - {"pyelftools"} | {"elftools"}


def test_nothing_else_is_installed_with_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {Requirement(line).name for line in project["dependencies"]} == ALLOWED


def test_nothing_else_is_imported() -> None:
    imported = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").partition(".")[0])
    # pytest imports its plugin, which nothing else does; tomllib came with Python 3.11.
    own = {"rustext", "rustext_hooks", "pytest", "tomllib"}
    assert imported - sys.stdlib_module_names <= MODULES | own
