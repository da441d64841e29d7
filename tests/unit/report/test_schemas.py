"""The JSON Schemas hold for what the commands print, and say no less than the code."""

from __future__ import annotations

import argparse
import copy
import json
import sys
import zipfile
from collections.abc import Callable, Iterator
from enum import Enum
from importlib import resources
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from compiling import Compile
from environments import install, write_files
from jsonschema import Draft202012Validator

from rustext.cli.arguments import make_parser
from rustext.cli.main import run
from rustext.model.evidence import Evidence, EvidenceKind
from rustext.model.findings import Finding, Severity
from rustext.model.image import Format, NeedKind
from rustext.model.libraries import FoundBy, Missing, Resolved, Searched
from rustext.model.native_file import Binding
from rustext.model.plan import (
    BuildPlan,
    Companion,
    CompanionKind,
    ImplicitImport,
    PlannedExtension,
    Verdict,
)
from rustext.model.verification import (
    BundlePython,
    FloorCause,
    IsolatedRun,
    SystemFloor,
    VerifyReport,
)
from rustext.plan.plan_file import format_plan
from rustext.report.documents import verify_json
from rustext.tracing.trace_file import Language

Print = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("lean_path")


def schema(name: str) -> dict[str, Any]:
    file = resources.files("rustext").joinpath("data", "schemas", f"{name}.json")
    loaded: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return loaded


def schemas() -> list[str]:
    return sorted(
        entry.name.removesuffix(".json")
        for entry in resources.files("rustext").joinpath("data", "schemas").iterdir()
    )


def validate(name: str, document: Any) -> None:
    problems = [
        f"{error.json_path}: {error.message}"
        for error in Draft202012Validator(schema(name)).iter_errors(document)
    ]
    assert not problems, problems


@pytest.fixture
def printed(capfd: pytest.CaptureFixture[str]) -> Print:
    def print_json(*words: str | Path, code: int = 0) -> Any:
        capfd.readouterr()
        assert run([*map(str, words), "--json"]) == code
        return json.loads(capfd.readouterr().out)

    return print_json


# --- the schemas themselves -------------------------------------------------------------------


def iter_commands() -> Iterator[str]:
    for action in make_parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from (n for n, one in action.choices.items() if "--json" in one.format_help())


def test_every_command_has_a_schema_and_every_schema_a_command() -> None:
    assert schemas() == sorted(iter_commands())


@pytest.mark.parametrize("name", schemas())
def test_a_schema_is_valid_and_leaves_no_key_unnamed(name: str) -> None:
    document = schema(name)
    Draft202012Validator.check_schema(document)
    assert document["$id"].endswith(f"/schemas/{name}.json")
    for part in iter_objects(document):
        assert part["additionalProperties"] is False
        assert set(part["required"]) <= set(part["properties"])


def iter_objects(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        if part.get("type") == "object":
            yield part
        for value in part.values():
            yield from iter_objects(value)


def test_what_two_schemas_define_is_the_same() -> None:
    seen: dict[str, Any] = {}
    for name in schemas():
        for key, definition in schema(name).get("$defs", {}).items():
            assert seen.setdefault(key, definition) == definition, (name, key)


@pytest.mark.parametrize(
    ("name", "definition", "key", "kind"),
    [
        ("scan", "extension", "binding", Binding),
        ("scan", "extension", "format", Format),
        ("inspect", "library", "how", FoundBy),
        ("inspect", "library", "kind", NeedKind),
        ("inspect", "import", "verdict", Verdict),
        ("inspect", "evidence", "kind", EvidenceKind),
        ("inspect", "companion", "kind", CompanionKind),
        ("verify", "finding", "severity", Severity),
        ("trace", "importer", "language", Language),
    ],
)
def test_a_closed_set_has_the_values_of_the_code(
    name: str, definition: str, key: str, kind: type[Enum]
) -> None:
    values = schema(name)["$defs"][definition]["properties"][key]["enum"]
    assert [v for v in values if v is not None] == [member.value for member in kind]


# --- what commands print ----------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, elf_module: Path, macho_module: Path, pe_module: Path) -> Path:
    files = {"pkg/a.so": elf_module, "pkg/b.so": macho_module, "pkg/c.pyd": pe_module}
    write_files(tmp_path / "folder", files)
    return tmp_path / "folder"


@pytest.fixture
def wheel_file(folder: Path) -> Path:
    path = folder.parent / "pkg-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.*")):
            archive.write(file, file.relative_to(folder))
        archive.writestr("pkg-1.0.dist-info/METADATA", "Name: pkg\nVersion: 1.0\n")
        archive.writestr("pkg-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
    return path


def test_scan(folder: Path, wheel_file: Path, tmp_path: Path, printed: Print) -> None:
    for path in (folder, wheel_file):
        document = printed("scan", "--all", path)
        assert len(document["extensions"]) == 3
        validate("scan", document)
    (tmp_path / "empty").mkdir()
    validate("scan", printed("scan", tmp_path / "empty"))


def test_inspect(wheel_file: Path, elf_module: Path, printed: Print) -> None:
    document = printed("inspect", wheel_file)
    assert len(document["others"]) == 2
    validate("inspect", document)
    validate("inspect", printed("inspect", elf_module))


def test_verify(gcc: Compile, tmp_path: Path, printed: Print) -> None:
    gone = gcc("libgone.so", "int gone(void) { return 0; }", "-shared", "-fPIC",
               "-Wl,-soname,libgone.so.1")  # fmt: skip
    source = "int gone(void); int main(void) { return gone(); }"
    write_files(tmp_path, {"bad/app": gcc("app", source, str(gone)),
                           "good/app": gcc("ok", "int main(void) { return 0; }")})  # fmt: skip
    bad = printed("verify", tmp_path / "bad", code=1)
    assert bad["findings"]
    assert [library for library in bad["libraries"] if not library["found"]]
    validate("verify", bad)
    (tmp_path / "good" / "app").chmod(0o755)
    good = printed("verify", tmp_path / "good", "--run")
    assert good["run"] is not None
    validate("verify", good)
    write_files(tmp_path, {"notes": b"no program"})
    words = (tmp_path / "good", tmp_path / "notes", tmp_path / "none")
    several = printed("verify", *words, code=2)
    assert [len(several[key]) for key in ("reports", "failures", "skipped")] == [1, 1, 1]
    validate("verify", several)


def test_verify_with_all_that_a_report_can_hold() -> None:
    file = Path("/dist/app/a.so")
    report = VerifyReport(
        bundle=Path("/dist/app"), freezer="nuitka", platform="linux-x86_64",
        target="manylinux_2_28_x86_64",
        findings=(Finding(id="run", severity=Severity.NOTE, subject="s\udcff", message="m"),),
        libraries=(
            Resolved(soname="a", path=None, how=FoundBy.SYSTEM, needed_by=file),
            Missing(soname="b", searched=(Searched(how=FoundBy.RPATH, path="/x"),),
                    needed_by=file),
        ),
        extensions=(), modules=1,
        python=BundlePython(implementation="cpython", version=(3, 13), flags="t", source="s"),
        floors=(
            SystemFloor(system="glibc", architecture="x86_64", version="2.28", policy=None,
                        systems=("Debian 10",),
                        causes=(FloorCause(file="a", version="GLIBC_2.28", symbols=("f",)),)),
        ),
        run=IsolatedRun(code=-9, stdout="", stderr="", hidden=(file,), libraries=()),
    )  # fmt: skip
    validate("verify", verify_json(report))


@pytest.fixture
def installed(tmp_path: Path, gcc: Compile, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that holds the Rust extension `kept.core`."""
    mark = '"/rustc/0123456789012345678901234567890123456789/library/core/src/lib.rs"'
    source = f"const char mark[] = {mark}; void *PyInit_core(void) {{ return 0; }}"
    core = gcc("core.so", source, "-shared", "-fPIC")
    files = {"kept/__init__.py": "", f"kept/core{EXTENSION_SUFFIXES[0]}": core}
    install(tmp_path / "site", "kept", files=files)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "site")])


def test_hooks_and_plugin_path(tmp_path: Path, printed: Print, installed: None) -> None:
    document = printed("hooks", tmp_path / "hooks")
    assert document["hooks"]
    validate("hooks", document)
    validate("plugin-path", printed("plugin-path"))


def test_plan_and_nuitka_config(tmp_path: Path, printed: Print, installed: None) -> None:
    write_files(tmp_path, {"app.py": "import kept.core\n"})
    document = printed("plan", tmp_path / "app.py")
    assert document["extensions"]
    validate("plan", document)
    validate("nuitka-config", printed("nuitka-config", tmp_path / "config.yml"))


def test_a_plan_that_a_freezer_left(wheel_file: Path) -> None:
    """A plan with all that it can hold, in the form in which a bundle keeps it."""
    evidence = Evidence(kind=EvidenceKind.C_STRING, where="a.so", detail="d")
    implicit = ImplicitImport(
        module="json", verdict=Verdict.INCLUDE, reason="r", evidence=(evidence,)
    )
    plan = BuildPlan(
        freezer="nuitka 4.3.3", python="3.11.7",
        extensions=(
            PlannedExtension(file=PurePosixPath("p/a.so"), module="p.a", distribution="p",
                             version=None),
        ),
        modules=(implicit,), left_out=(implicit,),
        companions=(Companion(path=wheel_file, destination=PurePosixPath("p/x"),
                              kind=CompanionKind.DATA, reason="r"),),
        warnings=("w",),
    )  # fmt: skip
    validate("plan", json.loads(format_plan(plan)))


def test_doctor(capfd: pytest.CaptureFixture[str]) -> None:
    run(["doctor", "--json"])  # whose answer is about this machine
    validate("doctor", json.loads(capfd.readouterr().out))


def test_trace(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_files(tmp_path, {"app.py": "import json, zoneinfo\n"})
    output = tmp_path / "trace.toml"
    command = ["trace", "--json", "-o", str(output), "--python", sys.executable]
    assert run([*command, "--", str(tmp_path / "app.py")]) == 0
    validate("trace", json.loads(capfd.readouterr().out))


def test_a_document_with_an_undocumented_key_is_refused(printed: Print, elf_module: Path) -> None:
    document = printed("inspect", elf_module)
    for change in ({"new": 1}, {"extension": None}):
        with pytest.raises(AssertionError):
            validate("inspect", {**document, **change})
    without = copy.deepcopy(document)
    del without["extension"]["rust"]
    with pytest.raises(AssertionError):
        validate("inspect", without)
