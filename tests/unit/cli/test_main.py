"""Bad input gets one clear line and exit code 2; what was asked for goes to stdout."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from compiling import Compile
from environments import write_files

from rustext import __version__
from rustext.cli.main import run

pytestmark = pytest.mark.usefixtures("lean_path")

Make = Callable[[Path], Path]

# Each makes a path that no command can answer for.


def missing(folder: Path) -> Path:
    return folder / "missing"


def text_file(folder: Path) -> Path:
    write_files(folder, {"text.so": "hello\n"})
    return folder / "text.so"


def empty_file(folder: Path) -> Path:
    write_files(folder, {"empty.so": b""})
    return folder / "empty.so"


def truncated_elf(folder: Path) -> Path:
    write_files(folder, {"cut.so": Path(sys.executable).resolve().read_bytes()[:200]})
    return folder / "cut.so"


def fifo(folder: Path) -> Path:
    os.mkfifo(folder / "fifo")
    return folder / "fifo"


def fifo_wheel(folder: Path) -> Path:
    os.mkfifo(folder / "fifo-1-py3-none-any.whl")
    return folder / "fifo-1-py3-none-any.whl"


def dangling_link(folder: Path) -> Path:
    (folder / "link").symlink_to("nowhere")
    return folder / "link"


def link_to_itself(folder: Path) -> Path:
    (folder / "loop").symlink_to("loop")
    return folder / "loop"


def below_a_file(folder: Path) -> Path:
    return text_file(folder) / "inner"


def name_too_long(folder: Path) -> Path:
    return folder / ("x" * 300)


def misnamed_wheel(folder: Path) -> Path:
    write_files(folder, {"my wheel.whl": "no"})
    return folder / "my wheel.whl"


def wheel_that_is_no_zip(folder: Path) -> Path:
    write_files(folder, {"text-1-py3-none-any.whl": "hello " * 50})
    return folder / "text-1-py3-none-any.whl"


def empty_wheel_file(folder: Path) -> Path:
    write_files(folder, {"empty-1-py3-none-any.whl": b""})
    return folder / "empty-1-py3-none-any.whl"


def name_with_a_newline(folder: Path) -> Path:
    return folder / "two\nlines"


FILES: list[Make] = [
    missing, text_file, empty_file, truncated_elf, fifo, dangling_link, link_to_itself,
    below_a_file, name_too_long, name_with_a_newline,
]  # fmt: skip
WHEELS: list[Make] = [misnamed_wheel, wheel_that_is_no_zip, empty_wheel_file, fifo_wheel]


def assert_refused(code: int, out: str, err: str) -> None:
    """One line `error: …`, and perhaps one `hint: …`; nothing else, anywhere."""
    assert re.fullmatch(r"error: [^\n]+\n(hint: [^\n]+\n)?", err), err
    assert out == ""
    assert code == 2


@pytest.fixture
def refused(capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """`refused(*args)`: run a command that has to be refused, and return what it says."""

    def refuse(*args: str | Path) -> str:
        code = run([str(a) for a in args])
        out, err = capfd.readouterr()
        assert_refused(code, out, err)
        return err

    return refuse


@pytest.mark.timeout(20)
@pytest.mark.parametrize("options", [(), ("--json",), ("-q",), ("--all",)])
@pytest.mark.parametrize("make", [*FILES, *WHEELS])
def test_scan_refuses(
    make: Make, options: tuple[str, ...], tmp_path: Path, refused: Callable[..., str]
) -> None:
    refused("scan", *options, make(tmp_path))


@pytest.mark.timeout(20)
@pytest.mark.parametrize("options", [(), ("--json",)])
@pytest.mark.parametrize("make", [*FILES, *WHEELS, Path])
def test_inspect_refuses(
    make: Make, options: tuple[str, ...], tmp_path: Path, refused: Callable[..., str]
) -> None:
    refused("inspect", *options, make(tmp_path))


@pytest.mark.timeout(20)
@pytest.mark.parametrize("options", [(), ("--json",), ("--run",)])
@pytest.mark.parametrize("make", [*FILES, *WHEELS, Path])
def test_verify_refuses(
    make: Make, options: tuple[str, ...], tmp_path: Path, refused: Callable[..., str]
) -> None:
    refused("verify", *options, make(tmp_path))


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "make", [m for m in (*FILES, *WHEELS) if m not in {missing, name_with_a_newline}]
)
def test_hooks_refuses(make: Make, tmp_path: Path, refused: Callable[..., str]) -> None:
    refused("hooks", make(tmp_path))


@pytest.mark.timeout(20)
@pytest.mark.parametrize("make", [*FILES, Path])
def test_an_interpreter_that_is_none_is_refused(
    make: Make, tmp_path: Path, refused: Callable[..., str]
) -> None:
    path = make(tmp_path)
    assert "interpreter" in refused("scan", "--python", path)
    assert "interpreter" in refused("inspect", "--python", path, "json")


def test_a_program_that_is_no_interpreter_is_refused(
    tmp_path: Path, gcc: Compile, refused: Callable[..., str]
) -> None:
    silent = gcc("silent", "int main(void) { return 0; }")
    assert "hint: name an interpreter" in refused("scan", "--python", silent)
    crash = gcc("crash", "int main(void) { __builtin_trap(); }")
    assert "interpreter" in refused("scan", "--python", crash)


@pytest.mark.parametrize("member", ["../out.so", "/abs.so", "a/../../out.so", "C:/x.so", "..\\x"])
def test_a_wheel_whose_members_lead_out_of_it_is_refused(
    member: str, tmp_path: Path, refused: Callable[..., str]
) -> None:
    wheel = tmp_path / "evil-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(member, b"\x7fELF")
    assert "leads out of it" in refused("scan", wheel)
    assert "leads out of it" in refused("inspect", wheel)
    assert [p.name for p in tmp_path.iterdir()] == [wheel.name]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("no-such-distribution", "`no-such-distribution` is not installed"),
        ("json", "`json` holds no native file"),
        ("packaging", "`packaging` holds no native file"),
        ("sys", "`sys` holds no native file"),
        ("", ". is a folder"),
        ("a..b", "`a..b` is not installed"),
        ("[red]x[/red]", "`[red]x[/red]` does not exist"),
    ],
)
def test_inspect_says_why_a_name_means_nothing(
    target: str, said: str, refused: Callable[..., str]
) -> None:
    assert said.replace("`", "") in refused("inspect", target).replace("`", "")


@pytest.mark.parametrize(
    "text", ["[tool.rustext\n", "tool = 3", "[tool]\nrustext = 1", "[tool.rustext]\nincluded = []"]
)
def test_a_bad_configuration_is_refused_by_each_command_that_reads_it(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Callable[..., str]
) -> None:
    write_files(tmp_path, {"pyproject.toml": text})
    monkeypatch.chdir(tmp_path)
    assert "pyproject.toml" in refused("inspect", "json")
    assert "pyproject.toml" in refused("verify", ".")
    assert "pyproject.toml" in refused("hooks", "hooks")


@pytest.mark.parametrize("make", [missing, text_file, truncated_elf, name_too_long, fifo_wheel])
def test_a_process_of_its_own_refuses_in_the_same_words(
    make: Make, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = str(make(tmp_path))
    done = subprocess.run(
        [sys.executable, "-m", "rustext", "scan", path],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert_refused(done.returncode, done.stdout, done.stderr)
    run(["scan", path])
    assert capfd.readouterr().err == done.stderr


@pytest.mark.parametrize(
    "args",
    [("nonsense",), ("scan", "--nonsense"), ("verify",), ("verify", ".", "--timeout", "x")],
)
def test_a_command_line_that_means_nothing_ends_with_2(
    args: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(args)
    assert stopped.value.code == 2
    assert "error: " in capfd.readouterr().err


def test_version_is_the_packages(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(["--version"])
    assert stopped.value.code == 0
    assert capfd.readouterr().out == f"rustext {__version__}\n"


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path, elf_module: Path) -> None:
    """`rustext scan --all | head -1`, with more rows than a pipe holds."""
    write_files(tmp_path, {f"{'long' * 20}{i}.so": elf_module for i in range(900)})
    done = subprocess.run(
        f"{sys.executable} -m rustext scan --all {tmp_path} | head -1; echo ${{PIPESTATUS[0]}}",
        shell=True, executable="/bin/bash", capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "0"


@pytest.mark.parametrize("command", ["scan", "inspect"])
def test_names_that_are_no_text_are_written_all_the_same(
    command: str, tmp_path: Path, elf_module: Path
) -> None:
    """A file name that is not UTF-8, on a stdout that knows ASCII alone."""
    path = os.fsencode(tmp_path) + b"/caf\xe9\xff \xc3\xbc.so"
    Path(os.fsdecode(path)).write_bytes(elf_module.read_bytes())
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    for options in (["--json"], []):
        more = ["--all"] if command == "scan" else []
        done = subprocess.run(
            [sys.executable, "-m", "rustext", command, *more, *options, path],
            capture_output=True, env=env, timeout=60, check=False,
        )  # fmt: skip
        assert done.stderr == b""
        assert done.returncode == 0
        if options:
            document = json.loads(done.stdout)
            found = document["extensions"][0] if command == "scan" else document["extension"]
            assert found["file"] == Path(os.fsdecode(path)).name


def test_json_and_progress_do_not_mix(tmp_path: Path, elf_module: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rustext", "scan", "--all", elf_module],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert "native file" in done.stdout


def test_plugin_path_is_a_file_in_both_forms(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["plugin-path"]) == 0
    text = capfd.readouterr().out
    assert run(["plugin-path", "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == {"plugin": text.rstrip("\n")}
    assert Path(text.rstrip("\n")).is_file()
