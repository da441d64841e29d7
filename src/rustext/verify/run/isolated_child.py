"""The child process of an isolated run: it enters a namespace and becomes the program.

In: its orders, as JSON in its one argument. Needs the standard library alone and imports nothing of
rustext: its text is handed to an interpreter that knows of no installation (`python -I -c`).
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from pathlib import Path

# What the child says on stderr, and nothing else, when the kernel gives it no namespace. An exit
# code would not do: the program may end with any.
REFUSED = "rustext: no namespace"

_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000  # <sched.h>
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000  # <sys/mount.h>


def enter_and_become(order: dict[str, object]) -> None:
    """Cover the folders in `order["hide"]`, then become the program.

    Exits with the words `REFUSED` where the kernel does not allow it, with 126 where the program
    cannot be started, as a shell does.
    """
    root, inside = str(order["root"]), str(order["inside"])
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS) != 0:
        sys.exit(REFUSED)
    try:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        _mount(libc, "none", "/", None, _MS_REC | _MS_PRIVATE)
        os.mkdir(inside)  # noqa: PTH102  (no imports from here on)
        _mount(libc, root, inside, None, _MS_BIND | _MS_REC)
        os.chdir(str(order["home"]))
        hide = order["hide"]
        assert isinstance(hide, list)  # noqa: S101
        for folder in hide:
            _mount(libc, "tmpfs", folder, "tmpfs", 0)
    except OSError:
        sys.exit(REFUSED)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python, and so by what it becomes
        signal.signal(ignored, signal.SIG_DFL)
    program = f"{inside}/{order['program']}"
    arguments, env = order["arguments"], order["env"]
    assert isinstance(arguments, list)  # noqa: S101
    assert isinstance(env, dict)  # noqa: S101
    try:
        os.execve(program, [program, *arguments], env)  # noqa: S606
    except OSError as error:
        sys.stderr.write(f"{order['program']} cannot be started: {error.strerror}\n")
        sys.exit(126)


def _mount(libc: ctypes.CDLL, source: str, target: str, kind: str | None, flags: int) -> None:
    encoded = kind.encode() if kind is not None else None
    if libc.mount(source.encode(), target.encode(), encoded, flags, None) != 0:
        raise OSError(ctypes.get_errno(), f"mount {target}")


if __name__ == "__main__":
    enter_and_become(json.loads(sys.argv[1]))
