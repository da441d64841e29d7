"""Modules that others hide, in folders as PyInstaller makes them; Python is asked each time."""

from __future__ import annotations

import marshal
import sys
import sysconfig
import zipfile
from importlib.machinery import PathFinder
from pathlib import Path

import pytest
from archives import archive, pyz
from compiling import Compile
from environments import write_files

from rustext.environment.environment import stdlib_environment
from rustext.model.findings import Finding, Severity
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.verify import read_subject, verify

SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
LIBRARY = "base_library.zip"
EXTENSIONS = f"python{VERSION}/lib-dynload"
MODULE = "int PyInit_{0}(void) {{ return 0; }}"


@pytest.fixture
def root(tmp_path: Path, gcc: Compile) -> Path:
    """A program that imports `_ssl` when it starts, and `demo` never."""
    folder = tmp_path / "app"
    write_files(folder, {"app": gcc("app", "int main(void) { return 0; }")})
    script = marshal.dumps(compile("import _ssl", "app.py", "exec"))
    entries = [
        (b"s", "app", script),
        (b"z", "PYZ.pyz", pyz({"pure": (0, 0, 0)})),
        (b"o", "pyi-contents-directory _internal", b""),
    ]
    python = sys.version_info[0] * 100 + sys.version_info[1]
    (folder / "app").write_bytes((folder / "app").read_bytes() + archive(entries, python=python))
    (folder / "app").chmod(0o755)
    with zipfile.ZipFile(folder / LIBRARY, "w"):
        pass
    (folder / "_internal").mkdir()
    (folder / LIBRARY).rename(folder / "_internal" / LIBRARY)
    return folder


def put(root: Path, gcc: Compile, *files: str) -> None:
    contents = root / "_internal"
    for file in files:
        if file.startswith(LIBRARY):
            with zipfile.ZipFile(contents / LIBRARY, "a") as library:
                library.writestr(file.removeprefix(f"{LIBRARY}/"), "other = 1")
        elif file.endswith(".py"):
            write_files(contents, {file: "other = 1"})
        else:
            name = Path(file).name.partition(".")[0]
            module = gcc(f"{name}.so", MODULE.format(name), "-shared", "-fPIC")
            write_files(contents, {file: module})


def hidden(root: Path) -> list[Finding]:
    report = verify(read_subject(read_bundle(root), stdlib=stdlib_environment()))
    return [f for f in report.findings if "is hidden from Python" in f.message]


def taken(root: Path, name: str) -> str:
    """The file that Python takes, by the path that PyInstaller's bootloader gives it."""
    contents = root / "_internal"
    path = [str(contents / LIBRARY), str(contents / EXTENSIONS), str(contents)]
    sys.path_importer_cache.clear()
    found = PathFinder.find_spec(name, path)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).relative_to(contents).as_posix()


@pytest.mark.parametrize(
    ("extension", "other", "hides"),
    [
        (f"{EXTENSIONS}/_ssl{SUFFIX}", f"{LIBRARY}/_ssl.py", True),
        (f"{EXTENSIONS}/_ssl{SUFFIX}", f"{EXTENSIONS}/_ssl/__init__.py", True),
        (f"{EXTENSIONS}/_ssl{SUFFIX}", f"{EXTENSIONS}/_ssl.py", False),
        (f"{EXTENSIONS}/_ssl{SUFFIX}", "_ssl.py", False),
        (f"{EXTENSIONS}/_ssl{SUFFIX}", "_ssl/__init__.py", False),
        (f"_ssl{SUFFIX}", f"{EXTENSIONS}/_ssl.py", True),
        (f"_ssl{SUFFIX}", f"{LIBRARY}/_ssl/__init__.py", True),
        ("_ssl.so", "_ssl.py", False),
    ],
)
def test_what_python_finds_first_hides_an_extension(
    root: Path, gcc: Compile, extension: str, other: str, hides: bool
) -> None:
    put(root, gcc, extension, other)
    assert taken(root, "_ssl") == (other if hides else extension)
    found = [(f.id, f.severity, f.subject) for f in hidden(root)]
    assert found == (
        [("missing-import", Severity.ERROR, f"app/_internal/{other}")] if hides else []
    )


def test_a_module_that_the_start_does_not_get_to_is_a_warning(root: Path, gcc: Compile) -> None:
    put(root, gcc, f"{EXTENSIONS}/_ssl{SUFFIX}", f"demo{SUFFIX}", f"{EXTENSIONS}/demo.py")
    (finding,) = hidden(root)
    assert finding.severity is Severity.WARNING
    assert ("hides", f"app/_internal/demo{SUFFIX}") in finding.evidence


def test_modules_of_the_archive_are_hidden_too(root: Path, gcc: Compile) -> None:
    put(root, gcc, f"{EXTENSIONS}/_ssl{SUFFIX}", f"{EXTENSIONS}/pure.py")
    (finding,) = hidden(root)
    assert ("hides", "the program's archive") in finding.evidence


def test_extensions_for_another_python_hide_nothing_and_are_not_hidden(
    root: Path, gcc: Compile
) -> None:
    other = "_sha9.cpython-36m-x86_64-linux-gnu.so"
    put(root, gcc, f"{EXTENSIONS}/_ssl{SUFFIX}", other, f"{EXTENSIONS}/_sha9/__init__.py")
    assert hidden(root) == []


def test_a_folder_that_is_no_package_hides_nothing(root: Path, gcc: Compile) -> None:
    extension = f"{EXTENSIONS}/_ssl{SUFFIX}"
    put(root, gcc, extension, f"{EXTENSIONS}/_ssl/other.py")
    assert taken(root, "_ssl") == extension
    assert hidden(root) == []
