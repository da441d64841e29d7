"""The self-test of a frozen program: what it is asked, and what it answers.

In: a plan, or what a program printed. Out: the list of modules that is left in the bundle, the text
that is built in, or a `SelfTest`. The part inside the program is `rustext.plan.selftest_entry`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from rustext.data import package_text
from rustext.model.verification import IsolatedRun

SELFTEST_FILE = "rustext-selftest.txt"
SELFTEST_VARIABLE = "RUSTEXT_SELFTEST"
_FIRST_LINE = '{"selftest": ['


class Asked(Enum):
    """Why the program has to import a module."""

    IMPORT = "import"  # an extension of the program, or what one surely imports
    MAYBE = "maybe"  # what a string in an extension names


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The import of one module inside the program; `error` is None where it worked."""

    module: str
    asked: Asked
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """All answers; `last` is the module whose import the program did not survive."""

    answers: tuple[Answer, ...]
    last: str | None
    run: IsolatedRun


def format_questions(modules: Iterable[tuple[str, bool]]) -> str:
    """The list that a bundle keeps: each module with whether its import is sure."""
    asked: dict[str, Asked] = {}
    for name, sure in modules:
        if sure or name not in asked:
            asked[name] = Asked.IMPORT if sure else Asked.MAYBE
    return "".join(f"{asked[name].value} {name}\n" for name in sorted(asked))


def entry_source() -> str:
    """The text that is built into a program."""
    return package_text("plan/selftest_entry.py")


def parse_answers(run: IsolatedRun) -> SelfTest:
    """What a program answered before it ended; no answers at all if it did not understand."""
    answers, last = [], None
    lines = run.stdout.splitlines()
    start = lines.index(_FIRST_LINE) + 1 if _FIRST_LINE in lines else len(lines)
    for line in lines[start:]:
        answer = _parse_answer(line)
        if answer is not None:
            answers.append(answer)
        elif line.startswith('{"module": "'):  # cut short by the program's end
            last = line.split('"')[3]
    return SelfTest(answers=tuple(answers), last=last, run=run)


def _parse_answer(line: str) -> Answer | None:
    """One line of the answers; None for what the program's own code may have printed."""
    try:
        row = json.loads(line.rstrip(","))
        module, kind, error = row["module"], row["kind"], row["error"]
        return Answer(
            module=str(module), asked=Asked(kind), error=None if error is None else str(error)
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
