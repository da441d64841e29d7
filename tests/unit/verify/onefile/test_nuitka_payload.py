"""The payload of Nuitka's one-file programs, in each layout, whole and damaged.

`tests/freezing/test_onefile.py` reads one that Nuitka itself wrote.
"""

from __future__ import annotations

import itertools
import struct
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from natives import mapped
from onefiles import LIBZSTD, Files, payload, zstd

from rustext.errors import InvalidBinary, InvalidBundle, TruncatedBinary
from rustext.formats.binary import read_binary
from rustext.model.image import Format
from rustext.verify.onefile import zstd as decompression
from rustext.verify.onefile.nuitka_payload import Layout, find_payload, iter_entries

FILES: Files = [
    ("app.bin", b"\x7fELF" + b"program" * 5000),
    ("pkg/lib.so", b"\x7fELF" + bytes(100_000)),
    ("pkg/link.so", "lib.so"),
    ("empty", b""),
    ("odd \udcff name", b"KAX" * 5),
]
LAYOUTS = [
    {"compressed": c, "archive": a, "checksums": s}
    for c, a, s in itertools.product((False, True), repeat=3)
    if c or not a
]
BEFORE = b"\x7fELF bootstrap KA KAX\0KAXwrong\0\1" + bytes(40)


def entries(path: Path, layout: Layout) -> Files:
    with path.open("rb") as stream:
        return [
            (e.name, e.link if e.link is not None else b"".join(e.chunks))
            for e in iter_entries(stream, layout)
        ]


def layouts(path: Path, *, windows: bool = False) -> tuple[Layout, ...]:
    image = read_binary(Path(sys.executable)).image
    with mapped(path) as data:
        return find_payload(replace(image, format=Format.PE) if windows else image, data)


def read(path: Path, *, windows: bool = False) -> Files | None:
    """What the first layout that fits gives, as `open_bundle` takes it."""
    for layout in layouts(path, windows=windows):
        try:
            return entries(path, layout)
        except InvalidBinary:
            continue
    return None


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("after", [b"", b"section headers" * 99], ids=["end", "inside"])
def test_each_layout_is_read(layout: dict[str, bool], after: bytes, tmp_path: Path) -> None:
    path = tmp_path / "app"
    path.write_bytes(BEFORE + payload(FILES, **layout) + after)
    assert read(path) == FILES


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_windows_names_are_wider_and_there_are_no_flags(
    layout: dict[str, bool], tmp_path: Path
) -> None:
    files: Files = [
        ("app.dll", b"MZ" + b"x" * 999),
        ("pkg\\l\u00e4ngst\u0101.pyd", b"MZ"),
        ("e", b""),
    ]
    path = tmp_path / "app.exe"
    path.write_bytes(b"MZ" + bytes(60) + payload(files, windows=True, **layout) + b"signature")
    assert read(path, windows=True) == files


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"KAX", b"KAY\x28\xb5\x2f\xfd", BEFORE * 50])
def test_another_program_has_none(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "app"
    path.write_bytes(content + b"\0")
    assert read(path) is None


def test_not_every_place_that_begins_like_a_payload_is_followed_to_the_end(tmp_path: Path) -> None:
    """Each is an entry of all before it: to follow each one takes the square of the time."""
    path = tmp_path / "app"
    path.write_bytes(b"KAXa\0\0" + bytes(8) + b"KAXa\0\0" + bytes(8) + payload(FILES))
    assert read(path) == FILES
    path.write_bytes((b"KAXa\0\0" + bytes(8)) * 40_000)
    begin = time.process_time()
    assert read(path) is None
    assert time.process_time() - begin < 5


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_one_that_is_cut_short_is_never_taken_for_a_whole_one(
    layout: dict[str, bool], tmp_path: Path
) -> None:
    whole = payload(FILES, **layout)
    step = max(1, len(whole) // 60)
    for end in (*range(0, len(whole) - 8, step), len(whole) - 9):
        path = tmp_path / "app"
        path.write_bytes(BEFORE + whole[:end])
        assert read(path) is None, end


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_changed_bytes_raise_nothing_else(layout: dict[str, bool], tmp_path: Path) -> None:
    whole = payload([(n, c[:300]) for n, c in FILES], **layout)
    for at in range(0, len(whole), 3):
        changed = bytearray(BEFORE + whole)
        changed[len(BEFORE) + at] ^= 0xFF
        path = tmp_path / "app"
        path.write_bytes(changed)
        for layout_found in layouts(path):
            with pytest.MonkeyPatch.context():
                try:
                    entries(path, layout_found)
                except (InvalidBinary, InvalidBundle):
                    continue


@pytest.mark.parametrize("size", [1 << 62, (1 << 64) - 1, 1 << 40])
@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_a_crafted_size_is_refused(layout: dict[str, bool], size: int, tmp_path: Path) -> None:
    name = b"a\0\1"
    body = name + struct.pack("<Q", size) + bytes(64)
    compressed = layout["compressed"] and not layout["archive"]
    start = b"KAY" if layout["compressed"] else b"KAX"
    path = tmp_path / "app"
    path.write_bytes(BEFORE + start + (zstd(body) if compressed else body) + bytes(64))
    assert read(path) is None


def test_a_checksum_tells_of_damage_in_a_plain_payload(tmp_path: Path) -> None:
    whole = bytearray(payload(FILES, checksums=True))
    whole[whole.index(b"programprogram")] ^= 1
    path = tmp_path / "app"
    path.write_bytes(BEFORE + whole)
    (layout,) = layouts(path)
    with pytest.raises(TruncatedBinary, match=r"`app\.bin` has another checksum"):
        entries(path, layout)


# --- Zstandard --------------------------------------------------------------------------------

READERS = [
    decompression._with_zstandard,
    decompression._with_system_library,
    *([decompression._with_standard_library] if sys.version_info >= (3, 14) else []),
]


@pytest.mark.parametrize("reader", READERS, ids=lambda r: r.__name__)
def test_each_way_to_decompress_gives_what_libzstd_was_given(
    reader: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in ("_with_standard_library", "_with_zstandard", "_with_system_library"):
        monkeypatch.setattr(
            decompression, other, reader if reader.__name__ == other else lambda _: None
        )  # type: ignore[attr-defined]
    path = tmp_path / "app"
    path.write_bytes(payload(FILES, compressed=True))
    (layout, _) = layouts(path)
    assert entries(path, layout) == FILES
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TruncatedBinary):
        entries(path, layout)
    path.write_bytes(whole[:20] + b"\xff" * 20 + whole[40:])
    with pytest.raises(TruncatedBinary):
        entries(path, layout)


def test_without_any_of_them_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_with_standard_library", "_with_zstandard", "_with_system_library"):
        monkeypatch.setattr(decompression, name, lambda _: None)
    path = tmp_path / "app"
    path.write_bytes(payload(FILES, compressed=True))
    with pytest.raises(InvalidBundle) as refused:
        entries(path, layouts(path)[0])
    assert refused.value.hint is not None
    assert "rustext[onefile]" in refused.value.hint
    assert LIBZSTD in decompression._SONAMES
