"""Parse Python source that other people wrote; nothing is imported or run.

In: the source of a file. Out: the syntax tree, or one kind of error where this Python has none.
"""

from __future__ import annotations

import ast
import io
import marshal
import re
import sys
import tokenize
import warnings
from collections import Counter, deque
from collections.abc import Iterator
from itertools import islice

# Python's parser takes memory with the square of the parts of a dotted name (real ones have ten),
# and before 3.12, time with the square of the fields of an f-string.
_MOST_PARTS, _MOST_FIELDS = 1000, 50_000
_LARGE, _MOST_TOKENS = 1 << 18, 600_000  # bytes, and tokens, each of which takes up to 1 kB
_TOKEN = re.compile(rb"""'[^'\n]*'|"[^"\n]*"|\w+|[^\w\s]""")
_FSTRING = re.compile(rb"[fF][rR]?['\"]")
_CHAIN = re.compile(rb"(?:\.[\s\\]*[\w\x80-\xff]+[\s\\]*){30,}")
# Before 3.12, compiling takes time with the square of the functions and classes of one name: their
# code has one hash (https://github.com/python/cpython/issues/94155).
_MOST_ALIKE = 2000
_CODE = re.compile(rb"\b(?:lambda\b|(?:class|def)\s+\w+)")
_BLOCKS = ("body", "handlers", "cases", "orelse", "finalbody")  # fields that hold statements


def parse_source(source: str | bytes) -> ast.Module:
    """The syntax tree of a source; nothing is printed about its escape sequences.

    Raises `SyntaxError` if this Python cannot parse it in bounded time and memory, or where it is
    nested more deeply than the parser goes (https://docs.python.org/3/library/ast.html#ast.parse).
    """
    _refuse_costly(source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(source)
        except ValueError as error:  # such as a NUL, up to Python 3.11
            raise SyntaxError(str(error)) from error
        except (RecursionError, MemoryError) as error:
            raise SyntaxError("it is nested too deeply") from error


def find_fault(source: bytes) -> str:
    """Why this Python cannot compile a file; "" where it can, or where that would cost too much."""
    code = compile_source(source)
    return code if isinstance(code, str) else ""


def find_any_fault(source: bytes) -> str:
    """Why no Python can compile a file, as far as that is known without its grammar."""
    if b"\0" in source:
        return "it is no source: it holds null bytes"
    try:  # https://peps.python.org/pep-0263/
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
        if encoding in {"utf-8", "utf-8-sig"}:  # others may take long, and name what is not here
            source.decode(encoding)
    except UnicodeDecodeError as error:
        return f"it is not UTF-8, which it says or implies: {error.reason} at byte {error.start}"
    except SyntaxError as error:
        return "" if "unknown encoding" in str(error) else str(error)
    return ""


def compile_source(source: bytes) -> bytes | str | None:
    """The marshalled code of a file, or why this Python cannot compile it.

    None where that would cost too much.
    """
    try:
        _refuse_costly(source)
        _refuse_alike(source)
    except _TooDeep as error:
        return str(error)
    except SyntaxError:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return marshal.dumps(compile(source, "", "exec", dont_inherit=True, optimize=0))
        except SyntaxError as error:
            return f"line {error.lineno}: {error.msg}" if error.lineno else error.msg
        except ValueError as error:  # such as a NUL, up to Python 3.11
            return str(error)
        except (RecursionError, MemoryError):
            return "it is nested too deeply"


class _TooDeep(SyntaxError):
    """No Python compiles it, and what it costs to parse has no bound."""


def _refuse_costly(source: bytes) -> None:
    if any(chain[0].count(b".") > _MOST_PARTS for chain in _CHAIN.finditer(source)):
        raise _TooDeep(f"it has a name of more than {_MOST_PARTS} parts")
    if len(source) > _LARGE and any(islice(_TOKEN.finditer(source), _MOST_TOKENS, None)):
        raise SyntaxError(f"it has more than {_MOST_TOKENS:,} words and signs")
    if sys.version_info < (3, 12) and source.count(b"{") > _MOST_FIELDS and _FSTRING.search(source):
        raise SyntaxError("it has an f-string of more fields than this Python parses in time")


def _refuse_alike(source: bytes) -> None:
    alike = Counter(_CODE.findall(source)) if sys.version_info < (3, 12) else {}
    if max(alike.values(), default=0) > _MOST_ALIKE:
        raise SyntaxError(f"it has more than {_MOST_ALIKE:,} functions or classes of one name")


def iter_statements(tree: ast.Module) -> Iterator[ast.AST]:
    """The module, its statements at any depth and the clauses around them, outer ones first.

    Most nodes are expressions, which hold no statement
    (https://docs.python.org/3/library/ast.html#abstract-grammar): `ast.walk` takes far longer.
    """
    waiting = deque[ast.AST]([tree])
    while waiting:
        node = waiting.popleft()
        for block in _BLOCKS:
            waiting.extend(getattr(node, block, ()))
        yield node
