"""Programs that fail when frozen as they are, with one freezer or both, run with rustext.

They are a dozen of the corpus (`benchmarks/corpus`), small ones for each kind of failure; the same
command freezes all of it: `./test --corpus APPS`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import FREEZERS, HERE, Lab
from matrix import iter_rows

pytestmark = [pytest.mark.freezing, pytest.mark.network]

PROGRAMS = sorted(path.parent for path in (HERE / "programs").glob("*/main.py"))


def test_there_is_a_dozen() -> None:
    assert len(PROGRAMS) == 12


@pytest.mark.parametrize("app", PROGRAMS, ids=lambda app: app.name)
def test_frozen_it_does_what_it_does_unfrozen(lab: Lab, app: Path, tmp_path: Path) -> None:
    rows = list(iter_rows(lab, app, [(freezer, True) for freezer in FREEZERS], tmp_path))
    assert [(r.freezer, r.result, r.detail) for r in rows] == [(f, "pass", "") for f in FREEZERS]
