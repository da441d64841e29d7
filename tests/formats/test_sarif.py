"""SARIF passes the official schema, whatever names it has to carry."""

from __future__ import annotations

import json
import subprocess
from base64 import b64decode
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import pytest
from jsonschema import Draft7Validator

from rustext.cli.main import run
from rustext.model.findings import Finding, Severity
from rustext.model.verification import NotJudged, VerifyReport
from rustext.report.rules import RULES, help_uri
from rustext.report.sarif import sarif_document

# OASIS publishes the schema on a web server; the registry has it as a part of this crate.
CRATE, VERSION = "serde-sarif", "0.8.0"
MANIFEST = f"""
[package]
name = "schema"
version = "0.0.0"
edition = "2021"
[lib]
path = "lib.rs"
[dependencies]
{CRATE} = {{ version = "={VERSION}", default-features = false }}
"""


@pytest.fixture(scope="session")
def schema(cache: Path) -> dict[str, Any]:
    folder = cache / "sarif-schema"
    folder.mkdir(exist_ok=True)
    (folder / "lib.rs").touch()
    (folder / "Cargo.toml").write_text(MANIFEST)
    command = ["cargo", "metadata", "--quiet", "--format-version", "1"]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=True, timeout=300)
    packages = {p["name"]: p["manifest_path"] for p in json.loads(done.stdout)["packages"]}
    loaded = json.loads(Path(packages[CRATE]).with_name("src").joinpath("schema.json").read_text())
    assert loaded["$id"].endswith("/oasis-tcs/sarif-spec/master/Schemata/sarif-schema-2.1.0.json")
    assert loaded["properties"]["version"]["enum"] == ["2.1.0"]
    return dict(loaded)


def validate(schema: dict[str, Any], document: Any) -> None:
    problems = [
        f"{e.json_path}: {e.message}" for e in Draft7Validator(schema).iter_errors(document)
    ]
    assert not problems, problems


def a_report(*findings: Finding) -> VerifyReport:
    return VerifyReport(
        bundle=Path("/dist/my app"), freezer="nuitka", platform="linux-x86_64", target=None,
        findings=findings, libraries=(), extensions=(), modules=7,
    )  # fmt: skip


def a_finding(subject: str, **others: Any) -> Finding:
    facts = {"id": "missing-library", "severity": Severity.ERROR, "message": "m", **others}
    return Finding(subject=subject, **facts)


NAMES = ["my app/a b.so", "my app/ü%20.so", "my app/\udcff.so", "a\nb\x1b", "uuid", ""]


@pytest.mark.network
def test_every_finding_passes_the_official_schema(schema: dict[str, Any]) -> None:
    findings = [
        a_finding(name, id=rule, severity=severity, message=f"`{name}`", hint="do it",
                  evidence=(("needed by", name), (name, "text")))
        for name in NAMES for severity in Severity for rule in RULES
    ]  # fmt: skip
    validate(schema, sarif_document(a_report(*findings)))
    validate(schema, sarif_document(a_report()))


@pytest.mark.network
def test_what_was_not_judged_is_a_run_without_results(schema: dict[str, Any]) -> None:
    others = [
        NotJudged(bundle=Path(f"/dist/{skipped}"), message="no program", skipped=skipped)
        for skipped in (True, False)
    ]
    report = a_report()
    archived = replace(report, bundle=Path("/dist/app.zip") / report.bundle.name)
    document = sarif_document(report, *others, archived)
    validate(schema, document)
    ends = [a_run["invocations"][0]["executionSuccessful"] for a_run in document["runs"]]
    assert ends == [True, True, False, True]
    # GitHub refuses a log in which two runs of a tool have one name.
    assert len({a_run["automationDetails"]["id"] for a_run in document["runs"]}) == len(ends)


@pytest.mark.network
def test_the_schema_refuses_what_is_no_sarif(schema: dict[str, Any]) -> None:
    document = sarif_document(a_report(a_finding("x")))
    document["runs"][0]["results"][0]["level"] = "fatal"
    with pytest.raises(AssertionError, match="fatal"):
        validate(schema, document)


@pytest.mark.network
def test_what_the_command_writes_passes(
    schema: dict[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "a.c"
    source.write_text("int main(void) { return 0; }")
    (tmp_path / "app").mkdir()
    left_out = str(tmp_path / "libleftout.so")
    subprocess.run(["gcc", "-shared", str(source), "-o", left_out], check=True)
    command = ["gcc", str(source), "-o", str(tmp_path / "app" / "app"), "-Wl,--no-as-needed"]
    subprocess.run([*command, left_out, "-Wl,-rpath,/build/lib"], check=True)
    assert run(["verify", str(tmp_path / "app"), "--format", "sarif"]) == 1
    document = json.loads(capfd.readouterr().out)
    assert document["runs"][0]["results"]
    validate(schema, document)


@pytest.mark.network
def test_a_fix_that_a_viewer_applies_gives_the_repaired_file(
    schema: dict[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.c").write_text("int main(void) { return 0; }")
    app = tmp_path / "my app"
    app.mkdir()
    path = "-Wl,-rpath,$ORIGIN/../..:$ORIGIN"
    subprocess.run(["gcc", str(tmp_path / "a.c"), "-o", str(app / "app"), path], check=True)
    (app / "app").chmod(0o755)
    run(["repair", str(app), "-o", str(tmp_path / "new"), "--format", "sarif"])
    document = json.loads(capfd.readouterr().out)
    validate(schema, document)
    (fix,) = [f for result in document["runs"][0]["results"] for f in result.get("fixes", ())]
    (change,) = fix["artifactChanges"]
    assert change["artifactLocation"] == {"uri": "my%20app/app", "uriBaseId": "BUNDLE"}
    content = bytearray((app / "app").read_bytes())
    for replacement in change["replacements"]:
        region = replacement["deletedRegion"]
        end = region["byteOffset"] + region["byteLength"]
        content[region["byteOffset"] : end] = b64decode(replacement["insertedContent"]["binary"])
    assert content != (app / "app").read_bytes()
    assert content == (tmp_path / "new" / "app").read_bytes()


# --- content ----------------------------------------------------------------------------------


def test_a_result_names_its_rule_and_the_rule_its_page() -> None:
    findings = [a_finding("x", id=name) for name in RULES]
    (a_run,) = sarif_document(a_report(*findings))["runs"]
    rules = a_run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == sorted(RULES)
    for result in a_run["results"]:
        rule = rules[result["ruleIndex"]]
        assert rule["id"] == result["ruleId"]
        assert rule["helpUri"] == help_uri(rule["id"])
        assert rule["shortDescription"]["text"] == RULES[rule["id"]]


@pytest.mark.parametrize(
    ("subject", "evidence", "place"),
    [
        ("my app/a b.so", (), "my app/a b.so"),
        ("libx.so", (("needed by", "my app/b.so"), ("needed by", "my app/c.so")), "my app/b.so"),
        ("libx.so", (("found", "/lib/libx.so"),), "my app"),
        ("my app/\udcff%.so", (), "my app/\udcff%.so"),
        ("libx.so", (("in", "my app/b.so (DT_RUNPATH)"),), "my app/b.so"),
        ("libx.so", (("file", "my app/b.so: the file is empty"),), "my app/b.so"),
        ("my app/gone.so", (("in", "my app/b.so"),), "my app/b.so"),
        ("my app: 3 more", (), "my app"),
        ("my app/a b.so (DT_RPATH)", (), "my app/a b.so"),
        ("../my app/a b.so", (), "my app"),
        ("/my app/a b.so", (), "my app"),
        ("my app/a b.so/", (), "my app"),
        ("my app/b.so?x=1#y", (), "my app"),
        ("::error::x", (("in", "my app/gone.so"), ("in", "my app/c.so")), "my app/c.so"),
        ("libx.so", (("in", "http://my app/b.so"),), "my app"),
        ("", (), "my app"),
    ],
    ids=range(16),
)
def test_a_result_lies_in_the_file_that_it_speaks_of(
    subject: str, evidence: tuple[tuple[str, str], ...], place: str, tmp_path: Path
) -> None:
    (tmp_path / "my app").mkdir()
    for name in ("a b.so", "b.so", "c.so", "\udcff%.so"):
        (tmp_path / "my app" / name).touch()
    report = a_report(a_finding(subject, evidence=evidence))
    (a_run,) = sarif_document(replace(report, bundle=tmp_path / report.bundle.name))["runs"]
    location = a_run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    base = a_run["originalUriBaseIds"][location["uriBaseId"]]["uri"]
    assert base == f"{tmp_path.as_uri()}/"
    assert urlsplit(base + location["uri"]).query == ""
    assert unquote_to_bytes(location["uri"]).decode("utf-8", "surrogateescape") == place


def test_the_same_finding_has_the_same_fingerprint_and_another_has_another() -> None:
    findings = [a_finding(name, message=message) for name in NAMES for message in "ab"]
    (a_run,) = sarif_document(a_report(*findings, *findings))["runs"]
    prints = [result["partialFingerprints"]["finding/v1"] for result in a_run["results"]]
    assert len(set(prints)) == len(findings)
    assert prints[: len(findings)] == prints[len(findings) :]
