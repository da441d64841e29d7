"""Count how often four questions go from one module of rustext to another.

    python benchmarks/module_trips.py BUNDLE MODULE

By the interpreter of an environment with rustext, PyInstaller and the Rust extension module MODULE;
BUNDLE is a frozen program. The questions: what `verify` says of a bundle, what a PyInstaller hook
says of a module, what the Nuitka plugin adds for it, and what its file's bytes say of imports. Each
is asked in a process of its own, with an empty cache and again. Counted are the modules whose
functions run, and the functions that return for the first time to a function of another module,
with what is not rustext's left out between them. Prints Markdown.
"""

# ruff: noqa: PLC0415  (what is imported is not counted, and differs by question)

from __future__ import annotations

import argparse
import inspect
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any


def verify(bundle: str, _module: str) -> None:
    from rustext import api

    api.verify(bundle)


def hook(_bundle: str, module: str) -> None:
    import PyInstaller.config
    from rustext_hooks.module_hook import own_lists

    PyInstaller.config.CONF["main_script"] = None
    assert own_lists(module)


def plugin(_bundle: str, module: str) -> None:
    from rustext.freezing.options import SessionOptions
    from rustext.freezing.session import start_session

    build = start_session(Path(), SessionOptions(), freezer="Nuitka").build
    assert build.enter(module, build.file_of(module))


def elf(_bundle: str, module: str) -> None:
    from rustext.config import Config
    from rustext.discovery.native_files import folder_source, read_native_file
    from rustext.environment.environment import this_environment
    from rustext.imports.verdicts import find_file_imports

    env = this_environment()
    found = env.find_module(module)
    assert found is not None
    assert found.path is not None
    file = read_native_file(found.path, folder_source(found.path.parent))
    assert find_file_imports(found.path, file, env, Config())


_OWN = frozenset({"rustext", "rustext_hooks"})
TRIPS = {trip.__name__: trip for trip in (verify, hook, plugin, elf)}


def count(trip: Callable[[], None]) -> tuple[int, int]:
    """The modules that a trip enters, and how often it returns to another one."""
    modules: set[str] = set()
    returned: set[CodeType] = set()
    changes = 0

    def module_of(frame: FrameType) -> str | None:
        code, name = frame.f_code, str(frame.f_globals.get("__name__"))
        # Bodies of modules and classes are no functions, and what `dataclass` makes is not written.
        function = code.co_flags & inspect.CO_NEWLOCALS and not code.co_filename.startswith("<")
        return name if function and name.partition(".")[0] in _OWN else None

    def note(frame: FrameType, event: str, _value: Any) -> None:
        nonlocal changes
        module = module_of(frame) if event in {"call", "return"} else None
        if module is None:
            return
        modules.add(module)
        if event == "call" or frame.f_code in returned:
            return
        returned.add(frame.f_code)
        caller = frame.f_back
        while caller is not None and module_of(caller) is None:
            caller = caller.f_back
        changes += caller is not None and module_of(caller) != module

    sys.setprofile(note)
    try:
        trip()
    finally:
        sys.setprofile(None)
    return len(modules), changes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bundle")
    parser.add_argument("module")
    parser.add_argument("--trip", choices=TRIPS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.trip:
        print(*count(lambda: TRIPS[args.trip](args.bundle, args.module)))
        return 0
    print("| question | cache | modules | returns |\n|---|---|---:|---:|")
    for name in TRIPS:
        with tempfile.TemporaryDirectory(prefix="trips-") as folder:
            env = {**os.environ, "XDG_CACHE_HOME": folder}
            command = [sys.executable, str(Path(__file__).resolve()), "--trip", name]
            command += [str(Path(args.bundle).resolve()), args.module]
            for cache in ("empty", "filled"):
                done = subprocess.run(
                    command, cwd=folder, env=env, stdout=subprocess.PIPE, text=True, check=True
                )
                modules, returns = done.stdout.split()[-2:]
                print(f"| {name} | {cache} | {modules} | {returns} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
