"""Which Python a bundle shows, and the standard library that it is judged by."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from archives import archive, pyz
from compiling import Compile
from environments import write_files

from rustext.cli.main import run
from rustext.data import read_data
from rustext.environment.environment import stdlib_environment
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.facts.python.bundled_python import find_bundled_python, python_of_library
from rustext.verify.target.stdlib import in_stdlib

PROGRAM = "int main(void) { return 0; }"
MODULE = "int PyInit__core(void) { return 0; }"
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
THIS = sys.version_info[:2]


@pytest.fixture
def root(tmp_path: Path, gcc: Compile) -> Path:
    folder = tmp_path / "app.dist"
    write_files(folder, {"app": gcc("app", PROGRAM)})
    return folder


def shown(root: Path) -> tuple[str, str] | None:
    python = find_bundled_python(read_bundle(root))
    return (python.name, python.source) if python is not None else None


def test_a_program_that_shows_nothing_has_no_python(root: Path) -> None:
    assert shown(root) is None


def test_the_suffixes_in_an_interpreter_say_which_it_is(root: Path) -> None:
    """The real one that runs this: its own file holds what it looks for."""
    library = Path(sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("LDLIBRARY"))
    shared = library.suffix != ".a"
    own = library.resolve() if shared else Path(sys.executable).resolve()
    write_files(root, {own.name if shared else "libpython.so": own})
    found = shown(root)
    assert found is not None
    assert found[0] == f"{THIS[0]}.{THIS[1]}"
    assert "suffixes in" in found[1]


def test_pyinstaller_s_archive_says_it(root: Path) -> None:
    table = pyz({"app": (0, 0, 0)})
    (root / "app").write_bytes(
        (root / "app").read_bytes() + archive([(b"z", "PYZ.pyz", table)], python=309)
    )
    found = shown(root)
    assert found == ("3.9", "PyInstaller's archive in app")


@pytest.mark.parametrize(
    ("name", "python"),
    [("libpython3.9.so.1.0", "3.9"), ("libpython3.14t.so.1.0", "3.14t"),
     ("libpypy3.10-c.so", "pypy3.10")],
)  # fmt: skip
def test_a_library_s_name_says_it(root: Path, gcc: Compile, name: str, python: str) -> None:
    write_files(root, {name: gcc(name, "int x;", "-shared")})
    assert shown(root) == (python, name)


@pytest.mark.parametrize(
    "name",
    [f"libpython3.{'9' * 5000}.so", f"Python.framework/Versions/3.{'9' * 5000}/Python",
     "libpython3.\u0661\u0661.so"],
)  # fmt: skip
def test_a_name_with_no_version_of_python_says_nothing(name: str) -> None:
    assert python_of_library(name, "a file") is None


def _library_of(gcc: Compile, minor: int) -> Path:
    name = f"libpython3.{minor}.so.1.0"
    source = f'char of[] = ".cpython-3{minor}-x86_64-linux-gnu.so";'
    return gcc(name, source, "-shared", f"-Wl,-soname,{name}")


def test_the_library_that_the_program_opens_says_it(root: Path, gcc: Compile) -> None:
    """A folder that two builds went to keeps the library of the other Python."""
    write_files(root, {f"libpython3.{m}.so": _library_of(gcc, m) for m in (10, 11, 12)})
    opened = archive([(b"z", "PYZ.pyz", pyz({"app": (0, 0, 0)}))], python=311)
    (root / "app").write_bytes((root / "app").read_bytes() + opened)
    assert shown(root) == ("3.11", "suffixes in app.dist/libpython3.11.so")


def test_the_library_that_the_program_needs_says_it(tmp_path: Path, gcc: Compile) -> None:
    libraries = {f"libpython3.{minor}.so.1.0": _library_of(gcc, minor) for minor in (10, 11, 12)}
    needed = str(libraries["libpython3.11.so.1.0"])
    app = gcc("needing", PROGRAM, "-Wl,--no-as-needed", needed)
    write_files(tmp_path / "app.dist", {"app": app, **libraries})
    found = shown(tmp_path / "app.dist")
    assert found == ("3.11", "suffixes in app.dist/libpython3.11.so.1.0")


def test_what_a_module_links_against_says_it(root: Path, gcc: Compile) -> None:
    name = "libpython3.10.so.1.0"
    library = gcc(name, "int x;", "-shared", f"-Wl,-soname,{name}")
    module = gcc("_core.so", MODULE, "-shared", "-fPIC", "-Wl,--no-as-needed", str(library))
    write_files(root, {"_core.so": module})
    assert shown(root) == ("3.10", f"_core.so, which needs {name}")


def test_else_most_modules_decide(root: Path, gcc: Compile) -> None:
    module = gcc("_core.so", MODULE, "-shared", "-fPIC")
    names = [f"{d}/_core.cpython-312-x86_64-linux-gnu.so" for d in "abc"]
    write_files(root, dict.fromkeys([*names, "d/_core.cpython-39-x86_64-linux-gnu.so"], module))
    found = shown(root)
    assert found is not None
    assert found[0] == "3.12"


# --- the standard library of another version --------------------------------------------------


def test_the_releases_before_this_one_are_what_this_one_has() -> None:
    """`sys.stdlib_module_names` is the second source for top-level names."""
    for row in read_data("stdlib")["release"]:
        version = tuple(map(int, row["version"].split(".")))
        top = [name for name in row["added"] if "." not in name]
        gone = [name for name in row["removed"] if "." not in name]
        assert all((name in sys.stdlib_module_names) == (version <= THIS) for name in top)
        assert not any(name in sys.stdlib_module_names for name in gone if version <= THIS)


@pytest.mark.parametrize(
    ("name", "minors"),
    [
        ("tomllib", {11, 12, 13, 14, 15}),
        ("zoneinfo", {9, 10, 11, 12, 13, 14, 15}),
        ("telnetlib", {8, 9, 10, 11, 12}),
        ("distutils", {8, 9, 10, 11}),
        ("compression.zstd", {14, 15}),
        ("json.decoder", {8, 9, 10, 11, 12, 13, 14, 15}),
        ("compression.never", set()),
        ("parser.never", set()),
        ("no_such_module", set()),
    ],
)
def test_a_module_is_there_in_the_versions_that_have_it(name: str, minors: set[int]) -> None:
    """By "New Modules" and "Removed" of docs.python.org/3/whatsnew."""
    stdlib = stdlib_environment()
    assert {minor for minor in range(8, 16) if in_stdlib(name, stdlib, (3, minor))} == minors


def test_without_a_version_its_own_standard_library_counts() -> None:
    assert in_stdlib("json", stdlib_environment(), None)
    assert not in_stdlib("no_such_module", stdlib_environment(), None)


# --- the command ------------------------------------------------------------------------------


def test_the_report_says_which_python_and_which_target(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--json", "--python", "cp313t", "--target", "manylinux_2_99_x86_64"]
    run(["verify", str(root), *arguments])
    document = json.loads(capsys.readouterr().out)
    assert document["target"] == "manylinux_2_99_x86_64"
    assert document["python"] == {
        "implementation": "cpython", "version": "3.13", "flags": "t", "source": "--python cp313t",
    }  # fmt: skip
    (floor,) = document["floors"]
    assert floor["system"] == "glibc"
    assert floor["causes"][0]["file"] == "app"


def test_the_target_may_stand_in_the_configuration(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(root.parent, {"pyproject.toml": '[tool.rustext]\ntarget = "win_amd64"\n'})
    monkeypatch.chdir(root.parent)
    assert run(["verify", str(root), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["target"] == "win_amd64"
    assert [f["id"] for f in document["findings"]] == ["architecture"]
    run(["verify", str(root), "--json", "--target", "manylinux_2_99_x86_64"])
    assert json.loads(capsys.readouterr().out)["target"] == "manylinux_2_99_x86_64"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--target", "nonsense"],
        ["--python", "nonsense"],
        ["--python", sys.executable, "--target", "macosx_11_0_arm64"],
    ],
)
def test_nonsense_ends_with_2_and_a_hint(root: Path, arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rustext", "verify", str(root), *arguments],
        capture_output=True, text=True, check=False, cwd=root,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "hint: " in done.stderr
    assert done.stdout == ""
