"""Have a Python on Linux take itself for one on a Mac; it runs as its `sitecustomize`.

`macos_python` puts this file into `lib/python3XX.zip` of the Python that it makes, which is on the
path of each of its processes, with the module `values_for_a_mac`. Modules are found as on a Mac, by
its suffixes; where an extension module is found, its counterpart for Linux is loaded in its place:
from the Python that runs the tests, or from an environment with the same distributions.
"""

from __future__ import annotations

import os
import posix
import sys
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
    SourcelessFileLoader,
)
from pathlib import Path
from types import ModuleType

from values_for_a_mac import (
    BUILTINS,
    INTERPRETER,
    LINUX_INTERPRETER,
    LINUX_SITE,
    LINUX_STDLIB,
    LINUX_SUFFIXES,
    MACHINE,
    SITE,
    STDLIB,
    SUFFIXES,
    TOOLS,
)

RELEASE = "14.5"


class Nothing(ModuleType):
    """A module of the standard library that Linux has not: each function gives an empty dict."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_: {}


def find_counterpart(origin: str) -> str | None:
    """The file for Linux that is loaded in place of one for macOS."""
    for own, folder in ((STDLIB, LINUX_STDLIB), (SITE, LINUX_SITE)):
        if origin.startswith(f"{own}/"):
            end = next(s for s in sorted(SUFFIXES, key=len, reverse=True) if origin.endswith(s))
            stem = folder + origin[len(own) : -len(end)]
            return next((stem + s for s in LINUX_SUFFIXES if Path(stem + s).exists()), None)
    return origin


def create_module(self: ExtensionFileLoader, spec: ModuleSpec) -> ModuleType:
    path = find_counterpart(spec.origin or "")
    if path is None and (spec.origin or "").startswith(STDLIB):
        return Nothing(spec.name)
    if path is None:
        raise ImportError(f"no counterpart for Linux of {spec.origin}", name=spec.name)
    return create_for_linux(self, ModuleSpec(spec.name, spec.loader, origin=path))


def exec_module(self: ExtensionFileLoader, module: ModuleType) -> None:
    if not isinstance(module, Nothing):
        exec_for_linux(self, module)


create_for_linux = ExtensionFileLoader.create_module
exec_for_linux = ExtensionFileLoader.exec_module
ExtensionFileLoader.create_module = create_module  # type: ignore[method-assign]
ExtensionFileLoader.exec_module = exec_module  # type: ignore[method-assign]
EXTENSION_SUFFIXES[:] = SUFFIXES
for number, hook in enumerate(sys.path_hooks):
    if getattr(hook, "__name__", "") == "path_hook_for_FileFinder":
        sys.path_hooks[number] = FileFinder.path_hook(
            (ExtensionFileLoader, SUFFIXES),
            (SourceFileLoader, SOURCE_SUFFIXES),
            (SourcelessFileLoader, BYTECODE_SUFFIXES),
        )
sys.path_importer_cache.clear()
sys.path[:] = [entry for entry in sys.path if not entry.endswith(".zip")]

sys.platform = "darwin"
sys.builtin_module_names = BUILTINS
sys.implementation._multiarch = "darwin"
sys.executable = sys._base_executable = INTERPRETER  # PyInstaller reads its Mach-O header
KERNEL = ("Darwin", "mac", "23.5.0", "Darwin Kernel Version 23.5.0: RELEASE", MACHINE)
os.uname = posix.uname = lambda: posix.uname_result(KERNEL)

import platform  # noqa: E402
import subprocess  # noqa: E402

platform._mac_ver_xml = lambda: (RELEASE, ("", "", ""), MACHINE)
start = subprocess.Popen.__init__
STAND_INS = {"/usr/bin/codesign": f"{TOOLS}/codesign", INTERPRETER: LINUX_INTERPRETER}


def start_stand_in(self: subprocess.Popen, args: object, *more: object, **named: object) -> None:
    """Start a process; PyInstaller names `/usr/bin/codesign` by its path."""
    if isinstance(args, list):
        args = [STAND_INS.get(str(word), word) for word in args]
    start(self, args, *more, **named)


subprocess.Popen.__init__ = start_stand_in  # type: ignore[method-assign]
