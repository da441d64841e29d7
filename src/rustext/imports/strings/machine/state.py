"""What registers and memory hold along a straight reading of machine code.

The values are symbolic: a number where the code puts a constant, a name where it does not. An
architecture (`x86`, `arm64`) says how its instructions change them; `code_refs` and `import_calls`
read on from there. This is no emulator: whatever an architecture does not know makes a register
unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, Protocol

from rustext.formats.reader import Buffer

# A number, or a name: ("in", register) at the start, ("new", place) for what an instruction made,
# ("load", base, displacement) for what memory held, ("at", base, displacement) for a distance.
Value = int | tuple[object, ...]
Cell = tuple[Value, int]

VECTOR, HALF = 32, 32  # general registers come first, then the lower halves of vector registers
REGISTERS = VECTOR + 2 * HALF
_UNTOUCHED: tuple[Value, ...] = tuple(("in", r) for r in range(REGISTERS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A run of the file that is mapped at `address`."""

    address: int
    offset: int
    size: int

    def __contains__(self, address: int) -> bool:
        """Whether the byte at `address` is in the region."""
        return 0 <= address - self.address < self.size


@dataclass(slots=True)
class State:
    """Registers, and the memory that was written."""

    registers: list[Value] = field(default_factory=lambda: list(_UNTOUCHED))
    memory: dict[Cell, Value] = field(default_factory=dict)

    def copy(self) -> State:
        """An independent copy."""
        return State(self.registers.copy(), self.memory.copy())

    def load(self, address: Value) -> Value:
        """The word at `address`."""
        key = cell(address)
        return self.memory.get(key, ("load", *key))

    def store(self, address: Value, value: Value) -> None:
        """Write a word."""
        self.memory[cell(address)] = value


def plus(value: Value, distance: int) -> Value:
    """The value `distance` further on."""
    if isinstance(value, int):
        return value + distance
    base, at = cell(value)
    total = at + distance
    return ("at", base, total) if total else base


def cell(address: Value) -> Cell:
    """The base of an address and the distance from it: the key of a memory cell."""
    if isinstance(address, int):
        return 0, address
    if address[0] == "at":
        return address[1], address[2]  # type: ignore[return-value]
    return address, 0


class Turn(Enum):
    """How an instruction leaves the straight line."""

    CALL = "call"
    JUMP = "jump"
    BRANCH = "branch"  # or goes on
    RETURN = "return"
    TRAP = "trap"


class Flow(NamedTuple):
    """Where an instruction goes: to an address, or to the one that a slot holds."""

    turn: Turn
    target: int | None = None
    slot: int | None = None


class Machine(Protocol):
    """One architecture with one calling convention."""

    arguments: tuple[int, ...]
    scratch: tuple[int, ...]  # registers that a call may change
    result: int
    pair: tuple[int, int]  # registers that return an address and a length

    def iter_addresses(
        self, data: Buffer, code: Region, low: int, high: int
    ) -> Iterator[tuple[int, int]]:
        """Yield (place, address) where the code computes an address in [low, high)."""

    def may_set(self, window: bytes, lengths: tuple[int, ...]) -> bool:
        """Whether the window can hold an instruction that makes one of these constants."""

    def entry(self, window: bytes, at: int) -> int:
        """The first offset in `window` from which instructions line up with the one at `at`."""

    def run(self, state: State, code: bytes, at: int, address: int) -> Step | None:
        """Apply the instruction at offset `at`, which is mapped at `address`; None at the end."""


class Step(NamedTuple):
    """What one instruction did."""

    length: int
    flow: Flow | None = None
    stored: Value | None = None  # the address that it wrote to


def after_call(machine: Machine, state: State, place: int) -> None:
    """Forget what a call may change; its result is named after its place."""
    for register in machine.scratch:
        state.registers[register] = ("new", place, register)
