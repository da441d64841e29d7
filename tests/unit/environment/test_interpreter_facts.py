"""The facts of an interpreter, as any Python from 3.8 on tells them of itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.markers import default_environment

from rustext.environment.environment import Environment, Owner, read_interpreter, this_interpreter
from rustext.environment.interpreter_facts import sites

FACTS = """
import json, sys, importlib.machinery, sysconfig
print(json.dumps([sys.version_info[:2], importlib.machinery.EXTENSION_SUFFIXES,
                  list(sys.builtin_module_names), sys.prefix, json.__file__]))
"""


def interpreters() -> list[Path]:
    """The running interpreter, and those from 3.8 on that pyenv keeps."""
    folder = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    others = [
        path / "bin/python"
        for path in sorted(folder.glob("3.*"))
        if int(path.name.split(".")[1].partition("-")[0]) >= 8
    ]
    return [Path(sys.executable), *(p for p in others if p.exists())]


@pytest.mark.parametrize("python", interpreters(), ids=str)
def test_an_interpreter_tells_the_same_of_itself_in_either_way(python: Path) -> None:
    done = subprocess.run(
        [python, "-c", FACTS], capture_output=True, text=True, check=True, timeout=60
    )
    version, suffixes, builtins, prefix, file = json.loads(done.stdout)
    facts = read_interpreter(python)
    assert facts.version == tuple(version)
    assert facts.suffixes == tuple(suffixes)
    assert facts.builtins == tuple(builtins)
    assert facts.prefixes[0] == prefix
    module = Environment(facts).find_module("json")
    assert module is not None
    assert (module.owner, module.path) == (Owner.STDLIB, Path(file))
    assert Environment(facts).find_module("_json") is not None  # of lib-dynload, or built in


def test_markers_are_those_of_packaging() -> None:
    assert dict(this_interpreter().markers) == dict(default_environment())


def test_the_prefix_is_no_folder_of_packages(tmp_path: Path) -> None:
    """As on Windows, where `sys.path` has the prefix, and in it the other folders of the path."""
    folders = [tmp_path / "DLLs", tmp_path / "Lib", tmp_path, tmp_path / "Lib/site-packages"]
    folders[-1].mkdir(parents=True)
    folders[0].mkdir()
    stdlib = [str(folders[0]), str(folders[1])]
    assert sites([*map(str, folders)], stdlib, [str(tmp_path)]) == [folders[-1]]
