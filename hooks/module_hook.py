"""What the hook for each module says, and the one build that all hooks of a process belong to.

In: a module's name. Out: the lists that PyInstaller reads in a hook, with those of another hook for
the same module. What they say comes from `rustext.freezing.session`.
"""

from __future__ import annotations

import functools
import gc
import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from rustext.errors import RustextError
from rustext.freezing.build import Build
from rustext.model.plan import Companion, CompanionKind, Verdict

from .analysis_state import NoSession, State, at_end, current_state, own_imports
from .bundle_files import leave, rename
from .other_hooks import (
    find_hook,
    installed_folders,
    iter_exclusions,
    load_attributes,
    named_in_errors,
)

_logger = logging.getLogger("PyInstaller.rustext")  # a child of PyInstaller's: same level, format
_LISTS = ("hiddenimports", "excludedimports", "datas", "binaries")


def current_build() -> Build:
    """The build of the program that is analysed; raises `NoSession`."""
    return current_state().session.build


def hook_attributes(module: str, hook_file: str) -> dict[str, Any]:
    """What a hook for `module` has to define, worked out now."""
    own = own_lists(module)
    return with_others(module, hook_file, own, own.get("optional", ()))


def with_others(
    module: str, hook_file: str, added: Mapping[str, Any], optional: Iterable[str]
) -> dict[str, Any]:
    """What a hook for `module` has to define: the lists in `added`, and what others say.

    PyInstaller runs one hook a module. If another package or PyInstaller itself has one for this
    name, it is run here. Modules in `optional` are added where their package is in the program.
    """
    own = Path(hook_file).parent
    other = find_hook(f"hook-{module}.py", installed_folders(own), own=own)
    with named_in_errors(other):
        attributes = load_attributes(other) if other is not None else {}
    other_hook: Callable[[Any], None] | None = attributes.get("hook")
    lists = {name: [*attributes.get(name, ()), *added.get(name, ())] for name in _LISTS}
    lists["datas"] += added.get("left", ())
    surely, maybe = tuple(added.get("hiddenimports", ())), tuple(optional)
    note(module, added)

    def hook(api: Any) -> None:
        if other_hook is not None:
            with named_in_errors(other):
                other_hook(api)
        present = [m for m in maybe if in_graph(api.graph, m.partition(".")[0])]
        api.add_imports(*present)
        note(module, added, present)
        _complete(present)
        for line in iter_exclusions(module, (*surely, *present), api.analysis, own=own):
            _logger.warning("rustext: %s", line)

    return {**attributes, **lists, "hook": hook}


def note(module: str, added: Mapping[str, Any], optional: Iterable[str] = ()) -> None:
    """Count what a hook has added to the program."""
    state = current_state()
    if not state.hooked:
        at_end(_warn_of_incomplete, state)
    state.hooked.add(module)
    state.modules.update(added.get("hiddenimports", ()), optional)
    state.files.update((str(s), str(d)) for n in ("datas", "binaries") for s, d in added.get(n, ()))


def _warn_of_incomplete(state: State) -> None:
    """The last word of a build in which none of the hooks ran that stand in each program."""
    if state.graph is None:
        error = f": {state.error}" if state.error is not None else ""
        _logger.error(
            "rustext: the program is not completed, as no hook of rustext's for `reprlib` or "
            "`keyword` ran; give hooks of your own for these up%s",
            error,
        )


def own_lists(module: str) -> dict[str, list[Any]]:
    """What a module needs, in a hook's words; each companion comes once in a build.

    `optional` holds what it imports of optional packages, and `left` what is left in the bundle on
    request.
    """
    return _lists_of(current_state(), module)


@functools.cache  # PyInstaller loads a hook that defines hook() twice
@own_imports()
def _lists_of(state: State, module: str) -> dict[str, list[Any]]:
    try:
        build = state.session.build
        path = build.file_of(module)
        if path is None:
            return {}
        imports = [i.module for i in build.enter(module, path)]
        items = [(c, placed(c)) for c in build.accompany(path, *CompanionKind)]
        plan = build.plan(path)
    except NoSession:  # said as the build began
        return {}
    except Exception as error:  # noqa: BLE001  (the border to the freezer)
        _skip(module, error)
        return {}
    # What is known stays to the end: without this, each of a build's dozens of full collections
    # would walk it (https://docs.python.org/3/library/gc.html#gc.freeze).
    gc.freeze()
    lists: dict[str, list[Any]] = {"hiddenimports": imports, "datas": [], "binaries": []}
    lists["left"] = leave_files()
    if plan is not None:
        lists["optional"] = [i.module for i in plan.modules(Verdict.IF_PRESENT)]
        for warning in plan.warnings:
            _logger.warning("rustext: %s", warning)
    for companion, item in items:
        native = companion.kind in {CompanionKind.LIBRARY, CompanionKind.EXECUTABLE}
        lists["binaries" if native else "datas"].append(item)
    return lists


def placed(companion: Companion) -> tuple[str, str]:
    """A companion as hooks list it: the file, and the folder that it goes to."""
    source = rename(companion) if companion.renamed else companion.path
    return str(source), str(companion.destination.parent)


def _skip(module: str, error: Exception) -> None:
    _logger.warning("rustext: nothing added for %s, the build goes on: %s", module, error)


def leave_files() -> list[tuple[str, str]]:
    """What is left in the bundle on request, as it is now, for a hook's `datas`."""
    try:
        return leave(current_state().session)
    except (RustextError, OSError) as error:
        _logger.warning("rustext: what was asked for is not left in the bundle: %s", error)
        return []


@own_imports()
def _complete(present: Iterable[str]) -> None:
    """Note that the program has the packages of these modules, and so gets the modules."""
    for module in present:
        try:
            current_build().enter(module.partition(".")[0], None)
            leave_files()
        except NoSession:
            return
        except Exception as error:  # noqa: BLE001  (the border to the freezer)
            _skip(module, error)


def in_graph(graph: Any, module: str) -> bool:
    """Whether a module is in the program, and not only asked for."""
    from PyInstaller.compat import VALID_MODULE_TYPES  # noqa: PLC0415  (not for the entry point)

    node = graph.find_node(module, create_nspkg=False)
    return type(node).__name__ in VALID_MODULE_TYPES
