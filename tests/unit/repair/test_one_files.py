"""What a one-file program holds is repaired as a folder, and the file stays as it is."""

from __future__ import annotations

import importlib.machinery
import json
from pathlib import Path

import pytest
from archives import archive, pyz
from compiling import Compile
from onefiles import payload

from rustext.cli.main import run
from rustext.verify.onefile.open_bundle import open_bundle

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]
MAIN = "int main(void) { return 0; }"
OWN = "int own(void) { return 0; }"
USER = "int own(void); int x(void) { return own(); }"
PYTHON = "int Py_Initialize, PyImport_ImportModule, PyObject_GetAttr, Py_GetVersion;"


@pytest.fixture
def parts(gcc: Compile) -> dict[str, bytes]:
    """A program, a library, an extension module that needs the library, and a Python."""
    own = gcc("libown.so.1", OWN, "-shared", "-fPIC", "-Wl,-soname,libown.so.1")
    user = gcc("user.so", USER, "-shared", "-fPIC", str(own), "-Wl,-rpath,$ORIGIN/..")
    python = gcc("libpython3.11.so", PYTHON, "-shared", "-fPIC")
    return {p.name: p.read_bytes() for p in (own, user, gcc("app", MAIN), python)}


@pytest.mark.parametrize("name", ["libown.so.1", "libother.so"], ids=["healthy", "broken"])
def test_what_pyinstaller_has_packed(name: str, tmp_path: Path, parts: dict[str, bytes]) -> None:
    """Its programs name the folder `_internal`, which an unpacked one does not have."""
    entries = [
        (b"o", "pyi-contents-directory _internal", b""),
        (b"z", "PYZ.pyz", pyz([("frozen.mod", (0, 0, 0))])),
        (b"b", "libpython3.11.so", parts["libpython3.11.so"]),
        (b"b", f"pkg/user{SUFFIX}", parts["user.so"]),
        (b"b", name, parts["libown.so.1"]),
    ]
    (tmp_path / "app").write_bytes(parts["app"] + archive(entries))
    (tmp_path / "app").chmod(0o755)
    before = (tmp_path / "app").read_bytes()
    new = tmp_path / "new"
    assert run(["repair", str(tmp_path / "app"), "-o", str(new), "-qq"]) == 0
    assert (tmp_path / "app").read_bytes() == before
    assert (new / "libown.so.1").read_bytes() == parts["libown.so.1"]
    assert (new / "libown.so.1").is_symlink() is (name != "libown.so.1")
    with open_bundle(new) as bundle:  # a program that finds its files next to it
        assert (bundle.origin, bundle.contents) == (None, new)
        assert [p.path for p in bundle.programs] == [new / "app"]
        assert "frozen.mod" in bundle.modules
    assert run(["verify", str(new), "-qq", "--run"]) == 0


def test_a_program_that_needs_a_second_one_does_not_stay(
    tmp_path: Path, parts: dict[str, bytes]
) -> None:
    entries = [
        (b"d", "other:libz.so", b""),
        (b"b", "libpython3.11.so", parts["libpython3.11.so"]),
    ]
    (tmp_path / "app").write_bytes(parts["app"] + archive(entries))
    (tmp_path / "app").chmod(0o755)
    new = tmp_path / "new"
    assert run(["repair", str(tmp_path / "app"), "-o", str(new), "-qq"]) == 1  # it is not there
    (tmp_path / "other").write_bytes(parts["app"])
    new = tmp_path / "next"
    assert run(["repair", str(tmp_path / "app"), "-o", str(new), "-qq"]) == 0
    assert [p.name for p in new.iterdir()] == ["libpython3.11.so"]


def test_a_member_with_the_name_of_the_file_is_kept(
    tmp_path: Path, parts: dict[str, bytes]
) -> None:
    files = [("app", parts["app"]), ("libown.so.1", parts["libown.so.1"])]
    (tmp_path / "app").write_bytes(parts["app"] + payload(files))
    (tmp_path / "app").chmod(0o755)
    new = tmp_path / "new"
    assert run(["repair", str(tmp_path / "app"), "-o", str(new), "-qq"]) == 0
    assert sorted(p.name for p in new.iterdir()) == ["app", "libown.so.1"]
    assert (new / "app").read_bytes() == parts["app"]


def test_a_run_is_one_of_the_folder(
    tmp_path: Path, parts: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    files = [("app.bin", parts["app"]), ("libown.so.1", parts["libown.so.1"])]
    (tmp_path / "app").write_bytes(parts["app"] + payload(files))
    (tmp_path / "app").chmod(0o755)
    new = tmp_path / "new"
    command = ["repair", str(tmp_path / "app"), "-o", str(new), "--json", "--run"]
    code, report = run(command), json.loads(capsys.readouterr().out)
    assert code == 0, report["after"]["findings"]
    assert report["after"]["run"]["code"] == 0
    assert str(new) in report["advice"]
