"""The modules that bundles carry, read from the files alone, against what the freezers say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from lab import Frozen, Lab

from rustext.formats.binary import open_binary
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.bundle.module_tables import find_nuitka_modules
from rustext.verify.bundle.program import Freezer
from rustext.verify.bundle.pyinstaller_archive import parse_archive

pytestmark = [pytest.mark.freezing, pytest.mark.network]

PROGRAM = """
import decimal
import json
import own.part
import sys

print(json.dumps({"built-in": sorted(sys.builtin_module_names), "answer": own.part.answer}))
"""

# PyInstaller's own reader of its archives.
READER = """
import json, sys
from PyInstaller.archive.readers import CArchiveReader
archive = CArchiveReader(sys.argv[1])
pyz = archive.open_embedded_archive("PYZ.pyz")
kinds = {name: entry[4] for name, entry in archive.toc.items()}
print(json.dumps([sorted(pyz.toc), kinds]))
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("program")
    (folder / "own").mkdir()
    (folder / "own" / "__init__.py").write_text("")
    (folder / "own" / "part.py").write_text("answer = 42\n")
    (folder / "tables.py").write_text(PROGRAM)
    return folder / "tables.py"


def builtin_names(frozen: Frozen) -> set[str]:
    done = subprocess.run([frozen.program], capture_output=True, text=True, check=True, timeout=60)
    answer = json.loads(done.stdout)
    assert answer["answer"] == 42
    return set(answer["built-in"])


def test_the_modules_of_a_pyinstaller_program_are_those_of_its_own_reader(
    lab: Lab, script: Path, tmp_path: Path
) -> None:
    frozen = lab.freeze("pyinstaller", script, out=tmp_path, rustext=False)
    done = subprocess.run(
        [frozen.python, "-c", READER, frozen.program],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    modules, kinds = json.loads(done.stdout)
    with open_binary(frozen.program) as (_, data):
        found = parse_archive(data)
    assert found is not None
    assert found.python == sys.version_info[:2]
    assert found.modules == {*modules, *(n for n, kind in kinds.items() if kind in "mM")}
    assert {"own.part", "json.decoder"} <= found.modules
    assert set(found.scripts) == {n for n, kind in kinds.items() if kind == "s"}
    bundle = read_bundle(frozen.bundle)
    assert bundle.program.freezer is Freezer.PYINSTALLER
    # `codecs` is in base_library.zip, `_decimal` a file, `sys` in libpython.
    assert {"codecs", "_decimal", *builtin_names(frozen), *found.modules} <= bundle.modules


def test_the_modules_of_a_nuitka_program_are_those_of_its_report(
    lab: Lab, script: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.xml"
    frozen = lab.freeze(
        "nuitka", script, out=tmp_path, rustext=False, compiled=["own"],
        options=[f"--report={report}", "--follow-imports"],
    )  # fmt: skip
    reported = {
        module.attrib["name"]
        for module in ET.parse(report).getroot().iter("module")
        if module.attrib["kind"] != "CompiledPythonNamespacePackage"
    }
    with open_binary(frozen.program) as (binary, data):
        table = find_nuitka_modules(binary.image, data)
        found = table.modules if table is not None else None
    assert found is not None
    assert {"own", "own.part", "json.decoder"} <= found
    assert found == reported
    bundle = read_bundle(frozen.bundle)
    assert bundle.program.freezer is Freezer.NUITKA
    assert {*builtin_names(frozen), *found} <= bundle.modules
