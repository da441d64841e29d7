"""Names that code completes at run time leave their beginning in the file."""

from __future__ import annotations

import importlib.machinery
from pathlib import Path

import pytest
from compiling import Compile
from crates import build_crate
from environments import environment, install
from natives import native_file

from rustext.formats.binary import open_binary
from rustext.imports.clues import complete_names
from rustext.imports.strings.format_strings import iter_beginnings
from rustext.model.evidence import EvidenceKind, StringRef

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]

# As rustc 1.93 and later write `format!("email.{part}")`, with text on either side.
TEMPLATE = r"""
const char text[] = "%s" "\x06" "email." "\xc0\x00" "email.mime";
int first(void) { return text[0]; }
"""
# As earlier ones do: an address and a length, in relocated data, into text without separators.
PIECES = """
static const char text[] = "xml.email.mimeemail.";
struct piece { const char *at; unsigned long size; };
extern const struct piece pieces[2];
const struct piece pieces[2] = {{text + 4, 6}, {text + 4, 10}};
"""


def beginnings(path: Path) -> list[str]:
    with open_binary(path) as (binary, data):
        return [r.text for r in iter_beginnings(binary.image, data, lambda _: True)]


def test_a_format_string_of_rust_begins_a_name(tmp_path: Path) -> None:
    """By whatever rustc is here: each of its releases writes one of the two layouts."""
    assert "email." in beginnings(build_crate("rust_strings", tmp_path))


@pytest.mark.parametrize("before", ["", "text", "two.words", r"\x06"])
def test_a_length_before_and_a_placeholder_behind_bound_a_literal(
    gcc: Compile, before: str
) -> None:
    path = gcc("template.so", TEMPLATE % before, "-shared", "-fPIC", "-O2")
    assert beginnings(path) == ["email."]


@pytest.mark.parametrize("length", ["05", "07", "00"])
def test_a_literal_of_another_length_begins_nothing(gcc: Compile, length: str) -> None:
    source = (TEMPLATE % "").replace(r"\x06", rf"\x{length}")
    assert beginnings(gcc("template.so", source, "-shared", "-fPIC", "-O2")) == []


def test_a_length_may_be_a_letter_itself(gcc: Compile) -> None:
    """`A` is 65, and belongs to no name."""
    name = "a" * 64 + "."
    source = (TEMPLATE % "b").replace("email.", name, 1).replace(r"\x06", "A")
    assert beginnings(gcc("template.so", source, "-shared", "-fPIC", "-O2")) == [name]


def test_a_string_of_its_own_begins_a_name(gcc: Compile) -> None:
    assert beginnings(gcc("pieces.so", PIECES, "-shared", "-fPIC", "-O2")) == ["email."]


def test_a_beginning_stands_for_the_modules_of_its_own_package_alone(
    tmp_path: Path, gcc: Compile
) -> None:
    core = gcc("core.so", "void *PyInit__core(void) { return 0; }", "-shared", "-fPIC")
    files = {"app/__init__.py": "", f"app/_core{SUFFIX}": core, "app/styles/__init__.py": "",
             "app/styles/plain.py": "", "app/styles/deep/__init__.py": "",
             "app/styles/deep/er.py": "", "app/styles/not-a-name.py": ""}  # fmt: skip
    install(tmp_path, "app", files=files, requires=["other"])
    install(tmp_path, "other", files={"other/__init__.py": "", "other/part.py": ""})
    file = native_file(tmp_path / f"app/_core{SUFFIX}", tmp_path)
    kind = EvidenceKind.EXACT_STRING
    refs = [
        StringRef(text=text, offset=1, kind=kind, detail="in a test")
        for text in ("app.styles.", "other.", "json.", "app._core.", "app.nothing.")
    ]
    found = list(complete_names(refs, file, environment(tmp_path)))
    assert [r.text for r in found] == ["app.styles.deep", "app.styles.plain"]
    assert {(r.kind, r.detail) for r in found} == {
        (kind, "completes `app.styles.`, found in a test")
    }
