"""Records as values of JSON, and back, for documents and for the answers that a cache holds.

In: a dataclass whose fields are text, numbers, enums, paths, tuples, sets, mappings by text, and
records of these; or its values. Out: the other.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import PurePath
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints


def to_plain(value: Any, *, whole: bool = False) -> Any:
    """The values of JSON that `from_plain` makes the same record of, in the order of the fields.

    Fields that are as their default says are left out, but from a `whole` document.
    """
    if isinstance(value, str | int | None):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Mapping):
        return {name: to_plain(inner, whole=whole) for name, inner in value.items()}
    if is_dataclass(value):
        found = ((f, getattr(value, f.name)) for f in fields(value))
        return {n.name: to_plain(v, whole=whole) for n, v in found if whole or v != n.default}
    return [to_plain(inner, whole=whole) for inner in value]


def from_plain(kind: Any, value: Any) -> Any:
    """The record, or other value, of a type; `value` is what `to_plain` has made of it."""
    return _maker(kind)(value)


@functools.cache
def _maker(kind: Any) -> Callable[[Any], Any]:
    """What makes a value of a type."""
    origin, arguments = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        return _record_maker(kind)
    if origin in {Union, UnionType} and type(None) in arguments:
        (inner,) = (_maker(one) for one in arguments if one is not type(None))
        return lambda value: None if value is None else inner(value)
    if origin is tuple and arguments[1:] != (...,):
        makers = tuple(map(_maker, arguments))
        return lambda value: tuple(m(v) for m, v in zip(makers, value, strict=True))
    if origin in {tuple, list, frozenset}:
        inner = _maker(arguments[0])
        made: Callable[[Any], Any] = origin
        return made if inner is _same else lambda value: made(map(inner, value))
    return _same if _is_plain(kind) else kind  # an enum or a path


def _record_maker(kind: Any) -> Callable[[Any], Any]:
    hints = get_type_hints(kind)
    makers = {f.name: _maker(hints[f.name]) for f in fields(kind)}

    def make(row: Any) -> Any:
        if isinstance(row, kind):  # not of the cache
            return row
        return kind(**{name: makers[name](value) for name, value in row.items()})

    return make


def _is_plain(kind: Any) -> bool:
    """Whether a value of a type is one of JSON as well: text, a number, a mapping of these."""
    return kind in {str, int, bool, Any} or get_origin(kind) in {dict, Mapping}


def _same(value: Any) -> Any:
    return value
