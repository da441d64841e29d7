"""The slots of a module's definition; Python is asked each time whether it takes the module."""

from __future__ import annotations

import importlib.machinery
import subprocess
import sys
import sysconfig

import pytest
from compiling import Compile

from rustext.formats.binary import read_binary
from rustext.verify.facts.python.module_slots import find_slots_version

NAME = f"demo{importlib.machinery.EXTENSION_SUFFIXES[0]}"
MODULE = """
#include <Python.h>
static int run(PyObject *module) { return 0; }
static PyModuleDef_Slot slots[] = {%s {0, NULL}};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "package.demo", .m_slots = slots
};
PyMODINIT_FUNC PyInit_demo(void) { return PyModuleDef_Init(&definition); }
"""
SLOTS = {
    "": None,
    "{Py_mod_exec, run},": None,
    "{Py_mod_exec, run}, {Py_mod_exec, run}, {3, (void *)2},": (3, 12),
    "{3, (void *)2},": (3, 12),
    "{Py_mod_exec, run}, {3, (void *)1}, {4, (void *)1},": (3, 13),
    "{Py_mod_exec, run}, {4, (void *)0},": (3, 13),
    "{4, (void *)0},": (3, 13),
}


@pytest.mark.parametrize("slots", SLOTS)
def test_the_newest_slot_tells_which_python_takes_a_module(slots: str, gcc: Compile) -> None:
    flags = ("-shared", "-fPIC", f"-I{sysconfig.get_path('include')}")
    module = gcc(NAME, MODULE % slots, *flags)
    found = find_slots_version(read_binary(module), "other.demo")
    assert found == SLOTS[slots]
    command = [sys.executable, "-c", "import demo"]
    done = subprocess.run(
        command, cwd=module.parent, capture_output=True, text=True, check=False, timeout=60
    )
    taken = found is None or found <= sys.version_info[:2]
    assert (done.returncode == 0) is taken, done.stderr
    assert taken or "unknown slot ID" in done.stderr


def test_slots_of_another_modules_definition_do_not_count(gcc: Compile) -> None:
    flags = ("-shared", "-fPIC", f"-I{sysconfig.get_path('include')}")
    module = gcc(NAME, MODULE % "{3, (void *)2},", *flags)
    assert find_slots_version(read_binary(module), "unrelated") is None
