"""Make a virtual environment with rustext and all that its demo or tests need.

Usage: python3 tests/bootstrap.py {demo,test} [cargo]

Needs Python 3.10 or later and a C compiler; installs the rest: Python packages from PyPI, and
(where this runs as root) ccache and, for the tests and where asked for, cargo from Debian's
packages. Says what it does on stderr, prints the path of the interpreter on stdout. What is there
already is left alone.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"
# What an installed copy of rustext is made of: a change to it means installing it again.
SOURCES = ("pyproject.toml", "README.md", "src", "plugins", "hooks")
# Debian 12 has a recent Rust under the first names, and one too old for PyO3 under the others.
RUST = ("cargo-web rustc-web", "cargo rustc")


def main() -> None:
    purpose = sys.argv[1]
    check_machine()
    # Nuitka compiles a second time in a fraction of the time with it.
    ensure_tool("ccache", ("ccache",), "each build compiles everything anew")
    if purpose == "test" or "cargo" in sys.argv[2:]:
        ensure_tool("cargo", RUST, "nothing that is made of Rust crates can be built")
    if purpose == "test":
        ensure_tool("strace", ("strace",), "the recorder is compared with nothing")
        ensure_tool("chromium", ("chromium",), "the tests of the report's page will fail")
    editable = purpose == "test"
    folder = CACHE / f"{purpose}-{sys.version_info[0]}.{sys.version_info[1]}"
    python = folder / "bin" / "python"
    stamp, key = folder / "rustext-stamp", fingerprint(editable)
    if not stamp.is_file() or stamp.read_text() != key:
        say(f"making {folder.relative_to(ROOT)} with {sys.executable}")
        if not python.exists():
            venv.EnvBuilder(with_pip=True, clear=True).create(folder)
        what = ["-e", f"{ROOT}[dev]"] if editable else [f"{ROOT}[nuitka,pyinstaller]"]
        pip(python, "install", "--upgrade", "pip")
        pip(python, "install", *([] if editable else ["--force-reinstall", "--no-deps"]), *what)
        pip(python, "install", *what)
        stamp.write_text(key)
    print(python)


def check_machine() -> None:
    if sys.version_info < (3, 10):
        stop(f"Python 3.10 or later is needed, this is {sys.version.split()[0]}",
             "set PYTHON to a newer interpreter")  # fmt: skip
    if not any(shutil.which(name) for name in (os.environ.get("CC", "cc"), "gcc", "clang")):
        stop("no C compiler found (looked for cc, gcc and clang)",
             "apt install gcc, dnf install gcc, or xcode-select --install")  # fmt: skip
    if sys.platform == "linux" and not sysconfig.get_config_var("Py_ENABLE_SHARED"):
        say("note: this Python has no shared libpython, which PyInstaller needs")


def ensure_tool(name: str, choices: tuple[str, ...], without: str) -> None:
    """Install a tool from Debian's packages, where it is missing and this runs as root.

    `choices` are packages to install together, the best first.
    """
    if shutil.which(name):
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        say(f"installing {name} from the system's packages")
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(["apt-get", "update"], check=False, **quiet)
        for packages in choices:
            command = ["apt-get", "install", "-y", *packages.split()]
            if subprocess.run(command, check=False, **quiet).returncode == 0:
                break
    if not shutil.which(name):
        say(f"note: no {name} here, so {without} (apt install {choices[0]})")


def fingerprint(editable: bool) -> str:
    digest = hashlib.sha256(f"{sys.version} {editable}".encode())
    names = ("pyproject.toml", "plugins", "hooks") if editable else SOURCES
    for name in names:
        path = ROOT / name
        for file in sorted(path.rglob("*.*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(file.read_bytes())
    return digest.hexdigest()


def pip(python: Path, *args: str) -> None:
    say(f"pip {' '.join(args)}".replace(f"{ROOT}", "."))
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "-q", *args]
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
        stop("pip failed, see above", "is the package index reachable?")


def say(text: str) -> None:
    print(f"setup: {text}", file=sys.stderr)


def stop(text: str, hint: str) -> None:
    print(f"error: {text}\nhint: {hint}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
