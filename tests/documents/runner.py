"""Run the console sessions of a document, as a reader would who types them in.

In: Markdown. Out: for each command what the document shows and what came instead. A session is a
fenced block marked `console`: lines that begin with `$ ` are commands, the lines after one are what
it prints, a line `…` stands for any lines and `…` within a line for any text. All sessions of a
document share one folder. `cat FILE`, where there is no such file yet, is the reader's cue to write
it: the lines below are its content.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_SESSION = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CAT = re.compile(r"cat ([\w./-]+)")
_TIMEOUT = 600  # seconds


@dataclass(frozen=True, kw_only=True)
class Step:
    """One command of a session, and the lines that are shown below it."""

    command: str
    shown: tuple[str, ...]


def parse_steps(markdown: str) -> Iterator[Step]:
    """The commands of all sessions, in order; a comment at a command's end is none of it."""
    for session in _SESSION.findall(markdown):
        lines = session.splitlines()
        starts = [n for n, line in enumerate(lines) if line.startswith("$ ")]
        for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
            command = lines[start][2:].partition("  # ")[0].strip()
            yield Step(command=command, shown=tuple(lines[start + 1 : end]))


def run_step(step: Step, folder: Path, env: Mapping[str, str]) -> str:
    """Do what the reader would do; what the terminal shows then."""
    file = _CAT.fullmatch(step.command)
    if file is not None and not (folder / file[1]).exists():
        (folder / file[1]).parent.mkdir(parents=True, exist_ok=True)
        (folder / file[1]).write_text("\n".join(step.shown) + "\n", encoding="utf-8")
    done = subprocess.run(
        ["bash", "-c", step.command],
        cwd=folder, env=dict(env), timeout=_TIMEOUT, check=False, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.stdout


def matches(shown: tuple[str, ...], printed: str) -> bool:
    """Whether a command printed what the document shows; spaces at the ends of lines are free."""
    parts = [r"(?:.*\n)*?" if line.strip() == "…" else _line(line) for line in _trim(shown)]
    lines = "".join(f"{line.rstrip()}\n" for line in _trim(printed.splitlines()))
    return re.fullmatch("".join(parts), lines) is not None


def _line(line: str) -> str:
    return ".*".join(map(re.escape, line.rstrip().split("…"))) + r"\n"


def _trim(lines: tuple[str, ...] | list[str]) -> list[str]:
    """Without empty lines at the ends."""
    kept = [number for number, line in enumerate(lines) if line.strip()]
    return list(lines[kept[0] : kept[-1] + 1]) if kept else []
