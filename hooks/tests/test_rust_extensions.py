"""Each Rust extension of this environment, in a frozen program with all that its Rust code imports.

    python -m PyInstaller.utils.run_tests --include_only rustext_hooks

PyInstaller's `pyi_builder` makes a folder and a single file of each, and runs both.
"""

from __future__ import annotations

from typing import Any

import pytest

from rustext.config import Config
from rustext.environment.environment import this_environment
from rustext.freezing.build import Build
from rustext.freezing.pyinstaller.hook_files import iter_hook_targets
from rustext.model.plan import Verdict
from rustext.plan.planner import Planner

_PLANNER = Planner(this_environment(), Config())
_MODULES = [target.module for target in iter_hook_targets(_PLANNER) if target.extension]


def test_program_without_rust_is_left_alone(pyi_builder: Any) -> None:
    """The hooks are there, and nothing asks for them."""
    pyi_builder.test_source("print('no Rust')")


@pytest.mark.parametrize("module", _MODULES)
def test_extension_finds_all_that_it_imports(module: str, pyi_builder: Any) -> None:
    """PyInstaller sees the import of the extension and nothing of what its Rust code imports."""
    build = Build(_PLANNER)
    path = build.file_of(module)
    plan = build.plan(path) if path is not None else None
    names = [i.module for i in plan.modules(Verdict.INCLUDE)] if plan is not None else []
    pyi_builder.test_source(
        f"import {module}\n"
        "from importlib import import_module\n"
        f"for name in {names!r}:\n"
        "    import_module(name)\n"
    )
