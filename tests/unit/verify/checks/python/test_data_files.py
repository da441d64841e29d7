"""Data files that were cut, or never fetched, told from whole ones of every form."""

from __future__ import annotations

import io
import shutil
import sqlite3
import wave
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from compiling import Compile

from rustext.environment.environment import stdlib_environment
from rustext.model.findings import Severity
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.checks.python.data_files import check_data
from rustext.verify.facts.python.program_starts import OpenedFile, Start
from rustext.verify.verify import read_subject

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 123456\n"


def make_database(path: Path) -> None:
    with sqlite3.connect(path) as base:
        base.execute("create table words (word text)")
        base.executemany("insert into words values (?)", [("word" * 100,)] * 100)
    base.close()


def make_sound(path: Path) -> None:
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(9000))


def make_archive(path: Path) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a.txt", "text" * 1000)
    path.write_bytes(made.getvalue())


def judge(root: Path, gcc: Compile, opened: OpenedFile | None = None) -> list[Severity]:
    shutil.copy2(gcc("app", "int main(void) { return 0; }"), root)
    subject = read_subject(read_bundle(root), stdlib=stdlib_environment())
    start = Start(program=subject.bundle.programs[0], opened=[opened] if opened else [])
    found = list(check_data(replace(subject, starts=(start,))))
    assert {finding.id for finding in found} <= {"unreadable-file"}
    return [finding.severity for finding in found]


@pytest.mark.parametrize("make", [make_database, make_sound, make_archive])
def test_a_file_that_is_cut_is_told_from_a_whole_one(
    make: Callable[[Path], None], gcc: Compile, tmp_path: Path
) -> None:
    file = tmp_path / "data"
    make(file)
    assert judge(tmp_path, gcc) == []
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert judge(tmp_path, gcc) == [Severity.WARNING]


def test_a_pointer_is_no_text_about_pointers(gcc: Compile, tmp_path: Path) -> None:
    (tmp_path / "about.txt").write_bytes(b"Pointers begin so:\n" + POINTER)
    (tmp_path / "long.txt").write_bytes(POINTER * 20)
    assert judge(tmp_path, gcc) == []
    (tmp_path / "model.bin").write_bytes(POINTER)
    assert judge(tmp_path, gcc) == [Severity.WARNING]


@pytest.mark.parametrize("certain", [True, False])
@pytest.mark.parametrize("data", [b"", b'{"a": [1', b'{"a": 1}', POINTER])
def test_what_the_start_reads_is_an_error(
    data: bytes, certain: bool, gcc: Compile, tmp_path: Path
) -> None:
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit" / "table.json").write_bytes(data)
    (tmp_path / "kit" / "other.json").write_bytes(b"[1")  # nobody reads it
    opened = OpenedFile(
        module="kit.a",
        names=("table.json",),
        certain=certain,
        data=True,
        paths=("/kit/table.json",),
    )
    found = [Severity.ERROR if certain else Severity.WARNING]
    assert judge(tmp_path, gcc, opened) == ([] if data in (b"", b'{"a": 1}') else found)
