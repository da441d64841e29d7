"""A library that ends too early; the loader is asked what it makes of it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from compiling import Compile

from rustext.errors import RustextError, UnmappedBinary
from rustext.formats.binary import parse_binary

SOURCE = "int table[40000] = {1}; int *get(void) { return table; }"


def test_a_library_without_its_dynamic_section_ends_the_process(gcc: Compile) -> None:
    whole = gcc("libcut.so", SOURCE, "-shared", "-fPIC").read_bytes()
    cut = Path(gcc("libcut.so", SOURCE, "-shared", "-fPIC")).with_name("libshort.so")
    fatal = []
    for size in range(4096, len(whole), 4096):
        cut.write_bytes(whole[:size])
        command = [sys.executable, "-c", f"import ctypes; ctypes.CDLL({str(cut)!r})"]
        ended = subprocess.run(command, capture_output=True, check=False, timeout=60).returncode
        try:
            parse_binary(cut.read_bytes(), cut)
        except UnmappedBinary:
            fatal.append(size)
            assert ended == -signal.SIGBUS, size
        except RustextError:
            pass
    assert fatal
    with pytest.raises(UnmappedBinary):
        parse_binary(whole[:4096], cut)
