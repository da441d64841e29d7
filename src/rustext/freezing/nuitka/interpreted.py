"""Let the interpreter run a module that Nuitka would compile.

A compiled function has no local variables that other code could see: a query that names a variable
of its caller does not find it. Nuitka can keep a module as bytecode (`decideCompilation`), but for
the program's first file. In: that file's source. Out: source that holds its bytecode and runs it.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterator
from pathlib import Path

from rustext.environment.environment import Environment
from rustext.freezing.script_imports import iter_program

# The second is the copy that Nuitka makes for the processes of `multiprocessing`.
MAIN_NAMES = frozenset({"__main__", "__parents_main__"})


def as_bytecode(source: str, file: Path) -> str:
    """A program that does what `source` does; raises `SyntaxError` if that is not Python."""
    code = compile(source, file.name, "exec", dont_inherit=True)
    return f"exec(__import__('marshal').loads({marshal.dumps(code)!r}))\n"


def read_imports(file: Path, env: Environment) -> Iterator[str]:
    """The modules that `file` imports, which Nuitka cannot read off bytecode."""
    return (name for name in iter_program(file, env) if env.find_module(name) is not None)
