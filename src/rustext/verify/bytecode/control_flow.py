"""Find the ways through a piece of bytecode, and what it does when an import fails.

In: a `Code`, decoded. Out: a `Flow`, which says what is on every way from the start to the end, and
whether an exception at some place still lets the code get there. Handlers are found by the
exception table, before 3.11 by the instructions that enter and leave their block.
"""

from __future__ import annotations

import builtins
import operator
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from rustext.formats.marshal_reader import Code
from rustext.verify.bytecode.instructions import NO_TARGET, Step, Table, load_constant

# In the order of `dis.cmp_op`.
_COMPARISONS: tuple[Callable[..., object], ...] = (
    operator.lt, operator.le, operator.eq, operator.ne, operator.gt, operator.ge,
)  # fmt: skip
_UNKNOWN = object()
_LONGEST = 64  # of texts and tuples that are compared


class Flow:
    """The ways through one piece of code, by the indexes of its instructions."""

    def __init__(
        self,
        code: Code,
        table: Table,
        steps: Sequence[Step],
        known: Mapping[str, object],
        gone: Collection[int] = (),
    ) -> None:
        """Take code and its instructions; `known` are values of names and attributes.

        `gone` are imports of modules that are not there.
        """
        self._code, self._table, self._steps = code, table, steps
        self._given, self._gone = known, gone
        self._known: Mapping[str, object] = known
        starts = [0, *(step[0] for step in steps[:-1])]
        self._index = {start: i for i, start in enumerate(starts)}
        self._returns, self._raises = set(table["returns"]), set(table["raises"])
        self._always = set(table["always"])
        if "match" in table:
            self._handlers = _read_exceptions(code.exceptions, starts)
        else:
            self._handlers = self._follow_blocks()
        self._known = self._find_constants(range(len(steps)))
        self._by_errors = False  # whether the end is reached by way of what is raised alone
        self._caught = frozenset(i for i in gone if self.is_caught(i))

    def find_certain(self) -> frozenset[int]:
        """The instructions that every way from the start to the end leads past."""
        before, end = self._find_ways_to_end(), len(self._steps)
        if end not in before:
            return frozenset()
        way = [end]
        while way[-1]:
            way.append(before[way[-1]])
        way.reverse()
        place = {i: k for k, i in enumerate(way)}
        certain: set[int] = set()
        furthest = 0  # how far along this way the others that leave it earlier come back to it
        seen: set[int] = set()
        for k, start in enumerate(way):
            if k >= furthest:
                certain.add(start)
            work = [start]
            while work:
                for i in self._onward(work.pop()):
                    if i in place:
                        furthest = max(furthest, place[i])
                    elif i not in seen:
                        seen.add(i)
                        work.append(i)
        return frozenset(certain - {end})

    def _find_ways_to_end(self) -> dict[int, int]:
        before = self._find_ways()
        if len(before) <= len(self._steps):  # what never runs binds no name
            self._known = self._find_constants(self._with_handlers(before))
            before = self._find_ways()
        if len(self._steps) not in before:  # it ends in `raise SystemExit`, or after an `except`
            self._by_errors = True
            before = self._find_ways()
        return before

    def _with_handlers(self, ran: Iterable[int]) -> set[int]:
        """Instructions that may run, and those that do so after an error in one of them."""
        seen = set(ran)
        work = [i for i in map(self._handlers.get, tuple(seen)) if i is not None]
        while work:
            i = work.pop()
            if i not in seen and i < len(self._steps):
                seen.add(i)
                work += [*self._following(i), self._handlers.get(i, i)]
        return seen

    def _find_ways(self) -> dict[int, int]:
        """The instructions that may run, each with one that may run before it; the end as well."""
        before = {0: 0}
        work = [0]
        for i in work:
            for after in self._onward(i):
                if after not in before:
                    before[after] = i
                    work.append(after)
        return before

    def _onward(self, i: int) -> tuple[int, ...]:
        """Where every run goes on after an instruction; behind the last one is the end."""
        if i == len(self._steps):
            return ()
        # Nothing but what was raised there is raised again.
        if i in self._caught or self._steps[i][1] == self._table["reraise"]:
            handler = self._handlers.get(i)
            return () if handler is None else (handler,)
        if self._steps[i][1] in self._returns:
            return (len(self._steps),)
        if not self._by_errors:
            return self._following_failure(i, ModuleNotFoundError, by_with=True)
        handler = self._handlers.get(i)
        if handler is None and self._steps[i][1] in self._raises:
            return (len(self._steps),)
        return (*self._following(i), *(() if handler is None else (handler,)))

    def is_caught(
        self, at: int, error: type[Exception] = ModuleNotFoundError, *, by_with: bool = True
    ) -> bool:
        """Whether the code may get to its end although `error` was raised at `at`.

        `by_with`: whether what a `with` statement enters may catch it.
        """
        return bool(self.follow_failure(at, error, by_with=by_with))

    def follow_failure(
        self, at: int, error: type[Exception] = ModuleNotFoundError, *, by_with: bool = True
    ) -> frozenset[int]:
        """The instructions that may run after `error` at `at`; none if the end is out of reach."""
        first = self._handlers.get(at)
        work = [] if first is None else [first]
        seen = set(work)
        ends = False
        for i in work:
            op = self._steps[i][1]
            ends = ends or op in self._returns
            # A module that is missing as its fallback is: the fallback is what is reported.
            if op in self._raises or (i in self._gone and error is ImportError):
                handler = self._handlers.get(i)
                following: tuple[int, ...] = () if handler is None else (handler,)
            else:
                following = self._following_failure(i, error, by_with=by_with)
                if i in self._gone:
                    following += tuple(h for h in (self._handlers.get(i),) if h is not None)
            work += [target for target in following if target not in seen]
            seen.update(following)
        return frozenset(seen) if ends else frozenset()

    def _following(self, i: int) -> tuple[int, ...]:
        """Where the code goes on after an instruction, as long as nothing is raised."""
        _, op, _, target = self._steps[i]
        if op in self._returns or op in self._raises:
            return ()
        onward = (i + 1,) if i + 1 < len(self._steps) else ()
        if target == NO_TARGET or op in self._table["handler"]:
            return onward
        jump = self._at(target)
        if op in self._always:
            return jump
        truth = self._tested(i, op)
        if truth is None:
            return (*onward, *jump)
        return jump if truth is (op in self._table["if_true"]) else onward

    def _following_failure(
        self, i: int, error: type[Exception], *, by_with: bool
    ) -> tuple[int, ...]:
        """The same while what was raised is looked at by the clauses of `except`."""
        _, op, _, target = self._steps[i]
        test = i if op == self._table.get("no_match") else i - 1
        is_test = test >= 0 and self._steps[test][1] in (
            self._table.get("no_match"),
            self._table.get("match"),
        )
        if target != NO_TARGET and not by_with and self._leaves_with(i):
            return (i + 1,)
        if target == NO_TARGET or not is_test or test == 0:
            return self._following(i)
        verdict = _catches(self._loaded_name(test - 1), error)
        onward = (i + 1,) if i + 1 < len(self._steps) else ()
        if verdict is None:
            return (*onward, *self._at(target))
        return onward if verdict else self._at(target)

    def _leaves_with(self, i: int) -> bool:
        """Whether a jump depends on what `__exit__` has returned."""
        at = i - 1
        if at > 0 and self._steps[at][1] == self._table.get("to_bool"):
            at -= 1
        return at >= 0 and self._steps[at][1] == self._table["leave_with"]

    def _at(self, unit: int) -> tuple[int, ...]:
        found = self._index.get(unit)
        if found is None:  # damaged
            return ()
        return (found,) if found < len(self._steps) else ()

    def called_name(self, i: int) -> str | None:
        """The name that a call without arguments calls."""
        if self._steps[i][2] != 0:
            return None
        at = i - 1
        while at >= 0 and self._steps[at][1] in self._table["before_call"]:
            at -= 1
        return self._loaded_name(at)

    def _loaded_name(self, i: int) -> str | None:
        if i < 0:
            return None
        _, op, argument, _ = self._steps[i]
        if op == self._table["load_global"]:
            argument >>= self._table["global_shift"]
        elif op != self._table["load_name"]:
            return None
        return self._code.names[argument] if argument < len(self._code.names) else None

    def _tested(self, i: int, op: int) -> bool | None:
        """Whether the value that a jump depends on is true; None where it is not known."""
        if op not in self._table["if_true"] and op not in self._table["if_false"]:
            return None
        at = i - 1
        if at >= 0 and self._steps[at][1] == self._table.get("to_bool"):
            at -= 1
        if at < 0:
            return None
        value = self._value(at)
        return None if value is _UNKNOWN else bool(value)

    def _value(self, i: int) -> object:
        """What an instruction loads, where that is a constant or known beforehand."""
        if i < 0:
            return _UNKNOWN
        _, op, argument, _ = self._steps[i]
        if op in (self._table["compare"], self._table["contains"]):
            return self._compared(i)
        if op == self._table["load_attr"] and i > 0:
            index, owner = argument >> self._table["attr_shift"], self._loaded_name(i - 1)
            if owner is None or index >= len(self._code.names):
                return _UNKNOWN
            return self._known.get(f"{owner}.{self._code.names[index]}", _UNKNOWN)
        name = self._loaded_name(i)
        if name is not None:
            return self._known.get(name, _UNKNOWN)
        loaded = load_constant(self._code, self._table, self._steps, i)
        return _UNKNOWN if loaded is None or isinstance(loaded, Code) else loaded

    def _compared(self, i: int) -> object:
        left, right = self._value(i - 2), self._value(i - 1)
        _, op, argument, _ = self._steps[i]
        known = left is not _UNKNOWN and right is not _UNKNOWN
        if not known or not (_is_small(left) and _is_small(right)):
            return _UNKNOWN
        try:
            if op == self._table["contains"]:
                return (left in right) is not bool(argument & 1)  # type: ignore[operator]
            return _COMPARISONS[argument >> self._table["compare_shift"]](left, right)
        except (TypeError, IndexError, BytesWarning):  # the latter with `-bb`
            return _UNKNOWN

    def _find_constants(self, where: Iterable[int]) -> dict[str, object]:
        """What is known of names, with those that code binds to one value alone.

        Such a value is True, False, a number or a text.
        """
        found: dict[str, object] = {}
        for i in sorted(where):
            _, op, argument, _ = self._steps[i] if i < len(self._steps) else (0, -1, 0, 0)
            if op == self._table["store_name"] and argument < len(self._code.names):
                value = self._value(i - 1)
                name = self._code.names[argument]
                simple = isinstance(value, bool | int | str)
                same = simple and found.get(name, value) == value
                found[name] = value if same else _UNKNOWN
        constants = {name: value for name, value in found.items() if value is not _UNKNOWN}
        return {**constants, **self._given}

    def _follow_blocks(self) -> dict[int, int]:
        """The handler of each instruction before 3.11: instructions enter and leave its block."""
        handlers: dict[int, int] = {}
        seen: set[int] = set()
        work: list[tuple[int, tuple[int, ...]]] = [(0, ())]
        while work:
            i, blocks = work.pop()
            if i in seen or i >= len(self._steps):
                continue
            seen.add(i)
            if blocks:
                handlers[i] = blocks[-1]
            _, op, _, target = self._steps[i]
            inside = blocks
            if op in self._table["handler"]:
                entered = self._at(target)
                inside = (*blocks, *entered)
                work += [(handler, blocks) for handler in entered]
            elif op == self._table["pop_block"]:
                inside = blocks[:-1]
            work += [(following, inside) for following in self._following(i)]
        return handlers


def _is_small(value: object, depth: int = 1) -> bool:
    """Whether a value is compared in no time, whatever file it is from."""
    if isinstance(value, tuple):
        short = depth >= 0 and len(value) <= _LONGEST
        return short and all(_is_small(item, depth - 1) for item in value)
    return not isinstance(value, str | bytes) or len(value) <= _LONGEST


def _catches(name: str | None, error: type[Exception]) -> bool | None:
    """Whether `except NAME` catches what was raised; None where that is not known."""
    kind = getattr(builtins, name, None) if name is not None else None
    if not isinstance(kind, type) or not issubclass(kind, BaseException):
        return None
    return issubclass(error, kind)


def _read_exceptions(data: bytes, starts: Sequence[int]) -> dict[int, int]:
    """The handler of each instruction, by an exception table; both are indexes.

    Its layout: Objects/exception_handling_notes.txt (InternalDocs/ since 3.14) of CPython.
    """
    index = {start: i for i, start in enumerate(starts)}
    handlers: dict[int, int] = {}
    at = 0
    while at < len(data):
        values = []
        for _ in range(4):
            value = 0
            while at < len(data):
                byte = data[at]
                at += 1
                value = (value << 6 | byte & 0x3F) & 0xFFFFFFFF
                if not byte & 0x40:
                    break
            values.append(value)
        start, length, target, _ = values
        first, handler = index.get(start), index.get(target)
        if first is None or handler is None:
            continue
        i = first
        while i < len(starts) and starts[i] < start + length:
            handlers[i] = handler
            i += 1
    return handlers
