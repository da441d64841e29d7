"""Give new files the owner of the old ones, or take the rights that the old owner has lent.

In: a new file or folder, and what the system says of the one that it stands for. Out: the new one,
with the same owner where that is asked for and permitted. Else a set-user-ID or set-group-ID bit
(inode(7)) would lend the rights of whoever repairs, root's at worst, and it goes.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path


def settle(new: Path, old: os.stat_result, *, own: bool) -> None:
    """Give `new` the owner of `old` if `own` says so, and leave it no right that is not its own."""
    made = new.lstat()
    mode = stat.S_IMODE(made.st_mode)
    if own and (made.st_uid, made.st_gid) != (old.st_uid, old.st_gid):
        with contextlib.suppress(OSError):
            os.chown(new, old.st_uid, old.st_gid, follow_symlinks=False)
        made = new.lstat()
    if not stat.S_ISLNK(made.st_mode) and mode & (stat.S_ISUID | stat.S_ISGID):
        new.chmod(kept_mode(mode, old, made))  # a change of owner takes the bits, too


def kept_mode(mode: int, old: os.stat_result, new: os.stat_result) -> int:
    """A mode without the bits that would lend the rights of another owner than before."""
    mode = stat.S_IMODE(mode)
    if new.st_uid != old.st_uid:
        mode &= ~stat.S_ISUID
    if new.st_gid != old.st_gid:
        mode &= ~stat.S_ISGID
    return mode


def find_lowered(old: Path, new: Path) -> tuple[tuple[str, int], ...]:
    """The files that have lost such a bit in a copy, by their paths, and their modes now."""
    found = []
    for where, _, files in os.walk(old):
        for name in files:
            path = Path(where, name)
            place = path.relative_to(old)
            before, copy = path.lstat(), new / place
            if before.st_mode & (stat.S_ISUID | stat.S_ISGID) and copy.is_file():
                after = copy.lstat()
                if before.st_mode & ~after.st_mode & (stat.S_ISUID | stat.S_ISGID):
                    found.append((place.as_posix(), stat.S_IMODE(after.st_mode)))
    return tuple(sorted(found))
