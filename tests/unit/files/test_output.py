"""Results replace earlier results, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from environments import write_files

from rustext.cli.main import run
from rustext.errors import UnwritableFile
from rustext.files.output import check_output, is_sealed, seal, write_output


def write(path: Path, text: str) -> None:
    write_output(path, text, is_sealed, what="a sealed text")


def test_an_earlier_result_is_replaced_whole(tmp_path: Path) -> None:
    file = tmp_path / "out"
    write(file, seal("one\n"))
    file.chmod(0o640)
    write(file, seal("two\n"))
    assert file.read_text().startswith("two\n")
    assert file.stat().st_mode & 0o777 == 0o640
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    write(tmp_path / "ours", "")
    (tmp_path / "any").touch()
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "any").stat().st_mode


@pytest.mark.parametrize("content", ["mine\n", "x" * 100, seal("one\n") + "edited\n", "\n"])
def test_what_is_not_a_result_is_left_alone(content: str, tmp_path: Path) -> None:
    file = tmp_path / "out"
    file.write_text(content)
    with pytest.raises(UnwritableFile, match="is not a sealed text, or was edited"):
        write(file, "new")
    assert file.read_text() == content


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    write(tmp_path / "link", seal("one\n"))
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text().startswith("one\n")


def test_line_endings_are_no_edit() -> None:
    assert is_sealed(seal("a\nb\n").replace("\n", "\r\n").encode())
    assert not is_sealed(seal("a\nb\n").replace("a", "c").encode())
    assert not is_sealed(b"")


def test_what_is_no_regular_file_is_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write(tmp_path / "pipe", "text")
    assert os.read(reader, 10) == b"text"
    os.close(reader)


def test_what_would_fail_is_told_beforehand(tmp_path: Path) -> None:
    with pytest.raises(UnwritableFile, match=r"the folder .*gone does not exist"):
        check_output(tmp_path / "gone" / "out", is_sealed, what="")
    with pytest.raises(UnwritableFile, match="it is a folder"):
        check_output(tmp_path, is_sealed, what="")
    with pytest.raises(UnwritableFile, match="File name too long"):
        check_output(tmp_path / ("x" * 300), is_sealed, what="")
    check_output(tmp_path / "out", is_sealed, what="")
    assert not list(tmp_path.iterdir())


# --- the commands -------------------------------------------------------------------------------


@pytest.mark.usefixtures("lean_path")
def test_nuitka_config_replaces_its_own_files_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "rust.yml"
    assert run(["nuitka-config", "rust.yml", "-q"]) == 0
    assert run(["nuitka-config", "rust.yml", "-q"]) == 0
    edited = config.read_text().replace("---", "---\n# mine")
    config.write_text(edited)
    assert run(["nuitka-config", "rust.yml", "-q"]) == 2
    assert config.read_text() == edited
    assert "rust.yml exists and is not a configuration" in capfd.readouterr().err


@pytest.mark.usefixtures("lean_path")
def test_hooks_leaves_edited_ones_alone(
    tmp_path: Path, elf_module: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    write_files(tmp_path, {"p/__init__.py": "", "p/demo.so": elf_module, "q/__init__.py": "",
                           "q/demo.so": elf_module,
                           "pyproject.toml": '[tool.rustext]\nscope = "native"'})  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert run(["hooks", "h", "-q"]) == 0
    first, second = sorted((tmp_path / "h").glob("hook-*.py"))
    assert (first.name, second.name) == ("hook-p.demo.py", "hook-q.demo.py")
    assert run(["hooks", "h", "-q"]) == 0
    edited = first.read_text() + "hiddenimports += ['wave']\n"
    first.write_text(edited)
    before = second.stat().st_mtime_ns
    assert run(["hooks", "h", "-q"]) == 2
    assert (first.read_text(), second.stat().st_mtime_ns) == (edited, before)
    assert "hook-p.demo.py exists and is not a hook of `rustext hooks`, or was edited" in (
        capfd.readouterr().err
    )
    (tmp_path / "p" / "demo.so").unlink()  # of what has gone, unedited hooks are removed
    (tmp_path / "q" / "demo.so").unlink()
    assert run(["hooks", "h", "-q"]) == 0
    assert [p.name for p in (tmp_path / "h").glob("hook-*.py")] == ["hook-p.demo.py"]
