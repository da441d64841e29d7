"""Files of any format: what is read, what is refused and in which words."""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from compiling import MODULE, Compile

from rustext.errors import InvalidBinary, TruncatedBinary, UnknownFormat, UnreadableFile
from rustext.formats.binary import (
    HEAD,
    address_to_offset,
    is_native,
    open_binary,
    parse_binary,
    read_binary,
    read_linkage,
)
from rustext.model.image import Format

NOT_NATIVE = {
    "empty": b"",
    "text": b"MZ is how this text begins, and it goes on for more than sixty-four letters.\n",
    "python": b"#!/usr/bin/env python3\n",
    "java": struct.pack(">IHH", 0xCAFEBABE, 0, 61).ljust(HEAD, b"\0"),
    "zip": b"PK\3\4".ljust(HEAD, b"\0"),
    "archive": b"!<arch>\n".ljust(HEAD, b"\0"),
}


@contextmanager
def as_somebody_else() -> Iterator[None]:
    """Root may read everything, so for a while be nobody."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_each_format_is_known_by_its_magic(
    elf_module: Path, macho_module: Path, pe_module: Path
) -> None:
    for path, expected in (
        (elf_module, Format.ELF),
        (macho_module, Format.MACHO),
        (pe_module, Format.PE),
    ):
        binary = read_binary(path)
        assert binary.path == path
        assert binary.image.format is expected
        assert binary.image.python_inits == ("PyInitU_dmo_1ya", "PyInit_demo")
        assert binary == parse_binary(path.read_bytes(), path)
        assert is_native(path)
        assert is_native(path.read_bytes()[:HEAD])


def test_linkage_is_all_of_the_image_but_sections_versions_and_exports(
    elf_module: Path, macho_module: Path, pe_module: Path
) -> None:
    whole = read_binary(elf_module).image
    assert whole.sections
    assert whole.python_inits
    expected = replace(whole, sections=(), versions=(), python_inits=())
    assert read_linkage(elf_module).image == expected
    for path in (macho_module, pe_module):
        assert read_linkage(path) == read_binary(path)


def test_linkage_of_a_damaged_file_names_it(elf_module: Path, tmp_path: Path) -> None:
    path = tmp_path / "short.so"
    path.write_bytes(elf_module.read_bytes()[:200])
    with pytest.raises(TruncatedBinary, match=rf"cannot read `{path}`: cut short"):
        read_linkage(path)
    with pytest.raises(UnreadableFile, match="no such file"):
        read_linkage(tmp_path / "absent.so")


def test_open_binary_gives_the_bytes_until_the_context_ends(elf_module: Path) -> None:
    with open_binary(elf_module) as (binary, data):
        assert len(data) == binary.image.size == elf_module.stat().st_size
        assert data[:4] == b"\x7fELF"
    assert data.closed


def test_error_inside_the_context_survives_a_view_that_is_still_about(elf_module: Path) -> None:
    views = []

    def fail_with_a_view() -> None:
        with open_binary(elf_module) as (_, data):
            views.append(memoryview(data))
            raise KeyError

    with pytest.raises(KeyError):
        fail_with_a_view()


@pytest.mark.parametrize("name", NOT_NATIVE)
def test_other_files_are_no_native_files(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(NOT_NATIVE[name])
    assert not is_native(path)
    assert not is_native(NOT_NATIVE[name])
    reason = "the file is empty" if name == "empty" else "neither ELF nor Mach-O nor PE"
    with pytest.raises(UnknownFormat) as caught:
        read_binary(path)
    assert str(caught.value) == f"cannot read `{path}`: {reason}"
    with pytest.raises(UnknownFormat, match=reason):
        parse_binary(NOT_NATIVE[name], path)


def test_damaged_file_is_named_in_the_message(elf_module: Path, tmp_path: Path) -> None:
    path = tmp_path / "half.so"
    path.write_bytes(elf_module.read_bytes()[:3000])
    with pytest.raises(TruncatedBinary) as caught:
        read_binary(path)
    assert str(caught.value).startswith(f"cannot read `{path}`: cut short: ")
    assert isinstance(caught.value.__cause__, InvalidBinary)


def test_missing_file_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "missing.so"
    for attempt in (read_binary, is_native):
        with pytest.raises(UnreadableFile) as caught:
            attempt(path)
        assert str(caught.value) == f"cannot read `{path}`: no such file or directory"


def test_path_with_a_nul_is_unreadable() -> None:
    for attempt in (read_binary, is_native):
        with pytest.raises(UnreadableFile, match="embedded null"):
            attempt(Path("a\0b"))


def test_directory_is_unreadable(tmp_path: Path) -> None:
    assert not is_native(tmp_path)
    with pytest.raises(UnreadableFile) as caught:
        read_binary(tmp_path)
    assert str(caught.value) == f"cannot read `{tmp_path}`: it is a directory"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no FIFOs in the file system")
def test_fifo_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    assert not is_native(path)
    with pytest.raises(UnreadableFile, match=r"it is not a regular file$"):
        read_binary(path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps rights elsewhere")
def test_file_that_may_not_be_read_is_unreadable(elf_module: Path, tmp_path: Path) -> None:
    path = tmp_path / "secret.so"
    path.write_bytes(elf_module.read_bytes())
    path.chmod(0)
    for attempt in (read_binary, is_native):
        with as_somebody_else(), pytest.raises(UnreadableFile) as caught:
            attempt(path)
        assert str(caught.value) == f"cannot read `{path}`: permission denied"


def test_an_address_leads_to_its_offset(
    elf_module: Path, macho_module: Path, pe_module: Path
) -> None:
    for path in (elf_module, macho_module, pe_module):
        image = read_binary(path).image
        stored = [s for s in image.sections if s.size and s.address]
        assert stored
        for section in stored:
            last = section.size - 1
            for step in (0, last):
                assert address_to_offset(image, section.address + step) == section.offset + step


def test_address_without_a_byte_in_the_file_has_no_offset(gcc: Compile) -> None:
    path = gcc("bss.so", MODULE + "char room[100000];", "-shared", "-fPIC")
    image = read_binary(path).image
    data = next(s for s in image.segments if s.memory_size > s.size)
    assert address_to_offset(image, data.address + data.size) is None
    assert address_to_offset(image, data.address + data.memory_size + (1 << 40)) is None
