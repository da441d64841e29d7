"""The scanners that Nuitka and PyInstaller use on macOS, over Mach-O files on any system.

    python macos_scanners.py SITE INTERPRETER < LINES     (each line: PACKAGE, tab, FILE)

What the scanners ask of the system that they run on is answered as CPython 3.11 on an arm64 Mac
would: the suffixes of extension modules, the architecture, and `otool`, which has to be on PATH.
INTERPRETER is some Mach-O file that stands for Python. The answer is one JSON document a line.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

SUFFIXES = [".cpython-311-darwin.so", ".abi3.so", ".so"]


def ask_nuitka(package: str, path: str) -> dict[str, object]:
    """Whether Nuitka takes the file to refer to itself, and the files that it finds for others."""
    from nuitka.freezer import DllDependenciesMacOS
    from nuitka.utils import SharedLibraries
    from nuitka.utils.ModuleNames import ModuleName

    DllDependenciesMacOS.getExtensionModuleSuffixes = lambda: SUFFIXES
    DllDependenciesMacOS.getArchitecture = lambda: "arm64"
    SharedLibraries.getMacOSTargetArch = lambda: "arm64"
    try:
        own, found = DllDependenciesMacOS.detectBinaryPathDLLsMacOS(
            original_dir=str(Path(path).parent),
            binary_filename=path,
            package_name=ModuleName(package) if package else None,
            keep_unresolved=True,
            recursive_dlls=None,
            parent_rpaths=(),
        )
    except SystemExit:
        return {"stops": True}
    return {"stops": False, "own": own, "found": {name: file for file, name in found.items()}}


def ask_pyinstaller(path: str, interpreter: str) -> dict[str, str | None]:
    """The file that PyInstaller finds for each library, None for those that it misses."""
    from PyInstaller.depend import bindepend

    real, sys.executable = sys.executable, interpreter
    try:
        return dict(bindepend._get_imports_macholib(path, []))
    finally:
        sys.executable = real


def main(site: str, interpreter: str) -> None:
    from nuitka.importing import Importing
    from nuitka.plugins.Plugins import setupHooks

    setupHooks()
    Importing._setup_complete = True  # the rest of the set-up reads options of a compilation
    Importing.addMainScriptDirectory(site)
    for line in sys.stdin:
        package, _, path = line.rstrip("\n").partition("\t")
        answer = {
            "nuitka": ask_nuitka(package, path),
            "pyinstaller": ask_pyinstaller(path, interpreter),
        }
        print(f"ANSWER {json.dumps(answer)}", flush=True)  # Nuitka prints to stdout too


if __name__ == "__main__":
    main(*sys.argv[1:])
