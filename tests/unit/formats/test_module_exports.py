"""Modules that export `PyModExport_` in place of `PyInit_` (PEP 793, Python 3.15)."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
from compiling import Compile, compiler

from rustext.discovery.module_names import find_init, name_file
from rustext.formats.binary import read_binary

SOURCE = """
#ifdef _WIN32
#define OUT __declspec(dllexport)
int __stdcall DllMainCRTStartup(void *a, unsigned long b, void *c) { return 1; }
#else
#define OUT __attribute__((visibility("default")))
#endif
OUT int PyModExport_demo(void) { return 1; }
OUT int PyModExportU_dmo_bma(void) { return 2; }
OUT int PyModExported(void) { return 3; }
int PyModExport_hidden(void) { return 4; }
"""
# By CPython's headers: a module of PEP 793 where they know it, else with a function of that name.
REAL = """
#include <Python.h>
#if PY_VERSION_HEX >= 0x030f0000
PyABIInfo_VAR(abi);
static PySlot slots[] = {PySlot_STATIC_DATA(Py_mod_abi, &abi), PySlot_END};
PyMODEXPORT_FUNC PyModExport_demo(void) { return slots; }
#else
__attribute__((visibility("default"))) void *PyModExport_demo(void) { return NULL; }
#endif
"""
NAMES = ("PyModExportU_dmo_bma", "PyModExport_demo")


@pytest.mark.parametrize("target", ["", "aarch64-macos", "x86_64-windows-gnu"])
def test_these_functions_make_a_module(
    target: str, gcc: Compile, zig: Callable[[str], Compile]
) -> None:
    suffix, compile_c = (".pyd" if "windows" in target else ".so"), (zig(target) if target else gcc)
    file = compile_c(f"demo{suffix}", SOURCE, "-shared", "-fPIC", "-fvisibility=hidden")
    image = read_binary(file).image
    assert image.python_inits == NAMES
    assert name_file(PurePosixPath("pkg", file.name), [image]).module == "pkg.demo"
    assert find_init("démo", image.python_inits) == "PyModExportU_dmo_bma"
    other = name_file(PurePosixPath("pkg", f"other{suffix}"), [image])
    assert other.module is None
    assert "init-differs" in other.kinds


def test_the_interpreter_and_verify_agree_on_who_can_import_it(tmp_path: Path) -> None:
    python = Path(sys.executable)
    include = subprocess.check_output(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('include'))"], text=True
    ).strip()
    gcc = compiler(["gcc"], tmp_path)
    app = tmp_path / "app"
    app.mkdir()
    built = gcc("demo.so", REAL, "-shared", "-fPIC", f"-I{include}")
    shutil.copy(built, app / "demo.so")
    done = subprocess.run(
        [python, "-c", "import demo"], cwd=app, capture_output=True, text=True, check=False
    )
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    command = [python, "-m", "rustext", "verify", app, "--json", "--python", version]
    verified = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = [f["id"] for f in json.loads(verified)["findings"] if f["severity"] == "error"]
    assert found == ([] if done.returncode == 0 else ["python-abi"]), done.stderr
    assert (done.returncode == 0) is (sys.version_info >= (3, 15)), done.stderr
