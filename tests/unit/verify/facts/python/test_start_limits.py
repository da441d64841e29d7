"""What of a start cannot be followed is named, beside what happens when the program runs."""

from __future__ import annotations

import marshal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from environments import write_files

from rustext.formats.marshal_reader import Code, parse_code
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.bundle.program import Freezer, Program, read_program
from rustext.verify.bytecode.code_store import Module
from rustext.verify.facts.python.opened_data import iter_lacking_imports
from rustext.verify.facts.python.program_starts import Start
from rustext.verify.facts.python.start_limits import note_limits

PYTHON = sys.version_info[:2]
TABLE = "NAMES = ['some-dep', 'json', 'app']"
ASKS = "from importlib.metadata import version\nfrom app.table import NAMES\n"
HANDLED = """
from importlib.metadata import PackageNotFoundError
try:
    version(NAMES[0])
except PackageNotFoundError:
    pass
"""


def compiled(text: str) -> Code:
    return parse_code(marshal.dumps(compile(text, "code", "exec")), PYTHON)


def program() -> Program:
    found = read_program(Path(sys.executable).resolve())
    assert found is not None
    return found


def start_of(text: str) -> Start:
    start = Start(program=program())
    packages = {"app", "some_dep", "json"}
    code = compiled(text)
    module = Module(name="app.main", package=False, code=code)
    note_limits(start, module, code, PYTHON, packages, lambda _: compiled(TABLE))
    return start


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        (f"{ASKS}FOUND = [version(name) for name in NAMES[:1]]", True),
        (f"{ASKS}def found(name=NAMES[0]):\n    return version(name)\nfound()", True),
        (f"{ASKS}{HANDLED}", False),
        (f"{ASKS}version('some-dep')", True),
        (f"{ASKS}def found():\n    return version('some-dep')\nfound()", True),
        (f"{ASKS}version('pytest')", False),
        ("from app.table import NAMES\nprint(NAMES)", False),
    ],
)
def test_metadata_that_is_asked_for_by_name_or_by_a_table_of_another_module(
    text: str, asked: bool, tmp_path: Path
) -> None:
    write_files(tmp_path, {"app/__init__.py": "", "app/table.py": TABLE, "app/main.py": text})
    ran = subprocess.run([sys.executable, "-m", "app.main"], cwd=tmp_path, check=False)
    assert (ran.returncode != 0) is asked
    assert start_of(text).asked == ([("app.main", "some-dep")] if asked else [])


RUN_FINDER = "Finder().load('rules')"
LOADS = """
import importlib
def load(path):
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)
"""
LOADS_PARTS = """
import importlib
def load(path):
    parts = path.split(".")
    return getattr(importlib.import_module(".".join(parts[:-1])), parts[-1])
"""
DOES_WITHOUT = """
import importlib
def load(path):
    module, name = path.rsplit(".", 1)
    try:
        return getattr(importlib.import_module(module), name)
    except ImportError:
        return None
"""


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (LOADS, ["app.main.load"]),
        (LOADS_PARTS, ["app.main.load"]),
        (DOES_WITHOUT, []),
    ],
)
def test_functions_that_load_the_class_of_a_path_are_named(
    text: str, named: list[str], tmp_path: Path
) -> None:
    write_files(tmp_path, {"main.py": f"{text}load('nowhere.Class')"})
    ran = subprocess.run([sys.executable, "main.py"], cwd=tmp_path, check=False)
    assert (ran.returncode != 0) is bool(named)
    assert start_of(text).loads_classes == named


IMPORTS_FOLDER = """
import importlib, os, sys
class Finder:
    def load(self, folder):
        sys.path.insert(0, folder)
        return [importlib.import_module(name[:-3]) for name in os.listdir(folder)]
"""


IMPORTS_FILES = """
import os
class Finder:
    def load(self, folder):
        for name in os.listdir(folder):
            if name.endswith(".py"):
                __import__(f"{folder}.{name[:-3]}")
"""
IMPORTS_PACKAGE = """
import importlib, pkgutil
class Finder:
    def load(self, name):
        package = importlib.import_module(name)
        for _, found, _ in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f".{found}", package.__name__)
"""
IMPORTS_OWN = """
import importlib, pkgutil, rules
class Finder:
    def load(self, name):
        return [module.name for module in pkgutil.iter_modules(rules.__path__)]
"""


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (IMPORTS_FOLDER, ["app.main.load"]),
        (IMPORTS_PACKAGE, ["app.main.load"]),
        (IMPORTS_OWN, []),
        (IMPORTS_FOLDER.replace("sys.path.insert(0, folder)", ""), []),
        (IMPORTS_FILES, ["app.main.load"]),
        (IMPORTS_FOLDER.replace("importlib.import_module(name[:-3])", "name"), []),
    ],
)
def test_functions_that_import_the_modules_of_a_folder_are_named(
    text: str, named: list[str], tmp_path: Path
) -> None:
    write_files(tmp_path, {"rules/first.py": "print('imported')", "main.py": f"{text}{RUN_FINDER}"})
    ran = subprocess.run(
        [sys.executable, "main.py"], cwd=tmp_path, capture_output=True, check=False
    )
    assert (b"imported" in ran.stdout) is bool(named)
    assert start_of(text).imports_listed == named


@pytest.mark.parametrize(
    ("call", "there"),
    [
        ("pkgutil.iter_modules()", True),
        ("iter_modules()", True),
        ("pkgutil.iter_modules(rules.__path__)", False),
        ("pkgutil.iter_modules", False),
    ],
)
def test_functions_that_look_through_all_modules_are_named(
    call: str, there: bool, tmp_path: Path
) -> None:
    text = "import importlib, pkgutil, rules\nfrom pkgutil import iter_modules\n"
    text += "def load():\n    for found in CALL:\n        if found[1].startswith('app_'):\n"
    text = f"{text}            importlib.import_module(found[1])\nload()\n".replace("CALL", call)
    plugin = {"app_one.py": "print('imported')", "rules/__init__.py": ""}
    write_files(tmp_path, {**plugin, "main.py": text})
    ran = subprocess.run(
        [sys.executable, "main.py"], cwd=tmp_path, capture_output=True, check=False
    )
    assert (b"imported" in ran.stdout) is there
    assert start_of(text).searches == ["app.main.load"] * there


def test_what_files_import_that_code_lists_and_runs(tmp_path: Path) -> None:
    files = {
        "app/rules/one.py": "from app.base import Base\nimport app.deep.two\nimport other.gone",
        "app/rules/two.py": "from ..there import x\nfrom . import one",
        "app/made/script.py.mako": "from app.there import x\nfrom app.made_by import y\n",
    }
    write_files(tmp_path, files)
    python = (name for name in files if name.endswith(".py"))
    loose = {name.removesuffix(".py").replace("/", "."): tmp_path / name for name in python}
    own = replace(program(), modules=frozenset({"app", "app.there", "app.rules", "other"}))
    bundle = Bundle(
        root=tmp_path, contents=tmp_path, program=own, programs=(own,), image=own.binary.image,
        freezer=Freezer.PYINSTALLER, files=(), modules=own.modules, loose=loose,
    )  # fmt: skip
    made = ("app.made_by", "app.made.template")
    assert list(iter_lacking_imports(bundle, {"app"})) == [("app.base", "app.rules.one"), made]
    assert list(iter_lacking_imports(bundle, {"other"})) == [made]
    text = "import os, runpy\nfor name in os.listdir('rules'): runpy.run_path(f'rules/{name}')"
    assert start_of(text).runs_files == {"app"}
    assert start_of("import os\nos.listdir('rules')").runs_files == frozenset()


@pytest.mark.parametrize(
    ("text", "fails"),
    [
        ("def read(f): return inspect.getsource(f)", True),
        ("def read(f):\n    try: return inspect.getsource(f)\n    except OSError: pass", False),
        ("def read(f):\n    try: return inspect.getsource(f)\n    except Exception: pass", False),
        ("def read(f): return inspect.getfile(f)", False),
    ],
)
def test_functions_that_read_the_source_of_what_they_are_handed(text: str, fails: bool) -> None:
    """As in a bundle, the function that they are handed has no source."""
    source = f"import inspect\n{text}\n"
    program = f"{source}exec('def f(): pass')\nread(f)"
    ran = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True)
    assert (ran.returncode != 0) is fails
    assert start_of(source).reads_source == (["app.main.read"] if fails else [])
