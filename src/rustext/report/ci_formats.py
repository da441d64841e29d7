"""Render verdicts in the forms that CI services show next to a change.

In: the verdict on each bundle. Out: one document in the form of

- GitHub's workflow commands, which become annotations:
  https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
- Azure's logging commands, which do the same:
  https://learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands
- GitLab's code quality report:
  https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
- JUnit's XML, a suite a bundle and a case a finding, as Jenkins and others read it:
  https://github.com/jenkinsci/xunit-plugin/blob/master/src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd/junit-10.xsd
- Markdown, for the summary of a job.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from typing import Any
from xml.etree import ElementTree as ET

from rustext.model.findings import Finding, Severity
from rustext.model.verification import NotJudged, Verdicts, VerifyReport, name_each
from rustext.report.escape import one_line
from rustext.report.rules import help_uri
from rustext.report.sarif import place_of, text_of
from rustext.report.verify_text import iter_notes, name_verdict

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
_WEIGHTS = {Severity.ERROR: "critical", Severity.WARNING: "minor", Severity.NOTE: "info"}
# Characters that XML 1.0 cannot hold: https://www.w3.org/TR/xml/#charsets
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
MARK = "<!-- rustext -->"  # by which an earlier report is known
_COUNTS = (
    ("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped"),
)  # fmt: skip
_NOT_PLAIN = re.compile(r"([\\`*_\[\]<>|#])")


def _with_page(finding: Finding) -> str:
    return f"{text_of(finding)}\n{help_uri(finding.id)}"


# --- GitHub -----------------------------------------------------------------------------------


def to_github(verdicts: Verdicts) -> str:
    """A workflow command for each finding."""
    rows = []
    for name, one in zip(name_each(verdicts), verdicts, strict=True):
        if isinstance(one, VerifyReport):
            rows += [
                _command(_LEVELS[f.severity], f"{f.id} in {name}", _with_page(f))
                for f in one.findings
            ]
        else:
            level = "notice" if one.skipped else "error"
            rows.append(_command(level, f"{name} is not judged", one_line(one.message)))
    return "".join(rows)


def _command(level: str, title: str, text: str) -> str:
    said = one_line(f"rustext: {title}").replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
    body = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return f"::{level} title={said}::{body}\n"


# --- Azure ------------------------------------------------------------------------------------


def to_azure(verdicts: Verdicts) -> str:
    """A logging command for each finding; a note is a warning, which is the least there is."""
    rows = []
    for title, one in zip(name_each(verdicts), verdicts, strict=True):
        if isinstance(one, VerifyReport):
            rows += [
                (f.severity is Severity.ERROR, f.id, f"{title}: {_with_page(f)}")
                for f in one.findings
            ]
        else:
            rows.append((not one.skipped, "not-judged", f"{title}: {one.message}"))
    return "".join(
        f"##vso[task.logissue type={'error' if bad else 'warning'};code={name};]"
        f"{'; '.join(map(one_line, text.splitlines())).replace('%', '%AZP25')}\n"
        for bad, name, text in rows
    )


# --- GitLab -----------------------------------------------------------------------------------


def to_gitlab(verdicts: Verdicts) -> str:
    """A list of issues; a fingerprint that comes twice is told apart, as GitLab wants it."""
    seen: dict[str, int] = {}
    rows = []
    found = [(r, f) for r in verdicts if isinstance(r, VerifyReport) for f in r.findings]
    for report, finding in found:
        identity = "\0".join((report.bundle.name, finding.id, finding.subject, finding.message))
        count = seen[identity] = seen.get(identity, 0) + 1
        text = f"{identity}\0{count}".encode("utf-8", "surrogatepass")
        rows.append(
            {
                "description": text_of(finding),
                "check_name": finding.id,
                "fingerprint": hashlib.sha256(text).hexdigest(),
                "severity": _WEIGHTS[finding.severity],
                "location": {
                    "path": one_line(place_of(finding, report.bundle)),
                    "lines": {"begin": 1},
                },
            }
        )
    for one in verdicts:
        if isinstance(one, NotJudged):
            digest = hashlib.sha256(str(one.bundle).encode("utf-8", "surrogatepass")).hexdigest()
            rows.append(
                {
                    "description": one_line(one.message),
                    "check_name": "not-judged",
                    "fingerprint": digest,
                    "severity": "info" if one.skipped else "blocker",
                    "location": _location(one.bundle.name),
                }
            )
    return json.dumps(rows, indent=2) + "\n"


def _location(path: str) -> dict[str, Any]:
    return {"path": one_line(path), "lines": {"begin": 1}}


# --- JUnit ------------------------------------------------------------------------------------


def to_junit(verdicts: Verdicts) -> str:
    """A suite for each bundle: errors are failures, all else is a case with output."""
    root = ET.Element("testsuites", name="rustext")
    for title, one in zip(name_each(verdicts), verdicts, strict=True):
        name = _xml(title)
        suite = ET.SubElement(root, "testsuite", name=name)
        if isinstance(one, NotJudged):
            case = ET.SubElement(suite, "testcase", classname=name, name="judged")
            tag = "skipped" if one.skipped else "error"
            ET.SubElement(case, tag, message=_xml(one.message))
        else:
            for finding in one.findings:
                _add_case(suite, name, finding)
            if not one.findings:
                ET.SubElement(suite, "testcase", classname=name, name=name_verdict(one))
            if notes := "\n".join(map(_xml, iter_notes(one))):
                ET.SubElement(suite, "system-out").text = notes
        for key, tag in _COUNTS:
            suite.set(key, str(sum(1 for _ in suite.iter(tag))))
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'


def _add_case(suite: ET.Element, bundle: str, finding: Finding) -> None:
    name = _xml(f"{finding.id}: {finding.subject}")
    case = ET.SubElement(suite, "testcase", classname=bundle, name=name)
    text = "\n".join(map(_xml, _with_page(finding).split("\n")))
    if finding.severity is Severity.ERROR:
        said = _xml(finding.message)
        ET.SubElement(case, "failure", type=finding.id, message=said).text = text
    else:
        ET.SubElement(case, "system-out").text = f"{finding.severity.value}: {text}"


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", one_line(text))


# --- Markdown ---------------------------------------------------------------------------------


def to_markdown(verdicts: Verdicts) -> str:
    """A section for each bundle, with a table of its findings."""
    named = zip(map(plain, name_each(verdicts)), verdicts, strict=True)
    return "\n".join(line for name, one in named for line in _iter_section(name, one))


def _iter_section(name: str, one: VerifyReport | NotJudged) -> Iterable[str]:
    if isinstance(one, NotJudged):
        yield f"## {name}: not judged\n\n{MARK}\n\n{plain(one.message)}\n"
        return
    yield f"## {name} {plain(name_verdict(one))}\n\n{MARK}\n"
    if one.findings:
        yield "| | finding | message | hint |\n|---|---|---|---|"
    for finding in one.findings:
        yield (
            f"| {finding.severity.value} "
            f"| [{finding.id}]({help_uri(finding.id)}) "
            f"| {plain(finding.message)} | {plain(finding.hint or '')} |"
        )
    said = f"{one.freezer}, {one.platform}, {len(one.findings)} findings"
    said += f", {one.suppressed} suppressed" if one.suppressed else ""
    yield f"\n{plain(said)}.\n"
    yield from (f"- {plain(note)}" for note in iter_notes(one))
    yield ""


def plain(text: str) -> str:
    """A text that means itself in a table, but for `code`."""
    parts = one_line(text).split("`")
    if len(parts) % 2 == 0:
        return _NOT_PLAIN.sub(r"\\\1", one_line(text))
    return "".join(
        f"`{part}`".replace("|", "\\|") if number % 2 else _NOT_PLAIN.sub(r"\\\1", part)
        for number, part in enumerate(parts)
    )
