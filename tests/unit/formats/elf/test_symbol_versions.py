"""Dynamic symbols and the versions that they need, as readelf (binutils) lists them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from compiling import Compile

from rustext.errors import InvalidBinary
from rustext.formats.elf.image import parse_elf, parse_elf_symbols

SOURCE = """
#include <math.h>
#include <stdio.h>
#include <sys/random.h>
int offered(void) { return 0; }
extern int absent(void) __attribute__((weak));
int asks(double x) { char b[4]; return (int)exp(x) + getrandom(b, 4, 0) + (absent ? absent() : 0); }
"""
MAIN = SOURCE + 'int main(void) { fputs("text", stdout); return asks(0.0); }'


@pytest.fixture(scope="module", params=["gnu", "sysv", "both"])
def library(request: pytest.FixtureRequest, gcc: Compile) -> Path:
    return gcc(
        f"{request.param}.so",
        SOURCE,
        "-shared",
        "-fPIC",
        "-lm",
        f"-Wl,--hash-style={request.param}",
    )


def readelf(path: Path) -> set[tuple[str, str, bool, bool]]:
    """Name, needed version, defined and weak of each symbol."""
    done = subprocess.run(
        ["readelf", "-W", "--dyn-syms", path], capture_output=True, text=True, check=True
    )
    found = set()
    for line in done.stdout.splitlines():
        words = line.split()
        if len(words) >= 8 and words[0].rstrip(":").isdigit() and words[4] != "LOCAL":
            name, _, version = words[7].partition("@")
            undefined = words[6] == "UND"
            version = "" if version.startswith("@") else version
            found.add((name, version, not undefined, undefined and words[4] == "WEAK"))
    return found


def ours(path: Path) -> set[tuple[str, str, bool, bool]]:
    symbols = parse_elf_symbols(path.read_bytes())
    return {(s.name, s.needs.version if s.needs else "", s.defined, s.weak) for s in symbols}


def test_the_symbols_are_those_that_readelf_lists(library: Path) -> None:
    assert ours(library) == readelf(library)


def test_a_weak_symbol_is_told_apart(library: Path) -> None:
    weak = {s.name for s in parse_elf_symbols(library.read_bytes()) if s.weak}
    assert "absent" in weak
    assert "exp" not in weak


def test_a_version_is_that_of_the_library_that_has_it(library: Path) -> None:
    symbols = {s.name: s.needs for s in parse_elf_symbols(library.read_bytes())}
    needs = symbols["getrandom"]
    assert needs is not None
    assert (needs.library, needs.version) == ("libc.so.6", "GLIBC_2.25")
    assert needs in parse_elf(library.read_bytes()).versions


def test_a_program_s_copy_of_a_library_s_data_keeps_its_version(gcc: Compile) -> None:
    program = gcc("copied", MAIN, "-no-pie", "-lm", "-Wl,--hash-style=gnu")
    assert ours(program) == readelf(program)
    (stdout,) = [s for s in parse_elf_symbols(program.read_bytes()) if s.name == "stdout"]
    assert stdout.defined
    assert stdout.needs is not None
    assert stdout.needs.version.startswith("GLIBC_")


@pytest.mark.parametrize("target", ["s390x-linux-musl", "powerpc-linux-musl", "aarch64-linux-musl"])
def test_both_byte_orders_and_word_sizes(target: str, zig: Callable[[str], Compile]) -> None:
    source = "int takes(void); int gives(void) { return takes(); }"
    path = zig(target)("lib.so", source, "-shared", "-fPIC")
    assert {("takes", "", False, False), ("gives", "", True, False)} <= ours(path) == readelf(path)


def test_a_static_file_has_none(gcc: Compile) -> None:
    static = gcc("static", "int main(void) { return 0; }", "-static")
    assert parse_elf_symbols(static.read_bytes()) == ()


def symbol_names(data: bytes) -> list[str] | None:
    """None where the file is refused: any other end of a damaged file is a defect."""
    try:
        return [s.name for s in parse_elf_symbols(data)]
    except InvalidBinary:
        return None


def test_a_file_that_is_cut_short_is_refused(library: Path) -> None:
    data = library.read_bytes()
    end = max(s.offset + s.size for s in parse_elf(data).segments)
    assert all(symbol_names(data[:size]) is None for size in range(0, end, 97))


def test_flipped_bytes_end_in_an_error_or_an_answer(library: Path) -> None:
    data = bytearray(library.read_bytes())
    answers = []
    for at in range(0, len(data), 13):
        data[at] ^= 0xFF
        answers.append(symbol_names(bytes(data)))
        data[at] ^= 0xFF
    assert None in answers
    assert symbol_names(bytes(data)) in answers


def test_a_program_without_symbols_of_its_own_has_those_of_others(gcc: Compile) -> None:
    program = gcc("plain", "int main(void) { return 0; }", "-Wl,--hash-style=gnu")
    assert ours(program) == readelf(program)
    assert any(not s.defined for s in parse_elf_symbols(program.read_bytes()))
