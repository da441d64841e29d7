"""What a terminal gets, and what a pipe: ECMA-48, no-color.org, force-color.org."""

from __future__ import annotations

import contextlib
import io
import os
import re
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from rustext.report.console import Console, Style, counted, open_console, progress_line

fcntl = pytest.importorskip("fcntl", reason="a terminal is made as Unix makes one")
pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")

SGR = re.compile(r"\x1b\[[\d;]*m")
HOSTILE = ["a\nb", "a\x1b[31mb", "a\udcffb", "a\u202eb", "a\rb", "[red]a[/red]", ":smile:"]


@contextlib.contextmanager
def terminal(columns: int) -> Iterator[tuple[int, TextIO]]:
    """A pseudo-terminal: the descriptor that sees what it is sent, and a stream to it."""
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with os.fdopen(side, "w", encoding="utf-8") as stream:
        yield main, stream
    os.close(main)


def lines(*segments: str | tuple[str, Style], width: int, indent: int = 2) -> list[str]:
    out = io.StringIO()
    Console(stream=out, width=width, styled=True).line(*segments, indent=indent)
    return out.getvalue().splitlines()


# --- what it writes to ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("env", "on_terminal", "on_pipe"),
    [
        ({"TERM": "xterm"}, True, False),
        ({}, True, False),
        ({"TERM": "dumb"}, False, False),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, True, False),
        ({"TERM": "xterm", "FORCE_COLOR": "1"}, True, True),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, True, True),
        ({"TERM": "xterm", "FORCE_COLOR": ""}, True, False),
        ({"TERM": "xterm", "FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
    ],
)
def test_no_color_comes_before_force_color_and_that_before_the_terminal(
    env: dict[str, str], on_terminal: bool, on_pipe: bool
) -> None:
    with terminal(80) as (_, stream):
        assert open_console(stream, env).styled is on_terminal
    with open(os.devnull, "w") as stream:  # noqa: PTH123 (no terminal)
        assert open_console(stream, env).styled is on_pipe


def test_the_width_is_the_terminals_or_what_columns_says_and_80_where_nobody_knows() -> None:
    with terminal(132) as (_, stream):
        assert open_console(stream, {}).width == 132
        assert open_console(stream, {"COLUMNS": "60"}).width == 60
        assert open_console(stream, {"COLUMNS": "wide"}).width == 132
    with terminal(0) as (_, stream):
        assert open_console(stream, {}).width == 80


def test_a_file_gets_whole_lines_even_with_colours() -> None:
    with open(os.devnull, "w") as stream:  # noqa: PTH123
        assert open_console(stream, {"COLUMNS": "60", "FORCE_COLOR": "1"}).width is None


def test_an_encoding_that_has_no_lines_to_draw_is_known() -> None:
    assert open_console(io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), {}).unicode
    assert not open_console(io.TextIOWrapper(io.BytesIO(), encoding="latin-1"), {}).unicode


@pytest.mark.parametrize("closed", ["1", "2"])
def test_a_closed_stream_is_no_error(closed: str, tmp_path: Path) -> None:
    (tmp_path / "main.py").touch()
    command = f"{sys.executable} -m rustext plan {tmp_path}/main.py {closed}>&-"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# --- lines ------------------------------------------------------------------------------------


def test_a_style_does_not_move_where_a_line_ends() -> None:
    text = "one two three four five six seven eight nine ten eleven twelve"
    for cut in range(len(text)):
        styled = lines(text[:cut], (text[cut:], Style.RED), width=24)
        assert [SGR.sub("", line) for line in styled] == lines(text, width=24)


def test_a_style_ends_with_its_line_and_goes_on_behind_the_indentation() -> None:
    assert lines("one ", ("two two two two two two", Style.RED), width=22) == [
        "one \x1b[31mtwo two two two\x1b[0m",
        "  \x1b[31mtwo two\x1b[0m",
    ]


def test_a_word_that_does_not_fit_stays_behind_its_label() -> None:
    path = "/" + "long/" * 20
    assert lines(f"  label   {path} more", width=40, indent=10) == [
        f"  label   {path}",
        "          more",
    ]


def test_an_empty_line_is_a_line() -> None:
    assert lines(width=40) == [""]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("style", [None, Style.BOLD])
def test_a_name_neither_breaks_a_line_nor_drives_a_terminal(name: str, style: Style | None) -> None:
    (line,) = lines(f"{name} " if style is None else (name, style), width=80)
    assert SGR.sub("", line).isprintable()
    assert len(SGR.findall(line)) == (0 if style is None else 2)


# --- progress ---------------------------------------------------------------------------------


def progress(name: str, monkeypatch: pytest.MonkeyPatch, *, quiet: bool = False) -> str:
    """What a terminal of 40 columns is sent by a progress that ends in an error."""

    def work() -> None:
        with progress_line(f"reading {name}", quiet=quiet) as show:
            show("  1 of 2")
            raise ZeroDivisionError

    with terminal(40) as (main, stream):
        monkeypatch.setattr(sys, "stderr", stream)
        with pytest.raises(ZeroDivisionError):
            work()
        stream.close()
        return read_all(main)


def read_all(descriptor: int) -> str:
    """What a pseudo-terminal was sent before its other side was closed."""
    sent = b""
    with contextlib.suppress(OSError):  # how Linux says that it is
        while more := os.read(descriptor, 65536):
            sent += more
    return sent.decode()


@pytest.mark.parametrize("name", ["app", "long/" * 20, *HOSTILE])
def test_progress_takes_one_line_and_leaves_no_trace(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("COLUMNS", raising=False)
    first, *frames, last = progress(name, monkeypatch).split("\r\x1b[2K")
    assert (first, last) == ("", "")
    assert len(frames) == 2
    for frame in frames:
        assert frame.startswith("reading ")
        assert frame.isprintable()
        assert len(frame) < 40  # at the end of a line some terminals go to the next
    assert frames[1].endswith("  1 of 2")


def test_quiet_commands_and_simple_terminals_show_no_progress(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert progress("app", monkeypatch, quiet=True) == ""
    monkeypatch.setenv("TERM", "dumb")
    assert progress("app", monkeypatch) == ""


def test_a_pipe_gets_no_progress(capfd: pytest.CaptureFixture[str]) -> None:
    with progress_line("reading", quiet=False) as show:
        show("  1 of 2")
    assert capfd.readouterr().err == ""


def test_one_thing_is_not_many() -> None:
    assert [counted(n, "native file") for n in range(3)] == [
        "0 native files",
        "1 native file",
        "2 native files",
    ]


def test_a_table_that_is_too_wide_is_not_cut_into_lines_by_the_terminal() -> None:
    rows = [("module", "rustc", "platform"), ("app._core", "1.90.0", "elf"), ("a.b", "-", "pe")]
    tables = {}
    for width in (None, 27, 26):
        out = io.StringIO()
        Console(stream=out, width=width).table(rows)
        tables[width] = out.getvalue()
    assert tables[None] == tables[27]
    assert max(map(len, tables[27].splitlines())) == 27
    assert tables[26].splitlines() == [
        "app._core", "  rustc 1.90.0, platform", "    elf", "a.b", "  platform pe",
    ]  # fmt: skip
