"""The names of interest: the same answers, however few of them are asked for."""

from __future__ import annotations

import pytest

from rustext.imports.strings.name_filter import WantedNames

NAMES = frozenset(
    {"a", "os", "os.path", "osx", "json.decoder", "email", "email.mime.text", "x.y.z"}
)
TOPS = frozenset(name.partition(".")[0] for name in NAMES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("os", ["os"]),
        ("os.path", ["os", "os.path"]),
        ("os.pathlib", ["os", "os.path"]),
        ("osxyz.path", ["os", "osx"]),
        ("abc", ["a"]),
        ("json.decoderjson.encoder", ["json.decoder"]),
        ("email.mime.textual", ["email", "email.mime.text"]),
        ("x.y", []),
        ("x.y.z.w", ["x.y.z"]),
        ("none.of.these", []),
        ("_", []),
    ],
)
@pytest.mark.parametrize("tops", [None, TOPS], ids=["predicate alone", "first words known"])
def test_beginnings_of_a_text_that_are_wanted(
    text: str, expected: list[str], tops: frozenset[str] | None
) -> None:
    wanted = WantedNames(NAMES.__contains__, tops)
    assert sorted(text[:n] for n in wanted.iter_lengths(text, 120)) == expected
    assert [name for name in (text, *expected) if name in wanted] == [
        name for name in (text, *expected) if name in NAMES
    ]


def test_no_name_is_longer_than_the_longest() -> None:
    wanted = WantedNames(NAMES.__contains__, TOPS)
    assert list(wanted.iter_lengths("os.path", 6)) == [2]


def test_names_without_a_known_first_word_are_not_asked_for() -> None:
    asked = []

    def is_module(name: str) -> bool:
        asked.append(name)
        return True

    wanted = WantedNames(is_module, {"os"})
    assert "json" not in wanted
    assert list(wanted.iter_lengths("jsonjson.decoder", 120)) == []
    assert asked == []
