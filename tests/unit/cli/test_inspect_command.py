"""An answer of `rustext inspect` is kept until anything that it was made from changes."""

from __future__ import annotations

import importlib.machinery
import os
import sys
import zipfile
from pathlib import Path

import pytest
from compiling import Compile
from environments import install

from rustext.cli import inspect_command
from rustext.cli.main import run
from rustext.tracing.trace_file import Trace, format_trace

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]
RUST = '"/rustc/0123456789012345678901234567890123456789/library/core/src/lib.rs"'
SOURCE = "const char mark[] = " + RUST + "; void *PyInit_core(void) { return 0; }"


@pytest.fixture
def site(tmp_path: Path, gcc: Compile, lean_path: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path that holds the Rust extension `kept.core`; its project is elsewhere."""
    site = tmp_path / "site-packages"
    core = gcc("core.so", SOURCE, "-shared", "-fPIC")
    install(site, "kept", files={"kept/__init__.py": "", f"kept/core{SUFFIX}": core})
    monkeypatch.setattr(sys, "path", [*sys.path, str(site)])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return site


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each time that binaries were read."""
    times: list[int] = []
    original = inspect_command._print_inspection

    def counted(*args: object) -> tuple[Path, ...]:
        times.append(1)
        return original(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(inspect_command, "_print_inspection", counted)
    return times


def inspect(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert run(["inspect", "kept", *options]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("option", [[], ["--json"], ["--tree"], ["--format", "dot"]])
def test_the_second_answer_is_the_first_one(
    site: Path, read: list[int], capsys: pytest.CaptureFixture[str], option: list[str]
) -> None:
    first = inspect(capsys, *option)
    assert inspect(capsys, *option) == first
    assert len(read) == 1
    assert inspect(capsys, *option, "--no-cache") == first
    assert len(read) == 2


def rewrite_extension(site: Path) -> None:
    file = site / f"kept/core{SUFFIX}"
    file.write_bytes(file.read_bytes() + b"\0")


def rewrite_source(site: Path) -> None:
    (site / "kept/__init__.py").write_text("import json\n")


def install_another(site: Path) -> None:
    install(site, "another", files={"another.py": ""})


def upgrade(site: Path) -> None:
    record = site / "kept-1.0.dist-info/RECORD"
    os.utime(record, ns=(0, record.stat().st_mtime_ns + 1))


def configure(site: Path) -> None:
    Path("pyproject.toml").write_text('[tool.rustext]\ninclude = ["wave"]\n')


def search_elsewhere(site: Path) -> None:
    os.environ["LD_LIBRARY_PATH"] = str(site)


def test_a_library_that_turns_up_is_noticed(
    site: Path, gcc: Compile, capsys: pytest.CaptureFixture[str]
) -> None:
    late = gcc("liblate.so.1", "int late(void) { return 0; }", "-shared", "-fPIC",
               "-Wl,-soname,liblate.so.1")  # fmt: skip
    core = site / f"kept/core{SUFFIX}"
    flags = ("-shared", "-fPIC", "-Wl,--no-as-needed", str(late), "-Wl,-rpath,$ORIGIN")
    core.write_bytes(gcc("needy.so", SOURCE, *flags).read_bytes())
    assert "not on this machine" in inspect(capsys)
    (site / "kept/liblate.so.1").write_bytes(late.read_bytes())
    assert "not on this machine" not in inspect(capsys)


def test_a_record_that_changes_is_noticed(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("pyproject.toml").write_text('[tool.rustext]\ntrace = "t.toml"\n')
    Path("t.toml").write_text(format_trace(Trace()))
    inspect(capsys)
    Path("t.toml").write_text("no record")
    assert run(["inspect", "kept"]) == 2


@pytest.mark.parametrize(
    "change",
    [rewrite_extension, rewrite_source, install_another, upgrade, configure, search_elsewhere],
    ids=lambda change: change.__name__,
)
def test_what_the_answer_depends_on_is_noticed(
    site: Path,
    read: list[int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    change: object,
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", "")
    inspect(capsys)
    change(site)  # type: ignore[operator]
    after = inspect(capsys)
    assert len(read) == 2
    assert after == inspect(capsys, "--no-cache")


def test_a_refused_question_leaves_no_answer(
    site: Path, read: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["inspect", "nothing-of-that-name"]) == 2
    assert run(["inspect", "nothing-of-that-name"]) == 2
    assert len(read) == 2
    assert "is not installed" in capsys.readouterr().err


def test_probe_refuses_what_it_cannot_import(
    site: Path, tmp_path: Path, gcc: Compile, capfd: pytest.CaptureFixture[str]
) -> None:
    wheel = tmp_path / "kept-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(site / "kept" / f"core{SUFFIX}", f"kept/core{SUFFIX}")
    assert run(["inspect", str(wheel)]) == 0
    capfd.readouterr()
    assert run(["inspect", "--probe", str(wheel)]) == 2
    assert "is not installed" in capfd.readouterr().err
    library = gcc("libplain.so", "int f(void) { return 0; }", "-shared", "-fPIC")
    assert run(["inspect", "--probe", str(library)]) == 2
    assert "is no module" in capfd.readouterr().err


def test_many_crates_are_counted_until_all_are_asked_for(
    site: Path, tmp_path: Path, gcc: Compile, capsys: pytest.CaptureFixture[str]
) -> None:
    crates = [f"crate{n}" for n in range(40)]
    place = "/cargo/registry/src/index.crates.io-6f17d22bba15001f/{}-1.0.0/src/lib.rs"
    marks = ", ".join(f'"{place.format(name)}"' for name in crates)
    source = f"const char *marks[] = {{{marks}}}; void *PyInit_many(void) {{ return marks; }}"
    module = gcc("many.so", source, "-shared", "-fPIC")
    assert run(["inspect", str(module)]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) < 200
    assert "more, which -v shows" in text
    assert run(["inspect", str(module), "-v"]) == 0
    text = capsys.readouterr().out
    assert [c for c in crates if f"  {c} 1.0.0\n" not in text] == []


@pytest.mark.parametrize(
    ("word", "hint"),
    [("kpet", "did you mean `kept`?"), ("zzz", "`rustext scan` lists what there is")],
)
def test_a_misspelt_name_is_answered_with_the_one_that_is_installed(
    site: Path, capsys: pytest.CaptureFixture[str], word: str, hint: str
) -> None:
    assert run(["inspect", word]) == 2
    assert f"hint: {hint}" in capsys.readouterr().err
