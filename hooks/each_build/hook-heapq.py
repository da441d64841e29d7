"""Runs as the imports of each program are known: `heapq` is in every frozen program."""

from __future__ import annotations

from typing import Any

from rustext_hooks.whole_build import complete


def hook(api: Any) -> None:
    """Complete the program."""
    complete(api)
