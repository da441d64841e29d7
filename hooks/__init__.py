"""Tell PyInstaller what Rust extension modules need; it finds this package by itself.

`get_hook_dirs` is the `hook-dirs` entry point of the group `pyinstaller40`. PyInstaller calls it in
a subprocess before each build (https://pyinstaller.org/en/stable/hooks.html#provide-hooks-with-package).
The hooks in the folder that it names call `hook_attributes`. What they say comes from
`rustext.build`.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from rustext.build import Build, start_build
from rustext.errors import RustextError
from rustext.model import CompanionKind, Verdict

_logger = logging.getLogger("PyInstaller.rustext")  # a child of PyInstaller's: same level, format
_LISTS = ("hiddenimports", "excludedimports", "datas", "binaries")


def get_hook_dirs() -> list[str]:
    """The folder with this environment's hooks."""
    from rustext.hook_files import cached_hooks  # noqa: PLC0415  (not needed by the hooks)

    return [str(cached_hooks(current_build().planner))]


@functools.cache
def current_build() -> Build:
    """The one build of this process."""
    return start_build(Path.cwd())


def hook_attributes(module: str, hook_file: str) -> dict[str, Any]:
    """What a hook for `module` has to define.

    PyInstaller runs one hook a module. If another package or PyInstaller itself has one for this
    name, it is run here, and what it says is kept.
    """
    attributes = _other_attributes(module, Path(hook_file))
    other_hook: Callable[[Any], None] | None = attributes.get("hook")
    own = _own_lists(module)
    lists = {name: [*attributes.get(name, ()), *own.get(name, ())] for name in _LISTS}

    def hook(api: Any) -> None:
        if other_hook is not None:
            other_hook(api)
        _complete(api, module)

    return {**attributes, **lists, "hook": hook}


@functools.cache  # PyInstaller loads a hook that defines hook() twice
def _own_lists(module: str) -> dict[str, list[Any]]:
    build = current_build()
    path = build.file_of(module)
    if path is None:
        return {}
    try:
        imports = [i.module for i in build.enter(module, path)]
        companions = list(build.accompany(path, *CompanionKind))
        plan = build.plan(path)
    except RustextError as error:
        _logger.warning("rustext: nothing added for %s, the build goes on: %s", module, error)
        return {}
    for warning in plan.warnings if plan is not None else ():
        _logger.warning("rustext: %s", warning)
    lists: dict[str, list[Any]] = {"hiddenimports": imports, "datas": [], "binaries": []}
    for companion in companions:
        native = companion.kind in {CompanionKind.LIBRARY, CompanionKind.EXECUTABLE}
        item = (str(companion.path), str(companion.destination.parent))
        lists["binaries" if native else "datas"].append(item)
    return lists


def _complete(api: Any, module: str) -> None:
    """Complete the modules of optional packages that the program brings in anyway."""
    plan = current_build().plans.get(current_build().file_of(module) or Path())
    for implicit in plan.modules(Verdict.IF_PRESENT) if plan is not None else ():
        top = implicit.module.partition(".")[0]
        if api.graph.find_node(top, create_nspkg=False) is not None:
            api.add_imports(implicit.module)


def _other_attributes(module: str, own: Path) -> dict[str, Any]:
    """What the hook defines that would run if this one were not there; empty without one."""
    for folder in _iter_other_folders(own.parent):
        file = folder / own.name
        if file.is_file():
            name = f"_rustext_other_{module.replace('.', '_')}"
            spec = importlib.util.spec_from_file_location(name, file)
            if spec is not None and spec.loader is not None:
                other = importlib.util.module_from_spec(spec)
                spec.loader.exec_module(other)
                return {k: v for k, v in vars(other).items() if not k.startswith("__")}
    return {}


def _iter_other_folders(own: Path) -> Iterator[Path]:
    """The other hook folders, by falling priority: packages, contributed hooks, PyInstaller's."""
    points = metadata.entry_points(group="pyinstaller40", name="hook-dirs")
    for point in sorted(points, key=lambda p: p.module.startswith("_pyinstaller_hooks_contrib")):
        if point.module != __name__:
            for folder in point.load()():
                if Path(folder) != own:
                    yield Path(folder)
    import PyInstaller.hooks  # noqa: PLC0415  (only a build has to have PyInstaller)

    yield from map(Path, PyInstaller.hooks.__path__)
