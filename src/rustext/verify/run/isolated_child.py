"""The child process of an isolated run: it makes a sandbox and starts the program in it.

In: its orders, as JSON in its one argument. Needs the standard library alone and imports nothing of
rustext: its text is handed to an interpreter that knows of no installation (`python -I -c`).

Three processes: this one waits, and ends as the program does; the second is the init of a PID
namespace, with which all that the program has started ends (pid_namespaces(7)); the third becomes
the program, in a session of its own and without any capability. With `"full": false`, for kernels
that give mount namespaces alone, this process itself becomes the program.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import resource
import signal
import socket
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

_NEWNS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = (  # <sched.h>
    0x00020000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_BIND, _MS_REC, _MS_PRIVATE = (  # <sys/mount.h>
    0x2, 0x4, 0x8, 0x1000, 0x4000, 0x40000,
)  # fmt: skip
_PDEATHSIG, _DUMPABLE, _CAPBSET_DROP, _SECUREBITS, _NO_NEW_PRIVS, _AMBIENT = 1, 4, 24, 28, 38, 47
_NOROOT = 0x2F  # SECBIT_NOROOT and SECBIT_NO_SETUID_FIXUP, with all of capabilities(7) locked
_MOUNT_SETATTR = 442  # of all architectures since Linux 5.12
_AT_FDCWD, _AT_RECURSIVE, _RDONLY = -100, 0x8000, 1
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2",
          "ptmx": "pts/ptmx"}  # fmt: skip
_SETTINGS = ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs")
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000  # SCMP_ACT_ALLOW and SCMP_ACT_ERRNO of <seccomp.h>
_MACHINES = ("x86_64", "x86", "x32", "aarch64", "arm")
# What reaches the keys of the session, which no namespace hides, or the depths of the kernel, where
# a user namespace gives the right to. Programs that need none of it see no difference.
_REFUSED_CALLS = (
    "add_key", "keyctl", "request_key", "bpf", "perf_event_open", "mount", "umount2", "pivot_root",
    "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "setns",
    "open_by_handle_at", "kexec_load", "kexec_file_load", "init_module", "finit_module",
    "delete_module", "swapon", "swapoff", "acct", "quotactl", "reboot", "syslog",
)  # fmt: skip
_PROCESSES = 4096
_FILE = 4 << 30  # bytes of one file
_libc = ctypes.CDLL(None, use_errno=True)


def enter_and_become(order: dict[str, Any]) -> None:
    """Cover the folders in `order["hide"]`, then start the program.

    Exits with the words of `order["refused"]` where the kernel does not allow it, with 126 where
    the program cannot be started, as a shell does; else as the program ends.
    """
    full = bool(order.get("full"))
    user, group = os.getuid(), os.getgid()
    namespaces = _NEWUSER | _NEWNS | (_NEWPID | _NEWNET | _NEWIPC if full else 0)
    if _libc.unshare(namespaces) != 0:
        sys.exit(order["refused"])
    try:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        if not full:
            _cover(order)
    except OSError:
        sys.exit(order["refused"])
    if full:
        _supervise(order)
    _limit()
    _become(order)


def _supervise(order: dict[str, Any]) -> None:
    """Return as the program-to-be; the other two processes end here."""
    reader, writer = os.pipe()
    init = os.fork()
    if init:
        os.close(writer)
        os.waitpid(init, 0)
        _end_as(os.read(reader, 4))
    _libc.prctl(_PDEATHSIG, signal.SIGKILL)
    _libc.prctl(_DUMPABLE, 0)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # by the caller, and so inherited
        # An init gets no signal that it does not handle.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        _cover(order)
        _mount("proc", "/proc", "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
        lacking = [words for step, words in _STEPS if not _succeeds(step, order)]
    except OSError:
        sys.stderr.write(order["refused"])
        os._exit(1)
    os.write(2, f"{order['token']}{json.dumps(lacking)}\n".encode())
    program = os.fork()
    if not program:
        os.setsid()
        return
    while True:
        ended, status = os.wait()
        if ended == program:
            os.write(writer, struct.pack("i", status))
            os._exit(0)


def _end_as(told: bytes) -> None:
    """End as the program did; it has told nothing where its sandbox could not be made."""
    if not told:
        os._exit(1)
    code = os.waitstatus_to_exitcode(struct.unpack("i", told)[0])
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if -code not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code & 0xFF)


# --- what the program sees ----------------------------------------------------------------------


def _cover(order: dict[str, Any]) -> None:
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    for folder in order.get("writable", ()):
        _mount(folder, folder, None, _MS_BIND | _MS_REC)
    os.mkdir(order["inside"])  # noqa: PTH102 (no imports from here on)
    _mount(order["root"], order["inside"], None, _MS_BIND | _MS_REC)
    os.chdir(order["home"])
    for folder in order["hide"]:
        _mount("tmpfs", folder, "tmpfs", 0)


def _hide_devices(order: dict[str, Any]) -> None:
    """A `/dev` of those devices that any program may use, as bubblewrap makes it."""
    new = f"{order['home']}/../dev"
    os.mkdir(new)  # noqa: PTH102
    _mount("tmpfs", new, "tmpfs", _MS_NOSUID | _MS_NOEXEC, "mode=755,size=64k")
    for name in _DEVICES:
        os.close(os.open(f"{new}/{name}", os.O_CREAT | os.O_WRONLY))
        _mount(f"/dev/{name}", f"{new}/{name}", None, _MS_BIND)
    for name, target in _LINKS.items():
        os.symlink(target, f"{new}/{name}")  # noqa: PTH211
    for name in ("pts", "shm", "mqueue"):
        os.mkdir(f"{new}/{name}")  # noqa: PTH102
    flags = _MS_NOSUID | _MS_NOEXEC
    _mount("devpts", f"{new}/pts", "devpts", flags, "newinstance,ptmxmode=0666,mode=620")
    _mount("tmpfs", f"{new}/shm", "tmpfs", flags | _MS_NODEV, "mode=1777,size=1g")
    _mount(new, "/dev", None, _MS_BIND | _MS_REC)


def _hide_services(order: dict[str, Any]) -> None:
    """Nothing of `/run`, where the sockets of services are, but the user's display."""
    display = order["display"]
    if display and os.path.exists(display):  # noqa: PTH110
        held = os.open(display, os.O_PATH)
        _mount("tmpfs", "/run", "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=755,size=64k")
        os.makedirs(os.path.dirname(display), mode=0o700, exist_ok=True)  # noqa: PTH103, PTH120
        os.close(os.open(display, os.O_CREAT | os.O_WRONLY))
        _mount(f"/proc/self/fd/{held}", display, None, _MS_BIND)
        os.close(held)
    else:
        _mount("tmpfs", "/run", "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=755,size=64k")


def _make_read_only(order: dict[str, Any]) -> None:
    """All but the bundle, the folders for temporary files, and `/dev`."""
    _set_read_only("/", on=True)
    for folder in (*order["writable"], order["inside"], "/dev", "/proc"):
        if os.path.exists(folder):  # noqa: PTH110
            _set_read_only(folder, on=False)
    for setting in _SETTINGS:  # which root may change without any capability
        if os.path.exists(setting):  # noqa: PTH110
            _mount(setting, setting, None, _MS_BIND | _MS_REC)
            _set_read_only(setting, on=True)


def _set_read_only(folder: str, *, on: bool) -> None:
    attributes = struct.pack("QQQQ", _RDONLY if on else 0, 0 if on else _RDONLY, 0, 0)
    done = _libc.syscall(
        _MOUNT_SETATTR, _AT_FDCWD, folder.encode(), _AT_RECURSIVE, attributes, len(attributes)
    )
    if done != 0 and on:
        raise OSError(ctypes.get_errno(), f"mount_setattr {folder}")


def _raise_loopback(_: dict[str, Any]) -> None:
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x41))  # SIOCSIFFLAGS


def _limit_processes(_: dict[str, Any]) -> None:
    """For this PID namespace alone, since Linux 6.14; RLIMIT_NPROC does not stop root."""
    Path("/proc/sys/kernel/pid_max").write_text(str(_PROCESSES))


def _refuse_calls(_: dict[str, Any]) -> None:
    """Load a filter of system calls, which all later processes inherit: seccomp(2)."""
    lib = ctypes.CDLL("libseccomp.so.2")
    lib.seccomp_init.restype = ctypes.c_void_p
    rules = ctypes.c_void_p(lib.seccomp_init(_ALLOW))
    for machine in _MACHINES:  # otherwise a program for another than ours would be killed
        lib.seccomp_arch_add(rules, lib.seccomp_arch_resolve_name(machine.encode()))
    for name in _REFUSED_CALLS:
        number = lib.seccomp_syscall_resolve_name(name.encode())
        lib.seccomp_rule_add(rules, _FAIL | errno.EPERM, number, 0)
    if lib.seccomp_load(rules) != 0:
        raise OSError(errno.EINVAL, "seccomp_load")


_STEPS = (
    (_hide_devices, "its devices"),
    (_hide_services, "the services of this machine"),
    (_raise_loopback, "a loopback network"),
    (_limit_processes, "a limit of processes for root"),
    (_make_read_only, "a read-only file system"),
    (_refuse_calls, "a filter of system calls (libseccomp)"),
)


def _succeeds(step: Any, order: dict[str, Any]) -> bool:
    try:
        step(order)
    except OSError:
        return False
    return True


def _mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    encoded = kind.encode() if kind is not None else None
    options = data.encode() or None
    if _libc.mount(source.encode(), target.encode(), encoded, flags, options) != 0:
        raise OSError(ctypes.get_errno(), f"mount {target}")


# --- what the program may do --------------------------------------------------------------------


def _limit() -> None:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    for kind, most in (
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_NPROC, _PROCESSES),
        (resource.RLIMIT_FSIZE, _FILE),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (least, least))
    with suppress(OSError):  # the kernel chooses by size alone then
        Path("/proc/self/oom_score_adj").write_text("1000")
    _libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    for capability in range(64):  # those that the kernel does not know are refused
        _libc.prctl(_CAPBSET_DROP, capability, 0, 0, 0)
    _libc.prctl(_AMBIENT, 4, 0, 0, 0)  # PR_CAP_AMBIENT_CLEAR_ALL
    _libc.prctl(_SECUREBITS, _NOROOT, 0, 0, 0)
    empty = (ctypes.c_uint32 * 6)()
    _libc.capset((ctypes.c_uint32 * 2)(0x20080522, 0), empty)  # version 3 of <linux/capability.h>


def _become(order: dict[str, Any]) -> None:
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python, and so by what it becomes
        signal.signal(ignored, signal.SIG_DFL)
    program = f"{order['inside']}/{order['program']}"
    try:
        os.execve(program, [program, *order["arguments"]], order["env"])  # noqa: S606
    except OSError as error:
        sys.stderr.write(f"{order['program']} cannot be started: {error.strerror}\n")
        sys.stderr.flush()
        os._exit(126)


if __name__ == "__main__":
    enter_and_become(json.loads(sys.argv[1]))
