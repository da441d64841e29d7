"""Run a program of this machine's kind inside another system, as a container does.

In: the folder of a system and a bundle. Out: how it ended. The program sees that system's files
alone, and of the network itself alone (mount_namespaces(7), network_namespaces(7), chroot(2)).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from debian import Debian

# What every installed Debian has of libraries that programs expect: "Essential" packages and apt
# need them.
PACKAGES = ("base-files", "libc6", "libgcc-s1", "libstdc++6", "zlib1g")
GLIBC = {"bullseye": "2.31", "bookworm": "2.36", "trixie": "2.41"}
DEBIAN = {"bullseye": "Debian 11", "bookworm": "Debian 12", "trixie": "Debian 13"}

# A namespace's loopback interface is down to begin with; on every system it is up.
# netdevice(7): SIOCSIFFLAGS, with `struct ifreq` for "lo" and IFF_UP.
_LOOPBACK = """
import fcntl, os, signal, socket, struct, sys
os.environ.pop("LC_CTYPE", None)  # Python sets it (PEP 538), and ignores SIGPIPE
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh22x", b"lo", 1))
os.execvp(sys.argv[1], sys.argv[1:])
"""
_ENTER = """
set -e
mount --bind "$1" "$2/mnt"
mount --rbind /proc "$2/proc"
mount --rbind /dev "$2/dev"
root=$2; program=/mnt/$3; shift 3
exec chroot "$root" "$program" "$@"
"""


def unpack_system(debian: Debian, release: str) -> Path:
    """The libraries of a release of Debian."""
    root = debian.unpack(*PACKAGES, release=release)
    for folder in ("mnt", "proc", "dev", "tmp"):
        (root / folder).mkdir(exist_ok=True)
    return root


def run_inside(system: Path, bundle: Path, program: Path) -> subprocess.CompletedProcess[str]:
    """Start a program of the bundle in the system."""
    namespaces = ["unshare", "--mount", "--net"]
    if os.geteuid() != 0:
        namespaces += ["--user", "--map-root-user"]
    inside = str(program.relative_to(bundle))
    return subprocess.run(
        [*namespaces, sys.executable, "-I", "-c", _LOOPBACK,
         "sh", "-c", _ENTER, "enter", bundle, system, inside],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/tmp"},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
