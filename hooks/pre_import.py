"""What runs just before PyInstaller looks at a module: its `pre_safe_import_module` hooks.

In: an extension's name. Out: names in PyInstaller's graph for the modules that it makes as it
loads, of which there are no files. Without them, PyInstaller leaves the extension out where it is
imported by such a name alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .analysis_state import own_imports
from .module_hook import current_build
from .other_hooks import find_hook, inner_folders, installed_folders, load_attributes


@own_imports()
def runtime_modules(module: str) -> tuple[str, ...]:
    """The modules that an extension makes as it loads."""
    try:
        path = current_build().file_of(module)
        return current_build().planner.runtime_modules(module, path) if path else ()
    except Exception:  # noqa: BLE001  (the hook for this module says what is wrong with its file)
        return ()


def announce(modules: Iterable[str], api: Any, hook_file: str) -> None:
    """Add modules that exist at run time alone; another hook of this kind is run as well."""
    own = Path(hook_file).parent
    folders = inner_folders(installed_folders(own.parent), own.name)
    other = find_hook(f"hook-{api.module_name}.py", folders, own=own)
    if other is not None:
        attributes = load_attributes(other)
        if "pre_safe_import_module" not in attributes:  # as PyInstaller says
            raise NameError(
                f"pre_safe_import_module() function not defined by hook {str(other)!r}."
            )
        attributes["pre_safe_import_module"](api)
    for module in modules:
        api.add_runtime_module(module)
