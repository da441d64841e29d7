"""A build with what its user asked for: options, the plan, and what is left in a bundle."""

from __future__ import annotations

import importlib.machinery
import json
import os
import sys
from dataclasses import replace
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree as ET

import pytest
from compiling import Compile, compiler
from environments import environment, install

from rustext.config import Config
from rustext.errors import (
    InvalidConfiguration,
    InvalidPlan,
    RustextError,
    UnreadableFile,
    UnwritableFile,
)
from rustext.freezing.build import Build
from rustext.freezing.options import SessionOptions, read_options
from rustext.freezing.session import Session
from rustext.model.plan import BuildPlan, CompanionKind, Verdict
from rustext.plan.plan_file import build_plan_json, format_plan, parse_plan, read_plan
from rustext.plan.planner import Planner

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]
RUST = """
use std::ffi::{c_char, c_void};
extern "C" { fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void; }
#[no_mangle] pub static NAMES: [&str; 3] = ["zoneinfo._common", "app.part", "popular.inner"];
#[no_mangle] pub extern "C" fn PyInit__core() -> *mut c_void {
    unsafe { dlsym(std::ptr::null_mut(), "PyImport_Import\\0".as_ptr().cast()) }
}
"""
LIBRARY = '#[no_mangle] pub extern "C" fn add(a: i32) -> String { a.to_string() }'


@pytest.fixture(scope="module")
def rustc(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    command = ["rustc", "--edition=2021", "--crate-type=cdylib", "-Awarnings"]
    return compiler(command, tmp_path_factory.mktemp("rustc"))


@pytest.fixture
def site(tmp_path: Path, rustc: Compile) -> Path:
    site = tmp_path / "site-packages"
    core = rustc("libcore.so", RUST)
    files = {"app/__init__.py": "", "app/part.py": "", f"app/_core{SUFFIX}": core,
             "app/libhelper.so": rustc("libhelper.so", LIBRARY)}  # fmt: skip
    install(site, "app", files=files)
    install(site, "other", files={"other/__init__.py": "", f"other/_core{SUFFIX}": core})
    install(site, "popular", files={"popular/__init__.py": "", "popular/inner.py": ""})
    install(site, "fan", requires=["popular"])
    return site


def session(site: Path, options: SessionOptions | None = None, **config: object) -> Session:
    """A session whose freezer has met both extensions."""
    build = Build(Planner(environment(site), Config(**config)))  # type: ignore[arg-type]
    for name in ("app", "other"):
        build.enter(name, site / name / "__init__.py")
        build.enter(f"{name}._core", site / f"{name}/_core{SUFFIX}")
    return Session(build, options or SessionOptions(), freezer="Freezer 1.0")


@pytest.fixture
def plan(site: Path) -> BuildPlan:
    return session(site).plan


# --- plan -------------------------------------------------------------------------------------


def test_a_plan_says_what_was_added_and_what_was_not(plan: BuildPlan) -> None:
    assert (plan.freezer, [e.module for e in plan.extensions]) == (
        "Freezer 1.0",
        ["app._core", "other._core"],
    )
    assert {i.module for i in plan.modules} == {"zoneinfo._common", "app.part"}
    assert {i.module: i.verdict for i in plan.left_out} == {"popular.inner": Verdict.IF_PRESENT}
    places = {str(c.destination): c.kind for c in plan.companions}
    assert places["app/libhelper.so"] is CompanionKind.LIBRARY
    assert places["app-1.0.dist-info/METADATA"] is CompanionKind.METADATA
    assert dict(plan.iter_modules())["app._core"] is True
    assert dict(plan.iter_modules())["app.part"] is False  # a string, and nothing more


def test_a_plan_outlives_its_file(plan: BuildPlan) -> None:
    text = format_plan(plan)
    again = parse_plan(text, "here")
    assert format_plan(again) == text
    assert again.extensions == plan.extensions
    assert again.modules == plan.modules
    assert [c.destination for c in again.companions] == [c.destination for c in plan.companions]


def test_a_plan_names_nothing_of_the_machine(plan: BuildPlan, site: Path) -> None:
    assert str(site.parent) not in format_plan(plan)


def test_what_the_freezer_drops_is_not_in_the_plan(site: Path) -> None:
    made = session(site)
    made.build.settle(["app", "app._core", "app.part", "zoneinfo._common"])
    assert [e.module for e in made.plan.extensions] == ["app._core"]
    assert not any(c.destination.parts[0].startswith("other") for c in made.plan.companions)
    made.build.settle(["other"])
    assert made.plan.extensions == made.plan.modules == made.plan.left_out == ()


@pytest.mark.parametrize("text", ["", "[]", "{}", "nonsense", '{"version": 99}', "[" * 100_000])
def test_what_is_no_plan_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidPlan, match=r"^here "):
        parse_plan(text, "here")


@pytest.mark.parametrize("place", ["/etc/passwd", "../beside", "app/../../beside"])
def test_a_plan_that_points_out_of_the_bundle_is_refused(plan: BuildPlan, place: str) -> None:
    document = build_plan_json(plan)
    document["companions"][0]["file"] = place
    with pytest.raises(InvalidPlan, match="leaves the bundle"):
        parse_plan(json.dumps(document), "here")


def test_each_missing_key_of_a_plan_is_an_error(plan: BuildPlan) -> None:
    for key in build_plan_json(plan):
        document = build_plan_json(plan)
        del document[key]
        if key == "rustext":  # for people
            parse_plan(json.dumps(document), "here")
        else:
            with pytest.raises(InvalidPlan):
                parse_plan(json.dumps(document), "here")


def test_a_plan_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="No such file"):
        read_plan(tmp_path / "gone.json")
    (tmp_path / "latin.json").write_bytes(b'"\xe4"')
    with pytest.raises(InvalidPlan, match="UTF-8"):
        read_plan(tmp_path / "latin.json")


# --- what is asked for ------------------------------------------------------------------------


def test_nothing_is_left_in_a_bundle_unasked(site: Path) -> None:
    made = session(site)
    assert made.left_files == ()
    assert made.selftest_source is None


def test_what_is_asked_for_is_left(site: Path) -> None:
    asked = {"selftest": True, "leave_plan": True}
    for made in (session(site, SessionOptions(**asked)), session(site, **asked)):  # type: ignore[arg-type]
        plan, questions = made.left_files
        assert (plan.name, questions.name) == ("rustext-plan.json", "rustext-selftest.txt")
        assert plan.data == format_plan(made.plan).encode()
        lines = questions.data.decode().splitlines()
        assert "import app._core" in lines
        assert "maybe zoneinfo._common" in lines
        assert made.selftest_source is not None
        compile(made.selftest_source, "entry", "exec")


def test_the_report_is_written_whole(site: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    made = session(site, SessionOptions(report=report))
    made.write_report()
    made.write_report()  # an earlier one is replaced
    assert format_plan(read_plan(report)) == format_plan(made.plan)
    assert sorted(p.name for p in tmp_path.glob("*report*")) == ["report.json"]
    report.write_text("somebody else's")
    with pytest.raises(UnwritableFile, match="is not a plan of rustext"):
        made.write_report()
    assert report.read_text() == "somebody else's"
    with pytest.raises(UnwritableFile, match="cannot be written"):
        session(site, SessionOptions(report=tmp_path / "no" / "r.json")).write_report()


def test_a_freezers_own_report_has_a_row_for_each_thing(site: Path) -> None:
    rows = dict(session(site).report_rows())
    assert {rows["extension_1"], rows["extension_2"]} == {
        f"app/_core{SUFFIX}", f"other/_core{SUFFIX}"
    }  # fmt: skip
    assert rows["implicit_import_zoneinfo._common"].startswith("standard library (exact-string: ")
    companions = [text for name, text in rows.items() if name.startswith("companion_")]
    assert any(text.startswith("app/libhelper.so (library): ") for text in companions)
    element = ET.Element("plugin", rows)  # as Nuitka's report holds them
    assert ET.fromstring(ET.tostring(element)).attrib == rows


def test_options_come_from_the_command_line_or_the_environment(tmp_path: Path) -> None:
    assert read_options({}) == SessionOptions()
    given = read_options({}, strict=True, report="r.json", traces=["a.toml"])
    assert (given.strict, given.traces) == (True, (Path("a.toml"),))
    assert given.report == Path("r.json").absolute()
    environ = {"RUSTEXT_BUILD_SELFTEST": "1", "RUSTEXT_BUILD_LEAVE_PLAN": "1"}
    assert read_options(environ) == SessionOptions(selftest=True, leave_plan=True)
    more = {"RUSTEXT_BUILD_TRACE": "b.toml", "RUSTEXT_BUILD_REPORT": f"{tmp_path}/r.json"}
    found = read_options(more, traces=["a.toml"])
    assert found.traces == (Path("a.toml"), Path("b.toml"))
    assert found.report == tmp_path / "r.json"
    for name in ("RUSTEXT_REPORT", "rustext_build_selftest", "RUSTEXTBUILD_TRACE"):
        with pytest.raises(InvalidConfiguration, match=f"{name} is not known"):
            read_options({name: "1"})
    assert read_options({"RUSTEXT_SELFTEST": "1", "RUSTEXT_FORMAT": "json"}) == SessionOptions()
    with pytest.raises(InvalidConfiguration, match="RUSTEXT_BUILD_SELFTEST is 'yes'"):
        read_options({"RUSTEXT_BUILD_SELFTEST": "yes"})


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no FIFOs in the file system")
def test_a_report_goes_to_no_fifo(tmp_path: Path) -> None:
    """A build would wait for its reader; the pipe that a shell has opened is no such thing."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("fifo")
    for name in ("fifo", "link"):
        with pytest.raises(InvalidConfiguration, match=f"{name} cannot be written: it is a FIFO"):
            read_options({"RUSTEXT_BUILD_REPORT": str(tmp_path / name)})
    read, write = os.pipe()
    try:
        pipe = f"/dev/fd/{write}"
        assert read_options({"RUSTEXT_BUILD_REPORT": pipe}).report == Path(pipe)
    finally:
        os.close(read)
        os.close(write)


def test_errors_of_plans_are_rustexts_own() -> None:
    assert issubclass(InvalidPlan, RustextError)


def test_paths_of_a_plan_are_those_in_the_bundle(plan: BuildPlan) -> None:
    moved = replace(plan, companions=plan.companions[:1])
    (companion,) = parse_plan(format_plan(moved), "here").companions
    assert companion.path == Path(companion.destination)
    assert isinstance(companion.destination, PurePosixPath)


def test_a_finished_folder_is_judged_for_the_project_s_target(site: Path, gcc: Compile) -> None:
    folder = site.parent / "app.dist"
    folder.mkdir()
    (folder / "app").write_bytes(gcc("app", "int main(void) { return 0; }", "-static").read_bytes())
    assert "architecture" not in {f.id for f in session(site).judge(folder)}
    foreign = session(site, target="win_amd64").judge(folder)
    assert "architecture" in {f.id for f in foreign}
    with pytest.raises(InvalidConfiguration):
        session(site, target="nonsense").judge(folder)
