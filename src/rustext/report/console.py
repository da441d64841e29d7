"""Where commands write: whole lines for a pipe or a file, styled ones that fit for a terminal.

In: lines made of segments, each of them plain or with a style, and documents as they are. Out: text
on a stream. What segments hold is made printable here, so that no name of a file gets past it.
"""

from __future__ import annotations

import io
import os
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import TextIO

from rustext.report.escape import one_line

_UNKNOWN_WIDTH = 80  # columns
_LEAST_ROOM = 20  # columns beside an indentation
_QUOTED = re.compile(r"`[^`]*`")  # to be copied, and so not broken
_CLEAR_LINE = "\r\x1b[2K"
_DUMB = frozenset({"dumb", "unknown"})  # terminals that know no control sequences


class Style(Enum):
    """How a segment looks: the parameters of SGR, ECMA-48 8.3.117."""

    BOLD = "1"
    DIM = "2"
    RED = "31"
    GREEN = "32"
    YELLOW = "33"
    CYAN = "36"
    BOLD_RED = "1;31"
    BOLD_YELLOW = "1;33"


# Text, its style, and the address that a terminal opens when the text is clicked.
Segment = str | tuple[str, Style] | tuple[str, Style, str]
_Part = tuple[str, Style | None, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """A stream, and what it can show.

    `width` is the terminal's, in columns; None leaves lines whole. `unicode` is whether lines of
    a tree can be drawn.
    """

    stream: TextIO
    width: int | None = None
    styled: bool = False
    unicode: bool = True

    def write(self, text: str) -> None:
        """Write a text as it is, such as a document for a machine."""
        self.stream.write(text)
        self.stream.flush()

    def line(self, *segments: Segment, indent: int | None = None) -> None:
        """Print one line. With an `indent` it is broken between words where the terminal ends.

        What comes on further lines then is indented by so many columns; within as many at the
        start, and within backticks, nothing is broken.
        """
        shown = [_part(segment) for segment in segments]
        whole = "".join(text for text, *_ in shown)
        if one_line(whole) != whole:  # what two parts make together
            whole = one_line(whole)
            shown = [(whole, None, "")]
        if indent is None or self.width is None:
            self.write(self._paint(shown, 0, len(whole)) + "\n")
            return
        rows = [self._paint(shown, *span) for span in _break(whole, self.width, indent)]
        self.write(f"\n{' ' * indent}".join(rows) + "\n")

    def heading(self, title: str, more: str = "") -> None:
        """Print the line above a part of what is said."""
        self.line((title, Style.BOLD), more)

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Print rows in columns, the first of them as a head; there is at least one.

        On a terminal that is too narrow, each row is a line and what is below it.
        """
        shown = [[one_line(cell) for cell in row] for row in rows]
        *widths, last = [max(map(len, column)) for column in zip(*shown, strict=True)]
        if self.width is not None and sum(widths) + 2 * len(widths) + last > self.width:
            for first, *others in shown[1:]:
                known = zip(shown[0][1:], others, strict=True)
                self.line((first, Style.BOLD))
                self.line(f"  {', '.join(f'{h} {c}' for h, c in known if c != '-')}", indent=4)
            return
        for number, row in enumerate(shown):
            text = "  ".join((*map(str.ljust, row, widths), row[-1]))
            self.line((text, Style.BOLD) if number == 0 else text)

    def _paint(self, parts: Sequence[_Part], start: int, stop: int) -> str:
        """The text between two columns of a line, with the styles and links of its parts.

        Links are for terminals alone, which ignore what they do not know:
        https://gist.github.com/egmontkob/eb114294efbcd5adb1944c9f3cb5feda
        """
        painted, at = "", 0
        for text, style, address in parts:
            piece = text[max(start - at, 0) : max(stop - at, 0)]
            if piece and style is not None and self.styled:
                piece = f"\x1b[{style.value}m{piece}\x1b[0m"
                if address and self.width is not None:
                    piece = f"\x1b]8;;{address}\x1b\\{piece}\x1b]8;;\x1b\\"
            painted += piece
            at += len(text)
        return painted


def _part(segment: Segment) -> _Part:
    if isinstance(segment, str):
        return one_line(segment), None, ""
    return one_line(segment[0]), segment[1], segment[2] if len(segment) == 3 else ""


def counted(number: int, noun: str) -> str:
    """A number of things, for people: `1 file`, `2 files`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def print_error(console: Console, message: str, hint: str | None = None) -> None:
    """Say why a question cannot be answered; what a path holds stays on one line."""
    console.line(("error:", Style.RED), f" {message}")
    if hint:
        console.line(("hint:", Style.BOLD), f" {hint}")


def describe_error(error: Exception) -> tuple[str, str | None]:
    """The message and the hint of an error, in the system's own words where it is the system's."""
    if isinstance(error, MemoryError):
        return "the memory that this process may use is exhausted", None
    if isinstance(error, FileNotFoundError) and error.filename is None:  # os.getcwd
        return "the current folder is gone", "change to one that is there"
    if isinstance(error, OSError):
        return ": ".join(str(p) for p in (error.filename, error.strerror or error) if p), None
    return str(error), getattr(error, "hint", None)


def _break(text: str, width: int, indent: int) -> Iterator[tuple[int, int]]:
    """Where the lines of a text begin and end. A word that is too long is not broken either."""
    glued = _QUOTED.sub(lambda match: match[0].replace(" ", "\xa0"), text)
    glued = glued[:indent].replace(" ", "\xa0") + glued[indent:]
    lines = textwrap.wrap(
        glued,
        max(width, indent + _LEAST_ROOM),
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    end = 0
    for line in lines or [""]:
        start = glued.index(line.strip(" "), end)
        end = start + len(line.strip(" "))
        yield start, end


def open_console(stream: TextIO | None, env: Mapping[str, str] = os.environ) -> Console:
    """The console on a stream; None, as Python has it for a closed one, takes everything.

    `env` has a say as users expect it from any program.

    https://no-color.org, https://force-color.org; in Python's own order of precedence:
    https://docs.python.org/3/using/cmdline.html#controlling-color
    """
    stream = stream or io.StringIO()
    terminal = stream.isatty()
    styled = terminal and env.get("TERM") not in _DUMB
    return Console(
        stream=stream,
        width=_width(stream, env) if terminal else None,
        styled=not env.get("NO_COLOR") and (bool(env.get("FORCE_COLOR")) or styled),
        unicode=(stream.encoding or "utf-8").lower().startswith("utf"),
    )


def _width(stream: TextIO, env: Mapping[str, str]) -> int:
    columns = env.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns or _UNKNOWN_WIDTH
    except OSError:
        return _UNKNOWN_WIDTH


@contextmanager
def progress_line(text: str, *, quiet: bool) -> Iterator[Callable[[str], None]]:
    """Show on stderr what lasts; on a terminal alone, and it leaves no trace.

    What is yielded shows more behind the text, such as a count, in place of what it showed before;
    the text is cut short for it where the terminal ends.
    """
    console = open_console(sys.stderr)
    width = console.width
    if quiet or width is None or os.environ.get("TERM") in _DUMB:
        yield lambda _: None
        return

    def show(more: str) -> None:
        tail = one_line(more)[: width - 1]
        console.write(_CLEAR_LINE + one_line(text)[: width - 1 - len(tail)] + tail)

    try:
        show("")
        yield show
    finally:
        console.write(_CLEAR_LINE)
