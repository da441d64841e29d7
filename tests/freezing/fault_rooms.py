"""Folders for builds that are disturbed: a program with its packages, and the rights of a user."""

from __future__ import annotations

import contextlib
import functools
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fault_kinds import INFO, METADATA, write
from kept_rows import CACHE
from lab import HERE, ROOT, Lab, install, uv

RUST = "ormsgpack==1.13.1"
PROGRAM = """\
import ormsgpack, bad.ormsgpack
print(ormsgpack.unpackb(ormsgpack.packb({"a": 1})))
"""
RESULT = "{'a': 1}\n"
NUITKA = CACHE / "nuitka-account"  # its cache, which the account owns
MEMORY = 8 << 30  # bytes of a process: a freezer that reads a file without end stops there
SECONDS = 400  # of a build with Nuitka, which takes 20 s alone: it waits for a FIFO without end
LIMIT = ("prlimit", f"--as={MEMORY}")
DROP = ("setpriv", "--bounding-set=-all", "--no-new-privs") if os.geteuid() == 0 else ()
NOBODY = "nobody"  # the account of builds and programs where root starts them

# Modules of the standard library that are not needed here: a build takes half the time without.
SPARED = ("ssl", "hashlib", "bz2", "lzma", "ctypes", "multiprocessing", "asyncio", "socket",
          "email", "xml", "unittest", "pydoc", "tarfile", "http", "decimal",
          "fractions", "statistics", "pdb", "curses", "readline")  # fmt: skip


def spared(freezer: str) -> list[str]:
    """The options that leave them out."""
    option = "--exclude-module" if freezer == "pyinstaller" else "--nofollow-import-to"
    return [f"{option}={name}" for name in SPARED]


@functools.cache
def account() -> tuple[str, ...]:
    """The words that start a command as another account than root, if that can read this Python."""
    change = (f"--reuid={NOBODY}", f"--regid={pwd.getpwnam(NOBODY).pw_gid}", "--clear-groups")
    words = ("setpriv", *change, *DROP[1:])
    # A shell starts it, as `setpriv` itself still looks for a program with the rights of root.
    start = ("sh", "-c", f"{sys.base_prefix}/bin/python3 -c ''")
    if os.geteuid() != 0 or subprocess.run([*words, *start], check=False).returncode:
        return ()
    return words


def who() -> str:
    """Who builds, for people."""
    if account():
        return f"the account `{NOBODY}`"
    return "root without its right to read any file" if os.geteuid() == 0 else "an ordinary account"


def hand_over(folder: Path) -> None:
    """Let the account own a folder and all that is in it."""
    if account():  # files of builds that go on may come and go
        subprocess.run(["chown", "-Rhf", NOBODY, str(folder)], check=False)


def ordinary(
    command: list[str], start: Sequence[str] = DROP, **options: object
) -> subprocess.CompletedProcess[str]:
    """Run a command whose user is bound by the modes of files, with so much memory."""
    return subprocess.run(
        [*LIMIT, *start, *command], capture_output=True, text=True, errors="replace", check=False,
        stdin=subprocess.DEVNULL, timeout=1200, **options,
    )  # fmt: skip


def environments() -> tuple[Path, Path]:
    """Interpreters with the freezers, without and with rustext; kept between runs."""
    folder = CACHE / "faults-wheel"
    shutil.rmtree(folder, ignore_errors=True)
    uv("build", "-q", "--wheel", "--out-dir", str(folder), str(ROOT))
    (wheel,) = folder.glob("*.whl")
    lab = Lab(CACHE, wheel)
    return lab.environment(rustext=False), lab.environment(rustext=True)


def packages(python: Path, folder: Path) -> Path:
    """The packages that faults are put in: the program's, and one beside it.

    The program's package has lost the hook that it brings for PyInstaller, as most have none.
    """
    site = folder / "packages"
    install(python, "--target", str(site), RUST)
    (hooks,) = site.glob("*/_pyinstaller")
    shutil.rmtree(hooks)
    (info,) = site.glob("ormsgpack-*.dist-info")
    (info / "entry_points.txt").unlink()
    rows = (info / "RECORD").read_text().splitlines(keepends=True)
    gone = ("/_pyinstaller/", "/entry_points.txt,")
    (info / "RECORD").write_text("".join(r for r in rows if not any(g in r for g in gone)))
    write("bad/__init__.py", 'FILE = __file__.replace("__init__.py", "table.json")\n')(site)
    write(f"{INFO}/METADATA", METADATA)(site)
    native = Path(shutil.copy(next(site.glob("ormsgpack/*.so")), site / "bad")).name
    names = ("__init__.py", native)
    rows = [*(f"bad/{name}" for name in names), f"{INFO}/METADATA", f"{INFO}/RECORD"]
    write(f"{INFO}/RECORD", "".join(f"{row},,\n" for row in rows))(site)
    return site


@dataclass(frozen=True, kw_only=True)
class Room:
    """A program with its packages in a folder of its own, and how it is built."""

    folder: Path
    pythons: tuple[Path, Path]
    freezer: str
    variables: Mapping[str, str | None] = field(default_factory=dict)
    name: str = "with"  # of the folder for a build with rustext

    @property
    def site(self) -> Path:
        return self.folder / "site"

    def environ(self, python: Path) -> dict[str, str]:
        env = {
            **os.environ,
            "PYTHONPATH": str(self.site),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
            "RUSTEXT_TEST_COMPILE": "",
            "HOME": str(self.folder / "own-home"),
            "NUITKA_CACHE_DIR": str(NUITKA),
            "PYINSTALLER_CONFIG_DIR": str(self.folder / "pyinstaller"),
            **self.variables,
        }
        return {name: value for name, value in env.items() if value is not None}

    def ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Start Python with rustext in the program's folder."""
        python = self.pythons[1]
        return self.run(str(python), *arguments, cwd=self.folder, env=self.environ(python))

    def run(self, *command: str, **options: object) -> subprocess.CompletedProcess[str]:
        """Run a command as the account."""
        hand_over(self.folder)
        return ordinary([*command], account() or DROP, **options)

    def command(self, *, rustext: bool) -> list[str]:
        python = str(self.pythons[rustext])
        if self.freezer == "pyinstaller":
            command = [python, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN"]
        else:
            command = ["timeout", str(SECONDS), python, "-m", "nuitka", "--standalone"]
            command += ["--assume-yes-for-downloads"]
            command += [f"--user-plugin={HERE / 'demote_plugin.py'}", "--quiet"]
            command += ["--enable-plugin=rustext"] if rustext else []
        return [*command, *spared(self.freezer), str(self.folder / "app.py")]

    def build(self, *, rustext: bool) -> subprocess.CompletedProcess[str]:
        out = self.folder / (self.name if rustext else "without")
        out.mkdir(exist_ok=True)
        env = self.environ(self.pythons[rustext])
        return self.run(*self.command(rustext=rustext), cwd=out, env=env)

    def start_build(self) -> subprocess.Popen[bytes]:
        """Begin a build in a group of processes of its own."""
        out = self.folder / self.name
        out.mkdir(exist_ok=True)
        hand_over(self.folder)
        return subprocess.Popen(
            [*LIMIT, *(account() or DROP), *self.command(rustext=True)],
            cwd=out, env=self.environ(self.pythons[1]), start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def failure(self) -> str:
        """What is wrong with the program where nothing else of the build can be found."""
        is_folder = self.freezer == "pyinstaller"
        bundle = self.folder / self.name / ("dist/app" if is_folder else "app.dist")
        with tempfile.TemporaryDirectory(prefix="rustext-moved-") as text:
            Path(text).chmod(0o755)
            moved = Path(text) / "app"
            try:
                shutil.move(bundle, moved)
            except FileNotFoundError:
                return "there is no program"
            program = moved / ("app" if is_folder else "app.bin")
            with hidden(self.site):
                done = self.run(str(program), cwd=moved, env={"PATH": "/usr/bin:/bin"})
        good = done.returncode == 0 and done.stdout == RESULT
        return "" if good else f"the program does not run: {done.stderr.strip()[-200:]}"


@contextlib.contextmanager
def hidden(path: Path) -> Iterator[None]:
    other = path.with_name(f"hidden-{path.name}")
    path.rename(other)
    try:
        yield
    finally:
        other.rename(path)


@contextlib.contextmanager
def room_for(pythons: tuple[Path, Path], site: Path, freezer: str) -> Iterator[Room]:
    """A room that is there for one row of a table alone, with a copy of the packages."""
    with tempfile.TemporaryDirectory(prefix="rustext-room-") as text:
        shutil.copytree(site, Path(text) / "site")
        (Path(text) / "own-home").mkdir()
        NUITKA.mkdir(parents=True, exist_ok=True)
        hand_over(NUITKA)
        try:
            yield Room(folder=Path(text), pythons=pythons, freezer=freezer)
        finally:
            subprocess.run(["chmod", "-R", "u+rwx", text], check=False, capture_output=True)


def escaped(text: str) -> str:
    """Text in a cell of a table."""
    text = text.encode("ascii", "backslashreplace").decode().replace("\n", " ")
    text = text.replace("\\u2026", "…")
    return text.replace("|", "\\|").replace("<", "&lt;")
