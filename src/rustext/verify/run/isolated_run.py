"""Start a program as a customer would: without the host's Python, environments and sources.

In: a bundle, its program and arguments. Out: how it ended, what it printed, and which libraries
the loader took from outside of the bundle, in the loader's own words (`LD_DEBUG=libs`, ld.so(8)).
On Linux the folders to hide are covered by empty ones in a mount namespace of their own
(mount_namespaces(7), user_namespaces(7)); where the kernel does not allow that, the program is
started without hiding and the result says so.

The child that enters the namespace and becomes the program is `rustext.verify.run.isolated_child`.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from rustext.data import package_text
from rustext.environment.child_process import Finished, run
from rustext.model.verification import IsolatedRun
from rustext.verify.run.loader_log import LOG_NAME, read_logs

_PATH = "/usr/bin:/bin"
# Each apart, and from the bundle: a program may empty its folder for temporary files.
_ROOMS = ("home", "tmp", "log")
# What the child says on stderr, and nothing else, when the kernel gives it no namespace. An exit
# code would not do: the program may end with any.
REFUSED = "rustext: no namespace"
_UNSAFE = ("namespaces for processes and the network",)
# Nothing of Python, of the dynamic loader or of a virtual environment reaches the program.
_KEPT_VARIABLES = (
    "LANG", "LC_ALL", "TZ", "TERM", "DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR",
)  # fmt: skip
# What Windows sets for every user; without SYSTEMROOT hardly a program starts.
_WINDOWS_VARIABLES = (
    "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "PROGRAMDATA", "PUBLIC", "OS",
    "NUMBER_OF_PROCESSORS", "PROCESSOR_ARCHITECTURE",
)  # fmt: skip


def run_isolated(
    root: Path,
    program: Path,
    arguments: Sequence[str] = (),
    *,
    hide: Sequence[Path] = (),
    timeout: float = 60,
    endless: bool = False,
    variables: Mapping[str, str] | None = None,
) -> IsolatedRun:
    """Run `program`, which lies in the bundle `root`, with the folders in `hide` out of sight.

    `timeout` is in seconds: a program that still runs then is ended, and the answer says so;
    `endless` says that this is expected. `variables` are set besides the few that programs get. The
    bundle itself stays visible, read-only or not as it is, even inside a hidden folder. Raises
    `ForeignProcessError` if it cannot be started.
    """
    with temporary_folder("rustext-run-") as scratch:
        for name in _ROOMS:
            (scratch / name).mkdir()
        env = {**_clean_environment(scratch), **(variables or {})}
        # Unlike `Path.is_dir`, this is false for what the user, and so the program, cannot reach.
        folders = (path for path in hide if os.path.isdir(path))  # noqa: PTH112
        covered = _outermost(path.resolve() for path in folders)
        # A namespace cannot be entered from a path that is about to vanish: rustext itself, and
        # the Python that runs it, are needed until the very last step.
        order = {
            "root": str(root.resolve()),
            "inside": str(scratch / "bundle"),
            "program": str(program.resolve().relative_to(root.resolve())),
            "arguments": list(arguments),
            "hide": [str(path) for path in covered],
            "env": env,
            "home": str(scratch / "home"),
            "writable": _writable(root.resolve(), scratch, covered),
            "display": _display(env),
        }
        done, lacking = _run_hidden(order, program.name, timeout)
        hidden = covered if done is not None else ()
        if done is None:
            command = [str(program.resolve()), *arguments]
            done = run(command, timeout=timeout, env=env, cwd=scratch / "home", patient=True)
        # What a one-file program has unpacked to the folder for temporary files is its own too.
        own = (scratch / "bundle", scratch)
        seen, missing = read_logs(scratch / "log", (*own, root.resolve()), _PATH)
    libraries = (
        next((root / path.relative_to(o) for o in own if path.is_relative_to(o)), path)
        for path in seen
    )
    return IsolatedRun(
        code=done.code,
        stdout=done.stdout,
        stderr=done.stderr,
        hidden=hidden,
        libraries=tuple(dict.fromkeys(libraries)),
        missing=missing,
        seconds=None if done.ended else timeout,
        endless=endless,
        lacking=lacking,
    )


def _writable(root: Path, scratch: Path, covered: Sequence[Path]) -> list[str]:
    """The folders that the program may write to, as far as its user may."""
    folders = {root, scratch, Path(tempfile.gettempdir()).resolve(), Path("/tmp").resolve()}  # noqa: S108
    seen = (f for f in folders if f.is_dir() and not any(f.is_relative_to(c) for c in covered))
    return [str(folder) for folder in _outermost(seen)]


def _display(env: Mapping[str, str]) -> str | None:
    folder, name = env.get("XDG_RUNTIME_DIR"), env.get("WAYLAND_DISPLAY")
    return f"{folder}/{name}" if folder and name and folder.startswith("/run/") else None


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """A folder that a program may leave in any state, until the end of the block."""
    # On Windows a file of a program that has just ended may still be in use.
    lenient = sys.platform == "win32"
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=lenient) as name:
        folder = Path(name).resolve()
        try:
            yield folder
        finally:
            _flatten(folder)


def _flatten(folder: Path) -> None:
    """Move all folders below this one to its top.

    Of 1,000 folders in each other `shutil.rmtree` makes an error before Python 3.12.4:
    https://github.com/python/cpython/issues/89727.
    """
    work = [folder]
    for current in work:
        with suppress(OSError):  # not ours: `TemporaryDirectory` says so
            for entry in list(os.scandir(current)):
                if entry.is_dir(follow_symlinks=False):
                    target = folder / f"flat-{len(work)}"
                    Path(entry.path).chmod(stat.S_IRWXU)  # a closed folder is not moved
                    Path(entry.path).rename(target)
                    work.append(target)


def _run_hidden(
    order: Mapping[str, object], name: str, timeout: float
) -> tuple[Finished | None, tuple[str, ...]]:
    """Run a program by the child's orders, and what its sandbox lacks on this kernel.

    None where there are no namespaces, or none for us.
    """
    if sys.platform != "linux":
        return None, _UNSAFE
    child = package_text("verify/run/isolated_child.py")
    # By this word the child's own line is told from those of the program, which does not know it.
    token = f"{secrets.token_hex(16)} "
    for full in (True, False):
        orders = json.dumps({**order, "full": full, "token": token, "refused": REFUSED})
        command = [sys.executable, "-I", "-c", child, orders]
        done = run(command, timeout=timeout, name=name, patient=True)
        if done.stderr.strip() != REFUSED:
            first, end, rest = done.stderr.partition("\n")
            if full and end and first.startswith(token):
                return replace(done, stderr=rest), tuple(json.loads(first.removeprefix(token)))
            return done, () if full else _UNSAFE
        with suppress(OSError):  # as far as the child came
            Path(str(order["inside"])).rmdir()
            (Path(str(order["home"])).parent / "dev").rmdir()
    return None, _UNSAFE


def python_folders(prefixes: Sequence[str], stdlib: Sequence[str]) -> tuple[Path, ...]:
    """The folders of an interpreter that can be hidden without taking the system with them.

    A prefix such as `/usr` is shared with the C library; of such only Python's own folders go.
    """
    shared = {Path("/"), Path("/usr"), Path("/usr/local")}
    whole = [Path(p) for p in prefixes if Path(p).resolve() not in shared]
    return (*whole, *(Path(p) for p in stdlib))


def _clean_environment(scratch: Path) -> dict[str, str]:
    home, temporary = str(scratch / "home"), str(scratch / "tmp")
    if sys.platform == "win32":
        kept = {name: os.environ[name] for name in _WINDOWS_VARIABLES if name in os.environ}
        root = kept.get("SYSTEMROOT", r"C:\Windows")
        homes = dict.fromkeys(("USERPROFILE", "APPDATA", "LOCALAPPDATA"), home)
        path = rf"{root}\System32;{root}"
        return {**kept, **homes, "PATH": path, "TEMP": temporary, "TMP": temporary}
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return {
        **kept,
        "PATH": _PATH,
        "HOME": home,
        "TMPDIR": temporary,
        "LD_DEBUG": "libs",
        "LD_DEBUG_OUTPUT": str(scratch / "log" / LOG_NAME),
    }


def _outermost(folders: Iterator[Path]) -> tuple[Path, ...]:
    found: list[Path] = []
    for folder in sorted(set(folders)):
        if not any(folder.is_relative_to(outer) for outer in found):
            found.append(folder)
    return tuple(found)
