"""The scanners that Nuitka and PyInstaller use on macOS, over Mach-O files on any system.

    python macos_scanners.py SITE INTERPRETER < LINES

Each line is a JSON document: `path`, `package`, and `moves` where the file is to be edited too
for its place in a bundle, with an `install_name_tool` that has to be on PATH.

What the scanners ask of the system that they run on is answered as CPython 3.11 on an arm64 Mac
would: the suffixes of extension modules, the architecture, and `otool`, which has to be on PATH.
INTERPRETER is some Mach-O file that stands for Python. The answers are JSON documents too.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path, PurePosixPath
from types import SimpleNamespace

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


def edit_with_nuitka(package: str, path: str, copy: str, moves: dict[str, str]) -> None:
    """Edit the copy of a file in a bundle; the first of `moves` is its own."""
    from nuitka.freezer import DllDependenciesMacOS
    from nuitka.utils.ModuleNames import ModuleName

    entries = [SimpleNamespace(source_path=s, dest_path=d) for s, d in moves.items()]
    DllDependenciesMacOS.fixupBinaryDLLPathsMacOS(
        binary_filename=copy,
        package_name=ModuleName(package) if package else None,
        original_location=path,
        standalone_entry_points=entries,
        removed_dll_paths=(),
    )


def edit_with_pyinstaller(copy: str, destination: str) -> None:
    """Edit the copy of a file in a bundle, as `process_collected_binary` does on a Mac."""
    from PyInstaller.utils.osx import set_dylib_dependency_paths

    up = [".." for _ in PurePosixPath(destination).parent.parts]
    set_dylib_dependency_paths(copy, str(PurePosixPath("@loader_path", *up)))


def main(site: str, interpreter: str) -> None:
    from nuitka.importing import Importing
    from nuitka.plugins.Plugins import setupHooks

    setupHooks()
    Importing._setup_complete = True  # the rest of the set-up reads options of a compilation
    Importing.addMainScriptDirectory(site)
    for line in sys.stdin:
        question = json.loads(line)
        package, path = question["package"], question["path"]
        answer = {
            "nuitka": ask_nuitka(package, path),
            "pyinstaller": ask_pyinstaller(path, interpreter),
        }
        if moves := question.get("moves"):
            edit_with_nuitka(package, path, question["nuitka_copy"], moves["nuitka"])
            edit_with_pyinstaller(question["pyinstaller_copy"], moves["pyinstaller"][path])
        print(f"ANSWER {json.dumps(answer)}", flush=True)  # Nuitka prints to stdout too


if __name__ == "__main__":
    main(*sys.argv[1:])
