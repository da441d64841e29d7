"""Names out of a binary, kept between builds: the same answers, and never old ones."""

from __future__ import annotations

import importlib.machinery
import mmap
import os
import shutil
from pathlib import Path

import pytest
from compiling import Compile, compiler
from environments import environment, install, write_files

from rustext.config import Config
from rustext.discovery import native_files as discover
from rustext.discovery.provenance import Marks
from rustext.imports import clues
from rustext.model.image import Image
from rustext.plan.planner import Planner

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]
RUST = """
use std::ffi::{c_char, c_void};
extern "C" { fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void; }
#[no_mangle] pub static NAMES: [&str; 3] = ["zoneinfo._common", "app.part", "<HERE>"];
#[no_mangle] pub extern "C" fn PyInit__core() -> *mut c_void {
    unsafe { dlsym(std::ptr::null_mut(), "PyImport_Import\\0".as_ptr().cast()) }
}
"""


@pytest.fixture(scope="module")
def rustc(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    command = ["rustc", "--edition=2021", "--crate-type=cdylib", "-Awarnings"]
    return compiler(command, tmp_path_factory.mktemp("rustc"))


@pytest.fixture
def site(tmp_path: Path, rustc: Compile) -> Path:
    core = rustc("libfirst.so", RUST.replace("<HERE>", "later.inner"))
    write_files(tmp_path, {"app/__init__.py": "", "app/part.py": "", f"app/_core{SUFFIX}": core})
    return tmp_path


def planned(site: Path, *, keep: bool = True) -> set[str]:
    planner = Planner(environment(site), Config(), keep=keep)
    plan = planner.plan_extension(site / f"app/_core{SUFFIX}")
    assert plan is not None
    return {i.module for i in plan.imports}


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: object) -> None:
        raise AssertionError("the binary is read again")

    monkeypatch.setattr(clues, "find_clues", read)


def test_a_second_build_gets_the_same_answer_without_reading(
    site: Path, request: pytest.FixtureRequest
) -> None:
    first = planned(site)
    assert first == planned(site, keep=False) == {"zoneinfo._common", "app.part"}
    request.getfixturevalue("unread")
    assert planned(site) == first


def test_a_file_that_is_no_module_does_not_make_the_answer_old(
    site: Path, request: pytest.FixtureRequest
) -> None:
    """Whoever freezes a program from its own folder leaves other files in it each time."""
    write_files(site, {"build/app/log.txt": ""})  # `build.py` may be one of the names
    first = planned(site)
    (site / "app.spec").write_text("")
    (site / "build" / "log.txt").write_text("")
    (site / "__pycache__").mkdir()
    request.getfixturevalue("unread")
    assert planned(site) == first


def test_a_module_that_is_installed_later_is_found(site: Path) -> None:
    assert "later.inner" not in planned(site)
    write_files(site, {"later/__init__.py": "", "later/inner.py": ""})
    assert "later.inner" in planned(site) & planned(site, keep=False)
    shutil.rmtree(site / "later")
    assert "later.inner" not in planned(site)


def test_another_file_in_its_place_is_read(site: Path, rustc: Compile) -> None:
    assert "email.mime.text" not in planned(site)
    other = rustc("libother.so", RUST.replace("<HERE>", "email.mime.text"))
    shutil.copy(other, site / f"app/_core{SUFFIX}")
    assert "email.mime.text" in planned(site)


def test_another_interpreters_environment_is_another_question(site: Path) -> None:
    planned(site)
    write_files(site / "second", {"later/__init__.py": "", "later/inner.py": ""})
    planner = Planner(environment(site, site / "second"), Config(), keep=True)
    plan = planner.plan_extension(site / f"app/_core{SUFFIX}")
    assert plan is not None
    assert "later.inner" in {i.module for i in plan.imports}


def test_installed_files_are_searched_for_marks_of_rust_once(
    site: Path, gcc: Compile, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = site / f"app/_core{SUFFIX}"
    install(site, "app", files={f"app/_core{SUFFIX}": core, "app/__init__.py": ""})
    looked: list[int] = []
    real = discover.read_marks

    def look(image: Image, data: mmap.mmap) -> Marks:
        looked.append(len(data))
        return real(image, data)

    monkeypatch.setattr(discover, "read_marks", look)
    assert planned(site)
    assert looked == [core.stat().st_size]
    assert planned(site)
    assert len(looked) == 1
    assert planned(site, keep=False)
    assert len(looked) == 2
    shutil.copy(gcc("c.so", "void *PyInit__core(void) { return 0; }", "-shared", "-fPIC"), core)
    planner = Planner(environment(site), Config(), keep=True)
    assert planner.plan_extension(core) is None
    assert len(looked) == 3


def test_a_damaged_cache_is_no_cache(site: Path) -> None:
    first = planned(site)
    folder = Path(os.environ["XDG_CACHE_HOME"]) / "rustext" / "clues"
    kept = list(folder.iterdir())
    assert kept
    for file in kept:
        file.write_bytes(file.read_bytes()[:-9] + b"something")
    assert planned(site) == first
