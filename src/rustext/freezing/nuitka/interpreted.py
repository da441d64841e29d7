"""Let the interpreter run a module that Nuitka would compile.

A compiled function has no local variables and no bytecode that other code could see: a query that
names a variable of its caller does not find it. Nuitka can keep a module as bytecode
(`decideCompilation`), but for the program's first file. In: a build, and that file's source. Out:
which modules these are, and for the first file, source that holds its bytecode and runs it.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from rustext.environment.environment import Environment
from rustext.freezing.build import Build
from rustext.freezing.nuitka.answered_calls import asks_origin
from rustext.freezing.nuitka.local_variables import find_looked_at
from rustext.freezing.script_imports import iter_program

# The second is the copy that Nuitka makes for the processes of `multiprocessing`.
MAIN_NAMES = frozenset({"__main__", "__parents_main__"})


class Interpreted:
    """The modules of a program whose functions other code looks into."""

    def __init__(self, build: Build, folder: Path) -> None:
        """`folder` is the program's own."""
        self._build, self._folder = build, folder
        self._reasons: dict[str, str] = {}

    @property
    def reasons(self) -> tuple[tuple[str, str], ...]:
        """The modules that were kept as bytecode, each with the reason."""
        kept = ((name, reason) for name, reason in self._reasons.items() if reason)
        return tuple(sorted(kept))

    def keeps(self, name: str) -> bool:
        """Whether a module of the program stays bytecode; its first file has to be compiled."""
        if name not in self._reasons and name not in MAIN_NAMES:
            self._reasons[name] = self._why(name)
        return name not in MAIN_NAMES and bool(self._reasons[name])

    def replace(self, name: str, file: Path, source: str) -> Iterator[str]:
        """What Nuitka has to compile in place of the program's first file; nothing for others."""
        if name in MAIN_NAMES:
            reason = find_looked_at(source, self._build.planner.env)
            reason = self._recorded("__main__") or reason or self._answered(source)
            self._reasons["__main__"] = reason
            if reason:
                yield as_bytecode(source, file)

    def imports(self, file: Path | None) -> tuple[str, ...]:
        """What the program's first file imports, where Nuitka cannot read that off its bytecode."""
        if file is None or not self._reasons.get("__main__"):
            return ()
        return tuple(read_imports(file, self._build.planner.env))

    def _why(self, name: str) -> str:
        path = self._folder.joinpath(*name.split("."))
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            with suppress(OSError, ValueError):  # what is no UTF-8 is left to Nuitka
                source = file.read_text(encoding="utf-8")
                found = find_looked_at(source, self._build.planner.env)
                return self._recorded(name) or found or self._answered(source)
        return self._recorded(name) or self._answered(self._installed(name))

    def _installed(self, name: str) -> str:
        module = self._build.planner.env.find_module(name)
        path = module.path if module is not None and module.distribution else None
        if path is not None and path.suffix == ".py":
            with suppress(OSError, ValueError):
                return path.read_text(encoding="utf-8")
        return ""

    @staticmethod
    def _answered(source: str) -> str:
        answered = asks_origin(source)
        return "Nuitka's answer lacks the entry points' distributions" if answered else ""

    def _recorded(self, name: str) -> str:
        recorded = name in self._build.recorded.interpreted
        return "a record says that other code looks into its functions" if recorded else ""


def as_bytecode(source: str, file: Path) -> str:
    """A program that does what `source` does; raises `SyntaxError` if that is not Python."""
    code = compile(source, file.name, "exec", dont_inherit=True)
    return f"exec(__import__('marshal').loads({marshal.dumps(code)!r}))\n"


def read_imports(file: Path, env: Environment) -> Iterator[str]:
    """The modules that `file` imports, which Nuitka cannot read off bytecode."""
    return (name for name in iter_program(file, env) if env.find_module(name) is not None)
