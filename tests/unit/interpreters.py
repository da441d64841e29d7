"""The interpreters of this machine whose bytecode is known."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from rustext.verify.bytecode.instructions import is_known


def interpreters() -> list[Path]:
    """The running interpreter, and those that pyenv keeps and whose bytecode is known."""
    folder = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    found = [Path(sys.executable)]
    for version in sorted(folder.glob("3.*")):
        major, minor = version.name.split(".")[:2]
        if minor.isdecimal() and is_known((int(major), int(minor))):
            found.append(version / "bin" / "python")
    return found
