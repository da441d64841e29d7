"""Commands that succeed: what they answer, for targets of each kind."""

from __future__ import annotations

import json
import subprocess
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest
from compiling import compiler
from environments import Files, install, write_files

from rustext.cli.main import run
from rustext.environment import interpreter_facts

pytestmark = pytest.mark.usefixtures("lean_path")

SUFFIX = str(sysconfig.get_config_var("EXT_SUFFIX"))


@pytest.fixture
def site(tmp_path: Path, elf_module: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The site-packages of a virtual environment, with a distribution of two native files."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    venv.EnvBuilder(symlinks=True).create(tmp_path / "venv")
    (site,) = (tmp_path / "venv").glob("lib/python3.*/site-packages")
    files: Files = {"pkg/__init__.py": "", f"pkg/demo{SUFFIX}": elf_module,
                    "pkg/libx.so.1": elf_module}  # fmt: skip
    install(site, "My-Pkg", "1.2", files=files)
    write_files(site, {f"flat/demo{SUFFIX}": elf_module})
    return site


@pytest.fixture(scope="module")
def rust_module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = '#[no_mangle] pub extern "C" fn PyInit_core(a: i32) -> String { a.to_string() }'
    command = ["rustc", "--edition=2021", "--crate-type=cdylib", "-Awarnings"]
    return compiler(command, tmp_path_factory.mktemp("rustc"))("libcore.so", source)


def interpreter(site: Path) -> tuple[str, Path]:
    return "--python", site.parents[2] / "bin" / "python"


def answer(capfd: pytest.CaptureFixture[str], *args: str | Path) -> dict[str, Any]:
    assert run([*map(str, args), "--json"]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    document: dict[str, Any] = json.loads(out)
    return document


def test_scan_of_the_environment_is_that_of_its_folders(
    site: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    own = answer(capfd, "scan", "--all", *interpreter(site))
    assert [(r["file"], r["module"], r["distribution"]) for r in own["extensions"]] == [
        (f"flat/demo{SUFFIX}", "flat.demo", None),
        (f"pkg/demo{SUFFIX}", "pkg.demo", "my-pkg"),
        ("pkg/libx.so.1", None, "my-pkg"),
    ]
    assert answer(capfd, "scan", "--all", site) == own


def test_scan_lists_what_is_not_rust_only_when_asked(
    site: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["scan", *map(str, interpreter(site))]) == 0
    assert "pkg" not in capfd.readouterr().out
    assert run(["scan", "--all", *map(str, interpreter(site))]) == 0
    out = capfd.readouterr().out
    assert "pkg/libx.so.1  (no Python imports it)" in out
    assert out.endswith("0 Rust of 3 native files\n")


def test_scan_of_a_folder_of_wheels_reads_each(
    tmp_path: Path, elf_module: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        with zipfile.ZipFile(tmp_path / f"{name}-1-py3-none-any.whl", "w") as archive:
            archive.write(elf_module, f"{name}/demo{SUFFIX}")
    write_files(tmp_path, {"loose.so": elf_module})  # a folder of wheels is only that
    rows = answer(capfd, "scan", "--all", tmp_path)["extensions"]
    assert [(r["distribution"], r["version"], r["module"]) for r in rows] == [
        ("a", "1", "a.demo"),
        ("b", "1", "b.demo"),
    ]


@pytest.mark.parametrize(
    ("target", "files"),
    [
        ("pkg.demo", [f"pkg/demo{SUFFIX}"]),
        ("my-pkg", [f"pkg/demo{SUFFIX}", "pkg/libx.so.1"]),
        ("My_Pkg", [f"pkg/demo{SUFFIX}", "pkg/libx.so.1"]),
        ("pkg", [f"pkg/demo{SUFFIX}", "pkg/libx.so.1"]),
        ("flat.demo", [f"flat/demo{SUFFIX}"]),
    ],
)
def test_inspect_takes_a_module_or_a_distribution(
    target: str, files: list[str], site: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    document = answer(capfd, "inspect", target, *interpreter(site))
    found = [document, *document.get("others", [])]
    assert [d["extension"]["file"] for d in found] == files
    assert run(["inspect", target, *map(str, interpreter(site))]) == 0
    assert len(capfd.readouterr().out.split("\nimplicit imports")) == len(files) + 1


def test_inspect_takes_a_file_or_a_wheel(
    site: Path, tmp_path: Path, elf_module: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    document = answer(capfd, "inspect", site / f"pkg/demo{SUFFIX}", *interpreter(site))
    assert document["extension"]["module"] == "pkg.demo"
    wheel = tmp_path / "w-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(elf_module, f"w/demo{SUFFIX}")
    document = answer(capfd, "inspect", wheel)
    assert (document["extension"]["module"], document["extension"]["distribution"]) == (
        "w.demo",
        "w",
    )


def test_hooks_are_counted_and_listed(
    site: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    rust_module: Path,
) -> None:
    install(site, "rusty", files={f"rusty/core{SUFFIX}": rust_module})
    facts = {**interpreter_facts.describe(), "path": [str(site)]}
    monkeypatch.setattr(interpreter_facts, "describe", lambda: facts)
    hook = tmp_path / "hooks" / "hook-rusty.core.py"
    assert answer(capfd, "hooks", tmp_path / "hooks") == {"hooks": [str(hook)]}
    assert hook.is_file()
    assert run(["hooks", str(tmp_path / "hooks")]) == 0
    assert capfd.readouterr().out == f"1 hooks in {tmp_path / 'hooks'}\n"


def test_scan_lists_rust_extensions_with_their_compiler(
    site: Path, capfd: pytest.CaptureFixture[str], rust_module: Path
) -> None:
    install(site, "rusty", files={f"rusty/core{SUFFIX}": rust_module})
    assert run(["scan", *map(str, interpreter(site))]) == 0
    out = capfd.readouterr().out
    version = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True)
    assert out.splitlines()[1].split()[:5] == [
        "rusty.core", "rusty", "1.0", "none", version.stdout.split()[1],
    ]  # fmt: skip
    assert out.splitlines()[-1].startswith("1 Rust of ")
