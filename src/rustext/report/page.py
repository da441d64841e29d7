"""What a command says, as one document: Markdown for the summary of a job, or a page of HTML.

In: the lines, headings and tables that a command prints. Out: a document that begins with the
command; what is neither heading nor table is shown as it is on a terminal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rustext.report.ci_formats import MARK, plain
from rustext.report.console import Console, Segment
from rustext.report.escape import one_line
from rustext.report.html import html_page, said

_Row = Sequence[str]
_Lines = tuple[str, ...]
_Table = list[_Row]
_TICKS = re.compile("`+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Console):
    """A console that collects what is printed; `render` makes the document."""

    title: str
    blocks: list[str | _Lines | _Table] = field(default_factory=list)  # headings are strings

    def heading(self, title: str, more: str = "") -> None:
        """Begin a part of the document."""
        self.blocks.append(one_line(f"{title}{more}"))

    def line(self, *segments: Segment, indent: int | None = None) -> None:  # noqa: ARG002
        """Add a line to those before it."""
        text = one_line("".join(s if isinstance(s, str) else s[0] for s in segments))
        self.blocks.append((text,))

    def table(self, rows: Sequence[_Row]) -> None:
        """Add a table; the first row is its head."""
        self.blocks.append(list(rows))

    def render(self, kind: str) -> str:
        """The document; `kind` is `markdown` or `html`."""
        if kind == "html":
            return html_page(said(self.title), self._iter_html(), command=self.title.split()[1])
        return "\n".join((f"## {plain(self.title)}", "", MARK, "", *self._iter_markdown()))

    def _iter_parts(self) -> Iterator[str | _Lines | _Table]:
        """The blocks, with neighbouring lines as one."""
        lines: list[str] = []
        for block in (*self.blocks, ""):
            if isinstance(block, tuple):
                lines += block
                continue
            text = "\n".join(lines).strip("\n")
            lines = []
            if text:
                yield (text,)
            if block:
                yield block

    def _iter_markdown(self) -> Iterator[str]:
        for part in self._iter_parts():
            if isinstance(part, str):
                yield f"### {plain(part)}\n"
            elif isinstance(part, tuple):
                fence = "`" * max(3, *(len(ticks) + 1 for ticks in _TICKS.findall(part[0])), 0)
                yield f"{fence}text\n{part[0]}\n{fence}\n"
            else:
                head, *rows = ([plain(cell) for cell in row] for row in part)
                lines = (head, ["---"] * len(head), *rows)
                yield "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"

    def _iter_html(self) -> Iterator[str]:
        yield f"<header><h1>{said(self.title)}</h1></header>"
        for part in self._iter_parts():
            if isinstance(part, str):
                yield f"<h2>{said(part)}</h2>"
            elif isinstance(part, tuple):
                text = "\n".join(map(said, part[0].split("\n")))
                yield f'<div class="scroll" tabindex="0"><pre>{text}</pre></div>'
            else:
                rows = ["".join(f"<td>{said(cell)}</td>" for cell in row) for row in part]
                head = rows[0].replace("td>", "th>")
                body = "".join(f"<tr>{row}</tr>" for row in rows[1:])
                yield f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead>'
                yield f"<tbody>{body}</tbody></table></div>"
