"""Files of Python code that code lists or reads, and metadata, by what it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from environments import environment, install

from rustext.discovery.source_facts import read_sources, used_files
from rustext.plan.metadata_files import find_asked_metadata
from rustext.plan.read_sources import find_all_read, find_listed_files, find_loaded_imports

LOOP = (
    "for f in os.listdir(__file__):\n  if f.endswith('.py'): import_module(f'pkg.rules.{f[:-3]}')"
)
HERE = "import importlib\nfrom pathlib import Path\nhere = Path(__file__).parent\n"
PACKAGE = {"pkg/plug/mail/__init__.py", "pkg/plug/mail/base.py"}
FILES = (
    *PACKAGE,
    "pkg/rules/__init__.py",
    "pkg/rules/r1.py",
    "pkg/rules/deep/r2.py",
    "pkg/other/o.py",
)


def listed(site: Path, text: str, *more: str) -> set[str]:
    install(site, "pkg", files={"pkg/__init__.py": text, **dict.fromkeys((*FILES, *more), "")})
    dist = environment(site).distributions["pkg"]
    return {str(c.destination) for c in find_listed_files(read_sources(dist), dist)}


@pytest.mark.parametrize(
    ("text", "files"),
    [
        (f"{HERE}(here / 'rules').glob('*.py')", {"pkg/rules/r1.py"}),
        (LOOP, {"pkg/rules/r1.py"}),
        (f"{HERE}(here / 'rules').glob('*.toml')", set()),
        (f"{HERE}(here / 'plug').glob('*.py')", PACKAGE),
        (f"{HERE}open(here / 'rules' / 'r1.py')", set()),
    ],
)
def test_modules_in_a_folder_that_code_lists_are_files(
    text: str, files: set[str], tmp_path: Path
) -> None:
    assert listed(tmp_path, text) == files


@pytest.mark.parametrize(
    ("folder", "there"),
    [
        ("os.listdir(os.path.dirname(__file__))", True),
        ("os.listdir(os.path.dirname(os.path.abspath(__file__)))", True),
        ("(p.name for p in Path(__file__).parent.iterdir())", True),
        ("os.listdir(here)", True),
        ("(p.name for p in here.iterdir())", True),
        ("os.listdir(elsewhere)", False),
    ],
)
def test_code_may_list_its_own_folder_without_a_suffix(
    folder: str, there: bool, tmp_path: Path
) -> None:
    """The set is made as the package is imported, and fails where there is no folder."""
    text = f"import os\n{HERE}elsewhere = '.'\nKNOWN = {{n.split('.')[0] for n in {folder}}}\n"
    text += "def load(name):\n    return importlib.import_module(f'pkg.{name}')\n"
    assert ("pkg/one.py" in listed(tmp_path, text, "pkg/one.py")) is there
    code = "import pkg; print('one' in pkg.KNOWN and pkg.load('one').__name__)"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == ("pkg.one" if there else "False")


RUNNER = """
import os
from importlib.util import module_from_spec, spec_from_file_location

def run_all(folder):
    for path, _, files in os.walk(folder):
        for name in sorted(files):
            if name.endswith(".py"):
                spec = spec_from_file_location(name[:-3], os.path.join(path, name))
                spec.loader.exec_module(module_from_spec(spec))
"""
IMPORTER = """
import importlib, os, sys

def run_all(folder):
    sys.path.insert(0, str(folder))
    for name in sorted(os.listdir(folder)):
        if name.endswith(".py"):
            importlib.import_module(name.split(".py")[0])
"""
HERE_BY_OS = "os.path.dirname(os.path.abspath(__file__))"
PROGRAM = "import os\nfrom pkg.runner import run_all\n"


@pytest.mark.parametrize(
    ("runner", "program", "ran"),
    [
        (RUNNER, "run_all(os.path.join(os.path.dirname(__file__), 'rules'))", ["one", "two"]),
        (RUNNER, "run_all(Path(__file__).parent / 'rules')", ["one", "two"]),
        (RUNNER, "run_all(Path(__file__).resolve().parent / 'rules/deep')", ["two"]),
        (IMPORTER, "HERE = Path(__file__).parent\nrun_all(HERE / 'rules/deep')", ["two"]),
        (
            IMPORTER,
            f"here = {HERE_BY_OS}\nrun_all(os.path.join(\n  here, 'rules/deep'))",
            ["two"],
        ),
    ],
)
def test_a_folder_whose_files_another_module_runs_comes_along_with_what_they_import(
    runner: str, program: str, ran: list[str], tmp_path: Path
) -> None:
    rules = {"rules/r1": "one", "rules/deep/r2": "two"}
    files = {f"pkg/{name}.py": f"import pkg.parts.{part}" for name, part in rules.items()}
    files |= {f"pkg/parts/{name}.py": f"print('{name}')" for name in ("one", "two", "three")}
    program = f"{PROGRAM}from pathlib import Path\n{program}"
    files |= {"pkg/__init__.py": "", "pkg/main.py": program, "pkg/runner.py": runner}
    install(tmp_path, "pkg", files=files)
    done = subprocess.run(
        [sys.executable, "-m", "pkg.main"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    env = environment(tmp_path)
    dist = env.distributions["pkg"]
    sources = read_sources(dist)
    wanted = {f"pkg/{name}.py" for name, part in rules.items() if part in ran}
    assert sorted(done.stdout.split()) == ran
    assert {str(c.destination) for c in find_listed_files(sources, dist)} == wanted
    loaded = {name for name, _ in find_loaded_imports(sources, dist, env)}
    assert loaded == {f"pkg.parts.{name}" for name in ran}


@pytest.mark.parametrize("folder", ["versions", "other"])
def test_what_changes_a_database_is_run_as_files(folder: str, tmp_path: Path) -> None:
    """By their paths, from `env.py` on: a freezer has them in its archive."""
    run = "import pathlib, runpy\nrunpy.run_path(pathlib.Path(__file__).with_name('env.py'))"
    env = "import pathlib, runpy\nfor f in (pathlib.Path('pkg/db') / 'FOLDER').glob('*.py'):\n"
    files = {"pkg/__init__.py": "", "pkg/db/__init__.py": run, "pkg/parts.py": "print('ran')"}
    files |= {"pkg/db/env.py": f"{env}    runpy.run_path(f)".replace("FOLDER", folder)}
    files |= {f"pkg/db/{folder}/0001_first.py": "import pkg.parts"}
    install(tmp_path, "pkg", files=files)
    found = environment(tmp_path)
    dist = found.distributions["pkg"]
    sources = read_sources(dist)
    listed = {str(c.destination) for c in find_listed_files(sources, dist)}
    loaded = {name for name, _ in find_loaded_imports(sources, dist, found)}
    wanted = {"pkg/db/env.py", f"pkg/db/{folder}/0001_first.py"}
    assert listed == (wanted if folder == "versions" else set())
    assert loaded >= ({"pkg.parts"} if folder == "versions" else set())
    command = [sys.executable, "-c", "import pkg.db"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "ran\n"


@pytest.mark.parametrize("name", ["script.py.mako", "script.py-tpl", "script.py_tmpl"])
def test_what_a_template_of_python_imports_is_imported_by_what_it_makes(
    name: str, tmp_path: Path
) -> None:
    template = '"""${title}"""\nfrom pkg.parts import one\nimport pkg.parts.two\n${body}\n'
    files = {f"pkg/{n}.py": "" for n in ("__init__", "parts/__init__", "parts/one", "parts/two")}
    others = {"pkg/tests/other.py.mako": "import pkg.parts.three", "pkg/parts/three.py": ""}
    install(tmp_path, "pkg", files={**files, **others, f"pkg/{name}": template})
    made = template.replace("${title}", "made").replace("${body}", "import sys")
    made += "print(*sorted(n for n in sys.modules if n.startswith('pkg')))"
    done = subprocess.run(
        [sys.executable, "-c", made], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    env = environment(tmp_path)
    dist = env.distributions["pkg"]
    loaded = {found for found, _ in find_loaded_imports(read_sources(dist), dist, env)}
    assert loaded | {"pkg"} == {"pkg", *done.stdout.split()}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("import lazy\n__getattr__ = lazy.attach_stub(__name__, __file__)", True),
        ("import lazy\n__getattr__ = lazy.attach(__name__, ['core'])", False),
    ],
)
def test_a_stub_that_a_lazy_module_reads_is_a_file(text: str, read: bool, tmp_path: Path) -> None:
    assert listed(tmp_path, text, "pkg/__init__.pyi") == ({"pkg/__init__.pyi"} if read else set())


def test_metadata_comes_along_for_the_distributions_that_code_names_and_requires(
    tmp_path: Path,
) -> None:
    text = (
        "from importlib.metadata import version\nfor n in ('Some_Dep', 'other', 'no'): version(n)"
    )
    install(tmp_path, "pkg", files={"pkg.py": text}, requires=["some-dep"])
    for name in ("some-dep", "other", "third"):
        install(tmp_path, name)
    env = environment(tmp_path)
    files = used_files(read_sources(env.distributions["pkg"]))
    required = env.installed.requirements_of("pkg")
    found = [
        str(c.path.relative_to(tmp_path)) for c in find_asked_metadata(files, env, among=required)
    ]
    assert found == ["some_dep-1.0.dist-info/METADATA"]
    assert len(list(find_asked_metadata(files, env))) == 2


@pytest.mark.parametrize(("imported", "found"), [("NAMES", True), ("names", False)])
def test_metadata_may_be_asked_for_by_the_names_in_a_table_of_another_module(
    imported: str, found: bool, tmp_path: Path
) -> None:
    text = "from importlib.metadata import version\n"
    text += f"from pkg.table import {imported}\nVERSIONS = [version(n) for n in {imported}]"
    table = f"{imported} = ['some-dep']"
    files = {"pkg/__init__.py": "", "pkg/versions.py": text, "pkg/table.py": table}
    install(tmp_path, "pkg", files=files, requires=["some-dep"])
    install(tmp_path, "some-dep")
    env = environment(tmp_path)
    sources = used_files(read_sources(env.distributions["pkg"]))
    assert bool(list(find_asked_metadata(sources, env))) is found


CHECKS = """
import ast, inspect

def checked(function):
    print(len(ast.parse(inspect.getsource(function)).body))
    return function

def counted(function):
    return function
"""


@pytest.mark.parametrize(
    ("name", "requires", "there"),
    [("checked", ["checks"], True), ("counted", ["checks"], False), ("checked", [], False)],
)
def test_a_file_that_hands_functions_to_a_requirement_that_reads_them_comes_as_source(
    name: str, requires: list[str], there: bool, tmp_path: Path
) -> None:
    """The function's file is read, which a freezer puts into an archive without its source."""
    install(tmp_path, "checks", files={"checks/__init__.py": CHECKS})
    use = f"from checks import {name}\n@{name}\ndef plural(): pass\n"
    files = {"words/__init__.py": "from . import plural\n", "words/plural.py": use}
    install(tmp_path, "words", files=files, requires=requires)
    ran = subprocess.run(
        [sys.executable, "-c", "import words"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    env = environment(tmp_path)
    found = {
        str(c.destination) for c in find_all_read(env.distributions["words"], env, read_sources)
    }
    assert ran.stdout == ("1\n" if name == "checked" else "")
    assert found == ({"words/plural.py"} if there else set())
