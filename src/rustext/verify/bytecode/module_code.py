"""Find the imports of a piece of bytecode, and which of them decide whether it gets to its end.

In: a `Code` and the version of Python that wrote it. Out: its `Import`s, those of functions that it
calls without arguments included. An import is certain where every way through the code leads past
it, and caught where the code can go on without the module: `try`/`except ImportError` with a
fallback, `contextlib.suppress`. What depends on a condition is not certain, unless that is about
what is known beforehand, such as `sys.platform`, or a name with one constant value.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from rustext.formats.marshal_reader import Code
from rustext.verify.bytecode.control_flow import Flow
from rustext.verify.bytecode.instructions import (
    Step,
    Table,
    decode,
    find_table,
    iter_texts,
    load_constant,
    name_of,
)

_FINDERS = frozenset({"meta_path", "path_hooks"})
_FOLDERS_AND_MODULES = frozenset({"modules", "__path__"})
_CHANGES = frozenset({"append", "extend", "insert", "setdefault", "update"})
_ADDITIONS = frozenset({("path", "append"), ("path", "extend"), ("path", "insert")})
_ITEM_STEPS = 8  # instructions between `sys.modules` and the end of `sys.modules[name] = …`
_CALL_DEPTH = 8  # functions that call functions
_GENERATORS = 0x20 | 0x80 | 0x200  # inspect.CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR


@dataclass(frozen=True, slots=True)
class Import:
    """One import: `level` dots, a module, and what is taken from it ("*" for all)."""

    module: str
    level: int
    names: tuple[str, ...]
    certain: bool
    caught: bool  # the code goes on where the module is missing
    caught_broken: bool = True  # and where it is there, and cannot be loaded
    lazy: bool = False  # it waits until its name is used (PEP 810)


IsGone = Callable[[Import], bool]


def find_imports(
    code: Code,
    python: tuple[int, int],
    known: Mapping[str, object],
    is_gone: IsGone = lambda _: False,
) -> tuple[Import, ...]:
    """The imports of code and of the functions that it surely calls.

    `python` is a version that `is_known`, here and below; `known` are values of names and of
    attributes, as `__name__` and `sys.platform`; `is_gone` says whether the import of a module
    fails in every run.
    """
    return tuple(_iter_flow(code, find_table(python), known, is_gone, {}, ()))


def find_function(code: Code, python: tuple[int, int], name: str) -> Code | None:
    """A function of module-level code; None without one, or where it is bound twice."""
    table = find_table(python)
    return find_functions(code, table, decode(code.code, table)).get(name)


def iter_mentioned(code: Code, python: tuple[int, int]) -> Iterator[Import]:
    """Yield all imports of code and of functions in it, as uncertain ones, which is quick."""
    table = find_table(python)
    for one in code.iter_nested():
        steps = decode(one.code, table)
        for i, step in enumerate(steps):
            if step[1] == table["import_name"]:
                yield _read_import(one, table, steps, i, caught=True)


def _iter_flow(
    code: Code,
    table: Table,
    known: Mapping[str, object],
    is_gone: IsGone,
    functions: Mapping[str, Code],
    calling: tuple[Code, ...],
) -> Iterator[Import]:
    steps = decode(code.code, table)
    wanted = {table["import_name"], table["call"]}
    positions = [i for i, step in enumerate(steps) if step[1] in wanted]
    if not positions:
        return
    functions = functions or find_functions(code, table, steps)
    imports = {
        i: _read_import(code, table, steps, i, caught=False)
        for i in positions
        if steps[i][1] == table["import_name"]
    }
    flow = Flow(code, table, steps, known, [i for i, one in imports.items() if is_gone(one)])
    must = flow.find_certain()
    # Where one import of a module is caught, `else` may hold a second that then does not run.
    after: dict[tuple[str, int], frozenset[int]] = {}
    for i in positions:
        certain = i in must
        caught = certain and flow.is_caught(i)
        if steps[i][1] == table["import_name"]:
            one = imports[i]
            certain = certain and not one.lazy
            key = one.module, one.level
            skipped = key in after and i not in after[key]
            if caught:
                after.setdefault(key, flow.follow_failure(i))
            broken = skipped or flow.is_caught(i, ImportError)
            yield replace(one, certain=certain, caught=caught or skipped, caught_broken=broken)
        elif certain and not caught:
            called = functions.get(flow.called_name(i) or "")
            if called is not None and called not in calling and len(calling) < _CALL_DEPTH:
                yield from _iter_flow(called, table, known, is_gone, functions, (*calling, called))


def _read_import(
    code: Code,
    table: Table,
    steps: Sequence[Step],
    i: int,
    *,
    caught: bool,
) -> Import:
    argument = steps[i][2]
    lazy = bool(argument & table.get("lazy", 0)) or (
        "__lazy_modules__" in code.names and not argument & table.get("eager", -1)
    )
    argument >>= table.get("import_shift", 0)
    level, names = (load_constant(code, table, steps, i - back) for back in (2, 1))
    return Import(
        module=code.names[argument] if argument < len(code.names) else "",
        level=level if isinstance(level, int) else 0,
        names=tuple(n for n in names if isinstance(n, str)) if isinstance(names, tuple) else (),
        certain=False,
        caught=caught,
        lazy=lazy,
    )


def find_functions(code: Code, table: Table, steps: Sequence[Step]) -> Mapping[str, Code]:
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
            near = (load_constant(code, table, steps, at - back) for back in (1, 2))
            made = next(
                (c for c in near if isinstance(c, Code) and not c.flags & _GENERATORS), None
            )
        name = code.names[argument]
        found[name] = made if name not in found else None  # bound twice: which one is not known
    return {name: function for name, function in found.items() if function is not None}


def iter_stored(code: Code, python: tuple[int, int]) -> Iterator[str]:
    """Yield the names that module-level code binds, and those that functions declare `global`."""
    table = find_table(python)
    for piece in code.iter_nested():
        stores = table["store_name" if piece is code else "store_global"]
        for _, op, argument, _ in decode(piece.code, table):
            if op == stores and argument < len(piece.names):
                yield piece.names[argument]


def iter_exported(code: Code, python: tuple[int, int]) -> Iterator[str]:
    """Yield the names in the literals that module-level code binds to `__all__`."""
    table = find_table(python)
    steps = decode(code.code, table)
    for i, (_, op, argument, _) in enumerate(steps):
        if op == table["store_name"] and code.names[argument : argument + 1] == ("__all__",):
            at = i - 1 if load_constant(code, table, steps, i - 1) is not None else i - 2
            while (value := load_constant(code, table, steps, at)) is not None:
                yield from iter_texts(value)
                at -= 1


def iter_loaded(code: Code, python: tuple[int, int]) -> Iterator[str]:
    """Yield the names and attributes that module-level code asks for."""
    table = find_table(python)
    for _, op, argument, _ in decode(code.code, table):
        index = argument >> table["attr_shift"] if op == table["load_attr"] else argument
        if op in (table["load_name"], table["load_attr"]) and index < len(code.names):
            yield code.names[index]


def makes_modules(code: Code, python: tuple[int, int], name: str) -> bool:
    """Whether code may put a module in place that no file is there for.

    That is what code does that adds to `sys.modules`, to the folders of a package or to the finders
    (https://docs.python.org/3/reference/import.html).
    """
    table = find_table(python)
    return any(
        not _FINDERS.isdisjoint(one.names)
        or (not _FOLDERS_AND_MODULES.isdisjoint(one.names) and _changes_modules(one, table, name))
        for one in code.iter_nested()
    )


def adds_folders(code: Code, python: tuple[int, int]) -> bool:
    """Whether module-level code adds to `sys.path`: modules may come from unknown places."""
    table = find_table(python)
    steps = decode(code.code, table)
    loads = [name_of(code, table, step) for step in steps]
    pairs = set(itertools.pairwise(loads))
    return "addsitedir" in loads or not _ADDITIONS.isdisjoint(pairs)


def _changes_modules(code: Code, table: Table, module: str) -> bool:
    steps = decode(code.code, table)
    names = [name_of(code, table, step) for step in steps]
    places = [i for i, name in enumerate(names) if name in _FOLDERS_AND_MODULES]
    for i, end in itertools.pairwise((*places, len(steps))):
        step = steps[i]
        key = load_constant(code, table, steps, i + 1) if i + 2 < len(steps) else None
        if isinstance(key, str) and steps[i + 2][1] == table["store_subscript"]:
            if f"{module}.".startswith(f"{key}.") or key.startswith(f"{module}."):
                return True
            continue  # `sys.modules["another"] = …`
        if step[1] == table["store_name"]:
            return True
        after = steps[i + 1 : min(end, i + 1 + _ITEM_STEPS)]
        if after and name_of(code, table, after[0]) in _CHANGES:
            return True
        if any(op == table["store_subscript"] for _, op, _, _ in after):
            return True
    return False
