"""Find the code of a module that speaks of the module's own place: its folder or its resources.

In: the `Code` of a module. Out: the names that stand for that place, and whether an instruction is
in code that has one of them. Files in folders of the user's or the system's are somebody else's.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rustext.formats.marshal_reader import Code
from rustext.verify.bytecode.instructions import Step, Table, decode, load_constant, name_of

OWN_PLACE = frozenset(
    {"__file__", "__path__", "__spec__", "_MEIPASS", "resources", "importlib.resources"}
    | {"importlib_resources", "get_data", "resource_filename", "getfile", "getsourcefile"}
)


def find_own_names(code: Code, table: Table) -> frozenset[str]:
    """Names of the place, such as `here` in `here = dirname(__file__)`, and of code with these."""
    own, before = set(OWN_PLACE), -1
    steps = decode(code.code, table)
    while before != len(own):
        before, found = len(own), False
        for i, step in enumerate(steps):
            if step[1] != table["store_name"]:
                found = found or _speaks(code, table, steps, i, own)
                continue
            name = name_of(code, table, step)
            if found and name is not None:
                own.add(name)
            found = False
    return frozenset(own)


def is_own(code: Code, table: Table, steps: Sequence[Step], at: int, own: Collection[str]) -> bool:
    """Whether a statement of a module, or a function or class as a whole, has one of the names."""
    if code.name != "<module>":
        return _has(code, own)
    stored = [i for i, step in enumerate(steps) if step[1] == table["store_name"]]
    first = max((i for i in stored if i < at), default=-1) + 1
    last = min((i for i in stored if i > at), default=len(steps))
    return any(_speaks(code, table, steps, i, own) for i in range(first, last))


def _has(code: Code, own: Collection[str]) -> bool:
    return any(name in own for nested in code.iter_nested() for name in nested.names)


def _speaks(code: Code, table: Table, steps: Sequence[Step], i: int, own: Collection[str]) -> bool:
    """Whether an instruction loads one of the names, or code that does."""
    _, op, argument, _ = steps[i]
    if op == table["import_name"]:
        argument >>= table.get("import_shift", 0)
        return argument < len(code.names) and code.names[argument] in own
    value = load_constant(code, table, steps, i)
    if isinstance(value, Code):
        return _has(value, own)
    return name_of(code, table, steps[i]) in own or (isinstance(value, str) and value in own)
