"""Module tables of CPython, and of programs with tables like Nuitka's.

`tests/freezing/test_bundle_tables.py` reads programs that Nuitka itself compiled.
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest
from compiling import Compile
from program_tables import INITTAB, INLINE, RECORDS

from rustext.formats.binary import open_binary
from rustext.verify.bundle.module_tables import find_builtin_modules, find_nuitka_modules

Find = Callable[[Path], "frozenset[str] | None"]


@pytest.fixture
def builtin() -> Find:
    def find(path: Path) -> frozenset[str] | None:
        with open_binary(path) as (binary, data):
            return find_builtin_modules(binary.image, data)

    return find


@pytest.fixture
def nuitka() -> Find:
    def find(path: Path) -> frozenset[str] | None:
        with open_binary(path) as (binary, data):
            table = find_nuitka_modules(binary.image, data)
            return table.modules if table is not None else None

    return find


def python_binary() -> Path:
    """Where CPython's table is: libpython, or the program where it is linked in."""
    folder, name = sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("LDLIBRARY")
    library = Path(folder, name)
    return library if library.suffix != ".a" else Path(sys.executable).resolve()


def test_the_built_in_modules_of_python_are_those_that_it_names(builtin: Find) -> None:
    found = builtin(python_binary())
    # `sys.builtin_module_names` is made from this very table when the interpreter starts.
    assert found == frozenset(sys.builtin_module_names)


@pytest.mark.parametrize("flags", [(), ("-no-pie",), ("-s",), ("-Wl,-z,relro,-z,now",)])
def test_modules_that_hold_something_are_found_by_the_array_of_records(
    flags: tuple[str, ...], nuitka: Find, gcc: Compile
) -> None:
    found = nuitka(gcc("program", RECORDS, "-O1", *flags))
    assert found is not None
    assert {"__main__", "pkg", "pkg.inner-preLoad", "pkg.state"} <= found
    assert "tkinter" not in found


def test_the_array_ends_at_a_null_pointer(nuitka: Find, gcc: Compile) -> None:
    found = nuitka(gcc("program", RECORDS, "-O1"))
    assert found is not None
    assert "json" not in found


@pytest.mark.parametrize("flags", [(), ("-no-pie",)], ids=["pie", "fixed"])
def test_records_that_stand_in_the_array_themselves_are_found(
    nuitka: Find, gcc: Compile, flags: tuple[str, ...]
) -> None:
    found = nuitka(gcc("inline", INLINE, *flags))
    assert found == {"__main__", "pkg", "pkg.inner-preLoad", "native._core"}


@pytest.mark.parametrize(
    "flags", [("-O2",), ("-O2", "-no-pie"), ("-O2", "-s"), ("-m32", "-nostdlib")]
)
def test_the_whole_table_is_found_and_only_that(
    flags: tuple[str, ...], builtin: Find, gcc: Compile
) -> None:
    if "-m32" in flags:
        source = INITTAB.replace("int main(", "int _start(")
        file = gcc("table", source, "-m32", "-nostdlib", "-fno-pic", "-no-pie", "-ffreestanding")
    else:
        file = gcc("table", INITTAB, *flags)
    expected = {"_thread", "zlib", "marshal", "_imp", "builtins", "sys", "_warnings"}
    assert builtin(file) == expected


def test_a_file_with_no_table_of_built_in_modules_says_so(builtin: Find, elf_module: Path) -> None:
    assert builtin(elf_module) is None


def test_a_foreign_format_says_so(builtin: Find, nuitka: Find, pe_module: Path) -> None:
    assert builtin(pe_module) is None
    assert nuitka(pe_module) is None


@pytest.mark.parametrize("name", ["__main__", "other"])
def test_a_program_that_only_names_main_is_not_nuitkas(
    name: str, nuitka: Find, gcc: Compile
) -> None:
    source = f'const char *name = "{name}"; int main(void) {{ return name != 0; }}'
    assert nuitka(gcc("program", source)) is None
    assert nuitka(Path(sys.executable).resolve()) is None
