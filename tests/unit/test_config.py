"""`[tool.rustext]`: what it may hold; mistakes are in `freezing/test_mistakes.py`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from environments import write_files

from rustext.cli.doctor_project import format_config
from rustext.config import (
    Config,
    Optional,
    Scope,
    find_config,
    find_project,
    read_config,
)
from rustext.errors import InvalidConfiguration, RustextError
from rustext.files.cache import Cache, Listing


def is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def write(folder: Path, text: str) -> Path:
    write_files(folder, {"pyproject.toml": text})
    return folder / "pyproject.toml"


def test_all_options_are_read(tmp_path: Path) -> None:
    text = """
[project]
name = "app"
[tool.rustext]
include = ["a", "b.c"]
optional = "never"
allow-system = ["libX11.so.6"]
scope = "native"
"""
    assert read_config(write(tmp_path, text)) == Config(
        include=("a", "b.c"),
        optional=Optional.NEVER,
        allow_system=("libX11.so.6",),
        scope=Scope.NATIVE,
    )


OTHERS = ["[tool.rustest]\n", "[tool.uv.sources.rustext]\n", "[project]\nrustext = 1\n",
          "[tool.rustext]\n[tool.rust-ext]\nmode = 1\n"]  # fmt: skip


@pytest.mark.parametrize("text", ["", "[tool.black]\n", "[project]\n", "[tool.rustext]\n", *OTHERS])
def test_without_options_the_defaults_hold(text: str, tmp_path: Path) -> None:
    assert read_config(write(tmp_path, text)) == Config()


def test_the_nearest_file_at_or_above_counts(tmp_path: Path) -> None:
    inner = tmp_path / "project" / "src" / "deep"
    inner.mkdir(parents=True)
    write(tmp_path, '[tool.rustext]\noptional = "present"')
    assert find_config(inner).optional is Optional.PRESENT
    write(tmp_path / "project", "[project]\n")  # nearer, though it says nothing of rustext
    assert find_config(inner) == Config()
    write(inner, '[tool.rustext]\noptional = "never"')
    assert find_config(inner).optional is Optional.NEVER


def test_a_folder_of_that_name_is_no_configuration(tmp_path: Path) -> None:
    write(tmp_path, '[tool.rustext]\noptional = "never"')
    (tmp_path / "inner" / "pyproject.toml").mkdir(parents=True)
    assert find_config(tmp_path / "inner").optional is Optional.NEVER


def test_an_unknown_option_gets_a_hint_at_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        read_config(write(tmp_path, "[tool.rustext]\nx = 1"))
    assert caught.value.hint is not None
    assert "allow-system, crate-rules, ignore, include, leave-plan" in caught.value.hint


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration, match="cannot be read"):
        read_config(tmp_path)


def test_a_record_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RustextError):
        read_config(write(tmp_path, '[tool.rustext]\ntrace = "missing.toml"'))


@pytest.mark.skipif(not is_root(), reason="only root can give files away")
def test_settings_of_a_stranger_are_passed_over_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    project = tmp_path / "shared" / "project"
    project.mkdir(parents=True)
    for folder in (tmp_path, project.parent):
        (folder / "pyproject.toml").write_text("[tool.rustext]\ntarget = 'x'\n")
    assert find_project(project) == project.parent / "pyproject.toml"
    os.chown(project.parent / "pyproject.toml", 65534, 65534)
    assert find_project(project) == tmp_path / "pyproject.toml"
    assert [r.getMessage() for r in caplog.records] == [
        f"{project.parent}/pyproject.toml belongs to another user and is not read"
    ]
    assert find_project(project.parent) == project.parent / "pyproject.toml"  # it was named
    os.chown(project, 65534, 65534)  # a checkout of somebody else, in a container
    assert find_project(project) == project.parent / "pyproject.toml"


def test_a_cache_of_a_stranger_is_not_read(tmp_path: Path) -> None:
    if not is_root():
        pytest.skip("only root can give files away")
    cache = Cache(tmp_path, "1")
    cache.write(tmp_path, Listing(folders={}, files={}, rows=()))
    assert cache.read(tmp_path) is not None
    (entry,) = tmp_path.glob("*.jsonl")
    os.chown(entry, 65534, 65534)
    assert cache.read(tmp_path) is None


def test_a_configuration_that_is_shown_reads_as_the_same_one(tmp_path: Path) -> None:
    text = """
[tool.rustext]
include = ["json"]
[[tool.rustext.crate-rules]]
crate = "our-core"
imports = ["our.codecs", "json"]
[[tool.rustext.crate-rules]]
crate = "our-core"
versions = ">=2"
strings = ["a \\"quoted\\" word"]
imports = ["our.late"]
when = "numpy>=2"
why = "joins a name"
"""
    file = write(tmp_path, text)
    config = read_config(file)
    assert [rule.imports for rule in config.crate_rules] == [("our.codecs", "json"), ("our.late",)]
    assert {rule.source for rule in config.crate_rules} == {str(file)}
    file.write_text(format_config(config, file))
    assert read_config(file) == config


@pytest.mark.skipif(sys.platform == "win32", reason="links and FIFOs need rights or do not exist")
@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.symlink_to("gone"),
        lambda path: path.symlink_to(path.name),
        getattr(os, "mkfifo", None),
    ],
)
def test_a_file_that_cannot_be_read_is_not_taken_for_none(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "pyproject.toml")
    with pytest.raises(InvalidConfiguration, match=r"pyproject\.toml cannot be read"):
        find_config(tmp_path)


def test_a_number_that_python_does_not_print_is_a_mistake_as_others(tmp_path: Path) -> None:
    text = f"[tool.rustext]\nselftest = 0x{'f' * 20000}\n"
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(InvalidConfiguration, match="too many digits"):
        find_config(tmp_path)


@pytest.mark.parametrize("command", ["python app.py --name 'x", "  ", "a \\"])
def test_a_command_that_cannot_be_run_is_refused(command: str, tmp_path: Path) -> None:
    write(tmp_path, f"[tool.rustext]\nrecord = '''{command}'''\n")
    with pytest.raises(InvalidConfiguration, match="`record` is "):
        find_config(tmp_path)


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b"\xef\xbb\xbf[tool.rustext]\nselftest = true\n")
    assert find_config(tmp_path).selftest


@pytest.mark.skipif(not is_root(), reason="only root makes another user's file")
def test_a_file_above_that_another_user_keeps_closed_is_no_mistake_of_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    program = tmp_path / "program"
    program.mkdir()
    project = write(tmp_path, "[tool.rustext]\nselftest = true\n")
    os.chown(program, 12345, 12345)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert find_project(program) == project
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert find_project(program) is None
    assert caplog.messages == [f"{project} belongs to another user and is not read"]
