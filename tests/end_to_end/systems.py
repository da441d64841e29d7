"""Run a program of this machine's kind inside another system, as a container does.

In: the folder of a system and a bundle. Out: how it ended. The program sees that system's files
alone, and no network (mount_namespaces(7), chroot(2)).
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from debian import Debian

# What every installed Debian has of libraries that programs expect: "Essential" packages and apt
# need them.
PACKAGES = ("base-files", "libc6", "libgcc-s1", "libstdc++6", "zlib1g")
GLIBC = {"bullseye": "2.31", "bookworm": "2.36", "trixie": "2.41"}
DEBIAN = {"bullseye": "Debian 11", "bookworm": "Debian 12", "trixie": "Debian 13"}

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
        [*namespaces, "sh", "-c", _ENTER, "enter", bundle, system, inside],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/tmp"},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
