"""The laboratory that the freezing tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import Lab


@pytest.fixture(scope="session")
def lab(cache: Path, wheel: Path) -> Lab:
    """Environments and freezers."""
    return Lab(cache, wheel)
