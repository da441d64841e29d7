"""A short version of the fuzzing runs; `fuzz_parsers.py` takes any files and number of runs."""

from __future__ import annotations

import time
from pathlib import Path

import fuzz_parsers
import pytest


def test_damaged_files_end_in_images_or_invalid_binary(native_file: Path) -> None:
    sample = fuzz_parsers.load(native_file)
    before = bytes(sample.data)
    outcome = fuzz_parsers.fuzz([sample], runs=1500, seed=20)
    assert outcome.failures == []
    assert outcome.slowest < 2
    assert min(outcome.accepted, outcome.refused) > 100
    assert bytes(sample.data) == before


def test_same_seed_gives_the_same_runs(native_file: Path) -> None:
    sample = fuzz_parsers.load(native_file)
    first, second = (fuzz_parsers.fuzz([sample], runs=200, seed=5) for _ in range(2))
    assert (first.accepted, first.refused) == (second.accepted, second.refused)
    others = [fuzz_parsers.fuzz([sample], runs=200, seed=seed) for seed in range(6, 12)]
    assert any(other.accepted != first.accepted for other in others)


def test_foreign_exceptions_and_slow_runs_are_reported(
    native_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = fuzz_parsers.load(native_file)

    def broken(data: memoryview, path: Path) -> object:
        time.sleep(0.01)
        raise IndexError(len(data))

    monkeypatch.setattr(fuzz_parsers, "parse_binary", broken)
    outcome = fuzz_parsers.fuzz([sample], runs=3, seed=1)
    assert len(outcome.failures) == outcome.runs == 3
    assert outcome.failures[0].startswith("1:0 demo.so: IndexError: ")
    assert outcome.slowest >= 0.01
