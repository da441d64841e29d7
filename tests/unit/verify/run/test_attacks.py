"""What a program under `--run` tries against the machine, as root and as an ordinary user.

Each attack is a small program that is really run. It ends with 0 where it was refused and with 1
where it was not; what it left behind is looked for from outside. The table that the documentation
shows, `docs/reference/sandbox-attacks.md`, names these attacks and no others.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from compiling import Compile

from rustext.data import package_folder

if not hasattr(os, "fork"):
    pytest.skip("the sandbox is of namespaces of Linux", allow_module_level=True)

pytestmark = pytest.mark.heavy

HEAD = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/reboot.h>
#include <unistd.h>
static int reach(const char *path) { return access(path, F_OK) == 0; }
static int put(const char *path) {
    int f = open(path, O_WRONLY | O_CREAT, 0600); return f >= 0 && write(f, "x", 1) == 1; }
static void linger(const char *name) { prctl(PR_SET_NAME, name); for (;;) pause(); }
static int sends(struct sockaddr *to, socklen_t size, int family) {
    int s = socket(family, SOCK_STREAM, 0); return connect(s, to, size) == 0; }
static int tcp(const char *host, int port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_aton(host, &a.sin_addr); return sends((void *)&a, sizeof a, AF_INET); }
int main(int count, char **args) {
    const char *hidden = args[1], *canary = args[2], *host = args[3]; int pid = atoi(args[4]);
    int port = atoi(args[5]); const char *left = args[6], *shared = args[7];
    (void)count; (void)hidden; (void)canary; (void)host; (void)pid; (void)port; (void)left;
    (void)shared;
"""
ATTACKS = {
    "daemon with setsid": "if (!fork()) { setsid(); linger(left); } return 0;",
    "daemon by a double fork": (
        "if (!fork()) { if (!fork()) { setsid(); linger(left); } _exit(0); } return 0;"
    ),
    "daemon without open files": (
        "if (!fork()) { setsid(); for (int i = 0; i < 99; i++) close(i); linger(left); } "
        "return 0;"
    ),
    "daemon that ignores signals": (
        "if (!fork()) { setsid(); for (int i = 1; i < 65; i++) signal(i, SIG_IGN); "
        "linger(left); } return 0;"
    ),
    "a stopped child": (
        "int c = fork(); if (!c) { setsid(); prctl(PR_SET_NAME, left); raise(SIGSTOP); } "
        "usleep(50000); return 0;"
    ),
    "a child in a new PID namespace": (
        "if (!unshare(CLONE_NEWUSER | CLONE_NEWPID) && !fork()) { setsid(); linger(left); } "
        "return 0;"
    ),
    "kill of a process outside": "return kill(pid, SIGKILL) == 0;",
    "kill of all processes": "signal(SIGTERM, SIG_IGN); kill(-1, SIGKILL); return 0;",
    "kill of its process group": "signal(SIGTERM, SIG_IGN); kill(0, SIGTERM); return 0;",
    "kill of its parent": "kill(getppid(), SIGKILL); kill(1, SIGKILL); usleep(50000); return 0;",
    "stop of its parent": "kill(getppid(), SIGSTOP); kill(1, SIGSTOP); usleep(50000); return 0;",
    "ptrace of its parent": "return ptrace(PTRACE_ATTACH, getppid(), 0, 0) == 0;",
    "ptrace of a process outside": "return ptrace(PTRACE_ATTACH, pid, 0, 0) == 0;",
    "the memory of its parent": 'return open("/proc/1/mem", O_RDWR) >= 0;',
    "files of its parent by /proc": (
        'return open("/proc/1/root/etc/hostname", O_RDONLY) >= 0 || open("/proc/1/fd/0", '
        'O_RDONLY) >= 0;'
    ),
    "processes outside in /proc": (
        'int n = 0; DIR *d = opendir("/proc"); for (struct dirent *e; (e = readdir(d));) n += '
        'atoi(e->d_name) > 0; return n > 5;'
    ),
    "umount of what hides": (
        'umount2(hidden, MNT_DETACH); umount(hidden); char p[4096]; sprintf(p, "%s/file", '
        'hidden); return reach(p);'
    ),
    "umount in a namespace of its own": (
        'unshare(CLONE_NEWUSER | CLONE_NEWNS); umount2(hidden, MNT_DETACH); char p[4096]; '
        'sprintf(p, "%s/file", hidden); return reach(p);'
    ),
    "mount of the file system": (
        'mkdir("m", 0700); return mount("/", "m", 0, MS_BIND, 0) == 0 || mount("proc", "m", '
        '"proc", 0, 0) == 0;'
    ),
    "a writable mount again": 'mount(0, "/", 0, MS_REMOUNT | MS_BIND, 0); return put(canary);',
    "entering another mount namespace": (
        'char p[64]; sprintf(p, "/proc/%d/ns/mnt", pid); int f = open(p, O_RDONLY); return f '
        '>= 0 && setns(f, 0) == 0;'
    ),
    "chroot and climbing out": (
        'mkdir("c", 0700); int f = open("/", O_RDONLY); if (chroot("c")) return 0; fchdir(f); '
        'char p[4096]; sprintf(p, ".%s/file", hidden); return reach(p);'
    ),
    "a write to a file outside": "return put(canary);",
    "removing a file outside": "return unlink(canary) == 0;",
    "a write to the kernel's settings": (
        'return put("/proc/sys/kernel/core_pattern") || put("/proc/sysrq-trigger") || '
        'put("/sys/kernel/profiling");'
    ),
    "a raw disk": (
        'return reach("/dev/sda") || reach("/dev/vda") || reach("/dev/mem") || '
        'reach("/dev/kmsg") || (mknod("d", S_IFBLK | 0600, makedev(254, 0)) == 0 && open("d", '
        'O_RDONLY) >= 0);'
    ),
    "rights by a setuid program": (
        'return system("su -c true root 2>/dev/null || mount --bind / /mnt 2>/dev/null") == 0 '
        '&& geteuid() != 0;'
    ),
    "a mount in a namespace of its own": (
        "return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && "
        'mount("none", "/tmp", "tmpfs", 0, 0) == 0;'
    ),
    "a program for the kernel (BPF)": (
        "char b[128] = {17, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 1}; "
        "return syscall(SYS_bpf, 0, b, 72) >= 0;"
    ),
    "capabilities": (
        'char b[4096] = ""; int f = open("/proc/self/status", O_RDONLY); read(f, b, 4000); '
        'return !strstr(b, "CapEff:\\t0000000000000000") || !strstr(b, '
        '"CapBnd:\\t0000000000000000") || !strstr(b, "NoNewPrivs:\\t1");'
    ),
    "reboot": "return reboot(RB_DISABLE_CAD) == 0;",
    "another host name": 'return sethostname("evil", 4) == 0;',
    "a TCP server of this machine": 'return tcp("127.0.0.1", port);',
    "the internet": 'return tcp("1.1.1.1", 53) || tcp("8.8.8.8", 53);',
    "an abstract socket of this machine": (
        "struct sockaddr_un a = {.sun_family = AF_UNIX}; strcpy(a.sun_path + 1, host); return "
        "sends((void *)&a, offsetof(struct sockaddr_un, sun_path) + 1 + strlen(host), AF_UNIX);"
    ),
    "services in /run": (
        'return reach("/run/docker.sock") || reach("/run/systemd") || reach("/run/dbus") || '
        'reach("/run/user") || reach("/run/lock");'
    ),
    "shared memory of this machine": "int s = shmget(0x72757374, 4096, 0); return s >= 0;",
    "files in /dev/shm": "return reach(shared);",
    "a key of this session": 'return syscall(SYS_keyctl, 10L, -3L, "user", host, 0L) >= 0;',
    "a key by a call of 32 bits": (
        "int r = -1;\n#ifdef __x86_64__\n"
        'asm volatile("int $0x80" : "=a"(r) : "a"(288), "b"(0), "c"(-3), "d"(0));'
        "\n#endif\nreturn r >= 0;"  # KEYCTL_GET_KEYRING_ID of the session's
    ),
    "a key left in this session": 'syscall(SYS_add_key, "user", left, "x", 1L, -3L); return 0;',
    "input for a terminal (TIOCSTI)": (
        'int n = 0; for (int i = 0; i < 3; i++) n |= ioctl(i, TIOCSTI, "x") == 0; int t = '
        'open("/dev/tty", O_RDWR); return n || (t >= 0 && ioctl(t, TIOCSTI, "x") == 0);'
    ),
    "terminals of others": (
        'return reach("/dev/pts/0") || reach("/dev/tty1") || reach("/dev/console");'
    ),
    "a fork bomb": (
        "for (int i = 0; i < 100000; i++) { int c = fork(); if (c < 0) { return 0; } if (!c) "
        "linger(left); } return 1;"
    ),
    "threads without end": (
        "for (int i = 0; i < 100000; i++) { if (fork() == 0) pause(); else if (errno == "
        "EAGAIN) return 0; } return 1;"
    ),
    "memory without end": (
        "for (int i = 0; i < 1 << 20; i++) { char *m = malloc(1 << 20); if (!m) return 0; } "
        "return 1;"
    ),
    "mapped memory without end": (
        "for (int i = 0; i < 1 << 20; i++) { char *m = mmap(0, 1 << 24, 3, MAP_PRIVATE | "
        "MAP_ANONYMOUS, -1, 0); if (m == MAP_FAILED) return 0; } return 1;"
    ),
    "a file without end": (
        'signal(SIGXFSZ, SIG_IGN); int f = open("f", O_CREAT | O_RDWR, 0600); return '
        'ftruncate(f, 1LL << 40) == 0;'
    ),
    "higher limits": (
        "struct rlimit r; getrlimit(RLIMIT_FSIZE, &r); r.rlim_max = r.rlim_cur = "
        "RLIM_INFINITY; return setrlimit(RLIMIT_FSIZE, &r) == 0;"
    ),
    "output without end": (
        "char t[65536]; memset(t, 120, sizeof t); for (int i = 0; i < 3000; i++) write(1 + i % "
        "2, t, sizeof t); return 0;"
    ),
    "orders to rustext in its output": 'fputs("rustext: no namespace", stderr); return 0;',
    "orders to rustext in a line": (
        'fputs("0123456789abcdef0123456789abcdef []\\n", stderr); return 0;'
    ),
    "a CI system's commands": (
        'puts("::add-mask::x\\n##[error]x\\n##vso[x]x\\n##teamcity[x]"); return 0;'
    ),
    "death by a signal": "signal(SIGKILL, SIG_DFL); raise(SIGSEGV); return 1;",
    "the end of its own init": "for (int i = 1; i < 65; i++) kill(1, i); usleep(50000); return 0;",
}  # fmt: skip
ENDED_BY_SIGNAL = {"kill of its process group": 0, "death by a signal": -11}
DRIVER = """
import json, sys
from pathlib import Path
from rustext.verify.run.isolated_run import run_isolated
root, hidden = Path(sys.argv[1]), Path(sys.argv[2])
closed = hidden.parent / "closed/hidden"  # to an ordinary user
done = run_isolated(root, root / "app", sys.argv[2:], hide=[hidden, closed], timeout=30)
print(json.dumps([done.code, done.seconds, done.stderr[:4000], done.lacking, len(done.stdout)]))
"""


@dataclass(frozen=True, kw_only=True)
class Host:
    """What the attacks are after."""

    root: Path
    hidden: Path
    canary: Path
    name: str
    process: subprocess.Popen[bytes]
    port: int
    shared: Path


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    # Not in pytest's own folder, which each start of pytest closes to others again.
    folder = Path(tempfile.mkdtemp(prefix="rustext-host-"))
    folder.chmod(0o755)
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    (closed / "hidden").mkdir()
    (folder / "hidden").mkdir()
    (folder / "hidden" / "file").touch()
    # Not in a folder for temporary files, which all programs may write to.
    canary = Path(f"/var/lib/rt-canary-{os.getpid()}" if os.geteuid() == 0 else Path.home() / ".rt")
    canary.write_text("")
    canary.chmod(0o666)
    shared = Path(f"/dev/shm/rt-outside-{os.getpid()}")
    shared.touch()
    name = f"rt-{os.getpid()}"
    add_key(name)
    with socket.socket(socket.AF_UNIX) as abstract, socket.create_server(("127.0.0.1", 0)) as tcp:
        abstract.bind(f"\0{name}")
        abstract.listen()
        with subprocess.Popen(["sleep", "600"]) as process:
            yield Host(
                root=folder, hidden=folder / "hidden", canary=canary, name=name, process=process,
                port=tcp.getsockname()[1], shared=shared,
            )  # fmt: skip
            process.kill()
    shutil.rmtree(folder)
    canary.unlink(missing_ok=True)
    shared.unlink()


ADD_KEY, KEYCTL = {"x86_64": (248, 250), "aarch64": (217, 219)}[os.uname().machine]
KEYRING = -3  # KEY_SPEC_SESSION_KEYRING, which all children inherit: session-keyring(7)


def add_key(name: str) -> None:
    assert ctypes.CDLL(None).syscall(ADD_KEY, b"user", name.encode(), b"secret", 6, KEYRING) > 0


def has_key(name: str) -> bool:
    search = 10  # KEYCTL_SEARCH
    return ctypes.CDLL(None).syscall(KEYCTL, search, KEYRING, b"user", name.encode(), 0) > 0


def left_behind() -> list[str]:
    """The processes that an attack has left, by the name that it gave them."""
    found = []
    for status in Path("/proc").glob("[0-9]*/comm"):
        try:
            found += [status.parent.name] if status.read_text().strip() == LEFT else []
        except OSError:  # it has ended
            continue
    return found


LEFT = f"rt-left{os.getpid()}"[:15]
USERS = [None, 65534] if os.geteuid() == 0 else [None]


@pytest.mark.parametrize("user", USERS, ids=["caller", "nobody"][: len(USERS)])
@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused(attack: str, user: int | None, host: Host, gcc: Compile) -> None:
    root = host.root / re.sub(r"\W", "-", attack) / str(user)
    root.mkdir(parents=True)
    text = HEAD + ATTACKS[attack] + "\n}\n"
    source = text.replace(
        "#include <unistd.h>", "#include <sys/sysmacros.h>\n#include <unistd.h>", 1
    )
    shutil.copy(gcc("app", source, "-pthread", "-w"), root / "app")
    command = [
        sys.executable, "-c", DRIVER, str(root), str(host.hidden), str(host.canary), host.name,
        str(host.process.pid), str(host.port), LEFT, str(host.shared),
    ]  # fmt: skip
    begin = time.monotonic()
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=60, user=user, group=user,
        extra_groups=[] if user is not None else None, cwd="/",
        env={**os.environ, "PYTHONPATH": str(package_folder().parent), "HOME": "/tmp"},
    )  # fmt: skip
    code, seconds, stderr, lacking, _ = json.loads(done.stdout)
    assert (seconds, code, stderr if code else "") == (None, ENDED_BY_SIGNAL.get(attack, 0), "")
    assert time.monotonic() - begin < 30
    assert lacking == []
    assert left_behind() == []
    assert not has_key(LEFT)
    assert host.process.poll() is None
    assert host.canary.read_text() == ""


def test_what_is_left_behind_would_be_seen(gcc: Compile) -> None:
    """Or the test above would show nothing: outside of a sandbox the daemon goes on."""
    daemon = gcc("app", HEAD + ATTACKS["daemon with setsid"] + "}", "-w")
    subprocess.run(
        [daemon, "/", "/", "x", "1", "1", LEFT, "/"], check=True, stdout=subprocess.DEVNULL
    )
    time.sleep(0.1)
    (pid,) = left_behind()
    os.kill(int(pid), signal.SIGKILL)


def test_the_documentation_names_these_attacks() -> None:
    page = Path(__file__).parents[4] / "docs/reference/sandbox-attacks.md"
    rows = re.findall(r"^\| ([^|]+?) \|", page.read_text(), re.MULTILINE)
    assert rows[1:] == list(ATTACKS)
