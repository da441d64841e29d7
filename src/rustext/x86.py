"""What x86-64 machine code keeps in registers and on the stack, as far as a straight reading tells.

In: machine code and the address of its first byte. Out: the calls it makes, with what the argument
registers hold, and the memory it writes. This is no emulator: it knows moves, address computations
and constants, and forgets a register that anything else writes.

Encoding: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, chapter 2 and
appendix A. Calling convention: System V AMD64 psABI, section 3.2.3.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI = range(8)
SYSTEM_V_ARGUMENTS = (RDI, RSI, RDX, RCX, 8, 9)
WINDOWS_ARGUMENTS = (RCX, RDX, 8, 9)
SCRATCH = (RAX, RCX, RDX, RSI, RDI, 8, 9, 10, 11)

# A value is a number, or a name for what is not known: ("in", register) at the start, ("new", place)
# afterwards, and ("at", base, displacement) for a known distance from a named value.
Value = int | tuple[object, ...]
Cell = tuple[Value, int]

_MODRM = frozenset(
    [op for row in range(0, 0x40, 8) for op in range(row, row + 4)]
    + [0x62, 0x63, 0x69, 0x6B, 0xC0, 0xC1, 0xC6, 0xC7, 0xFE, 0xFF, 0xF6, 0xF7]
    + [*range(0x80, 0x90), *range(0xD0, 0xD4), *range(0xD8, 0xE0)]
)
_IMMEDIATE_1 = frozenset(
    [0x6A, 0x6B, 0x80, 0x82, 0x83, 0xA8, 0xC0, 0xC1, 0xC6, 0xEB, 0xCD, 0xE3]
    + [row + 4 for row in range(0, 0x40, 8)]
    + [*range(0x70, 0x80), *range(0xB0, 0xB8)]
)
_IMMEDIATE_4 = frozenset(
    [0x68, 0x69, 0x81, 0xA9, 0xC7, 0xE8, 0xE9]
    + [row + 5 for row in range(0, 0x40, 8)]
    + [*range(0xB8, 0xC0)]
)
_PREFIXES = frozenset([0x66, 0xF2, 0xF3, 0x2E, 0x36, 0x3E, 0x26, 0x64, 0x65, 0xF0])
_TWO_BYTE_PLAIN = frozenset([0x05, 0x0B, 0x31, 0x77, 0xA2, *range(0xC8, 0xD0), *range(0x80, 0x90)])
_TWO_BYTE_IMMEDIATE_1 = frozenset(
    [0x70, 0x71, 0x72, 0x73, 0xA4, 0xAC, 0xBA, 0xC2, 0xC4, 0xC5, 0xC6]
)
_TWO_BYTE_WRITES_REG = frozenset(
    [*range(0x40, 0x50), 0x2C, 0x2D, 0x50, 0xAF, 0xB6, 0xB7, 0xB8, 0xBC, 0xBD, 0xBE, 0xBF, 0xD7]
)
_TWO_BYTE_WRITES_RM = frozenset([0x7E, *range(0x90, 0xA0), 0xAB, 0xB3, 0xBB, 0xBA, 0xB1, 0xC1])


@dataclass(frozen=True, slots=True)
class Instruction:
    """One decoded instruction; `opcode` is 0x0f00 + byte for the two-byte map, -1 for VEX and EVEX."""

    length: int
    opcode: int
    rex: int
    mode: int  # ModRM.mod, -1 without a ModRM byte
    reg: int
    rm: int  # a register where mode is 3
    base: int  # register of a memory operand, -1 for RIP, -2 for none or an index
    displacement: int
    immediate: int


def decode(code: bytes, at: int) -> Instruction | None:
    """Decode the instruction at `at`; None where the bytes are cut short or no instruction."""
    try:
        return _decode(code, at)
    except IndexError:
        return None


def _decode(code: bytes, start: int) -> Instruction | None:
    at, rex, short = start, 0, False
    while code[at] in _PREFIXES:
        short = short or code[at] == 0x66
        at += 1
    opcode = code[at]
    if opcode & 0xF0 == 0x40:
        rex = opcode
        at += 1
        opcode = code[at]
    at += 1
    if opcode in (0xC4, 0xC5, 0x62):
        return _decode_vector(code, start, at, opcode)
    if opcode == 0x0F:
        return _decode_two_byte(code, start, at, rex)
    size = 1 if opcode in _IMMEDIATE_1 else 0
    if opcode in _IMMEDIATE_4:
        size = 2 if short and opcode not in (0xE8, 0xE9) else 4
        if rex & 8 and 0xB8 <= opcode <= 0xBF:
            size = 8
    elif opcode == 0xC2:
        size = 2
    if opcode not in _MODRM:
        known = size or opcode in _PLAIN or 0x50 <= opcode < 0x60
        return _finish(code, start, at, opcode, rex, size) if known else None
    if opcode in (0xF6, 0xF7) and code[at] >> 3 & 7 < 2:
        size = 1 if opcode == 0xF6 else 2 if short else 4
    return _operand(code, start, at, opcode, rex, size)


_PLAIN = frozenset(
    [*range(0x90, 0x9A), *range(0x9B, 0xA0), 0xA4, 0xA5, 0xAA, 0xAB, 0xC2, 0xC3, 0xC9, 0xCC, 0xF4]
)


def _decode_two_byte(code: bytes, start: int, at: int, rex: int) -> Instruction | None:
    opcode = code[at]
    at += 1
    if opcode in (0x38, 0x3A):
        return _operand(code, start, at + 1, -1, rex, int(opcode == 0x3A))
    if opcode in _TWO_BYTE_PLAIN:
        return _finish(code, start, at, 0x0F00 + opcode, rex, 4 if 0x80 <= opcode < 0x90 else 0)
    return _operand(code, start, at, 0x0F00 + opcode, rex, int(opcode in _TWO_BYTE_IMMEDIATE_1))


def _decode_vector(code: bytes, start: int, at: int, prefix: int) -> Instruction | None:
    """VEX (SDM 2.3) and EVEX (2.7): only the length matters, but for the map that tells it."""
    number = 1 if prefix == 0xC5 else code[at] & (0x1F if prefix == 0xC4 else 7)
    at += {0xC5: 1, 0xC4: 2, 0x62: 3}[prefix]
    size = int(number == 3 or (number == 1 and code[at] in _TWO_BYTE_IMMEDIATE_1))
    if prefix == 0xC5 and code[at] == 0x77:
        return _finish(code, start, at + 1, -1, 0, 0)
    return _operand(code, start, at + 1, -1, 0, size)


def _finish(
    code: bytes, start: int, at: int, opcode: int, rex: int, size: int
) -> Instruction | None:
    if at + size > len(code):
        return None
    immediate = int.from_bytes(code[at : at + size], "little", signed=True)
    return Instruction(at + size - start, opcode, rex, -1, 0, 0, -2, 0, immediate)


def _operand(
    code: bytes, start: int, at: int, opcode: int, rex: int, size: int
) -> Instruction | None:
    modrm = code[at]
    at += 1
    mode, reg, rm = modrm >> 6, modrm >> 3 & 7 | (rex & 4) << 1, modrm & 7
    base, width = -2, (0, 1, 4, 0)[mode]
    if mode != 3:
        base = rm | (rex & 1) << 3
        if rm == 4:
            sib = code[at]
            at += 1
            index = sib >> 3 & 7 | (rex & 2) << 2
            base = (sib & 7 | (rex & 1) << 3) if index == 4 else -2
            if sib & 7 == 5 and mode == 0:
                base, width = -2, 4
        elif rm == 5 and mode == 0:
            base, width = -1, 4
    displacement = int.from_bytes(code[at : at + width], "little", signed=True)
    at += width
    if at + size > len(code):
        return None
    immediate = int.from_bytes(code[at : at + size], "little", signed=True)
    rm |= (rex & 1) << 3
    return Instruction(at + size - start, opcode, rex, mode, reg, rm, base, displacement, immediate)


@dataclass(slots=True)
class State:
    """Registers and memory; what was never written stands under the name of its place."""

    registers: list[Value] = field(default_factory=lambda: [("in", r) for r in range(16)])
    memory: dict[Cell, Value] = field(default_factory=dict)

    def copy(self) -> State:
        """An independent copy."""
        return State(self.registers.copy(), self.memory.copy())


def plus(value: Value, distance: int) -> Value:
    """The value `distance` bytes further on."""
    if isinstance(value, int):
        return value + distance
    if value[0] == "at":
        total = value[2] + distance  # type: ignore[operator]
        return ("at", value[1], total) if total else value[1]  # type: ignore[return-value]
    return ("at", value, distance) if distance else value


def cell(address: Value) -> Cell:
    """A memory cell's key: its base and its distance from it."""
    if isinstance(address, int):
        return 0, address
    if address[0] == "at":
        return address[1], address[2]  # type: ignore[return-value]
    return address, 0


def step(state: State, ins: Instruction, address: int) -> Value | None:
    """Apply one instruction at `address` to the state; return the address of a store, if it is one."""
    op, registers = ins.opcode, state.registers
    where: Value | None = None
    if ins.mode in (0, 1, 2):
        if ins.base == -1:
            where = address + ins.length + ins.displacement
        elif ins.base >= 0:
            where = plus(registers[ins.base], ins.displacement)
    unknown: Value = ("new", address)
    if op == 0x8D:
        registers[ins.reg] = unknown if where is None else where
    elif op == 0x89:
        if ins.mode == 3:
            registers[ins.rm] = registers[ins.reg]
        elif where is not None:
            state.memory[cell(where)] = registers[ins.reg]
            return where
    elif op == 0x8B:
        if ins.mode == 3:
            registers[ins.reg] = registers[ins.rm]
        else:
            registers[ins.reg] = unknown if where is None else _load(state, where)
    elif op == 0xC7:
        if ins.mode == 3:
            registers[ins.rm] = ins.immediate
        elif where is not None:
            state.memory[cell(where)] = ins.immediate
            return where
    elif 0xB8 <= op <= 0xBF:
        registers[op & 7 | (ins.rex & 1) << 3] = ins.immediate
    elif op in (0x31, 0x33) and ins.mode == 3 and ins.reg == ins.rm:
        registers[ins.reg] = 0
    elif op in (0x81, 0x83) and ins.mode == 3 and ins.reg & 7 in (0, 5):
        distance = ins.immediate if ins.reg & 7 == 0 else -ins.immediate
        registers[ins.rm] = plus(registers[ins.rm], distance)
    else:
        _other(state, ins, unknown)
    return None


def _load(state: State, where: Value) -> Value:
    key = cell(where)
    return state.memory.get(key, ("load", *key))


def _other(state: State, ins: Instruction, unknown: Value) -> None:
    """Pushes, pops, and everything that only makes a register's content unknown."""
    op, registers = ins.opcode, state.registers
    if 0x50 <= op < 0x58 or op in (0x6A, 0x68):
        registers[RSP] = plus(registers[RSP], -8)
        pushed = ins.immediate if op in (0x6A, 0x68) else registers[op & 7 | (ins.rex & 1) << 3]
        state.memory[cell(registers[RSP])] = pushed
    elif 0x58 <= op < 0x60:
        registers[op & 7 | (ins.rex & 1) << 3] = _load(state, registers[RSP])
        registers[RSP] = plus(registers[RSP], 8)
    elif op >= 0x0F00:
        if op & 0xFF in _TWO_BYTE_WRITES_REG:
            registers[ins.reg] = unknown
        if op & 0xFF in _TWO_BYTE_WRITES_RM and ins.mode == 3:
            registers[ins.rm] = unknown
    elif ins.mode >= 0 and op not in (0x84, 0x85, 0xFF) and not 0x38 <= op <= 0x3B:
        if op not in (0x80, 0x81, 0x83, 0xC0, 0xC1, 0xC6, 0xD1, 0xD3, 0xF6, 0xF7):
            registers[ins.reg] = unknown
        if ins.mode == 3 and not (op in (0x80, 0x81, 0x83) and ins.reg & 7 == 7):
            registers[ins.rm] = unknown


def forget(state: State, registers: Iterable[int], place: int) -> None:
    """Make registers unknown, as a call does with those that it may use."""
    for register in registers:
        state.registers[register] = ("new", place, register)
