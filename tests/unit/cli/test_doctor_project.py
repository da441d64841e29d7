"""`rustext doctor` shows what a build in this folder starts with; mistakes: test_mistakes.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from compiling import Compile
from environments import environment, install, write_files

from rustext.cli import doctor_project
from rustext.cli.doctor_project import check_project
from rustext.model.findings import Severity
from rustext.tracing.trace_file import Importer, Language, Trace, format_trace

RUST = """
int PyInit_demo(void) { return 0; }
const char mark[] = "/rustc/0123456789012345678901234567890123456789/library/core/src/lib.rs";
"""
pytestmark = pytest.mark.usefixtures("lean_path")


def test_what_is_in_use_is_named(tmp_path: Path, elf_module: Path) -> None:
    seen = Importer(name="p.demo", language=Language.RUST, imports=("wave", "json"))
    project = tmp_path / "project"
    write_files(project, {
        "pyproject.toml": '[tool.rustext]\nscope = "native"\ntrace = "t.toml"',
        "t.toml": format_trace(Trace(importers=(seen,))),
        "src/p/__init__.py": "", "src/p/demo.so": elf_module,
    })  # fmt: skip
    checks = {check.name: check for check in check_project(project / "src", pyinstaller=False)}
    assert [check.severity for check in checks.values()] == [None] * 3
    assert checks["configuration"].message == str(project / "pyproject.toml")
    assert checks["trace"].message == "t.toml: 2 modules of 1 native file"
    assert checks["rust-extensions"].message == "1 Rust extension found here"


def test_without_a_configuration_the_defaults_are_in_use(tmp_path: Path) -> None:
    checks = {check.name: check for check in check_project(tmp_path, pyinstaller=False)}
    assert set(checks) == {"configuration", "rust-extensions"}
    assert checks["configuration"].message.startswith("the defaults: ")
    assert checks["rust-extensions"].message == "0 Rust extensions found here"


def test_a_source_that_a_build_cannot_read_is_named(
    tmp_path: Path, gcc: Compile, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    files = {"host/demo.so": gcc("demo.so", RUST, "-shared"), "host/part.py": ""}
    install(site, "host", files=files)
    (site / "host/part.py").unlink()
    os.mkfifo(site / "host/part.py")
    monkeypatch.setattr(doctor_project, "this_environment", lambda: environment(site))
    (warned,) = (c for c in check_project(tmp_path, pyinstaller=False) if c.severity is not None)
    assert warned.severity is Severity.WARNING
    assert f"cannot read `{site}/host/part.py`" in warned.message


def test_the_entry_point_is_called_as_a_build_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").touch()  # where a folder is wanted
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    (tmp_path / "path").mkdir()
    noise = "import atexit\natexit.register(print, 'bye')\n"
    (tmp_path / "path/sitecustomize.py").write_text(noise)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    *_, warned = check_project(tmp_path, pyinstaller=True)
    assert (warned.name, warned.severity) == ("pyinstaller-build", Severity.WARNING)
    assert "hooks go to a temporary folder" in warned.message
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / f"rustext-{os.getuid()}").touch()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "other"))
    *_, failed = check_project(tmp_path, pyinstaller=True)
    assert failed.severity is Severity.ERROR
    assert "there is no folder for hooks" in failed.message
    command = [sys.executable, "-c", "import rustext_hooks; print(rustext_hooks.get_hook_dirs())"]
    asked = subprocess.run(command, capture_output=True, text=True, check=True)
    assert asked.stderr.splitlines()[-1] in failed.message  # in PyInstaller's subprocess
