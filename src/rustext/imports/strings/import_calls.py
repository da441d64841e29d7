"""Which calls hand a string on to Python's import.

In: a call that a string goes into. Out: the C API function that imports the module of that name,
where the code can be followed so far: from the call into the callee, through the functions that it
passes the string to, to the `str` object that is made of it, and to the import of that object.

https://docs.python.org/3/c-api/import.html
"""

from __future__ import annotations

from dataclasses import dataclass

from rustext.imports.strings.code_refs import Call, Code, Subject, handed_over
from rustext.imports.strings.machine.state import Flow, State, Turn, Value, after_call

C_IMPORTS = frozenset(
    [
        "PyImport_ImportModule",
        "PyImport_ImportModuleNoBlock",
        "PyImport_ImportModuleLevel",
        "PyCapsule_Import",
    ]
)
OBJECT_IMPORTS = frozenset(["PyImport_Import", "PyImport_ImportModuleLevelObject"])
MAKES_NAME = frozenset(["PyUnicode_FromStringAndSize", "PyUnicode_DecodeUTF8"])
MAKES_NAME_OF_C_STRING = frozenset(["PyUnicode_FromString", "PyUnicode_InternFromString"])

_DEPTH = 6  # functions inside functions
_STEPS = 240  # instructions of one function that are read
_WINDOW = 1024
_STUB = 6  # instructions of a procedure linkage table entry
_MADE = "a str object"  # the outcome of a call that makes the name, but does not import it yet


@dataclass(slots=True)
class _Path:
    """A path through a function: how far it was read, and what refers to the string on it."""

    address: int
    state: State
    subjects: tuple[Subject, ...]  # the string itself, and the objects that were made of it


class ImportCalls:
    """The calls of one image; results for each function are cached."""

    def __init__(self, code: Code, slots: dict[int, str], pointers: dict[int, int]) -> None:
        self._code, self._slots, self._pointers = code, slots, pointers
        self._hopeless = not OBJECT_IMPORTS.union(C_IMPORTS).intersection(slots.values())
        self._known: dict[tuple[int, Subject], str | None] = {}
        self._names: dict[int, str | None] = {}

    def explain(self, call: Call) -> str | None:
        """The function that imports what the call is given; None where that cannot be seen."""
        if self._hopeless:
            return None
        outcome = self._outcome(call.flow, call.subject, _DEPTH)
        if outcome != _MADE:
            return outcome
        state = call.state.copy()
        if call.flow.turn is Turn.JUMP:
            return None
        after_call(self._code.machine, state, call.after)
        made: Value = ("made", call.after)
        state.registers[self._code.machine.result] = made
        outcome = self._scan(call.after, state, Subject(made, None), _DEPTH)
        return None if outcome == _MADE else outcome

    def _outcome(self, flow: Flow, subject: Subject, depth: int) -> str | None:
        """What becomes of the subject in the callee: the importing function's name, or `_MADE`."""
        target = flow.target
        name = None
        if flow.slot is not None:
            name, target = self._slots.get(flow.slot), self._pointers.get(flow.slot)
        elif target is not None:
            name = self._stub(target)
        if name is not None:
            return self._outcome_of_api(name, subject)
        if target is None or depth == 0:
            return None
        key = (target, subject)
        if key not in self._known:
            self._known[key] = None  # recursion finds nothing new
            self._known[key] = self._scan(target, State(), subject, depth - 1)
        return self._known[key]

    def _outcome_of_api(self, name: str, subject: Subject) -> str | None:
        if subject.pointer != ("in", self._code.machine.arguments[0]):
            return None
        if subject.length is not None and name in MAKES_NAME:
            return _MADE
        if name in OBJECT_IMPORTS or name in C_IMPORTS:
            return name if subject.length is None or name in OBJECT_IMPORTS else None
        return _MADE if name in MAKES_NAME_OF_C_STRING else None

    def _stub(self, target: int) -> str | None:
        """The symbol behind a procedure linkage table entry: a jump to what a slot holds."""
        if target not in self._names:
            name = None
            state, address = State(), target
            window, at = self._code.window(target, 0, 32)
            for _ in range(_STUB):
                step = self._code.machine.run(state, window, at, address)
                if step is None:
                    break
                if step.flow is not None:
                    if step.flow.turn is Turn.JUMP and step.flow.slot is not None:
                        name = self._slots.get(step.flow.slot)
                    break
                at, address = at + step.length, address + step.length
            self._names[target] = name
        return self._names[target]

    def _scan(self, start: int, state: State, subject: Subject, depth: int) -> str | None:
        """Read on from `start`, both ways at each branch, for calls that take the subject."""
        work = [_Path(start, state, (subject,))]
        seen: set[int] = set()
        outcome = None
        while work and len(seen) < _STEPS:
            path = work.pop()
            window, at = self._code.window(path.address, 0, _WINDOW)
            while path.address not in seen and len(seen) < _STEPS:
                seen.add(path.address)
                step = self._code.machine.run(path.state, window, at, path.address)
                if step is None:
                    break
                at, path.address = at + step.length, path.address + step.length
                if step.flow is None:
                    continue
                result = self._turn(step.flow, path, work, depth)
                if result not in (None, _MADE):
                    return result
                outcome = outcome or result
                if step.flow.turn not in (Turn.CALL, Turn.BRANCH):
                    break
        return outcome

    def _turn(self, flow: Flow, path: _Path, work: list[_Path], depth: int) -> str | None:
        """Follow a call, jump, branch or return; say what becomes of the subject there."""
        machine, state = self._code.machine, path.state
        if flow.turn is Turn.RETURN:
            returned = state.registers[machine.result]
            return _MADE if any(s.pointer == returned for s in path.subjects[1:]) else None
        if flow.turn is Turn.BRANCH and flow.target is not None:
            work.append(_Path(flow.target, state.copy(), path.subjects))
        if flow.turn not in (Turn.CALL, Turn.JUMP):
            return None
        result = self._called(flow, state, path.subjects, depth)
        if flow.turn is Turn.JUMP:
            if flow.target is not None:
                work.append(_Path(flow.target, state, path.subjects))
            return result
        after_call(machine, state, path.address)
        if result == _MADE:
            made: Value = ("made", path.address)
            state.registers[machine.result] = made
            path.subjects = (*path.subjects, Subject(made, None))
            return None
        return result

    def _called(
        self, flow: Flow, state: State, subjects: tuple[Subject, ...], depth: int
    ) -> str | None:
        outcome = None
        for subject in subjects:
            for length, found in handed_over(self._code.machine, state, subject.pointer):
                if subject.length not in (None, length):
                    continue
                seen = Subject(found.pointer, None) if subject.length is None else found
                result = self._outcome(flow, seen, depth)
                if result not in (None, _MADE):
                    return result
                outcome = outcome or result
        return outcome
