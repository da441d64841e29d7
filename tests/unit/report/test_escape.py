"""No name of a file speaks to a terminal or to a CI system, whichever command prints it.

The runners' own parsers, as published, judge each line that a command has printed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from compiling import Compile

from rustext.report.escape import json_text, one_line

# actions/runner, src/Runner.Common/ActionCommand.cs: TryParseV2 trims blanks and asks for `::`,
# TryParse looks for `##[` anywhere. Azure's agent: `##vso[` anywhere, and `##[` for colours.
# TeamCity: `##teamcity[` anywhere. GitLab: `section_start:1:x` before a carriage return.
COMMANDS = re.compile(
    r"^\s*::[^:]*::|##\[|##vso\[|##teamcity\[|section_(start|end):\d+:[\w.-]+\r",
    re.MULTILINE | re.IGNORECASE,
)
NAMES = [
    "::add-mask::e.so", "   ::set-output name=a::b.so", "x\n::error::y.so",
    "x\r::stop-commands::y.so",
    "##[error]z.so", "a##[group]z.so", "##vso[task.setvariable variable=a]b.so",
    "##teamcity[buildStatus text='x'].so", "##TEAMCITY[a].so", "###[x].so", "##vso[##[x].so",
    "section_start:1:a\r\x1b[0K.so", "\x1b[2J\x1b[31m.so", "\x9b2J.so", "\u2028::error::a.so",
    "\ufeff::error::a.so", "\xa0::error::b.so", "\u202e::debug::c.so", "<script>alert(1)<.so",
]  # fmt: skip
PRINTER = """
#include <stdio.h>
int main(void) {{ fputs("{}", stderr); return 1; }}
"""


@pytest.mark.parametrize("name", NAMES)
def test_a_line_holds_no_command(name: str) -> None:
    for text in (name, f"  label       {name}", f"error[x]: `{name}`", f"  {name} (2 times)"):
        assert not COMMANDS.search(one_line(text))
        assert one_line(one_line(text)) == one_line(text)


def test_what_is_no_command_is_left_as_it_is() -> None:
    for text in ("std::fs::read", "a ## b", "# [x]", "c++filt::", "[[tool]]", "a::b"):
        assert one_line(text) == json_text(text) == text


@pytest.fixture
def root(tmp_path: Path, gcc: Compile) -> Path:
    """A bundle whose files are damaged, and called so."""
    root = tmp_path / "app"
    root.mkdir()
    lines = "".join(f"\\n{name}" for name in NAMES).encode("unicode_escape").decode()
    lines = lines.replace("\\\\n", "\\n").replace("\\x1b", "\\033").replace("\\x9b", "\\302\\233")
    lines = re.sub(r"\\u[0-9a-f]{4}|\\xa0", "", lines)
    shutil.copy(gcc("app", PRINTER.format(lines)), root / "app")
    for name in NAMES:
        (root / name).write_bytes(b"\x7fELF damaged")
        (root / f"{name}.link").symlink_to(f"/gone/{name}")
        (root / f"{name}.link").with_suffix(".py").write_bytes(b"")
    return root


@pytest.mark.parametrize(
    "command",
    [
        ("verify", "--format", "text"), ("verify", "--format", "json"),
        ("verify", "--format", "html"),
        ("verify", "--format", "sarif"), ("verify", "-v"), ("verify", "--run"), ("scan", "--all"),
        ("scan", "--all", "--json"), ("inspect",), ("verify", "--run", "--json"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_no_command_prints_one(command: tuple[str, ...], root: Path) -> None:
    for target in [root] if command[0] != "inspect" else [root / name for name in NAMES[::5]]:
        done = subprocess.run(
            [sys.executable, "-m", "rustext", command[0], target, *command[1:]],
            capture_output=True, check=False, timeout=60, env={**os.environ, "FORCE_COLOR": "1"},
        )  # fmt: skip
        assert done.returncode in (0, 1, 2)
        for text in (done.stdout.decode(), done.stderr.decode()):
            assert COMMANDS.search(text) is None
            assert "\x9b" not in text
            assert not re.search(r"\x1b(?!\[[\d;]*m)", text)
            assert "<script>a" not in text or "html" not in command


def test_a_log_line_holds_no_command(tmp_path: Path) -> None:
    code = (
        "import logging, sys; from rustext.cli.main import run;"
        "import rustext.cli.scan_command as s;"
        "s.scan = lambda *_: logging.getLogger('a').warning('x\\n::error::y ##[z]') or 0;"
        "run(['scan'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.count("\n") == 1
    assert not COMMANDS.search(done.stderr)
