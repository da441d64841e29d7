"""Tell PyInstaller what Rust extension modules need; it finds this package by itself.

`get_hook_dirs` is the `hook-dirs` entry point of the group `pyinstaller40`. PyInstaller calls it in
a subprocess before each build (https://pyinstaller.org/en/stable/hooks.html#provide-hooks-with-package),
and no more of rustext is imported for it than it needs. The packages with hooks of their own are
loaded there as well, so they are asked on this occasion. The hooks in the folders that it names
call `whole_build`, `module_hook` and `pre_import`.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from .analysis_state import own_imports


def get_hook_dirs() -> list[str]:
    """The folders with the hooks that run in each build, and the one with this environment's.

    Nothing is raised: PyInstaller would go on without any hook. The hooks in the first folders stop
    the build for a mistake of the user's, and do the work of hooks that are missing.
    """
    each_build = sorted(map(str, Path(__file__).parent.glob("each_build/at_*")))
    log = logging.getLogger("PyInstaller.rustext")  # a child of PyInstaller's: same level, format
    try:
        with own_imports(_program_folder()):
            from .other_hooks import ask_others  # noqa: PLC0415  (it needs rustext)

            given = _given_folders()
            odd = _odd_folders(given)
            _warn_of_taken(each_build, given, log)
            each_build = [f for f in each_build if not any(_is_beside_odd(Path(f), o) for o in odd)]
        others = ask_others()
        with own_imports(_program_folder()):
            folder = _environment_hooks(odd, others)
    except Exception as error:  # noqa: BLE001  (the border to the freezer)
        why = getattr(error, "line", repr(error))  # of a `RustextError`
        log.error("rustext: no hooks are written for this environment: %s", why)  # noqa: TRY400
        return each_build
    if folder is None:
        return each_build
    log.info("rustext: %d modules of this environment have hooks", len([*folder.glob("hook-*")]))
    return [*each_build, str(folder)]


def _given_folders() -> tuple[Path, ...]:
    """The folders that the build is given, as far as its process tells."""
    from rustext.freezing.pyinstaller.project_hooks import (  # noqa: PLC0415  (it may not work)
        arguments_of,
        read_given_folders,
    )

    return read_given_folders(arguments_of(os.getppid()))


def _odd_folders(given: tuple[Path, ...]) -> tuple[Path, ...]:
    """The folders of the user's hooks with one that PyInstaller cannot compare with ours."""
    from rustext.freezing.pyinstaller.project_hooks import find_odd_folders  # noqa: PLC0415

    return find_odd_folders([Path.cwd(), _program_folder()], given)


def _warn_of_taken(each_build: list[str], given: tuple[Path, ...], log: logging.Logger) -> None:
    """Say so where hooks of the user's run in the place of all that run in each build."""
    from rustext.freezing.pyinstaller.project_hooks import are_taken  # noqa: PLC0415

    modules = [Path(folder).name.removeprefix("at_") for folder in each_build]
    if are_taken((f"hook-{module}.py" for module in modules), given):
        log.error(
            "rustext: this build has hooks of its own for %s, which run in the place of rustext's:"
            " in a program without a Rust extension, settings may go unchecked and no last line is"
            " printed; leave one of these hooks out",
            " and ".join(modules),
        )


def _is_beside_odd(own: Path, odd: Path) -> bool:
    """Whether a folder of ours has a hook that PyInstaller would compare with an odd one."""
    from rustext.freezing.pyinstaller.project_hooks import can_be_compared  # noqa: PLC0415

    names = (path.relative_to(own) for path in own.rglob("hook-*.py"))
    return not all(can_be_compared(odd / name) for name in names)


def _environment_hooks(odd: tuple[Path, ...], others: list[tuple[str, str]]) -> Path | None:
    """The folder with this environment's hooks; None for a mistake of the user's."""
    from rustext.config import find_config, with_traces  # noqa: PLC0415  (the hooks need none)
    from rustext.environment.environment import this_environment  # noqa: PLC0415
    from rustext.errors import RustextError  # noqa: PLC0415
    from rustext.freezing.options import read_options  # noqa: PLC0415
    from rustext.freezing.pyinstaller.hook_cache import cached_hooks  # noqa: PLC0415

    try:
        options = read_options()
        config = with_traces(find_config(_program_folder()), options.traces)
    except RustextError:
        return None
    return cached_hooks(this_environment(), config, others=others, odd=odd, options=options)


def _program_folder() -> Path:
    """The folder of the program's top-level modules, first in the search path of the subprocess.

    https://pyinstaller.org/en/stable/man/pyinstaller.html#cmdoption-p
    """
    folders = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    called = "PyInstaller" in sys.modules and folders[0]
    return Path(folders[0]) if called else Path.cwd()


def get_test_dirs() -> list[str]:
    """The folder with what `python -m PyInstaller.utils.run_tests` runs."""
    return [str(Path(__file__).parent / "tests")]
