"""x86-64 instructions, against objdump."""

from __future__ import annotations

import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from compiling import Compile
from crates import build_crate

from rustext.formats.binary import address_to_offset, open_binary
from rustext.imports.strings.machine import x86_64 as x86
from rustext.imports.strings.machine.state import State, Turn

_LINE = re.compile(r" *([0-9a-f]+):\t(\S+)")


def listing(path: Path) -> list[tuple[int, str]]:
    command = ["objdump", "-d", "-w", "--no-show-raw-insn", "-j", ".text", str(path)]
    text = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout
    return [(int(m[1], 16), m[2]) for m in map(_LINE.match, text.splitlines()) if m]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Rust library: most of its code is the standard library's."""
    return build_crate("rust_strings", tmp_path_factory.mktemp("target"))


def assert_lengths_agree(path: Path) -> None:
    lines = listing(path)
    assert len(lines) > 20
    with open_binary(path) as (binary, data):
        for (address, name), (following, _) in pairwise(lines):
            offset = address_to_offset(binary.image, address)
            assert offset is not None
            ins = x86.decode(data[offset : offset + 16], 0)
            length = ins.length if ins else None
            assert length == following - address or name == "(bad)", f"{name} at {address:#x}"


def test_lengths_of_real_code_are_those_of_objdump(library: Path) -> None:
    assert_lengths_agree(library)


def test_lengths_of_vector_code_are_those_of_objdump(gcc: Compile) -> None:
    source = """
    void f(double *a, double *b, unsigned n) { while (n--) { a[n] = b[n] * 3 + a[n] / b[n]; } }
    void g(int *a, short *b, unsigned n) { while (n--) { a[n] += b[n] << 3 ^ a[n] >> 1; } }
    """
    for feature in ("-mavx2", "-mavx512vl", "-msse4.2"):
        path = gcc("vector.so", source, "-shared", "-fPIC", "-O3", feature, "-mfma")
        assert_lengths_agree(path)


def test_cut_code_is_no_instruction() -> None:
    lea = bytes.fromhex("488d3544332211")
    assert x86.decode(lea, 0) is not None
    for cut in range(len(lea)):
        assert x86.decode(lea[:cut], 0) is None


def run(code: str) -> State:
    state, machine, raw, at = State(), x86.X86(), bytes.fromhex(code), 0
    while at < len(raw):
        step = machine.run(state, raw, at, 0x1000 + at)
        assert step is not None
        at += step.length
    return state


def test_lea_counts_from_the_next_instruction() -> None:
    state = run("488d3510000000")  # lea rsi, [rip+0x10]
    assert state.registers[x86.RSI] == 0x1000 + 7 + 0x10


def test_push_and_pop_carry_a_constant() -> None:
    assert run("6a095a").registers[x86.RDX] == 9  # push 9; pop rdx


def test_a_stored_pair_is_loaded_again() -> None:
    # mov qword [rsp+8], 7; mov rdi, rsp; mov rsi, [rdi+8]
    assert run("48c7442408070000004889e7488b7708").registers[x86.RSI] == 7


def test_a_pair_is_copied_through_a_vector_register() -> None:
    # mov [rsp], rsi; mov [rsp+8], rdx; movups xmm0, [rsp]; movups [rsp+32], xmm0; mov rax, [rsp+40]
    state = run("4889342448895424080f1004240f11442420488b442428")
    assert state.registers[x86.RAX] == ("in", x86.RDX)


def test_arithmetic_makes_a_register_unknown() -> None:
    assert run("ba07000000480faffa").registers[x86.RDI] != ("in", x86.RDI)  # imul rdi, rdx
    assert run("ba0700000083c201").registers[x86.RDX] == 8  # add edx, 1
    assert run("ba07000000c1e202").registers[x86.RDX] not in (7, 28)  # shl edx, 2


def test_a_call_through_a_slot_names_the_slot() -> None:
    step = x86.X86().run(State(), bytes.fromhex("ff1510000000"), 0, 0x1000)
    assert step is not None
    assert step.flow is not None
    assert (step.flow.turn, step.flow.slot) == (Turn.CALL, 0x1016)
