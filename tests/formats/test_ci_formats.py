"""What CI services are given has the form that they document, whatever names it has to carry."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft202012Validator

from rustext.model.findings import Finding, Severity
from rustext.model.verification import NotJudged, Verdicts, VerifyReport
from rustext.report.ci_formats import to_github, to_gitlab, to_junit, to_markdown
from rustext.report.rules import RULES

NAMES = ["my app/a b.so", "ü%20,x::y", "a\nb\x1b\x00", "\udcff", "a|b`c", "", "]]>&<x", "::error::"]

# The keys and values that https://docs.gitlab.com/ci/testing/code_quality/ asks for.
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
                "required": ["path", "lines"],
            },
        },
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
    },
}
# What a case may hold, and the attributes that it must have: junit-10.xsd of Jenkins' plugin.
CASES = {"failure", "error", "system-out", "system-err", "skipped"}


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
    )


def test_each_finding_is_one_command_of_github_and_none_begins_in_a_name(
    verdicts: Verdicts,
) -> None:
    report = verdicts[0]
    assert isinstance(report, VerifyReport)
    lines = to_github(verdicts).splitlines()
    assert len(lines) == len(report.findings) + 1
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


def test_junit_is_xml_with_the_counts_that_it_claims(verdicts: Verdicts) -> None:
    root = ET.fromstring(to_junit(verdicts))
    assert root.tag == "testsuites"
    assert [suite.get("name") for suite in root] == ["my app", "good", r"a\nb"]
    for suite in root:
        assert suite.tag == "testsuite"
        for key, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error")):
            assert suite.get(key) == str(len(suite.findall(f".//{tag}")))
        for case in suite:
            assert {"name", "classname"} == set(case.attrib)
            assert {child.tag for child in case} <= CASES
    errors = [f for v in verdicts if isinstance(v, VerifyReport) for f in v.findings]
    failures = sum(f.severity is Severity.ERROR for f in errors)
    assert root[0].get("failures") == str(failures)


def test_a_row_of_markdown_has_four_cells_whatever_it_holds(verdicts: Verdicts) -> None:
    rows = [line for line in to_markdown(verdicts).splitlines() if line.startswith("| ")]
    for row in rows:
        assert len(re.findall(r"(?<!\\)\|", row)) == 5, row
    assert "<x" not in re.sub(r"\\.|`[^`]*`", "", to_markdown(verdicts))
