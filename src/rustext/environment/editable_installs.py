"""Editable installs that work through an import finder, as folders that a freezer can search.

In: the `site-packages` folders. Out: folders with a link for each module that a finder serves. They
belong in front of `sys.path` or behind it, as the finder is asked before or after the path. A
freezer follows paths and never asks a finder, so that what is installed in this way runs unfrozen
and is missing from the program.

Each build backend writes a finder of its own into `site-packages`; what it serves is a literal in
the finder's source (https://peps.python.org/pep-0660/, "What to put in the wheel"). The source is
parsed and never run.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from rustext.errors import UnreadableFile
from rustext.files.cache import user_cache_folder
from rustext.files.untrusted import read_bytes
from rustext.model.faults import Fault

_LIMIT = 8 << 20  # bytes of a finder or of an install plan
_MOST_FOLDERS = 100_000  # a large environment has some 5,000; a whole file system is none
_DEEPEST = 100  # folders in each other; real ones are ten
_SUFFIXES = (".py", *(f"{s}" for s in (".abi3.so", ".so", ".pyd")))

Modules = dict[PurePosixPath, tuple[Path, ...]]  # by place below `sys.path`; folders are merged
Read = Callable[[ast.Module, Path], Modules]


@dataclass(frozen=True, slots=True, kw_only=True)
class EditableModules:
    """What the finders in some folders serve, and what is wrong with those that say nothing."""

    modules: Mapping[PurePosixPath, tuple[Path, ...]]
    ahead: frozenset[PurePosixPath] = frozenset()  # those whose finder is asked before the path
    faults: tuple[Fault, ...] = ()

    def part(self, *, ahead: bool) -> EditableModules:
        """Those that are looked for before the path, or those after it."""
        found = {p: m for p, m in self.modules.items() if (p in self.ahead) is ahead}
        return EditableModules(modules=found)

    @property
    def names(self) -> tuple[str, ...]:
        """The top-level modules, sorted."""
        return tuple(sorted({place.parts[0].partition(".")[0] for place in self.modules}))


def find_editable(sites: Iterable[Path]) -> EditableModules:
    """Read the finders in `site-packages` folders."""
    modules: Modules = {}
    ahead: set[PurePosixPath] = set()
    faults: list[Fault] = []
    for site in sites:
        faults += _iter_lost_folders(site)
        for file, read, first in _iter_finders(site):
            try:
                found = read(ast.parse(read_bytes(file, _LIMIT)), site)
            except UnreadableFile as error:
                faults.append(_fault(file, str(error)))
            except (SyntaxError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
                faults.append(_fault(file, "it is not written as its build backend writes it"))
            else:
                lost = _lost(str(path) for paths in found.values() for path in paths)
                faults += [_lost_fault(file, lost)] if lost else []
                found = {p: m for p, m in found.items() if set(map(str, m)).isdisjoint(lost)}
                modules.update(found)
                ahead.update(found if first else ())
    return EditableModules(modules=modules, ahead=frozenset(ahead), faults=tuple(faults))


def search_path(editable: EditableModules, path: Iterable[str]) -> tuple[str, ...]:
    """A search path with the modules that finders serve; raises as `link_folder`."""
    before, after = (
        [str(link_folder(part))] if part.modules else []
        for part in (editable.part(ahead=True), editable.part(ahead=False))
    )
    return (*before, *path, *after)


def link_folder(editable: EditableModules) -> Path:
    """A folder with links to the modules: the same for the same modules, in the cache folder.

    Raises `UnreadableFile` where links cannot be made: Windows allows them in developer mode alone.
    """
    try:
        return _make_links(editable)
    except (OSError, ValueError) as error:  # ValueError: a name that this locale cannot encode
        names = ", ".join(editable.names)
        reason = getattr(error, "strerror", None) or error
        raise UnreadableFile(
            f"editable installs cannot be followed ({names}): {reason}",
            hint="install them without `-e`, or let the cache folder be written to",
        ) from error


def _make_links(editable: EditableModules) -> Path:
    rows = [
        (str(place), *map(str, paths), *(_list(paths) if len(paths) > 1 else ()))
        for place, paths in sorted(editable.modules.items())
    ]
    key = hashlib.sha256(repr(rows).encode("utf-8", "surrogateescape")).hexdigest()[:24]
    home = user_cache_folder() / "editable"
    folder = home / key
    if not folder.is_dir():
        home.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=home))
        for place, paths in sorted(editable.modules.items(), reverse=True):  # inner ones first
            _link(draft / place, paths)
        try:
            draft.rename(folder)
        except OSError:
            if not folder.is_dir():  # otherwise another process was faster
                raise
    return folder


def walk(root: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """`os.walk` of a folder of `sys.path`, without Python's caches.

    Packages that are links at its top are entered. So are all links in one of `link_folder`. Raises
    `UnreadableFile` for a folder that is no environment by its size.
    """
    tops = [str(root)]
    everywhere = root.parent == user_cache_folder() / "editable"
    if not everywhere:
        tops += sorted(_iter_linked_packages(root))
    found = (entry for top in tops for entry in os.walk(top, followlinks=everywhere))
    deepest = str(root).count(os.sep) + _DEEPEST
    for number, (folder, folders, files) in enumerate(found):
        if number == _MOST_FOLDERS:
            raise UnreadableFile(
                f"cannot read `{root}`: there are more than {_MOST_FOLDERS:,} folders in it",
                hint="name the folder of an environment or of a program",
            )
        folders[:] = [
            name
            for name in folders
            if folder.count(os.sep) < deepest and name != "__pycache__"
            if not (everywhere and _leads_back(folder, name))
        ]
        yield folder, folders, files


def _iter_linked_packages(root: Path) -> Iterator[str]:
    """The linked folders whose names can be imported, but those that lead back above `root`."""
    with contextlib.suppress(OSError), os.scandir(root) as entries:
        for entry in entries:
            is_package = (
                entry.is_symlink() and entry.name.isidentifier() and os.path.isdir(entry.path)  # noqa: PTH112
            )
            if is_package and not _leads_back(str(root), entry.name):
                yield entry.path


def _leads_back(folder: str, name: str) -> bool:
    """Whether an entry of a folder is a link to that folder or to one that holds it."""
    path = f"{folder}/{name}"
    linked = os.path.islink(path)  # noqa: PTH114 (of each folder)
    return linked and Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(path))


def _link(place: Path, paths: tuple[Path, ...]) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if len(paths) == 1 and not os.path.lexists(place):
        place.symlink_to(paths[0], target_is_directory=paths[0].is_dir())
        return
    place.mkdir(parents=True, exist_ok=True)
    for entry in _list(paths):  # a package whose files are in several folders
        if not os.path.lexists(place / entry.name):
            (place / entry.name).symlink_to(entry, target_is_directory=entry.is_dir())


def _list(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        yield from (entry for entry in sorted(folder.iterdir()) if entry.name != "__pycache__")


def _iter_lost_folders(site: Path) -> Iterator[Fault]:
    """Path files that name a folder which is not there: https://docs.python.org/3/library/site.html.

    And links of installs with `setup.py develop`, whose first line is a folder.
    """
    for file in (*site.glob("*.pth"), *site.glob("*.egg-link")):
        try:
            lines = read_bytes(file, _LIMIT).decode("utf-8-sig").splitlines()
        except (UnreadableFile, UnicodeDecodeError) as error:
            reason = str(error) if isinstance(error, UnreadableFile) else "it is not UTF-8"
            yield Fault(path=file, reason=reason, effect="the folders that it names are not known")
            continue
        named = (line.strip() for line in (lines if file.suffix == ".pth" else lines[:1]))
        folders = (n for n in named if n and not n.startswith(("#", "import ", "import\t")))
        if lost := _lost(str(site / name) for name in folders):
            yield _lost_fault(file, lost)


def _lost(paths: Iterable[str]) -> list[str]:
    return sorted({path for path in paths if not os.path.exists(path)})  # noqa: PTH110 (never raise)


def _lost_fault(file: Path, lost: list[str]) -> Fault:
    more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
    effect = "modules that are only there are not found"
    return Fault(path=file, reason=f"it names what is gone: `{lost[0]}`{more}", effect=effect)


def _fault(file: Path, reason: str) -> Fault:
    effect = "the modules of this editable install are not found: install it without `-e`"
    return Fault(path=file, reason=reason, effect=effect)


# --- the finders of the build backends --------------------------------------------------------


def _iter_finders(site: Path) -> Iterator[tuple[Path, Read, bool]]:
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir(site)):  # noqa: PTH208 (names alone, of a large folder)
            for start, end, read, ahead in _FINDERS:
                if name.startswith(start) and name.endswith(end):
                    yield site / name, read, ahead


def _setuptools(tree: ast.Module, _site: Path) -> Modules:
    """`MAPPING`: a folder or the file without suffix, by dotted name.

    https://github.com/pypa/setuptools/blob/main/setuptools/command/editable_wheel.py
    """
    found: Modules = {}
    for name, path in _assigned(tree, "MAPPING").items():
        found.update(_place(name, Path(path)))
    return found


def _editables(tree: ast.Module, _site: Path) -> Modules:
    """`F.map_module(name, file)` for each module: https://github.com/pfmoore/editables."""
    found: Modules = {}
    calls = _calls(tree, "map_module")
    if not calls:
        raise ValueError("no module is mapped")
    for call in calls:
        name, path = map(ast.literal_eval, call.args)
        found.update(_place(name, Path(path)))
    return found


def _scikit_build_core(tree: ast.Module, site: Path) -> Modules:
    """`install(source files, installed files, …)`, each by module; the latter relative to `site`.

    https://scikit-build-core.readthedocs.io/en/latest/configuration/index.html#editable-installs
    """
    (call,) = _calls(tree, "install")
    sources, installed = (ast.literal_eval(argument) for argument in call.args[:2])
    files = {
        **{m: Path(f) for m, f in sources.items()},
        **{m: site / f for m, f in installed.items()},
    }
    return _with_folders(files)


def _meson_python(tree: ast.Module, _site: Path) -> Modules:
    """The finder names the build folder, whose install plan has each file with its destination.

    https://mesonbuild.com/IDE-integration.html#install-plan
    """
    (call,) = _calls(tree, "MesonpyMetaFinder")
    build = Path(ast.literal_eval(call.args[2]))
    plan = json.loads(read_bytes(build / "meson-info" / "intro-install_plan.json", _LIMIT))
    found: Modules = {}
    for section in plan.values():
        for source, row in section.items():
            root, _, place = str(row["destination"]).partition("/")
            if root in {"{py_platlib}", "{py_purelib}"} and place:
                found[PurePosixPath(place)] = (Path(source),)
    return found


# Names of the files, and whether the finder puts itself in front of `sys.meta_path`.
_FINDERS: tuple[tuple[str, str, Read, bool], ...] = (
    ("__editable___", "_finder.py", _setuptools, False),
    ("_editable_impl_", ".py", _editables, False),
    ("_editable_skbc_", ".py", _scikit_build_core, True),
    ("_", "_editable.py", _scikit_build_core, True),  # before scikit-build-core 0.11
    ("_", "_editable_loader.py", _meson_python, True),
)


def _assigned(tree: ast.Module, name: str) -> Mapping[str, Any]:
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(t, ast.Name) and t.id == name for t in targets):
                value: Mapping[str, Any] = ast.literal_eval(node.value)
                return value
    raise ValueError(f"nothing is assigned to {name}")


def _calls(tree: ast.Module, name: str) -> list[ast.Call]:
    """The calls of a function or method, outside of its own definition."""
    called = (n for n in ast.walk(tree) if isinstance(n, ast.Call))
    return [c for c in called if ast.unparse(c.func).rpartition(".")[2] == name]


def _place(name: str, path: Path) -> Modules:
    """Where a module has to be found; `path` is its folder, its file, or that without suffix."""
    place = PurePosixPath(*name.split("."))
    if path.stem == "__init__":
        path = path.parent
    if path.is_dir():
        return {place: (path,)}
    files = [path] if path.is_file() else [*path.parent.glob(f"{path.name}.*")]
    if not files:
        return {place: (path,)}
    return {
        place.with_name(place.name + file.name[len(file.name.partition(".")[0]) :]): (file,)
        for file in files
        if file.name.endswith(_SUFFIXES)
    }


def _with_folders(files: Mapping[str, Path]) -> Modules:
    """The modules' files by the top-level package: all folders that hold a part of it."""
    found: Modules = {}
    packages = {name for name, file in files.items() if file.stem == "__init__"}
    for name, file in sorted(files.items()):
        package = name if name in packages else name.rpartition(".")[0]
        if package:
            place = PurePosixPath(*package.split("."))
            folders = found.get(place, ())
            if file.parent not in folders:
                found[place] = (*folders, file.parent)
        else:
            found.update(_place(name, file))
    return found
