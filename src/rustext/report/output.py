"""Put the result of a verification where it was asked for, in the format that was asked for.

In: a `VerifyReport`. Out: text on stdout or in a file. A file that holds something other than an
earlier report is never replaced.
"""

from __future__ import annotations

import io
import re
from enum import Enum
from pathlib import Path

from rustext.errors import UnreadableFile
from rustext.model.verification import VerifyReport
from rustext.report.console import Console
from rustext.report.documents import to_json, verify_json
from rustext.report.html import to_html
from rustext.report.sarif import sarif_document
from rustext.report.verify_text import print_verify


class ReportFormat(Enum):
    """How a report is written."""

    TEXT = "text"
    JSON = "json"
    HTML = "html"
    SARIF = "sarif"


def render(report: VerifyReport, kind: ReportFormat, *, verbose: bool = False) -> str:
    """The report as a text that ends with a line feed; `verbose` is for `ReportFormat.TEXT`."""
    if kind is ReportFormat.JSON:
        return to_json(verify_json(report))
    if kind is ReportFormat.SARIF:
        return to_json(sarif_document(report))
    if kind is ReportFormat.HTML:
        return to_html(report)
    out = io.StringIO()
    print_verify(Console(stream=out), report, verbose=verbose)
    return out.getvalue()


# How a report of each format begins.
_BEGINNINGS = re.compile(
    rb'\A\{\n  "bundle": |'
    rb"\A(error|warning|note)\[[a-z-]+\]: |"
    rb'\A\{\n  "\$schema": "[^"]*sarif[^"]*",[^~]*"name": "rustext"|'
    rb"\A<!DOCTYPE html>[^~]*<meta name=\"generator\" content=\"rustext |"
    rb"\A[^\n]+ \([^\n]+\) "
    rb"(stands alone|shows no fault|does not stand alone|is not ready for [^\n ]+): "
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
