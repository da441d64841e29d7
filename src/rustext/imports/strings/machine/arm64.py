"""AArch64 instructions: the few effects that carry addresses and constants.

Encoding: Arm Architecture Reference Manual for A-profile, C4.1. Calling convention: AAPCS64,
section 6.1, which Apple's arm64 follows in this.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

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

_ZR = 31  # or the stack pointer: which one is meant depends on the instruction

# ADD (immediate), 64-bit, not shifted: the upper half of the little-endian word.
_ADD = re.compile(rb"[\x00-\x3f]\x91", re.DOTALL)
_ADR = re.compile(rb"[\x10\x30\x50\x70]", re.DOTALL)  # its upper byte
_ADR_REACH = 1 << 20
_ADRP_DISTANCE = 8  # how many instructions before its ADD an ADRP is looked for


class Arm64:
    """AArch64 with its one calling convention."""

    arguments: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6, 7)
    scratch: tuple[int, ...] = tuple(range(19))
    result = 0
    pair = (0, 1)

    def iter_addresses(
        self, data: Buffer, code: Region, low: int, high: int
    ) -> Iterator[tuple[int, int]]:
        """Yield the ADD of each ADRP and ADD pair, and ADR, which linkers put in its place."""
        yield from _iter_pairs(data, code, low, high)
        yield from _iter_adr(data, code, low, high)

    def may_set(self, window: bytes, lengths: tuple[int, ...]) -> bool:
        """Constants of this size are made by MOVZ."""
        wanted = {0x52800000 | n << 5 for n in lengths}
        words = struct.unpack(f"<{len(window) // 4}I", window[: len(window) // 4 * 4])
        return any(word & 0x7FFFFFE0 in wanted for word in words)

    def entry(self, window: bytes, at: int) -> int:  # noqa: ARG002 - others have to look
        """Every instruction is a word."""
        return at & 3

    def run(self, state: State, code: bytes, at: int, address: int) -> Step | None:
        """Apply the word at `at`."""
        if at + 4 > len(code):
            return None
        word = int.from_bytes(code[at : at + 4], "little")
        if word >> 16 == 0:  # UDF
            return Step(4, Flow(Turn.TRAP))
        flow = _flow(state, word, address)
        stored = None if flow is not None else _apply(state, word, address)
        return Step(4, flow, stored)


def _iter_pairs(data: Buffer, code: Region, low: int, high: int) -> Iterator[tuple[int, int]]:
    bias = code.address - code.offset
    word = struct.Struct("<I").unpack_from
    with memoryview(data) as raw:
        for match in _ADD.finditer(raw, code.offset, code.offset + code.size):
            at = match.start() - 2
            if at + bias & 3 or at < code.offset + 4:
                continue
            add = word(raw, at)[0]
            page = add >> 5 & 31
            first = max(code.offset, at - 4 * _ADRP_DISTANCE)
            for before in range(at - 4, first - 1, -4):
                adrp = word(raw, before)[0]
                if adrp & 0x9F00001F == 0x90000000 | page:
                    target = _page(adrp, before + bias) + (add >> 10 & 0xFFF)
                    if low <= target < high:
                        yield at + bias, target
                    break


def _iter_adr(data: Buffer, code: Region, low: int, high: int) -> Iterator[tuple[int, int]]:
    """ADR reaches 1 MiB: other code need not be searched."""
    bias = code.address - code.offset
    start = max(code.offset, low - _ADR_REACH - bias)
    end = min(code.offset + code.size, high + _ADR_REACH - bias)
    with memoryview(data) as raw:
        for match in _ADR.finditer(raw, start, max(start, end)):
            at = match.start() - 3
            if at >= start and not at + bias & 3:
                word = int.from_bytes(raw[at : at + 4], "little")
                target = at + bias + _signed((word >> 5 & 0x7FFFF) << 2 | word >> 29 & 3, 21)
                if low <= target < high:
                    yield at + bias, target


def _page(word: int, address: int) -> int:
    distance = _signed((word >> 5 & 0x7FFFF) << 2 | word >> 29 & 3, 21)
    return (address & ~0xFFF) + (distance << 12)


def _signed(number: int, bits: int) -> int:
    number &= (1 << bits) - 1
    return number - (1 << bits) if number >> (bits - 1) else number


def _flow(  # noqa: PLR0911 - one return a kind of instruction
    state: State, word: int, address: int
) -> Flow | None:
    if word & 0x7C000000 == 0x14000000:  # B, BL
        turn = Turn.CALL if word >> 31 else Turn.JUMP
        return Flow(turn, address + 4 * _signed(word, 26))
    if word & 0xFF000010 == 0x54000000 or word & 0x7E000000 == 0x34000000:  # B.cond, CBZ, CBNZ
        return Flow(Turn.BRANCH, address + 4 * _signed(word >> 5, 19))
    if word & 0x7E000000 == 0x36000000:  # TBZ, TBNZ
        return Flow(Turn.BRANCH, address + 4 * _signed(word >> 5, 14))
    if word & 0xFFDFFC1F == 0xD61F0000 or word & 0xFFDFFC1F == 0xD61F001F:  # BR, BLR
        turn = Turn.CALL if word & 0x200000 else Turn.JUMP
        callee = state.registers[word >> 5 & 31]
        if isinstance(callee, tuple) and callee[:2] == ("load", 0):
            return Flow(turn, slot=callee[2])  # type: ignore[arg-type]
        return Flow(turn, callee if isinstance(callee, int) else None)
    if word & 0xFFFFFC1F == 0xD65F0000:
        return Flow(Turn.RETURN)
    if word & 0xFFE0001F == 0xD4200000:  # BRK
        return Flow(Turn.TRAP)
    return None


def _apply(state: State, word: int, address: int) -> Value | None:
    """Change the state; return the address that the instruction writes to, where that is known."""
    registers, target, source = state.registers, word & 31, word >> 5 & 31
    if word & 0x0A000000 == 0x08000000:
        return _memory(state, word, address)
    value: Value = ("new", address)
    if word & 0x9F000000 == 0x90000000:
        value = _page(word, address)
    elif word & 0x9F000000 == 0x10000000:  # ADR
        value = address + _signed((word >> 5 & 0x7FFFF) << 2 | word >> 29 & 3, 21)
    elif word & 0x3F800000 == 0x11000000:  # ADD, SUB (immediate)
        distance = (word >> 10 & 0xFFF) << (12 if word & 0x400000 else 0)
        value = plus(registers[source], -distance if word & 0x40000000 else distance)
        registers[target] = value
        return None
    elif word & 0x7F800000 == 0x52800000:  # MOVZ
        value = (word >> 5 & 0xFFFF) << 16 * (word >> 21 & 3)
    elif word & 0x7FE0FFE0 == 0x2A0003E0:  # ORR with the zero register: MOV
        number = word >> 16 & 31
        value = 0 if number == _ZR else registers[number]
    elif word & 0x0E000000 == 0x0E000000:  # vectors and floating point
        registers[VECTOR + target] = registers[VECTOR + HALF + target] = value
        if word & 0x7F20FC00 != 0x1E200000:  # but for FMOV, FCVTZ and their like
            return None
    if target != _ZR:
        registers[target] = value
    return None


def _memory(state: State, word: int, address: int) -> Value | None:
    """Loads and stores: C4.1.92 "Loads and stores"."""
    vector = bool(word & 0x04000000)
    if word & 0x3A000000 == 0x28000000:
        return _memory_pair(state, word, address, vector=vector)
    size = 1 << (word >> 30)
    load = bool(word & 0xC00000 and not (vector and word & 0xC00000 == 0x800000))
    if vector and word & 0x800000:
        size = 16
    where: Value | None = None
    base = state.registers[word >> 5 & 31]
    if word & 0x3B000000 == 0x39000000:  # unsigned offset
        where = plus(base, (word >> 10 & 0xFFF) * size)
    elif word & 0x3B200000 == 0x38000000:
        step = _signed(word >> 12, 9)
        mode = word >> 10 & 3  # 0: unscaled, 1: post-index, 3: pre-index
        where = base if mode == 1 else plus(base, step)
        if mode in (1, 3):
            state.registers[word >> 5 & 31] = plus(base, step)
    return _move(state, word & 31, where, address, size=size, load=load, vector=vector)


def _memory_pair(state: State, word: int, address: int, *, vector: bool) -> Value | None:
    size = 4 << (word >> 30) if vector else 4 << (word >> 31)
    mode = word >> 23 & 3  # 1: post-index, 2: offset, 3: pre-index
    base = state.registers[word >> 5 & 31]
    distance = _signed(word >> 15, 7) * size
    where = base if mode == 1 else plus(base, distance)
    if mode in (1, 3):
        state.registers[word >> 5 & 31] = plus(base, distance)
    load = bool(word & 0x400000)
    for number, start in ((word & 31, where), (word >> 10 & 31, plus(where, size))):
        _move(state, number, start, address, size=size, load=load, vector=vector)
    return None if load else where


def _move(
    state: State,
    number: int,
    where: Value | None,
    address: int,
    *,
    size: int,
    load: bool,
    vector: bool,
) -> Value | None:
    """Load or store one register; return the address of a store."""
    registers = (number,)
    if vector:
        registers = (VECTOR + number, VECTOR + HALF + number)[: 2 if size == 16 else 1]  # type: ignore[assignment]
    for part, register in enumerate(registers):
        if load:
            known = where is not None and size >= 4
            value: Value = state.load(plus(where, 8 * part)) if known else ("new", address)  # type: ignore[arg-type]
            if vector or number != _ZR:
                state.registers[register] = value
        elif where is not None and size >= 4:
            held = 0 if number == _ZR and not vector else state.registers[register]
            state.store(plus(where, 8 * part), held)
    return None if load else where
