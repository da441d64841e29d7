"""Mistakes in what a user asks for: every door refuses each, with the same words, at once."""

from __future__ import annotations

import importlib.util
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import nuitka.plugins.PluginBase
import nuitka.Version  # noqa: F401
import PyInstaller.config
import pytest
from environments import Files, write_files
from rustext_hooks import analysis_state, whole_build

from rustext.cli.main import run
from rustext.environment.environment import this_environment
from rustext.errors import RustextError
from rustext.freezing.options import read_options
from rustext.freezing.project import read_project
from rustext.freezing.session import start_session

pytestmark = pytest.mark.usefixtures("lean_path")

ROOT = Path(__file__).resolve().parents[3]
RECORD = 'version = 1\n[[importer]]\nname = "a"\nlanguage = "rust"\nimports = '


def table(text: str) -> Files:
    return {"pyproject.toml": f"[tool.rustext]\n{text}\n"}


def rule(text: str) -> Files:
    return table(f'[[tool.rustext.crate-rules]]\ncrate = "our-core"\n{text}')


# What is written beside the program, which variables are set, and what the line says of it.
MISTAKES: dict[str, tuple[Files, dict[str, str], str]] = {
    "misspelt option": (table("includes = []"), {}, "`includes`; did you mean `include`?"),
    "option in capitals": (table("Optional = 'never'"), {}, "did you mean `optional`?"),
    "underscore": (table("leave_plan = true"), {}, "did you mean `leave-plan`?"),
    "unheard-of option": (table("x = 1"), {}, "known are allow-system, crate-rules"),
    "value that is none of the choices": (table('optional = "always"'), {}, "'always'; it must be"),
    "misspelt value": (table('optional = "instaled"'), {}, 'did you mean "installed"?'),
    "choice of another type": (table("optional = [1]"), {}, "[1]; it must be one of"),
    "scope": (table('scope = "Native"'), {}, 'did you mean "native"?'),
    "one rule": (table('crate-rules = {crate = "a"}'), {}, "it must be an array of tables"),
    "misspelt key of a rule": (rule('import = ["json"]'), {}, "did you mean `imports`?"),
    "rule without modules": (rule("imports = []"), {}, "needs `crate` and `imports`"),
    "no version of a rule": (rule('imports = ["json"]\nversions = "new"'), {}, "our-core`: Inv"),
    "no such module of a rule": (rule('imports = ["jsn"]'), {}, "no module `jsn` here; did you"),
    "flag in quotes": (table('selftest = "true"'), {}, "must be true or false, without quotes"),
    "flag as a number": (table("leave-plan = 1"), {}, "`leave-plan` is 1; it must be true"),
    "string for a list": (table('include = "json"'), {}, "'json'; it must be a list of strings"),
    "numbers in a list": (table("allow-system = [1]"), {}, "must be a list of strings"),
    "path for a module": (table('include = ["a/b.py"]'), {}, "'a/b.py', which is not the name"),
    "empty module": (table('include = [""]'), {}, "'', which is not the name of a module"),
    "relative module": (table('include = [".json"]'), {}, "'.json', which is not the name"),
    "no such module": (table('include = ["jsn"]'), {}, "no module `jsn` here; did you mean"),
    "no such submodule": (table('include = ["json.decode"]'), {}, "did you mean `json.decoder`?"),
    "no such target": (table('target = "manylinux_2_28"'), {}, "`manylinux_2_28` is no platform"),
    "target of another type": (table("target = 2"), {}, "`target` is 2; it must be a string"),
    "no such record": (table('trace = "gone.toml"'), {}, "gone.toml cannot be read: no such file"),
    "folder for a record": (table('trace = "."'), {}, "cannot be read: is a directory"),
    "null in a path": (table('trace = "a\\u0000b"'), {}, "it must be a string"),
    "record of another kind": (table('trace = "pyproject.toml"'), {}, "is no record of version"),
    "deep record": (
        {**table('trace = "t.toml"'), "t.toml": f"{RECORD}{'[' * 100_000}"}, {}, "t.toml",
    ),
    "table of another type": ({"pyproject.toml": "[tool]\nrustext = 1"}, {}, "is not a table"),
    "misspelt table": ({"pyproject.toml": "[tool.rustex]"}, {}, "did you mean [tool.rustext]?"),
    "table in capitals": ({"pyproject.toml": "[tool.Rustext]"}, {}, "did you mean [tool.rustext]?"),
    "table without tool": ({"pyproject.toml": "[rustext]"}, {}, "did you mean [tool.rustext]?"),
    "tool as a value": ({"pyproject.toml": "tool = 3"}, {}, "`tool` is not a table"),
    "cut short": ({"pyproject.toml": "[tool.rustext"}, {}, "is not valid TOML: Expected ']'"),
    "twice": (table("scope = 'rust'\nscope = 'rust'"), {}, "is not valid TOML: Cannot overwrite"),
    "not UTF-8": ({"pyproject.toml": b"a = '\xe4'"}, {}, "is not valid TOML: 'utf-8' codec"),
    "deep": ({"pyproject.toml": f"a = {'[' * 200_000}"}, {}, "is nested too deeply"),
    "deep tables": ({"pyproject.toml": f"a = {'{b=' * 100_000}"}, {}, "is nested too deeply"),
    "long number": ({"pyproject.toml": f"a = {'9' * 20_000}"}, {}, "more than 4300 digits"),
    "spaced number": ({"pyproject.toml": f"a = {'9_' * 20_000}9"}, {}, "more than 4300 digits"),
    "long key": ({"pyproject.toml": f"{'a.' * 200_000}a = 1"}, {}, "key of more than 500 parts"),
    "long quoted key": ({"pyproject.toml": f"{chr(34)}a{chr(34)} . " * 200_000}, {}, "500 parts"),
    "long header": ({"pyproject.toml": f"[{'a.' * 200_000}a]"}, {}, "key of more than 500 parts"),
    "huge": ({"pyproject.toml": "#" * (5 << 20)}, {}, "is larger than 4 MiB"),
    "flag": ({}, {"SELFTEST": "yes"}, "RUSTEXT_BUILD_SELFTEST is 'yes'; it must be 1 or 0"),
    "other flag": ({}, {"LEAVE_PLAN": "true"}, "RUSTEXT_BUILD_LEAVE_PLAN is 'true'"),
    "misspelt variable": ({}, {"SELFTESTS": "1"}, "did you mean `RUSTEXT_BUILD_SELFTEST`?"),
    "record of a variable": ({}, {"TRACE": "/gone.toml"}, "/gone.toml cannot be read"),
    "report in no folder": ({}, {"REPORT": "/gone/r.json"}, "the folder /gone does not exist"),
    "report in a folder's place": ({}, {"REPORT": "/"}, "cannot be written: it is a folder"),
    "report over something else": ({}, {"REPORT": __file__}, "is not a plan of rustext"),
}  # fmt: skip


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


def plugin() -> ModuleType:
    """Nuitka's plugin, as Nuitka loads it."""
    file = ROOT / "plugins" / "RustextPlugin.py"
    spec = importlib.util.spec_from_file_location("RustextPlugin", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pyinstaller_ends(mistake: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    script, line = mistake
    monkeypatch.setitem(PyInstaller.config.CONF, "main_script", script)
    analysis_state.state_of.cache_clear()
    with pytest.raises(SystemExit) as ended:
        whole_build.begin()
    assert ended.value.code == f"ERROR: rustext: {line}"  # printed, and an exit code of 1


def test_nuitka_ends(
    mistake: tuple[Path, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    script, line = mistake
    module = plugin()
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
    assert "; ".join(filter(None, [found["message"], found["hint"]])) == line


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


def test_a_fifo_is_no_configuration(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pyproject.toml")
    read_project(tmp_path, this_environment())
