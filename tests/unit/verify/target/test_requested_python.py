"""The forms of --python, and what of them is possible for a foreign target."""

from __future__ import annotations

import shutil
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest
from compiling import Compile
from packaging.tags import interpreter_name, interpreter_version

from rustext.discovery.extension_suffixes import parse_suffix
from rustext.errors import InvalidConfiguration
from rustext.formats.binary import read_binary
from rustext.model.image import Image
from rustext.model.verification import BundlePython
from rustext.verify.facts.python.bundled_python import python_of_library, python_of_suffix
from rustext.verify.target.requested_python import choose_python, parse_python
from rustext.verify.target.target import parse_target

THIS = sys.version_info[:2]


@pytest.fixture(scope="module")
def native() -> Image:
    return read_binary(Path(sys.executable).resolve()).image


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("3.12", "3.12"), ("python3.12", "3.12"), ("cp312", "3.12"), ("cpython3.12", "3.12"),
        ("3.13t", "3.13t"), ("python3.13t", "3.13t"), ("cp313t", "3.13t"), ("3.12d", "3.12d"),
        ("pypy3.9", "pypy3.9"), ("pp310", "pypy3.10"), ("graalpy3.11", "graalpy3.11"),
        ("cp39", "3.9"), ("pypy-3.9", "pypy3.9"),
    ],
)  # fmt: skip
def test_each_form_of_a_kind(kind: str, name: str) -> None:
    python = parse_python(kind)
    assert python is not None
    assert python.name == name


def test_the_tag_of_this_interpreter_is_a_kind() -> None:
    """`packaging` is the second source of what `cp311` means."""
    python = parse_python(f"{interpreter_name()}{interpreter_version()}")
    assert python is not None
    assert python.version == THIS


@pytest.mark.parametrize("text", ["312", "3", "cp3.12", "/usr/bin/python3.12", "python", "rust1.7"])
def test_what_is_no_kind(text: str) -> None:
    assert parse_python(text) is None


def test_a_path_is_asked_for_its_version(native: Image) -> None:
    python, facts = choose_python(sys.executable, image=native, target=None, bundled=None)
    assert (python.implementation, python.version) == ("cpython", THIS)
    assert facts is not None
    assert facts.version == THIS


def test_an_interpreter_in_the_current_folder_is_not_looked_for_on_path(
    native: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "wrapped-python"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    script.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    python, _ = choose_python(f"./{script.name}", image=native, target=None, bundled=None)
    assert python.version == THIS


@pytest.mark.parametrize("tag", ["manylinux_2_28_aarch64", "macosx_11_0_arm64", "win_amd64",
                                 "musllinux_1_2_x86_64"])  # fmt: skip
def test_a_path_for_a_foreign_target_is_refused_with_the_kind_to_use(
    tag: str, native: Image
) -> None:
    path = Path(sys.executable).parent / f"python{THIS[0]}.{THIS[1]}"
    with pytest.raises(InvalidConfiguration) as caught:
        choose_python(str(path), image=native, target=parse_target(tag), bundled=None)
    assert "says nothing of" in str(caught.value)
    assert f"--python {THIS[0]}.{THIS[1]}" in str(caught.value.hint)


def test_a_path_for_a_foreign_bundle_is_refused_without_a_target_too(
    zig: Callable[[str], Compile],
) -> None:
    foreign = zig("aarch64-linux-musl")("app", "void _start(void) { }", "-static")
    bundled = parse_python("3.10")
    with pytest.raises(InvalidConfiguration) as caught:
        choose_python(
            sys.executable, image=read_binary(foreign).image, target=None, bundled=bundled
        )
    assert "linux-aarch64" in str(caught.value)
    # What the bundle shows, and not this machine's version, with which nothing in it would fit.
    assert str(caught.value.hint).endswith("--python 3.10")


@pytest.mark.parametrize("text", ["2.7", "cp27", "pypy2.7", "3.1"])
def test_a_python_before_tagged_extension_modules_is_refused(text: str, native: Image) -> None:
    with pytest.raises(InvalidConfiguration, match=r"no Python that can be judged"):
        choose_python(text, image=native, target=None, bundled=None)


def test_an_interpreter_that_cannot_run_here_is_refused_with_the_kind_to_use(
    zig: Callable[[str], Compile], tmp_path: Path
) -> None:
    foreign = zig("riscv64-linux-musl")("app", "void _start(void) { }", "-static")
    python = tmp_path / "python3.12"
    shutil.copy(foreign, python)
    with pytest.raises(InvalidConfiguration) as caught:
        choose_python(str(python), image=read_binary(foreign).image, target=None, bundled=None)
    assert "--python 3.12" in str(caught.value.hint)


@pytest.mark.parametrize("text", ["blah", "/nowhere/python3.12", "/"])
def test_nonsense_is_refused_with_the_forms(text: str, native: Image) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        choose_python(text, image=native, target=None, bundled=None)
    assert "3.12" in str(caught.value.hint)


# --- the Python that files speak of -----------------------------------------------------------


def test_this_interpreter_s_suffix_names_it() -> None:
    suffix = parse_suffix(sysconfig.get_config_var("EXT_SUFFIX"))
    assert suffix is not None
    assert python_of_suffix(suffix, "").version == THIS


@pytest.mark.parametrize(
    ("name", "python"),
    [
        ("libpython3.11.so.1.0", "3.11"), ("libpython3.13t.so.1.0", "3.13t"),
        ("libpython3.12d.so.1.0", "3.12d"), ("python311.dll", "3.11"), ("python313t.dll", "3.13t"),
        ("python312_d.dll", "3.12d"), ("libpypy3.10-c.so", "pypy3.10"),
        ("libpython3.12.dylib", "3.12"),
        ("@rpath/Python.framework/Versions/3.12/Python", "3.12"),
        ("/Library/Frameworks/PythonT.framework/Versions/3.13/PythonT", "3.13t"),
    ],
)  # fmt: skip
def test_a_library_s_name_says_which_python_it_is(name: str, python: str) -> None:
    found = python_of_library(name, "")
    assert isinstance(found, BundlePython)
    assert found.name == python


@pytest.mark.parametrize("name", ["python3.dll", "libpython3.so", "libpythonic.so", "libc.so.6"])
def test_a_name_for_all_versions_says_nothing(name: str) -> None:
    assert python_of_library(name, "") is None
