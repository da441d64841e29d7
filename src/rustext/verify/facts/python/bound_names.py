"""Whether a module may have a name that code imports from it, as far as its code tells.

In: a module's `Code`. Out: whether it binds a name, or may do so in a way that cannot be seen.
"""

from __future__ import annotations

from collections.abc import Callable

from rustext.formats.marshal_reader import Code
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.bundle.program import Program
from rustext.verify.bytecode.instructions import (
    decode,
    find_table,
    is_constant,
    load_constant,
    name_of,
)
from rustext.verify.bytecode.module_code import iter_mentioned, makes_modules

# A module with one of these in its code may have attributes that nothing binds by name.
# enum.global_enum: https://docs.python.org/3/library/enum.html#enum.global_enum; `_convert_` does
# the same for `socket` and `ssl`. A module's class may have properties (PEP 549).
_MAKES_ATTRIBUTES = frozenset(
    ("__getattr__", "globals", "vars", "setattr", "exec", "locals", "__dict__", "global_enum")
)
_MAKES_MORE = frozenset(("_convert_", "_convert", "__path__", "_getframe", "eval"))


def find_unsure(bundle: Bundle, program: Program) -> Callable[[str], bool]:
    """Say of which modules' names the code of one program cannot be sure.

    They are Python's own, which come first, scripts, and what lies beside native modules.
    """
    own = {*(bundle.builtins or ()), *(program.archive.scripts if program.archive else ())}
    tops = {(file.module or "").partition(".")[0] for _, file in bundle.files}
    return lambda name: name in own or name.partition(".")[0] in tops


def makes_attributes(code: Code) -> bool:
    """Whether a module's code has means to bind names that it does not spell out."""
    return any(not _MAKES_ATTRIBUTES.isdisjoint(piece.names) for piece in code.iter_nested())


def may_bind(code: Code, python: tuple[int, int], module: str, name: str) -> bool:
    """Whether a module that is no package may have a name; any mention of it counts."""
    return (
        name.startswith("__")
        or makes_attributes(code)
        or "__class__" in code.names
        or any(
            name in piece.names or not _MAKES_MORE.isdisjoint(piece.names)
            for piece in code.iter_nested()
        )
        or any("*" in one.names for one in iter_mentioned(code, python))
        or makes_modules(code, python, f"{module}.{name}")
        or _is_handed_over(code, python)
    )


def _is_handed_over(code: Code, python: tuple[int, int]) -> bool:
    """Whether module-level code gives its `__name__` away, but for a logger's and `__main__`."""
    table = find_table(python)
    steps = [s for s in decode(code.code, table) if s[1] not in table["before_call"]]
    words = [name_of(code, table, step) for step in steps]
    for i, word in enumerate(words):
        compared = i + 1 < len(steps) and is_constant(table, steps[i + 1])
        compared = compared and load_constant(code, table, steps, i + 1) == "__main__"
        if word == "__name__" and not compared and words[i - 1] != "getLogger":
            return True
    return False
