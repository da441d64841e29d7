"""The commands that make a record, and what becomes of the file where they cannot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from environments import write_files

from rustext.cli.doctor_command import examine
from rustext.cli.main import run
from rustext.config import find_config, record_warnings
from rustext.tracing.trace_file import read_trace
from rustext.tracing.usage import PROGRAM, UseKind

RECORD = "rustext-trace.toml"
PROJECT = '[tool.rustext]\nrecord = "python app.py --check"\n'
APP = """
import importlib, sys
import own
importlib.import_module(open('setting').read())
sys.exit(len(sys.argv) - 2)
"""
TEST = "def test_it():\n    import importlib\n    importlib.import_module('colorsys')\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    files = {"app.py": APP, "own.py": "", "sub/x": "", "setting": "colorsys"}
    write_files(tmp_path, {"pyproject.toml": PROJECT, **files})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_named_run_makes_the_record_from_anywhere_in_the_project(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project / "sub")
    assert run(["record", "-q"]) == 0
    trace = read_trace(project / RECORD)
    assert trace.runs == ("app.py",)
    (own,) = (usage for usage in trace.usages if usage.distribution == PROGRAM)
    assert [use.name for use in own.of(UseKind.STATEMENT)] == ["own"]


def test_a_failing_run_is_told_by_its_exit_code(project: Path) -> None:
    (project / "pyproject.toml").write_text('[tool.rustext]\nrecord = "python app.py a b c"\n')
    assert run(["record", "-q"]) == 2
    assert (project / RECORD).is_file()


@pytest.mark.parametrize("text", ["", "[tool.rustext]\n", '[tool.rustext]\nrecord = " "\n'])
def test_without_a_named_run_there_is_nothing_to_do(project: Path, text: str) -> None:
    (project / "pyproject.toml").write_text(text)
    assert run(["record"]) == 2


def test_builds_and_doctor_say_that_a_record_is_missing_or_of_another_program(
    project: Path,
) -> None:
    def said() -> list[str]:
        config = find_config(project)
        seen = [check.message for check in examine() if check.name == "record"]
        warned = list(record_warnings(config, project))
        assert all(line in seen for line in warned)
        return warned

    assert any("no record of the program yet" in line for line in said())
    assert run(["record", "-q"]) == 0
    assert said() == []
    (project / "own.py").write_text("changed = True\n")
    assert any("has changed since" in line for line in said())
    (project / "own.py").write_bytes(b"")
    assert said() == []


def test_a_record_that_is_named_and_missing_is_an_error_with_what_to_do(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "pyproject.toml").write_text('[tool.rustext]\ntrace = "no.toml"\n')
    assert run(["plan", "app.py"]) == 2
    assert "rustext trace" in capsys.readouterr().err


# --- the output -------------------------------------------------------------------------------


def test_an_output_that_cannot_be_is_refused_before_the_run(project: Path) -> None:
    (project / "app.py").write_text("open('ran', 'w').close()\n")
    (project / "mine.txt").write_text("mine")
    for output in ("no/such/folder.toml", "mine.txt", "sub"):
        assert run(["trace", "-q", "-o", output, "--", "app.py"]) == 2
    assert not (project / "ran").exists()
    assert (project / "mine.txt").read_text() == "mine"


def test_a_run_of_nothing_leaves_a_good_record(project: Path) -> None:
    assert run(["trace", "-q", "--", "app.py", "x"]) == 0
    before = (project / RECORD).read_bytes()
    assert run(["trace", "-q", "-m", "no_such_module"]) == 2
    assert (project / RECORD).read_bytes() == before
    assert [p.name for p in project.iterdir() if p.name.startswith(".rust")] == []


@pytest.mark.skipif(sys.platform == "win32", reason="has no such signals")
@pytest.mark.parametrize(("handler", "code"), [("lambda *_: sys.exit(7)", 7), ("None", 143)])
def test_a_server_that_is_ended_by_sigterm_ends_as_it_does_alone_and_leaves_a_record(
    project: Path, handler: str, code: int
) -> None:
    (project / "app.py").write_text(
        "import importlib, signal, sys\n"
        f"signal.signal(signal.SIGTERM, {handler} or signal.SIG_DFL)\n"
        "importlib.import_module('own')\nprint('ready', flush=True)\nsignal.pause()\n"
    )
    command = [sys.executable, "-m", "rustext", "trace", "--", "app.py"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=project) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.terminate()
        assert process.wait(60) == code
    (own,) = (
        usage for usage in read_trace(project / RECORD).usages if usage.distribution == PROGRAM
    )
    assert [use.name for use in own.of(UseKind.IMPORT_MODULE)] == ["own"]


def test_a_program_that_cannot_be_seen_is_told_of(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (project / "app.py").write_text("print('hello')\n")
    assert run(["trace", "--", "-I", "app.py"]) == 0
    assert "nothing was recorded; `python -I`, `-E` and `-S`" in capfd.readouterr().err
    assert run(["trace", "--", "app.py"]) == 0
    assert capfd.readouterr().err == f"{RECORD}: 0 modules and 0 files of 0 distributions\n"


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (
            ["python", "app.py", "x"],
            "hint: leave it out, it is run in any case: rustext trace -- app",
        ),
        (["sh", "x"], "or a module: rustext trace -m sh"),
        (["no-such-command"], "no-such-command does not exist\n"),
    ],
)
def test_a_command_in_the_place_of_a_script_is_told_what_to_do(
    project: Path, capfd: pytest.CaptureFixture[str], words: list[str], hint: str
) -> None:
    assert project == Path.cwd()
    assert run(["trace", "--", *words]) == 2
    assert hint in capfd.readouterr().err


def test_programs_that_others_start_are_recorded_by_a_variable(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["trace", "--start", "notes"]) == 0
    name, _, value = capfd.readouterr().out.strip().partition("=")
    env = {**os.environ, name: value}
    subprocess.run([sys.executable, "app.py", "x"], check=True, env=env, cwd=project)
    assert run(["trace", "-q", "--finish", "notes"]) == 0
    assert any(usage.distribution == PROGRAM for usage in read_trace(project / RECORD).usages)


@pytest.mark.parametrize(
    "name",
    ["sitecustomize.py", "rustext_frames.py", "rustext_usage_recorder.py", "notes.jsonl"],
)
def test_a_folder_for_a_recording_keeps_the_files_that_are_in_it(
    name: str, project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (project / name).write_text("# mine\n")
    assert run(["trace", "--start", "."]) == 2
    assert f"{name} exists and is not what `rustext trace --start` writes" in capfd.readouterr().err
    assert (project / name).read_text() == "# mine\n"
    assert run(["trace", "--start", "notes"]) == run(["trace", "--start", "notes"]) == 0


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: "version = 2\n",
        lambda text: f"# reviewed by me\n{text}",
        lambda text: text.replace('"wave"', '"quopri"'),
        lambda text: text + "\n",
    ],
)
def test_a_record_that_somebody_has_edited_is_left(
    edit: Callable[[str], str], project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (project / "app.py").write_text("import wave, quopri\n")
    assert run(["trace", "-q", "--", "app.py"]) == run(["trace", "-q", "--", "app.py"]) == 0
    record = project / RECORD
    record.write_bytes(record.read_bytes().replace(b"\n", b"\r\n"))  # as Git may check it out
    assert run(["trace", "-q", "--", "app.py"]) == 0
    record.write_text(edited := edit(record.read_text()))
    assert run(["trace", "-q", "--", "app.py"]) == 2
    assert "or was edited; it is left as it is" in capfd.readouterr().err
    assert record.read_text() == edited


def test_records_are_merged_by_a_command_of_its_own(project: Path) -> None:
    for number, module in enumerate(("wave", "quopri")):
        (project / "app.py").write_text(
            f"import own, importlib\nimportlib.import_module({module!r})\n"
        )
        assert run(["trace", "-q", "-o", f"{number}.toml", "--", "app.py"]) == 0
    assert run(["trace", "merge", "0.toml", "1.toml", "-o", "both.toml", "-q"]) == 0
    text = (project / "both.toml").read_text()
    assert '"wave" = ["__main__"]' in text
    assert '"quopri" = ["__main__"]' in text


def test_the_pytest_plugin_records_the_tests_and_nothing_of_the_user(project: Path) -> None:
    write_files(project, {"test_own.py": TEST})
    plugin = ["-p", "rustext.tracing.pytest_plugin", "--rustext-trace", "tests.toml"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin]
    subprocess.run([*command, "test_own.py"], check=True, cwd=project, timeout=120)
    trace = read_trace(project / "tests.toml")
    assert trace.runs == ("-m pytest",)
    assert '"colorsys" = ["test_own"]' in (project / "tests.toml").read_text()
    refused = subprocess.run(
        [*command[:-1], "no/such/folder.toml", "test_own.py"],
        check=False, cwd=project, capture_output=True, text=True,
    )  # fmt: skip
    assert refused.returncode == 4  # pytest's usage error
    assert "no/such" in refused.stderr


def test_the_plan_shows_what_the_record_adds(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the sources name themselves, the record need not add."""
    app = project / "app.py"
    app.write_text(app.read_text().replace("'colorsys'", "'SYSCOLOR'.lower()[3:] + 'sys'"))
    assert run(["record", "-q"]) == 0
    assert run(["plan", "app.py", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["record"]["modules"] == ["colorsys"]


@pytest.mark.parametrize(
    ("words", "label"),
    [
        (["app.py", "a.py"], "app.py"),
        (["-X", "dev", "-W", "error", "app.py", "x"], "app.py"),
        (["-X", "dev", "-m", "own", "app.py"], "-m own"),
    ],
)
def test_a_record_says_what_was_run(project: Path, words: list[str], label: str) -> None:
    assert run(["trace", "-q", "--", *words]) in {0, 1, 255}
    trace = read_trace(project / RECORD)
    assert trace.runs == (label,)
    assert trace.of_program


def test_a_run_by_another_command_is_not_the_program_alone(project: Path) -> None:
    (project / "pyproject.toml").write_text(
        "[tool.rustext]\nrecord = \"sh -c 'python app.py x'\"\n"
    )
    assert run(["record", "-q"]) == 0
    trace = read_trace(project / RECORD)
    assert trace.runs == ("sh",)
    assert not trace.of_program
