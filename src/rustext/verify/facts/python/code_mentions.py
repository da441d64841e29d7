"""Ask whether a program's Python code speaks of a module at all, wherever it does so.

In: a program of a `Bundle`, and a name. Out: yes or no. Code is parsed only where the name is among
its bytes. Compiled code has its names among the strings of the program.
"""

from __future__ import annotations

from rustext.errors import TruncatedBinary, UnreadableFile
from rustext.formats.binary import open_binary
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.bundle.marshal_reader import parse_code
from rustext.verify.bundle.program import Freezer, Program
from rustext.verify.bytecode.code_store import open_store
from rustext.verify.bytecode.module_code import iter_mentioned

_ANY_VERSION = (3, 11)  # of Python: what is not parsed reads the same in all


def imports_module(
    bundle: Bundle, program: Program, python: tuple[int, int] | None, module: str
) -> bool:
    """Whether any code of a program imports a module, or takes its name from its package."""
    if python is None:
        return False
    package, _, last = module.rpartition(".")
    with open_store(bundle, program, python) as store:
        for _, data in store.iter_marshalled():
            if last.encode() not in data:
                continue
            try:
                found = list(iter_mentioned(parse_code(data, python), python))
            except TruncatedBinary:
                continue
            if any(
                one.module == module or (last in one.names and one.module in {package, ""})
                for one in found
            ):
                return True
    return False


def names_word(bundle: Bundle, program: Program | None, word: str) -> bool:
    """Whether any code of a program holds a word, as a name or in a text."""
    if program is None:
        return False
    if program.freezer is Freezer.NUITKA:
        try:
            with open_binary(program.path) as (_, data):
                return data.find(word.encode()) >= 0
        except (TruncatedBinary, UnreadableFile):
            return False
    with open_store(bundle, program, _ANY_VERSION) as store:
        return any(word.encode() in data for _, data in store.iter_marshalled())
