"""What files say of imports and of Rust is kept while it holds, and read anew when it does not."""

from __future__ import annotations

import importlib.machinery
import json
import mmap
from dataclasses import replace
from pathlib import Path

import pytest
from compiling import Compile
from environments import write_files

from rustext.discovery import native_files as discover
from rustext.discovery.provenance import Marks
from rustext.environment.environment import stdlib_environment, stdlib_of, this_interpreter
from rustext.files.codec import from_plain, to_plain
from rustext.imports.clues import Clues
from rustext.imports.strings import name_refs as strings
from rustext.model.findings import Finding, Severity
from rustext.model.image import Image
from rustext.model.native_file import Crate
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.facts.python import import_clues as clues
from rustext.verify.verify import read_subject, verify

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]
RUSTC = f"/rustc/{'0' * 40}/library/core/src/lib.rs"
CORE = f"""
const char *const names[] = {{"zoneinfo._common", "PyImport_Import", "{RUSTC}"}};
void *PyInit_core(void) {{ return (void *) names; }}
"""


@pytest.fixture
def root(tmp_path: Path, gcc: Compile) -> Path:
    core = gcc("core.so", CORE, "-shared", "-fPIC")
    app = gcc("app", "int main(void) { return 0; }")
    write_files(tmp_path / "app", {"app": app, f"pkg/core{SUFFIX}": core, "json.py": ""})
    return tmp_path / "app"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were read for clues."""
    names: list[str] = []
    real = clues.read_wanted

    def note(path: Path, *args: object) -> Clues:
        names.append(path.name)
        return real(path, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(clues, "read_wanted", note)
    return names


def findings(root: Path, *, cached: bool = True) -> tuple[Finding, ...]:
    return verify(
        read_subject(read_bundle(root), stdlib=stdlib_environment(), cached=cached)
    ).findings


def test_a_second_verification_reads_no_code_and_says_the_same(
    root: Path, reads: list[str]
) -> None:
    first = findings(root)
    assert [f.id for f in first] == ["missing-import"]
    assert reads == [f"core{SUFFIX}"]
    assert findings(root) == first
    assert reads == [f"core{SUFFIX}"]
    assert findings(root, cached=False) == first
    assert len(reads) == 2


def test_a_file_whose_code_cannot_be_followed_is_named(
    root: Path, gcc: Compile, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = 'const char *more(void) { return "uuid"; }'
    write_files(root, {f"pkg/core{SUFFIX}": gcc("more.so", CORE + more, "-shared", "-fPIC")})
    monkeypatch.setattr(strings, "_MOST_PLACES", 0)
    (finding,) = findings(root)
    assert (finding.id, finding.severity) == ("unreadable-file", Severity.WARNING)
    assert finding.evidence == (("because", "its code refers to strings in more than 0 places"),)


def test_a_file_that_has_changed_is_read_anew(root: Path, reads: list[str], gcc: Compile) -> None:
    findings(root)
    other = CORE.replace("zoneinfo._common", "json.decoder")
    write_files(root, {f"pkg/core{SUFFIX}": gcc("other.so", other, "-shared", "-fPIC")})
    (finding,) = findings(root)
    assert finding.evidence == (("names", "json.decoder"),)
    assert len(reads) == 2


def test_another_standard_library_is_another_question(root: Path, reads: list[str]) -> None:
    findings(root)
    facts = this_interpreter()
    for other in (replace(facts, stdlib=()), replace(facts, builtins=(*facts.builtins, "_other"))):
        verify(read_subject(read_bundle(root), stdlib=stdlib_of(other), cached=True))
    assert len(reads) == 3


def test_other_modules_in_the_bundle_are_another_question(root: Path, reads: list[str]) -> None:
    findings(root)
    write_files(root, {"zoneinfo/_common.py": ""})
    assert findings(root) == ()
    assert len(reads) == 2


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the files that were searched for marks of Rust."""
    sizes: list[int] = []
    real = discover.read_marks

    def note(image: Image, data: mmap.mmap) -> Marks:
        sizes.append(len(data))
        return real(image, data)

    monkeypatch.setattr(discover, "read_marks", note)
    return sizes


def test_a_second_reading_looks_for_no_marks_and_finds_the_same(
    root: Path, looks: list[int], gcc: Compile
) -> None:
    first = read_bundle(root, cached=True)
    assert [file.provenance.rust for _, file in first.files] == [False, True]
    assert len(looks) == 2
    assert read_bundle(root, cached=True).files == first.files
    assert len(looks) == 2
    assert read_bundle(root).files == first.files
    assert len(looks) == 4
    c_code = CORE.replace(RUSTC, "C")
    write_files(root, {f"pkg/core{SUFFIX}": gcc("c.so", c_code, "-shared", "-fPIC")})
    changed = read_bundle(root, cached=True)
    assert [file.provenance.rust for _, file in changed.files] == [False, False]
    assert len(looks) == 5


def test_marks_are_read_as_they_were_written() -> None:
    crate = Crate(name="a", version=None, source="panic-path")
    marks = Marks(
        rustc="1.80.0", dep_v0=(crate,), panic_paths=(crate, crate),
        standard_library=True, mangled=False, plugin="_polars_plugin_x",
    )  # fmt: skip
    assert from_plain(Marks, json.loads(json.dumps(to_plain(marks)))) == marks
