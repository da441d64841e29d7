"""The archive at the end of a PyInstaller program, written here as its manual describes it.

`tests/freezing/test_bundle_tables.py` reads archives that PyInstaller itself wrote.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from archives import MAGIC, archive, pyz
from natives import mapped

from rustext.errors import TruncatedBinary
from rustext.formats.marshal_reader import parse_marshal
from rustext.verify.bundle import pyinstaller_archive
from rustext.verify.bundle.pyinstaller_archive import Archive, Member, parse_archive

TABLE = [("app", (0, 17, 10)), ("pkg", (1, 27, 10)), ("pkg.mod", (0, 37, 10))]


def parse(tmp_path: Path, data: bytes) -> Archive | None:
    (tmp_path / "program").write_bytes(data)
    with mapped(tmp_path / "program") as view:
        return parse_archive(view)


GOOD = [(b"m", "struct", b"code"), (b"M", "pkg2", b"code"), (b"s", "pyiboot01", b"x"),
        (b"s", "app", b"x"), (b"b", "libz.so.1", b"\x7fELF"),
        (b"z", "PYZ.pyz", pyz(TABLE))]  # fmt: skip


@pytest.mark.parametrize("table", [TABLE, dict(TABLE)], ids=["list", "dict"])
@pytest.mark.parametrize("before", [b"", b"\x7fELF" + b"bootloader" * 999], ids=["bare", "program"])
def test_the_modules_and_scripts_are_read(table: Any, before: bytes, tmp_path: Path) -> None:
    found = parse(tmp_path, before + archive([*GOOD[:-1], (b"z", "PYZ.pyz", pyz(table))]))
    assert found is not None
    assert found.python == (3, 11)
    assert found.modules == frozenset({"app", "pkg", "pkg.mod", "struct", "pkg2"})
    assert found.scripts == ("pyiboot01", "app")
    assert found.library == "libpython3.11.so"
    (library,) = found.members
    at = len(before) + len(b"codecodexx")
    assert library == Member(
        name="libz.so.1",
        offset=at,
        size=4,
        full_size=4,
        compressed=False,
        link=False,
        binary=True,
    )


def test_a_signature_behind_the_cookie_is_no_hindrance(tmp_path: Path) -> None:
    """codesign and signtool append to the file."""
    found = parse(tmp_path, b"MZ" + archive(GOOD) + b"\0" * 5000)
    assert found is not None
    assert "pkg.mod" in found.modules


@pytest.mark.parametrize("data", [b"\x7fELF", MAGIC, b"x" * 500 + MAGIC + b"x" * 79])
def test_another_program_has_no_archive(data: bytes, tmp_path: Path) -> None:
    assert parse(tmp_path, data) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PYZ\0",
        pyz(TABLE, magic=b"NOPE"),
        pyz([1, 2]),
        pyz(3),
        pyz([("a", "b", "c")]),
        pyz({1: (0, 0, 0)}),
        pyz([(b"bytes", 1)]),
        pyz(TABLE)[:-20],
        b"PYZ\0" + b"\0" * 4 + b"\x7f\xff\xff\xff" + b"\0" * 20,
    ],
    ids=range(10),
)
def test_a_module_archive_that_is_damaged_is_refused(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(TruncatedBinary):
        parse(tmp_path, archive([(b"z", "PYZ.pyz", content)]))


def share(entries: int, data: bytes) -> bytes:
    """An archive whose entries all have the bytes of its first one."""
    raw = archive([(b"z", f"PYZ{n:03}.pyz", b"" if n else data) for n in range(entries)])
    toc = raw[len(data) : -88]
    step = len(toc) // entries
    parts = (toc[at : at + step] for at in range(0, len(toc), step))
    return data + b"".join(part[:4] + toc[4:16] + part[16:] for part in parts) + raw[-88:]


def test_a_module_archive_that_many_entries_name_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []

    def count(data: bytes) -> Any:
        read.append(len(data))
        return parse_marshal(data)

    monkeypatch.setattr(pyinstaller_archive, "parse_marshal", count)
    found = parse(tmp_path, share(100, pyz(TABLE)))
    assert found is not None
    assert found.modules == {"app", "pkg", "pkg.mod"}
    assert len(read) == 1


def test_many_module_archives_are_refused(tmp_path: Path) -> None:
    entries = [(b"z", f"PYZ{n}.pyz", pyz(TABLE)) for n in range(9)]
    assert parse(tmp_path, archive(entries[:2])) is not None
    with pytest.raises(TruncatedBinary, match="more than 8 module archives"):
        parse(tmp_path, archive(entries))


@pytest.mark.parametrize("field", range(3))
@pytest.mark.parametrize("value", [0x7FFFFFFF, 0xFFFFFFFF, 1 << 20])
def test_a_cookie_that_points_outside_is_refused(field: int, value: int, tmp_path: Path) -> None:
    data = bytearray(archive(GOOD))
    struct.pack_into("!I", data, data.rfind(MAGIC) + 8 + 4 * field, value)
    with pytest.raises(TruncatedBinary):
        parse(tmp_path, bytes(data))


@pytest.mark.parametrize("size", [0, 1, 17, 0xFFFFFFFF])
def test_an_entry_with_an_impossible_length_is_refused(size: int, tmp_path: Path) -> None:
    data = bytearray(archive(GOOD))
    at = sum(len(content) for _, _, content in GOOD)
    struct.pack_into("!I", data, at, size)
    with pytest.raises(TruncatedBinary):
        parse(tmp_path, bytes(data))


def test_a_program_that_is_cut_short_raises_nothing_else(tmp_path: Path) -> None:
    whole = archive(GOOD)
    for end in range(1, len(whole), 5):
        for data in (whole[:end], whole[end:]):
            try:
                found = parse(tmp_path, data)
            except TruncatedBinary:
                continue
            assert found is None
