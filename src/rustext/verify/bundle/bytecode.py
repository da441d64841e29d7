"""Find the imports of a piece of bytecode, and which of them decide whether it gets to its end.

In: a `Code` and the version of Python that wrote it. Out: its `Import`s. An import is certain where
every way through the code leads past it, and caught where the code can go on without the module:
`try`/`except ImportError` with a fallback, `contextlib.suppress`. What depends on a condition is
not certain, whatever the condition; one is known, `__name__ == "__main__"`. Instructions and jumps
are those of https://docs.python.org/3/library/dis.html, their numbers are in `data/opcodes.toml`.
"""

from __future__ import annotations

import builtins
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rustext.data import read_data
from rustext.verify.bundle.marshal_reader import Code

_CACHE = 0  # the opcode of an inline cache, since 3.11
_EQUAL = 2  # in `dis.cmp_op`
_NO_TARGET = -1


@dataclass(frozen=True, slots=True)
class Import:
    """One import: `level` dots, a module, and what is taken from it ("*" for all)."""

    module: str
    level: int
    names: tuple[str, ...]
    certain: bool
    caught: bool


def iter_imports(
    code: Code, python: tuple[int, int], *, main: bool = False, certain: bool = True
) -> Iterator[Import]:
    """Yield the imports of `code` itself, not of functions in it.

    `main`: it is the program's start. Without `certain` all count as uncertain, which is quicker.
    Nothing is found where the version is not known: see `is_known`.
    """
    table = _tables().get(python)
    if table is None:
        return
    steps = _decode(code.code, table)
    positions = [i for i, (_, op, _, _) in enumerate(steps) if op == table["import_name"]]
    if not positions:
        return
    flow = _Flow(code, table, steps, main=main) if certain else None
    must = flow.find_certain() if flow is not None else frozenset()
    for i in positions:
        _, _, argument, _ = steps[i]
        name = code.names[argument] if argument < len(code.names) else ""
        level, names = (_constant(code, table, steps, i - back) for back in (2, 1))
        if not name and not level:
            continue
        yield Import(
            module=name,
            level=level if isinstance(level, int) else 0,
            names=tuple(n for n in names if isinstance(n, str)) if isinstance(names, tuple) else (),
            certain=i in must,
            caught=flow is not None and i in must and flow.is_caught(i),
        )


def iter_stored(code: Code, python: tuple[int, int]) -> Iterator[str]:
    """Yield the names that module-level code binds."""
    table = _tables().get(python)
    if table is not None:
        for _, op, argument, _ in _decode(code.code, table):
            if op == table["store_name"] and argument < len(code.names):
                yield code.names[argument]


def is_known(python: tuple[int, int]) -> bool:
    """Whether the bytecode of this version of Python can be followed."""
    return python in _tables()


@functools.cache
def _tables() -> Mapping[tuple[int, int], Mapping[str, Any]]:
    return {_version(row["version"]): row for row in read_data("opcodes")["python"]}


def _version(text: str) -> tuple[int, int]:
    major, minor = text.split(".")
    return int(major), int(minor)


# Offset of the next instruction, opcode, argument, and where it jumps to.
_Step = tuple[int, int, int, int]


def _decode(code: bytes, table: Mapping[str, Any]) -> list[_Step]:
    """The instructions of a piece of code; offsets count units of two bytes."""
    extended, load = table["extended_arg"], 0
    forward, backward = set(table["forward"]), set(table["backward"])
    absolute = set(table["absolute"])
    cached = "match" in table  # both came with 3.11
    steps: list[_Step] = []
    units = len(code) // 2
    unit = 0
    while unit < units:
        op, argument = code[2 * unit], code[2 * unit + 1] | load
        unit += 1
        if op == extended:
            load = (argument << 8) & 0xFFFFFFFF
            continue
        load = 0
        while cached and unit < units and code[2 * unit] == _CACHE:
            unit += 1
        target = _NO_TARGET
        if op in forward:
            target = unit + argument
        elif op in backward:
            target = unit - argument
        elif op in absolute:
            target = argument
        steps.append((unit, op, argument, target))
    return steps


def _constant(code: Code, table: Mapping[str, Any], steps: Sequence[_Step], at: int) -> Any:
    """What an instruction loads, None for anything that is no constant."""
    if at < 0:
        return None
    _, op, argument, _ = steps[at]
    if op == table.get("load_small_int"):
        return argument
    if op == table["load_const"] and argument < len(code.constants):
        return code.constants[argument]
    return None


class _Flow:
    """The ways through one piece of code, by the indexes of its instructions."""

    def __init__(
        self, code: Code, table: Mapping[str, Any], steps: Sequence[_Step], *, main: bool
    ) -> None:
        self._code, self._table, self._steps, self._main = code, table, steps, main
        starts = [0, *(step[0] for step in steps[:-1])]
        self._index = {start: i for i, start in enumerate(starts)}
        # An EXTENDED_ARG is jumped to in place of its instruction.
        self._starts = starts
        self._returns, self._raises = set(table["returns"]), set(table["raises"])
        self._always = set(table["always"])
        if "match" in table:
            self._handlers = _read_exceptions(code.exceptions, starts)
        else:
            self._handlers = self._follow_blocks()

    def find_certain(self) -> frozenset[int]:
        """The instructions that every way from the start to the end leads past.

        Code is laid out in the order of its source, and loops alone jump back: an instruction is on
        every way unless a jump from before it leads behind it. A return leads behind everything.
        """
        end = len(self._steps)
        certain = set()
        furthest = 0  # where a jump has led
        live = True
        targets: set[int] = set()
        for i, (_, op, _, _) in enumerate(self._steps):
            if i in targets:
                live = True
            if not live:
                continue
            if i >= furthest:
                certain.add(i)
            following = self._following(i)
            for target in following:
                if target > i + 1:
                    targets.add(target)
                    furthest = max(furthest, target)
            if op in self._returns:
                furthest = end
            live = i + 1 in following
        return frozenset(certain)

    def is_caught(self, at: int) -> bool:
        """Whether the code may get to its end although the import at `at` has failed."""
        first = self._handlers.get(at)
        work = [] if first is None else [first]
        seen = set(work)
        for i in work:
            op = self._steps[i][1]
            if op in self._returns:
                return True
            if op in self._raises:
                handler = self._handlers.get(i)
                following: tuple[int, ...] = () if handler is None else (handler,)
            else:
                following = self._following_failure(i)
            work += [target for target in following if target not in seen]
            seen.update(following)
        return False

    def _following(self, i: int) -> tuple[int, ...]:
        """Where the code goes on after an instruction, as long as nothing is raised."""
        _, op, _, target = self._steps[i]
        if op in self._returns or op in self._raises:
            return ()
        onward = (i + 1,) if i + 1 < len(self._steps) else ()
        if target == _NO_TARGET or op in self._table["handler"]:
            return onward
        jump = self._at(target)
        if op in self._always:
            return jump
        if op in self._table["if_false"] and self._asks_for_main(i):
            return onward if self._main else jump
        return (*onward, *jump)

    def _following_failure(self, i: int) -> tuple[int, ...]:
        """The same while a failed import is looked at by the clauses of `except`."""
        _, op, _, target = self._steps[i]
        test = i if op == self._table.get("no_match") else i - 1
        is_test = test >= 0 and self._steps[test][1] in (
            self._table.get("no_match"),
            self._table.get("match"),
        )
        if target == _NO_TARGET or not is_test or test == 0:
            return self._following(i)
        verdict = _catches_imports(self._loaded_name(test - 1))
        onward = (i + 1,) if i + 1 < len(self._steps) else ()
        if verdict is None:
            return (*onward, *self._at(target))
        return onward if verdict else self._at(target)

    def _at(self, unit: int) -> tuple[int, ...]:
        found = self._index.get(unit)
        if found is None:  # damaged
            return ()
        return (found,) if found < len(self._steps) else ()

    def _loaded_name(self, i: int) -> str | None:
        _, op, argument, _ = self._steps[i]
        if op == self._table["load_name"] and argument < len(self._code.names):
            return self._code.names[argument]
        return None

    def _asks_for_main(self, i: int) -> bool:
        """Whether a jump depends on `__name__ == "__main__"`."""
        if i < 3:
            return False
        _, op, argument, _ = self._steps[i - 1]
        return (
            op == self._table["compare"]
            and argument >> self._table["compare_shift"] == _EQUAL
            and _constant(self._code, self._table, self._steps, i - 2) == "__main__"
            and self._loaded_name(i - 3) == "__name__"
        )

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


def _catches_imports(name: str | None) -> bool | None:
    """Whether `except NAME` catches a module that is not found; None where that is not known."""
    kind = getattr(builtins, name, None) if name is not None else None
    if not isinstance(kind, type) or not issubclass(kind, BaseException):
        return None
    return issubclass(ModuleNotFoundError, kind)


def _read_exceptions(data: bytes, starts: Sequence[int]) -> dict[int, int]:
    """The handler of each instruction, by an exception table (Objects/exception_handling_notes.txt).

    Both are indexes of instructions.
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
