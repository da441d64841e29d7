"""Native imports are told from Python's, with the file that they come from."""

from __future__ import annotations

import importlib.machinery
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from compiling import Compile

from rustext.tracing.recording import record
from rustext.tracing.trace_file import Language, Trace

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]
# A single-phase module by the stable ABI (https://docs.python.org/3/c-api/stable.html), written
# without Python.h: `imports(name)` imports by three ways, `threaded(name)` from a thread that has
# no Python code below it, `calls(f)` calls back. Loading it imports `wave`.
SOURCE = """
#include <pthread.h>
typedef struct { char opaque[256]; } Object;
typedef struct { const char *name; void *function; int flags; const char *doc; } Method;
typedef struct { long count; void *type; void *init; long index; void *copy;
                 const char *name; const char *doc; long size; Method *methods;
                 void *slots, *traverse, *clear, *free; } Module;
extern Object *PyImport_ImportModule(const char *), *PyImport_Import(Object *);
extern Object *PyModule_Create2(Module *, int), *PyObject_CallNoArgs(Object *);
extern void *PyCapsule_Import(const char *, int);
extern const char *PyUnicode_AsUTF8AndSize(Object *, long *);
extern int PyGILState_Ensure(void); extern void PyGILState_Release(int);
extern void *PyEval_SaveThread(void); extern void PyEval_RestoreThread(void *);
extern void PyErr_Clear(void);

static Object *imports(Object *self, Object *name) { return PyImport_Import(name); }
static Object *capsule(Object *self, Object *name) {
    void *api = PyCapsule_Import("datetime.datetime_CAPI", 0);
    return api ? PyImport_ImportModule("datetime") : 0;
}
static void *other(void *name) {
    int state = PyGILState_Ensure();
    if (!PyImport_Import(name)) PyErr_Clear();
    PyGILState_Release(state);
    return 0;
}
static Object *threaded(Object *self, Object *name) {
    pthread_t thread;
    void *saved = PyEval_SaveThread();
    pthread_create(&thread, 0, other, name);
    pthread_join(thread, 0);
    PyEval_RestoreThread(saved);
    return PyImport_ImportModule("sys");
}
static Object *calls(Object *self, Object *function) { return PyObject_CallNoArgs(function); }
static Method methods[] = { {"imports", imports, 8, 0}, {"capsule", capsule, 8, 0},
    {"threaded", threaded, 8, 0}, {"calls", calls, 8, 0}, {0, 0, 0, 0} };  /* 8: METH_O */
static Module module = { .count = 1, .name = "native", .size = -1, .methods = methods };
Object *PyInit_native(void) {
    if (!PyImport_ImportModule("wave")) return 0;
    return PyModule_Create2(&module, 1013);
}
"""


@pytest.fixture(scope="module")
def site(gcc: Compile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the extension module `app.native`."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "app").mkdir()
    (folder / "app" / "__init__.py").touch()
    native = gcc("native.so", SOURCE, "-shared", "-fPIC", "-pthread")
    (folder / "app" / f"native{SUFFIX}").write_bytes(native.read_bytes())
    return folder


def observe(site: Path, program: str, *options: str) -> Trace:
    """What is seen while a program runs in a Python of its own."""
    with record({**os.environ, "PYTHONPATH": str(site)}) as recording:
        subprocess.run(
            [sys.executable, *options, "-c", program],
            check=True, env=recording.variables, timeout=60, cwd=site,
        )  # fmt: skip
        return recording.read()


def seen(site: Path, program: str) -> set[str]:
    return set(observe(site, program).imports_of("app.native")) - {"wave", "sys"}


def test_what_a_module_imports_while_it_is_loaded_is_seen(site: Path) -> None:
    (importer,) = observe(site, "import app.native").importers
    assert (importer.name, importer.imports) == ("app.native", ("wave",))
    assert importer.language is Language.OTHER


def test_imports_of_cached_modules_are_seen(site: Path) -> None:
    assert seen(site, "import decimal; from app.native import *; imports('decimal')") == {"decimal"}


def test_the_module_of_a_capsule_is_seen(site: Path) -> None:
    assert seen(site, "from app import native; native.capsule(0)") == {"datetime"}


def test_imports_of_python_code_are_not_seen(site: Path) -> None:
    program = """
        import app.native, csv
        import xml.dom as dom
        __import__("fractions")
        __import__("colorsys", globals(), globals(), [], 0)
        import importlib; importlib.import_module("chunk" if False else "quopri")
        exec("import bisect")
    """
    assert seen(site, dedented(program)) == set()


@pytest.mark.skipif(sys.version_info < (3, 15), reason="PEP 810 came with Python 3.15")
def test_lazy_imports_of_python_code_are_not_seen_and_load_native_code(site: Path) -> None:
    program = """
        lazy import csv, xml.dom
        lazy from fractions import Fraction
        lazy from app import native
        csv.reader, Fraction(1), xml.dom.Node
        native.imports("decimal")
    """
    (importer,) = observe(site, dedented(program)).importers
    assert (importer.name, set(importer.imports)) == ("app.native", {"wave", "decimal"})


def test_python_code_that_native_code_calls_imports_for_itself(site: Path) -> None:
    program = """
        from app import native
        def back():
            import csv
            __import__("colorsys", globals(), globals(), [], 0)
            native.imports("fractions")
        native.calls(back)
    """
    assert seen(site, dedented(program)) == {"fractions"}


def test_the_interpreters_own_imports_are_left_out(site: Path) -> None:
    # strptime imports `_strptime` with the same function, from C.
    program = "from app import native; import datetime as d; native.calls(lambda: f())"
    program = f"f = lambda: d.datetime.strptime('20', '%y'); {program}"
    assert seen(site, program) == set()


def test_a_module_that_cannot_be_imported_is_not_recorded(site: Path) -> None:
    program = """
        from app import native
        try:
            native.imports("no_such_module")
        except ImportError:
            native.imports("decimal")
    """
    assert seen(site, dedented(program)) == {"decimal"}


def test_threads_coroutines_and_forks_are_seen(site: Path) -> None:
    program = """
        from app import native
        import asyncio, os, threading
        thread = threading.Thread(target=native.imports, args=["fractions"])
        thread.start(); thread.join()
        native.threaded("decimal")
        async def main(): native.imports("colorsys")
        asyncio.run(main())
        if os.fork() == 0:
            native.imports("csv")
            os._exit(0)
        os.wait()
    """
    expected = {"fractions", "decimal", "colorsys", "csv"}
    assert seen(site, dedented(program)) == expected


def test_interpreters_in_the_same_process_are_seen(site: Path) -> None:
    program = """
        code = "from app import native; native.imports('decimal')"
        try:
            import _interpreters
        except ImportError:  # before Python 3.13
            import _xxsubinterpreters
            _xxsubinterpreters.run_string(_xxsubinterpreters.create(isolated=False), code)
        else:
            _interpreters.exec(_interpreters.create("legacy"), code)
    """
    assert seen(site, dedented(program)) == {"decimal"}


def test_python_programs_that_the_program_starts_are_seen(site: Path) -> None:
    inner = "from app import native; native.imports('quopri')"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    assert seen(site, program) == {"quopri"}


def test_a_sitecustomize_of_the_users_still_runs(site: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import colorsys; WHO = 'the user'")
    ours = "[p for p in sys.path if 'rustext-trace' in p]"
    program = f"import sitecustomize, sys; print(sitecustomize.WHO, {ours})"
    with record({**os.environ, "PYTHONPATH": str(tmp_path)}) as recording:
        done = subprocess.run(
            [sys.executable, "-c", program],
            check=True, env=recording.variables, timeout=60, capture_output=True, text=True,
        )  # fmt: skip
    assert done.stdout == "the user []\n"


def test_without_a_way_to_walk_the_stack_unknown_callers_are_marked_so(site: Path) -> None:
    program = """
        import json, os, sys
        import rustext.tracing.recorder as recorder
        recorder._find_stack = lambda: None
        recorder.start(os.path.abspath("notes.jsonl"))
        from app import native
        native.imports("decimal")
        def back():
            import csv
        native.calls(back)
    """
    notes = site / "notes.jsonl"
    source = str(Path(__file__).resolve().parents[3] / "src")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), source])}
    subprocess.run([sys.executable, "-c", dedented(program)], check=True, env=env, cwd=site)
    found = {(n["module"], Path(n["file"]).name) for n in map(json.loads, notes.open())}
    notes.unlink()
    assert found >= {("wave", f"native{SUFFIX}"), ("decimal", "")}
    assert "csv" not in {module for module, _ in found}


def dedented(program: str) -> str:
    return "\n".join(line[8:] for line in program.splitlines())
