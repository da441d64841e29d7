"""What a program needs to start at all; that it does not start without, the kernel says."""

from __future__ import annotations

import platform
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from archives import archive, pyz
from compiling import Compile

from rustext.environment.environment import stdlib_environment
from rustext.model.findings import Finding
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.verify import read_subject, verify

MAIN = "int main(void) { return 0; }"


def findings(root: Path) -> list[Finding]:
    return list(verify(read_subject(read_bundle(root), stdlib=stdlib_environment())).findings)


def starts(root: Path) -> bool:
    try:
        return subprocess.run([root / "app"], check=False).returncode == 0
    except FileNotFoundError:  # what execve says of a loader that is not there
        return False


def test_a_loader_that_is_nowhere_is_missing(tmp_path: Path, gcc: Compile) -> None:
    shutil.copy(gcc("app", MAIN, "-Wl,--dynamic-linker=/lib64/ld-nowhere.so.2"), tmp_path)
    (finding,) = findings(tmp_path)
    assert (finding.id, finding.subject) == ("missing-library", "/lib64/ld-nowhere.so.2")
    assert not starts(tmp_path)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="names the loader of x86-64")
def test_a_loader_in_a_folder_of_its_own_is_the_hosts(tmp_path: Path, gcc: Compile) -> None:
    """As in programs built with a package manager that keeps a C library of its own."""
    loader = tmp_path / "store/lib/ld-linux-x86-64.so.2"
    loader.parent.mkdir(parents=True)
    loader.symlink_to("/lib64/ld-linux-x86-64.so.2")
    (tmp_path / "app").mkdir()
    shutil.copy(gcc("app", MAIN, f"-Wl,--dynamic-linker={loader}"), tmp_path / "app")
    (finding,) = findings(tmp_path / "app")
    assert (finding.id, finding.subject) == ("host-library", str(loader))
    assert starts(tmp_path / "app")


def test_the_systems_own_loader_is_expected(tmp_path: Path, gcc: Compile) -> None:
    shutil.copy(gcc("app", MAIN), tmp_path)
    assert findings(tmp_path) == []
    assert starts(tmp_path)


def test_a_program_without_the_python_that_its_archive_names_is_told(
    tmp_path: Path, gcc: Compile
) -> None:
    names = ("Py_DecRef", "PyImport_ImportModule", "PyInitConfig_Create", "PyConfig_Read")
    asked = ", ".join(f'"{name}"' for name in (*names, "Py_GIL_DISABLED"))
    shutil.copy(gcc("app", f"const char *asked[] = {{{asked}}}; {MAIN}"), tmp_path)
    with (tmp_path / "app").open("ab") as program:
        program.write(archive([(b"z", "PYZ.pyz", pyz([]))]))
    (finding,) = findings(tmp_path)
    assert (finding.id, finding.subject) == ("missing-library", "libpython3.11.so")
    shutil.copy(gcc("libpython3.11.so", "int x;", "-shared", "-fPIC"), tmp_path)
    (finding,) = findings(tmp_path)
    assert (finding.id, finding.subject.rpartition("/")[2]) == (
        "undefined-symbol",
        "libpython3.11.so",
    )
    for setup in (2, 3):  # one way to set Python up is enough
        source = "".join(f"void {name}(void) {{}}\n" for name in (*names[:2], names[setup]))
        shutil.copy(gcc("libpython3.11.so", source, "-shared", "-fPIC"), tmp_path)
        assert findings(tmp_path) == []


def test_a_bundle_whose_program_is_gone_does_not_start(tmp_path: Path, gcc: Compile) -> None:
    (tmp_path / "_internal").mkdir()
    with zipfile.ZipFile(tmp_path / "_internal/base_library.zip", "w") as library:
        library.writestr("encodings/__init__.pyc", bytes(20))
    shutil.copy(gcc("libown.so", "int x;", "-shared", "-fPIC"), tmp_path / "_internal")
    (tmp_path / "app").touch(mode=0o755)
    assert "unreadable-file" in {f.id for f in findings(tmp_path)}
    assert "unreadable-file" not in {f.id for f in findings(tmp_path / "_internal")}


def test_what_another_program_holds_has_to_be_beside_it(tmp_path: Path, gcc: Compile) -> None:
    """As PyInstaller's MERGE builds programs: the second takes files out of the first."""
    root = tmp_path / "app"
    root.mkdir()
    rows = [
        (b"d", "first:libown.so", b""),
        (b"d", "../folder/second:data/x", b""),
        (b"d", "y", b""),
    ]
    (root / "app").write_bytes(gcc("app", MAIN).read_bytes() + archive(rows))

    def lost() -> list[str]:
        found = (f for f in findings(root) if f.id == "unreadable-file")
        return sorted(dict(f.evidence)["looked for"] for f in found)

    assert lost() == sorted(map(str, [root / "first", root / "y", root / "../folder/second"]))
    (root / "first.pkg").write_bytes(b"archive")
    (tmp_path / "folder/data").mkdir(parents=True)
    (tmp_path / "folder/data/x").write_bytes(b"a file")
    assert lost() == [str(root / "y")]
