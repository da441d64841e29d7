"""Write PyInstaller hooks for the Rust extensions of an environment.

In: an environment, and a folder. Out: one short hook file for each module that needs one. A hook's
name is all that PyInstaller looks at until the module turns up in a program, so writing them is
cheap, and the work is done only for modules that are used. They are kept in a cache folder under a
name made of what is installed: nothing is written twice, and nothing is stale after an upgrade.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

from rustext import __version__
from rustext.discover import Source, iter_native_files
from rustext.environment import Distribution, Environment
from rustext.model import NativeFile
from rustext.naming import split_suffix
from rustext.plan import Planner

_KEPT = 8  # cached folders; one for each environment that is used in turns

_TEMPLATE = """\
# Written by rustext {version} for the module `{module}`: {why}
# What it adds, and why, is worked out from the binary when a program imports the module:
# `rustext inspect {module}` shows it.
from rustext_hooks import hook_attributes

globals().update(hook_attributes({module!r}, __file__))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookTarget:
    """A module that gets a hook, and the file or distribution that is the reason."""

    module: str
    why: str


def iter_hook_targets(planner: Planner) -> Iterator[HookTarget]:
    """The modules of an environment whose import has to be hooked, sorted by distribution.

    These are the Rust extension modules; for a Rust distribution without any (a library that
    Python code loads by path, a program on PATH) its top-level packages.
    """
    env = planner.env
    for dist in sorted(env.distributions.values(), key=lambda d: d.name):
        native = [file for _, file in planner.native_files(dist)]
        if any(map(planner.covers, native)) or planner.is_rust(dist):
            yield from _distribution_targets(planner, dist, native)
    for site in _source_folders(env):
        source = Source(root=site, packages={})
        for _, file in iter_native_files(source, _iter_source_extensions(site)):
            if planner.covers(file) and file.module is not None:
                yield HookTarget(module=file.module, why=str(file.path))


def write_hooks(planner: Planner, folder: Path) -> tuple[Path, ...]:
    """Write the hooks of an environment into a folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    written = set()
    for target in iter_hook_targets(planner):
        path = folder / f"hook-{target.module}.py"
        text = _TEMPLATE.format(version=__version__, module=target.module, why=target.why)
        path.write_text(text, encoding="utf-8")
        written.add(path)
    return tuple(sorted(written))


def cached_hooks(planner: Planner, cache: Path | None = None) -> Path:
    """The folder with the hooks of an environment; written if it is not there yet.

    Several builds may do this at once: the folder appears whole or not at all.
    """
    home = (cache or user_cache_path("rustext", appauthor=False)) / "pyinstaller"
    folder = home / fingerprint(planner.env)
    if folder.is_dir():
        os.utime(folder)
        return folder
    home.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=home))
    write_hooks(planner, draft)
    try:
        draft.rename(folder)
    except OSError:  # another build was faster
        shutil.rmtree(draft, ignore_errors=True)
    _remove_oldest(home)
    return folder


def fingerprint(env: Environment) -> str:
    """A name for what is installed: it changes with each installed or removed distribution."""
    digest = hashlib.sha256(f"{__version__} {env.interpreter.suffixes}".encode())
    for site in env.sites:
        _digest_files(digest, site.glob("*.dist-info/RECORD"))
    for site in _source_folders(env):
        _digest_files(digest, _iter_source_extensions(site))
    return digest.hexdigest()[:24]


def _digest_files(digest: hashlib._Hash, files: Iterable[Path]) -> None:
    for file in sorted(files):
        stat = file.stat()
        digest.update(f"{file} {stat.st_mtime_ns} {stat.st_size}\n".encode())


def _distribution_targets(
    planner: Planner, dist: Distribution, native: list[NativeFile]
) -> Iterator[HookTarget]:
    label = f"{dist.name} {dist.version}"
    modules = [f for f in native if planner.covers(f) and f.module is not None]
    for file in modules:
        yield HookTarget(module=str(file.module), why=f"{file.path} of {label}")
    if not modules:
        tops = {f.parts[0].removesuffix(".py") for f in dist.files if f.suffix == ".py"}
        for top in sorted(tops):
            if planner.env.find_module(top) is not None:
                yield HookTarget(module=top, why=f"native files of {label}")


def _source_folders(env: Environment) -> Iterator[Path]:
    """Folders on the path that no installer keeps: sources of editable installs."""
    for site in env.sites:
        if site.name not in {"bin", "Scripts"} and not any(site.glob("*.dist-info")):
            yield site


def _iter_source_extensions(folder: Path) -> Iterator[Path]:
    """The extension modules in the packages of a source folder.

    Folders without `__init__.py` are passed over: a source folder can hold anything, such as
    build trees and other environments, and this is asked before each build.
    """
    todo = [folder]
    while todo:
        for entry in os.scandir(todo.pop()):
            if entry.is_dir(follow_symlinks=False):
                if os.path.isfile(os.path.join(entry.path, "__init__.py")):  # noqa: PTH113, PTH118
                    todo.append(Path(entry.path))
            elif split_suffix(entry.name)[1] is not None:
                yield Path(entry.path)


def _remove_oldest(home: Path) -> None:
    folders = sorted(
        (p for p in home.iterdir() if p.is_dir() and not p.name.startswith(".draft-")),
        key=lambda p: p.stat().st_mtime,
    )
    for old in folders[:-_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
