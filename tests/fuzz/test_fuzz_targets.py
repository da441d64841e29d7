"""Inputs that execute different parts of the readers, kept from `./test --fuzz-readers`."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz_targets import TARGETS, call

INPUTS = Path(__file__).with_name("inputs")


@pytest.mark.parametrize("name", TARGETS)
def test_kept_inputs_end_in_an_answer(name: str) -> None:
    inputs = sorted((INPUTS / name).iterdir())
    assert inputs
    for path in inputs:
        call(name, path.read_bytes())


def test_a_fault_is_not_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TARGETS, "plan", lambda data: data[5])  # type: ignore[arg-type]
    with pytest.raises(IndexError):
        call("plan", b"")
