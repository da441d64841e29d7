"""Find the folders that code spells out for a file, and where they begin.

In: the `Code` of a module, decoded, and an instruction that loads a file's name. Out: a `Place`.
What is read: `Path(__file__).parent / "a" / "x"`, `os.path.join(dirname(__file__), "a", "x")`,
`files("pkg").joinpath("a/x")`, `get_data("pkg", "a/x")`, and a module's names for such folders. Of
any other path, the folders in the text itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rustext.data import read_data
from rustext.formats.marshal_reader import Code
from rustext.verify.bytecode.instructions import Step, Table, load_constant, name_of

_SEPARATOR = re.compile(r"[/\\]")
_LONGEST = 4096  # characters; PATH_MAX of Linux
_DEEPEST = 20  # calls in each other
_JOINS = frozenset({"join", "Path", "PurePath", "PosixPath"})
_SAME = frozenset({"abspath", "realpath", "normpath", "fspath", "str", "resolve", "absolute"})
_OWN = frozenset({"__package__", "__name__"})
_PARENT = "dirname"
_UP = ".."


@dataclass(frozen=True, slots=True)
class Place:
    """Folders and a file in them.

    `base`: where they begin, a package or, if it is empty, the module's own folder; None where that
    is not known. `parts` may go up.
    """

    base: str | None
    parts: tuple[str, ...]

    def down(self, *texts: str) -> Place:
        """What these texts name from here on."""
        return Place(self.base, (*self.parts, *(p for text in texts for p in split(text))))


@dataclass(frozen=True, slots=True)
class _Value:
    """The place that an expression has, and its first instruction, where that is known."""

    place: Place
    start: int | None


def split(text: str) -> tuple[str, ...]:
    """The parts of a path."""
    return tuple(p for p in _SEPARATOR.split(text[:_LONGEST]) if p not in ("", "."))


def name_places(code: Code, table: Table, steps: Sequence[Step]) -> Mapping[str, Place]:
    """The names that a module's code gives to folders, if each has one alone."""
    found: dict[str, Place | None] = {}
    for i, step in enumerate(steps):
        name = name_of(code, table, step) if step[1] == table["store_name"] else None
        if name is not None:
            named = {n: place for n, place in found.items() if place is not None}
            place = _Reader(code, table, steps, named).find(i - 1)
            place = place if place is not None and place.base is not None else None
            found[name] = place if found.get(name, place) == place else None
    return {name: place for name, place in found.items() if place is not None}


def find_place(
    code: Code, table: Table, steps: Sequence[Step], at: int, named: Mapping[str, Place]
) -> Place | None:
    """The place of the file whose name is loaded at an instruction; None if that is no text."""
    text = load_constant(code, table, steps, at)
    if not isinstance(text, str):
        return None
    reader = _Reader(code, table, steps, named)
    end = at + 1
    while end < len(steps) and steps[end][1] in table["before_call"]:
        end += 1
    found = reader.find(end) if end < len(steps) else None
    parts = split(text)
    if found is None or found.parts[-len(parts) :] != parts:
        return Place(None, parts)
    return found


class _Reader:
    """Reads expressions from their last instruction back to the first."""

    def __init__(
        self, code: Code, table: Table, steps: Sequence[Step], named: Mapping[str, Place]
    ) -> None:
        self._code, self._table, self._steps, self._named = code, table, steps, named
        self._calls = {table["call"], table.get("call_method")}
        self._quiet = {*table["before_call"], table.get("push_null")}
        self._attributes = {table["load_attr"], table.get("load_method")}
        self._resources = frozenset(read_data("companions")["resource_calls"])

    def find(self, at: int) -> Place | None:
        """The place that the expression which ends at an instruction always stands for."""
        value = self._read(at)
        if value is None:
            return None
        if value.start is None:
            return value.place
        first, last = (self._steps[i - 1][0] if i > 0 else 0 for i in (value.start, at))
        either = any(first < target <= last for _, _, _, target in self._steps)
        return Place(None, value.place.parts[-1:]) if either else value.place

    def _read(self, at: int, depth: int = 0) -> _Value | None:
        at = self._back(at)
        if at < 0 or depth > _DEEPEST:
            return None
        _, op, argument, _ = self._steps[at]
        opcode, kind = self._table["divide"]
        if op == opcode and (argument == kind or not kind):
            return self._divided(at, depth)
        if op in self._calls:
            return self._called(at, argument, depth)
        name = self._name(at)
        if op in self._attributes:
            inner = self._read(at - 1, depth + 1) if name == "parent" else None
            return inner and _Value(inner.place.down(_UP), inner.start)
        if name == "__file__":
            return _Value(Place("", (name,)), at)
        place = self._named.get(name or "")
        return _Value(place, at) if place is not None else None

    def _divided(self, at: int, depth: int) -> _Value | None:
        text = self._text(at - 1)
        if text is None:
            return None
        left = self._read(at - 2, depth + 1) or _Value(Place(None, ()), None)
        return _Value(left.place.down(text), left.start)

    def _called(self, at: int, count: int, depth: int) -> _Value | None:
        texts: list[str] = []
        at = self._back(at - 1)
        while len(texts) < count and (text := self._text(at)) is not None:
            texts.insert(0, text)
            at = self._back(at - 1)
        if len(texts) == count:
            return self._with_texts(at, texts, depth)
        return self._with_place(at, texts, depth) if len(texts) + 1 == count else None

    def _with_place(self, at: int, texts: Sequence[str], depth: int) -> _Value | None:
        """What a call of a place, which ends at an instruction, and of texts stands for."""
        value: _Value | None = _Value(Place("", ("__file__", _UP)), at)
        called = frozenset({"files"})
        if self._name(at) not in _OWN or texts:  # not files(__package__)
            called = _JOINS if texts else _JOINS | _SAME | {_PARENT}
            value = self._read(at, depth + 1)
        if value is None or value.start is None:
            joins = texts and self._name(self._back(at - 1)) == "join"
            return _Value(Place(None, ()).down(*texts), None) if joins else None
        function = self._back(value.start - 1)
        name = self._name(function)
        up = (_UP,) if name == _PARENT else ()
        place = value.place.down(*up, *texts)
        return _Value(place, self._first(function)) if name in called else None

    def _with_texts(self, function: int, texts: Sequence[str], depth: int) -> _Value | None:
        """What a call with texts alone stands for: a method of a path, or a package's resource."""
        called, start = self._name(function), self._first(function)
        if called in self._resources and 1 <= len(texts) <= 2 - (called == "files"):
            return _Value(Place(texts[0], ()).down(*texts[1:]), start)
        known = called in {"joinpath", "with_name"} if texts else called in _SAME
        if not known:
            return None
        inner = self._read(function - 1, depth + 1) or _Value(Place(None, ()), None)
        up = (_UP,) if called == "with_name" else ()
        return _Value(inner.place.down(*up, *texts), inner.start)

    def _first(self, at: int) -> int:
        """The first instruction of a dotted name."""
        while at > 0 and self._steps[at][1] in self._attributes:
            at -= 1
        return at

    def _back(self, at: int) -> int:
        while at >= 0 and self._steps[at][1] in self._quiet:
            at -= 1
        return at

    def _text(self, at: int) -> str | None:
        value = load_constant(self._code, self._table, self._steps, at)
        return value if isinstance(value, str) else None

    def _name(self, at: int) -> str | None:
        return name_of(self._code, self._table, self._steps[at]) if at >= 0 else None
