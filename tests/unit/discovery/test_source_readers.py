"""How a module starts Python, beside what it hands to the system as it runs."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from rustext.discovery.source_readers import iter_python_starts

HELD = "class Caller:\n    def __init__(self, python=None):\n        HERE\n"
HELD += "        self.python = python\n    def call(self):\n        exe = self.python\n"
HELD += "        subprocess.run([exe, 'tool.py'], check=False)\nCaller().call()"
STARTED = "def start(module='tool', python=None):\n    python = python or sys.executable\n"
STARTED += "    subprocess.run([python, *(), '-m', module, '-f'])\nstart()"


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("subprocess.run([sys.executable, '-m', 'tool'])", ["-m tool"]),
        ("python = sys.executable\nsubprocess.run((python, '-c', 'pass'))", ["-c"]),
        (HELD.replace("HERE", "if not python: python = sys.executable"), ["script"]),
        (HELD.replace("HERE", "python = python or sys.executable"), ["script"]),
        (HELD.replace("HERE", "python = 'other'"), []),
        (STARTED, ["-m tool"]),
        (
            "def start(module):\n    subprocess.run([sys.executable, '-m', module])\nstart('tool')",
            ["-m *"],
        ),
        ("python: str = sys.executable\nsubprocess.run(['other', python])", []),
    ],
)
def test_a_name_may_hold_the_interpreter(
    text: str, how: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    monkeypatch.setattr(subprocess, "run", lambda words, **_: started.append(words[0]))
    exec(text, {"subprocess": subprocess, "sys": sys})
    assert (started == [sys.executable]) is bool(how)
    assert list(iter_python_starts(ast.parse(text))) == how
