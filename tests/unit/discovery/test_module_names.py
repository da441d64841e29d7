"""Each kind of name in the design, and the rules of CPython's own import."""

from __future__ import annotations

import importlib.machinery
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
from compiling import Compile

from rustext.discovery.extension_suffixes import split_suffix
from rustext.discovery.module_names import Naming, init_function, name_file, names_itself
from rustext.formats.binary import read_binary

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]
HEADERS = sysconfig.get_paths()["include"]


def inits(*names: str) -> str:
    return "".join(f"void *{name}(void) {{ return 0; }}\n" for name in names)


@pytest.fixture(scope="session")
def named(gcc: Compile) -> Callable[..., Naming]:
    """`named(path, *symbols)`: the naming of an ELF file at this path with these exports."""

    def name(path: str, *symbols: str) -> Naming:
        file = gcc("demo.so", inits(*symbols) or "int spare;", "-shared", "-fPIC")
        return name_file(PurePosixPath(path), read_binary(file).images)

    return name


@pytest.fixture(scope="session")
def dylib(zig: Callable[[str], Compile]) -> Callable[..., Naming]:
    """`dylib(path, install_name, *symbols)`: the same for a macOS library."""

    def name(path: str, install_name: str, *symbols: str) -> Naming:
        flags = ("-shared", f"-Wl,-install_name,{install_name}")
        file = zig("aarch64-macos")("demo.so", inits(*symbols), *flags)
        return name_file(PurePosixPath(path), read_binary(file).images)

    return name


def test_a_module_is_named_by_its_path_and_its_init_function(named: Callable[..., Naming]) -> None:
    found = named(f"pkg/sub/_core{SUFFIX}", "PyInit__core")
    assert (found.module, found.suffix, found.kinds) == ("pkg.sub._core", SUFFIX, ())
    assert found.explanation == f"PyInit__core and the suffix `{SUFFIX}` make it importable"


def test_a_module_at_the_top_is_importable_and_said_to_be_there(
    named: Callable[..., Naming],
) -> None:
    found = named("flat.abi3.so", "PyInit_flat")
    assert (found.module, found.kinds) == ("flat", ("top-level",))


def test_a_stem_that_differs_from_package_and_crate_is_what_counts(
    named: Callable[..., Naming],
) -> None:
    found = named(f"tsdown/_rust/_tsdown_rs{SUFFIX}", "PyInit__tsdown_rs")
    assert (found.module, found.kinds) == ("tsdown._rust._tsdown_rs", ())


def test_cargos_raw_library_name_imports_nothing(named: Callable[..., Naming]) -> None:
    found = named("pkg/libcore.so", "PyInit_core")
    assert found.module is None
    assert found.kinds == ("init-differs", "lib-prefix")
    assert "`import pkg.libcore` needs PyInit_libcore" in found.explanation
    assert "exports PyInit_core" in found.explanation


def test_cargos_raw_dylib_name_is_no_suffix_of_any_python(dylib: Callable[..., Naming]) -> None:
    found = dylib("pkg/libcore.dylib", "@rpath/libcore.dylib", "PyInit_core")
    assert (found.module, found.suffix) == (None, None)
    assert found.kinds == ("init-differs", "not-a-module-suffix")
    assert "no Python looks for a module in `libcore.dylib`" in found.explanation


def test_an_init_function_for_another_name_is_not_enough(named: Callable[..., Naming]) -> None:
    found = named(f"pkg/_one{SUFFIX}", "PyInit_two")
    assert (found.module, found.kinds) == (None, ("init-differs",))


def test_several_init_functions_are_told_and_the_own_one_is_used(
    named: Callable[..., Naming],
) -> None:
    found = named("pkg/_rust.abi3.so", "PyInit__rust", "PyInit_nested", "PyInit_stray")
    assert (found.module, found.kinds) == ("pkg._rust", ("several-inits",))
    other = named("pkg/core.abi3.so", "PyInit_a", "PyInit_b", "PyInit_c", "PyInit_d")
    assert (other.module, other.kinds) == (None, ("several-inits", "init-differs"))
    assert other.explanation.endswith("exports PyInit_a, PyInit_b, PyInit_c and 1 more")


@pytest.mark.parametrize("name", ["core.so.1", "core.dll", "core", "core.cpython-311.o"])
def test_a_name_with_no_module_suffix_imports_nothing(
    name: str, named: Callable[..., Naming]
) -> None:
    found = named(f"pkg/{name}", "PyInit_core")
    assert (found.module, found.suffix) == (None, None)
    assert "not-a-module-suffix" in found.kinds


def test_a_library_without_an_init_function_is_loaded_by_path(named: Callable[..., Naming]) -> None:
    found = named("pkg/_lib.so")
    assert (found.module, found.kinds) == (None, ("no-init",))


def test_a_program_is_no_module_whatever_its_name(gcc: Compile) -> None:
    program = gcc("tool", "int main(void) { return 0; }" + inits("PyInit_tool"), "-rdynamic")
    found = name_file(PurePosixPath("pkg/tool.so"), read_binary(program).images)
    assert (found.module, found.kinds) == (None, ("executable",))


def test_a_folder_that_is_no_identifier_cannot_be_imported(named: Callable[..., Naming]) -> None:
    found = named(f"pkg-1.0.data/scripts/core{SUFFIX}", "PyInit_core")
    assert found.module is None
    assert "cannot be written in an import statement" in found.explanation


@pytest.mark.parametrize(
    ("install_name", "kinds"),
    [
        ("@rpath/_rs.cpython-311-darwin.so", ()),
        ("@rpath/lib_rs.dylib", ()),
        ("@rpath/pkg._rust._rs.cpython-311-darwin.so", ("install-name-qualified",)),
        (
            "@rpath/_rust._rs.cpython-310-darwin.so",
            ("install-name-other-python", "install-name-qualified"),
        ),
        ("@rpath/_rs.abi3.so", ("install-name-other-python",)),
        ("@rpath/_rs.cpython-310-darwin.so", ("install-name-other-python",)),
        ("/Users/runner/work/target/release/deps/lib_rs.dylib", ("install-name-absolute",)),
        ("/build/libother.dylib", ("install-name-absolute", "install-name-foreign")),
        ("@rpath/other.cpython-311-darwin.so", ("install-name-foreign",)),
    ],
)
def test_install_names_are_read_as_tools_spell_them(
    install_name: str, kinds: tuple[str, ...], dylib: Callable[..., Naming]
) -> None:
    found = dylib("pkg/_rust/_rs.cpython-311-darwin.so", install_name, "PyInit__rs")
    assert found.module == "pkg._rust._rs"
    assert found.kinds == kinds


def test_an_abi3_file_may_bear_the_install_name_of_a_version(dylib: Callable[..., Naming]) -> None:
    found = dylib("pkg/_rs.abi3.so", "@rpath/_rs.cpython-310-darwin.so", "PyInit__rs")
    assert found.kinds == ("install-name-other-python",)


def test_a_bundle_has_no_install_name_to_judge(macho_module: Path, tmp_path: Path) -> None:
    """MH_BUNDLE is what setuptools links (ld64's -bundle); only the type in the header differs."""
    data = bytearray(macho_module.read_bytes())
    assert data[12] == 6  # <mach-o/loader.h>: MH_DYLIB
    data[12] = 8  # MH_BUNDLE
    (tmp_path / "demo.so").write_bytes(data)
    found = name_file(PurePosixPath("x/demo.so"), read_binary(tmp_path / "demo.so").images)
    assert (found.module, found.kinds) == ("x.demo", ("several-inits",))
    as_library = name_file(PurePosixPath("x/demo.so"), read_binary(macho_module).images)
    assert as_library.kinds == ("install-name-foreign", "install-name-qualified", "several-inits")


def test_slices_are_judged_together(macho_module: Path) -> None:
    """A fat file is one file with one name; each slice has its own install name, or none."""
    image = read_binary(macho_module).image
    images = (
        replace(image, soname="@rpath/demo.abi3.so", python_inits=("PyInit_demo",)),
        replace(image, soname=None, python_inits=("PyInit_demo",)),
        replace(image, soname="/b/demo.abi3.so", python_inits=("PyInit_other",)),
    )
    found = name_file(PurePosixPath("x/demo.abi3.so"), images)
    assert found.module == "x.demo"
    assert found.kinds == ("install-name-absolute", "install-name-missing", "several-inits")


@pytest.mark.parametrize(
    ("name", "itself"),
    [
        ("@rpath/pkg._rs.cpython-310-darwin.so", True),
        ("@rpath/_rs.abi3.so", True),
        ("@loader_path/lib_rs.dylib", True),
        ("lib_rs.so", True),
        ("@rpath/other._rs.abi3.so", False),
        ("@rpath/libpython3.11.dylib", False),
        ("/usr/lib/libSystem.B.dylib", False),
    ],
)
def test_a_library_knows_its_own_name_in_any_spelling(name: str, itself: bool) -> None:
    assert names_itself(name, PurePosixPath("pkg/_rs.abi3.so"), "_rs") is itself


def test_a_dot_in_the_stem_stays_in_it() -> None:
    assert split_suffix("pkg._rust.abi3.so") == ("pkg._rust", ".abi3.so")
    assert split_suffix("a.b.so") == ("a.b", ".so")


@pytest.mark.parametrize("suffix", importlib.machinery.EXTENSION_SUFFIXES)
def test_python_imports_what_is_said_to_be_importable(
    suffix: str, tmp_path: Path, gcc: Compile
) -> None:
    """The second source is the interpreter itself, which imports a module of that name."""
    for name in ("plain", "naïve", "žluťoučký", "模块", "_ü_1"):
        file = python_module(gcc, name)
        target = tmp_path / f"{name}{suffix}"
        target.write_bytes(file.read_bytes())
        found = name_file(PurePosixPath(target.name), read_binary(target).images)
        assert (found.module, found.suffix) == (name, suffix)
        script = f"import sys; sys.path.insert(0, sys.argv[1]); import {name} as m; print(m.answer)"
        done = subprocess.run(
            [sys.executable, "-X", "utf8", "-c", script, tmp_path],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (done.stdout, done.stderr) == ("42\n", "")


def test_python_does_not_import_what_is_said_not_to_be(tmp_path: Path, gcc: Compile) -> None:
    file = python_module(gcc, "core")
    for path in (f"libcore{SUFFIX}", "core.so.1", "core.dylib", f"other{SUFFIX}"):
        target = tmp_path / path
        target.write_bytes(file.read_bytes())
        assert name_file(PurePosixPath(path), read_binary(target).images).module is None
        name = path.partition(".")[0]
        script = f"import sys; sys.path.insert(0, sys.argv[1]); import {name}"
        done = subprocess.run(
            [sys.executable, "-c", script, tmp_path], capture_output=True, timeout=60, check=False
        )
        assert b"Error" in done.stderr
        target.unlink()


def python_module(gcc: Compile, name: str) -> Path:
    """A real extension module with one attribute."""
    source = f"""
#include <Python.h>
static int fill(PyObject *m) {{ return PyModule_AddIntConstant(m, "answer", 42); }}
static PyModuleDef_Slot slots[] = {{{{Py_mod_exec, fill}}, {{0, NULL}}}};
static struct PyModuleDef def = {{PyModuleDef_HEAD_INIT, "m", NULL, 0, NULL, slots}};
PyMODINIT_FUNC {init_function(name)}(void) {{ return PyModuleDef_Init(&def); }}
"""
    return gcc("module.so", source, "-shared", "-fPIC", f"-I{HEADERS}")


def test_hyphens_of_punycode_become_underscores() -> None:
    """PEP 489's own example and rule."""
    assert init_function("lančmít") == "PyInitU_lanmt_2sa6t"
    assert init_function("スパム") == "PyInitU_zck5b2b"
    assert init_function("spam") == "PyInit_spam"
