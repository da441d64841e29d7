"""The self-test, run by real interpreters: what it asks, and what becomes of each answer."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rustext.model.verification import IsolatedRun
from rustext.plan import selftest_entry
from rustext.plan.selftest import (
    SELFTEST_FILE,
    SELFTEST_VARIABLE,
    Asked,
    SelfTest,
    entry_source,
    format_questions,
    parse_answers,
)

PROGRAM = "\nprint('the program itself')\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A program with the self-test ahead of it, as the adapters put it there."""
    (tmp_path / "app.py").write_text(entry_source() + PROGRAM)
    return tmp_path


def ask(folder: Path, *modules: tuple[str, bool], variable: str = "1") -> IsolatedRun:
    (folder / SELFTEST_FILE).write_text(format_questions(modules))
    done = subprocess.run(
        [sys.executable, folder / "app.py"],
        env={**os.environ, SELFTEST_VARIABLE: variable}, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    return IsolatedRun(
        code=done.returncode, stdout=done.stdout, stderr=done.stderr, hidden=(), libraries=()
    )


def errors(selftest: SelfTest) -> dict[str, str | None]:
    return {answer.module: answer.error for answer in selftest.answers}


def test_without_its_variable_the_program_runs_as_ever(folder: Path) -> None:
    assert ask(folder, ("json", True), variable="").stdout == "the program itself\n"


def test_all_that_can_be_imported_is_good(folder: Path) -> None:
    ended = ask(folder, ("json", True), ("email.message", False), ("json", False))
    assert ended.code == 0
    assert json.loads(ended.stdout) == {
        "selftest": [
            {"module": "email.message", "kind": "maybe", "error": None},
            {"module": "json", "kind": "import", "error": None},
        ]
    }
    found = parse_answers(ended)
    assert [(a.module, a.asked) for a in found.answers] == [
        ("email.message", Asked.MAYBE),
        ("json", Asked.IMPORT),
    ]
    assert found.last is None


def test_what_fails_is_named_with_its_error_and_the_rest_goes_on(folder: Path) -> None:
    (folder / "picky.py").write_text('raise ValueError("a \\"quote\\"\\n\\\\ and \\u00e4")\n')
    (folder / "leaving.py").write_text("raise SystemExit(7)\n")
    ended = ask(folder, ("picky", True), ("leaving", True), ("nowhere", True), ("json", True))
    assert ended.code == 1
    json.loads(ended.stdout)
    assert errors(parse_answers(ended)) == {
        "picky": 'ValueError: a "quote" \\ and \\xe4',
        "leaving": "SystemExit: 7",
        "nowhere": "ModuleNotFoundError: No module named 'nowhere'",
        "json": None,
    }


def test_what_modules_print_is_no_part_of_the_answer(folder: Path) -> None:
    noise = "import os\nprint('noise', flush=True)\nos.write(1, b'more noise')\n"
    (folder / "noisy.py").write_text(noise)
    ended = ask(folder, ("noisy", True))
    assert errors(parse_answers(ended)) == {"noisy": None}
    assert "noise" in ended.stderr


def test_a_module_that_ends_the_process_is_named(folder: Path) -> None:
    (folder / "killer.py").write_text("import os\nos.abort()\n")
    ended = ask(folder, ("json", True), ("killer", True), ("zlib", True))
    assert ended.code == -6
    found = parse_answers(ended)
    assert errors(found) == {"json": None}
    assert found.last == "killer"


def test_a_program_without_the_entry_answers_nothing(folder: Path) -> None:
    (folder / "app.py").write_text(PROGRAM)
    found = parse_answers(ask(folder, ("json", True)))
    assert (found.answers, found.last) == ((), None)


@pytest.mark.parametrize(
    ("line", "answers"),
    [
        ("[" * 200_000, []),
        ("5", []),
        ('{"module": "a", "kind": "other", "error": null}', []),
        ('{"module": 5, "kind": "import", "error": [7]}', [("5", "[7]")]),
    ],
    ids=["deep", "number", "kind", "types"],
)
def test_a_program_that_answers_otherwise_does_no_harm(
    line: str, answers: list[tuple[str, str]]
) -> None:
    printed = f'said before\n{{"selftest": [\n{line}\n]}}\n'
    ended = IsolatedRun(code=1, stdout=printed, stderr="", hidden=(), libraries=())
    assert list(errors(parse_answers(ended)).items()) == answers


def test_the_entry_imports_nothing_that_python_has_not_imported(folder: Path) -> None:
    """Else it would bring along what native code misses without it."""
    shutil.copy(str(selftest_entry.__file__), folder / "entry.py")
    script = "import sys, os; old = set(sys.modules); import entry; print(set(sys.modules) - old)"
    env = {"PATH": os.environ["PATH"], SELFTEST_VARIABLE: ""}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=env, capture_output=True, text=True,
        check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.strip() == "{'entry'}"
