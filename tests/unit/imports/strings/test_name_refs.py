"""Names in binaries are known only from what refers to them."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from compiling import Compile
from crates import DATA, build_crate

from rustext.errors import InvalidBinary, RustextError
from rustext.formats.binary import open_binary, parse_binary
from rustext.imports.strings import name_refs as strings
from rustext.imports.strings.name_filter import WantedNames
from rustext.imports.strings.name_refs import iter_strings
from rustext.model.evidence import EvidenceKind, StringRef

GLUED = DATA / "strings" / "glued.c"
IMPORTED = {"decimal", "numpy.lib", "fractions"}  # by PyImport_Import, in glued.c
NAMES = IMPORTED | {"zoneinfo", "wave", "sqlite3"}
LINKER_FLAGS = {
    "x86_64-linux-gnu": (),
    "aarch64-linux-gnu": (),
    "x86_64-macos": ("-Wl,-undefined,dynamic_lookup",),
    "aarch64-macos": ("-Wl,-undefined,dynamic_lookup",),
    "x86_64-windows-gnu": (),
}


def read(path: Path, names: Iterable[str] | None) -> list[StringRef]:
    wanted = None if names is None else WantedNames(frozenset(names).__contains__)
    with open_binary(path) as (binary, data):
        return list(iter_strings(binary.image, data, wanted))


def by_kind(path: Path, names: Iterable[str] | None) -> dict[EvidenceKind, set[str]]:
    kinds: dict[EvidenceKind, set[str]] = defaultdict(set)
    for ref in read(path, names):
        kinds[ref.kind].add(ref.text)
    return kinds


@pytest.fixture(scope="module", params=sorted(LINKER_FLAGS))
def glued(
    request: pytest.FixtureRequest,
    zig: Callable[[str], Compile],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """`glued.c`, built for each platform."""
    target = request.param
    flags = ["-O2", "-shared", *LINKER_FLAGS[target]]
    if "windows" in target:
        library = tmp_path_factory.mktemp("python") / "python3.lib"
        definition = GLUED.with_name("python3.def")
        command = [sys.executable, "-m", "ziglang", "dlltool", "-m", "i386:x86-64"]
        command += ["-d", str(definition), "-l", str(library)]
        subprocess.run(command, check=True, timeout=120)
        flags.append(str(library))
    else:
        flags.append("-fPIC")
    suffix = "dll" if "windows" in target else "so"
    return zig(target)(f"glued.{suffix}", GLUED.read_text(encoding="utf-8"), *flags)


@pytest.fixture(scope="module")
def crate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The crate `rust_strings`, built for this machine."""
    return build_crate("rust_strings", tmp_path_factory.mktemp("target"))


def test_pointer_and_length_in_relocated_data_bound_a_name(glued: Path) -> None:
    details = {r.text: r.detail for r in read(glued, NAMES) if r.kind is EvidenceKind.EXACT_STRING}
    assert details["zoneinfo"].startswith("relocated (pointer, length)")
    assert details["wave"].startswith("relocated (pointer, length)")


def test_address_and_length_in_code_bound_a_name(glued: Path) -> None:
    assert by_kind(glued, NAMES)[EvidenceKind.EXACT_STRING] >= IMPORTED


def test_names_are_followed_into_pyimport_import(glued: Path) -> None:
    assert by_kind(glued, NAMES)[EvidenceKind.IMPORT_CALL] == IMPORTED | {"sqlite3"}


def test_a_name_that_is_not_passed_on_is_no_import_call(crate: Path) -> None:
    kinds = by_kind(crate, {"xmlrpc.client", "zoneinfo"})
    assert kinds[EvidenceKind.EXACT_STRING] == {"xmlrpc.client", "zoneinfo"}
    assert not kinds[EvidenceKind.IMPORT_CALL]


def test_rust_wrappers_and_closures_are_followed(crate: Path) -> None:
    kinds = by_kind(crate, {"decimal", "fractions", "sqlite3"})
    assert kinds[EvidenceKind.IMPORT_CALL] == {"decimal", "fractions", "sqlite3"}


def test_fat_pointers_of_rust_statics_bound_names(crate: Path) -> None:
    kinds = by_kind(crate, {"zoneinfo", "collections.abc", "wave"})
    assert kinds[EvidenceKind.EXACT_STRING] == {"zoneinfo", "collections.abc", "wave"}


def test_the_beginning_of_a_longer_string_is_no_name(glued: Path, crate: Path) -> None:
    for path, names in (
        (glued, {"numpy", "zone", "decimal.numpy", "fraction"}),
        (crate, {"json", "queue", "collections", "xmlrpc"}),
    ):
        kinds = by_kind(path, names)
        assert not kinds[EvidenceKind.EXACT_STRING] | kinds[EvidenceKind.IMPORT_CALL]


def test_offset_is_where_the_text_stands_in_the_file(glued: Path) -> None:
    content = glued.read_bytes()
    refs = read(glued, NAMES)
    assert refs
    for ref in refs:
        assert content[ref.offset : ref.offset + len(ref.text)] == ref.text.encode()


def test_each_text_comes_once_with_each_kind(glued: Path) -> None:
    keys = [(ref.text, ref.kind) for ref in read(glued, NAMES)]
    assert len(keys) == len(set(keys))


def test_without_a_predicate_every_bounded_identifier_comes(glued: Path) -> None:
    kinds = by_kind(glued, None)
    assert kinds[EvidenceKind.EXACT_STRING] >= IMPORTED | {"zoneinfo", "wave"}
    assert not kinds[EvidenceKind.LOOSE_STRING]


def test_a_dotted_name_inside_other_text_is_loose(gcc: Compile) -> None:
    source = 'const char *text(void) { return "see numpy.libNumpyVersion"; }'
    path = gcc("loose.so", source, "-shared", "-fPIC", "-O2")
    assert dict(by_kind(path, {"numpy", "numpy.lib"})) == {EvidenceKind.LOOSE_STRING: {"numpy.lib"}}


def test_a_name_between_nul_bytes_is_a_c_string(gcc: Compile) -> None:
    source = 'const char text[] = "one\\0wave\\0two"; int first(void) { return text[0]; }'
    path = gcc("nul.so", source, "-shared", "-fPIC", "-O2")
    assert dict(by_kind(path, {"wave"})) == {EvidenceKind.C_STRING: {"wave"}}


def test_a_literal_that_code_chooses_ends_where_the_next_one_begins(gcc: Compile) -> None:
    """As in rust-numpy: the address is chosen, and the length is computed from the choice."""
    source = """
    static const char text[] = {"numpy.corenumpy._coremore"};
    extern void use(const char *, unsigned long);
    void choose(int new, unsigned long one) {
        const char *old = text, *other = text + 10;
        __asm__("" : "+r"(old));
        __asm__("" : "+r"(other));
        use(new ? other : old, one);
    }
    const char *more(void) { return text + 21; }
    """
    path = gcc("chosen.so", source, "-shared", "-fPIC", "-O2")
    refs = [r for r in read(path, {"numpy.core", "numpy._core"}) if "begins" in r.detail]
    assert {r.text for r in refs} == {"numpy.core", "numpy._core"}


def test_damaged_files_raise_nothing_but_our_errors(glued: Path) -> None:
    content = glued.read_bytes()
    for cut in range(0, len(content), 97):
        read_damaged(content[:cut])
    for at in range(0, len(content), 31):
        read_damaged(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])


@pytest.mark.parametrize("limit", ["_MOST_PLACES", "_MOST_FOLLOWED"])
def test_code_that_no_compiler_writes_is_not_followed_to_its_end(
    limit: str, gcc: Compile, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = """
    const char name[] = "uuid";
    __asm__(".text\\n.rept 20\\nlea name(%rip), %rax\\n.endr");
    """
    path = gcc("many.so", source, "-shared", "-fPIC", "-Wl,-Bsymbolic")
    assert "uuid" in {ref.text for ref in read(path, {"uuid"})}
    monkeypatch.setattr(strings, limit, 10)
    with pytest.raises(InvalidBinary, match="more than 10 places"):
        read(path, {"uuid"})


def read_damaged(content: bytes) -> None:
    try:
        for image in parse_binary(content, Path("damaged")).images:
            list(iter_strings(image, content, WantedNames(NAMES.__contains__)))
    except RustextError:
        pass


@pytest.mark.network
@pytest.mark.parametrize(
    "platform",
    ["manylinux_2_17_x86_64", "manylinux_2_17_aarch64", "macosx_11_0_arm64", "win_amd64"],
)
def test_a_published_wheel_imports_the_same_on_every_platform(
    platform: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
    command += [str(tmp_path), "--only-binary=:all:", "--platform", platform]
    command += ["--python-version", "3.11", "tsdownsample==0.1.5.1"]
    subprocess.run(command, check=True, timeout=300)
    (extension,) = (tmp_path / "tsdownsample" / "_rust").glob("_tsdownsample_rs.*[od]")
    names = {"numpy", "numpy.lib", "numpy.core", "numpy._core"}
    assert by_kind(extension, names)[EvidenceKind.IMPORT_CALL] == {"numpy", "numpy.lib"}
