"""A dozen programs of the corpus fail when frozen, with one freezer or both, and run with rustext.

They are small ones for each kind of failure; the quickest four of different kinds run always, the
others with `./test --all`. What becomes of each is what the table of the whole corpus says
(`benchmarks/corpus/table.md`), which the same command makes: `./test --corpus APPS`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import FREEZERS, HERE, ROOT, Lab
from matrix import Way, iter_rows, read_rows

pytestmark = [pytest.mark.freezing, pytest.mark.network]

PROGRAMS = sorted(path.parent for path in (HERE / "programs").glob("*/main.py"))
QUICK = {"oso", "sentry-relay", "tiktoken-registry"}
WAYS = [Way(freezer, rustext) for freezer in FREEZERS for rustext in (False, True)]
TABLE = {
    (row["app"], row["freezer"], row["rustext"]): row["result"]
    for row in read_rows(ROOT / "benchmarks" / "corpus" / "results.jsonl")
}


def test_there_is_a_dozen_and_each_needs_rustext() -> None:
    assert len(PROGRAMS) == 12
    for app in PROGRAMS:
        assert "fail" in {TABLE[app.name, freezer, False] for freezer in FREEZERS}


@pytest.mark.parametrize(
    "app",
    [pytest.param(p, marks=() if p.name in QUICK else pytest.mark.slow) for p in PROGRAMS],
    ids=lambda app: app.name,
)
def test_frozen_it_does_what_the_table_says(lab: Lab, app: Path, tmp_path: Path) -> None:
    rows = {(r.freezer, r.rustext): r for r in iter_rows(lab, app, WAYS, tmp_path)}
    for freezer, rustext, _ in WAYS:
        row = rows[freezer, rustext]
        assert row.result == TABLE[app.name, freezer, rustext], row.detail
    assert {rows[freezer, True].result for freezer in FREEZERS} == {"pass"}
