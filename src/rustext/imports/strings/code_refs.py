"""Strings whose address and length machine code sets up.

In: an image's code and an address in its read-only data that the code computes. Out: the lengths
that the code puts beside it (in the next argument register, in the next word of memory, or in the
second half of a returned pair), and the calls that the pair goes to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rustext.formats.reader import Buffer
from rustext.imports.strings.machine.state import (
    Flow,
    Machine,
    Region,
    State,
    Step,
    Turn,
    Value,
    after_call,
    cell,
    plus,
)

_BEFORE, _AFTER = 64, 160  # bytes of code that are read around an address computation
_STEPS = 40  # instructions from there on
_NEAREST = 192  # how far from an argument's address a structure may hold the pair


@dataclass(frozen=True, slots=True)
class Subject:
    """The values that refer to a string: its address and length, or an address or object alone."""

    pointer: Value
    length: Value | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call that a string is handed to.

    `subject` is what the callee has to look for, in terms of what its registers and memory hold
    when it begins; `after` is the address behind the call, and `state` what is known at it.
    """

    flow: Flow
    subject: Subject
    after: int
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRef:
    """A string's address in code, with a length that the code sets up; 0 for a C string."""

    place: int
    target: int
    length: int
    call: Call | None


class Code:
    """The machine code of one image.

    `sections` are searched for addresses; `segments` may be read from, stubs of imports among them.
    """

    def __init__(
        self,
        data: Buffer,
        machine: Machine,
        *,
        sections: tuple[Region, ...],
        segments: tuple[Region, ...],
    ) -> None:
        self.data, self.machine = data, machine
        self._sections, self._segments = sections, segments

    def iter_addresses(self, low: int, high: int) -> Iterator[tuple[int, int]]:
        """Yield (place, address) where the code computes an address in [low, high)."""
        for region in self._sections:
            yield from self.machine.iter_addresses(self.data, region, low, high)

    def window(self, address: int, before: int, after: int) -> tuple[bytes, int]:
        """Code around `address`, and the offset of `address` in it; empty outside of the code."""
        for region in self._segments:
            if address in region:
                at = address - region.address
                start, end = max(0, at - before), min(region.size, at + after)
                code = bytes(self.data[region.offset + start : region.offset + end])
                return code, at - start
        return b"", 0

    def iter_refs(self, place: int, target: int, lengths: tuple[int, ...]) -> Iterator[CodeRef]:
        """Read on from `place`, which computes `target`, to what takes it together with a length.

        `lengths` are those that the string may have; 0 means a C string, whose address alone
        counts.
        """
        window, _ = self.window(place, _BEFORE, _AFTER)
        if 0 not in lengths and not self.machine.may_set(window, lengths):
            return
        seen = set()
        for length, call in self._follow(place, target, frozenset(lengths)):
            key = (length, call and (call.flow, call.subject))
            if key not in seen:
                seen.add(key)
                yield CodeRef(place=place, target=target, length=length, call=call)

    def _follow(
        self, place: int, target: int, lengths: frozenset[int]
    ) -> Iterator[tuple[int, Call | None]]:
        state = State()
        window, at = self._lead_in(state, place)
        base = place - at
        for _ in range(_STEPS):
            step = self.machine.run(state, window, at, base + at)
            if step is None:
                return
            at += step.length
            yield from self._taken(state, step, base + at, target, lengths)
            flow = step.flow
            if flow is None or flow.turn is Turn.BRANCH:
                continue
            if flow.turn is Turn.CALL:
                after_call(self.machine, state, base + at)
            elif flow.turn is Turn.JUMP and flow.target is not None:
                window, at = self.window(flow.target, 0, _AFTER)
                base = flow.target - at
            else:
                return

    def _lead_in(self, state: State, place: int) -> tuple[bytes, int]:
        """Apply the instructions before `place`, for constants that are set up early."""
        window, end = self.window(place, _BEFORE, _AFTER)
        at = self.machine.entry(window, end)
        while at < end:
            step = self.machine.run(state, window, at, place - end + at)
            if step is None:
                break
            at += step.length
            if step.flow is None or step.flow.turn is Turn.BRANCH:
                continue
            if step.flow.turn is Turn.CALL:
                after_call(self.machine, state, place - end + at)
            else:
                state.registers, state.memory = State().registers, {}
        return window, end

    def _taken(
        self, state: State, step: Step, after: int, target: int, lengths: frozenset[int]
    ) -> Iterator[tuple[int, Call | None]]:
        """The lengths next to `target` where this instruction takes or stores it."""
        if step.stored is not None:
            for start in (step.stored, plus(step.stored, -8)):
                length = state.load(plus(start, 8))
                if length in lengths and length and state.load(start) == target:
                    yield int(length), None
        elif step.flow is not None and step.flow.turn is Turn.RETURN:
            first, second = (state.registers[r] for r in self.machine.pair)
            if first == target and second in lengths and second:
                yield int(second), None
        elif step.flow is not None and step.flow.turn in (Turn.CALL, Turn.JUMP):
            for found, subject in handed_over(self.machine, state, target):
                length = found if found in lengths else 0
                if length in lengths:
                    seen = subject if length else Subject(subject.pointer, None)
                    call = Call(flow=step.flow, subject=seen, after=after, state=state.copy())
                    yield int(length), call


def handed_over(machine: Machine, state: State, pointer: Value) -> Iterator[tuple[Value, Subject]]:
    """Yield (length, what the callee sees) for each way in which `pointer` goes into a call.

    The pair is in two argument registers, or in memory that an argument register points to, or in
    memory that such memory points to (a closure that holds a reference).
    """
    arguments = machine.arguments
    for first, second in zip(arguments, (*arguments[1:], None), strict=True):
        value = state.registers[first]
        if value == pointer:
            length = state.registers[second] if second is not None else ("new", 0)
            yield length, Subject(("in", first), None if second is None else ("in", second))
    cells = [key for key, value in state.memory.items() if value == pointer]
    for base, at in cells:
        length = state.load(plus(base, at + 8)) if base else ("new", 0)
        for start, path in _addresses(machine, state, base):
            distance = at - start
            if abs(distance) <= _NEAREST:
                yield length, Subject(("load", path, distance), ("load", path, distance + 8))


def _addresses(machine: Machine, state: State, base: Value) -> Iterator[tuple[int, Value]]:
    """Yield (distance from `base`, path) for the arguments, and their fields, that point there."""
    holders = []
    for register in machine.arguments:
        value = state.registers[register]
        if isinstance(value, tuple):
            holders.append((cell(value), ("in", register)))
    for (start, at), path in holders:
        if start == base:
            yield at, path
        for (owner, place), held in state.memory.items():
            near = owner == start and abs(place - at) <= _NEAREST
            if near and isinstance(held, tuple) and cell(held)[0] == base:
                yield cell(held)[1], ("load", path, place - at)
