"""A text that only looks like a file's name is no file that a program lacks."""

from __future__ import annotations

import marshal
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from compiling import Compile

from rustext.environment.environment import stdlib_environment
from rustext.formats.marshal_reader import parse_code
from rustext.model.findings import Severity
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.bytecode.opened_names import find_openings
from rustext.verify.bytecode.sought_files import data_files
from rustext.verify.checks.python.opened_libraries import check_openings
from rustext.verify.facts.python.program_starts import OpenedFile, Start
from rustext.verify.facts.unjudged import iter_unjudged
from rustext.verify.verify import read_subject

READS = """
import pathlib
def load(name="readme"):
    key = {"output": "graph.figure"}
    return key, (pathlib.Path(__file__).parent / %s).read_text()
load()
"""


@pytest.mark.parametrize(
    ("file", "found"), [("(name + '_file')", None), ("'table.json'", Severity.ERROR)]
)
def test_a_key_is_no_file_that_the_program_lacks(
    file: str, found: Severity | None, gcc: Compile, tmp_path: Path
) -> None:
    source = READS % file
    script = tmp_path / "main.py"
    script.write_text(source)
    (tmp_path / "readme_file").touch()
    ended = subprocess.run([sys.executable, str(script)], check=False, capture_output=True)
    assert (ended.returncode != 0) is (found is Severity.ERROR)
    code = parse_code(marshal.dumps(compile(source, "code", "exec")), sys.version_info[:2])
    (opening,) = find_openings(
        code, sys.version_info[:2], {"sys.platform": sys.platform}, data_files()
    )
    root = tmp_path / "app"
    root.mkdir()
    shutil.copy2(gcc("app", "int main(void) { return 0; }"), root)
    subject = read_subject(read_bundle(root), stdlib=stdlib_environment())
    opened = OpenedFile(
        module="main", names=opening.names, certain=opening.certain, words=opening.words, data=True
    )
    start = Start(program=subject.bundle.programs[0], opened=[opened])
    subject = replace(subject, starts=(start,))
    assert [f.severity for f in check_openings(subject)] == ([found] if found else [])
    assert any("graph.figure" in line for line in iter_unjudged(subject)) is (found is None)


@pytest.mark.parametrize(
    ("path", "there", "found"),
    [
        ("/kit/data/table.json", "kit/data/table.json", False),
        ("/kit/data/table.json", "kit/table.json", True),
        ("data/table.json", "other/data/table.json", False),
        ("data/table.json", "other/table.json", True),
        ("table.json", "other/table.json", False),
    ],
)
def test_a_file_counts_where_the_code_says_it_is(
    path: str, there: str, found: bool, gcc: Compile, tmp_path: Path
) -> None:
    root = tmp_path / "app"
    (root / there).parent.mkdir(parents=True)
    (root / there).touch()
    shutil.copy2(gcc("app", "int main(void) { return 0; }"), root)
    subject = read_subject(read_bundle(root), stdlib=stdlib_environment())
    opened = OpenedFile(
        module="kit.main", names=("table.json",), certain=True, data=True, paths=(path,)
    )
    start = Start(program=subject.bundle.programs[0], opened=[opened])
    findings = list(check_openings(replace(subject, starts=(start,))))
    assert [f.severity for f in findings] == [Severity.ERROR] * found
    assert all(("in", there) in f.evidence for f in findings)


@pytest.mark.parametrize(
    ("path", "there", "found"),
    [
        ("/kit/gr\u00fc.json", "kit/gr\u00fc.json", False),
        ("/kit/gr\u00fc.json", "kit/gru\u0308.json", True),
        ("data/Table.json", "kit/data/table.json", True),
        ("Table.json", "kit/data/table.json", False),  # perhaps another file
        ("data/Table.json", "kit/table.json", False),
    ],
)
def test_a_file_in_other_letters_is_not_the_one_that_code_reads(
    path: str, there: str, found: bool, gcc: Compile, tmp_path: Path
) -> None:
    root = tmp_path / "app"
    (root / there).parent.mkdir(parents=True)
    (root / there).touch()
    shutil.copy2(gcc("app", "int main(void) { return 0; }"), root)
    subject = read_subject(read_bundle(root), stdlib=stdlib_environment())
    name = path.rpartition("/")[2]
    opened = OpenedFile(module="kit.main", names=(name,), certain=False, data=True, paths=(path,))
    start = Start(program=subject.bundle.programs[0], opened=[opened])
    subject = replace(subject, starts=(start,))
    assert [f.severity for f in check_openings(subject)] == [Severity.WARNING] * found
    lacking = any(f"`{name}`" in line for line in iter_unjudged(subject))
    assert lacking is not (found or path == f"/{there}")
