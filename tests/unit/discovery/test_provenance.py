"""What rustc leaves behind is found, and nothing else is taken for it."""

from __future__ import annotations

import json
import subprocess
import sysconfig
import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest
from compiling import Compile, compiler

from rustext.discovery.provenance import provenance, read_marks
from rustext.discovery.sboms import merge_crates, parse_sbom, parse_sbom_targets
from rustext.formats.binary import open_binary
from rustext.model.native_file import Binding, Crate, Provenance

# The allocation makes a path of the standard library reachable that panics.
RUST = """
#[no_mangle]
pub extern "C" fn answer(input: *const u8, size: usize) -> u64 {
    let bytes = unsafe { std::slice::from_raw_parts(input, size) };
    let text = String::from_utf8_lossy(bytes).to_string();
    text.parse::<u64>().expect("a number")
}
"""
RUST_MODULE = RUST + '\n#[no_mangle]\npub extern "C" fn PyInit_mod() -> usize { 0 }\n'
C_MODULE = "void *PyInit_mod(void) { return 0; }"


@pytest.fixture(scope="session")
def rustc(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    """`rustc(name, source, *flags)`: the library that the Rust compiler makes of it."""
    command = ["rustc", "--edition=2021", "--crate-type=cdylib", "-Copt-level=1"]
    return compiler(command, tmp_path_factory.mktemp("rustc"))


@pytest.fixture(scope="session")
def rust_library(rustc: Compile) -> Path:
    return rustc("librust.so", RUST)


def judge(path: Path, sbom: Sequence[Crate] = ()) -> Provenance:
    with open_binary(path) as (binary, data):
        return provenance(binary.image, data, read_marks(binary.image, data), sbom=sbom)


def rustc_version() -> str:
    done = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True)
    return done.stdout.split()[1]


def objcopy(source: Path, target: Path, *flags: str) -> Path:
    subprocess.run(["objcopy", *flags, source, target], check=True, timeout=60)
    return target


def with_section(source: Path, folder: Path, name: str, content: bytes) -> Path:
    (folder / "section").write_bytes(content)
    flags = (f"--add-section={name}={folder / 'section'}",)
    return objcopy(source, folder / "with-section.so", *flags)


def test_a_rust_library_is_rust_and_names_its_compiler(rust_library: Path) -> None:
    found = judge(rust_library)
    assert found.rust
    assert found.rustc == rustc_version()
    assert found.marks == ("rustc comment", "panic path")


def test_a_stripped_rust_library_is_still_rust(rust_library: Path, tmp_path: Path) -> None:
    stripped = objcopy(rust_library, tmp_path / "stripped.so", "--strip-all")
    assert judge(stripped) == judge(rust_library)


def test_without_its_comment_the_panic_paths_tell(rust_library: Path, tmp_path: Path) -> None:
    bare = objcopy(rust_library, tmp_path / "bare.so", "--strip-all", "--remove-section=.comment")
    found = judge(bare)
    assert (found.rust, found.rustc, found.marks) == (True, None, ("panic path",))


@pytest.mark.parametrize("mangling", ["legacy", "v0"])
def test_without_all_else_mangled_names_tell(
    mangling: str, rustc: Compile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = """
#![no_std]
#[panic_handler] fn on_panic(_: &core::panic::PanicInfo) -> ! { loop {} }
pub mod inner { #[inline(never)] pub fn callee(x: u32) -> u32 { x.wrapping_mul(3) } }
#[no_mangle] pub extern "C" fn entry(x: u32) -> u32 { inner::callee(x) }
"""
    monkeypatch.setenv("RUSTC_BOOTSTRAP", "1")  # since 1.95 the legacy scheme is unstable
    flags = ("-Cpanic=abort", "-Copt-level=0", "-Zunstable-options")
    file = rustc("libnames.so", source, *flags, f"-Csymbol-mangling-version={mangling}")
    named = objcopy(file, tmp_path / "named.so", "--remove-section=.comment")
    assert judge(named).marks == ("mangled name",)
    bare = objcopy(named, tmp_path / "bare.so", "--strip-all")
    assert not judge(bare).rust


def test_what_gcc_makes_is_not_rust(gcc: Compile) -> None:
    library = gcc("demo.so", C_MODULE, "-shared", "-fPIC", "-g")
    assert judge(library) == Provenance(rust=False)


def test_cpp_names_are_not_taken_for_rusts(gcc: Compile) -> None:
    """Both schemes begin with `_Z`, and a C name may begin with `_R`."""
    source = """
void *_ZN5boost6python3appEv(void) { return 0; }
void *_ZN3one3two5three17hash_of_somethingE(void) { return 0; }
void *_Register_Classes(void) { return 0; }
void *_RNA_Cs_struct_12_find(void) { return 0; }
"""
    assert not judge(gcc("names.so", source, "-shared", "-fPIC")).rust


def test_nothing_of_the_standard_library_is_rust() -> None:
    """CPython's own extension modules, as a population of plain C."""
    import _ctypes

    modules = sorted(Path(_ctypes.__file__).parent.glob("*.so"))
    assert len(modules) > 20
    assert not [m.name for m in modules if judge(m).rust]


def test_a_program_of_cargos_is_a_rust_executable() -> None:
    """Ruff, of the dev extra; its wheel holds a program and nothing else."""
    found = judge(Path(sysconfig.get_path("scripts"), "ruff"))
    assert (found.rust, found.binding) == (True, Binding.EXECUTABLE)
    assert found.rustc is not None
    assert {"serde", "clap_builder"} <= {c.name for c in found.crates}


# --- crates -----------------------------------------------------------------------------------


def test_panic_paths_name_crates_from_a_registry(tmp_path: Path) -> None:
    registry = tmp_path / "registry" / "src" / "index.crates.io-1949cf8c6b5b557f"
    source = registry / "pyo3-ffi-0.25.1+build.7" / "src" / "lib.rs"
    source.parent.mkdir(parents=True)
    source.write_text(RUST)
    target = tmp_path / "librust.so"
    command = ["rustc", "--edition=2021", "--crate-type=cdylib", "-o", str(target), str(source)]
    subprocess.run(command, check=True, timeout=120)
    (crate,) = judge(target).crates
    assert crate == Crate(name="pyo3-ffi", version="0.25.1+build.7", source="panic-path")


def test_a_dep_v0_section_names_crates(rust_library: Path, tmp_path: Path) -> None:
    packages = [
        {"name": "pyo3", "version": "0.25.0", "source": "crates.io", "dependencies": [1]},
        {"name": "libc", "version": "0.2.1", "source": "crates.io", "kind": "build"},
    ]
    section = zlib.compress(json.dumps({"packages": packages}).encode())
    found = judge(with_section(rust_library, tmp_path, ".dep-v0", section))
    assert found.pyo3 == "0.25.0"
    assert "dep-v0" in found.marks
    assert found.crates == (
        Crate(name="libc", version="0.2.1", source="dep-v0"),
        Crate(name="pyo3", version="0.25.0", source="dep-v0"),
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not zlib",
        zlib.compress(b"not json"),
        zlib.compress(b"[]"),
        zlib.compress(b'{"packages": 3}'),
        zlib.compress(b'{"packages": [{"name": "x"}]}'),
        zlib.compress(b'{"packages": ["x"]}'),
        zlib.compress(b"[" * 200_000),
        zlib.compress(b'{"packages": [' + b" " * (9 << 20) + b"]}"),
        zlib.compress(b'{"packages": []}')[:-6],
    ],
    ids=range(10),
)
def test_a_dep_v0_section_that_cannot_be_read_says_nothing(
    content: bytes, rust_library: Path, tmp_path: Path
) -> None:
    section = content or b"\0"
    found = judge(with_section(rust_library, tmp_path, ".dep-v0", section))
    assert found == judge(rust_library)


def test_bills_of_materials_are_read_to_the_bottom() -> None:
    document = {
        "bomFormat": "CycloneDX",
        "metadata": {"component": {"purl": "pkg:cargo/root@1.0.0?download_url=file://."}},
        "components": [
            {"purl": "pkg:cargo/pyo3@0.25.0", "components": [{"purl": "pkg:cargo/deep@2.0.0#x"}]},
            {"purl": "pkg:cargo/wasi@0.11.0%2Bwasi-snapshot-preview1"},
            {"purl": "pkg:pypi/numpy@2.0"},
            {"name": "no purl"},
            "no component",
        ],
    }
    expected = [("deep", "2.0.0"), ("pyo3", "0.25.0"), ("root", "1.0.0"),
                ("wasi", "0.11.0+wasi-snapshot-preview1")]  # fmt: skip
    crates = parse_sbom(json.dumps(document))
    assert [(c.name, c.version) for c in crates] == expected
    assert {c.source for c in crates} == {"sbom"}
    assert parse_sbom(json.dumps(document).encode("utf-16")) == crates


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", "null", '"text"', b"\xff\xfe\xfd", "[" * 200_000, "<bom/>",
             '{"components": 3, "metadata": []}', '{"components": {"purl": 3}}']
)  # fmt: skip
def test_a_document_that_is_no_bill_of_materials_names_nothing(text: str | bytes) -> None:
    assert parse_sbom(text) == ()


def test_the_first_source_of_a_crate_is_named() -> None:
    sbom = Crate(name="a", version="1.0.0", source="sbom")
    path = Crate(name="a", version="1.0.0", source="panic-path")
    other = Crate(name="a", version="0.9.0", source="panic-path")
    unknown = Crate(name="b", version=None, source="panic-path")
    assert merge_crates([sbom], [unknown, path, other]) == (other, sbom, unknown)


def test_a_bill_of_materials_speaks_for_a_file_without_marks(gcc: Compile) -> None:
    module = gcc("mod.so", C_MODULE, "-shared", "-fPIC")
    crates = (Crate(name="pyo3", version="0.25.0", source="sbom"),)
    found = judge(module, sbom=crates)
    assert (found.rust, found.marks, found.pyo3) == (True, ("sbom",), "0.25.0")
    assert found.binding is Binding.PYO3


# --- binding ----------------------------------------------------------------------------------


def mark(text: str) -> str:
    return f'#[no_mangle]\npub static MARK: &str = "{text}";\n'


def symbol(name: str) -> str:
    return f'#[no_mangle]\npub extern "C" fn {name}() {{}}\n'


@pytest.mark.parametrize(
    ("source", "binding"),
    [
        (RUST_MODULE + mark("pyo3_runtime.PanicException"), Binding.PYO3),
        (RUST_MODULE, Binding.NONE),
        (RUST, Binding.CTYPES),
        (RUST + mark("pyo3_runtime.PanicException"), Binding.CTYPES),
        (RUST + symbol("_polars_plugin_get_version"), Binding.PLUGIN),
        (RUST + symbol("ffi_uniffi_demo_rustbuffer_alloc"), Binding.UNIFFI),
    ],
)
def test_the_binding_is_read_off_marks_and_exports(
    source: str, binding: Binding, rustc: Compile
) -> None:
    assert judge(rustc("libbound.so", source)).binding is binding


def test_a_c_file_has_no_binding_whatever_it_holds(gcc: Compile) -> None:
    source = C_MODULE + 'const char *mark = "pyo3_runtime.PanicException";'
    assert judge(gcc("mod.so", source, "-shared", "-fPIC")).binding is Binding.NONE


def test_a_module_of_cffis_api_mode_is_bound_by_cffi(rustc: Compile) -> None:
    assert judge(rustc("libbound.so", RUST_MODULE + mark("_cffi_backend"))).binding is Binding.CFFI


@pytest.mark.parametrize("opened", [Binding.CFFI, Binding.CTYPES, Binding.PLUGIN])
def test_a_library_that_shows_no_binding_has_the_one_of_its_opener(
    opened: Binding, rust_library: Path
) -> None:
    with open_binary(rust_library) as (binary, data):
        found = provenance(
            binary.image, data, read_marks(binary.image, data), opened_by=lambda: opened
        )
    assert found.binding is opened


def test_a_library_that_nobody_opens_has_no_binding(rust_library: Path) -> None:
    with open_binary(rust_library) as (binary, data):
        assert (
            provenance(
                binary.image, data, read_marks(binary.image, data), opened_by=lambda: None
            ).binding
            is Binding.NONE
        )


def test_pyo3_in_a_library_without_an_init_function_is_told(rust_library: Path) -> None:
    crates = (Crate(name="pyo3", version="0.28.2", source="sbom"),)
    with open_binary(rust_library) as (binary, data):
        found = provenance(
            binary.image, data, read_marks(binary.image, data), sbom=crates, opened_by=lambda: None
        )
    assert (found.binding, found.pyo3) == (Binding.PYO3, "0.28.2")


def test_nobody_is_asked_who_opens_what_is_not_rust(gcc: Compile) -> None:
    def ask() -> Binding:
        raise AssertionError("asked")

    library = gcc("libc_only.so", "int x;", "-shared", "-fPIC")
    with open_binary(library) as (binary, data):
        assert not provenance(
            binary.image, data, read_marks(binary.image, data), opened_by=ask
        ).rust


# --- bills of materials, again ------------------------------------------------------------------


def test_pyo3_ffi_alone_tells_the_version(gcc: Compile) -> None:
    crates = (Crate(name="pyo3-ffi", version="0.29.3", source="sbom"),)
    found = judge(gcc("mod.so", C_MODULE, "-shared", "-fPIC"), sbom=crates)
    assert (found.binding, found.pyo3) == (Binding.PYO3, "0.29.3")


def test_a_file_without_marks_is_not_rust_unless_it_is_claimed(gcc: Compile) -> None:
    crates = (Crate(name="pyo3", version="0.25.0", source="sbom"),)
    with open_binary(gcc("mod.so", C_MODULE, "-shared", "-fPIC")) as (binary, data):
        found = provenance(
            binary.image, data, read_marks(binary.image, data), sbom=crates, claimed=False
        )
    assert (found.rust, found.crates, found.marks) == (False, (), ())


XML_SBOM = """<?xml version="1.0" encoding="UTF-8"?>
<bom xmlns="http://cyclonedx.org/schema/bom/1.4"><components>
<component type="library"><name>pyo3</name><purl>pkg:cargo/pyo3@0.25.0</purl></component>
<component type="library"><purl>
  pkg:cargo/zstd-sys@2.0.15%2Bzstd.1.5.7
</purl></component>
<component type="library"><purl>pkg:pypi/numpy@2.0</purl></component>
</components></bom>"""


@pytest.mark.parametrize("text", [XML_SBOM, XML_SBOM.encode(), b"\xef\xbb\xbf" + XML_SBOM.encode()])
def test_the_crates_of_an_xml_document_are_read(text: str | bytes) -> None:
    assert [(c.name, c.version) for c in parse_sbom(text)] == [
        ("pyo3", "0.25.0"),
        ("zstd-sys", "2.0.15+zstd.1.5.7"),
    ]


def about(**component: object) -> str:
    return json.dumps({"metadata": {"component": component}})


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        (
            about(
                purl="pkg:cargo/py-tiff@1.0.0?download_url=file://.",
                components=[
                    {"type": "library", "name": "_tiff"},
                    {"type": "application", "name": "stubs"},
                ],
            ),
            {"_tiff"},
        ),
        (about(purl="pkg:pypi/tiff@1.0", components=[{"type": "library", "name": "_tiff"}]), set()),
        (about(purl="pkg:cargo/tiff@1.0"), set()),
        (about(purl=1, components=[]), set()),
        (about(purl="pkg:cargo/tiff@1.0", components=[None]), set()),
        ('{"metadata": []}', set()),
        ("[]", set()),
        ("", set()),
        (XML_SBOM, set()),
    ],
)
def test_a_document_about_a_crate_names_the_libraries_that_it_builds(
    text: str, targets: set[str]
) -> None:
    assert parse_sbom_targets(text) == targets


def test_crates_from_a_repository_are_named_without_a_version(gcc: Compile) -> None:
    base = "/home/me/.cargo/git/checkouts/pyo3-6072fb0dc84c57c2/94bfd55/src/conversion.rs"
    registry = "/home/me/.cargo/registry/src/github.com-1ecc6299db9ec823/serde-1.0.1/src/lib.rs"
    again = "/home/me/.cargo/git/checkouts/serde-0123456789abcdef/0123456/src/lib.rs"
    source = f'const char p[] = "{base}\\0{registry}\\0{again}";{C_MODULE}'
    found = judge(gcc("mod.so", source, "-shared", "-fPIC"))
    assert [(c.name, c.version) for c in found.crates] == [("pyo3", None), ("serde", "1.0.1")]
    assert (found.rust, found.binding, found.pyo3) == (True, Binding.PYO3, None)
    told = judge(
        gcc("mod.so", source, "-shared", "-fPIC"),
        (Crate(name="pyo3", version="0.18.1", source="sbom"),),
    )
    assert [(c.name, c.version) for c in told.crates] == [("pyo3", "0.18.1"), ("serde", "1.0.1")]
    assert told.pyo3 == "0.18.1"


# --- large files --------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [1, 20, 60])
def test_a_mark_on_the_border_of_two_pieces_is_seen(
    before: int, gcc: Compile, tmp_path: Path
) -> None:
    """The file is read in pieces of 16 MiB; a path begins `before` bytes ahead of the second."""
    path = b"/cargo/registry/src/index.crates.io-6f17d22bba15001f/serde-1.0.219/src/lib.rs"
    data = gcc("mod.so", C_MODULE, "-shared", "-fPIC").read_bytes()
    file = tmp_path / "mod.so"
    file.write_bytes(data.ljust((16 << 20) - before, b"\0") + path + bytes(4096))
    assert [(c.name, c.version) for c in judge(file).crates] == [("serde", "1.0.219")]
