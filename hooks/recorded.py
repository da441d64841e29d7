"""What the record of a program's run adds to it, whatever its modules are.

In: PyInstaller's graph of the program. Out: more modules in it, and files for the bundle. The hook
that calls this is for a module that every frozen program has.
"""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import Any

from rustext.model.plan import CompanionKind

from .bundle_files import leave
from .module_hook import current_build, current_session, in_graph, placed, with_others

_logger = logging.getLogger("PyInstaller.rustext")


def record_attributes(module: str, hook_file: str) -> dict[str, Any]:
    """What the hook for a module that is in every program has to define."""
    attributes = with_others(module, hook_file, {}, ())
    other = attributes["hook"]

    def hook(api: Any) -> None:
        other(api)
        try:
            add_recorded(api)
        except Exception as error:  # noqa: BLE001  (the border to the freezer)
            _logger.warning("rustext: nothing added of the record, the build goes on: %s", error)

    return {**attributes, "hook": hook}


def add_recorded(api: Any) -> None:
    """Add what the record holds and the program lacks; a module may bring in who has asked more."""
    build = current_build()
    caller = api.graph.find_node(api.__name__, create_nspkg=False)
    for script in api.analysis.inputs:
        build.begin(Path(script).resolve())
    entered: set[str] = set()
    while new := _packages(api.graph) - entered:
        entered |= new
        for package in sorted(new):
            build.enter(package, None)
        for name in [name for name in build.modules if not in_graph(api.graph, name)]:
            with contextlib.suppress(ImportError):  # as PyInstaller does, which then warns
                api.graph.import_hook(name, caller)
    for companion in build.accompany_program(*CompanionKind):
        native = companion.kind in {CompanionKind.LIBRARY, CompanionKind.EXECUTABLE}
        (api.add_binaries if native else api.add_datas)([placed(companion)])
    api.add_datas(leave(current_session()))
    for line in (*build.record_warnings, *build.recorded.stale):
        _logger.warning("rustext: %s", line)


def _packages(graph: Any) -> set[str]:
    """The top-level packages and modules that are in the program."""
    from PyInstaller.compat import VALID_MODULE_TYPES  # noqa: PLC0415  (not for the entry point)

    nodes = (n for n in graph.iter_graph() if type(n).__name__ in VALID_MODULE_TYPES)
    return {str(node.identifier).partition(".")[0] for node in nodes}
