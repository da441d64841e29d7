"""Find the imports of a piece of bytecode, and which of them decide whether it gets to its end.

In: a `Code` and the version of Python that wrote it. Out: its `Import`s, those of functions that it
calls without arguments included. An import is certain where every way through the code leads past
it, and caught where the code can go on without the module: `try`/`except ImportError` with a
fallback, `contextlib.suppress`. What depends on a condition is not certain, unless the condition is
about what is known beforehand, such as `sys.platform`, or a name with one constant value.
Instructions and jumps are those of https://docs.python.org/3/library/dis.html, their numbers are in
`data/opcodes.toml`.
"""

from __future__ import annotations

import builtins
import functools
import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rustext.data import read_data
from rustext.verify.bundle.marshal_reader import Code

_CACHE = 0  # the opcode of an inline cache, since 3.11
# In the order of `dis.cmp_op`.
_COMPARISONS = (operator.lt, operator.le, operator.eq, operator.ne, operator.gt, operator.ge)
_NO_TARGET = -1
_UNKNOWN = object()
_FINDERS = frozenset({"meta_path", "path_hooks"})
_FOLDERS_AND_MODULES = frozenset({"modules", "__path__"})
_CHANGES = frozenset({"append", "extend", "insert", "setdefault", "update"})
_ITEM_STEPS = 8  # instructions between `sys.modules` and the end of `sys.modules[name] = …`
_ADDITIONS = frozenset({("path", "append"), ("path", "extend"), ("path", "insert")})
_CALL_DEPTH = 8  # functions that call functions
_GENERATORS = 0x20 | 0x80 | 0x200  # inspect.CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR


@dataclass(frozen=True, slots=True)
class Import:
    """One import: `level` dots, a module, and what is taken from it ("*" for all)."""

    module: str
    level: int
    names: tuple[str, ...]
    certain: bool
    caught: bool


def find_imports(
    code: Code, python: tuple[int, int], known: Mapping[str, object]
) -> tuple[Import, ...]:
    """The imports of code and of the functions that it surely calls.

    `known` are values of names and of attributes, as `__name__` and `sys.platform`. Nothing is
    found where the version of Python is not known: see `is_known`.
    """
    table = _tables().get(python)
    return tuple(_iter_flow(code, table, known, {}, ())) if table is not None else ()


def iter_mentioned(code: Code, python: tuple[int, int]) -> Iterator[Import]:
    """Yield all imports of code and of functions in it, as uncertain ones, which is quick."""
    table = _tables().get(python)
    if table is not None:
        for one in code.iter_nested():
            steps = _decode(one.code, table)
            for i, step in enumerate(steps):
                if step[1] == table["import_name"]:
                    yield _read_import(one, table, steps, i, certain=False, caught=True)


def _iter_flow(
    code: Code,
    table: Mapping[str, Any],
    known: Mapping[str, object],
    functions: Mapping[str, Code],
    calling: tuple[Code, ...],
) -> Iterator[Import]:
    steps = _decode(code.code, table)
    wanted = {table["import_name"], table["call"]}
    positions = [i for i, step in enumerate(steps) if step[1] in wanted]
    if not positions:
        return
    functions = functions or _find_functions(code, table, steps)
    flow = _Flow(code, table, steps, known)
    must = flow.find_certain()
    for i in positions:
        certain = i in must
        caught = certain and flow.is_caught(i)
        if steps[i][1] == table["import_name"]:
            yield _read_import(code, table, steps, i, certain=certain, caught=caught)
        elif certain and not caught:
            called = functions.get(flow.called_name(i) or "")
            if called is not None and called not in calling and len(calling) < _CALL_DEPTH:
                yield from _iter_flow(called, table, known, functions, (*calling, called))


def _read_import(  # noqa: PLR0913 (what is known of one instruction)
    code: Code,
    table: Mapping[str, Any],
    steps: Sequence[_Step],
    i: int,
    *,
    certain: bool,
    caught: bool,
) -> Import:
    argument = steps[i][2]
    level, names = (_constant(code, table, steps, i - back) for back in (2, 1))
    return Import(
        module=code.names[argument] if argument < len(code.names) else "",
        level=level if isinstance(level, int) else 0,
        names=tuple(n for n in names if isinstance(n, str)) if isinstance(names, tuple) else (),
        certain=certain,
        caught=caught,
    )


def _find_functions(
    code: Code, table: Mapping[str, Any], steps: Sequence[_Step]
) -> Mapping[str, Code]:
    """The undecorated functions of module-level code, by name; generators run later, if at all."""
    found: dict[str, Code | None] = {}
    for i, (_, op, argument, _) in enumerate(steps):
        if op != table["store_name"] or argument >= len(code.names):
            continue
        at = i - 1
        while at > 0 and steps[at][1] == table.get("set_function"):
            at -= 1
        made = None
        if at > 0 and steps[at][1] == table["make_function"]:
            near = (_constant(code, table, steps, at - back) for back in (1, 2))
            made = next((c for c in near if isinstance(c, Code) and not c.flags & _GENERATORS), None)
        name = code.names[argument]
        found[name] = made if name not in found else None  # bound twice: which one is not known
    return {name: function for name, function in found.items() if function is not None}


def iter_stored(code: Code, python: tuple[int, int]) -> Iterator[str]:
    """Yield the names that module-level code binds."""
    table = _tables().get(python)
    if table is not None:
        for _, op, argument, _ in _decode(code.code, table):
            if op == table["store_name"] and argument < len(code.names):
                yield code.names[argument]


def iter_loaded(code: Code, python: tuple[int, int]) -> Iterator[str]:
    """Yield the names and attributes that module-level code asks for."""
    table = _tables().get(python)
    if table is not None:
        for _, op, argument, _ in _decode(code.code, table):
            index = argument >> table["attr_shift"] if op == table["load_attr"] else argument
            if op in (table["load_name"], table["load_attr"]) and index < len(code.names):
                yield code.names[index]


def makes_modules(code: Code, python: tuple[int, int]) -> bool:
    """Whether code may put modules in place that no file is there for.

    That is what code does that adds to `sys.modules`, to the folders of a package or to the finders
    (https://docs.python.org/3/reference/import.html).
    """
    table = _tables().get(python)
    return table is None or any(
        not _FINDERS.isdisjoint(one.names)
        or (not _FOLDERS_AND_MODULES.isdisjoint(one.names) and _changes_modules(one, table))
        for one in code.iter_nested()
    )


def adds_folders(code: Code, python: tuple[int, int]) -> bool:
    """Whether module-level code adds to `sys.path`, where modules may be that nobody can list."""
    table = _tables().get(python)
    if table is None:
        return True
    steps = _decode(code.code, table)
    loads = [_name_of(code, table, step) for step in steps]
    pairs = set(zip(loads, loads[1:], strict=False))
    return "addsitedir" in loads or not _ADDITIONS.isdisjoint(pairs)


def _changes_modules(code: Code, table: Mapping[str, Any]) -> bool:
    steps = _decode(code.code, table)
    for i, step in enumerate(steps):
        name = _name_of(code, table, step)
        if name not in _FOLDERS_AND_MODULES:
            continue
        if step[1] == table["store_name"]:
            return True
        after = steps[i + 1 : i + 1 + _ITEM_STEPS]
        if after and _name_of(code, table, after[0]) in _CHANGES:
            return True
        if any(op == table["store_subscript"] for _, op, _, _ in after):
            return True
    return False


def _name_of(code: Code, table: Mapping[str, Any], step: _Step) -> str | None:
    """The name or attribute that an instruction loads or binds."""
    _, op, argument, _ = step
    if op == table["load_attr"]:
        argument >>= table["attr_shift"]
    elif op == table["load_global"]:
        argument >>= table["global_shift"]
    elif op not in (table["load_name"], table["store_name"], table.get("load_method")):
        return None
    return code.names[argument] if argument < len(code.names) else None


def is_known(python: tuple[int, int]) -> bool:
    """Whether the bytecode of this version of Python can be followed."""
    return python in _tables()


@functools.cache
def _tables() -> Mapping[tuple[int, int], Mapping[str, Any]]:
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


# Offset of the next instruction, opcode, argument, and where it jumps to.
_Step = tuple[int, int, int, int]


def _decode(code: bytes, table: Mapping[str, Any]) -> list[_Step]:
    """The instructions of a piece of code; offsets count units of two bytes."""
    extended = table["extended_arg"]
    jumps = table["jumps"]
    cached = "match" in table  # both came with 3.11
    steps: list[_Step] = []
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
        target = _NO_TARGET
        if kind is not None:
            target = argument if kind == 0 else unit + kind * argument
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
        self,
        code: Code,
        table: Mapping[str, Any],
        steps: Sequence[_Step],
        known: Mapping[str, object],
    ) -> None:
        self._code, self._table, self._steps = code, table, steps
        self._known = {**_find_constants(code, table, steps), **known}
        starts = [0, *(step[0] for step in steps[:-1])]
        self._index = {start: i for i, start in enumerate(starts)}
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
        truth = self._tested(i, op)
        if truth is None:
            return (*onward, *jump)
        return jump if truth is (op in self._table["if_true"]) else onward

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

    def called_name(self, i: int) -> str | None:
        """The name that a call without arguments calls."""
        if self._steps[i][2] != 0:
            return None
        at = i - 1
        while at >= 0 and self._steps[at][1] in self._table["before_call"]:
            at -= 1
        return self._loaded_name(at)

    def _loaded_name(self, i: int) -> str | None:
        if i < 0:
            return None
        _, op, argument, _ = self._steps[i]
        if op == self._table["load_global"]:
            argument >>= self._table["global_shift"]
        elif op != self._table["load_name"]:
            return None
        return self._code.names[argument] if argument < len(self._code.names) else None

    def _tested(self, i: int, op: int) -> bool | None:
        """Whether the value that a jump depends on is true; None where it is not known."""
        if op not in self._table["if_true"] and op not in self._table["if_false"]:
            return None
        at = i - 1
        if at >= 0 and self._steps[at][1] == self._table.get("to_bool"):
            at -= 1
        if at < 0:
            return None
        if self._steps[at][1] != self._table["compare"]:
            value = self._value(at)
            return None if value is _UNKNOWN else bool(value)
        left, right = self._value(at - 2), self._value(at - 1)
        which = self._steps[at][2] >> self._table["compare_shift"]
        if left is _UNKNOWN or right is _UNKNOWN or which >= len(_COMPARISONS):
            return None
        try:
            return bool(_COMPARISONS[which](left, right))
        except TypeError:
            return None

    def _value(self, i: int) -> object:
        """What an instruction loads, where that is a constant or known beforehand."""
        if i < 0:
            return _UNKNOWN
        _, op, argument, _ = self._steps[i]
        if op == self._table["load_attr"] and i > 0:
            index, owner = argument >> self._table["attr_shift"], self._loaded_name(i - 1)
            if owner is None or index >= len(self._code.names):
                return _UNKNOWN
            return self._known.get(f"{owner}.{self._code.names[index]}", _UNKNOWN)
        name = self._loaded_name(i)
        if name is not None:
            return self._known.get(name, _UNKNOWN)
        loaded = _constant(self._code, self._table, self._steps, i)
        return _UNKNOWN if loaded is None or isinstance(loaded, Code) else loaded

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


def _find_constants(
    code: Code, table: Mapping[str, Any], steps: Sequence[_Step]
) -> dict[str, object]:
    """The names that code binds to one constant alone: True, False, a number or a text."""
    found: dict[str, object] = {}
    for i, (_, op, argument, _) in enumerate(steps):
        if op == table["store_name"] and argument < len(code.names):
            value = _constant(code, table, steps, i - 1)
            name = code.names[argument]
            simple = isinstance(value, bool | int | str)
            same = simple and found.get(name, value) == value
            found[name] = value if same else _UNKNOWN
    return {name: value for name, value in found.items() if value is not _UNKNOWN}


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
