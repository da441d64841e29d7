"""Modules that a distribution finds at run time, by listing a namespace or asking entry points."""

from __future__ import annotations

import importlib.machinery
import subprocess
import sys
from pathlib import Path

import pytest
from compiling import Compile
from environments import environment, install, write_files

from rustext.discovery.native_files import environment_source, iter_native_files
from rustext.discovery.source_facts import read_sources
from rustext.imports.plugins import find_plugin_modules
from rustext.model.evidence import EvidenceKind
from rustext.model.plan import Verdict

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]
NAMES = ("plugin", "plain")
LISTS = "import pkgutil\nimport host_ext\nfor m in pkgutil.iter_modules(host_ext.__path__): ..."
ASKS = 'from importlib.metadata import entry_points\nfound = entry_points(group="host.plugins")'


def found(site: Path, *others: Path) -> dict[str, str]:
    env = environment(site, *others)
    host = env.distributions["host"]
    modules = find_plugin_modules(read_sources(host), host, env)
    assert all(m.verdict is Verdict.INCLUDE for m in modules)
    assert all(e.kind is EvidenceKind.PLUGIN for m in modules for e in m.evidence)
    assert [m.module for m in modules] == sorted(m.module for m in modules)
    return {m.module: m.evidence[0].detail for m in modules}


def test_the_modules_of_a_listed_namespace_come_from_all_folders(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    install(first, "host", files={"host/__init__.py": LISTS})
    write_files(first, {"host_ext/one.py": "", "host_ext/data.txt": ""})
    install(second, "more", files={"host_ext/two.py": "", "host_ext/sub/__init__.py": ""})
    assert found(first, second) == dict.fromkeys(
        ("host_ext", "host_ext.one", "host_ext.sub", "host_ext.two"),
        "lists the modules of `host_ext`",
    )


def test_a_package_that_is_listed_is_one_of_the_distributions_own(tmp_path: Path) -> None:
    other = {"host_ext/__init__.py": "", "host_ext/one.py": "", "host_ext/sub/deep.py": ""}
    install(tmp_path / "a", "host", files={"host/__init__.py": LISTS})
    install(tmp_path / "a", "other", files=other)
    assert found(tmp_path / "a") == {}
    install(tmp_path / "b", "host", files={"host/__init__.py": LISTS, **other})
    assert found(tmp_path / "b") == {"host_ext.one": "lists the modules of `host_ext`"}


@pytest.mark.parametrize(
    "text",
    [
        "from . import rules\nwalk_packages(rules.__path__, rules.__name__ + '.')",
        "import host.rules as all_rules\nwalk_packages(path=all_rules.__path__)",
        "import host.rules\nwalk_packages([os.path.dirname(host.rules.__file__)])",
    ],
)
def test_a_listed_package_goes_by_any_name_that_an_import_gives_it(
    text: str, tmp_path: Path
) -> None:
    files = {"host/__init__.py": text, "host/rules/__init__.py": "", "host/rules/r/__init__.py": ""}
    install(tmp_path, "host", files={**files, "host/rules/r/deep.py": "", "host/no.py": ""})
    assert set(found(tmp_path)) == {"host.rules.r", "host.rules.r.deep"}


def test_a_group_that_another_distribution_is_asked_for_by_its_name(tmp_path: Path) -> None:
    asks = "def load(group):\n    return importlib.metadata.entry_points(group=group)"
    files = {"host/__init__.py": "from manager import load\nload('host.plugins')"}
    install(tmp_path, "host", files=files, requires=["manager"])
    install(tmp_path, "manager", files={"manager.py": asks})
    points = {"plugin.dist-info/METADATA": "Name: plugin\nVersion: 1\n", "plugged.py": ""}
    points |= {"plugin.dist-info/entry_points.txt": "[host.plugins]\na = plugged:A [extra]\nb = no"}
    record = "".join(f"{name},,\n" for name in points)
    write_files(tmp_path, {**points, "plugin.dist-info/RECORD": record})
    assert found(tmp_path) == {"plugged": "asks for entry points of `host.plugins`"}


def test_a_group_whose_name_is_put_together_of_two_literals(tmp_path: Path) -> None:
    asks = """
from importlib.metadata import entry_points
def create(*names, entry_points=False):
    return "_".join(names)
READERS = create("host", "readers", entry_points=True)
for point in entry_points(group=READERS):
    print(point.load().__name__)
"""
    install(tmp_path, "host", files={"host/__init__.py": asks})
    text = "[host_readers]\na = plugged\n[host_writers]\nb = other\n[mine_readers]\nc = other\n"
    files = {"plugged.py": "", "other.py": "", **entry_points("plugin", text)}
    install(tmp_path, "plugin", files=files)
    ran = subprocess.run(
        [sys.executable, "-c", "import host"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert set(found(tmp_path)) == set(ran.stdout.split()) == {"plugged"}


WALKER = """
import importlib, pkgutil

def walk(module):
    for _, name, _ in pkgutil.iter_modules(module.__path__):
        walk_one(importlib.import_module(f".{name}", module.__name__))

def walk_one(module):
    print(module.__name__)
"""


def test_a_package_that_is_named_for_code_that_lists_what_it_is_handed(tmp_path: Path) -> None:
    settings = "import importlib\nfrom host.walker import walk\nDEFAULT = 'host.rules'\n"
    settings += "def start():\n    walk(importlib.import_module(DEFAULT))\n"
    files = {f"host/{name}.py": "" for name in ("rules/__init__", "rules/one", "rules/two", "no")}
    files |= {"host/__init__.py": "", "host/walker.py": WALKER, "host/settings.py": settings}
    install(tmp_path, "host", files=files)
    ran = subprocess.run(
        [sys.executable, "-c", "import host.settings; host.settings.start()"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert set(found(tmp_path)) == set(ran.stdout.split()) == {"host.rules.one", "host.rules.two"}


FRAMEWORK = """
import importlib, pkgutil

def setup(apps):
    for name in [f"{app}.addons" for app in apps]:
        package = importlib.import_module(name)
        for found in pkgutil.walk_packages(package.__path__, f"{name}."):
            importlib.import_module(found.name)
"""


def test_a_package_whose_modules_a_framework_lists_in_what_uses_it(tmp_path: Path) -> None:
    install(tmp_path, "frame", files={"frame.py": FRAMEWORK})
    parts = ("__init__", "addons/__init__", "addons/tags", "other/__init__", "other/part")
    files = {f"host/{name}.py": "" for name in parts}
    install(tmp_path, "host", files=files, requires=["frame"])
    env = environment(tmp_path)
    frame = read_sources(env.distributions["frame"]).files
    host = env.distributions["host"]
    found = {m.module for m in find_plugin_modules(read_sources(host), host, env, (), frame)}
    code = "import frame, sys; frame.setup(['host'])\n"
    code += "print(*(m for m in sys.modules if m.startswith('host.')))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert found == set(done.stdout.split()) == {"host.addons", "host.addons.tags"}


LOADER = """
import importlib, pkgutil, re

def scan(pattern):
    for _, name, _ in pkgutil.iter_modules():
        if re.match(pattern, name):
            importlib.import_module(name)
"""
SELF = """
import importlib, pkgutil

for _, name, _ in pkgutil.iter_modules():
    if name.startswith("host_"):
        importlib.import_module(name)
"""
CLASS = """
import importlib, pkgutil

class Manager:
    PREFIX = "host_"

    def load(self):
        for _, name, _ in pkgutil.iter_modules():
            if name.startswith(Manager.PREFIX):
                importlib.import_module(name)

Manager().load()
"""


@pytest.mark.parametrize(
    ("code", "requires"),
    [("from loader import scan\nscan('^host_.+$')", ["loader"]), (SELF, []), (CLASS, [])],
)
def test_plugins_that_are_named_by_a_convention(
    code: str, requires: list[str], tmp_path: Path
) -> None:
    install(tmp_path, "loader", files={"loader.py": LOADER})
    install(tmp_path, "host", files={"host/__init__.py": code}, requires=requires)
    install(tmp_path, "more", files={"host_more.py": "", "hostess.py": ""})
    install(tmp_path, "sheets", files={"host_sheets/__init__.py": ""})
    env = environment(tmp_path)
    loader, host = read_sources(env.distributions["loader"]).files, env.distributions["host"]
    around = loader if requires else ()
    found = {m.module for m in find_plugin_modules(read_sources(host), host, env, (), around)}
    code = "import host, sys; print(*(m for m in sys.modules if m.startswith('host')))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert found | {"host"} == set(done.stdout.split()) == {"host", "host_more", "host_sheets"}


def test_a_namespace_that_is_only_imported_is_not_listed(tmp_path: Path) -> None:
    install(tmp_path, "host", files={"host/__init__.py": "import host_ext"})
    write_files(tmp_path, {"host_ext/one.py": ""})
    assert found(tmp_path) == {}


@pytest.mark.parametrize(
    ("call", "below"),
    [
        ("iter_modules(__path__)", False),
        ("iter_modules(path=__path__, prefix='host.')", False),
        ("iter_modules([os.path.dirname(__file__)])", False),
        ("walk_packages(__path__, 'host.')", True),
        ("walk_packages(\n    path=__path__,\n    prefix=__name__ + '.',\n)", True),
    ],
)
def test_the_modules_of_a_package_that_lists_its_own_folder(
    call: str, below: bool, tmp_path: Path
) -> None:
    """What pkgutil finds there, asked in an interpreter of its own."""
    init = f"import os, pkgutil\nfound = sorted(m.name for m in pkgutil.{call})\n"
    files = {"host/__init__.py": init, "host/one.py": "", "host/data.txt": ""}
    files |= {"host/sub/__init__.py": "", "host/sub/deep.py": "", "host/bare/hidden.txt": ""}
    install(tmp_path, "host", files=files)
    command = [sys.executable, "-c", "import host; print(*host.found)"]
    listed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    names = {f"host.{name.removeprefix('host.')}" for name in listed.stdout.split()}
    assert ("host.sub.deep" in names) == below
    assert found(tmp_path) == dict.fromkeys(sorted(names), "lists the modules of `host`")


def test_what_only_tests_would_list_is_left_out(tmp_path: Path) -> None:
    init = "import pkgutil\nfound = list(pkgutil.iter_modules(__path__))\n"
    files = {"host/__init__.py": "", "host/tests/__init__.py": init, "host/tests/one.py": ""}
    install(tmp_path, "host", files=files)
    assert found(tmp_path) == {}


def entry_points(name: str, text: str) -> dict[str, str]:
    return {f"{name}-1.0.dist-info/entry_points.txt": text}


def test_entry_points_of_a_group_that_the_code_asks_for_are_found(tmp_path: Path) -> None:
    install(tmp_path, "host", files={"host/__init__.py": ASKS})
    text = "[host.plugins]\na = one:run\nb = absent.part:run\n[other]\nc = two\n"
    install(tmp_path, "one", files={"one.py": "", "two.py": "", **entry_points("one", text)})
    assert found(tmp_path) == {"one": "asks for entry points of `host.plugins`"}


def test_commands_are_for_installers(tmp_path: Path) -> None:
    install(tmp_path, "host", files={"host/__init__.py": ASKS + '; "console_scripts"'})
    text = "[console_scripts]\na = one:run\n"
    install(tmp_path, "one", files={"one.py": "", **entry_points("one", text)})
    assert found(tmp_path) == {}


def test_a_file_that_is_gone_says_nothing(tmp_path: Path) -> None:
    install(tmp_path, "host", files={"host/__init__.py": LISTS, "host/data.bin": "x"})
    write_files(tmp_path, {"host_ext/one.py": ""})
    (tmp_path / "host/__init__.py").unlink()
    assert found(tmp_path) == {}


def test_an_extension_module_that_a_library_opens_by_path_comes_along(
    tmp_path: Path, gcc: Compile
) -> None:
    """The function is one that polars looks up in a plugin (data/bindings.toml)."""
    functions = "void *PyInit_{0}(void) {{ return 0; }} void *{1}(void) {{ return 0; }}"
    for name, function in (("plugin", "_polars_plugin_double"), ("plain", "double_it")):
        library = gcc(f"{name}.so", functions.format(name, function), "-shared", "-fPIC")
        write_files(tmp_path, {f"host/{name}{SUFFIX}": library})
    files = dict.fromkeys(("host/__init__.py",), "")
    natives = {f"host/{name}{SUFFIX}": tmp_path / f"host/{name}{SUFFIX}" for name in NAMES}
    install(tmp_path, "host", files={**files, **natives})
    env = environment(tmp_path)
    native = [file for _, file in iter_native_files(environment_source(env, tmp_path))]
    assert len(native) == len(NAMES)
    host = env.distributions["host"]
    modules = find_plugin_modules(read_sources(host), host, env, native)
    assert [m.module for m in modules] == ["host.plugin"]
