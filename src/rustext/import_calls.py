"""Which calls hand a string on to Python's import.

In: a call that a string goes into. Out: the C API function that imports the module of that name,
where the code can be followed so far: from the call into the callee, through the functions that it
passes the string to, to the `str` object that is made of it, and to the import of that object.

https://docs.python.org/3/c-api/import.html
"""

from __future__ import annotations

from rustext.code_refs import Call, Code, Subject, handed_over
from rustext.machine import Flow, State, Turn, Value, after_call

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


class ImportCalls:
    """The calls of one image; what is found out about a function is kept."""

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
        """Read a function from `start`, both ways at each branch, for calls that take the subject."""
        subjects: tuple[Subject, ...] = (subject,)
        work, seen, outcome = [(start, state, subjects)], set[int](), None
        budget = _STEPS
        while work and budget:
            address, state, subjects = work.pop()
            window, at = self._code.window(address, 0, _WINDOW)
            while budget and address not in seen:
                seen.add(address)
                budget -= 1
                step = self._code.machine.run(state, window, at, address)
                if step is None:
                    break
                at, address = at + step.length, address + step.length
                flow = step.flow
                if flow is None:
                    continue
                if flow.turn in (Turn.CALL, Turn.JUMP):
                    result = self._called(flow, state, subjects, depth)
                    if result not in (None, _MADE):
                        return result
                    if flow.turn is Turn.JUMP:
                        outcome = outcome or result
                        if flow.target is not None:
                            work.append((flow.target, state, subjects))
                        break
                    after_call(self._code.machine, state, address)
                    if result == _MADE:
                        made: Value = ("made", address)
                        state.registers[self._code.machine.result] = made
                        subjects = (*subjects, Subject(made, None))
                elif flow.turn is Turn.BRANCH and flow.target is not None:
                    work.append((flow.target, state.copy(), subjects))
                elif flow.turn is not Turn.BRANCH:
                    result_value = state.registers[self._code.machine.result]
                    if any(s.pointer == result_value for s in subjects[1:]):
                        outcome = _MADE
                    break
        return outcome

    def _called(
        self, flow: Flow, state: State, subjects: tuple[Subject, ...], depth: int
    ) -> str | None:
        outcome = None
        for subject in subjects:
            for length, seen in handed_over(self._code.machine, state, subject.pointer):
                if subject.length is None:
                    seen = Subject(seen.pointer, None)
                elif length != subject.length:
                    continue
                result = self._outcome(flow, seen, depth)
                if result not in (None, _MADE):
                    return result
                outcome = outcome or result
        return outcome
