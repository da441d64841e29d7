"""Whose code has caused what is noted; this file runs inside of the traced program.

In: a frame. Out: the module whose code asks, past the standard library's own frames, and the kind
of an import. Needs the standard library alone, of Python 3.8 or later.
"""

from __future__ import annotations

import opcode
import os
import sys

TYPE_CHECKING = False  # `typing` would load much that the program may not have
if TYPE_CHECKING:
    from types import CodeType, FrameType
    from typing import Any

BOOTSTRAP = "<frozen importlib._bootstrap>"
INSTALLED = (os.sep + "site-packages" + os.sep, os.sep + "dist-packages" + os.sep)
_IMPORT_NAME = opcode.opmap["IMPORT_NAME"]
_DEPTH = 200  # frames; who asks is near


class Askers:
    """Who asks, and which files were loaded by their path and by whom."""

    def __init__(self) -> None:
        self.by_path: dict[Any, str] = {}
        self._standard = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
        self._known: dict[str, bool] = {}

    def explain_import(self, frame: FrameType) -> tuple[str, str]:
        """The kind of an import, and the module whose code has caused it."""
        late, searched = False, frame.f_code.co_filename != BOOTSTRAP
        place: FrameType | None = frame
        while place is not None and place.f_code.co_filename == BOOTSTRAP:
            late = late or place.f_code.co_name == "_gcd_import"
            place = place.f_back
        if place is not None and not late and not searched and is_statement(place):
            name = place.f_code.co_filename
            on_path = name not in self.by_path
            if on_path and (not name.startswith("<") or name.startswith("<frozen")):
                return "statement", module_of(place.f_globals)
            return "exec", self.find(place)[0]
        asker, passed = self.find(place)
        run = any(file == "runpy.py" for file, _ in passed)
        if not asker and (run or (not passed and sys.argv[:1] == ["-m"])):
            return "statement", ""  # the command line asks, and no module that has to be frozen
        if searched and place is not None and not run:
            return "find_spec", asker
        if any(file == "__init__.py" and function == "load" for file, function in passed):
            return "entry-point", asker  # importlib.metadata.EntryPoint.load
        return "import_module", asker

    def find(self, frame: FrameType | None) -> tuple[str, list[tuple[str, str]]]:
        """The first module outside of the standard library, and the frames that were passed.

        The module is "" where there is none.
        """
        passed: list[tuple[str, str]] = []
        for _ in range(_DEPTH):
            if frame is None:
                break
            code = frame.f_code
            if not self.is_standard(code.co_filename):
                return self.by_path.get(code.co_filename) or module_of(frame.f_globals), passed
            passed.append((file_name(code.co_filename), code.co_name))
            frame = frame.f_back
        return "", passed

    def is_standard(self, file: str) -> bool:
        """Whether a file is one of the standard library."""
        known = self._known.get(file)
        if known is None:
            known = file.startswith("<frozen ") or (
                file.startswith(self._standard) and not any(i in file for i in INSTALLED)
            )
            self._known[file] = known
        return known


def is_statement(frame: FrameType) -> bool:
    """Whether a frame is at an `import` statement."""
    code: CodeType = frame.f_code
    return 0 <= frame.f_lasti < len(code.co_code) and code.co_code[frame.f_lasti] == _IMPORT_NAME


def file_name(file: str) -> str:
    """The name of a file of the standard library, which may be frozen into the interpreter."""
    if file.startswith("<frozen "):
        return file[8:-1].rpartition(".")[2] + ".py"
    return os.path.basename(file)


def module_of(names: dict[str, Any]) -> str:
    """The name of the module with these globals; the program's own file is `__main__`."""
    name = names.get("__name__")
    if name in {"__main__", "__mp_main__"}:  # the latter: multiprocessing has imported it anew
        own = "__main__" if "__file__" in names else "-c"  # which no frozen program can run
        return getattr(names.get("__spec__"), "name", None) or own
    return name if isinstance(name, str) else ""
