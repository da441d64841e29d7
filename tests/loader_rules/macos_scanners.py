"""The scanners that Nuitka and PyInstaller use on macOS, over Mach-O files on any system.

    python macos_scanners.py SITE INTERPRETER [PLUGIN] < LINES

Each line is a JSON document: `path`, `package`, and `moves` where the file is to be edited too
for its place in a bundle, with an `install_name_tool` that has to be on PATH. `bundle` names a
folder into which Nuitka is to copy the file with all that it finds for it, edited in this way. With
PLUGIN, a file, Nuitka has that plugin enabled.

What the scanners ask of the system that they run on is answered as CPython 3.11 on an arm64 Mac
would: the suffixes of extension modules, the architecture, and `otool`, which has to be on PATH.
INTERPRETER is some Mach-O file that stands for Python. The answers are JSON documents too.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any

SUFFIXES = [".cpython-311-darwin.so", ".abi3.so", ".so"]


def set_up_nuitka(site: str) -> None:
    """Make Nuitka believe that it freezes a program beside the packages, on a Mac."""
    from nuitka.freezer import DllDependenciesMacOS, IncludedEntryPoints, Standalone
    from nuitka.importing import Importing
    from nuitka.options import Options
    from nuitka.plugins.Plugins import setupHooks
    from nuitka.utils import SharedLibraries

    setupHooks()
    Importing._setup_complete = True  # the rest of the set-up reads options of a compilation
    Importing.addMainScriptDirectory(site)
    Options.getMainEntryPointFilenames = lambda: [str(Path(site, "program.py"))]
    IncludedEntryPoints.getShallNotIncludeDllFilePatterns = lambda: ()
    IncludedEntryPoints.isShowInclusion = lambda: False
    DllDependenciesMacOS.getExtensionModuleSuffixes = lambda: SUFFIXES
    DllDependenciesMacOS.getArchitecture = lambda: "arm64"
    SharedLibraries.getMacOSTargetArch = lambda: "arm64"
    Standalone.locateModule = lambda name, **_: (name, None, None, "absolute")
    Standalone.getOS, Standalone.isMacOS = lambda: "Darwin", lambda: True
    # no patchelf, and neither `file` nor `lipo`, which know only half of a Mac's files here
    Standalone.isRPathUsingPlatform = SharedLibraries.isElfUsingPlatform = lambda: False


def enable(plugin: str, site: str) -> None:
    """Enable a plugin as `--user-plugin` does; it sees the packages in its environment."""
    from nuitka.plugins import Plugins

    sys.path.append(site)
    spec = importlib.util.spec_from_file_location("user_plugin", plugin)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (offered,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type) and getattr(value, "plugin_name", None)
        if value.__module__ == module.__name__ and not hasattr(value, "detector_for")
    )
    Plugins._addActivePlugin(offered, args=False)


def ask_nuitka(package: str, path: str, bundle: str | None) -> dict[str, object]:
    """Whether Nuitka takes the file to refer to itself, and the files that it finds for others.

    `copied` are the files in the bundle, where one was asked for.
    """
    from nuitka.freezer import DllDependenciesMacOS, IncludedEntryPoints
    from nuitka.Tracing import inclusion_logger

    IncludedEntryPoints.standalone_entry_points.clear()  # each question is a program of its own
    entry = IncludedEntryPoints.makeExtensionModuleEntryPoint(
        logger=inclusion_logger,
        source_path=path,
        dest_path="/".join((*package.split("."), Path(path).name)).lstrip("/"),
        module_name=f"{package}.{Path(path).name.partition('.')[0]}".lstrip("."),
        package_name=package or None,
        reason="a question",
    )
    try:
        IncludedEntryPoints.addIncludedEntryPoint(entry)
        own, found = call_release(
            DllDependenciesMacOS.detectBinaryPathDLLsMacOS,
            original_dir=str(Path(entry.source_path).parent),
            binary_filename=entry.source_path,
            package_name=entry.package_name,
            keep_unresolved=True,
            recursive=False,
            recursive_dlls=None,
            parent_rpaths=(),
        )
        copied = [] if bundle is None else sorted(copy_with_nuitka(entry, bundle))
    except SystemExit:
        return {"stops": True}
    answer = {"stops": False, "own": own, "found": {name: file for file, name in found.items()}}
    return answer if bundle is None else {**answer, "copied": copied}


def call_release(function: Callable[..., Any], **arguments: object) -> Any:
    """Call a function of Nuitka with those of the arguments that it has in this release."""
    known = inspect.signature(function).parameters
    return function(**{name: value for name, value in arguments.items() if name in known})


def copy_with_nuitka(entry: object, bundle: str) -> Iterable[str]:
    """Let Nuitka copy a file and what it needs into a bundle, beside a program of no needs."""
    from nuitka.freezer import IncludedEntryPoints, Standalone

    program = Path(bundle, "program")
    program.write_bytes(Path(sys.argv[2]).read_bytes())
    Standalone.detectUsedDLLs((entry,), bundle)
    main = IncludedEntryPoints.makeMainExecutableEntryPoint(str(program))
    entries = (main, *IncludedEntryPoints.getStandaloneEntryPoints())
    Standalone.copyDllsUsed(bundle, entries)
    return (str(p.relative_to(bundle)) for p in Path(bundle).rglob("*") if p.is_file())


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
    call_release(
        DllDependenciesMacOS.fixupBinaryDLLPathsMacOS,
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


def main(site: str, interpreter: str, plugin: str | None = None) -> None:
    set_up_nuitka(site)
    if plugin is not None:
        enable(plugin, site)
    for line in sys.stdin:
        question = json.loads(line)
        package, path = question["package"], question["path"]
        answer = {
            "nuitka": ask_nuitka(package, path, question.get("bundle")),
            "pyinstaller": ask_pyinstaller(path, interpreter),
        }
        if moves := question.get("moves"):
            edit_with_nuitka(package, path, question["nuitka_copy"], moves["nuitka"])
            edit_with_pyinstaller(question["pyinstaller_copy"], moves["pyinstaller"][path])
        print(f"ANSWER {json.dumps(answer)}", flush=True)  # Nuitka prints to stdout too


if __name__ == "__main__":
    main(*sys.argv[1:])
