"""A copy of a bundle next to the place that it is meant for, moved there when it is done.

In: the folder of a bundle. Out: a copy, and which of its files differ in the end. Until the last
step nothing but the copy is written to; the last step is one rename, or on Linux the exchange of
two folders (renameat2(2)), so that an interrupted repair leaves the old bundle whole.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from rustext.errors import UnwritableFile
from rustext.files.untrusted import is_closed
from rustext.model.repair import ByteEdit, ChangedFile
from rustext.repair.owners import kept_mode, settle
from rustext.verify.bundle.tree import leaves

_ELSEWHERE = "name a place for the repaired bundle: `-o NEW`"
_OUTSIDE = "name a place outside of it: `-o NEW`, or for `--dry-run` TMPDIR"
_SPECIAL = "move it out of the bundle; a program makes its pipes and sockets when it starts"
_CHUNK = 1 << 20  # bytes copied at once
_BLOCK = 4096  # bytes compared at once
_EDITED = 16  # blocks that may differ; a file with more of them is another file
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # <fcntl.h>, <linux/fs.h>


@contextmanager
def staged_copy(source: Path, folder: Path, *, links: bool, name: str) -> Iterator[Path]:
    """A copy of a folder below `folder`, removed at the end of the block unless it was moved.

    With `links`, files that do not change are second names of the old ones. Raises
    `UnwritableFile`.
    """
    if Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(source)):
        raise UnwritableFile(
            f"{folder} is in the bundle, which is not copied into itself", hint=_OUTSIDE
        )
    try:
        room = Path(tempfile.mkdtemp(prefix=".rustext-repair-", dir=folder))
    except OSError as error:
        raise UnwritableFile(
            f"{folder} cannot be written to: {error.strerror}",
            hint=_ELSEWHERE,
        ) from error
    try:
        copy = room / name
        _copy_folder(source, copy, links=links)
        try:
            yield copy
        except OSError as error:
            raise UnwritableFile(
                f"a copy of {source} in {folder} cannot be changed: {error.strerror or error}",
                hint=_ELSEWHERE,
            ) from error
    finally:
        for where, folders, _ in os.walk(room):
            for path in (Path(where, name) for name in folders):
                if not path.is_symlink():
                    with suppress(OSError):  # another user's, in the bundle that was exchanged
                        path.chmod(0o700)  # without write permission, nothing in it can be deleted
        shutil.rmtree(room, ignore_errors=True)


def _copy_folder(source: Path, copy: Path, *, links: bool) -> None:
    """Copy a folder, with the owners of all if `links`; each folder of the copy is writable.

    But for those that are closed to all: that is a fault, and to be found in the copy.
    """
    put = partial(_link if links else _copy, own=links)
    try:
        shutil.copytree(source, copy, symlinks=True, copy_function=put)
        settle(copy, source.stat(), own=links)
        copy.chmod(copy.stat().st_mode | stat.S_IRWXU)
        for where, folders, files in os.walk(copy):
            for new in (Path(where, name) for name in (*folders, *files)):
                status = (source / new.relative_to(copy)).lstat()
                if new.is_symlink():
                    _lead_into_copy(source, copy, new)
                    settle(new, status, own=links)
                elif new.is_dir():
                    settle(new, status, own=links)
                    if not is_closed(status.st_mode):
                        new.chmod(new.stat().st_mode | stat.S_IRWXU)
    except shutil.Error as error:
        first = error.args[0][0]
        raise UnwritableFile(f"{first[0]} cannot be copied: {first[2]}") from error
    except OSError as error:
        raise UnwritableFile(f"{source} cannot be copied: {error.strerror}") from error


def _link(source: str, target: str, *, own: bool) -> None:
    _refuse_special(source)
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        _copy(source, target, own=own)


def _refuse_special(source: str) -> None:
    if not stat.S_ISREG(Path(source).stat().st_mode):
        raise UnwritableFile(
            f"{source} cannot be copied: it is neither a file nor a folder", hint=_SPECIAL
        )


def _copy(source: str, target: str, *, own: bool) -> None:
    """Copy a file; `shutil.copytree` goes on after an `OSError`, and not after this one."""
    _refuse_special(source)
    try:
        status = Path(source).stat()
        if sys.platform != "win32" and status.st_blocks * 512 < status.st_size:
            _copy_data(source, target)
            shutil.copystat(source, target)
        else:
            shutil.copy2(source, target)
        settle(Path(target), status, own=own)
    except OSError as error:
        raise UnwritableFile(
            f"{source} cannot be copied: {error.strerror or error}", hint=_ELSEWHERE
        ) from error


def _lead_into_copy(source: Path, copy: Path, link: Path) -> None:
    """Let a link that leads into the old folder from outside lead into the copy in that way."""
    place, whole = link.relative_to(copy), os.path.realpath(source)
    real = Path(os.path.realpath(source / place))
    if leaves(place.as_posix(), str(link.readlink())) and real.is_relative_to(whole):
        link.unlink()
        target = Path(os.path.realpath(copy), real.relative_to(whole))
        link.symlink_to(target, target_is_directory=real.is_dir())


def _copy_data(source: str, target: str) -> None:
    """Copy what a file holds; its holes (lseek(2)) stay holes."""
    with Path(source).open("rb", buffering=0) as old, Path(target).open("wb") as new:
        size = os.fstat(old.fileno()).st_size
        new.truncate(size)
        start = end = 0
        while end < size:
            try:
                start = old.seek(end, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:  # a hole up to the end
                    break
                raise
            end = old.seek(start, os.SEEK_HOLE)
            old.seek(start)
            new.seek(start)
            while (left := end - old.tell()) > 0 and (chunk := old.read(min(left, _CHUNK))):
                new.write(chunk)


def give_back(source: Path, copy: Path) -> None:
    """Undo what was done to a copy so that it could be worked on: modes of folders, links."""
    whole = os.path.realpath(copy)
    for where, folders, files in os.walk(source, topdown=False):
        for old in (Path(where, name) for name in (*folders, *files)):
            new = copy / old.relative_to(source)
            if old.is_symlink():
                if new.is_symlink() and new.readlink().is_relative_to(whole):
                    status = new.lstat()
                    new.unlink()
                    new.symlink_to(old.readlink(), target_is_directory=old.is_dir())
                    settle(new, status, own=True)
            elif old.is_dir() and new.is_dir() and not new.is_symlink():
                mode = old.stat().st_mode
                if not is_closed(mode):
                    new.chmod(kept_mode(mode, old.stat(), new.stat()))


def move_into_place(copy: Path, target: Path, mode: int) -> None:
    """Give the copy its place and mode; what is there is exchanged for it.

    Raises `UnwritableFile`.
    """
    copy.chmod(mode)
    there = stat.S_IMODE(target.stat().st_mode) if os.path.lexists(target) else 0
    # Who may not write to a folder cannot move it: rename(2).
    closed = {p: m for p, m in ((copy, mode), (target, there)) if m and not os.access(p, os.W_OK)}
    try:
        for path, old in closed.items():
            path.chmod(old | stat.S_IWUSR)
        if not os.path.lexists(target):
            copy.rename(target)
        elif not _exchange(copy, target):
            old_place = copy.with_name(f"{copy.name}.old")
            target.rename(old_place)
            try:
                copy.rename(target)
            except BaseException:
                old_place.rename(target)
                raise
        if copy in closed:
            target.chmod(mode)
    except OSError as error:
        if target in closed:
            with suppress(OSError):
                target.chmod(there)
        raise UnwritableFile(f"{target} cannot be written: {error.strerror}") from error


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders in one step; False where the system cannot."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    names = os.fsencode(one), os.fsencode(other)
    done: int = rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE)
    return done == 0


def compare(old: Path, new: Path) -> tuple[ChangedFile, ...]:
    """The files and links that differ between two folders, by their paths."""
    before, after = dict(_list(old)), dict(_list(new))
    found = []
    for place in sorted(before.keys() | after.keys()):
        paths = [folder / place for folder in (old, new)]
        if place in before and place in after and before[place] == after[place]:
            continue  # one file under two names, or the same link
        digests = [  # of a folder also where it is not listed, for what is in it
            _digest(path) if place in listed or path.is_dir() else None
            for path, listed in zip(paths, (before, after), strict=True)
        ]
        if digests[0] != digests[1]:
            edits = _edits(*paths) if None not in digests else ()
            found.append(ChangedFile(place=place, before=digests[0], after=digests[1], edits=edits))
    return tuple(found)


def _edits(old: Path, new: Path) -> tuple[ByteEdit, ...]:
    """How one regular file becomes the other, if both have one size and mode and differ little."""
    before, after = old.lstat(), new.lstat()
    if not stat.S_ISREG(before.st_mode) or before.st_mode != after.st_mode:
        return ()
    if before.st_size != after.st_size:
        return ()
    found = []
    with old.open("rb") as one, new.open("rb") as other:
        for start in range(0, before.st_size, _BLOCK):
            blocks = one.read(_BLOCK), other.read(_BLOCK)
            if blocks[0] != blocks[1]:
                differ = [n for n, (a, b) in enumerate(zip(*blocks, strict=True)) if a != b]
                first = differ[0]
                content = blocks[1][first : differ[-1] + 1]
                found.append(ByteEdit(offset=start + first, content=content))
    return tuple(found) if len(found) <= _EDITED else ()


def _list(folder: Path) -> Iterator[tuple[str, tuple[object, ...]]]:
    for where, folders, files in os.walk(folder):
        for name in (*files, *folders):
            path = Path(where, name)
            status = path.lstat()
            place = path.relative_to(folder).as_posix()
            if stat.S_ISLNK(status.st_mode):
                yield place, ("link", str(path.readlink()))
            elif stat.S_ISREG(status.st_mode):
                yield place, (status.st_dev, status.st_ino)
            elif is_closed(status.st_mode):
                yield place, ("folder", status.st_mode)
            elif stat.S_ISDIR(status.st_mode) and not any(path.iterdir()):
                yield place, ("folder",)


def _digest(path: Path) -> str:
    """What is there, in words: a link's target, a folder, or a file's digest and mode."""
    if path.is_symlink():
        return f"-> {path.readlink()}"
    if path.is_dir():
        mode = path.stat().st_mode
        return f"folder {mode & 0o7777:o}" if is_closed(mode) else "folder"
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return f"{digest.hexdigest()} {path.stat().st_mode & 0o7777:o}"
