"""Decode CPython's bytecode into instructions, and say what they load.

In: a `Code` and the version of Python that wrote it. Out: its `Step`s. Of their meaning, only what
imports and ways through the code depend on is known: `data/opcodes.toml`
(https://docs.python.org/3/library/dis.html).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rustext.data import read_data
from rustext.formats.marshal_reader import Code

Table = Mapping[str, Any]  # a row of data/opcodes.toml
Step = tuple[int, int, int, int]  # offset of the next one, opcode, argument, where it jumps to
NO_TARGET = -1

_CACHE = 0  # the opcode of an inline cache, since 3.11


def is_known(python: tuple[int, int]) -> bool:
    """Whether the bytecode of this version of Python can be followed."""
    return python in _tables()


def find_table(python: tuple[int, int]) -> Table:
    """The instructions of a version of Python that `is_known`."""
    return _tables()[python]


@functools.cache
def _tables() -> Mapping[tuple[int, int], Table]:
    return {
        _version(row["version"]): {
            **row,
            "jumps": {
                **dict.fromkeys(row["forward"], 1),
                **dict.fromkeys(row["backward"], -1),
                **dict.fromkeys(row["absolute"], 0),
            },
        }
        for row in read_data("opcodes")["python"]
    }


def _version(text: str) -> tuple[int, int]:
    major, minor = text.split(".")
    return int(major), int(minor)


def decode(code: bytes, table: Table) -> list[Step]:
    """The instructions of a piece of code; offsets count units of two bytes."""
    extended = table["extended_arg"]
    jumps = table["jumps"]
    cached = "match" in table  # both came with 3.11
    steps: list[Step] = []
    units = len(code) // 2
    unit = high = 0
    while unit < units:
        op, argument = code[2 * unit], code[2 * unit + 1] | high
        unit += 1
        if op == extended:
            high = (argument << 8) & 0xFFFFFFFF
            continue
        high = 0
        if cached:
            while unit < units and code[2 * unit] == _CACHE:
                unit += 1
        kind = jumps.get(op)
        target = NO_TARGET
        if kind is not None:
            target = argument if kind == 0 else unit + kind * argument
        steps.append((unit, op, argument, target))
    return steps


def load_constant(code: Code, table: Table, steps: Sequence[Step], at: int) -> Any:
    """What an instruction loads, None for anything that is no constant."""
    if at < 0:
        return None
    _, op, argument, _ = steps[at]
    if op == table.get("load_small_int"):
        return argument
    if op == table.get("load_common"):
        return table["common"].get(str(argument))
    if op == table["load_const"] and argument < len(code.constants):
        return code.constants[argument]
    return None


def is_constant(table: Table, step: Step) -> bool:
    """Whether an instruction loads a constant that a source spells out, None included."""
    _, op, argument, _ = step
    if op == table.get("load_common"):
        return argument == table["none"] or str(argument) in table["common"]
    return bool(op == table["load_const"])


def name_of(code: Code, table: Table, step: Step) -> str | None:
    """The name or attribute that an instruction loads or binds."""
    _, op, argument, _ = step
    if op == table["load_attr"]:
        argument >>= table["attr_shift"]
    elif op == table["load_global"]:
        argument >>= table["global_shift"]
    elif op not in (table["load_name"], table["store_name"], table.get("load_method")):
        return None
    return code.names[argument] if argument < len(code.names) else None


def iter_texts(value: object) -> Iterator[str]:
    """The texts in a constant: itself, or those of a tuple and the tuples in it."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from iter_texts(item)
