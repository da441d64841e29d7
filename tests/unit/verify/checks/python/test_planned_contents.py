"""What a plan promises, against bundles that hold it and bundles that something was taken from."""

from __future__ import annotations

import ctypes
import errno
import importlib.machinery
import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
from archives import archive, pyz
from compiling import Compile, compiler
from environments import write_files

from rustext.cli.main import run
from rustext.environment.environment import stdlib_environment
from rustext.errors import InvalidBundle, InvalidPlan, UnwritableFile
from rustext.model.evidence import Evidence, EvidenceKind
from rustext.model.findings import Finding, Severity
from rustext.model.image import Format
from rustext.model.plan import (
    BuildPlan,
    Companion,
    CompanionKind,
    ImplicitImport,
    PlannedExtension,
    Verdict,
)
from rustext.model.verification import IsolatedRun
from rustext.plan.plan_file import PLAN_FILE, build_plan_json, read_plan, write_plan
from rustext.plan.selftest import SELFTEST_FILE, SelfTest, entry_source, format_questions
from rustext.report.verify_text import name_verdict
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.facts.left_plan import find_plan
from rustext.verify.run.start import run_selftest
from rustext.verify.verify import read_subject, verify

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]
RUST = '#[no_mangle] pub extern "C" fn PyInit__core(a: i32) -> String { a.to_string() }'
ASKING = """
#[no_mangle] pub static ASKS: &str = "importlib.metadata";
#[no_mangle] pub extern "C" fn PyInit__core(a: i32) -> String { a.to_string() }
"""


@pytest.fixture(scope="module")
def rustc(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    command = ["rustc", "--edition=2021", "--crate-type=cdylib", "-Awarnings"]
    return compiler(command, tmp_path_factory.mktemp("rustc"))


def implicit(module: str, kind: EvidenceKind) -> ImplicitImport:
    evidence = Evidence(kind=kind, where=f"pkg/_core{SUFFIX} at 0x10", detail="")
    return ImplicitImport(
        module=module, verdict=Verdict.INCLUDE, reason="standard library", evidence=(evidence,)
    )


def companion(place: str, kind: CompanionKind) -> Companion:
    return Companion(
        path=Path(place), destination=PurePosixPath(place), kind=kind, reason="opened by its path"
    )


PLAN = BuildPlan(
    freezer="PyInstaller",
    python="3.11",
    extensions=(
        PlannedExtension(
            file=PurePosixPath(f"pkg/_core{SUFFIX}"), module="pkg._core", distribution="pkg",
            version="1.0",
        ),
    ),
    modules=(implicit("frozen.sure", EvidenceKind.IMPORT_CALL),
             implicit("frozen.maybe", EvidenceKind.EXACT_STRING)),
    left_out=(),
    companions=(
        companion("pkg/libhelper.so", CompanionKind.LIBRARY),
        companion("pkg/model.bin", CompanionKind.DATA),
        companion("pkg-1.0.dist-info/METADATA", CompanionKind.METADATA),
        companion("pkg/plugins/__init__.py", CompanionKind.FOLDER),
    ),
    warnings=(),
)  # fmt: skip


IDS = {"missing-import", "missing-companion", "missing-metadata"}


@pytest.fixture
def bundle(tmp_path: Path, gcc: Compile, rustc: Compile) -> Path:
    """A folder of PyInstaller's that holds all of PLAN."""
    root = tmp_path / "app"
    inner = root / "_internal"
    write_files(
        inner,
        {
            f"pkg/_core{SUFFIX}": rustc("libcore.so", RUST),
            "pkg/libhelper.so": gcc("libhelper.so", "int x;", "-shared", "-fPIC"),
            "pkg/model.bin": "data",
            "pkg-1.0.dist-info/METADATA": "Name: pkg\nVersion: 1.0",
            "pkg/plugins/.keep": "",
        },
    )
    with zipfile.ZipFile(inner / "base_library.zip", "w") as library:
        library.writestr("codecs.pyc", "")
    shutil.copy(gcc("app", "int main(void) { return 0; }"), root / "app")
    modules = [(name, (0, 0, 0)) for name in ("frozen", "frozen.sure", "frozen.maybe")]
    with (root / "app").open("ab") as program:
        program.write(archive([(b"z", "PYZ.pyz", pyz(modules))]))
    return root


def findings(root: Path, plan: BuildPlan | None) -> list[Finding]:
    found = verify(read_subject(read_bundle(root), stdlib=stdlib_environment(), plan=plan)).findings
    return [f for f in found if f.id in IDS]


def test_what_no_freezer_was_told_is_no_error(bundle: Path) -> None:
    """A program may do without what an environment has for it."""
    shutil.rmtree(bundle / "_internal/pkg-1.0.dist-info")
    (bundle / "_internal/pkg/model.bin").unlink()
    kinds = [EvidenceKind.IMPORT_CALL, EvidenceKind.EXACT_STRING, EvidenceKind.TRACED]
    modules = tuple(implicit(f"frozen.{kind.value.replace('-', '_')}", kind) for kind in kinds)
    plan = replace(PLAN, modules=modules)
    told = read_subject(read_bundle(bundle), stdlib=stdlib_environment(), plan=plan)
    for guessed, severity in ((False, Severity.ERROR), (True, Severity.WARNING)):
        found = verify(replace(told, guessed=guessed)).findings
        assert {f.subject: f.severity for f in found if f.id in IDS} == {
            "pkg-1.0.dist-info/METADATA": severity,
            "pkg/model.bin": severity,
            modules[0].module: severity,
            modules[1].module: Severity.NOTE,
            modules[2].module: Severity.ERROR,  # a run has used it
        }


def test_a_bundle_that_holds_all_that_was_planned_is_clean(bundle: Path) -> None:
    assert findings(bundle, PLAN) == []


@pytest.mark.parametrize(
    ("taken", "found"),
    [
        ("pkg/libhelper.so", ("missing-companion", "pkg/libhelper.so")),
        ("pkg/model.bin", ("missing-companion", "pkg/model.bin")),
        ("pkg-1.0.dist-info", ("missing-metadata", "pkg-1.0.dist-info/METADATA")),
        ("pkg/plugins", ("missing-companion", "pkg/plugins")),
        (f"pkg/_core{SUFFIX}", ("missing-import", "pkg._core")),
    ],
)
def test_what_is_taken_out_of_a_bundle_is_missed(
    bundle: Path, taken: str, found: tuple[str, str]
) -> None:
    path = bundle / "_internal" / taken
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    (finding,) = findings(bundle, PLAN)
    assert (finding.id, finding.subject) == found
    assert finding.severity is Severity.ERROR


@pytest.mark.parametrize("content", [b"", b"text", b"\x7fELF\x02\x01\x01"])
def test_a_planned_library_that_cannot_be_read_is_as_bad_as_none(
    bundle: Path, content: bytes
) -> None:
    """What opens it may be compiled, and name it nowhere."""
    library = bundle / "_internal/pkg/libhelper.so"
    library.write_bytes(content)
    with pytest.raises(OSError, match="libhelper"):
        ctypes.CDLL(str(library))
    for plan, guessed, severity in (
        (PLAN, False, Severity.ERROR),
        (PLAN, True, Severity.WARNING),
        (replace(PLAN, companions=()), False, Severity.NOTE),
    ):
        told = read_subject(read_bundle(bundle), stdlib=stdlib_environment(), plan=plan)
        found = verify(replace(told, guessed=guessed)).findings
        (finding,) = (f for f in found if f.subject == "app/_internal/pkg/libhelper.so")
        assert (finding.id, finding.severity) == ("unreadable-file", severity)


def test_a_planned_module_that_is_not_there_weighs_as_its_evidence(bundle: Path) -> None:
    gone = tuple(replace(i, module=f"pkg.{i.module}") for i in PLAN.modules)
    found = {f.subject: f.severity for f in findings(bundle, replace(PLAN, modules=gone))}
    assert found == {"pkg.frozen.sure": Severity.ERROR, "pkg.frozen.maybe": Severity.NOTE}


@pytest.mark.parametrize(
    ("kind", "severity"),
    [(EvidenceKind.IMPORT_CALL, Severity.NOTE), (EvidenceKind.TRACED, Severity.ERROR)],
)
def test_of_a_package_that_was_left_out_only_what_was_seen_counts(
    kind: EvidenceKind, severity: Severity, bundle: Path
) -> None:
    plan = replace(PLAN, modules=(implicit("gone.part", kind),))
    assert [(f.subject, f.severity) for f in findings(bundle, plan)] == [("gone.part", severity)]


def test_modules_of_an_unknown_bundle_cannot_be_missed(bundle: Path, gcc: Compile) -> None:
    """Its program may carry any module inside, where nobody can list it."""
    shutil.copy(gcc("app", "int main(void) { return 0; }"), bundle / "_internal/app")
    (bundle / "_internal/base_library.zip").unlink()
    assert findings(bundle / "_internal", PLAN) == []


@pytest.mark.parametrize("kind", [CompanionKind.DATA, CompanionKind.FOLDER])
def test_a_planned_name_that_no_file_system_takes_is_missing(
    bundle: Path, kind: CompanionKind
) -> None:
    place = f"{'x' * 300}/{'y' * 300}.so"
    (finding,) = findings(bundle, replace(PLAN, companions=(companion(place, kind),)))
    assert finding.id == "missing-companion"
    assert finding.subject == (place.partition("/")[0] if kind is CompanionKind.FOLDER else place)


def test_a_plan_is_read_up_to_a_limit(tmp_path: Path) -> None:
    with (tmp_path / PLAN_FILE).open("wb") as stream:
        stream.truncate(6 << 30)
    with pytest.raises(InvalidPlan, match="larger than any plan"):
        read_plan(tmp_path / PLAN_FILE)


def test_a_plan_that_cannot_be_written_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    for place in (tmp_path / "folder", Path("/")):
        with pytest.raises(UnwritableFile, match="cannot be written: it is a folder"):
            write_plan(PLAN, place)

    def refuse(self: Path, target: Path) -> Path:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(UnwritableFile, match="cannot be written: Permission denied"):
        write_plan(PLAN, tmp_path / "plan.json")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_the_plan_is_found_in_the_bundle_or_where_the_user_says(
    bundle: Path, tmp_path: Path
) -> None:
    read = read_bundle(bundle)
    assert find_plan(read) is None
    write_plan(PLAN, bundle / "_internal" / PLAN_FILE)
    left = find_plan(read)
    assert left is not None
    assert left.freezer == "PyInstaller"
    write_plan(replace(PLAN, freezer="outside"), tmp_path / "kept.json")
    kept = find_plan(read, tmp_path / "kept.json")
    assert kept is not None
    assert kept.freezer == "outside"
    (tmp_path / "kept.json").write_text("{}")
    with pytest.raises(InvalidPlan):
        find_plan(read, tmp_path / "kept.json")


@pytest.mark.parametrize("damage", ["other-version", "other-keys", "no-plan"])
def test_a_plan_that_cannot_be_read_leaves_a_verdict_that_says_so(
    damage: str, bundle: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    document = {**build_plan_json(PLAN), "rustext": "9.9"}
    if damage == "other-version":
        document["version"] = 2
    else:
        del document["modules"]
    left = bundle / "_internal" / PLAN_FILE
    left.write_text("no plan" if damage == "no-plan" else json.dumps(document))
    read = read_bundle(bundle)
    assert find_plan(read) is None
    report = verify(read_subject(read, stdlib=stdlib_environment()))
    (said,) = [line for line in report.unjudged if PLAN_FILE in line]
    assert name_verdict(report) != "stands alone"
    assert str(bundle) not in said
    if damage != "no-plan":
        assert "was written by rustext 9.9" in said
        assert "freeze again, or give a plan with --plan" in said
    assert run(["verify", str(bundle), "--plan", str(left)]) == 2
    assert "freeze again" in capfd.readouterr().err or damage == "no-plan"


def test_the_command_takes_a_plan(
    bundle: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_plan(PLAN, tmp_path / "kept.json")
    (bundle / "_internal/pkg/model.bin").unlink()
    assert run(["verify", str(bundle), "--plan", str(tmp_path / "kept.json"), "--json"]) == 1
    rows = json.loads(capfd.readouterr().out)["findings"]
    assert ("missing-companion", "pkg/model.bin") in {(r["id"], r["subject"]) for r in rows}
    assert run(["verify", str(bundle), "--plan", str(tmp_path / "none.json")]) == 2
    assert "none.json cannot be read" in capfd.readouterr().err


# --- without a plan ---------------------------------------------------------------------------


def test_a_library_that_the_bundles_own_record_lists_is_missed(bundle: Path) -> None:
    inner = bundle / "_internal"
    record = f"pkg/_core{SUFFIX},,\npkg/libhelper.so,,\npkg/model.bin,,\n"
    write_files(inner, {"pkg-1.0.dist-info/RECORD": record})
    assert findings(bundle, None) == []
    (inner / "pkg/libhelper.so").unlink()
    (finding,) = findings(bundle, None)
    assert (finding.id, finding.severity) == ("missing-companion", Severity.WARNING)
    assert finding.subject == "pkg/libhelper.so"
    write_files(inner, {"pkg-1.0.dist-info/RECORD": record.replace("pkg/_core", "pkg/_other")})
    assert findings(bundle, None) == []  # not a distribution of the program's Rust code


def test_a_record_that_is_no_file_is_passed_over(bundle: Path) -> None:
    (bundle / "_internal/other-1.0.dist-info").mkdir()
    os.mkfifo(bundle / "_internal/other-1.0.dist-info/RECORD")
    code = "import sys; from rustext.cli.main import run; sys.exit(run(['verify', sys.argv[1]]))"
    command = [sys.executable, "-c", code, str(bundle)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert done.returncode in {0, 1}


def test_native_code_that_reads_metadata_wants_some(bundle: Path, rustc: Compile) -> None:
    inner = bundle / "_internal"
    shutil.copy(rustc("libasking.so", ASKING), inner / f"pkg/_core{SUFFIX}")
    assert [f for f in findings(bundle, None) if f.id == "missing-metadata"] == []
    shutil.rmtree(inner / "pkg-1.0.dist-info")
    (finding,) = [f for f in findings(bundle, None) if f.id == "missing-metadata"]
    assert (finding.subject, finding.severity) == ("pkg", Severity.NOTE)  # nothing imports it


# --- the self-test ----------------------------------------------------------------------------


@pytest.fixture
def selftested(tmp_path: Path) -> Path:
    """A bundle whose program is a script with the self-test ahead of it."""
    root = tmp_path / "tested"
    root.mkdir()
    script = f"#!/usr/bin/env python3\n{entry_source()}\nprint('the program')\n"
    (root / "app").write_text(script)
    (root / "app").chmod(0o755)
    return root


def ask(root: Path, bundle: Path, *modules: tuple[str, bool]) -> list[Finding]:
    (root / SELFTEST_FILE).write_text(format_questions(modules))
    read = read_bundle(bundle)
    assert read.program is not None
    program = replace(read.program, path=root / "app")
    read = replace(read, root=root, contents=root, program=program)
    found = verify(
        read_subject(read_bundle(bundle), stdlib=stdlib_environment(), selftest=run_selftest(read))
    ).findings
    return [f for f in found if f.id == "selftest"]


def test_a_self_test_that_imports_all_finds_nothing(selftested: Path, bundle: Path) -> None:
    assert ask(selftested, bundle, ("json", True), ("email", False)) == []


def test_a_one_file_program_answers_the_self_test_and_is_alone(
    selftested: Path, bundle: Path, tmp_path: Path
) -> None:
    """It lies outside of what it was unpacked to, and unpacks itself again as it starts."""
    (selftested / SELFTEST_FILE).write_text(format_questions([("json", True), ("beside", True)]))
    script = f"import sys\nsys._MEIPASS = {str(selftested)!r}\n{entry_source()}"
    write_files(tmp_path / "dist", {"app": f"#!{sys.executable}\n{script}", "beside.py": ""})
    origin = tmp_path / "dist/app"
    origin.chmod(0o755)
    read = replace(read_bundle(bundle), root=selftested, contents=selftested, origin=origin)
    answers = {answer.module: answer.error for answer in run_selftest(read).answers}
    assert answers["json"] is None
    assert answers["beside"] == "ModuleNotFoundError: No module named 'beside'"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows starts it")
def test_a_self_test_is_not_started_on_another_system(selftested: Path, bundle: Path) -> None:
    (selftested / SELFTEST_FILE).write_text(format_questions([("json", True)]))
    read = read_bundle(bundle)
    image = replace(read.image, format=Format.PE)
    with pytest.raises(InvalidBundle, match="and does not start on this system"):
        run_selftest(replace(read, contents=selftested, image=image))


def test_each_failed_import_is_a_finding(selftested: Path, bundle: Path) -> None:
    found = {f.subject: f for f in ask(selftested, bundle, ("gone", True), ("maybe", False))}
    assert {name: f.severity for name, f in found.items()} == {
        "gone": Severity.ERROR,
        "maybe": Severity.WARNING,
    }
    assert ("error", "ModuleNotFoundError: No module named 'gone'") in found["gone"].evidence


def test_a_program_that_dies_in_its_self_test_is_a_finding(selftested: Path, bundle: Path) -> None:
    (selftested / "killer.py").write_text("import os\nos.abort()\n")
    (finding,) = ask(selftested, bundle, ("killer", True))
    assert (finding.subject, finding.severity) == ("killer", Severity.ERROR)
    assert ("ended with", "signal 6") in finding.evidence


def test_a_library_of_the_hosts_that_an_import_loads_is_a_finding(bundle: Path) -> None:
    """An extension is loaded by the self-test, though the program may never get there."""
    ended = IsolatedRun(
        code=0, stdout='{"selftest": [\n]}\n', stderr="", hidden=(),
        libraries=(Path("/opt/libfoo.so.1"), Path("/lib/libc.so.6"), bundle / "libown.so"),
    )  # fmt: skip
    selftest = SelfTest(answers=(), last=None, run=ended)
    report = verify(
        read_subject(read_bundle(bundle), stdlib=stdlib_environment(), selftest=selftest)
    )
    assert [f.subject for f in report.findings if f.id == "host-library"] == ["libfoo.so.1"]
    assert report.run == ended


def test_a_program_that_does_not_answer_is_a_finding(selftested: Path, bundle: Path) -> None:
    (selftested / "app").write_text("#!/bin/sh\necho something else\n")
    (finding,) = ask(selftested, bundle, ("json", True))
    assert finding.message.endswith("did not answer the self-test")


def test_a_bundle_without_the_entry_is_refused_with_the_way_to_build_it_in(
    bundle: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InvalidBundle):
        run_selftest(read_bundle(bundle))
    assert run(["verify", str(bundle), "--selftest"]) == 2
    error = capfd.readouterr().err
    assert "app has no self-test built in" in error
    assert "--rustext-selftest" in error
