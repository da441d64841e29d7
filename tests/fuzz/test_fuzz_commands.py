"""A short version of the fuzzing of commands; `./test --fuzz N` takes any number of cases."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FUZZER = Path(__file__).with_name("fuzz_commands.py")
BROKEN = """
import sys
sys.path.insert(0, {folder!r})
import fuzz_commands
def broken(arguments):
    raise IndexError(arguments)
fuzz_commands.run = broken
sys.argv[1:] = ["3"]
sys.exit(fuzz_commands.main())
"""


def test_damaged_input_ends_each_command_in_an_answer() -> None:
    """In a process of its own, which forks one for each case."""
    done = subprocess.run(
        [sys.executable, FUZZER, "200"], capture_output=True, text=True, check=False, timeout=600
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "200 cases, 0 failures" in done.stdout
    assert all(f" {code}:" in done.stdout.replace("{", " ") for code in (0, 1, 2))


def test_a_fault_would_be_found() -> None:
    code = BROKEN.format(folder=str(FUZZER.parent))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 1
    assert "3 cases, 3 failures" in done.stdout
    assert "IndexError" in done.stdout
