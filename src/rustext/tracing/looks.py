"""Whose functions other code takes apart; this file runs inside of the traced program.

A function that Nuitka has compiled has no local variables and no bytecode that other code could
see. In: audit events (https://docs.python.org/3/library/audit_events.html). Out: a note for each
module of the program whose functions' are read, and who reads. Needs the standard library alone, of
Python 3.8 or later, and `frames`.
"""

from __future__ import annotations

import sys

from rustext.tracing.frames import INSTALLED, Askers, file_name, module_of

TYPE_CHECKING = False  # `typing` would load much that the program may not have
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any

_OPTIMIZED = 1  # inspect.CO_OPTIMIZED: the code of a function
_FRAME_CALLS = frozenset({"_getframe", "currentframe"})
# The attributes that give a function's code, or a frame of a generator's or a coroutine's.
_CODE = frozenset({"__code__", "gi_code", "gi_frame", "cr_code", "cr_frame", "ag_code", "ag_frame"})
_READS = b"co_code"  # what a file holds that reads bytecode; `dis` does for others


class Looks:
    """Tells `note` of functions of the program that others read."""

    def __init__(self, askers: Askers, note: Callable[[str, str, str, str], None]) -> None:
        self._askers, self._note = askers, note
        self._busy = False  # with an event, and what it causes is no other
        self._readers: dict[str, bool] = {}

    def hear(self, event: str, args: tuple[Any, ...]) -> None:
        """Take an audit event, two calls away from the code that has caused it."""
        code = event == "object.__getattr__" and args[1] in _CODE
        if self._busy or not (code or event == "sys._getframe"):
            return
        self._busy = True
        try:
            frame = sys._getframe(2)
            self._code(frame, *args) if code else self._locals(frame)
        except Exception:  # noqa: BLE001 (none of the program's business)
            return
        finally:
            self._busy = False

    def _locals(self, frame: FrameType | None) -> None:
        """Note the function whose local variables other code looks at.

        Python code does so with `f_locals`; of native code it is not known what it does with a
        frame.
        """
        if frame is not None and frame.f_code.co_name == "currentframe":  # of `inspect`
            frame = frame.f_back
        if frame is None or self._askers.is_standard(frame.f_code.co_filename):
            return
        names = frame.f_code.co_names
        if "f_locals" not in names and not _FRAME_CALLS.isdisjoint(names):
            return
        asker = module_of(frame.f_globals)
        top, place = asker.partition(".")[0], frame.f_back
        while place is not None and module_of(place.f_globals).partition(".")[0] == top:
            place = place.f_back
        if place is not None and place.f_code.co_flags & _OPTIMIZED:
            self._tell("locals", place.f_code.co_filename, place.f_globals, asker)

    def _code(self, frame: FrameType, thing: Any, name: str) -> None:
        """Note the function, or the generator, whose bytecode other code reads."""
        if not self._reads(frame.f_code.co_filename):
            return
        asker = self._askers.find(frame)[0]
        if name == "__code__":
            self._tell("bytecode", thing.__code__.co_filename, thing.__globals__, asker)
        else:
            inner = getattr(thing, name[:2] + "_frame")
            if inner is not None:  # it has not ended
                self._tell("bytecode", inner.f_code.co_filename, inner.f_globals, asker)

    def _reads(self, file: str) -> bool:
        """Whether a file of code reads bytecode."""
        if file not in self._readers:
            self._readers[file] = self._askers.is_standard(file) and file_name(file) == "dis.py"
            if not self._askers.is_standard(file):
                with open(file, "rb") as source:
                    self._readers[file] = _READS in source.read()
        return self._readers[file]

    def _tell(self, do: str, file: str, names: dict[str, Any], asker: str) -> None:
        installed = any(folder in file for folder in INSTALLED)
        module = module_of(names)
        if not installed and not self._askers.is_standard(file) and module != asker:
            self._note(do, module, "", asker)
