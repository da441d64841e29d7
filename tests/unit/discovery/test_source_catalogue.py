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
        fifo, out_of_reach = env.faults
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
    assert [(str(f.file), f.unreadable) for f in sources.unreadable] == [
        ("host/one.py", "Is a directory")
    ]
    assert from_plain(DistributionSources, json.loads(json.dumps(to_plain(sources)))) == sources
