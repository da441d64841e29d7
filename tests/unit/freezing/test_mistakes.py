"""Mistakes in what a user asks for: every door refuses each, with the same words, at once."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import PyInstaller.config
import pytest
from environments import Files, write_files
from known_mistakes import MISTAKES, table
from nuitka_plugin import load_plugin
from rustext_hooks import analysis_state, whole_build

from rustext.cli.main import run
from rustext.environment.environment import this_environment
from rustext.errors import InvalidConfiguration, RustextError
from rustext.freezing.options import read_options
from rustext.freezing.project import read_project
from rustext.freezing.session import start_session

pytestmark = pytest.mark.usefixtures("lean_path")


@pytest.fixture(params=MISTAKES)
def mistake(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Path, str]]:
    """A program with a mistake beside it, and the line that a freezer shows for that."""
    files, variables, said = MISTAKES[request.param]
    script = tmp_path / "app" / "main.py"
    write_files(script.parent, {"main.py": "", **files})
    for name, value in variables.items():
        monkeypatch.setenv(f"RUSTEXT_BUILD_{name}", value)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(RustextError) as refused:
        start_session(script.parent, read_options(), freezer="none")
    line = refused.value.line
    assert said in line
    assert "\n" not in line
    assert len(line) < 400 + len(str(tmp_path))
    if files:
        assert line.startswith(str(script.parent))
    before = time.monotonic()
    yield script, line
    assert time.monotonic() - before < 5


def test_pyinstaller_ends(mistake: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    script, line = mistake
    monkeypatch.setitem(PyInstaller.config.CONF, "main_script", script)
    analysis_state.states.clear()
    with pytest.raises(SystemExit) as ended:
        whole_build.begin()
    assert ended.value.code == f"ERROR: rustext: {line}"  # printed, and an exit code of 1


def test_nuitka_ends(
    mistake: tuple[Path, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    script, line = mistake
    module = load_plugin()
    options = SimpleNamespace(getMainEntryPointFilenames=lambda: [str(script)])
    monkeypatch.setattr(module, "_options", lambda: options)
    entered = SimpleNamespace(
        getFullName=lambda: None,
        getCompileTimeFilename=lambda: None,
        isMainModule=lambda: False,
    )
    with pytest.raises(SystemExit) as ended:
        module.NuitkaPluginRustext().getImplicitImports(entered)
    assert ended.value.code == 1
    assert " ".join(line.split()) in " ".join(capsys.readouterr().err.split())


def test_plan_ends(mistake: tuple[Path, str], capfd: pytest.CaptureFixture[str]) -> None:
    script, line = mistake
    assert run(["plan", str(script)]) == 2
    message, _, hint = capfd.readouterr().err.removeprefix("error: ").rstrip().partition("\nhint: ")
    assert "; ".join(filter(None, [message, hint])) == line


def test_doctor_fails(
    mistake: tuple[Path, str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    script, line = mistake
    monkeypatch.chdir(script.parent)
    assert run(["doctor", "--json"]) == 1
    checks = {check["name"]: check for check in json.loads(capfd.readouterr().out)["checks"]}
    found = checks["configuration"]
    assert found["severity"] == "error"
    told = "; ".join(filter(None, [found["message"], found["hint"]]))
    assert told == line.replace(f"{script.parent}/", "")  # as a user there names the file


# --- what is no mistake -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "files",
    [
        {},
        table('include = ["json.decoder", "sys", "zoneinfo"]'),
        table('include = ["mine.part"]') | {"mine/__init__.py": "", "mine/part.py": ""},
        table('include = ["space.part"]') | {"space/part.py": ""},
        table('include = ["made.later.on"]') | {"made.py": ""},  # as six.moves is made
        table("target = 'manylinux_2_28_x86_64'\nallow-system = ['libodbc.so.2']"),
        {"pyproject.toml": "[tool.rustfmt]\n[tool.ruff]\n"},
        {"pyproject.toml": f"a = {[float(n) for n in range(5000)]}\n"},
        {"pyproject.toml": f"a = '{'a.' * 5000}'\nb = '''\n{'1.2 ' * 5000}'''\n"},
        {"pyproject.toml": "\n".join(f"a{n}.b.c = {n}" for n in range(5000))},
    ],
)
def test_what_is_valid_is_taken(files: Files, tmp_path: Path) -> None:
    write_files(tmp_path, files)
    env = this_environment()
    from rustext.freezing.project import program_environment

    read_project(tmp_path, program_environment(env, tmp_path))


def test_a_fifo_is_not_taken_for_no_configuration(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pyproject.toml")
    with pytest.raises(InvalidConfiguration, match="not a regular file"):
        read_project(tmp_path, this_environment())
