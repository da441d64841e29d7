"""Notice files that native code opens, which no audit hook of Python tells of.

In: folders of installed distributions. Out: the files in them that any process has opened for
reading while they were watched. Linux tells it (inotify(7)); elsewhere nothing is seen. Folders
without anything but Python's own files are not watched, which leaves few events to queue.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from pathlib import Path
from threading import Event, Lock, Thread

_OPEN, _CHANGED = 0x20, 0x2 | 0x8 | 0x100  # IN_OPEN; IN_MODIFY, IN_CLOSE_WRITE, IN_CREATE
_FOLDER = 0x40000000  # IN_ISDIR
_EVENT = struct.Struct("iIII")  # watch, mask, cookie, length of the name that follows
_BUFFER = 1 << 16
_PAUSE = 0.05  # seconds; the kernel keeps some 16,000 events and drops the rest (inotify(7))
_METADATA = (".dist-info", ".egg-info")
_PYTHON = (".py", ".pyc", ".pyi", ".pth")


class OpenWatch:
    """Watches from its making until `close`."""

    def __init__(self, roots: Iterable[Path]) -> None:
        self._folders: dict[int, str] = {}
        self._opened: set[Path] = set()
        self._changed: set[Path] = set()
        self._lock, self._over = Lock(), Event()
        self._file = -1
        try:
            import ctypes  # noqa: PLC0415  (Python may have been built without libffi)

            libc = ctypes.CDLL(None, use_errno=True)
            self._file = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
            add = libc.inotify_add_watch
        except (AttributeError, ImportError, OSError, TypeError):  # another system
            return
        for root in roots if self._file >= 0 else ():
            if not any(root.glob("*.dist-info")):
                continue  # somebody's sources, and all that lies next to them
            for folder, folders, files in os.walk(root):
                folders[:] = [f for f in folders if not f.endswith(_METADATA)]
                if any(_is_data(name) for name in files):
                    number = add(self._file, os.fsencode(folder), _OPEN | _CHANGED)
                    if number < 0:  # as many as this user may watch
                        return
                    self._folders[number] = folder
        if self._folders:
            Thread(target=self._keep_reading, daemon=True).start()

    def opened(self) -> frozenset[Path]:
        """The files that were opened so far, and not written to."""
        self._read()
        return frozenset(self._opened - self._changed)

    def _keep_reading(self) -> None:
        while not self._over.wait(_PAUSE):
            self._read()

    def _read(self) -> None:
        with self._lock:
            self._read_events()

    def _read_events(self) -> None:
        while self._folders:
            try:
                data = os.read(self._file, _BUFFER)
            except BlockingIOError:
                break
            while data:
                number, mask, _, length = _EVENT.unpack_from(data)
                end = _EVENT.size + length
                name = os.fsdecode(data[_EVENT.size : end].rstrip(b"\0"))
                data = data[end:]
                if number in self._folders and _is_data(name) and not mask & _FOLDER:
                    found = self._changed if mask & _CHANGED else self._opened
                    found.add(Path(self._folders[number], name))

    def close(self) -> None:
        """Stop watching."""
        self._over.set()
        with self._lock:
            self._folders.clear()
            if self._file >= 0:
                os.close(self._file)
                self._file = -1


def _is_data(name: str) -> bool:
    return bool(name) and not name.endswith(_PYTHON)
