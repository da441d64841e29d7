"""An example app, frozen with each other Python of this machine; all of it: `./test --pythons`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from examples import FOLDER, Example, freeze_example, judge
from interpreters import interpreters
from lab import Lab

pytestmark = [pytest.mark.freezing, pytest.mark.network]

OTHERS = {
    version[:2]: python
    for python in interpreters()[1:]
    if (version := tuple(map(int, python.parent.parent.name.split(".")))) >= (3, 10)
    and version[:2] != sys.version_info[:2]
}


@pytest.mark.parametrize("python", OTHERS.values(), ids=lambda p: p.parent.parent.name)
def test_example_runs_alone_and_verifies_clean(
    python: Path, cache: Path, wheel: Path, tmp_path: Path
) -> None:
    lab = Lab(cache, wheel, python, freezers=("pyinstaller",))
    example = Example(folder=FOLDER / "packed")
    frozen = freeze_example(lab, example, "pyinstaller", out=tmp_path, rustext=True, one_file=False)
    outcome = judge(example, frozen, seconds=0)
    assert (outcome.message, outcome.errors) == ("", ())
