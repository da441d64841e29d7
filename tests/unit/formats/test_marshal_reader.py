"""What `marshal` writes is read back; everything else is refused."""

from __future__ import annotations

import contextlib
import marshal
import random
import struct
import sys
import sysconfig
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from rustext.errors import TruncatedBinary
from rustext.formats.marshal_reader import Code, parse_code, parse_marshal
from rustext.verify.bytecode.module_code import find_imports, iter_mentioned

SHARED = "a string that stands twice and is written once"
VALUES: list[Any] = [
    None, True, False, 0, -1, 2**31 - 1, -(2**31), 2**31, -(2**63), 10**40, -(10**40),
    "", "ascii", "a" * 300, "ünïcode", "模块", "\ud800", b"", b"bytes\x00\xff", (), (1,), [], {},
    tuple(range(300)), [1, [2, [3, (4, None)]]], {"a": 1, "b": {"c": (2, 3)}, 3: None},
    [SHARED, SHARED, (SHARED, SHARED)],
    # PyInstaller's table: name -> (kind, offset, length)
    {f"pkg.mod{i}": (i % 2, 17 * i, 1000 + i) for i in range(200)},
    [(f"pkg.mod{i}", (i % 2, 17 * i, 1000 + i)) for i in range(200)],
]  # fmt: skip
VERSIONS = range(2, marshal.version + 1)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_a_value_comes_back_as_it_was(value: Any, version: int) -> None:
    data = marshal.dumps(value, version)
    assert parse_marshal(data) == value == marshal.loads(data)
    assert type(parse_marshal(data)) is type(value)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_stands_behind_the_value_is_not_looked_at(version: int) -> None:
    assert parse_marshal(marshal.dumps(("x", 1), version) + b"\xff" * 9) == ("x", 1)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_value_that_ends_early_is_refused_wherever_it_ends(version: int) -> None:
    value = {"pkg": (1, 2, 3), "pkg.mod": (0, 10**12, SHARED), "ü": [SHARED, None, b"x", {}, 1.0]}
    value["ü"].pop()  # type: ignore[union-attr]
    data = marshal.dumps(value, version)
    assert parse_marshal(data) == value
    for end in range(len(data)):
        with pytest.raises(TruncatedBinary):
            parse_marshal(data[:end])


@pytest.mark.parametrize(
    "value",
    [1.5, 1j, {1, 2}, frozenset("a"), compile("1", "x", "eval"), Ellipsis, StopIteration,
     [1, 2.5], {"a": compile("1", "x", "eval")}],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_has_no_place_in_a_table_is_refused(value: Any) -> None:
    with pytest.raises(TruncatedBinary):
        parse_marshal(marshal.dumps(value))


def test_nesting_has_a_limit() -> None:
    value: Any = 1
    for _ in range(200):
        value = [value]
    with pytest.raises(TruncatedBinary, match="nested too deeply"):
        parse_marshal(marshal.dumps(value))


@pytest.mark.parametrize(
    "data",
    [
        b"r\x00\x00\x00\x00",  # a reference to nothing
        b"r\xff\xff\xff\xff",  # a reference before the first
        b"[\xff\xff\xff\x7f",  # 2**31 items
        b"[\xff\xff\xff\xff",  # -1 items
        b"s\xff\xff\xff\xff",  # -1 bytes
        b"s\xff\xff\xff\x7f",
        b"l\xff\xff\xff\x7f",  # a long of 2**31 digits
        b"l\x00\x00\x00\x80",  # -2**31 digits
        b"u\x01\x00\x00\x00\xff",  # no UTF-8
        b"z\x01\xff",  # no ASCII
        b"{[\x00\x00\x00\x00N0",  # a list as key
        b"{{0N0",
        b"0",
        b"?",
    ],
)
def test_crafted_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(TruncatedBinary):
        parse_marshal(data)


def test_a_list_that_holds_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(TruncatedBinary):
        parse_marshal(marshal.dumps(value))


def test_damaged_tables_never_raise_anything_else() -> None:
    rng = random.Random(7)
    good = marshal.dumps({f"m{i}": (i, 2**40 + i, SHARED, b"b", None) for i in range(9)}, 4)
    for _ in range(4000):
        data = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            parse_marshal(bytes(data))
        except TruncatedBinary:
            continue


@pytest.mark.timeout(20)
def test_shared_values_cannot_be_made_to_multiply() -> None:
    """Each level holds the one below 200 times; hashing the outermost would visit 200**14."""
    level = b"\xa9\x01N"  # a tuple of one item, remembered
    for index in range(1, 14):
        level = b"\xa9\xc8" + level + (b"r" + struct.pack("<i", 14 - index)) * 199
    assert isinstance(parse_marshal(level), tuple)
    with pytest.raises(TruncatedBinary, match="a key is a tuple"):
        parse_marshal(b"{" + level + b"N0")


@pytest.mark.timeout(20)
def test_an_endless_integer_is_refused_at_once() -> None:
    with pytest.raises(TruncatedBinary, match="digits"):
        parse_marshal(b"l" + struct.pack("<i", 2**22) + b"\x01\x00" * 2**22)


def test_code_with_a_large_integer_is_read() -> None:
    """Such as the primes of a key exchange."""
    source = f"import one\nP = {2**4096 - 1}\nimport two"
    code = parse_code(marshal.dumps(compile(source, "code", "exec")), sys.version_info[:2])
    assert code.names == ("one", "P", "two")


# --- code objects ----------------------------------------------------------------------------


def same(code: CodeType, read: Code) -> None:
    """Compare with what Python itself reads."""
    assert (read.name, read.flags, read.code) == (code.co_name, code.co_flags, code.co_code)
    assert read.names == code.co_names
    assert read.exceptions == getattr(code, "co_exceptiontable", b"")
    assert len(read.constants) == len(code.co_consts)
    for mine, theirs in zip(read.constants, code.co_consts, strict=True):
        if isinstance(theirs, CodeType):
            same(theirs, mine)
        elif isinstance(theirs, str | bytes | int | None):
            assert mine == theirs


def test_code_is_read_as_python_reads_it() -> None:
    modules = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    assert len(modules) > 100
    for path in modules:
        code = compile(path.read_bytes(), path.name, "exec")
        same(code, parse_code(marshal.dumps(code), sys.version_info[:2]))


def test_code_that_is_cut_short_or_damaged_is_refused_or_read_in_short_time() -> None:
    source = "import a\ndef f(x=(1.5, 2j, ...)):\n    return {1, 2} if x in {'a', 'b'} else [x]\n"
    data = marshal.dumps(compile(source, "x", "exec"))
    for end in range(len(data)):
        with pytest.raises(TruncatedBinary):
            parse_code(data[:end], sys.version_info[:2])
    dice = random.Random(7)
    for _ in range(3000):
        damaged = bytearray(data)
        for _ in range(dice.randint(1, 4)):
            damaged[dice.randrange(len(data))] = dice.randrange(256)
        with contextlib.suppress(TruncatedBinary):
            code = parse_code(bytes(damaged), sys.version_info[:2])
            find_imports(code, sys.version_info[:2], {})
            list(iter_mentioned(code, sys.version_info[:2]))


def test_functions_in_functions_have_a_limit() -> None:
    nested = compile("0", "x", "exec")
    for _ in range(500):
        nested = nested.replace(co_consts=(nested,))
    with pytest.raises(TruncatedBinary, match="nested too deeply"):
        parse_code(marshal.dumps(nested), sys.version_info[:2])
