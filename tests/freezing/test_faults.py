"""Builds in an environment with a fault; `./test --faults` builds with each that is known.

Here are those that end a freezer only where what was added leads to them. Needs a network.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from fault_kinds import FAULTS
from fault_rooms import environments, packages
from faults import measure, one_fault
from lab import FREEZERS

Rooms = tuple[tuple[Path, Path], Path]


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Rooms:
    pythons = environments()
    return pythons, packages(pythons[0], tmp_path_factory.mktemp("packages"))


@pytest.mark.parametrize("freezer", FREEZERS)
@pytest.mark.parametrize(
    "name",
    [
        "a package behind native code is not readable",
        "a folder behind native code is not readable",
        "a source behind native code, in no RECORD, has such a sum",
        "bytecode behind native code is cut",
    ],
)
def test_what_was_added_ends_no_build(rooms: Rooms, freezer: str, name: str) -> None:
    row = measure(*rooms, freezer, partial(one_fault, FAULTS[name]))
    assert (row["wrong"], row["build"], row["runs"]) == ("", 0, True)
