"""Good bundles of both freezers."""

from __future__ import annotations

from pathlib import Path

import pytest
from bundles import Bundle, make_bundle
from lab import FREEZERS, Lab


@pytest.fixture(scope="session")
def good_bundles(cache: Path, wheel: Path) -> dict[str, Bundle]:
    """By freezer."""
    lab = Lab(cache, wheel)
    return {freezer: make_bundle(lab, freezer) for freezer in FREEZERS}
