"""Strings whose address and length machine code sets up.

In: an image, its bytes, and where its read-only data stands. Out: (address, length) pairs, each with
the place that sets it up and the call that it goes to, where the code says so without branching.

A literal's address is taken with `lea r64, [rip+d]` on x86-64; its length is a constant that the code
puts into the next argument register, or into the next word of memory, before anything else happens.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from rustext import x86
from rustext.reader import Buffer

# LEA with a ModRM byte of mode 0 and rm 5: RIP-relative (SDM volume 2, table 2-7).
_LEA = re.compile(rb"\x8d[\x05\x0d\x15\x1d\x25\x2d\x35\x3d]", re.DOTALL)
_BEFORE, _AFTER = 64, 128  # bytes of code that are read around an address computation
_STEPS = 40
_RETURNS = frozenset([0xC3, 0xC2, 0xCC, 0x0F0B])
_JUMPS = frozenset([0xE9, 0xEB])


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call that a string is handed to: the callee, or the slot that its address is read from."""

    target: int | None
    slot: int | None
    argument: int  # which argument holds the string's address; its length is the next one


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRef:
    """A string's address in code, with its length where the code sets it up."""

    place: int  # address of the instruction
    target: int
    length: int  # 0 for a C string
    call: Call | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A run of the file that is mapped at `address`."""

    address: int
    offset: int
    size: int


class CodeReader(Protocol):
    """Reads the machine code of one architecture."""

    def __init__(self, data: Buffer, code: Region) -> None: ...

    def iter_addresses(self, low: int, high: int) -> Iterator[tuple[int, int]]:
        """Yield (place, address) where the code computes an address in [low, high)."""

    def iter_refs(self, place: int, target: int, lengths: tuple[int, ...]) -> Iterator[CodeRef]:
        """Yield what the code at `place` does with `target`, given the lengths it may have.

        A length of 0 among them stands for a C string: its address alone counts, in a call.
        """


class X86Reader:
    """Reads x86-64 code."""

    def __init__(self, data: Buffer, code: Region) -> None:
        self._data, self._code = data, code

    def iter_addresses(self, low: int, high: int) -> Iterator[tuple[int, int]]:
        """Yield the RIP-relative LEA instructions with a 64-bit operand."""
        code = self._code
        bias = code.address - code.offset
        unpack = struct.Struct("<i").unpack_from
        with memoryview(self._data) as raw:
            for match in _LEA.finditer(raw, code.offset + 1, code.offset + code.size - 4):
                after = match.end() + 4
                target = unpack(raw, after - 4)[0] + after + bias
                if low <= target < high and raw[after - 7] & 0xF8 == 0x48:
                    yield after - 7 + bias, target

    def _window(self, address: int, before: int) -> tuple[bytes, int]:
        """Code around `address`, and where in it `address` stands."""
        code = self._code
        at = address - code.address
        start = max(0, at - before)
        end = min(code.size, at + _AFTER)
        return bytes(self._data[code.offset + start : code.offset + end]), at - start

    def iter_refs(self, place: int, target: int, lengths: tuple[int, ...]) -> Iterator[CodeRef]:
        """Read on from the LEA to the first call, store or return that takes the pair."""
        window, lea = self._window(place, _BEFORE)
        if lengths[0] and not any(
            n.to_bytes(4, "little") in window or (b"\x6a" + bytes([n])) in window for n in lengths
        ):
            return
        found = set()
        for length, call in self._pairs(window, lea, place, target, frozenset(lengths)):
            if (length, call) not in found:
                found.add((length, call))
                yield CodeRef(place=place, target=target, length=length, call=call)

    def _pairs(
        self, window: bytes, lea: int, place: int, target: int, lengths: frozenset[int]
    ) -> Iterator[tuple[int, Call | None]]:
        state = x86.State()
        at = _entry(window, lea)
        base = place - lea
        for _ in range(_STEPS):
            ins = x86.decode(window, at)
            if ins is None:
                return
            address = base + at
            after_lea = at > lea or base + at < base + lea - _BEFORE or base != place - lea
            call = _call(ins, address)
            at += ins.length
            if ins.opcode in _RETURNS:
                if after_lea:
                    yield from _returned(state, target, lengths)
                    return
                state = x86.State()
            elif call is not None:
                if after_lea:
                    yield from _passed(state, call, target, lengths)
                if ins.opcode not in _JUMPS:
                    x86.forget(state, x86.SCRATCH, address)
                elif not after_lea:
                    state = x86.State()
                elif call[0] is None:
                    return
                else:
                    window, at = self._window(call[0], 0)
                    base = call[0] - at
            else:
                stored = x86.step(state, ins, address)
                if stored is not None and after_lea:
                    yield from _stored(state, stored, target, lengths)


CODE_READERS: dict[str, type[CodeReader]] = {"x86_64": X86Reader}


def _entry(window: bytes, lea: int) -> int:
    """The earliest place from which instructions line up with the LEA.

    x86 code read from the wrong byte falls into step after a few instructions, so the earliest
    start that leads to the LEA is right but for its first instructions.
    """
    for start in range(lea):
        at = start
        while at < lea:
            ins = x86.decode(window, at)
            if ins is None:
                break
            at += ins.length
        if at == lea:
            return start
    return lea


def _call(ins: x86.Instruction, address: int) -> tuple[int | None, int | None] | None:
    """(callee, slot) of a call or a jump without condition; None for anything else."""
    if ins.opcode in (0xE8, 0xE9, 0xEB):
        return address + ins.length + ins.immediate, None
    if ins.opcode == 0xFF and ins.reg & 7 in (2, 4):
        return None, address + ins.length + ins.displacement if ins.base == -1 else None
    return None


def _returned(
    state: x86.State, target: int, lengths: frozenset[int]
) -> Iterator[tuple[int, Call | None]]:
    length = state.registers[x86.RDX]
    if state.registers[x86.RAX] == target and isinstance(length, int) and length in lengths:
        yield length, None


def _passed(
    state: x86.State, call: tuple[int | None, int | None], target: int, lengths: frozenset[int]
) -> Iterator[tuple[int, Call | None]]:
    registers = state.registers
    for number, (first, second) in enumerate(
        zip(x86.SYSTEM_V_ARGUMENTS, x86.SYSTEM_V_ARGUMENTS[1:], strict=False)
    ):
        length = registers[second]
        if registers[first] == target and isinstance(length, int) and length in lengths:
            yield length, Call(target=call[0], slot=call[1], argument=number)
        elif registers[first] == target and 0 in lengths:
            yield 0, Call(target=call[0], slot=call[1], argument=number)


def _stored(
    state: x86.State, stored: x86.Value, target: int, lengths: frozenset[int]
) -> Iterator[tuple[int, Call | None]]:
    base, at = x86.cell(stored)
    for start in (at - 8, at):
        length = state.memory.get((base, start + 8))
        if state.memory.get((base, start)) == target and isinstance(length, int):
            if length in lengths:
                yield length, None
