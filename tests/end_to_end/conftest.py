"""Foreign systems and tools from Debian's packages."""

from __future__ import annotations

from pathlib import Path

import pytest
from debian import Debian
from lab import Lab
from verifying import Verify


@pytest.fixture(scope="session")
def lab(cache: Path, wheel: Path) -> Lab:
    """Environments and freezers."""
    return Lab(cache, wheel)


@pytest.fixture(scope="session")
def debian(cache: Path) -> Debian:
    return Debian(cache)


@pytest.fixture(scope="session")
def verify() -> Verify:
    return Verify()
