"""Property lists, whole and damaged; plistlib writes them."""

from __future__ import annotations

import plistlib
import random
from pathlib import Path

import pytest

from rustext.formats.macho.property_lists import parse_plist, read_plist

INFO = {"CFBundleExecutable": "app", "CFBundleURLTypes": [{"a": 1, "b": b"data", "c": True}]}
FORMATS = [plistlib.FMT_XML, plistlib.FMT_BINARY]


@pytest.mark.parametrize("fmt", FORMATS)
def test_both_formats_are_read(fmt: plistlib.PlistFormat) -> None:
    assert parse_plist(plistlib.dumps(INFO, fmt=fmt)) == INFO


@pytest.mark.parametrize("content", [b"", b"text", b"<plist", plistlib.dumps([1])])
def test_what_is_no_dictionary_is_empty(content: bytes) -> None:
    assert parse_plist(content) == {}


@pytest.mark.parametrize("fmt", FORMATS)
def test_damaged_lists_raise_nothing(fmt: plistlib.PlistFormat) -> None:
    whole = plistlib.dumps(INFO, fmt=fmt)
    rng = random.Random(1)
    for _ in range(3000):
        data = bytearray(whole[: rng.choice((len(whole), rng.randrange(len(whole))))])
        for _ in range(rng.randrange(1, 4)):
            if data:
                data[rng.randrange(len(data))] = rng.choice((0, 1, 0x7F, 0xFF, rng.randrange(256)))
        assert isinstance(parse_plist(bytes(data)), dict)


def test_a_huge_or_absent_file_is_empty(tmp_path: Path) -> None:
    huge = tmp_path / "Info.plist"
    with huge.open("wb") as stream:
        stream.truncate(10 << 30)
    assert read_plist(huge) == read_plist(tmp_path / "gone") == read_plist(tmp_path) == {}
    huge.write_bytes(plistlib.dumps(INFO))
    assert read_plist(huge) == INFO


def test_entities_are_not_expanded() -> None:
    """https://en.wikipedia.org/wiki/Billion_laughs_attack"""
    bomb = b'<!DOCTYPE p [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><plist><dict/></plist>'
    assert parse_plist(bomb) == {}
