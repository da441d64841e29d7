"""The hooks of others: those that ours replace, and what they leave out of a program.

PyInstaller runs one hook a module, the one of highest priority
(https://pyinstaller.org/en/stable/hooks.html). In: a module's name, and the folders with hooks.
Out: the file that would run if ours were not there, what it defines, and what others exclude.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib.util
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from rustext.freezing.pyinstaller.hook_cache import OTHERS_FILE

from .analysis_state import current_state

_OWN = __name__.partition(".")[0]
_CONTRIB = "_pyinstaller_hooks_contrib"
# Priorities by place, as PyInstaller documents them.
_OF_PACKAGES, _OF_CONTRIB, _OF_PYINSTALLER = 0, -1000, -2000
_OWN_PRIORITY = re.compile(r"^\s*#\s*\$PyInstaller-Hook-Priority:\s*(-?\d+)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class HookFolder:
    """A folder with hooks, and the priority of those that name none."""

    path: Path
    priority: int


@functools.cache
def installed_folders(own: Path) -> tuple[HookFolder, ...]:
    """The hook folders of all packages but this one, the contributed ones, and PyInstaller's own.

    `own` is the folder with hooks that asks: where the entry point has written it, the others are
    noted there.
    """
    try:
        folders = json.loads((own / OTHERS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none, or not as it was written
        folders = _ask_apart()
    found = [
        HookFolder(path=Path(p), priority=_OF_CONTRIB if m.startswith(_CONTRIB) else _OF_PACKAGES)
        for m, p in folders
    ]
    return (*sorted(found, key=lambda f: -f.priority), *_iter_pyinstaller_folders())


def _ask_apart() -> list[tuple[str, str]]:
    """Ask in a subprocess, once in a build, as PyInstaller does it: packages are imported for this.

    The contributed hooks are there in each build, and light; alone they are not worth a subprocess.
    """
    points = entry_points(group="pyinstaller40", name="hook-dirs")
    if all(point.module.startswith((_OWN, _CONTRIB)) for point in points):
        return ask_others()
    from PyInstaller import isolated  # noqa: PLC0415  (only a build has to have PyInstaller)

    found: list[tuple[str, str]] = isolated.call(ask_others)
    return found


def ask_others(but: str = _OWN) -> list[tuple[str, str]]:
    """Module and folder of each entry point but one; the packages that have them are imported.

    PyInstaller can send this function to a subprocess.
    """
    import logging  # noqa: PLC0415
    from importlib import metadata  # noqa: PLC0415

    found = []
    for point in metadata.entry_points(group="pyinstaller40", name="hook-dirs"):
        if point.module != but:
            try:
                found += [(point.module, str(folder)) for folder in point.load()()]
            except Exception as error:  # noqa: BLE001  (PyInstaller goes on as well)
                log = logging.getLogger("PyInstaller.rustext")
                log.warning("rustext: %s does not say where its hooks are: %r", point.module, error)
    return found


def inner_folders(folders: Iterable[HookFolder], kind: str) -> tuple[HookFolder, ...]:
    """The folders below these with hooks of another kind, such as `pre_find_module_path`."""
    return tuple(replace(folder, path=folder.path / kind) for folder in folders)


def _build_folders(analysis: Any) -> tuple[HookFolder, ...]:
    """The hook folders of a build by falling priority, those of the command line among them.

    PyInstaller kept no priorities before release 6.11, and went by the order alone.
    """
    entries = ((e, _OF_PACKAGES) if isinstance(e, str) else e for e in analysis.hookspath)
    found = [HookFolder(path=Path(path), priority=priority) for path, priority in entries]
    return (*found, *_iter_pyinstaller_folders())


def _iter_pyinstaller_folders() -> Iterator[HookFolder]:
    import PyInstaller.hooks  # noqa: PLC0415  (only a build has to have PyInstaller)

    for path in PyInstaller.hooks.__path__:
        yield HookFolder(path=Path(path), priority=_OF_PYINSTALLER)


def find_hook(name: str, folders: Iterable[HookFolder], *, own: Path) -> Path | None:
    """The hook file `name` that PyInstaller would run if there were none in the folder `own`."""
    found = [
        (folder.path / name, folder.priority)
        for folder in folders
        if folder.path != own and (folder.path / name).is_file()
    ]
    if len(found) < 2:  # none is read to be compared
        return found[0][0] if found else None
    return max(found, key=lambda item: _priority(*item))[0]  # the first of equals


@functools.cache
def _source(file: Path) -> bytes:
    """A hook file's source, read once in a build."""
    return file.read_bytes()


def _priority(file: Path, default: int) -> int:
    match = _OWN_PRIORITY.search(_source(file).decode("utf-8", "replace"))
    return int(match[1]) if match else default


def load_attributes(file: Path) -> dict[str, Any]:
    """Run a hook file, once in an analysis; all that it defines.

    Raises what the hook raises; PyInstaller ends with that as well.
    """
    known = current_state().attributes
    if file not in known:
        known[file] = _run(file)
    return known[file]


def _run(file: Path) -> dict[str, Any]:
    spec = importlib.util.spec_from_file_location(_module_name(file), file)
    if spec is None or spec.loader is None:
        return {}
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {k: v for k, v in vars(module).items() if not k.startswith("__")}


def _module_name(file: Path) -> str:
    return "_rustext_other_" + re.sub(r"\W", "_", file.stem)


@contextlib.contextmanager
def named_in_errors(file: Path | None) -> Iterator[None]:
    """While another hook runs: an import that fails in it is told of it and not of ours.

    In PyInstaller's words: it reports such an error with the file of the hook that it has run.
    """
    try:
        yield
    except ImportError as error:
        from PyInstaller.exceptions import ImportErrorWhenRunningHook  # noqa: PLC0415

        if file is None:
            raise
        raise ImportErrorWhenRunningHook(_module_name(file), str(file)) from error


def iter_exclusions(
    module: str, needed: Iterable[str], analysis: Any, *, own: Path
) -> Iterator[str]:
    """A line for each rule that leaves out one of the modules that native code in `module` needs.

    A hook's `excludedimports` hold for the Python code of its module and of all below that; what
    another hook asks for comes in all the same. What the program's author excludes
    (`--exclude-module`) stays out.
    """
    needed = tuple(needed)
    for name in _matching(needed, analysis.excludes):
        yield f"this program excludes `{name}`, which {module} needs"
    for file in _iter_hooks_above(module, _build_folders(analysis), own):
        for name in _matching(needed, _exclusions_of(file)):
            yield f"{file} excludes `{name}`, which {module} needs: it stays in the program"


def _exclusions_of(file: Path) -> Iterable[str]:
    """A hook's `excludedimports`. It is run for them only where they are no plain list."""
    listed = None if file in current_state().attributes else _read_exclusions(file)
    if listed is not None:
        return listed
    try:
        return [str(name) for name in load_attributes(file).get("excludedimports", ())]
    except Exception:  # noqa: BLE001  (PyInstaller runs this hook, and shows what it raises)
        return ()


def _read_exclusions(file: Path) -> list[str] | None:
    """Those that a hook's source lists plainly; None where it has to be run for them."""
    source = _source(file)
    if b"excludedimports" not in source:
        return []
    try:
        values = [
            node.value
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name) and target.id == "excludedimports"
        ]
        return [name for value in values if value is not None for name in ast.literal_eval(value)]
    except (SyntaxError, ValueError, TypeError):
        return None


def _iter_hooks_above(module: str, folders: Iterable[HookFolder], own: Path) -> Iterator[Path]:
    """The hooks of a module and of the packages that it is in."""
    folders = tuple(folders)
    while module:
        file = find_hook(f"hook-{module}.py", folders, own=own)
        if file is not None:
            yield file
        module = module.rpartition(".")[0]


def _matching(modules: Iterable[str], rules: Iterable[str]) -> Iterator[str]:
    """Those of the modules that a rule names, by themselves or with their package."""
    rules = tuple(rules)
    return (m for m in modules if any(f"{m}.".startswith(f"{rule}.") for rule in rules))
