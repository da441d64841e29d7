"""Find what module-level code imports by calls, as far as its bytecode spells the names out.

In: the `Code` of a module. Out: for each `import_module(…)` and `__import__(…)` the names that it
may be called with: a literal, the items of a literal that a loop goes through, or what the code
puts behind its own `__name__` or `__package__`.
"""

from __future__ import annotations

from collections.abc import Iterator

from rustext.formats.marshal_reader import Code
from rustext.verify.bytecode.instructions import (
    NO_TARGET,
    decode,
    find_table,
    iter_texts,
    load_constant,
    name_of,
)
from rustext.verify.bytecode.named_paths import COMPUTES

_OWN = frozenset({"__name__", "__package__"})
_NONE: frozenset[str] = frozenset()


def iter_called(
    code: Code, python: tuple[int, int], name: str, package: str
) -> Iterator[frozenset[str]]:
    """The names that each call may import, none where they cannot be told.

    `name` is the module's, `package` the one that it is in, or is.
    """
    reader = _Reader(code, python)
    own = {"__name__": name, "__package__": package}
    for at in reader.mentions():
        before, texts = reader.argument(at + 1)
        base = own.get(before, "")
        yield frozenset(f"{base or package}{t}" if t.startswith(".") else t for t in texts)


class _Reader:
    """The instructions of module-level code, without what comes before a call."""

    def __init__(self, code: Code, python: tuple[int, int]) -> None:
        self._code, self._table = code, find_table(python)
        steps = decode(code.code, self._table)
        targets = {step[3] for step in steps}
        starts = [0, *(step[0] for step in steps)]
        kept = [i for i, s in enumerate(steps) if s[1] not in self._table["before_call"]]
        self._steps = [steps[i] for i in kept]
        self._joined = {n for n, i in enumerate(kept) if starts[i] in targets}  # by several ways
        self._words = [name_of(code, self._table, step) or "" for step in self._steps]

    def mentions(self) -> Iterator[int]:
        """The instructions that load what imports."""
        stores = self._table["store_name"]
        for i, word in enumerate(self._words):
            if word in COMPUTES and self._steps[i][1] != stores:
                yield i

    def argument(self, at: int) -> tuple[str, frozenset[str]]:
        """The name that an argument begins with, if that is one of `_OWN`, and the texts it may be.

        The argument begins at an instruction, and is the first of its call.
        """
        text = self._constant(at)
        if text is not None:
            ends = self._is_call(at + 1) or self._word(at + 1) in _OWN
            return "", frozenset({text} if ends else ())
        word = self._word(at)
        if word in _OWN:
            text = self._constant(at + 1) or ""
            return word, frozenset({text} if text[:1] == "." and self._is_call(at + 3) else ())
        return "", self._values(word) if word and self._is_call(at + 1) else _NONE

    def _values(self, name: str) -> frozenset[str]:
        """All texts that a variable may be; none where one cannot be told."""
        found: set[str] = set()
        for i in self._stores(name):
            looped = i > 2 and self._steps[i - 1][3] != NO_TARGET  # over what was loaded before
            texts = self._texts(i - 3) if looped and i - 2 not in self._joined else _NONE
            text = self._constant(i - 1)
            if text is not None and not looped:
                texts = frozenset({text})
            if not texts or i in self._joined:
                return _NONE
            found |= texts
        return frozenset(found)

    def _texts(self, at: int) -> frozenset[str]:
        """The texts of a literal, or of the one that a variable is always set to."""
        value = load_constant(self._code, self._table, self._steps, at)
        name = self._word(at)
        if value is None and name:
            values = [
                None if i in self._joined
                else load_constant(self._code, self._table, self._steps, i - 1)
                for i in self._stores(name)
            ]  # fmt: skip
            value = values[0] if len(values) == 1 else None
        whole = isinstance(value, tuple) and all(isinstance(item, str) for item in value)
        return frozenset(iter_texts(value)) if whole else _NONE

    def _stores(self, name: str) -> Iterator[int]:
        for i, step in enumerate(self._steps):
            if step[1] == self._table["store_name"] and self._words[i] == name:
                yield i

    def _constant(self, at: int) -> str | None:
        value = load_constant(self._code, self._table, self._steps, at) if self._has(at) else None
        return value if isinstance(value, str) else None

    def _word(self, at: int) -> str:
        loads = (self._table["load_name"], self._table["load_global"])
        return self._words[at] if self._has(at) and self._steps[at][1] in loads else ""

    def _is_call(self, at: int) -> bool:
        calls = (self._table["call"], self._table.get("call_method"))
        return self._has(at) and self._steps[at][1] in calls and at not in self._joined

    def _has(self, at: int) -> bool:
        return 0 <= at < len(self._steps)
