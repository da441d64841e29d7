"""What CI services are given has the form that they document, whatever names it has to carry."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft202012Validator
from lab import uv

from rustext.model.findings import Finding, Severity
from rustext.model.verification import NotJudged, Verdicts, VerifyReport
from rustext.report.ci_formats import to_azure, to_github, to_gitlab, to_junit, to_markdown
from rustext.report.escape import one_line
from rustext.report.rules import RULES

NAMES = ["my app/a b.so", "ü%20,x::y", "a\nb\x1b\x00", "\udcff", "a|b`c", "", "]]>&<x", "::error::"]

# The keys and values that https://docs.gitlab.com/ci/testing/code_quality/ asks for; the schema by
# which GitLab reads a report, app/validators/json_schemas/codeclimate.json, wants no more.
GITLAB = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "description": {"type": "string"},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "minLength": 1},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "properties": {
                    "path": {"type": "string", "pattern": r"^(?!\./|/)"},
                    "lines": {
                        "type": "object",
                        "properties": {"begin": {"type": "integer", "minimum": 1}},
                        "required": ["begin"],
                    },
                },
                "required": ["path"],
                "anyOf": [{"required": ["lines"]}, {"required": ["positions"]}],
            },
        },
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
    },
}
# pytest's source distribution holds the schema of Jenkins' plugin, which pytest is tested against.
PYTEST = "pytest==8.4.2"
# GitHub's own library writes commands; this is its port to Python, which the index has.
TOOLKIT = "actions-toolkit==0.1.15"
ISSUE = """
import json, sys
from actions_toolkit import core
for level, title, text in json.load(open(sys.argv[1])):
    getattr(core, level)(text, title=title)
"""
BAD = "import os\n"  # what ruff has a finding about


@pytest.fixture
def verdicts() -> Verdicts:
    findings = tuple(
        Finding(id=rule, severity=severity, subject=name, message=f"about `{name}`",
                evidence=((name, name),), hint="do it")
        for name in NAMES for severity in Severity for rule in list(RULES)[:3]
    )  # fmt: skip
    facts: dict[str, Any] = {
        "freezer": "nuitka", "platform": "linux-x86_64", "target": None,
        "libraries": (), "extensions": (), "modules": 7,
    }  # fmt: skip
    return (
        VerifyReport(bundle=Path("/dist/my app"), findings=findings, **facts),
        VerifyReport(bundle=Path("/dist/good"), findings=(), **facts),
        NotJudged(bundle=Path("/dist/a\nb"), message="no\nprogram"),
        NotJudged(bundle=Path("/dist/c\nd"), message="a\ntext", skipped=True),
    )


def test_each_finding_is_one_command_of_github_and_none_begins_in_a_name(
    verdicts: Verdicts,
) -> None:
    report = verdicts[0]
    assert isinstance(report, VerifyReport)
    lines = to_github(verdicts).splitlines()
    assert len(lines) == len(report.findings) + 2
    for line in lines:
        command = re.fullmatch(r"::(error|warning|notice) title=([^:,\r\n]*)::([^\r\n]*)", line)
        assert command is not None, line
        for part in command.groups()[1:]:  # a per cent sign begins an escape, or nothing
            assert not re.search(r"%(?!25|0A|0D|3A|2C)", part), line


def test_the_issues_of_gitlab_have_its_keys_and_no_fingerprint_twice(verdicts: Verdicts) -> None:
    issues = json.loads(to_gitlab((*verdicts, verdicts[0])))
    problems = [e.message for e in Draft202012Validator(GITLAB).iter_errors(issues)]
    assert not problems, problems
    prints = [issue["fingerprint"] for issue in issues]
    assert len(set(prints)) == len(prints)
    assert json.loads(to_gitlab(())) == []


@pytest.mark.network
def test_the_commands_of_github_are_those_that_its_library_writes(
    verdicts: Verdicts, tmp_path: Path
) -> None:
    found = [f for v in verdicts if isinstance(v, VerifyReport) for f in v.findings]
    written = to_github(verdicts).splitlines()
    rows = []
    for line in written:
        level, title, text = re.fullmatch("::([a-z]+) title=(.*?)::(.*)", line).groups()  # type: ignore[union-attr]
        for escape, character in (("%3A", ":"), ("%2C", ","), ("%25", "%")):
            title = title.replace(escape, character)
        text = text.replace("%0A", "\n").replace("%25", "%")
        rows.append((level, title, text))
    assert [text.partition("\n")[0] for *_, text in rows[: len(found)]] == [
        one_line(f.message) for f in found
    ]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    command = ["run", "-q", "--no-project", "--with", TOOLKIT, "python", "-c", ISSUE]
    theirs = uv(*command, str(tmp_path / "rows.json"))
    # GitHub's own leaves out a property without a value, the port does not.
    assert theirs.replace(",file=,line=,endLine=,col=,endColumn=", "").splitlines() == written


def ruff(kind: str, folder: Path) -> str:
    """What another linter writes in a format, about one finding."""
    (folder / "bad.py").write_text(BAD)
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "bad.py"]
    return subprocess.run(
        [*command, "--output-format", kind], cwd=folder, capture_output=True, text=True, check=False
    ).stdout


def shape(value: Any) -> Any:
    """The keys and types of a JSON value; of a list, those of its first item."""
    if isinstance(value, dict):
        return {key: shape(part) for key, part in value.items()}
    return [shape(part) for part in value[:1]] if isinstance(value, list) else type(value)


def test_each_finding_is_one_command_of_azure_as_ruff_writes_it(
    verdicts: Verdicts, tmp_path: Path
) -> None:
    command = r"##vso\[task\.logissue type=(error|warning);(?:\w+=[^;\]]*;)*\](.*)"
    assert re.fullmatch(command, ruff("azure", tmp_path).strip())
    report = verdicts[0]
    assert isinstance(report, VerifyReport)
    lines = to_azure(verdicts).splitlines()
    assert len(lines) == len(report.findings) + 2
    for line in lines:
        written = re.fullmatch(command, line)
        assert written is not None, line
        assert not re.search(r"##vso\[|%(?!AZP25)", written[2])


def test_an_issue_of_gitlab_has_the_keys_that_ruff_gives_it(
    verdicts: Verdicts, tmp_path: Path
) -> None:
    theirs = json.loads(ruff("gitlab", tmp_path))
    assert not [*Draft202012Validator(GITLAB).iter_errors(theirs)]  # the check is not our own
    ours, theirs = (shape(issues[0]) for issues in (json.loads(to_gitlab(verdicts)), theirs))
    # A place is a line of the file, or a line and a column, which a program does not have.
    assert (ours["location"].pop("lines"), theirs["location"].pop("positions")["begin"]) == (
        {"begin": int},
        {"line": int, "column": int},
    )
    assert ours == theirs


@pytest.fixture(scope="session")
def junit_schema(cache: Path) -> Path:
    folder = cache / "junit-schema"
    if not (folder / "junit-10.xsd").exists():
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "--no-binary",
            "pytest",
        ]
        subprocess.run([*command, "-d", str(folder), PYTEST], check=True, timeout=300)
        with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
            name = next(n for n in archive.getnames() if n.endswith("/junit-10.xsd"))
            member = archive.extractfile(name)
            assert member is not None
            (folder / "junit-10.xsd").write_bytes(member.read())
    return folder / "junit-10.xsd"


@pytest.mark.network
def test_junit_fits_the_schema_of_jenkins(
    verdicts: Verdicts, junit_schema: Path, tmp_path: Path
) -> None:
    check = ["tool", "run", "--from", "xmlschema", "xmlschema-validate", "--schema"]
    for number, judged in enumerate((verdicts, verdicts[1:2], ())):
        (tmp_path / f"{number}.xml").write_text(to_junit(judged), encoding="utf-8")
    assert " is not valid" not in uv(*check, str(junit_schema), *map(str, tmp_path.glob("*.xml")))
    (tmp_path / "bad.xml").write_text("<testsuites><testcase/></testsuites>")
    with pytest.raises(AssertionError, match=r"bad\.xml"):
        uv(*check, str(junit_schema), str(tmp_path / "bad.xml"))


def test_junit_is_xml_with_the_counts_that_it_claims(verdicts: Verdicts) -> None:
    root = ET.fromstring(to_junit(verdicts))
    assert root.tag == "testsuites"
    assert [suite.get("name") for suite in root] == ["my app", "good", r"a\nb", r"c\nd"]
    for suite in root:
        assert suite.tag == "testsuite"
        for key, tag in (
            ("tests", "testcase"), ("failures", "failure"), ("errors", "error"),
            ("skipped", "skipped"),
        ):  # fmt: skip
            assert suite.get(key) == str(len(suite.findall(f".//{tag}")))
    assert [suite.get("skipped") for suite in root] == ["0", "0", "0", "1"]
    errors = [f for v in verdicts if isinstance(v, VerifyReport) for f in v.findings]
    failures = sum(f.severity is Severity.ERROR for f in errors)
    assert root[0].get("failures") == str(failures)


def test_a_row_of_markdown_has_four_cells_whatever_it_holds(verdicts: Verdicts) -> None:
    rows = [line for line in to_markdown(verdicts).splitlines() if line.startswith("| ")]
    for row in rows:
        assert len(re.findall(r"(?<!\\)\|", row)) == 5, row
    assert "<x" not in re.sub(r"\\.|`[^`]*`", "", to_markdown(verdicts))
