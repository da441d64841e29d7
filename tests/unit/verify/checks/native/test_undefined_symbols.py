"""Symbols that nothing defines; the loader is asked each time whether it starts the program.

The program takes Python's place: it opens the module `demo` as Python does, with RTLD_NOW.
"""

from __future__ import annotations

import importlib.machinery
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from compiling import Compile

from rustext.environment.environment import stdlib_environment
from rustext.model.findings import Finding, Severity
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.verify import read_subject, verify

MODULE = f"demo{importlib.machinery.EXTENSION_SUFFIXES[0]}"
OPENER = f"""
#include <dlfcn.h>
#include <stdio.h>
int given(void) {{ return 0; }}
int main(void) {{
    if (dlopen("./{MODULE}", RTLD_NOW)) return 0;
    puts(dlerror());
    return 1;
}}
"""
DEMO = "void PyInit_demo(void) {} "
OWN = "int own(void) { return 0; } int value = 1;"
OTHER = "int other(void) { return 0; }"
SHARED = ("-shared", "-fPIC", "-Wl,-soname,libown.so.1")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    return folder


def findings(root: Path, *, cached: bool = False) -> list[Finding]:
    bundle = read_bundle(root, cached=cached)
    report = verify(read_subject(bundle, stdlib=stdlib_environment(), cached=cached))
    return [f for f in report.findings if f.severity is not Severity.NOTE]


def loader_says(root: Path) -> str:
    """What the loader misses, "" if the program does its work."""
    done = subprocess.run(["./app"], cwd=root, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def put(root: Path, name: str, path: Path) -> Path:
    (root / name).write_bytes(path.read_bytes())
    (root / name).chmod(0o755)
    return root / name


@pytest.fixture
def with_module(root: Path, gcc: Compile) -> Callable[..., Path]:
    """A program that opens a module, which uses the library that stands next to it."""

    def make(source: str, *flags: str, library: str = OWN) -> Path:
        own = gcc("libown.so.1", OWN, *SHARED)
        put(root, "app", gcc("app", OPENER, "-rdynamic", "-ldl"))
        module = gcc(
            MODULE, DEMO + source, "-shared", "-fPIC", str(own), "-Wl,-rpath,$ORIGIN", *flags
        )
        put(root, MODULE, module)
        put(root, "libown.so.1", gcc("libown.so.1", library, *SHARED))
        return root

    return make


def test_a_library_with_all_symbols_is_no_finding(with_module: Callable[..., Path]) -> None:
    root = with_module("int own(void); int f(void) { return own(); }")
    assert loader_says(root) == ""
    assert findings(root) == []


def test_a_library_replaced_by_another_one_leaves_symbols_undefined(
    with_module: Callable[..., Path],
) -> None:
    """dlopen binds functions at once, whatever the linker was told."""
    root = with_module("int own(void); int f(void) { return own(); }", "-Wl,-z,lazy", library=OTHER)
    assert "undefined symbol: own" in loader_says(root)
    (finding,) = findings(root)
    assert (finding.id, finding.severity) == ("undefined-symbol", Severity.ERROR)
    assert finding.subject == f"app/{MODULE}"
    assert finding.message == f"`{MODULE}`: undefined symbol: `own`"
    assert ("imported as", "demo") in finding.evidence


def test_a_variable_is_looked_up_as_well(with_module: Callable[..., Path]) -> None:
    root = with_module("extern int value; int f(void) { return value; }", library=OTHER)
    assert "undefined symbol: value" in loader_says(root)
    assert [f.message for f in findings(root)] == [f"`{MODULE}`: undefined symbol: `value`"]


def test_a_function_that_glibc_does_not_have_in_a_version_that_it_has(
    with_module: Callable[..., Path],
) -> None:
    root = with_module("void srandom(unsigned); void f(void) { srandom(1); }")
    assert findings(root) == []
    module = root / MODULE
    module.write_bytes(module.read_bytes().replace(b"\0srandom\0", b"\0sranXom\0"))
    assert "undefined symbol: sranXom, version GLIBC_" in loader_says(root)
    (finding,) = findings(root)
    assert (finding.id, finding.severity) == ("undefined-symbol", Severity.ERROR)
    assert "sranXom" in finding.message


@pytest.mark.parametrize(
    "source",
    [
        "__attribute__((weak)) int own(void); int f(void) { return own ? own() : 0; }",
        "int given(void); int f(void) { return given(); }",  # the program's own
        "int own(void); int f(void) { return sizeof(own()); }",  # named, and never used
    ],
    ids=["weak", "program", "unused"],
)
def test_symbols_that_the_loader_does_without_are_no_finding(
    source: str, with_module: Callable[..., Path]
) -> None:
    root = with_module(source, library=OTHER)
    assert loader_says(root) == ""
    assert findings(root) == []


def test_a_symbol_that_only_another_library_has_is_a_warning(
    with_module: Callable[..., Path], root: Path, gcc: Compile
) -> None:
    """It would do if the program opened that one first with RTLD_GLOBAL."""
    with_module("int own(void); int f(void) { return own(); }", library=OTHER)
    put(root, "libreal.so", gcc("libreal.so", OWN, "-shared", "-fPIC"))
    assert "undefined symbol: own" in loader_says(root)
    (finding,) = findings(root)
    assert finding.severity is Severity.WARNING
    assert ("defined in", "app/libreal.so, which this file does not need") in finding.evidence


@pytest.mark.parametrize(
    ("flag", "library", "severity"),
    [
        ("-Wl,-z,lazy", OTHER, Severity.WARNING),
        ("-Wl,-z,now", OTHER, Severity.ERROR),
        ("-Wl,-z,now", OWN, None),
    ],
    ids=["lazy", "now", "there"],
)
def test_what_the_program_needs_is_bound_at_the_first_call(
    flag: str, library: str, severity: Severity | None, root: Path, gcc: Compile
) -> None:
    source = "int own(void); int main(int n, char **a) { return n > 9 ? own() : 0; }"
    own = gcc("libown.so.1", OWN, *SHARED)
    put(root, "app", gcc("app", source, str(own), "-Wl,-rpath,$ORIGIN", flag))
    put(root, "libown.so.1", gcc("libown.so.1", library, *SHARED))
    said, found = loader_says(root), findings(root)
    assert ("own" in said) == (severity is Severity.ERROR)
    assert [f.severity for f in found] == ([severity] if severity is not None else [])


@pytest.mark.parametrize("library", [OWN, OTHER], ids=["there", "gone"])
def test_a_variable_that_the_program_copies_has_to_be_in_a_library(
    library: str, root: Path, gcc: Compile
) -> None:
    source = "extern int value; int main(void) { return value - 1; }"
    own = gcc("libown.so.1", OWN, *SHARED)
    put(root, "app", gcc("app", source, str(own), "-Wl,-rpath,$ORIGIN", "-no-pie", "-fno-pie"))
    put(root, "libown.so.1", gcc("libown.so.1", library, *SHARED))
    relocations = subprocess.run(
        ["readelf", "-rW", root / "app"], capture_output=True, text=True, check=True
    ).stdout
    assert "R_X86_64_COPY" in relocations
    assert ("value" in loader_says(root)) == (library == OTHER)
    assert [f.id for f in findings(root)] == (["undefined-symbol"] if library == OTHER else [])


VERSIONS = "OWN_1 {{ {}; }};\n"


@pytest.mark.parametrize(("exported", "defined"), [("own", True), ("older", False)])
def test_a_symbol_is_looked_up_with_its_version(
    exported: str, defined: bool, root: Path, tmp_path: Path, gcc: Compile
) -> None:
    """The version is there, and so is a function of the name, which has none of it."""
    source = "int own(void) { return 0; } int older(void) { return 0; }"

    def library(folder: str, script: str) -> Path:
        (tmp_path / f"{folder}.map").write_text(script)
        flag = f"-Wl,--version-script,{tmp_path / folder}.map"
        return gcc("libown.so.1", source, *SHARED, flag)

    whole = library("whole", VERSIONS.format("own"))
    put(root, "app", gcc("app", OPENER, "-rdynamic", "-ldl"))
    code = DEMO + "int own(void); int f(void) { return own(); }"
    module = gcc(MODULE, code, "-shared", "-fPIC", str(whole), "-Wl,-rpath,$ORIGIN")
    put(root, MODULE, module)
    script = VERSIONS.format(exported) + ("" if defined else "OWN_2 { own; } OWN_1;\n")
    put(root, "libown.so.1", library(exported, script))
    assert ("version OWN_1" in loader_says(root)) is not defined
    messages = [f.message for f in findings(root)]
    assert messages == ([] if defined else [f"`{MODULE}`: undefined symbol: `own`, version OWN_1"])


@pytest.mark.parametrize("imported", [True, False])
def test_a_module_without_its_own_init_function_is_an_error_where_code_imports_it(
    imported: bool, root: Path, gcc: Compile
) -> None:
    """A package may open such a file by its path, under the name that it has inside."""
    put(root, "app", gcc("app", OPENER, "-rdynamic", "-ldl"))
    put(root, MODULE, gcc(MODULE, "void PyInit_other(void) {}", "-shared", "-fPIC"))
    code = "import demo" if imported else "import json"
    (root / "main.py").write_text(f"{code}\n")
    done = subprocess.run(
        [sys.executable, "main.py"], cwd=root, capture_output=True, text=True, check=False
    )
    assert ("PyInit_demo" in done.stderr) == imported
    found = [f for f in findings(root) if f.id == "undefined-symbol"]
    assert [f.severity for f in found] == [Severity.ERROR] * imported
    if imported:
        assert "does not define `PyInit_demo`" in found[0].message
        assert ("exports", "PyInit_other") in found[0].evidence


@pytest.mark.parametrize("init", ["packed", "__init__"])
def test_the_module_of_a_package_is_initialised_by_the_packages_name(
    init: str, root: Path, gcc: Compile
) -> None:
    put(root, "app", gcc("app", OPENER, "-rdynamic", "-ldl"))
    (root / "packed").mkdir()
    file = f"packed/{MODULE.replace('demo', '__init__')}"
    source = f"""
        extern void *PyModule_Create2(void *, int);
        static struct {{
            long head[5]; const char *name; const char *text; long size; void *rest[5];
        }} module = {{ {{1}}, "packed", 0, -1, {{0}} }};
        void *PyInit_{init}(void) {{ return PyModule_Create2(&module, 1013); }}
    """
    put(root, file, gcc("made.so", source, "-shared", "-fPIC"))
    (root / "main.py").write_text("import packed\n")
    (root / "packed/other.py").write_text("class A:\n    def __init__(self): pass\n")
    done = subprocess.run(
        [sys.executable, "main.py"], cwd=root, capture_output=True, text=True, check=False
    )
    assert (done.returncode == 0) == (init == "packed"), done.stderr
    found = [f for f in findings(root) if f.id == "undefined-symbol"]
    assert bool(found) == (init != "packed")


def test_what_an_earlier_run_found_counts_as_long_as_no_file_of_the_process_changes(
    with_module: Callable[..., Path], gcc: Compile, root: Path
) -> None:
    with_module("int own(void); int call(void) { return own(); }")
    good = (root / "libown.so.1").read_bytes()
    assert findings(root, cached=True) == findings(root, cached=True) == []
    put(root, "libown.so.1", gcc("libown.so.1", OTHER, *SHARED))  # the module is the same
    assert "undefined symbol: own" in loader_says(root)
    broken = findings(root, cached=True)
    assert [f.id for f in broken] == ["undefined-symbol"]
    assert findings(root, cached=True) == broken
    (root / "libown.so.1").write_bytes(good)
    assert loader_says(root) == ""
    assert findings(root, cached=True) == []
