"""TOML files that users write, parsed in bounded time and memory.

In: the bytes of a file. Out: its table. https://toml.io/en/v1.0.0 sets no limits; the standard
library's parser is recursive, and quadratic in the parts of a key and in the digits of a number.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from rustext.errors import InvalidToml
from rustext.files.untrusted import read_start

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LIMIT = 4 << 20  # bytes; the largest that projects publish have some hundred thousand
_MOST_DIGITS = (
    4300  # as CPython reads: https://docs.python.org/3/library/stdtypes.html#int-max-str-digits
)
_MOST_PARTS = 500  # of a dotted key
_MOST_DOTS = 50_000  # of all keys and numbers; the parser takes 2 kB for each
_DIGITS = re.compile(rb"(?<![\w.])[+-]?\d[\d_]{%d}" % _MOST_DIGITS)
_STRING = re.compile(rb'"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'')
_ESCAPED = re.compile(r"[^ -~]")
_KEY = re.compile(rb"(?<![\w.-])(?:[\w-]+[ \t]*\.[ \t]*){%d}" % _MOST_PARTS)


def read_toml(file: Path) -> dict[str, Any]:
    """The table of a TOML file.

    Raises `InvalidToml`, which names the file, and `OSError` where it cannot be read.
    """
    return parse_toml(read_start(file, LIMIT + 1), str(file))


def parse_toml(data: bytes, where: str) -> dict[str, Any]:
    """The table of a TOML document; `where` names it in messages.

    A byte order mark is passed over, as editors on Windows write one.
    Raises `InvalidToml` for what is not TOML in UTF-8, and for what would take unbounded time:
    more than 4 MiB, numbers of more than 4300 digits, keys of more than 500 parts, more than 50,000
    such parts, and tables or arrays that are nested deeper than Python's stack.
    """
    if len(data) > LIMIT:
        raise InvalidToml(f"{where} is larger than {LIMIT >> 20} MiB")
    if _DIGITS.search(data):
        raise InvalidToml(f"{where} holds a number of more than {_MOST_DIGITS} digits")
    bare = _STRING.sub(b"s", data) if data.count(b".") >= _MOST_PARTS else b""
    if _KEY.search(bare):
        raise InvalidToml(f"{where} holds a key of more than {_MOST_PARTS} parts")
    if bare.count(b".") > _MOST_DOTS:
        raise InvalidToml(f"{where} holds more than {_MOST_DOTS:,} parts of dotted keys")
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except RecursionError as error:
        raise InvalidToml(f"{where} is nested too deeply") from error
    except ValueError as error:  # of the parser, the decoder, and Python's own types
        raise InvalidToml(f"{where} is not valid TOML: {error}") from error


def format_toml_string(value: str) -> str:
    """A basic string of TOML, in ASCII.

    JSON's escapes are not TOML's beyond U+FFFF. Half of a surrogate pair, as in a file's name that
    is not UTF-8, cannot be written: U+FFFD takes its place.
    """
    return _ESCAPED.sub(_escape, json.dumps(value, ensure_ascii=False))


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    return "\\ufffd" if 0xD800 <= code < 0xE000 else f"\\u{code:04x}"
