"""Records are the same after they have been values of JSON, whatever their fields hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path, PurePosixPath

import pytest

from rustext.files.codec import from_plain, to_plain


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    name: str
    colour: Colour = Colour.RED


@dataclass(slots=True, kw_only=True)
class Outer:
    path: Path
    place: PurePosixPath
    inner: tuple[Inner, ...] = ()
    pair: tuple[str, int] | None = None
    pairs: tuple[tuple[str, str], ...] = ()
    words: frozenset[str] = frozenset()
    rows: Mapping[str, str | None] = field(default_factory=dict)
    listed: list[Inner] = field(default_factory=list)
    flag: bool = False


@pytest.mark.parametrize(
    "record",
    [
        Outer(path=Path("/x"), place=PurePosixPath("a/b")),
        Outer(
            path=Path("/\udc80"),  # a name that is not UTF-8 (PEP 383)
            place=PurePosixPath("c"),
            inner=(Inner(name="a"), Inner(name="b")),
            pair=("one", 1),
            pairs=(("a", "b"), ("c", "d")),
            words=frozenset({"x", "y"}),
            rows={"a": None, "b": "c"},
            listed=[Inner(name="d")],
            flag=True,
        ),
    ],
)
def test_a_record_survives(record: Outer) -> None:
    plain = json.loads(json.dumps(to_plain(record)))
    assert from_plain(Outer, plain) == record


def test_what_is_as_the_default_says_takes_no_room() -> None:
    assert to_plain(Inner(name="a")) == {"name": "a"}


def test_values_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="blue"):
        from_plain(Inner, {"name": "a", "colour": "blue"})
    with pytest.raises(KeyError, match="age"):
        from_plain(Inner, {"age": 1})
