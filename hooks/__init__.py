"""Tell PyInstaller what Rust extension modules need; it finds this package by itself.

`get_hook_dirs` is the `hook-dirs` entry point of the group `pyinstaller40`. PyInstaller calls it in
a subprocess before each build (https://pyinstaller.org/en/stable/hooks.html#provide-hooks-with-package),
and no more of rustext is imported for it than it needs. The packages with hooks of their own are
loaded there as well, so they are asked on this occasion. The hooks in the folder that it names call
`module_hook` and `pre_import`. Whatever goes wrong, the build goes on, and a line says so.
"""

from __future__ import annotations

from pathlib import Path


def get_hook_dirs() -> list[str]:
    """The folder with this environment's hooks.

    Raises what `start_session` would: PyInstaller reports it, and the build goes on without hooks.
    """
    from rustext.config import find_config, with_traces  # noqa: PLC0415  (the hooks need none)
    from rustext.environment.environment import this_environment  # noqa: PLC0415
    from rustext.freezing.options import read_options  # noqa: PLC0415
    from rustext.freezing.pyinstaller.hook_cache import cached_hooks  # noqa: PLC0415

    from .other_hooks import ask_others  # noqa: PLC0415

    options = read_options()
    config = with_traces(find_config(Path.cwd()), options.traces)
    selftest = options.selftest or config.selftest
    folder = cached_hooks(this_environment(), config, others=ask_others(), selftest=selftest)
    return [str(folder)]


def get_test_dirs() -> list[str]:
    """The folder with what `python -m PyInstaller.utils.run_tests` runs."""
    return [str(Path(__file__).parent / "tests")]
