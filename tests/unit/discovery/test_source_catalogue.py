"""What sources say is read once, and again only where a source has changed."""

from __future__ import annotations

import builtins
import io
import json
import os
from pathlib import Path

import pytest
from environments import environment, install

from rustext.discovery.catalogue import SourceCatalogue
from rustext.discovery.source_facts import read_sources
from rustext.files.codec import from_plain, to_plain
from rustext.model.sources import DistributionSources

FILES = {
    "host/__init__.py": "import importlib\ndef load(x): return importlib.import_module(x)\n"
    "load('alpha'); importlib.import_module(f'host.{x}'); TABLE = ['host.one']\n",
    "host/one.py": "import sys, subprocess\nsubprocess.run([sys.executable, '-m', 'host.one'])\n",
}


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The Python files that are opened."""
    names: list[str] = []
    real = io.open

    def note(file: object, *args: object, **others: object) -> object:
        names.extend([str(file)] if str(file).endswith(".py") else [])
        return real(file, *args, **others)  # type: ignore[call-overload]

    monkeypatch.setattr(builtins, "open", note)
    monkeypatch.setattr(io, "open", note)
    return names


def read(site: Path) -> DistributionSources:
    return SourceCatalogue(keep=True).read(environment(site).distributions["host"])


def test_a_second_build_opens_no_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: list[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    site = tmp_path / "site-packages"
    install(site, "host", files=FILES)
    opened.clear()
    first = read(site)
    assert sorted(opened) == [str(site / name) for name in sorted(FILES)]  # each of them once
    opened.clear()
    assert read(site) == first
    assert opened == []
    (site / "host/one.py").write_text("import importlib\n")
    assert read(site) != first
    assert opened


def test_a_file_that_cannot_be_read_is_named_also_by_a_cached_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    site = tmp_path / "site-packages"
    lost = {"host/gone.py": "", "host/fifo.py": "", "host/round/file.py": ""}
    install(site, "host", files={**FILES, **lost})
    for name in lost:
        (site / name).unlink()
    os.mkfifo(site / "host/fifo.py")
    (site / "host/round").rmdir()
    (site / "host/round").symlink_to("round")  # as out of reach as a folder that is closed to us
    for _ in range(2):
        env = environment(site)
        SourceCatalogue(env.note_fault, keep=True).read(env.distributions["host"])
        gone, fifo, out_of_reach = env.faults
        assert gone.path.name == "RECORD"
        assert gone.reason == "files that it lists are gone: `host/gone.py`"
        assert fifo.path == site / "host/fifo.py"
        assert "not a regular file" in fifo.reason
        assert out_of_reach.path == site / "host/round/file.py"


def test_a_stub_that_is_no_file_is_not_opened(tmp_path: Path) -> None:
    """A FIFO would wait for its writer."""
    lazy = "import lazy_loader as lazy\n_, __dir__, _ = lazy.attach_stub(__name__, __file__)\n"
    install(tmp_path, "host", files={"host/__init__.py": lazy, "host/__init__.pyi": ""})
    (tmp_path / "host/__init__.pyi").unlink()
    os.mkfifo(tmp_path / "host/__init__.pyi")
    assert read_sources(environment(tmp_path).distributions["host"]).files


def test_facts_are_what_their_text_says(tmp_path: Path) -> None:
    install(tmp_path, "host", files=FILES)
    sources = read_sources(environment(tmp_path).distributions["host"])
    first, second = sources.files
    assert first.importers == ("load",)
    assert second.starts_python == ("-m host.one",)
    assert from_plain(DistributionSources, json.loads(json.dumps(to_plain(sources)))) == sources


def test_a_source_that_cannot_be_read_is_a_row_with_the_reason(tmp_path: Path) -> None:
    install(tmp_path, "host", files=FILES)
    (tmp_path / "host/one.py").unlink()
    (tmp_path / "host/one.py").mkdir()
    sources = read_sources(environment(tmp_path).distributions["host"])
    assert [(str(f.file), f.unreadable) for f in sources.files if f.unreadable] == [
        ("host/one.py", "Is a directory")
    ]
    assert from_plain(DistributionSources, json.loads(json.dumps(to_plain(sources)))) == sources


BROKEN = {
    "not_utf8": b"x = '\xe9'\n",
    "nul": b"x = 1\0\n",
    "deep": b"x = " + b"(" * 5000 + b")" * 5000 + b"\n",
    "syntax": b"def f(:\n",
}
SILENT = {
    "host/latin.py": b"# -*- coding: latin-1 -*-\nx = '\xe9'\n",
    "host/marked.py": b"\xef\xbb\xbfx = 1\n",
    "host/escape.py": b"x = '\\d'\n",
    "host/tests/bad.py": b"def f(:\n",
    "host/test_bad.py": b"def f(:\n",
    "host/{{name}}/main.py": b"import {{name}}\n",
    "host/templates/a-b.py": b"import {{name}}\n",
    "host/old/__init__.py": b"try: import host.old.new\nexcept SyntaxError: pass\n",
    "host/old/new.py": b"async = 1\n",
}


def faults_of(site: Path, **options: object) -> list[str]:
    env = environment(site)
    SourceCatalogue(env.note_fault, **options).read(env.distributions["host"])  # type: ignore[arg-type]
    return [str(fault).replace(f"{site}/", "") for fault in env.faults]


@pytest.mark.parametrize("name", BROKEN)
def test_a_source_that_no_python_compiles_is_named(name: str, tmp_path: Path) -> None:
    install(tmp_path, "host", files={"host/__init__.py": "", "host/bad.py": BROKEN[name]})
    with pytest.raises((SyntaxError, ValueError)):
        compile(BROKEN[name], "bad.py", "exec")
    (line,) = faults_of(tmp_path)
    assert line.startswith("cannot read `host/bad.py`: it does not compile (")
    assert line.endswith("); nothing can import it")
    assert faults_of(tmp_path, version=(4, 0)) == []  # of another Python, this one cannot tell


def test_many_broken_sources_are_one_line(tmp_path: Path) -> None:
    files = {f"host/{name}.py": data for name, data in BROKEN.items()}
    install(tmp_path, "host", files=files)
    (line,) = faults_of(tmp_path)
    assert "(and of 3 more files of this distribution)" in line


def test_sources_that_need_not_compile_are_not_named(tmp_path: Path) -> None:
    install(tmp_path, "host", files=SILENT)
    assert faults_of(tmp_path) == []


def test_files_that_are_gone_are_one_line_and_tests_are_none(tmp_path: Path) -> None:
    lost = ("host/a.py", "host/b.so", "host/tests/c.py", "host/d.txt")
    install(tmp_path, "host", files={"host/__init__.py": "", **dict.fromkeys(lost, "")})
    for name in lost:
        (tmp_path / name).unlink()
    record = "host-1.0.dist-info/RECORD"
    reason = "files that it lists are gone: `host/a.py` and 1 more"
    assert faults_of(tmp_path) == [f"cannot read `{record}`: {reason}; nothing is added for them"]


def test_what_no_record_lists_is_named_where_it_cannot_be_used(tmp_path: Path) -> None:
    install(tmp_path, "host", files={"host/__init__.py": "", "host/in/a.py": ""})
    (tmp_path / "host/fine.so").touch()  # not looked at unless a program has it
    (tmp_path / "host/a\nb.so").touch()
    (tmp_path / os.fsdecode(b"host/caf\xe9.so")).touch()
    (tmp_path / os.fsdecode(b"host/caf\xe9.txt")).touch()
    (tmp_path / "host/again").symlink_to("..")
    (tmp_path / "host/closed").mkdir(mode=0)
    named = [line.split("`")[1] for line in faults_of(tmp_path)]
    (tmp_path / "host/closed").chmod(0o700)
    assert named == [r"host/a\nb.so", r"host/caf\udce9.so", "host/closed"]
