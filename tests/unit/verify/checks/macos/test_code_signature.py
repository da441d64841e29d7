"""Code signatures, whole and broken.

Those of zig and of published wheels (tests/loader_rules/test_macos_bundles.py) are the second
source for what is whole; `signing` makes the kinds that zig does not, from Apple's header.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import signing
from compiling import Compile
from signing import fat

from rustext.environment.environment import stdlib_environment
from rustext.errors import InvalidBinary
from rustext.formats.binary import parse_binary
from rustext.formats.macho.code_signature import iter_damage, parse_signature
from rustext.formats.macho.image import parse_macho
from rustext.model.findings import Finding, Severity
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.checks.macos.code_signature import check_signatures
from rustext.verify.facts.native.loaded_files import LoadedFiles
from rustext.verify.subject import Subject
from rustext.verify.verify import read_subject, verify

PAGE = 1 << 14  # bytes: the linker's pages on arm64, those of the kernel there
MAIN = "int main(void) { return 0; }"
TABLE = "const char table[100000] = {1, 2, 3}; const char *get(void) { return table; }"


@pytest.fixture(scope="session")
def program(zig: Callable[[str], Compile]) -> bytes:
    return zig("aarch64-macos")("app", MAIN, "-lSystem").read_bytes()


@pytest.fixture(scope="session")
def library(zig: Callable[[str], Compile]) -> bytes:
    """A library of several pages for arm64, which zig signs."""
    return zig("aarch64-macos")("lib.dylib", TABLE, "-shared").read_bytes()


@pytest.fixture(scope="session")
def intel(zig: Callable[[str], Compile]) -> bytes:
    """The same for x86-64, which zig does not sign."""
    return zig("x86_64-macos")("lib.dylib", TABLE, "-shared").read_bytes()


def damage(data: bytes) -> list[str]:
    (image,) = parse_macho(data)
    signature = parse_signature(data, image)
    assert signature is not None
    return list(iter_damage(data, image, signature))


def flip(data: bytes, offset: int) -> bytes:
    return data[:offset] + bytes([data[offset] ^ 0xFF]) + data[offset + 1 :]


# --- what is signed ---------------------------------------------------------------------------


def test_the_linkers_own_signature_is_whole(library: bytes) -> None:
    (image,) = parse_macho(library)
    signature = parse_signature(library, image)
    assert signature is not None
    assert (signature.ad_hoc, signature.linker_signed, signature.team) == (True, True, None)
    assert damage(library) == []
    # the same, from the header alone: the table of hashes stands in the file as it should
    assert image.signature is not None
    end = image.signature[0]
    pages = [library[i : min(i + PAGE, end)] for i in range(0, end, PAGE)]
    table = b"".join(hashlib.sha256(page).digest() for page in pages)
    assert table in library[end:]


def test_each_changed_page_is_named_and_no_other(library: bytes) -> None:
    (image,) = parse_macho(library)
    assert image.signature is not None
    end = image.signature[0]
    assert end > 5 * PAGE
    for page in range(0, end, PAGE):
        for offset in (page + 4, min(page + PAGE - 1, end - 1)):
            assert damage(flip(library, offset)) == [f"changed since: {PAGE} bytes at {page:#x}"]


def test_a_changed_hash_is_found(library: bytes) -> None:
    (image,) = parse_macho(library)
    assert image.signature is not None
    first = library.index(hashlib.sha256(library[:PAGE]).digest(), image.signature[0])
    assert damage(flip(library, first + 32)) == [f"changed since: {PAGE} bytes at {PAGE:#x}"]


def test_a_signature_of_another_length_is_found(library: bytes) -> None:
    (image,) = parse_macho(library)
    assert image.signature is not None
    start = image.signature[0]
    limit = library.index(struct.pack(">I", 0xFADE0C02), start) + 32
    assert struct.unpack_from(">I", library, limit) == (start,)
    shorter = library[:limit] + struct.pack(">I", start - PAGE) + library[limit + 4 :]
    assert f"covers {start - PAGE:#x} bytes of {start:#x}" in damage(shorter)
    longer = library[:limit] + struct.pack(">I", start + 4 * PAGE) + library[limit + 4 :]
    assert any("too few" in line for line in damage(longer))


@pytest.mark.parametrize("types", [(1,), (2,), (3,), (4,), (1, 2), (1, 4, 2)])
def test_each_kind_of_hash_is_computed(library: bytes, types: tuple[int, ...]) -> None:
    signed = signing.sign(library, types=types)
    assert damage(signed) == []
    assert damage(flip(signed, 9000)) == ["changed since: 4096 bytes at 0x2000"]
    (image,) = parse_macho(signed)
    signature = parse_signature(signed, image)
    assert signature is not None
    # https://github.com/apple-oss-distributions/xnu/blob/main/bsd/kern/ubc_subr.c, hashPriorities
    strongest = max(types, key=(1, 3, 2, 4).index)
    assert signature.directories[0].hash_type == strongest


def test_all_code_directories_have_to_agree(library: bytes) -> None:
    signed = signing.sign(library, types=(1, 2))
    old = hashlib.sha1(signed[4096:8192]).digest()
    assert damage(flip(signed, signed.index(old))) == ["changed since: 4096 bytes at 0x1000"]


def test_entitlements_are_hashed_too(program: bytes) -> None:
    signed = signing.sign(program, entitlements=signing.DISABLE_LIBRARY_VALIDATION)
    assert damage(signed) == []
    (image,) = parse_macho(signed)
    signature = parse_signature(signed, image)
    assert signature is not None
    assert signature.entitlements() == signing.DISABLE_LIBRARY_VALIDATION
    changed = signed.replace(b"<true/>", b"<null/>")
    assert damage(changed) == ["the entitlements are not those that were signed"]


def test_a_damaged_signature_raises_nothing_else(library: bytes) -> None:
    (image,) = parse_macho(library)
    assert image.signature is not None
    start, size = image.signature
    for offset in range(start, start + min(size, 200)):
        for value in (0x00, 0x7F, 0xFF):
            broken = library[:offset] + bytes([value]) + library[offset + 1 :]
            try:
                damage(broken)
            except InvalidBinary:
                continue


# --- what that means --------------------------------------------------------------------------


@pytest.fixture
def findings(tmp_path: Path) -> Callable[..., list[Finding]]:
    """Judge a folder with a program and one library."""

    def judge(app: bytes, lib: bytes) -> list[Finding]:
        root = tmp_path / "app.dist"
        root.mkdir()
        (root / "app").write_bytes(app)
        (root / "lib.dylib").write_bytes(lib)
        bundle = read_bundle(root)
        loaded = LoadedFiles(bundle, ())
        subject = Subject(bundle=bundle, stdlib=stdlib_environment(), edges=(), loaded=loaded)
        return list(check_signatures(subject))

    return judge


def errors(found: list[Finding]) -> list[tuple[str, str]]:
    assert {f.id for f in found} <= {"signature"}
    return [(f.severity.value, f.subject) for f in found if f.severity is not Severity.NOTE]


def test_a_program_that_nobody_has_signed_gets_a_note(findings, program, library) -> None:
    (note,) = findings(program, library)
    assert note.severity is Severity.NOTE
    assert "signed ad hoc, by the linker" in note.message


def test_a_signed_program_with_its_libraries_is_clean(findings, program, library) -> None:
    hardened = signing.sign(program, flags=signing.RUNTIME, team="ABCDE12345")
    assert findings(hardened, signing.sign(library, flags=0, team="ABCDE12345")) == []


def test_unsigned_code_is_an_error_on_arm64(findings, program, library) -> None:
    assert parse_macho(signing.unsigned(library))[0].signature is None
    found = findings(program, signing.unsigned(library))
    assert errors(found) == [("error", "app.dist/lib.dylib")]
    assert "is not signed, and will not be loaded" in found[0].message


def test_unsigned_code_is_allowed_on_x86_64(findings, program, intel) -> None:
    assert errors(findings(program, intel)) == []


def test_a_broken_signature_is_an_error_on_arm64(findings, program, library) -> None:
    (found, _) = findings(program, flip(library, PAGE))
    assert found.severity is Severity.ERROR
    assert ("signature", f"changed since: {PAGE} bytes at {PAGE:#x}") in found.evidence


def test_a_broken_signature_is_a_warning_on_x86_64(findings, program, intel) -> None:
    broken = flip(signing.sign(intel), 5000)
    assert errors(findings(program, broken)) == [("warning", "app.dist/lib.dylib")]


def test_each_slice_is_judged(findings, program, library, intel) -> None:
    both = fat(signing.sign(intel), library)
    assert errors(findings(program, both)) == []
    image = parse_binary(both, Path("lib.dylib")).images[1]
    assert image.architecture == "arm64"


def test_a_broken_slice_is_named(findings, program, library, intel) -> None:
    both = fat(signing.sign(intel), library)
    arm = parse_binary(both, Path("lib.dylib")).images[1]
    found, _ = findings(program, flip(both, arm.offset + PAGE))
    assert found.severity is Severity.ERROR
    assert "(arm64)" in found.message
    where = arm.offset + PAGE
    assert ("signature", f"changed since: {PAGE} bytes at {where:#x}") in found.evidence


def test_a_signature_that_is_no_signature_is_found(findings, program, library) -> None:
    (image,) = parse_macho(library)
    assert image.signature is not None
    found, _ = findings(program, flip(library, image.signature[0]))
    assert found.severity is Severity.ERROR
    assert "cannot be read" in found.message


@pytest.mark.parametrize("team", [None, "OTHER00000"])
def test_a_hardened_program_loads_no_library_of_another_team(
    findings, program, library, team: str | None
) -> None:
    hardened = signing.sign(program, flags=signing.RUNTIME, team="ABCDE12345")
    flags = signing.ADHOC if team is None else 0
    found = findings(hardened, signing.sign(library, flags=flags, team=team))
    assert errors(found) == [("error", "app.dist/lib.dylib")]
    assert "not signed by the program's team" in found[0].message


def test_an_entitlement_turns_that_off(findings, program, library) -> None:
    hardened = signing.sign(
        program,
        flags=signing.RUNTIME,
        team="ABCDE12345",
        entitlements=signing.DISABLE_LIBRARY_VALIDATION,
    )
    assert findings(hardened, library) == []


def test_verify_reports_signatures(tmp_path: Path, program: bytes, library: bytes) -> None:
    (tmp_path / "app").write_bytes(program)
    (tmp_path / "lib.dylib").write_bytes(flip(library, PAGE))
    report = verify(read_subject(read_bundle(tmp_path), stdlib=stdlib_environment()))
    assert not report.ok
    assert [f.id for f in report.findings if f.severity is Severity.ERROR] == ["signature"]
