"""Runs as each build begins: `reprlib` is in every frozen program, among the first modules.

A program's own hook of this kind goes before it; the same stands at `keyword`.
"""

from __future__ import annotations

from typing import Any

from rustext_hooks.whole_build import begin


def pre_safe_import_module(api: Any) -> None:  # noqa: ARG001  (PyInstaller's interface)
    """Stop the build where the user asks rustext for what makes no sense."""
    begin()
