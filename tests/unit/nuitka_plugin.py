"""Nuitka's plugin, as Nuitka loads it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import nuitka.plugins.PluginBase
import nuitka.Version  # noqa: F401

FILE = Path(__file__).resolve().parents[2] / "plugins" / "RustextPlugin.py"


def load_plugin() -> ModuleType:
    """A module of its own for each call."""
    spec = importlib.util.spec_from_file_location("RustextPlugin", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
