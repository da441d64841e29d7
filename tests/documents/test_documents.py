"""What the documents tell a reader to type gives what they show, from an empty folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from lab import ROOT, uv
from runner import Step, matches, parse_steps, run_step

HERE = Path(__file__).resolve().parent
PINNED = (HERE.parent / "freezing" / "requirements.txt", HERE / "constraints.txt")
DOCUMENTS = (
    "README.md",
    "docs/tutorial.md",
    "docs/how-to/command-line.md",
    "docs/how-to/embedded.md",
    "docs/how-to/gates.md",
    "docs/how-to/macos-from-linux.md",
    "docs/how-to/record.md",
    "docs/how-to/repair.md",
    "docs/how-to/windows.md",
    "docs/reference/crate-rules.md",
)


@pytest.fixture
def terminal(tmp_path: Path, wheel: Path, cache: Path) -> dict[str, str]:
    """A reader's environment variables: a new virtual environment, entered, and nothing else.

    rustext is installed as it was built from this source, whatever the package index has; of all
    else the pinned versions.
    """
    uv("venv", "-q", "--seed", "--python", sys.executable, str(tmp_path / "venv"))
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "PATH") if name in os.environ}
    settings = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    return {
        **kept,
        **settings,
        "PATH": f"{tmp_path / 'venv' / 'bin'}{os.pathsep}{kept['PATH']}",
        "PIP_CONSTRAINT": " ".join(map(str, PINNED)),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_FIND_LINKS": str(wheel.parent),
        "PIP_ROOT_USER_ACTION": "ignore",
        "XDG_CACHE_HOME": str(cache / "documents-xdg"),  # which one of them empties
        "COLUMNS": "80",
    }


@pytest.mark.network
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_reader_sees_what_is_shown(
    document: str, tmp_path: Path, terminal: dict[str, str]
) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    steps = list(parse_steps((ROOT / document).read_text(encoding="utf-8")))
    assert steps
    for step in steps:
        printed = run_step(step, folder, terminal)
        assert matches(step.shown, printed), f"$ {step.command}\n{printed}"


def test_a_session_is_read_as_it_is_typed() -> None:
    text = "```console\n$ one  # why\nout\n\n$ two\n```\n```toml\n$ three\n```\n"
    assert list(parse_steps(text)) == [
        Step(command="one", shown=("out", "")),
        Step(command="two", shown=()),
    ]


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        (("a", "b"), "a\nb\n", True),
        (("a", "b"), "a\nc\n", False),
        (("a",), "a\nb\n", False),
        (("…", "b"), "1\n2\nb\n", True),
        (("a", "…"), "a\n", True),
        (("took … s",), "took 3.5 s\n", True),
        (("took … s",), "took 3.5 min\n", False),
        ((), "", True),
        ((), "a warning\n", False),
    ],
)
def test_output_is_compared_line_by_line(shown: tuple[str, ...], printed: str, same: bool) -> None:
    assert matches(shown, printed) is same


def test_a_file_that_is_shown_is_written(tmp_path: Path) -> None:
    step = Step(command="cat app.py", shown=("print(1)",))
    assert run_step(step, tmp_path, os.environ) == "print(1)\n"
    changed = Step(command="cat app.py", shown=("print(2)",))
    assert not matches(changed.shown, run_step(changed, tmp_path, os.environ))
