"""x86-64 instructions: their lengths, and the few effects that carry addresses and constants.

Encoding: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, chapter 2 and
appendix A. Calling conventions: System V AMD64 psABI 3.2.3; Microsoft "x64 calling convention".
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from rustext.formats.reader import Buffer
from rustext.imports.strings.machine.state import (
    HALF,
    VECTOR,
    Flow,
    Region,
    State,
    Step,
    Turn,
    Value,
    plus,
)

RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI = range(8)

# LEA with a ModRM byte of mode 0 and rm 5: RIP-relative (SDM volume 2, table 2-7).
_LEA = re.compile(rb"\x8d[\x05\x0d\x15\x1d\x25\x2d\x35\x3d]", re.DOTALL)

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


class Instruction(NamedTuple):
    """One decoded instruction.

    `opcode` is 0x0f00 + byte for the two-byte map, and -1 for the longer maps, VEX and EVEX.
    """

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


class X86:
    """The System V calling convention; `WindowsX86` is the other one."""

    arguments: tuple[int, ...] = (RDI, RSI, RDX, RCX, 8, 9)
    scratch: tuple[int, ...] = (RAX, RCX, RDX, RSI, RDI, 8, 9, 10, 11)
    result = RAX
    pair = (RAX, RDX)

    def iter_addresses(
        self, data: Buffer, code: Region, low: int, high: int
    ) -> Iterator[tuple[int, int]]:
        """Yield the RIP-relative LEA instructions with a 64-bit operand."""
        bias = code.address - code.offset
        unpack = struct.Struct("<i").unpack_from
        with memoryview(data) as raw:
            for match in _LEA.finditer(raw, code.offset + 1, code.offset + code.size - 4):
                after = match.end() + 4
                target = unpack(raw, after - 4)[0] + after + bias
                if low <= target < high and raw[after - 7] & 0xF8 == 0x48:
                    yield after - 7 + bias, target

    def may_set(self, window: bytes, lengths: tuple[int, ...]) -> bool:
        """Constants are 32-bit immediates, or what PUSH imm8 pushes."""
        return any(n.to_bytes(4, "little") in window or bytes((0x6A, n)) in window for n in lengths)

    def entry(self, window: bytes, at: int) -> int:
        """Code read from a wrong byte falls into step after a few instructions: try each start."""
        for start in range(at):
            here = start
            while here < at and (ins := decode(window, here)) is not None:
                here += ins.length
            if here == at:
                return start
        return at

    def run(self, state: State, code: bytes, at: int, address: int) -> Step | None:
        """Apply one instruction; `code[at:]` begins with it."""
        ins = decode(code, at)
        if ins is None:
            return None
        flow = _flow(state, ins, address)
        stored = None if flow is not None else _apply(state, ins, address)
        return Step(ins.length, flow, stored)


class WindowsX86(X86):
    """The calling convention of Windows."""

    arguments = (RCX, RDX, 8, 9)
    scratch = (RAX, RCX, RDX, 8, 9, 10, 11)


def _flow(  # noqa: PLR0911 - one return a kind of instruction
    state: State, ins: Instruction, address: int
) -> Flow | None:
    op, after = ins.opcode, address + ins.length
    if op == 0xE8:
        return Flow(Turn.CALL, after + ins.immediate)
    if op in (0xE9, 0xEB):
        return Flow(Turn.JUMP, after + ins.immediate)
    if 0x70 <= op < 0x80 or 0x0F80 <= op < 0x0F90:
        return Flow(Turn.BRANCH, after + ins.immediate)
    if op in (0xC2, 0xC3):
        return Flow(Turn.RETURN)
    if op in (0xCC, 0x0F0B, 0xF4):
        return Flow(Turn.TRAP)
    if op == 0xFF and ins.reg & 7 in (2, 4):
        turn = Turn.CALL if ins.reg & 7 == 2 else Turn.JUMP
        callee = state.registers[ins.rm] if ins.mode == 3 else None
        if ins.base == -1:
            return Flow(turn, slot=after + ins.displacement)
        if isinstance(callee, tuple) and callee[:2] == ("load", 0):
            return Flow(turn, slot=callee[2])  # type: ignore[arg-type]
        return Flow(turn, callee if isinstance(callee, int) else None)
    return None


def _apply(state: State, ins: Instruction, address: int) -> Value | None:
    """Change the state; return the address that the instruction writes to, where that is known."""
    where: Value | None = None
    if ins.base == -1:
        where = address + ins.length + ins.displacement
    elif ins.base >= 0:
        where = plus(state.registers[ins.base], ins.displacement)
    unknown: Value = ("new", address)
    if ins.mode == 3:
        _between_registers(state, ins, unknown)
        return None
    if ins.opcode in _STORES and ins.mode >= 0:
        return _store(state, ins, where)
    if ins.opcode in _VECTOR_LOADS:
        for half in (0, 8):
            value = unknown if where is None else state.load(plus(where, half))
            state.registers[VECTOR + ins.reg + half * HALF // 8] = value
    elif ins.opcode == 0x8D:
        state.registers[ins.reg] = unknown if where is None else where
    elif ins.opcode == 0x8B:
        state.registers[ins.reg] = unknown if where is None else state.load(where)
    else:
        _other(state, ins, unknown)
    return None


_VECTOR_LOADS = frozenset([0x0F10, 0x0F28, 0x0F6F])
_VECTOR_STORES = frozenset([0x0F11, 0x0F29, 0x0F7F])
_STORES = _VECTOR_STORES | {0x89, 0xC7}


def _store(state: State, ins: Instruction, where: Value | None) -> Value | None:
    if where is None:
        return None
    if ins.opcode in _VECTOR_STORES:
        state.store(where, state.registers[VECTOR + ins.reg])
        state.store(plus(where, 8), state.registers[VECTOR + HALF + ins.reg])
    else:
        state.store(where, ins.immediate if ins.opcode == 0xC7 else state.registers[ins.reg])
    return where


def _between_registers(state: State, ins: Instruction, unknown: Value) -> None:
    op, registers = ins.opcode, state.registers
    if op == 0x89:
        registers[ins.rm] = registers[ins.reg]
    elif op == 0x8B:
        registers[ins.reg] = registers[ins.rm]
    elif op == 0xC7:
        registers[ins.rm] = ins.immediate
    elif op in (0x31, 0x33) and ins.reg == ins.rm:
        registers[ins.reg] = 0
    elif op in (0x81, 0x83) and ins.reg & 7 in (0, 5):
        distance = -ins.immediate if ins.reg & 7 else ins.immediate
        registers[ins.rm] = plus(registers[ins.rm], distance)
    else:
        _other(state, ins, unknown)


def _other(state: State, ins: Instruction, unknown: Value) -> None:
    """Constants, pushes and pops, and everything that only makes a register unknown."""
    op, registers = ins.opcode, state.registers
    number = op & 7 | (ins.rex & 1) << 3
    if 0xB8 <= op <= 0xBF:
        registers[number] = ins.immediate
    elif 0x50 <= op < 0x58 or op in (0x6A, 0x68):
        pushed = ins.immediate if op in (0x6A, 0x68) else registers[number]
        registers[RSP] = plus(registers[RSP], -8)
        state.store(registers[RSP], pushed)
    elif 0x58 <= op < 0x60:
        registers[number] = state.load(registers[RSP])
        registers[RSP] = plus(registers[RSP], 8)
    elif op >= 0x0F00:
        _other_two_byte(state, ins, unknown)
    elif ins.mode >= 0 and op not in _WRITES_NOTHING:
        if op not in _WRITES_RM_ONLY:
            registers[ins.reg] = unknown
        if ins.mode == 3 and not (op in (0x80, 0x81, 0x83) and ins.reg & 7 == 7):
            registers[ins.rm] = unknown


_WRITES_NOTHING = frozenset([0x84, 0x85, 0x38, 0x39, 0x3A, 0x3B])
_WRITES_RM_ONLY = frozenset(
    [0x80, 0x81, 0x83, 0x88, 0xC0, 0xC1, 0xC6, 0xD0, 0xD1, 0xD2, 0xD3, 0xF6, 0xF7, 0xFE, 0xFF]
    + [op for row in range(0, 0x38, 8) for op in (row, row + 1)]
)


def _other_two_byte(state: State, ins: Instruction, unknown: Value) -> None:
    op = ins.opcode & 0xFF
    if op in _TWO_BYTE_WRITES_REG:
        state.registers[ins.reg] = unknown
    elif op in _TWO_BYTE_WRITES_RM:
        if ins.mode == 3:
            state.registers[ins.rm] = unknown
    elif ins.mode >= 0:
        state.registers[VECTOR + ins.reg] = state.registers[VECTOR + HALF + ins.reg] = unknown
