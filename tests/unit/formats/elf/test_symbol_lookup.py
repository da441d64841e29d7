"""What a library offers is what `dlsym` finds in it."""

from __future__ import annotations

import ctypes

import pytest
from compiling import Compile

from rustext.formats.elf.symbol_lookup import Wanted, parse_elf_offered

SOURCE = "int first(void) { return 1; } int second(void) { return 2; }"


@pytest.mark.parametrize("style", ["gnu", "both"])
def test_a_name_that_its_hash_does_not_fit_is_not_found(style: str, gcc: Compile) -> None:
    whole = gcc("libwhole.so", SOURCE, "-shared", "-fPIC", f"-Wl,--hash-style={style}")
    damaged = whole.with_name(f"lib{style}.so")
    damaged.write_bytes(whole.read_bytes().replace(b"\0second\0", b"\0secind\0"))
    offered = parse_elf_offered(damaged.read_bytes())
    library = ctypes.CDLL(str(damaged))
    assert offered.has_name("secind")
    for name in ("first", "second", "secind"):
        assert offered.has(Wanted(name, None, None)) is hasattr(library, name), name
