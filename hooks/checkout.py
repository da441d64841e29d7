"""Complete a program for modules that have no hook: for all of them in a checkout of rustext.

Without an installed entry point nothing has written hooks, and PyInstaller has only the folder that
`--additional-hooks-dir` names. In: PyInstaller's graph of the program, once all imports are known.
Out: more modules in it, and files for the bundle.
"""

from __future__ import annotations

import contextlib
from typing import Any

from rustext.freezing.pyinstaller.hook_files import iter_hook_targets

from .module_hook import current_build, in_graph, note, own_lists


def add_all(api: Any) -> None:
    """Complete the program of a hook's `api`; what a hook for an extension has said comes once.

    An extension may bring in others, so this goes on until the graph holds no new one.
    """
    waiting = [
        target.module for target in iter_hook_targets(current_build().planner, neighbours=True)
    ]
    while found := [module for module in waiting if in_graph(api.graph, module)]:
        for module in found:
            waiting.remove(module)
            add_module(module, api)


def add_module(module: str, api: Any) -> None:
    """Complete the program with what one of its modules needs."""
    lists = own_lists(module)
    maybe = lists.get("optional", ())
    optional = [m for m in maybe if in_graph(api.graph, m.partition(".")[0])]
    for name in (*lists.get("hiddenimports", ()), *optional):
        with contextlib.suppress(ImportError):  # as PyInstaller does, which then warns
            api.graph.import_hook(name, api.graph.find_node(module, create_nspkg=False))
    api.add_datas([*lists.get("datas", ()), *lists.get("left", ())])
    api.add_binaries(lists.get("binaries", []))
    note(module, lists, optional)
