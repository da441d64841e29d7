"""The laboratory that the freezing tests share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from lab import Lab


@pytest.fixture(scope="session")
def lab(cache: Path, wheel: Path) -> Lab:
    """Environments and freezers."""
    return Lab(cache, wheel)
