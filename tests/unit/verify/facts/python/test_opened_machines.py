"""Libraries for other machines are not missing, judged by what the code opens on each machine."""

from __future__ import annotations

import marshal
import subprocess
import sys
from pathlib import Path

import pytest

from rustext.formats.marshal_reader import parse_code
from rustext.verify.bundle.program import read_program
from rustext.verify.bytecode.code_store import Module
from rustext.verify.bytecode.sought_files import for_machine
from rustext.verify.facts.python.program_starts import MACHINE, Start
from rustext.verify.facts.python.start_openings import note_openings

SOURCE = """
import ctypes, os, platform
here = os.path.dirname(os.path.abspath(__file__))
if platform.machine() in ("aarch64", "arm64"):
    name = "libone_arm64.so"
elif platform.machine() == "i686":
    name = "libone-x86.so"
else:
    name = "libone_x86_64.so"
lib = ctypes.CDLL(os.path.join(here, name))
"""
RUN = """
import ctypes, os, platform, sys
platform.machine = lambda: sys.argv[1]
ctypes.CDLL = lambda path: print(os.path.basename(path))
exec(compile(open(sys.argv[2]).read(), sys.argv[2], "exec"), {"__file__": sys.argv[2]})
"""


@pytest.mark.parametrize("machine", ["x86_64", "aarch64", "i686"])
def test_what_is_for_other_machines_is_not_looked_for(machine: str, tmp_path: Path) -> None:
    module = tmp_path / "one.py"
    module.write_text(SOURCE)
    command = [sys.executable, "-c", RUN, machine, str(module)]
    opened = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    python = sys.version_info[:2]
    code = parse_code(marshal.dumps(compile(SOURCE, "one.py", "exec")), python)
    program = read_program(Path(sys.executable).resolve())
    assert program is not None
    start = Start(program=program)
    known = {"sys.platform": "linux", "os.name": "posix", MACHINE: machine}
    one = Module(name="one", code=code, package=False)
    note_openings(start, one, code, python=python, known=known, packages=(), computed=False)
    assert [name for found in start.opened for name in found.names] == opened


@pytest.mark.parametrize(
    ("names", "asked"),
    [
        ("libone.so", "libone.so"),
        ("libsndfile_arm64.so", ""),
        ("libsndfile_arm64.so libsndfile.so", ""),  # which is spelled for this machine by code
        ("libone-linux-x86_64.so libone-x86.so", "libone-linux-x86_64.so"),
        ("libfarm64.so libfarm.so", "libfarm64.so libfarm.so"),
        ("libone.s390x.so.1", ""),
    ],
)
def test_which_names_tell_of_a_machine(names: str, asked: str) -> None:
    assert for_machine(tuple(names.split()), "x86_64") == tuple(asked.split())
    assert for_machine(tuple(names.split()), "an unknown one") == tuple(names.split())
