"""Bundles of any kind by their path: one-file programs, folders, and what is none of them."""

from __future__ import annotations

import importlib.machinery
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from archives import archive, pyz
from compiling import Compile
from environments import write_files
from onefiles import payload

from rustext.cli.main import run
from rustext.environment.environment import stdlib_environment
from rustext.errors import InvalidBundle
from rustext.model.verification import VerifyReport
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.bundle.program import Freezer
from rustext.verify.onefile.open_bundle import open_bundle
from rustext.verify.verify import read_subject, verify

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]
MAIN = "int main(void) { return 0; }"
OWN = "int own(void) { return 0; }"
USER = "int own(void); int x(void) { return own(); }"

Make = Callable[..., Path]


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, which has to be empty afterwards."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def parts(gcc: Compile) -> dict[str, bytes]:
    """A program, a library, and an extension module that needs the library."""
    own = gcc("libown.so.1", OWN, "-shared", "-fPIC", "-Wl,-soname,libown.so.1")
    user = gcc("user.so", USER, "-shared", "-fPIC", str(own), "-Wl,-rpath,$ORIGIN/..")
    program = gcc("app", MAIN)
    names = "int Py_Initialize, PyImport_ImportModule, PyObject_GetAttr, Py_GetVersion;"
    python = gcc("libpython3.11.so", names, "-shared", "-fPIC")
    return {p.name: p.read_bytes() for p in (own, user, program, python)}


@pytest.fixture
def pyinstaller(tmp_path: Path, parts: dict[str, bytes]) -> Make:
    """`pyinstaller((type, name, content), …)`: a one-file program with these members."""

    def make(*members: tuple[bytes, str, bytes]) -> Path:
        path = tmp_path / "app"
        own = (b"z", "PYZ.pyz", pyz([("frozen.mod", (0, 0, 0))]))
        python = (b"b", "libpython3.11.so", parts["libpython3.11.so"])
        entries = [own, python, *members]
        path.write_bytes(parts["app"] + archive(entries))
        path.chmod(0o755)
        return path

    return make


def judged(path: Path) -> VerifyReport:
    with open_bundle(path) as bundle:
        return verify(read_subject(bundle, stdlib=stdlib_environment()))


def test_a_one_file_program_of_pyinstaller_is_read_like_a_folder(
    pyinstaller: Make, parts: dict[str, bytes], temporary: Path
) -> None:
    path = pyinstaller(
        (b"b", f"pkg/user{SUFFIX}", parts["user.so"]), (b"b", "libown.so.1", parts["libown.so.1"]),
        (b"x", "pkg/data.txt", b"data"), (b"n", "libother.so.1", b"libown.so.1"),
    )  # fmt: skip
    with open_bundle(path) as bundle:
        assert bundle.freezer is Freezer.PYINSTALLER
        assert (bundle.path, bundle.start, bundle.origin) == (path, path, path)
        assert bundle.program is not None
        assert bundle.program.path == bundle.root / "app"
        assert "frozen.mod" in bundle.modules
        assert (bundle.contents / "pkg/data.txt").read_bytes() == b"data"
        assert {p.name for p, _ in bundle.files} == {
            "app", f"user{SUFFIX}", "libown.so.1", "libother.so.1", "libpython3.11.so"
        }  # fmt: skip
        report = verify(read_subject(bundle, stdlib=stdlib_environment()))
    assert report.ok
    assert report.bundle == path
    assert list(temporary.iterdir()) == []


def test_findings_name_members_as_if_the_file_were_their_folder(
    pyinstaller: Make, parts: dict[str, bytes], temporary: Path
) -> None:
    path = pyinstaller((b"b", f"pkg/user{SUFFIX}", parts["user.so"]))
    report = judged(path)
    (finding,) = [f for f in report.findings if f.id == "missing-library"]
    assert ("needed by", f"app/pkg/user{SUFFIX}") in finding.evidence
    assert ("searched", "app/libown.so.1 (LD_LIBRARY_PATH)") in finding.evidence
    assert str(temporary) not in repr(report)


def test_compressed_members_are_unpacked(tmp_path: Path, parts: dict[str, bytes]) -> None:
    packed = zlib.compress(parts["libown.so.1"])
    content = archive([(b"b", "libown.so.1", packed)])
    at = content.rindex(b"libown.so.1\0") - 18
    full = len(parts["libown.so.1"]).to_bytes(4, "big")
    content = content[: at + 12] + full + b"\1" + content[at + 17 :]
    (tmp_path / "app").write_bytes(parts["app"] + content)
    with open_bundle(tmp_path / "app") as bundle:
        assert (bundle.root / "libown.so.1").read_bytes() == parts["libown.so.1"]


@pytest.mark.parametrize("compressed", [False, True])
def test_a_one_file_program_of_nuitka_is_read_like_a_folder(
    compressed: bool, tmp_path: Path, parts: dict[str, bytes], temporary: Path
) -> None:
    files = [("app.bin", parts["app"]), ("pkg/user.so", parts["user.so"])]
    path = tmp_path / "app"
    path.write_bytes(parts["app"] + payload(files, compressed=compressed))
    report = judged(path)
    (finding,) = [f for f in report.findings if f.id == "missing-library"]
    assert ("needed by", "app/pkg/user.so") in finding.evidence
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"text", b"\x7fELF cut"])
def test_a_payload_that_starts_nothing_is_refused(
    content: bytes, tmp_path: Path, parts: dict[str, bytes]
) -> None:
    path = tmp_path / "app"
    path.write_bytes(parts["app"] + payload([("app.bin", content), ("x.so", parts["user.so"])]))
    with pytest.raises(InvalidBundle, match="which is no program"), open_bundle(path):
        pass


def test_nothing_stays_of_a_layout_that_was_refused(
    tmp_path: Path, parts: dict[str, bytes], temporary: Path
) -> None:
    """What has checksums is first read as if it had none, and goes wrong behind the first file."""
    files = [("app.bin", parts["app"]), ("pkg/user.so", parts["user.so"])]
    path = tmp_path / "app"
    path.write_bytes(parts["app"] + payload(files, compressed=True, checksums=True))
    with open_bundle(path) as bundle:
        assert (bundle.root / "app.bin").read_bytes() == parts["app"]
        assert [p.name for p in temporary.rglob("app.bin")] == ["app.bin"]


def test_a_backslash_is_no_separator_where_the_program_is_not_for_windows(
    tmp_path: Path, parts: dict[str, bytes], temporary: Path
) -> None:
    for folder in (tmp_path, temporary):
        (folder / "out").write_bytes(parts["app"])
    up = "..\\" * 3 + "out"
    path = tmp_path / "app"
    path.write_bytes(parts["app"] + payload([(up, b"text"), ("x.so", parts["user.so"])]))
    assert (temporary / "any/app" / up.replace("\\", "/")).resolve() == tmp_path / "out"
    with pytest.raises(InvalidBundle, match="which is no program"), open_bundle(path):
        pass


@pytest.mark.parametrize(
    ("kind", "name", "content"),
    [
        (b"b", "../evil", b"x"), (b"b", "/evil", b"x"), (b"x", "a/../../evil", b"x"),
        (b"n", "evil", b"/etc"), (b"n", "evil", b".."), (b"n", "evil", b"x" * 4096),
    ],
)  # fmt: skip
def test_a_member_that_leads_out_is_refused_in_one_line(
    kind: bytes, name: str, content: bytes, pyinstaller: Make, tmp_path: Path, temporary: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    path = pyinstaller((kind, name, content))
    before = sorted(tmp_path.rglob("*"))
    assert run(["verify", str(path)]) == 2
    error = capfd.readouterr().err
    assert error.count("\n") == 1
    assert len(error) < 400
    assert "which leads out of it" in error
    assert sorted(tmp_path.rglob("*")) == before


def test_every_cut_of_a_one_file_program_is_refused_or_read(
    pyinstaller: Make, parts: dict[str, bytes], temporary: Path
) -> None:
    path = pyinstaller((b"b", "libown.so.1", parts["libown.so.1"]))
    whole = path.read_bytes()
    for end in range(0, len(whole), len(whole) // 40):
        path.write_bytes(whole[:end])
        with pytest.raises(InvalidBundle), open_bundle(path):
            pass
    assert list(temporary.iterdir()) == []


def test_the_program_of_a_folder_names_its_folder(tmp_path: Path, parts: dict[str, bytes]) -> None:
    path = tmp_path / "app"
    path.write_bytes(parts["app"] + archive([(b"z", "PYZ.pyz", pyz([]))]))
    with (
        pytest.raises(InvalidBundle, match="the program of a bundle") as refused,
        open_bundle(path),
    ):
        pass
    assert refused.value.hint == f"name the folder: {tmp_path}"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("libown.so.1", "is a library"),
        ("app", "carries no archive of a freezer"),
        ("text", "no program"),
    ],
)
def test_a_file_that_is_no_bundle_says_what_it_is(
    name: str, said: str, tmp_path: Path, parts: dict[str, bytes]
) -> None:
    (tmp_path / name).write_bytes({**parts, "text": b"#!/bin/sh\n"}[name])
    with pytest.raises(InvalidBundle, match=said), open_bundle(tmp_path / name):
        pass


def test_a_suffix_cannot_be_mended_in_one_file(
    pyinstaller: Make, parts: dict[str, bytes], capfd: pytest.CaptureFixture[str]
) -> None:
    path = pyinstaller((b"b", "libown.so.1", parts["libown.so.1"]))
    assert run(["verify", str(path), "--fix-suffix"]) == 2
    assert "is one file" in capfd.readouterr().err


# --- folders ----------------------------------------------------------------------------------


def test_a_folder_without_a_program_is_judged_as_far_as_it_goes(
    tmp_path: Path, parts: dict[str, bytes]
) -> None:
    root = tmp_path / "lib/python3.11/site-packages"
    write_files(root, {"pkg/__init__.py": "", "pkg/user.so": parts["user.so"]})
    with open_bundle(tmp_path / "lib") as bundle:
        assert bundle.program is None
        assert "pkg" in bundle.modules
        report = verify(read_subject(bundle, stdlib=stdlib_environment()))
    assert report.platform == f"linux-{os.uname().machine}"
    assert [f.subject for f in report.findings if f.id == "missing-library"] == ["libown.so.1"]


def test_a_folder_of_packages_need_not_hold_the_standard_library(
    tmp_path: Path, gcc: Compile
) -> None:
    names = 'const char *a = "collections.abc", *b = "PyImport_Import", *c = "/rustc/'
    source = f'{names}{"0" * 40}/library/core.rs";'
    write_files(tmp_path, {"pkg/core.so": gcc("core.so", source, "-shared", "-fPIC")})
    assert read_bundle(tmp_path).files[0][1].provenance.rust
    assert [f for f in judged(tmp_path).findings if f.id == "missing-import"] == []


def test_run_without_a_program_is_refused(
    tmp_path: Path, parts: dict[str, bytes], capfd: pytest.CaptureFixture[str]
) -> None:
    write_files(tmp_path, {"pkg/libown.so.1": parts["libown.so.1"]})
    assert run(["verify", str(tmp_path), "--run"]) == 2
    assert "holds no program" in capfd.readouterr().err


def test_a_folder_of_cx_freeze_has_its_modules_in_lib(
    tmp_path: Path, parts: dict[str, bytes]
) -> None:
    root = tmp_path / "exe.linux"
    write_files(
        root, {"app": parts["app"], "lib/pkg/mod.pyc": "", "lib/libown.so.1": parts["libown.so.1"]}
    )
    shutil.make_archive(
        str(tmp_path / "library"),
        "zip",
        write_files(tmp_path / "z", {"codecs.pyc": ""}) or tmp_path / "z",
    )
    shutil.move(tmp_path / "library.zip", root / "lib/library.zip")
    bundle = read_bundle(root)
    assert (bundle.freezer, bundle.contents) == (Freezer.CX_FREEZE, root / "lib")
    assert {"pkg.mod", "codecs"} <= bundle.modules


def test_a_program_that_has_lost_its_archive_is_damaged(
    tmp_path: Path, parts: dict[str, bytes]
) -> None:
    root = tmp_path / "app"
    write_files(root, {"app": parts["app"], "_internal/base_library.zip": b"PK\5\6" + bytes(18)})
    (root / "app").chmod(0o755)
    report = judged(root)
    (finding,) = report.findings
    assert (finding.id, finding.subject, report.freezer) == (
        "unreadable-file", "app/app", "pyinstaller"
    )  # fmt: skip
    assert json.dumps(finding.evidence).count("ends without the archive") == 1
