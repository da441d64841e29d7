"""Records of native imports: their file, merging, and the command that makes them."""

from __future__ import annotations

import importlib.machinery
import json
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
from compiling import Compile
from crates import build_crate

from rustext.cli.main import run
from rustext.data import package_folder
from rustext.discovery.module_names import importer_name
from rustext.errors import InvalidTrace, UnreadableFile
from rustext.tracing.native_opens import OpenWatch
from rustext.tracing.recording import parse_notes
from rustext.tracing.trace_file import (
    Importer,
    Language,
    Trace,
    format_trace,
    merge,
    parse_trace,
    read_trace,
)

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]
# A module that imports `wave` while it is loaded, by the stable ABI.
SOURCE = """
typedef struct { long count; void *type; void *init; long index; void *copy;
                 const char *name; const char *doc; long size; void *rest[5]; } Module;
extern void *PyModule_Create2(Module *, int), *PyImport_ImportModule(const char *);
static Module module = { .count = 1, .name = "native", .size = -1 };
const char mark[] = "/rustc/0123456789012345678901234567890123456789/library/core/src/lib.rs";
void *PyInit_native(void) {
    return PyImport_ImportModule("wave") ? PyModule_Create2(&module, 1013) : 0;
}
"""


def trace(**importers: list[str]) -> Trace:
    return Trace(
        importers=tuple(
            Importer(name=name, language=Language.RUST, imports=tuple(imports))
            for name, imports in importers.items()
        )
    )


def note(module: str, file: object = "", entry: object = "") -> str:
    return json.dumps({"module": module, "file": str(file), "entry": str(entry)})


def test_a_record_survives_its_file() -> None:
    odd = Importer(name='a "quoted"\\name\x7f é', language=Language.OTHER, imports=("json", "é.b"))
    unknown = Importer(name="", language=Language.UNKNOWN, imports=("csv",))
    original = merge([Trace(importers=(odd, unknown))])
    text = format_trace(original)
    assert parse_trace(text, "here") == original
    assert format_trace(parse_trace(text, "here")) == text


def test_each_import_has_a_line_of_its_own_in_order() -> None:
    text = format_trace(merge([trace(b=["z", "a"]), trace(a=["m"])]))
    lines = [line.strip() for line in text.splitlines() if line.startswith(("name", "    "))]
    assert lines == ['name = "a"', '"m",', 'name = "b"', '"a",', '"z",']


def test_merging_keeps_all_that_either_saw_in_any_order() -> None:
    one, two = trace(a=["x"], b=["y"]), trace(a=["w", "x"])
    both = merge([one, two])
    assert both == merge([two, one]) == merge([both, both])
    assert both.imports_of("a") == ("w", "x")
    assert both.imports_of("b") == ("y",)
    assert both.imports_of("c") == ()


def test_a_known_language_wins_over_an_unknown_one() -> None:
    unknown = Trace(importers=(Importer(name="a", language=Language.UNKNOWN, imports=("x",)),))
    for order in ([unknown, trace(a=["y"])], [trace(a=["y"]), unknown]):
        assert merge(order).importers[0].language is Language.RUST


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("pkg/_core.cpython-311-x86_64-linux-gnu.so", "pkg._core"),
        ("pkg/_core.abi3.so", "pkg._core"),
        ("top.so", "top"),
        ("pkg/_core.cp312-win_amd64.pyd", "pkg._core"),
        ("pkg/libcore.so.3", "pkg/libcore.so.3"),
        ("pkg/core.dylib", "pkg/core.dylib"),
    ],
)
def test_an_importer_is_named_alike_with_every_python(path: str, name: str) -> None:
    assert importer_name(PurePosixPath(path)) == name


def test_languages_are_read_out_of_the_importing_files(gcc: Compile, tmp_path: Path) -> None:
    rust = build_crate("rust_strings", tmp_path / "target")
    c = gcc("plain.so", "int answer(void) { return 42; }", "-shared", "-fPIC")
    lines = [
        note("json", rust, rust.parent),
        note("csv", c, c.parent),
        note("wave", tmp_path / "gone.so", tmp_path),
        note("uuid"),
        note("uuid"),
        '{"module": "cut sh',
        "[]",
    ]
    found = {i.name: i.language for i in parse_notes(lines).importers}
    assert found == {
        "": Language.UNKNOWN,
        "gone": Language.UNKNOWN,
        rust.stem: Language.RUST,
        "plain": Language.OTHER,
    }
    assert parse_notes(lines).imports_of("") == ("uuid",)
    kept = parse_notes(lines).without_other_languages()
    assert "plain" not in {i.name for i in kept.importers}
    assert len(kept.importers) == 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "version = 3",
        "version = 2\ndistribution = 3",
        "version = 2\n[[distribution]]\nname = 1",
        "version = 2\n[[distribution]]\nname = 'a'\nfiles = [1]",
        "version = 2\n[[distribution]]\nname = 'a'\nodd = {}",
        "not toml",
        "version = 1\nimporter = 3",
        "version = 1\n[[importer]]\nname = 1\nlanguage = 'rust'\nimports = []",
        "version = 1\n[[importer]]\nname = 'a'\nlanguage = 'rust'\nimports = [1]",
        "version = 1\n[[importer]]\nname = 'a'\nlanguage = 'latin'\nimports = []",
        "version = 1\n[[importer]]\nname = 'a'\nimports = []",
        "version = 1\n[importer]\nname = 'a'",
    ],
)
def test_what_is_no_record_is_refused_with_its_name(text: str) -> None:
    with pytest.raises(InvalidTrace, match="here"):
        parse_trace(text, "here")


def test_a_record_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="nowhere"):
        read_trace(tmp_path / "nowhere.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidTrace, match=r"binary\.toml"):
        read_trace(tmp_path / "binary.toml")


# --- the command ------------------------------------------------------------------------------


@pytest.fixture
def program(gcc: Compile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a program and a module that counts as Rust, for a mark of rustc's in it."""
    native = gcc("native.so", SOURCE, "-shared", "-fPIC")
    (tmp_path / f"native{SUFFIX}").write_bytes(native.read_bytes())
    (tmp_path / "app.py").write_text("import sys, native; sys.exit(int(sys.argv[1]))")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_two_runs_give_the_same_bytes_and_the_programs_exit_code(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Other tests share this environment, and what they open in it would be in one of the records.
    monkeypatch.setattr(OpenWatch, "opened", lambda self: frozenset())
    assert run(["trace", "-q", "-o", "one.toml", "--", "app.py", "3"]) == 3
    assert run(["trace", "-q", "-o", "two.toml", "app.py", "0"]) == 0
    one = (program / "one.toml").read_bytes()
    assert one == (program / "two.toml").read_bytes()
    assert read_trace(program / "one.toml").importers == trace(native=["wave"]).importers


def test_files_of_rustext_that_another_process_reads_are_not_the_programs(program: Path) -> None:
    own = package_folder() / "data" / "manylinux.toml"
    (program / "app.py").write_text("import subprocess, sys; subprocess.run(sys.argv[1:])")
    assert run(["trace", "-q", "-o", "one.toml", "--", "app.py", "cat", str(own)]) == 0
    assert '"rustext/data/manylinux.toml" =' not in (program / "one.toml").read_text()


def test_a_module_is_run_with_the_arguments_that_follow_it(program: Path) -> None:
    assert run(["trace", "-o", "one.toml", "-m", "app", "4"]) == 4
    assert run(["trace", "-o", "two.toml", "--", "-m", "app", "5"]) == 5
    for name in ("one.toml", "two.toml"):
        assert read_trace(program / name).imports_of("native") == ("wave",)


def test_records_are_merged(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (program / "a.toml").write_text(format_trace(trace(x=["json"])))
    (program / "b.toml").write_text(format_trace(trace(x=["csv"], y=["wave"])))
    assert run(["trace", "-o", "c.toml", "--json", "--merge", "a.toml", "b.toml"]) == 0
    assert read_trace(program / "c.toml") == trace(x=["csv", "json"], y=["wave"])
    assert json.loads(capsys.readouterr().out)["importers"][1] == {
        "name": "y",
        "language": "rust",
        "imports": ["wave"],
    }


@pytest.mark.parametrize(
    "words",
    [[], ["--"], ["nowhere.py"], ["--merge", "nowhere.toml"], ["-o", "no/dir", "app.py", "0"]],
)
def test_what_cannot_be_run_read_or_written_is_refused(program: Path, words: list[str]) -> None:
    assert run(["trace", *words]) == 2


def test_a_program_that_a_signal_ends_has_its_record_all_the_same(program: Path) -> None:
    (program / "app.py").write_text(
        "import native, os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert run(["trace", "-o", "one.toml", "app.py"]) == 128 + 9
    assert read_trace(program / "one.toml").imports_of("native") == ("wave",)


def test_records_are_merged_whatever_they_call_a_python() -> None:
    traces = [replace(Trace(), pythons=(name,)) for name in ("3.10", "x", "3.9", "3.x", "²")]
    assert merge(traces).pythons == ("3.9", "3.10", "3.x", "x", "²")
