"""A program finds its modules and files late, in ways that static reading can follow.

The run is the judge: each kind fails where a freezer works alone, and works with rustext.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from lab import HERE, Lab

pytestmark = [pytest.mark.freezing, pytest.mark.network]

PROGRAM = HERE / "late_names"
REQUIREMENTS = (str(PROGRAM / "pack"), "orjson==3.11.4")
SETTINGS = {
    "pyinstaller": "--add-data=logging.json:.",
    "nuitka": "--include-data-files=logging.json=logging.json",
}


def run(lab: Lab, folder: Path, freezer: str, *, rustext: bool) -> tuple[dict[str, str], ...]:
    """What each kind says, unfrozen and frozen."""
    out = folder / "build"
    out.mkdir()
    for name in ("main.py", "logging.json"):
        shutil.copy2(PROGRAM / name, folder / name)
        shutil.copy2(PROGRAM / name, out / name)  # where the freezer runs
    for name in ("custom_kinds", "recipes"):
        shutil.copytree(PROGRAM / name, folder / name)
    option = SETTINGS[freezer]
    frozen = lab.freeze(
        freezer, folder / "main.py", *REQUIREMENTS,
        out=out, rustext=rustext, compiled=["custom_kinds"], options=[option],
    )  # fmt: skip
    ended = frozen.run(hide=[folder])
    assert ended.code == 0, ended.stderr
    texts = (lab.run_unfrozen(folder / "main.py", *REQUIREMENTS), ended.stdout)
    rows = ([line.split(maxsplit=1) for line in text.splitlines()] for text in texts)
    return tuple(dict(row) for row in rows)


@pytest.mark.parametrize("freezer", ["nuitka", "pyinstaller"])
def test_each_kind_works(freezer: str, lab: Lab, tmp_path: Path) -> None:
    unfrozen, frozen = run(lab, tmp_path, freezer, rustext=True)
    assert frozen == unfrozen
    assert not [said for said in unfrozen.values() if said.endswith("Error")]


def test_none_works_without(lab: Lab, tmp_path: Path) -> None:
    unfrozen, frozen = run(lab, tmp_path, "pyinstaller", rustext=False)
    assert [kind for kind in unfrozen if frozen[kind] == unfrozen[kind]] == []
