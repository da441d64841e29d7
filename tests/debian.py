"""Debian's packages in folders: foreign systems and tools, without touching this machine's own.

In: packages, a release and an architecture. Out: a folder in which they are unpacked, kept in the
cache between runs. apt gets folders and an empty list of installed packages of its own; what it
downloads is checked against Debian's keys as usual.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from lab import locked

# Debian's keys, from its package `debian-archive-keyring`.
KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# Folders that are links into /usr on an installed system (https://wiki.debian.org/UsrMerge).
MERGED = ("bin", "sbin", "lib", "lib64")


def mirror() -> str:
    """The archive that this machine's own packages come from; a Debian machine is asked for."""
    usual = _archives()
    if not usual:  # a new machine, whose lists are empty
        subprocess.run(["apt-get", "update"], check=True, stdout=subprocess.DEVNULL)
        usual = _archives()
    assert usual, "apt knows no archive of Debian"
    return usual[0]


def _archives() -> list[str]:
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    done = subprocess.run(asked, check=True, capture_output=True, text=True)
    found = [address.rstrip("/") for address in done.stdout.splitlines()]
    return [address for address in found if address.endswith("/debian")]


class Debian:
    """Unpacks packages below `cache`."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache / "debian"

    def unpack(
        self, *packages: str, release: str = "bookworm", architecture: str = "amd64"
    ) -> Path:
        """The folder that holds these packages, and not what they depend on."""
        key = hashlib.sha256(repr(sorted(packages)).encode()).hexdigest()[:8]
        target = self.cache / f"{release}-{architecture}-{key}"
        with locked(self.cache / "apt"):
            if not target.is_dir():
                self._make(target, packages, release, architecture)
        return target

    def _make(
        self, target: Path, packages: tuple[str, ...], release: str, architecture: str
    ) -> None:
        with tempfile.TemporaryDirectory(dir=self.cache) as name:
            room = Path(name)
            root = room / "root"
            for folder in MERGED:
                (root / "usr" / folder).mkdir(parents=True)
                (root / folder).symlink_to(f"usr/{folder}")
            for archive in self._download(room, packages, release, architecture):
                _extract(archive, root)
            _make_links_relative(root)
            shutil.rmtree(target, ignore_errors=True)
            root.rename(target)

    def tool(self, package: str, program: str) -> Path:
        """A program for this machine, as `qemu-arm-static` of `qemu-user-static`."""
        own = subprocess.run(
            ["dpkg", "--print-architecture"], check=True, capture_output=True, text=True
        )
        return self.unpack(package, architecture=own.stdout.strip()) / "usr/bin" / program

    def _download(
        self, room: Path, packages: tuple[str, ...], release: str, architecture: str
    ) -> list[Path]:
        state = self.cache / f"apt-{release}-{architecture}"
        for part in ("lists/partial", "cache/archives/partial"):
            (state / part).mkdir(parents=True, exist_ok=True)
        (state / "status").touch()
        (state / "sources.list").write_text(f"deb [signed-by={KEYS}] {mirror()} {release} main\n")
        options = {
            "APT::Architecture": architecture,
            "APT::Architectures": architecture,
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Acquire::Check-Valid-Until": "false",  # old releases are not signed anew
            "Dir::State": state,
            "Dir::State::lists": state / "lists",
            "Dir::State::status": state / "status",
            "Dir::Cache": state / "cache",
            "Dir::Etc::sourcelist": state / "sources.list",
            "Dir::Etc::sourceparts": "-",
        }
        apt = ["apt-get", *(word for k, v in options.items() for word in ("-o", f"{k}={v}"))]
        download = [*apt, "download", *packages]
        # What the lists of an earlier run name may be gone from the mirror by now.
        listed = any((state / "lists").glob("*Packages*"))
        if not listed or not _runs(download, room):
            _run([*apt, "update"], room)
            _run(download, room)
        return sorted(room.glob("*.deb"))


def _extract(archive: Path, root: Path) -> None:
    with subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE
    ) as unpacking:
        subprocess.run(
            ["tar", "-x", "--keep-directory-symlink", "--no-same-owner", "-C", root],
            stdin=unpacking.stdout, check=True, timeout=120,
        )  # fmt: skip
    assert unpacking.returncode == 0, archive


def _make_links_relative(root: Path) -> None:
    """A link to an absolute path would leave the folder: qemu's `-L` is no change of root."""
    for folder, folders, files in os.walk(root):
        for link in (Path(folder, name) for name in (*folders, *files)):
            if link.is_symlink() and link.readlink().is_absolute():
                target = root / link.readlink().relative_to("/")
                link.unlink()
                link.symlink_to(os.path.relpath(target, folder))


def _runs(command: list[str], folder: Path) -> bool:
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=300, check=False)
    return done.returncode == 0


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{' '.join(command[-4:])}\n{done.stderr}"
