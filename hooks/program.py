"""What a program's own sources and the record of a run add to it, whatever its modules are.

In: PyInstaller's graph of the program. Out: more modules in it, and files for the bundle.
"""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rustext.model.plan import CompanionKind

from .analysis_state import State
from .bundle_files import START_HOOK, write_start_hook
from .module_hook import in_graph, note, placed

if TYPE_CHECKING:
    from rustext.freezing.build import Build

_logger = logging.getLogger("PyInstaller.rustext")


def add_program(state: State, api: Any) -> None:
    """Add what the program's sources name and what the record holds, as far as it lacks them.

    A module may bring in another one that asks for more.
    """
    build = state.session.build
    caller = api.graph.find_node(api.__name__, create_nspkg=False)
    build.begin([Path(script).resolve() for script in api.analysis.inputs])
    entered: set[str] = set()
    missing: list[str] = []
    while new := (_packages(api.graph) | (listers := _listers(build, api.graph))) - entered:
        entered |= new
        for name in sorted(new):
            build.enter(name, build.file_of(name) if name in listers else None)
        missing = [name for name in build.modules if not in_graph(api.graph, name)]
        for name in missing:
            with contextlib.suppress(ImportError):  # as PyInstaller does, which then warns
                api.graph.import_hook(name, caller)
    native = {CompanionKind.LIBRARY, CompanionKind.EXECUTABLE}
    added: dict[str, list[Any]] = {"hiddenimports": missing, "datas": [], "binaries": []}
    for companion in (*build.program_files(), *build.accompany_program(*CompanionKind)):
        added["binaries" if companion.kind in native else "datas"].append(placed(companion))
    api.add_datas(added["datas"])
    api.add_binaries(added["binaries"])
    note(api.__name__, added)
    for line in (*build.record_warnings, *build.recorded.stale):
        _logger.warning("rustext: %s", line)


def answer_python(state: State, analysis: Any) -> None:
    """Have the program answer for Python where code starts `sys.executable` as if it were."""
    build, hooks = state.session.build, analysis.custom_runtime_hooks
    if not build.starts_python or any(Path(hook).name == START_HOOK for hook in hooks):
        return
    analysis.custom_runtime_hooks = [*hooks, str(write_start_hook())]
    for start in build.program_starts:
        _logger.warning(
            "rustext: %s starts Python, which a bundle does not have: the program answers in its "
            "place, with the modules that are in the bundle",
            start,
        )


def _listers(build: Build, graph: Any) -> set[str]:
    """The modules in the program that ask for many others, and that no hook has told of."""
    return {name for name in build.listers() if in_graph(graph, name)}


def _packages(graph: Any) -> set[str]:
    """The top-level packages and modules that are in the program."""
    from PyInstaller.compat import VALID_MODULE_TYPES  # noqa: PLC0415  (not for the entry point)

    nodes = (n for n in graph.iter_graph() if type(n).__name__ in VALID_MODULE_TYPES)
    return {str(node.identifier).partition(".")[0] for node in nodes}
