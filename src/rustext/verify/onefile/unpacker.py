"""Write the members of a one-file program into a folder, and nothing anywhere else.

In: untrusted names and contents. Out: files below one folder. A member whose name
leads out of the folder is refused, and so is an archive that unpacks to more than a program of its
size can hold. Links are made last, so that nothing is ever written through one.
"""

from __future__ import annotations

import errno
import os
import posixpath
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

from rustext.errors import InvalidBundle
from rustext.files.untrusted import can_name_file

_MEMBERS = 200_000  # the largest real programs have some 20,000
_DEPTH = 100  # folders in each other; real programs have some 10
_FLOOR = 1 << 30  # bytes; up to here no program is refused for its size
_RATIO = 50  # unpacked to packed; real programs stay below 10
_TARGET_LIMIT = 4095  # bytes; Linux's PATH_MAX without the NUL
_SHOWN = 100  # characters of a name, in messages
_SPARE = 256 << 20  # bytes of the disk that are left to others


class Unpacker:
    """Unpacks one archive of `size` bytes, which messages call `name`, into `folder`.

    With `windows`, names are spelled as Windows does. All methods but `start_again` raise
    `InvalidBundle`.
    """

    def __init__(self, folder: Path, *, name: str, size: int, windows: bool = False) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._name = name
        self._windows = windows
        self._limit = max(_FLOOR, size * _RATIO)
        self._free = shutil.disk_usage(folder).free - _SPARE
        self._written = 0
        self._links: dict[str, str] = {}
        self._count = 0

    def add(
        self, name: str, size: int, chunks: Iterable[bytes], *, executable: bool = False
    ) -> None:
        """Write a file that has `size` bytes by the archive's own account."""
        inner = self._enter(name)
        self._claim(size, name)
        before = self._written
        target = self._folder / inner
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as stream:
                for chunk in chunks:
                    self._written += len(chunk)
                    if self._written - before > size:
                        break
                    stream.write(chunk)
            if executable:
                target.chmod(0o755)
        except (FileExistsError, NotADirectoryError) as error:
            raise InvalidBundle(f"{self._name} holds `{name[:_SHOWN]}` twice") from error
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise InvalidBundle(
                f"{self._name} cannot be unpacked: `{name[:_SHOWN]}`: {why}",
                hint="TMPDIR names the folder for temporary files",
            ) from error
        if self._written - before != size:
            raise InvalidBundle(
                f"{self._name} is damaged: `{name[:_SHOWN]}` does not have the {size:,} bytes that "
                "it claims"
            )

    def start_again(self) -> None:
        """Remove what was written; it still counts, for there is one limit for all attempts."""
        shutil.rmtree(self._folder)
        self._folder.mkdir()
        self._links.clear()
        self._free = self._written + shutil.disk_usage(self._folder).free - _SPARE

    def link(self, name: str, target: str) -> None:
        """Make a symbolic link, once all files are there."""
        inner = self._enter(name)
        end = posixpath.normpath(posixpath.join(posixpath.dirname(inner), target))
        if (
            len(target) > _TARGET_LIMIT
            or posixpath.isabs(target)
            or end.split("/", 1)[0] == ".."
            or not can_name_file(target)
        ):
            raise self._refused(f"the link `{name[:_SHOWN]}` to `{target[:_SHOWN]}`")
        self._links[inner] = target

    def finish(self) -> Path:
        """Make the links; the folder that everything is in."""
        for inner, target in self._links.items():
            path = self._folder / inner
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                if not path.parent.resolve().is_relative_to(self._folder.resolve()):
                    raise self._refused(f"`{inner[:_SHOWN]}`")
                path.symlink_to(target)
            except OSError as error:
                raise InvalidBundle(f"{self._name} holds `{inner[:_SHOWN]}` twice") from error
        home = os.path.realpath(self._folder)
        for inner in self._links:  # one may lead out by way of another
            path = self._folder / inner
            if not _is_endless(path) and not Path(os.path.realpath(path)).is_relative_to(home):
                raise self._refused(f"the link `{inner[:_SHOWN]}`")
        return self._folder

    def _refused(self, what: str, why: str = "leads out of it") -> InvalidBundle:
        return InvalidBundle(f"{self._name} holds {what}, which {why}")

    def _enter(self, name: str) -> str:
        """The path of a member below the folder."""
        self._count += 1
        if self._count > _MEMBERS:
            raise InvalidBundle(f"{self._name} holds more than {_MEMBERS:,} files")
        pure = PureWindowsPath(name) if self._windows else PurePosixPath(name)
        if pure.anchor or ".." in pure.parts or not pure.parts or "\0" in name:
            raise self._refused(f"the path `{name[:_SHOWN]}`")
        if not can_name_file(name):
            raise self._refused(f"the path `{name[:_SHOWN]}`", "this locale cannot encode")
        if len(pure.parts) > _DEPTH:
            raise self._refused(f"the path `{name[:_SHOWN]}`", "is nested too deeply")
        return pure.as_posix()

    def _claim(self, size: int, name: str) -> None:
        total = self._written + size
        if total > self._limit:
            raise InvalidBundle(
                f"{self._name} unpacks `{name[:_SHOWN]}` and all before it to {total:,} bytes: "
                "refused as a decompression bomb"
            )
        if total > self._free:
            raise InvalidBundle(
                f"{self._name} unpacks to more than the {self._free:,} bytes that "
                f"{os.fspath(self._folder.parent)} has room for",
                hint="TMPDIR names the folder for temporary files",
            )


def _is_endless(link: Path) -> bool:
    """Whether a link leads to itself, or by way of more others than the kernel follows: nowhere."""
    try:
        link.stat()
    except OSError as error:
        return error.errno == errno.ELOOP
    return False
