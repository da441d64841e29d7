"""Where Nuitka's programs hold their code; `tests/mutation` takes files from real ones."""

from __future__ import annotations

import marshal
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from rustext.errors import InvalidBinary
from rustext.formats.binary import map_file
from rustext.verify.bundle.module_tables import NuitkaTable
from rustext.verify.bundle.nuitka_code import NuitkaCode, find_nuitka_code, find_texts

Find = Callable[[bytes], NuitkaCode | None]
MODULES = {"__main__", "json", "json.decoder", "acme", "math"}
TABLE = NuitkaTable(modules=frozenset(MODULES), extensions=frozenset({"math"}))


def section(name: str, *constants: bytes) -> bytes:
    data = b"".join(constants)
    return name.encode() + b"\0" + struct.pack("<IH", len(data) + 2, len(constants)) + data


def blob(data: bytes) -> bytes:
    size, head = len(data), b"X"
    while True:
        head += bytes([size & 0x7F | (0x80 if size > 0x7F else 0)])
        size >>= 7
        if not size:
            return head + data


def code(source: str) -> bytes:
    return marshal.dumps(compile(source, "module", "exec"))


SOURCES = {"json": "import json.decoder\n" + "x = 1\n" * 99, "json.decoder": "import math"}
PROGRAM = b"\0".join((
    b"other bytes .bytecode",
    section(".bytecode", *(blob(code(source)) for source in SOURCES.values()))
    + section("", b"aname\0", b"l\1")
    + section("__main__", b"aacme\0", b"ujson.decoder\0", b"usome text\0")
    + section("acme", b"ajson\0", b"aloads\0"),
    b"more",
))  # fmt: skip


@pytest.fixture
def find(tmp_path: Path) -> Find:
    def look(data: bytes) -> NuitkaCode | None:
        (tmp_path / "program").write_bytes(data)
        with map_file(tmp_path / "program") as mapped:
            return find_nuitka_code(mapped, TABLE)

    return look


def test_bytecode_lies_in_the_order_of_its_names(find: Find) -> None:
    found = find(PROGRAM)
    assert found is not None
    stored = {s.name: PROGRAM[s.offset : s.offset + s.size] for s in found.bytecode}
    assert stored == {name: code(source) for name, source in SOURCES.items()}
    assert {s.name: s.package for s in found.bytecode} == {"json": True, "json.decoder": False}


def test_compiled_modules_name_what_they_import(find: Find) -> None:
    found = find(PROGRAM)
    assert found is not None
    texts = {n: find_texts(PROGRAM[at : at + size]) for n, (at, size) in found.constants.items()}
    assert texts == {
        "__main__": {"acme", "json.decoder"},
        "acme": {"json", "loads"},
    }


def test_what_does_not_fit_the_table_is_not_followed(find: Find) -> None:
    assert find(PROGRAM.replace(b"acme\0", b"acne\0")) is None  # one name without code
    assert find(b"no program of Nuitka's") is None


def test_a_program_that_is_cut_short_anywhere_is_not_followed(find: Find) -> None:
    whole = find(PROGRAM)
    for length in range(1, len(PROGRAM), 7):
        assert find(PROGRAM[:length]) in (None, whole)


def test_code_that_is_not_all_there_is_damage(find: Find) -> None:
    at = PROGRAM.index(blob(code(SOURCES["json.decoder"])))
    with pytest.raises(InvalidBinary, match="the code of 1 of 2 modules"):
        find(PROGRAM[:at] + bytes(8) + PROGRAM[at + 8 :])
