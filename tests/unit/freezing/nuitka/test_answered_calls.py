"""Calls that Nuitka answers while it compiles, with entry points that know no distribution."""

from __future__ import annotations

import pytest

from rustext.freezing.nuitka.answered_calls import asks_origin

LOOP = "for point in {call}:\n    print(point.dist.name)\n"


@pytest.mark.parametrize(
    "call", ['entry_points(group="a.b")', 'importlib.metadata.entry_points(group="a", name="b")']
)
def test_a_module_asks_for_the_distribution_of_constant_entry_points(call: str) -> None:
    assert asks_origin(LOOP.format(call=call))


@pytest.mark.parametrize(
    "source",
    [
        LOOP.format(call="entry_points(group=group)"),  # not answered
        LOOP.format(call='entry_points()["a.b"]'),
        LOOP.format(call='entry_points(group="a")').replace("dist", "load()"),
        "# entry_points(group='a').dist\n",
        "entry_points(group='a').dist (",
    ],
)
def test_others_do_not(source: str) -> None:
    assert not asks_origin(source)
