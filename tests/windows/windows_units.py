"""Run the unit tests in a Python for Windows, under wine; compilers run on this machine.

Usage: python tests/windows/windows_units.py [ARGUMENT]...

Arguments go to pytest. Tests of what Windows does not have are skipped there, and say what that is;
the others are expected to pass. Nuitka is not there, since it has no wheel, and network and heavy
tests are left out, as in `./test --quick`. Run by `./test --windows-units`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys

import foreign_tools
from windows_matrix import build_wheel
from windows_python import ROOT, WindowsPython, as_windows

NEEDED = (
    "pytest>=8.3", "pytest-timeout", "pytest-xdist", "jsonschema<5", "pefile", "pyinstaller",
    "tzdata",
)  # fmt: skip


def main() -> int:
    python = WindowsPython()
    python.prepare()
    python.install(*NEEDED, str(build_wheel()))
    # The checkout itself is tested; of the wheel what tells of an installation is enough.
    shutil.rmtree(python.site / "rustext")
    (python.site / "rustext.pth").write_text(as_windows(ROOT / "src") + "\n")
    env = {
        **python.variables(),
        foreign_tools.PORT: str(foreign_tools.serve()),
        foreign_tools.DRIVE_C: str(python.prefix / "drive_c"),
        "PYTHONPATH": as_windows(ROOT / "tests" / "windows"),
    }
    options = ["-p", "foreign_tools", "-p", "no:cacheprovider", "--timeout", "0", "-n", "0"]
    options += ["-m", "not network and not heavy", *(sys.argv[1:] or ["tests/unit"])]
    command = ["wine", str(python.program), "-m", "pytest", *options]
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as tests:  # fmt: skip
        assert tests.stdout is not None
        while told := tests.stdout.read1(4096):
            sys.stdout.buffer.write(told)
            sys.stdout.flush()
    return tests.returncode


if __name__ == "__main__":
    sys.exit(main())
