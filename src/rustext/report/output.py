"""Put the result of a verification where it was asked for, in the format that was asked for.

In: a `VerifyReport`. Out: text on stdout or in a file. A file that holds something other than an
earlier report is never replaced.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path

from rustext.errors import UnreadableFile
from rustext.model.verification import Verdicts, VerifyReport
from rustext.report.ci_formats import to_azure, to_github, to_gitlab, to_junit, to_markdown
from rustext.report.console import Console
from rustext.report.documents import to_json, verdicts_json
from rustext.report.html import to_html
from rustext.report.sarif import sarif_document
from rustext.report.verify_text import print_verdicts


class ReportFormat(Enum):
    """How a report is written."""

    TEXT = "text"
    JSON = "json"
    HTML = "html"
    SARIF = "sarif"
    GITHUB = "github"
    AZURE = "azure"
    GITLAB = "gitlab"
    JUNIT = "junit"
    MARKDOWN = "markdown"


def render(verdicts: VerifyReport | Verdicts, kind: ReportFormat, **how: bool) -> str:
    """One document that ends with a line feed; `how` is what `print_verdicts` takes, for text."""
    several = verdicts if isinstance(verdicts, tuple) else (verdicts,)
    if kind is ReportFormat.TEXT:
        out = io.StringIO()
        print_verdicts(Console(stream=out), several, **how)
        return out.getvalue()
    return _RENDERERS[kind](several)


_RENDERERS: Mapping[ReportFormat, Callable[[Verdicts], str]] = {
    ReportFormat.JSON: lambda verdicts: to_json(verdicts_json(verdicts)),
    ReportFormat.SARIF: lambda verdicts: to_json(sarif_document(*verdicts)),
    ReportFormat.HTML: lambda verdicts: to_html(*verdicts),
    ReportFormat.GITHUB: to_github,
    ReportFormat.AZURE: to_azure,
    ReportFormat.GITLAB: to_gitlab,
    ReportFormat.JUNIT: to_junit,
    ReportFormat.MARKDOWN: to_markdown,
}


# How a report of each format begins.
_BEGINNINGS = re.compile(
    rb'\A\{\n  "bundle": |'
    rb'\A\{\n  "ok": [a-z]+,\n  "reports": \[|'
    rb'\A\{\n  ("extensions?": [\[{]|"ok": [a-z]+,\n  "checks": |"version": 1,\n  "rustext": )|'
    rb"\Alevel +finding +number\n|"
    rb"\A(module or file  |\d+ Rust of |(ok|error|warning) +python |Rust extensions \(\d)|"
    rb"\A[^\n]+\n  file           |"
    rb'\A\[\]\n\Z|\A\[\n  \{\n    "description": [^\n]+\n    "check_name": |'
    rb'\A<\?xml [^\n]+\n<testsuites name="rustext"|'
    rb"\A## [^\n]+\n\n<!-- rustext -->|"
    rb"\A::(error|warning|notice) title=rustext|"
    rb"\A##vso\[task.logissue type=(error|warning);code=[a-z-]+;\]|"
    rb"\A(error|warning|note)\[[a-z-]+\]: |"
    rb'\A\{\n  "bomFormat": "CycloneDX",[^~]*?"name": "rustext"|'
    rb'\A\{\n  "\$schema": "[^"]*sarif[^"]*",[^~]*"name": "rustext"|'
    rb"\A<!DOCTYPE html>[^~]*<meta name=\"generator\" content=\"rustext |"
    rb"\A[^\n]+ \([^\n]+\) "
    rb"((stands|may not stand|does not stand) alone|shows no fault|is not ready for [^\n ]+): "
)


def write_report(text: str, path: Path) -> None:
    """Write a report into a file.

    An earlier report is replaced, as other tools do; any other file is left alone. What is no
    regular file (`/dev/stdout`, a pipe) is written to. Raises `UnreadableFile`.
    """
    try:
        if path.is_file() and not _may_be_replaced(path):
            raise UnreadableFile(
                f"{path} is there already, and is no report of rustext",
                hint="name another file, or remove this one",
            )
        path.write_bytes(text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be written: {error.strerror}") from error


def _may_be_replaced(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(4096)
    return not start or _BEGINNINGS.search(start) is not None
