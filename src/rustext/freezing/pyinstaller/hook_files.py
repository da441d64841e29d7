"""Write PyInstaller hooks for the Rust extensions of an environment.

In: an environment, and a folder. Out: a hook file for each module that needs one. A hook's name is
all that PyInstaller looks at until the module turns up in a program, so the short ones, which find
out what to add when they run, can be written before any build.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rustext import __version__
from rustext.discovery.native_files import iter_native_files
from rustext.discovery.sources import Source
from rustext.environment.distributions import Distribution
from rustext.environment.editable_installs import link_folder
from rustext.environment.environment import Environment
from rustext.errors import InvalidBinary, UnreadableFile
from rustext.files.output import check_output, is_sealed, write_output
from rustext.files.untrusted import find_obstacle
from rustext.freezing.pyinstaller.hook_text import (
    MARK,
    adds_something,
    hook_text,
    runtime_hook_text,
)
from rustext.freezing.pyinstaller.project_hooks import can_be_compared
from rustext.model.native_file import NativeFile
from rustext.plan.planner import Planner
from rustext.plan.selftest import entry_source
from rustext.report.escape import one_line

_log = logging.getLogger("PyInstaller.rustext")  # read during a build, as a rule

_HOOK = "a hook of `rustext hooks`"
_SELFTEST_HOOK = "pyi_rth_rustext_selftest.py"

# A priority above 0, that of hooks which packages bring themselves: this one runs theirs as well.
_TEMPLATE = """\
# Written by rustext {version} for {what}
# What it adds, and why, is worked out when a program imports the module: `rustext plan` shows it.
# $PyInstaller-Hook-Priority: 1
from rustext_hooks.module_hook import hook_attributes

globals().update(hook_attributes({module!r}, __file__))
"""
_RUNTIME_TEMPLATE = """\
# Written by rustext {version} for {what}
# Names the modules that it makes as it loads, of which there are no files.
# $PyInstaller-Hook-Priority: 1
from rustext_hooks.pre_import import announce, runtime_modules


def pre_safe_import_module(api):
    announce(runtime_modules(api.module_name), api, __file__)
"""
# https://pyinstaller.org/en/stable/hooks.html#the-pre-find-module-path-psim-api-method
_EDITABLE_TEMPLATE = """\
# Written by rustext {version}: an import finder serves `{what}`, which is installed with `-e`.
def pre_find_module_path(api):
    api.search_dirs = [{places}]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookTarget:
    """A module that gets a hook, and the file or distribution that is the reason."""

    module: str
    why: str
    extension: bool  # a Rust extension module, and no package
    neighbour: bool = False  # of a distribution without Rust
    companions: bool  # it brings what the distribution needs besides its modules


def iter_hook_targets(
    planner: Planner, *, neighbours: bool = False, loose: bool = False
) -> Iterator[HookTarget]:
    """The modules of an environment whose import has to be hooked, sorted by distribution.

    These are the Rust extension modules, and the outermost packages and modules of each Rust
    distribution: Python code may load its library by path, or hand it to others who do. With
    `neighbours`, the same of all others in an environment with Rust code: what they need is found
    out when they enter a program. With `loose`, the extension modules that no distribution lists as
    well, wherever they are: to find them takes seconds in a large environment.
    """
    env = planner.env
    for dist in sorted(env.distributions.values(), key=lambda d: d.name):
        native = [file for _, file in planner.catalogue.native_files(dist)]
        if any(map(planner.covers, native)) or planner.catalogue.is_rust(dist):
            yield from _distribution_targets(planner, dist, native)
        elif neighbours and planner.looks_after(dist):
            yield from _distribution_targets(planner, dist, native, neighbour=True)
    for site in env.sites if loose else env.sources:
        source = Source(root=site, packages={})
        files = (f for f in env.iter_extensions(site, namespaces=loose) if not env.owner_of(f))
        for _, file in iter_native_files(source, files, note_fault=env.note_fault):
            if planner.covers(file) and file.module is not None:
                yield HookTarget(
                    module=file.module, why=str(file.path), extension=True, companions=True
                )


def write_hooks(planner: Planner, folder: Path) -> tuple[Path, ...]:
    """Write hooks that say all that they add into a folder, which is made where it is missing.

    Each native file of the environment is read. One that cannot be read has no hook, and a line in
    the log says so. What this has written there before, and would not write now, is removed. Raises
    `UnwritableFile`, before anything is changed, for a hook that somebody has edited.
    """
    texts: dict[Path, str] = {}
    folder.mkdir(parents=True, exist_ok=True)
    for target in iter_hook_targets(planner, neighbours=True, loose=True):
        if not _has_place(folder, target.module):
            continue
        early, hook = _places(folder, target.module)
        try:
            text = hook_text(planner, target.module, target.why, companions=target.companions)
            if not target.neighbour or adds_something(text):
                texts[hook] = text
            runtime = target.extension and runtime_hook_text(planner, target.module, target.why)
        except (InvalidBinary, UnreadableFile) as error:
            _log.warning("rustext: no hook for %s: %s", target.module, error)
        else:
            texts.update({early: runtime} if runtime else {})
    for path in texts:
        if path.parent.is_dir():
            check_output(path, _is_unedited, what=_HOOK)
    old = _find_written(folder).difference(texts)
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_output(path, text, _is_unedited, what=_HOOK)
    for path in old:
        path.unlink()
    return tuple(sorted(texts))


def _find_written(folder: Path) -> frozenset[Path]:
    """The hooks of an earlier run that were not edited since."""
    found = (*folder.glob("hook-*.py"), *folder.glob("*/hook-*.py"))
    readable = (path for path in found if not find_obstacle(path))
    return frozenset(path for path in readable if _is_unedited(path.read_bytes()))


def _is_unedited(data: bytes) -> bool:
    return data.startswith(MARK.encode()) and is_sealed(data)


def write_short_hooks(
    planner: Planner, folder: Path, *, selftest: bool = False, others: Sequence[Path] = ()
) -> tuple[Path, ...]:
    """Write hooks that find out what to add when they run, and that cost next to nothing to write.

    The folder is made where it is missing. With `selftest`, a run-time hook goes into each program
    that has one of the Rust modules. `others` are the folders of others' hooks: where one
    of these cannot be read, or is not in UTF-8, there is none of ours.
    """
    texts: dict[Path, str] = {}
    modules = []
    folder.mkdir(parents=True, exist_ok=True)
    for target in iter_hook_targets(planner, neighbours=True):
        if not _has_place(folder, target.module):
            continue
        what = one_line(f"the module `{target.module}`: {target.why}")
        values = {"version": __version__, "module": target.module, "what": what}
        early, hook = _places(folder, target.module)
        if _may_be_compared(hook.relative_to(folder), others):
            texts[hook] = _TEMPLATE.format(**values)
        if target.extension and _may_be_compared(early.relative_to(folder), others):
            texts[early] = _RUNTIME_TEMPLATE.format(**values)
        if not target.neighbour:
            modules.append(target.module)
    texts.update(_editable_hooks(planner.env, folder))
    if selftest:  # https://pyinstaller.org/en/stable/hooks.html#provide-hooks-with-package
        texts[folder / "rthooks" / _SELFTEST_HOOK] = entry_source()
        texts[folder / "rthooks.dat"] = repr({name: [_SELFTEST_HOOK] for name in modules}) + "\n"
    return _write(texts)


def _may_be_compared(name: Path, folders: Iterable[Path]) -> bool:
    """Whether PyInstaller can read the priorities of all hooks of a name, as it does of several."""
    return all(can_be_compared(folder / name) for folder in folders)


def _editable_hooks(env: Environment, folder: Path) -> Iterator[tuple[Path, str]]:
    """Hooks that let PyInstaller find what import finders serve: it searches paths alone."""
    for ahead in (True, False):
        part = env.editable.part(ahead=ahead)
        try:
            links = repr(str(link_folder(part))) if part.modules else ""
        except UnreadableFile:  # a fault of the environment, which is said
            continue
        places = f"{links}, *api.search_dirs" if ahead else f"*api.search_dirs, {links}"
        for name in part.names:
            if _has_place(folder, name):
                yield (
                    folder / "pre_find_module_path" / f"hook-{name}.py",
                    _EDITABLE_TEMPLATE.format(
                        version=__version__, what=one_line(name), places=places
                    ),
                )


def _has_place(folder: Path, module: str) -> bool:
    """Whether a file can be called like a module's hook; the log says why not."""
    try:
        os.lstat(_places(folder, module)[1])
    except FileNotFoundError:
        return True
    except (OSError, ValueError) as error:  # too long a name, a NUL, none in this locale
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        _log.warning("rustext: no hook for %s: %s", one_line(module), reason)
        return False
    return True


def _places(folder: Path, module: str) -> tuple[Path, Path]:
    """Where PyInstaller looks for the two kinds of hooks."""
    name = f"hook-{module}.py"
    return folder / "pre_safe_import_module" / name, folder / name


def _write(texts: Mapping[Path, str]) -> tuple[Path, ...]:
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tuple(sorted(texts))


def _distribution_targets(
    planner: Planner, dist: Distribution, native: list[NativeFile], *, neighbour: bool = False
) -> Iterator[HookTarget]:
    label = f"{dist.name} {dist.version}"
    outermost = sorted(_outermost_modules(planner.env, dist))
    for file in native:
        covered = neighbour or planner.covers(file)
        if covered and file.module is not None and file.module not in outermost:
            yield HookTarget(
                module=file.module,
                why=f"{file.path} of {label}",
                extension=not neighbour,
                neighbour=neighbour,
                companions=not outermost,
            )
    extensions = {file.module for file in native}
    for module in outermost:
        yield HookTarget(
            module=module,
            why=f"Python code of {label}" if neighbour else f"native files of {label}",
            extension=module in extensions and not neighbour,
            neighbour=neighbour,
            companions=True,
        )


def _outermost_modules(env: Environment, dist: Distribution) -> set[str]:
    """The modules of a distribution that are in no package of its own, but maybe another's."""
    found = set()
    for folder in {f.parts[: len(f.parts) - 1] or (f.name.partition(".")[0],) for f in dist.files}:
        for end in range(1, len(folder) + 1):
            module = env.find_module(".".join(folder[:end]))
            if module is not None and module.path is not None and module.distribution == dist.name:
                found.add(module.name)
                break
    return found
