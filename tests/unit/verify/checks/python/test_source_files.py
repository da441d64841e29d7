"""Python files in a bundle's folders: which a start imports, and what Python makes of them."""

from __future__ import annotations

import importlib.util
import marshal
import os
import struct
import sys
from pathlib import Path

import pytest
from archives import archive, pyz
from compiling import Compile

from rustext.environment.environment import stdlib_environment
from rustext.model.findings import Finding, Severity
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.checks.python.program_imports import check_program_imports
from rustext.verify.checks.python.source_files import check_sources
from rustext.verify.facts.unjudged import iter_unjudged
from rustext.verify.subject import Subject
from rustext.verify.verify import read_subject

VERSION = sys.version_info[0] * 100 + sys.version_info[1]
OTHER = 310 if VERSION != 310 else 312


@pytest.fixture
def root(tmp_path: Path, gcc: Compile) -> Path:
    folder = tmp_path / "app"
    (folder / "_internal/kit").mkdir(parents=True)
    put(folder, gcc("app", "int main(void) { return 0; }"), VERSION)
    (folder / "_internal/kit/__init__.py").write_text("from kit import texts\n")
    return folder


def put(root: Path, program: Path, python: int, script: str = "import kit") -> None:
    entries = [(b"z", "PYZ.pyz", pyz([])), (b"o", "pyi-contents-directory _internal", b"")]
    for name, source in (("pyiboot01_bootstrap", ""), ("main", script)):
        entries.append((b"s", name, marshal.dumps(compile(source, name, "exec"))))
    (root / "app").write_bytes(program.read_bytes() + archive(entries, python))
    (root / "app").chmod(0o755)


def subject(root: Path) -> Subject:
    return read_subject(read_bundle(root), stdlib=stdlib_environment())


def found(root: Path) -> list[Finding]:
    return [*check_sources(subject(root))]


def missing(root: Path) -> set[str]:
    return {m.name for start in subject(root).starts for m in start.missing} - {"encodings", "io"}


def test_imports_of_sources_are_followed(root: Path) -> None:
    (root / "_internal/kit/texts.py").write_text("import gone_elsewhere\n")
    assert "gone_elsewhere" in missing(root)
    assert found(root) == []
    assert not any("cannot be read" in line for line in iter_unjudged(subject(root)))


@pytest.mark.parametrize(
    "source",
    [
        bytes(40),
        "name = 'Grüße'".encode("latin-1"),
        "name = 'Grüße'".encode("utf-16"),
        b"def f():\n    return (1,",
        b"<<<<<<< HEAD\n",
    ],
)
def test_a_source_that_python_cannot_compile_is_an_error(
    source: bytes, root: Path, gcc: Compile
) -> None:
    (root / "_internal/kit/texts.py").write_bytes(source)
    with pytest.raises((SyntaxError, ValueError)):
        compile(source, "texts", "exec")
    (finding,) = found(root)
    assert (finding.id, finding.severity) == ("unreadable-file", Severity.ERROR)
    assert finding.subject == "app/_internal/kit/texts.py"
    # Another version of Python has another grammar.
    put(root, gcc("app", "int main(void) { return 0; }"), OTHER, "")
    assert len(found(root)) == (b"\0" in source)


@pytest.mark.parametrize("source", ["# coding: latin-1\nx = 'Grüße'", "# coding: ascii\nx = 1"])
def test_a_source_says_its_encoding(source: str, root: Path) -> None:
    (root / "_internal/kit/texts.py").write_bytes(source.encode("latin-1"))
    assert found(root) == []


def test_a_source_that_nothing_imports_may_be_anything_but_null_bytes(root: Path) -> None:
    (root / "_internal/kit/__init__.py").write_text("")
    (root / "_internal/kit/late.py").write_text("this is a template {{ name }}")
    assert found(root) == []
    (root / "_internal/kit/late.py").write_bytes(bytes(100))
    assert [f.severity for f in found(root)] == [Severity.WARNING]


@pytest.mark.parametrize(("late", "expected"), [(0, "gone_elsewhere"), (1, "gone_here")])
def test_bytecode_of_the_time_and_size_of_its_source_counts(
    late: int, expected: str, root: Path
) -> None:
    texts = root / "_internal/kit/texts.py"
    texts.write_text("import gone_here\n")
    os.utime(texts, (1_700_000_000, 1_700_000_000))
    code = marshal.dumps(compile("import gone_elsewhere", "texts", "exec"))
    head = importlib.util.MAGIC_NUMBER + struct.pack("<III", 0, 1_700_000_000 + late, 17)
    cached = Path(importlib.util.cache_from_source(str(texts)))
    cached.parent.mkdir()
    cached.write_bytes(head + code)
    assert {"gone_here", "gone_elsewhere"} & missing(root) == {expected}


def test_python_takes_a_source_before_bytecode_beside_it(root: Path) -> None:
    (root / "_internal/kit/texts.py").write_text("import gone_here\n")
    (root / "_internal/kit/texts.pyc").write_bytes(b"")
    assert "gone_here" in missing(root)


@pytest.mark.parametrize(
    ("source", "lacks"),
    [
        ("", True),
        ("import sys\n\ndef other():\n    return sys.platform\n", True),
        ("def asked(): pass", False),
        ("def put():\n    global asked\n    asked = 1\nput()", False),
        ("globals().update(asked=1)", False),
        ("import sys\nsys.modules[__name__] = object()", False),
        ("import enum\nenum.IntEnum._convert_('E', __name__, str.isupper)", False),
        ("import helper\nhelper.fill(__name__)", False),
        ("from os import *", False),
        ("def __getattr__(name): return 1", False),
        ("import logging\nlogging.getLogger(__name__)\nif __name__ == '__main__': pass", True),
    ],
)
def test_a_name_that_a_module_never_binds_is_missing(source: str, lacks: bool, root: Path) -> None:
    (root / "_internal/kit/__init__.py").write_text("from kit.texts import asked\n")
    (root / "_internal/kit/texts.py").write_text(source)
    assert ("kit.texts.asked" in missing(root)) is lacks
    findings = [f for f in check_program_imports(subject(root)) if "asked" in f.subject]
    assert [f.severity for f in findings] == [Severity.ERROR] * lacks


def test_a_name_that_code_can_do_without_is_not_missing(root: Path) -> None:
    (root / "_internal/kit/__init__.py").write_text(
        "try:\n    from kit.texts import asked\nexcept ImportError:\n    asked = None\n"
    )
    (root / "_internal/kit/texts.py").write_text("")
    assert "kit.texts.asked" not in missing(root)
