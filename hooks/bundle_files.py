"""What is left in a bundle on request: the plan of the build, and the list of the self-test.

In: a session. Out: entries for a hook's `datas`. Hooks are asked one by one, and PyInstaller copies
files when all have answered, so the files are written anew each time.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from rustext.data import package_text
from rustext.freezing.session import Session
from rustext.model.plan import Companion

START_HOOK = "pyi_rth_rustext_python.py"


def leave(session: Session) -> list[tuple[str, str]]:
    """Write what is asked for, with all that is known by now; the report too."""
    session.write_report()
    left = session.left_files
    if not left:
        return []
    folder = work_folder()
    for file in left:
        (folder / file.name).write_bytes(file.data)
    return [(str(folder / file.name), ".") for file in left]


def rename(companion: Companion) -> Path:
    """A copy of a companion that has its name in the bundle: a hook can name a folder alone."""
    copy = work_folder() / "renamed" / companion.destination
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(companion.path, copy)
    return copy


def write_start_hook() -> Path:
    """The run-time hook that answers where the program starts Python again."""
    file = work_folder() / START_HOOK
    file.write_text(package_text("freezing/pyinstaller/python_start.py"), encoding="utf-8")
    return file


def work_folder() -> Path:
    """A folder for files of one build; it is made where it is missing."""
    from PyInstaller.config import CONF  # noqa: PLC0415  (set during a build)

    folder = Path(CONF["workpath"]) / "rustext"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
