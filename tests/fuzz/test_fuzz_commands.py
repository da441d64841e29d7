"""A short version of the fuzzing of commands; `./test --fuzz N` takes any number of cases."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import fuzz_commands

FUZZER = Path(__file__).with_name("fuzz_commands.py")
BROKEN = """
import sys
sys.path.insert(0, {folder!r})
import fuzz_commands
def broken(arguments):
    raise IndexError(arguments)
fuzz_commands.forking.run = broken
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


def read_tree(root: Path) -> dict[str, bytes | None]:
    """What is in each file, but for where it is, and where each link leads."""
    return {
        str(path.relative_to(root)): os.fsencode(path.readlink()) if path.is_symlink()
        else path.read_bytes().replace(os.fsencode(root), b"") if path.is_file() else None
        for path in root.rglob("*")
    }  # fmt: skip


def test_a_case_depends_on_its_seed_alone(tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        fuzz_commands.make_seeds(tmp_path / name)
        cases = []
        for seed in range(1, 30):
            room = tmp_path / name / f"case{seed}"
            command = fuzz_commands.make_case(tmp_path / name / "seeds", room, seed, warm=False)
            cases.append((command[0], read_tree(room)))
        made.append(cases)
    assert made[0] == made[1]
    assert len({str(tree) for _, tree in made[0]}) == 29
