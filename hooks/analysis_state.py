"""One analysis of PyInstaller's: the session that all its hooks belong to, and what they have said.

In: the program that is analysed, as PyInstaller's configuration names it. Out: a `State`. A spec
file can hold several analyses, each of them with a program of its own.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rustext.freezing.session import Session


class NoSession(Exception):
    """rustext does not work in this build; the log says why, once."""


class State:
    """What is known of one analysis; `error` is why there is no session."""

    def __init__(self, script: Path | None, search_path: list[str] | None = None) -> None:
        """Without a script, the current folder is the program's."""
        self.script = script
        self.search_path = search_path
        self.folder = script.resolve().parent if script is not None else Path.cwd()
        self.error: Exception | None = None
        self.is_begun = False  # and the error was said
        self.graph: Any = None  # PyInstaller's, once all imports are known
        self.attributes: dict[Path, dict[str, Any]] = {}  # what other packages' hooks define
        self.hooked: set[str] = set()  # modules that a hook of rustext's has run for
        self.modules: set[str] = set()
        self.files: set[tuple[str, str]] = set()
        self._session: Session | None = None
        try:
            with own_imports(self.folder):
                self._session = _start(self.folder)
        except Exception as error:  # noqa: BLE001  (said by `whole_build.begin`)
            self.error = error

    @property
    def session(self) -> Session:
        """The session; raises `NoSession`."""
        if self._session is None:
            raise NoSession from self.error
        return self._session


states: list[State] = []  # one for each analysis of this process, the latest at the end


def _start(folder: Path) -> Session:
    import PyInstaller  # noqa: PLC0415  (only a build has to have it)

    from rustext.freezing.options import read_options  # noqa: PLC0415  (it may not work)
    from rustext.freezing.session import start_session  # noqa: PLC0415

    return start_session(folder, read_options(), freezer=f"PyInstaller {PyInstaller.__version__}")


@contextlib.contextmanager
def own_imports(*folders: Path) -> Iterator[None]:
    """While rustext imports what it needs: modules of the program's folders are found last.

    `python -m PyInstaller` has the current folder first in its search path, `PYTHONPATH` comes
    before the standard library, and a program's own `difflib.py` may do anything as it is imported.
    """
    before = [*sys.path]
    programs = [str(folder) for folder in (*folders, *(state.folder for state in states[-1:]))]
    added = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    own = {os.path.realpath(folder) for folder in ("", *programs, *added)}
    sys.path.sort(key=lambda entry: os.path.realpath(entry) in own)
    try:
        yield
    finally:
        sys.path[:] = before


def at_end(function: Callable[[State], None], state: State) -> None:
    """Call a function as the build ends; a forked process leaves out what `atexit` knows."""
    process = sys.modules.get("multiprocessing.process")
    if process is None or process.parent_process() is None:
        atexit.register(function, state)
        return
    from multiprocessing.util import Finalize  # noqa: PLC0415  (it is loaded in such a process)

    Finalize(None, function, args=(state,), exitpriority=0)


def current_state() -> State:
    """The state of the analysis that is going on; it is made once.

    A spec file can hold several of one script: each has a search path of its own, a new list.
    """
    from PyInstaller.config import CONF  # noqa: PLC0415  (set during a build)

    script, search_path = CONF.get("main_script"), CONF.get("pathex")
    path = Path(script).absolute() if script else None
    if not states or states[-1].script != path or states[-1].search_path is not search_path:
        states.append(State(path, search_path))
    return states[-1]
