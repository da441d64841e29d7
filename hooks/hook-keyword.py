"""Adds what the Rust extensions of any program need: for this folder when it is used unchanged.

    pyinstaller --additional-hooks-dir=CHECKOUT/hooks app.py

`keyword` is in every frozen program, so PyInstaller always runs this hook. Where rustext is
installed it has a hook for each extension, nothing is left to do here, and this folder need not be
named. From a checkout alone, it looks once at the extensions that the program imports, and at those
that these bring in; names that exist only at run time and modules that other hooks bring in later
are left to the hooks that `rustext hooks` writes.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

_HOOKS = Path(__file__).resolve().parent


def hook(api: Any) -> None:
    """Complete the program; PyInstaller calls this once its imports are known."""
    if importlib.util.find_spec("rustext") is None:
        sys.path.append(str(_HOOKS.parent / "src"))
    if importlib.util.find_spec("rustext_hooks") is None:
        _import_package("rustext_hooks", _HOOKS)
    whole_build = importlib.import_module("rustext_hooks.whole_build")
    whole_build.begin()
    whole_build.complete(api)


def _import_package(name: str, folder: Path) -> None:
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is not None and spec.loader is not None:
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
