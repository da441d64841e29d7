"""Render the result of a verification as one page of HTML that loads nothing.

In: a `VerifyReport`. Out: the page: a summary, the findings, the libraries as a picture and as a
table, and what takes the room. Style and script are in `page.css` and `page.js`; the page's
policy lets a browser run that one script by its hash and nothing else (https://www.w3.org/TR/CSP3/),
so that not even a name that slipped through the escapes could.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from html import escape
from itertools import groupby
from pathlib import Path

from rustext import __version__
from rustext.data import package_text
from rustext.model.findings import Finding, Severity
from rustext.model.libraries import Edge, Missing, Resolved
from rustext.model.verification import NotJudged, PartSize, SystemFloor, VerifyReport, name_each
from rustext.report.escape import one_line
from rustext.report.library_graph import NodeKind, Picture, draw_picture, draw_svg
from rustext.report.rules import RULES, help_uri
from rustext.report.verify_text import iter_run_notes, name_verdict

_CODE = re.compile(r"`([^`]*)`")
_FOLDED = 6  # notes of one kind that are shown at once
_WIDE = 40  # characters of a fact that takes two columns
_LEGEND = {
    NodeKind.FILE: "in the bundle",
    NodeKind.HOST: "only on this machine",
    NodeKind.MISSING: "missing",
}
_UNITS = ("B", "kB", "MB", "GB", "TB")


def to_html(*verdicts: VerifyReport | NotJudged) -> str:
    """The page, with a part for each bundle; the same reports give the same bytes."""
    names = tuple(map(said, name_each(verdicts)))
    title = "; ".join(f"{n}: {said(_verdict(v))}" for n, v in zip(names, verdicts, strict=True))
    parts = (line for i, one in enumerate(verdicts) for line in _iter_part(one, names[i], i))
    return html_page(title, parts, command="verify")


def html_page(title: str, parts: Iterable[str], *, command: str) -> str:
    """A page that loads nothing; `title` and `parts` are HTML."""
    style, script = _read("page.css"), _read("page.js")
    policy = f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    lines = (
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta name="generator" content="rustext {__version__}">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{title}</title>",
        f"<style>{style}</style>",
        "</head>",
        "<body>",
        "<main>",
        *parts,
        "</main>",
        f"<footer>made by rustext {__version__} {command}</footer>",
        f"<script>{script}</script>",
        "</body>",
        "</html>",
    )
    return "\n".join(lines) + "\n"


def _verdict(verdict: VerifyReport | NotJudged) -> str:
    return "not judged" if isinstance(verdict, NotJudged) else name_verdict(verdict)


def _iter_part(report: VerifyReport | NotJudged, name: str, number: int) -> Iterator[str]:
    """All about one bundle; `number` tells its anchors from those of the others."""
    if isinstance(report, NotJudged):
        yield f'<header class="{"doubtful" if report.skipped else "bad"}">'
        yield f'<h1>{name} <span class="verdict">not judged</span></h1>'
        yield f"<p>{_prose(report.message)}</p></header>"
        return
    mark = f"-{number + 1}" if number else ""
    yield '<div class="report">'
    yield from _iter_summary(report, name)
    yield from _iter_tools(report, mark)
    yield from _iter_findings(report.findings, mark)
    yield from _iter_graph(draw_picture(report), mark)
    yield from _iter_libraries(report, mark)
    yield from _iter_sizes(report.sizes, mark)
    yield "</div>"


def _read(name: str) -> str:
    return package_text(f"report/{name}")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def said(text: object) -> str:
    """Any text, safe as the content of an element and in a quoted attribute."""
    return escape(one_line(str(text)))


def _prose(text: str) -> str:
    """A sentence in which backticks mean code."""
    return _CODE.sub(r"<code>\1</code>", said(text))


# --- summary ----------------------------------------------------------------------------------


def _iter_summary(report: VerifyReport, name: str) -> Iterator[str]:
    verdict = said(name_verdict(report))
    doubtful = any(f.severity is Severity.WARNING for f in report.findings)
    yield f'<header class="{("doubtful" if doubtful else "good") if report.ok else "bad"}">'
    yield f'<h1>{name} <span class="verdict">{verdict}</span></h1>'
    yield "<dl>"
    for label, text in _iter_facts(report):
        wide = ' class="wide"' if len(text) > _WIDE else ""
        yield f"<div{wide}><dt>{label}</dt><dd>{said(text)}</dd></div>"
    yield "</dl></header>"


def _iter_facts(report: VerifyReport) -> Iterator[tuple[str, str]]:
    yield "made by", report.freezer
    yield "platform", report.platform
    if report.target:
        yield "target", report.target
    if report.python is not None:
        yield "Python", f"{report.python.name} ({report.python.source})"
    yield "modules", str(report.modules)
    yield "Rust extensions", str(len(report.extensions))
    if report.sizes:
        files = sum(part.files for part in report.sizes)
        yield "size", f"{_size(sum(part.size for part in report.sizes))} in {files} files"
    for floor in report.floors:
        yield f"needs, on {floor.architecture}", _floor(floor)
    for program in report.programs if len(report.programs) > 1 else ():
        yield program.name, "no error" if program.ok else "has an error"
    if report.suppressed:
        yield "suppressed findings", str(report.suppressed)
    if report.unjudged:
        yield "not judged", "; ".join(report.unjudged)
    if report.run is not None:
        yield "exit code", str(report.run.code)
        yield "run", "; ".join(iter_run_notes(report.run))


def _floor(floor: SystemFloor) -> str:
    if floor.version is None:
        return f"no particular version of {floor.system}"
    known = ", ".join(filter(None, (floor.policy, *floor.systems)))
    return f"{floor.system} {floor.version} or later{f': {known}' if known else ''}"


def _iter_tools(report: VerifyReport, mark: str) -> Iterator[str]:
    yield '<nav><input type="search" placeholder="search" aria-label="search this report">'
    for severity in Severity:
        count = sum(f.severity is severity for f in report.findings)
        yield (
            f'<button type="button" class="{severity.value}" data-severity="{severity.value}" '
            f'aria-pressed="true"{"" if count else " disabled"}>{count} {severity.value}'
            f"{'' if count == 1 else 's'}</button>"
        )
    yield (
        f'<a href="#libraries{mark}">libraries</a> <a href="#table{mark}">table</a> '
        f'<a href="#sizes{mark}">sizes</a></nav>'
    )


# --- findings ---------------------------------------------------------------------------------


def _iter_findings(findings: Iterable[Finding], mark: str) -> Iterator[str]:
    yield f'<section class="findings" id="findings{mark}"><h2>Findings</h2>'
    empty = True
    for (severity, name), found in groupby(findings, key=lambda f: (f.severity, f.id)):
        empty, group = False, list(found)
        folded = severity is Severity.NOTE and len(group) > _FOLDED
        yield f'<details class="{severity.value}"{"" if folded else " open"}>'
        yield (
            f'<summary><span class="badge">{severity.value}</span> <b>{said(name)}</b> '
            f"{said(RULES.get(name, ''))} <small>{len(group)}</small></summary>"
        )
        for finding in group:
            yield from _iter_finding(finding)
        yield f'<p class="more"><a href="{said(help_uri(name))}">about {said(name)}</a></p>'
        yield "</details>"
    yield "<p>No findings.</p></section>" if empty else "</section>"


def _iter_finding(finding: Finding) -> Iterator[str]:
    yield f"<article><h3>{_prose(finding.message)}</h3><dl>"
    yield f"<dt>subject</dt><dd><code>{said(finding.subject)}</code></dd>"
    last = ""
    for label, text in finding.evidence:
        yield f"<dt>{said(label) if label != last else ''}</dt><dd><code>{said(text)}</code></dd>"
        last = label
    yield "</dl>"
    if finding.hint:
        yield f'<p class="hint"><b>hint:</b> {_prose(finding.hint)}</p>'
    yield "</article>"


# --- libraries --------------------------------------------------------------------------------


def _iter_graph(picture: Picture, mark: str) -> Iterator[str]:
    yield f'<section id="libraries{mark}"><h2>Libraries</h2>'
    yield "<p>An arrow leads from a file to a library that it needs."
    if picture.alone:
        yield f"Files that need nothing but the system's own libraries: {picture.alone}."
    if picture.left_out:
        yield f"Files that are in the table alone: {picture.left_out}."
    if picture.system:
        yield f"Not drawn: <code>{said(', '.join(picture.system))}</code>."
    yield "</p>"
    if picture.nodes:
        kinds = {node.kind for node in picture.nodes}
        several = any(node.count > 1 for node in picture.nodes)
        legend = [f'<span class="{k.value}">{_LEGEND[k]}</span>' for k in NodeKind if k in kinds]
        legend += ['<span class="several">several files</span>'] if several else []
        yield f'<p class="legend">{" ".join(legend)}</p>'
        yield f'<div class="scroll" tabindex="0">{draw_svg(picture)}</div>'
    yield "</section>"


def _iter_libraries(report: VerifyReport, mark: str) -> Iterator[str]:
    users: dict[tuple[str, str, str], list[str]] = {}
    for edge in report.libraries:
        row = (edge.soname, _found(edge), _path(edge, report.bundle))
        users.setdefault(row, []).append(edge.needed_by.name)
    yield f'<section id="table{mark}"><h2>All requests for libraries</h2>'
    yield '<div class="scroll"><table>'
    yield "<thead><tr><th>name</th><th>found by</th><th>file</th><th>needed by</th></tr></thead>"
    yield "<tbody>"
    for (soname, found, path), names in sorted(users.items()):
        known = sorted(set(names))
        most = f"{', '.join(known[:3])}{f' and {len(known) - 3} more' if len(known) > 3 else ''}"
        missing = ' class="missing"' if found == "missing" else ""
        yield (
            f"<tr{missing}><td><code>{said(soname)}</code></td><td>{said(found)}</td>"
            f'<td><code>{said(path)}</code></td><td title="{said(", ".join(known[:200]))}">'
            f"{said(most)}</td></tr>"
        )
    yield "</tbody></table></div></section>"


def _found(edge: Edge) -> str:
    return edge.how.value if isinstance(edge, Resolved) else "missing"


def _path(edge: Edge, bundle: Path) -> str:
    if isinstance(edge, Missing) or edge.path is None:
        return ""
    path = Path(os.path.normpath(edge.path))
    return path.relative_to(bundle).as_posix() if path.is_relative_to(bundle) else str(path)


# --- sizes ------------------------------------------------------------------------------------


def _iter_sizes(parts: Iterable[PartSize], mark: str) -> Iterator[str]:
    parts = tuple(parts)
    total = sum(part.size for part in parts) or 1
    most = max((part.size for part in parts), default=0) or 1
    yield f'<section id="sizes{mark}"><h2>What takes the room</h2><div class="parts">'
    for part in parts:
        many = "1 file" if part.files == 1 else f"{part.files} files"
        yield (
            f"<details><summary><code>{said(part.name or 'all that is smaller')}</code>"
            f'<svg class="bar" aria-hidden="true"><rect width="{100 * part.size / most:.1f}%" '
            f'height="100%"/></svg><span>{_size(part.size)}</span>'
            f"<small>{100 * part.size / total:.1f} %, {many}</small></summary><ul>"
        )
        for path, size in part.largest:
            yield f"<li><code>{said(path)}</code> {_size(size)}</li>"
        yield "</ul></details>"
    yield "</div></section>"


def _size(size: int) -> str:
    """`12.3 MB`, in powers of 1000."""
    value, unit = float(size), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.{0 if unit == 0 or value >= 99.95 else 1}f} {_UNITS[unit]}"
