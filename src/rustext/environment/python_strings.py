"""What expressions make of strings of which a part is known.

In: a string whose unknown parts are holes, and a call of a method of `str` as a syntax tree. Out:
the method's result, as far as it is known
(https://docs.python.org/3/library/stdtypes.html#string-methods).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from rustext.model.sources import HOLE

FIELD = re.compile(r"\{[^{}]*\}")  # of `str.format`
PERCENT = re.compile(r"%\(\w+\)[sdr]|%[sdr]")
SPLITS = frozenset({"split", "rsplit", "partition", "rpartition"})
_LETTERS = frozenset({"lower", "upper", "casefold", "capitalize", "title", "swapcase"})
_ENDS = frozenset({"strip", "lstrip", "rstrip", "removeprefix", "removesuffix"})
METHODS = _LETTERS | _ENDS  # that leave a hole where it is


def is_split(node: ast.AST) -> bool:
    """Whether an expression cuts a string into pieces."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in SPLITS
    )


def call_method(text: str, call: ast.Call, name: str) -> str:
    """What one of `METHODS` makes of a string; a hole where its arguments are not written down."""
    try:
        arguments = [ast.literal_eval(argument) for argument in call.args]
        made = getattr(text, name)(*arguments)
    except (TypeError, ValueError):
        return HOLE
    return str(made)


def take_pieces(text: str, call: ast.Call, name: str, place: ast.expr) -> list[str]:
    """The pieces at an index, or in a slice, of a string that one of `SPLITS` cuts."""
    try:
        arguments = [ast.literal_eval(argument) for argument in call.args]
        options = {k.arg: ast.literal_eval(k.value) for k in call.keywords if k.arg}
        pieces = list(getattr(text, name)(*arguments, **options))
        if isinstance(place, ast.Slice):
            bounds = place.lower, place.upper, place.step
            first, last, step = (ast.literal_eval(b) if b else None for b in bounds)
            found = pieces[first:last:step]
        else:
            found = [pieces[ast.literal_eval(place)]]
    except (TypeError, ValueError, IndexError):
        return [HOLE]
    leads = isinstance(place, ast.Constant) and place.value == 0
    known = HOLE not in text or (leads and HOLE not in found[0])
    return found if known else [HOLE]


def fill(text: object, fields: re.Pattern[str], values: list[ast.expr]) -> Iterator[ast.AST]:
    """A format string in pieces, with a value or a hole for each of its fields."""
    pieces = fields.split(text) if isinstance(text, str) else [HOLE]
    for number, piece in enumerate(pieces):
        if number:
            yield values[number - 1] if number <= len(values) else ast.Pass()
        yield ast.Constant(piece)


def one_hole(name: str) -> str:
    """A name in which holes next to one another are one."""
    return re.sub(rf"\{HOLE}+", HOLE, name)


def replace(text: str, old: str, new: str, *, by: ast.expr) -> str:
    """What `text.replace(old, new)` makes; `by` is the expression for `new`."""
    if HOLE in text and _is_word(by):
        return f"{HOLE}.{new}"
    return HOLE if HOLE in f"{old}{new}" else text.replace(old, new)


def _is_word(node: ast.expr) -> bool:
    """Whether it is a literal that can be the last part of a name: `x.replace("a", "b")`."""
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.isidentifier()
        and bool(node.value.strip("_"))
    )
