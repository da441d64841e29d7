"""Keep what hooks have to say as a build ends out of the end of the tests."""

from __future__ import annotations

import atexit

import pytest


@pytest.fixture(autouse=True)
def _no_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atexit, "register", lambda *call: None)
