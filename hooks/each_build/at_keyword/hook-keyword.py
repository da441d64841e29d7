"""Runs as the imports of each program are known: `keyword` is in every frozen program.

No other package may have a hook of it: PyInstaller runs this one in the place of its own. A
program's own hook goes before it; the same stands at `reprlib`, and the first one does the work.
"""

from __future__ import annotations

from typing import Any

from rustext_hooks.whole_build import complete


def hook(api: Any) -> None:
    """Complete the program."""
    complete(api)
