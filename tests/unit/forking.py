"""Run commands of rustext in forks of one process that has everything imported.

A command takes some tens of milliseconds in this way, with limits of the kernel. As a program, it
takes orders on stdin, one line of JSON each (what `become` takes), and answers on stdout with the
exit code (negative for a signal) and the peak memory in kB.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import resource
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

import rustext
from rustext.cli.main import run


def import_all() -> None:
    own = [m.name for m in pkgutil.walk_packages(rustext.__path__, "rustext.")]
    for name in (*own, "platformdirs", "packaging.requirements", "encodings.idna"):
        if not name.endswith(("__main__", "selftest_entry", "isolated_child")):
            with suppress(ImportError):
                importlib.import_module(name)
    gc.freeze()


def become(
    arguments: Sequence[str], *, out: str, err: str, folder: str, seconds: int, memory: int
) -> None:
    """In a fork: run the command, and end.

    `seconds` are of the processor, three times as many in all; `memory` are bytes of address space.
    """
    code = 99
    try:
        for number, name in ((1, out), (2, err)):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
        os.chdir(folder)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(3 * seconds)  # of a machine that may have other work to do
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        code = run(arguments)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 98
    except BaseException as error:  # noqa: BLE001 (a child must not go on)
        sys.stderr.write(f"Traceback: {error!r}\n")
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    import_all()
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if not child:
            become(**order)
        _, status, usage = os.wait4(child, 0)
        print(json.dumps([os.waitstatus_to_exitcode(status), usage.ru_maxrss]), flush=True)
