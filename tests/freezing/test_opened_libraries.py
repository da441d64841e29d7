"""Libraries that Python code opens next to itself, judged by running the program without them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from bundles import build_shared
from lab import Lab

from rustext.environment.environment import stdlib_environment
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.verify import read_subject, verify

pytestmark = [pytest.mark.freezing]

PROGRAM = """
import sys

import {sure}, {optional}, {lazy}

print({sure}.lib.answer())
if len(sys.argv) > 1:
    print({lazy}.load().answer())
if len(sys.argv) > 2:
    import {unseen}
"""
MODULES = {
    "sure": "import os, sys\nfrom ctypes import CDLL\nlib = CDLL(os.path.join("
    "os.path.dirname(__file__), {'linux': 'libsure.so', 'win32': 'sure.dll'}[sys.platform]))\n",
    "optional": "import ctypes, pathlib\nplace = pathlib.Path(__file__).parent / 'liboptional.so'\n"
    "try:\n    lib = ctypes.cdll.LoadLibrary(str(place))\nexcept OSError:\n    lib = None\n",
    "lazy": "import ctypes\nfrom importlib.resources import files\ndef load():\n"
    "    return ctypes.CDLL(str(files(__name__) / 'liblazy.so'))\n",
    "unseen": "import ctypes, os\nlib = ctypes.CDLL(os.path.dirname(__file__) + '/libunseen.so')\n",
}


def judge(bundle: Path, *allowed: str) -> dict[str, str]:
    report = verify(
        read_subject(read_bundle(bundle), stdlib=stdlib_environment(), allow_system=allowed)
    )
    return {f.subject: f.severity.value for f in report.findings if f.id == "missing-library"}


def runs(program: Path, *arguments: str) -> bool:
    command = [program, *arguments]
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0


def test_a_library_that_code_opens_next_to_itself_is_missed(lab: Lab, tmp_path: Path) -> None:
    for name, source in MODULES.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(source)
    (tmp_path / "app.py").write_text(PROGRAM.format(**{name: name for name in MODULES}))
    made = lab.freeze("pyinstaller", tmp_path / "app.py", out=tmp_path, rustext=False)
    contents = made.bundle / "_internal"
    libraries = {
        name: build_shared(tmp_path, f"lib{name}.so", "int answer(void) { return 42; }")
        for name in MODULES
    }
    ways = {"sure": (), "lazy": ("lazy",), "unseen": ("lazy", "unseen")}

    assert not runs(made.program)
    missing = {"libsure.so": "error", "liblazy.so": "warning", "libunseen.so": "note"}
    assert judge(made.bundle) == missing
    assert judge(made.bundle, "libsure.so", "liblazy.so") == {"libunseen.so": "note"}
    for name, library in libraries.items():
        if name in ways:
            assert not runs(made.program, *ways[name])
        (contents / name).mkdir()
        shutil.copy(library, contents / name)
        missing.pop(library.name, None)
        assert judge(made.bundle) == missing
        assert name not in ways or runs(made.program, *ways[name])
    assert missing == {}

    found = contents / "sure" / "libsure.so"
    (contents / "sure" / "other").mkdir()
    aside = found.rename(contents / "sure" / "other" / found.name)
    assert not runs(made.program)
    assert judge(made.bundle) == {"libsure.so": "warning"}
    aside.rename(found.with_name("LibSure.so"))
    assert not runs(made.program)
    assert judge(made.bundle) == {"libsure.so": "error"}
