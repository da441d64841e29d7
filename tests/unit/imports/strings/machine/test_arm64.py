"""AArch64 instructions; their words are those of the GNU assembler."""

from __future__ import annotations

from collections.abc import Callable

from compiling import Compile

from rustext.formats.binary import open_binary
from rustext.imports.strings.machine.arm64 import Arm64
from rustext.imports.strings.machine.state import Flow, Region, State, Turn

PLACE = 0x10000


def run(*words: int) -> State:
    state, machine = State(), Arm64()
    code = b"".join(word.to_bytes(4, "little") for word in words)
    for at in range(0, len(code), 4):
        assert machine.run(state, code, at, PLACE + at) is not None
    return state


def flow(word: int) -> Flow | None:
    step = Arm64().run(State(), word.to_bytes(4, "little"), 0, PLACE)
    assert step is not None
    return step.flow


def test_adrp_and_add_make_an_address() -> None:
    # adrp x1, PLACE + 0x5000; add x1, x1, #0x123
    assert run(0xB0000001 | 1 << 5, 0x91048C21).registers[1] == PLACE + 0x5123


def test_movz_makes_a_constant() -> None:
    assert run(0x52800122).registers[2] == 9  # mov w2, #9
    assert run(0xD2800122).registers[2] == 9  # mov x2, #9


def test_moves_carry_values_and_xzr_is_zero() -> None:
    assert run(0xAA0103E0).registers[0] == ("in", 1)  # mov x0, x1
    assert run(0xAA1F03E0).registers[0] == 0  # mov x0, xzr


def test_a_stored_pair_is_loaded_again() -> None:
    # stp x1, x2, [sp, #-32]!; mov x0, sp; ldp x3, x4, [x0]
    state = run(0xA9BE0BE1, 0x910003E0, 0xA9401003)
    assert state.registers[3:5] == [("in", 1), ("in", 2)]


def test_a_pair_is_copied_through_a_vector_register() -> None:
    # stp x1, x2, [sp]; ldr q0, [sp]; str q0, [sp, #32]; ldr x5, [sp, #40]
    state = run(0xA9000BE1, 0x3DC003E0, 0x3D800BE0, 0xF94017E5)
    assert state.registers[5] == ("in", 2)


def test_turns() -> None:
    assert flow(0x94000004) == Flow(Turn.CALL, PLACE + 16)
    assert flow(0x17FFFFFF) == Flow(Turn.JUMP, PLACE - 4)
    assert flow(0xB4000040) == Flow(Turn.BRANCH, PLACE + 8)  # cbz x0
    assert flow(0x54000041) == Flow(Turn.BRANCH, PLACE + 8)  # b.ne
    assert flow(0x37000040) == Flow(Turn.BRANCH, PLACE + 8)  # tbnz w0, #0
    assert flow(0xD65F03C0) == Flow(Turn.RETURN)
    assert flow(0xD4200020) == Flow(Turn.TRAP)  # brk #1
    assert flow(0x52800122) is None


def test_a_call_through_a_loaded_slot_names_the_slot() -> None:
    # adrp x8, PLACE; ldr x8, [x8, #16]; blr x8
    words = (0x90000008, 0xF9400908, 0xD63F0100)
    code = b"".join(word.to_bytes(4, "little") for word in words)
    state, machine = State(), Arm64()
    for at in (0, 4):
        machine.run(state, code, at, PLACE + at)
    step = machine.run(state, code, 8, PLACE + 8)
    assert step is not None
    assert step.flow == Flow(Turn.CALL, slot=PLACE + 16)


def test_adr_is_found_where_the_linker_put_it(zig: Callable[[str], Compile]) -> None:
    """Lld turns ADRP and ADD into ADR where the address is near."""
    source = 'const char *near(void) { return "near"; }'
    path = zig("aarch64-linux-gnu")("near.so", source, "-shared", "-fPIC", "-O2")
    with open_binary(path) as (binary, data):
        sections = {s.name: s for s in binary.image.sections}
        text, rodata = sections[".text"], sections[".rodata"]
        code = Region(address=text.address, offset=text.offset, size=text.size)
        end = rodata.address + rodata.size
        found = list(Arm64().iter_addresses(data, code, rodata.address, end))
        assert [target for _, target in found] == [rodata.address]
