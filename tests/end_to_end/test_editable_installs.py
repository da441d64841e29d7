"""Editable installs as the build backends make them, compared with what Python itself imports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from environments import write_files

from rustext.environment.environment import read_environment

pytestmark = pytest.mark.network

CORE = """
#include <Python.h>
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_core", 0, -1};
PyMODINIT_FUNC PyInit__core(void) { return PyModule_Create(&module); }
"""
PROJECTS = {
    "setuptools": {
        "setup.py": "from setuptools import setup\n"
        "setup(name='by-setuptools', version='1.0', packages=['sets', 'sets.sub'],\n"
        "      package_dir={'sets': 'lib/core'}, py_modules=['solo'])\n",
        "lib/core/__init__.py": "",
        "lib/core/sub/__init__.py": "",
        "solo.py": "",
    },
    "hatchling": {
        "pyproject.toml": "[build-system]\nrequires = ['hatchling']\n"
        "build-backend = 'hatchling.build'\n[project]\nname = 'by-hatchling'\nversion = '1.0'\n"
        "[tool.hatch.build.targets.wheel]\npackages = ['lib/hatched']\n"
        "[tool.hatch.build]\ndev-mode-exact = true\n",
        "lib/hatched/__init__.py": "",
    },
    "scikit_build_core": {
        "pyproject.toml": "[build-system]\nrequires = ['scikit-build-core']\n"
        "build-backend = 'scikit_build_core.build'\n"
        "[project]\nname = 'by-scikit'\nversion = '1.0'\n"
        "[tool.scikit-build]\nwheel.packages = ['python/scikit']\n",
        "CMakeLists.txt": "cmake_minimum_required(VERSION 3.15)\nproject(by-scikit LANGUAGES C)\n"
        "find_package(Python REQUIRED COMPONENTS Interpreter Development.Module)\n"
        "python_add_library(_core MODULE core.c WITH_SOABI)\n"
        "install(TARGETS _core DESTINATION scikit)\n",
        "core.c": CORE,
        "python/scikit/__init__.py": "",
    },
    "mesonpy": {
        "pyproject.toml": "[build-system]\nrequires = ['meson-python']\n"
        "build-backend = 'mesonpy'\n[project]\nname = 'by-meson'\nversion = '1.0'\n",
        "meson.build": "project('by-meson', 'c', version: '1.0')\n"
        "py = import('python').find_installation(pure: false)\n"
        "py.install_sources('meson/__init__.py', subdir: 'mesoned')\n"
        "py.extension_module('_core', 'core.c', install: true, subdir: 'mesoned')\n",
        "core.c": CORE,
        "meson/__init__.py": "",
    },
}
MODULES = (
    "sets", "sets.sub", "solo", "hatched", "scikit", "scikit._core", "mesoned", "mesoned._core",
)  # fmt: skip
TOOLS = "setuptools hatchling editables scikit-build-core meson-python cmake ninja".split()
ORIGINS = """
import importlib, json, sys
print(json.dumps({n: importlib.import_module(n).__spec__.origin for n in sys.argv[1:]}))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("editable")
    python = folder / "env" / "bin" / "python"
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "-q", "--python", sys.executable, str(folder / "env")], check=True)
    install = [*uv, "pip", "install", "-q", "--python", str(python)]
    subprocess.run([*install, *TOOLS], check=True)
    for name, files in PROJECTS.items():
        write_files(folder / name, files)
        command = [*install, "--no-build-isolation", "-e", str(folder / name)]
        path = f"{python.parent}:/usr/local/bin:/usr/bin:/bin"
        subprocess.run(command, check=True, env={"PATH": path, "HOME": str(folder)})
    return python


def test_each_module_is_found_where_python_imports_it_from(python: Path) -> None:
    done = subprocess.run(
        [str(python), "-c", ORIGINS, *MODULES], capture_output=True, text=True, check=True
    )
    origins = json.loads(done.stdout.splitlines()[-1])
    env = read_environment(python)
    assert env.faults == ()
    for name in MODULES:
        found = env.find_module(name)
        assert found is not None, name
        assert found.path is not None
        assert found.path.resolve() == Path(origins[name]).resolve()
