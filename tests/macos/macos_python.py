"""A CPython for macOS whose freezer runs on Linux, made of packages of the registries.

In: the version of the Python that this runs in. Out: `MacPython`, in which PyInstaller builds as on
a Mac. Nothing for macOS runs: only files are read, edited and copied. Parts and their sources:

- the Python library and the extension modules of the standard library, for arm64 and x86_64: the
  folder `deploy_libs` of panda3d's wheel for macOS, which that project freezes programs with;
- `Lib`: the one of the Python that this runs in, which has the same minor version;
- the layout: python.org's `Python.framework`, as that library's `sysconfig` says;
- packages: wheels for macOS, PyInstaller with its boot loaders among them; and a second time those
  for Linux, of which extension modules are loaded where a hook imports them (see `as_a_mac`);
- `lipo` and `install_name_tool`: LLVM's, from Debian's package `llvm`, installed where this runs as
  root; `codesign` and `rcodesign`: see the scripts of these names.

All of it lies below `.cache/macos`; what is there already is left alone.
"""

from __future__ import annotations

import importlib.machinery
import os
import shlex
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / ".cache" / "macos"
TAG = f"{sys.version_info[0]}{sys.version_info[1]}"
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
DONOR = "panda3d==1.10.16"
PLATFORMS = {"arm64": "aarch64-apple-darwin", "x86_64": "x86_64-apple-darwin"}  # as uv has them
LLVM = ("", *(f"-{number}" for number in range(22, 13, -1)))
HERE = Path(__file__).parent
RCODESIGN = HERE.parent / "mutation" / "rcodesign.py"


class MacPython:
    """A Python for a Mac with this machine ("arm64" or "x86_64")."""

    def __init__(self, machine: str) -> None:
        self.machine = machine
        self.prefix = FOLDER / machine / "Python.framework" / "Versions" / VERSION
        self.program = self.prefix / "bin" / f"python{VERSION}-linux"
        self.macho = self.prefix / "bin" / f"python{VERSION}"
        self.stdlib = self.prefix / "lib" / f"python{VERSION}"
        self.site = self.stdlib / "site-packages"
        self.linux = FOLDER / machine / "linux"  # an environment with the same distributions
        self.linux_python = self.linux / "bin" / "python"
        self.linux_site = self.linux / "lib" / f"python{VERSION}" / "site-packages"
        self.tools = FOLDER / "tools"

    def prepare(self) -> None:
        """Make what is missing; raises `SystemExit` with one line where that cannot be done."""
        make_tools(self.tools)
        if not self.linux_python.exists():
            venv.EnvBuilder(clear=True).create(self.linux)
        if not (self.prefix / "complete").exists():
            say(f"making a Python {VERSION} for macOS on {self.machine}")
            shutil.rmtree(self.prefix, ignore_errors=True)
            self._make_python()
            (self.prefix / "complete").touch()
        self._take_itself_for_a_mac()

    def _make_python(self) -> None:
        stdlib = Path(os.__file__).parent
        ignored = shutil.ignore_patterns(
            "site-packages", "lib-dynload", "__pycache__", "test", "_sysconfigdata*", "config-*"
        )
        shutil.copytree(stdlib, self.stdlib, ignore=ignored)
        dynload = self.stdlib / "lib-dynload"
        for folder in (dynload, self.site, self.program.parent, self.prefix / "Resources"):
            folder.mkdir(parents=True)
        with zipfile.ZipFile(download(DONOR, "macosx_11_0_universal2")) as archive:
            for member in archive.namelist():
                folder, _, name = member.partition("/")
                if folder == "deploy_libs" and name:
                    place = self.stdlib if name.startswith("_sysconfigdata") else dynload
                    (place / name).write_bytes(archive.read(member))
        (dynload / f"libpython{VERSION}.dylib").rename(self.prefix / "Python")
        (self.prefix / "Resources" / "Info.plist").write_text("<plist><dict/></plist>\n")
        # A copy: the folders of a Python are found from where its program really lies.
        shutil.copy(Path(sys.executable).resolve(), self.program)
        pinned = pinned_pyinstaller()
        with zipfile.ZipFile(download(pinned, "macosx_10_13_universal2")) as archive:
            boot_loader = archive.read("PyInstaller/bootloader/Darwin-64bit/run")
        self.macho.write_bytes(boot_loader)
        # PyInstaller finds the Python library by what the program needs; it has its own `Python`.
        change = ["-change", "/usr/lib/libz.1.dylib", "@executable_path/../Python"]
        self._tool("install_name_tool", *change, str(self.macho))

    def _tool(self, name: str, *arguments: str) -> str:
        command = [str(self.tools / name), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def _take_itself_for_a_mac(self) -> None:
        dynload = self.stdlib / "lib-dynload"
        symbols = self._tool("nm", "-gU", f"--arch={self.machine}", str(self.prefix / "Python"))
        found = (
            line.rpartition(" _PyInit_")[2] for line in symbols.splitlines() if " _PyInit_" in line
        )
        builtins = {"builtins", "marshal", "sys", *found}  # these three have no such function
        values = {
            "MACHINE": self.machine,
            "BUILTINS": tuple(sorted(builtins)),
            "SUFFIXES": [f".cpython-{TAG}-darwin.so", ".abi3.so", ".so"],
            "LINUX_SUFFIXES": importlib.machinery.EXTENSION_SUFFIXES,
            "STDLIB": str(dynload),
            "LINUX_STDLIB": str(Path(os.__file__).with_name("lib-dynload")),
            "SITE": str(self.site),
            "LINUX_SITE": str(self.linux_site),
            "INTERPRETER": str(self.macho),
            "LINUX_INTERPRETER": str(self.program),
            "TOOLS": str(self.tools),
        }
        lines = "".join(f"{name} = {value!r}\n" for name, value in values.items())
        with zipfile.ZipFile(self.prefix / "lib" / f"python{TAG}.zip", "w") as archive:
            archive.write(HERE / "as_a_mac.py", "sitecustomize.py")
            archive.writestr("values_for_a_mac.py", lines)

    def run(
        self, *arguments: str, cwd: Path | None = None, timeout: float = 600, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run this Python, with none of this process's variables for Python."""
        hidden = ("PYTHON", "VIRTUAL_ENV", "RUSTEXT")
        env = {k: v for k, v in os.environ.items() if not k.startswith(hidden)}
        env |= {"PATH": f"{self.tools}:{env['PATH']}", **variables}
        return subprocess.run(
            [str(self.program), *arguments], cwd=cwd, env=env, timeout=timeout, check=False,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
        )  # fmt: skip

    def install(self, requirements: Iterable[str], more: Iterable[str] = ()) -> None:
        """Have these distributions, and `more` on the Mac; raises `CalledProcessError`."""
        uv = [sys.executable, "-m", "uv", "pip", "install", "-q", "--only-binary", ":all:"]
        for site in (self.site, self.linux_site):
            shutil.rmtree(site)
            site.mkdir()
        platform = ["--python-platform", PLATFORMS[self.machine], "--python-version", VERSION]
        check([*uv, *platform, "--prefix", str(self.prefix), *requirements, *more])
        check([*uv, "--python", str(self.linux_python), *requirements])


def make_tools(folder: Path) -> None:
    """Programs that PyInstaller calls on a Mac, by their names there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("lipo", "install-name-tool", "nm"):
        write_tool(folder / name.replace("-", "_"), shlex.quote(find_llvm(f"llvm-{name}")))
    write_tool(folder / "codesign", shlex.join([sys.executable, str(HERE / "codesign.py")]))
    write_tool(folder / "rcodesign", shlex.join([sys.executable, str(RCODESIGN)]))
    # PyInstaller starts its Python as `arch -arm64 PYTHON ...`.
    write_tool(folder / "arch", '"$@"', "shift")


def write_tool(path: Path, command: str, before: str = "") -> None:
    arguments = "" if command.endswith('"$@"') else ' "$@"'
    path.write_text(f"#!/bin/sh\n{before}\nexec {command}{arguments}\n")
    path.chmod(0o755)


def find_llvm(name: str) -> str:
    for attempt in range(2):
        for ending in LLVM:
            if path := shutil.which(name + ending):
                return path
        if not attempt and os.geteuid() == 0 and shutil.which("apt-get"):
            say("installing llvm from the system's packages (100 MB)")
            for command in (["update"], ["install", "-y", "--no-install-recommends", "llvm"]):
                subprocess.run(["apt-get", *command], check=False, capture_output=True)
    sys.exit(f"error: no {name} here, and it cannot be installed: apt install llvm")


def pinned_pyinstaller() -> str:
    text = (ROOT / "tests" / "freezing" / "requirements.txt").read_text()
    return next(line for line in text.splitlines() if line.startswith("pyinstaller="))


def download(requirement: str, platform: str) -> Path:
    folder = FOLDER / "wheels"
    say(f"downloading {requirement} for macOS")
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder)]
    command += ["--only-binary", ":all:", "--platform", platform, "--python-version", VERSION]
    check([*command, requirement])
    return next(folder.glob(f"{requirement.partition('=')[0]}-*{platform}.whl"))


def check(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


def say(text: str) -> None:
    print(f"setup: {text}", file=sys.stderr, flush=True)
