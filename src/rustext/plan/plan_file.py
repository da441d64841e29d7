"""What a freezer was told about one program, as a file: a report to read, a plan to verify by.

In: a `BuildPlan`, or the text of its file. Out: the other. The file is JSON, sorted, and names
nothing of the machine that built: the same program gives the same bytes, and it can be left in a
bundle.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from rustext import __version__
from rustext.errors import InvalidPlan, UnreadableFile
from rustext.files.codec import to_plain
from rustext.files.output import check_output, write_output
from rustext.files.untrusted import read_start
from rustext.model.evidence import Evidence, EvidenceKind
from rustext.model.plan import (
    BuildPlan,
    Companion,
    CompanionKind,
    ImplicitImport,
    PlannedExtension,
    Unfollowed,
    Verdict,
)

PLAN_FILE = "rustext-plan.json"  # in a bundle, next to its modules
VERSION = 1
_BEGINNING = re.compile(rb'\{\s*"version": \d+,\s*"rustext": "')
_HINT = "freeze again, or verify with the rustext that made the bundle"
_LONGEST, _MESSAGE = 40, 1000  # characters of the file in a message, and of a message
_LIMIT = 16 << 20  # bytes; the plan of a large program has some hundred thousand
_Record = TypeVar("_Record", Evidence, ImplicitImport, PlannedExtension, Unfollowed)


# --- the file ---------------------------------------------------------------------------------


def build_plan_json(plan: BuildPlan) -> dict[str, Any]:
    """The document of a plan, as `rustext plan --json` prints it."""
    return {
        "version": VERSION,
        "rustext": __version__,
        "freezer": plan.freezer,
        "python": plan.python,
        "extensions": to_plain(plan.extensions, whole=True),
        "modules": to_plain(plan.modules, whole=True),
        "left_out": to_plain(plan.left_out, whole=True),
        "companions": [c.document() for c in plan.companions],
        "warnings": list(plan.warnings),
        "unfollowed": to_plain(plan.unfollowed, whole=True),
    }


def format_plan(plan: BuildPlan) -> str:
    """The text of a plan's file."""
    return json.dumps(build_plan_json(plan), indent=2) + "\n"


def check_plan_path(file: Path) -> None:
    """Raise `UnwritableFile` where `write_plan` would."""
    check_output(file, _is_plan, what="a plan of rustext")


def write_plan(plan: BuildPlan, file: Path) -> None:
    """Write a plan's file, whole or not at all; an earlier plan is replaced, and nothing else is.

    Raises `UnwritableFile`.
    """
    write_output(file, format_plan(plan), _is_plan, what="a plan of rustext")


def _is_plan(data: bytes) -> bool:
    return _BEGINNING.match(data) is not None


def read_plan(file: Path, where: str | None = None) -> BuildPlan:
    """Read a plan's file; raises `UnreadableFile` or `InvalidPlan`, with `where` as its name."""
    where = where or str(file)
    try:
        content = read_start(file, _LIMIT + 1)
    except OSError as error:
        raise UnreadableFile(f"{where} cannot be read: {error.strerror}") from error
    if len(content) > _LIMIT:
        raise InvalidPlan(f"{where} is larger than any plan: more than {_LIMIT >> 20} MiB")
    try:
        return parse_plan(content.decode("utf-8"), where)
    except UnicodeDecodeError as error:
        raise InvalidPlan(f"{where} is not text in UTF-8") from error


def parse_plan(text: str, where: str) -> BuildPlan:
    """Read a plan's text; `where` names it in messages. Raises `InvalidPlan` if it is none."""
    try:
        document = json.loads(text)
        version = document["version"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InvalidPlan(f"{where} is no plan that rustext has written") from error
    writer = str(document.get("rustext", "of an unknown version"))[:_LONGEST]
    other = f"{where} was written by rustext {writer}, and {__version__} cannot read it"
    if version != VERSION:
        raise InvalidPlan(
            f"{other}: it is a plan of version {str(version)[:_LONGEST]}, not {VERSION}", hint=_HINT
        )
    try:
        return BuildPlan(
            freezer=_text(document["freezer"]),
            python=str(document["python"]),
            extensions=tuple(map(_parse_extension, document["extensions"])),
            modules=tuple(map(_parse_import, document["modules"])),
            left_out=tuple(map(_parse_import, document["left_out"])),
            companions=tuple(map(_parse_companion, document["companions"])),
            warnings=tuple(map(str, document["warnings"])),
            unfollowed=tuple(_parse_row(Unfollowed, row) for row in document["unfollowed"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        what = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise InvalidPlan(f"{other}: {what}"[:_MESSAGE], hint=_HINT) from error


def _parse_row(
    record: type[_Record], row: Mapping[str, Any], /, **parsers: Callable[[Any], Any]
) -> _Record:
    """The record of a row; fields without a parser are texts."""
    return record(**{f.name: parsers.get(f.name, str)(row[f.name]) for f in fields(record)})


def _parse_extension(row: Mapping[str, Any]) -> PlannedExtension:
    return _parse_row(
        PlannedExtension, row, file=_inside, module=_text, distribution=_text, version=_text
    )


def _parse_import(row: Mapping[str, Any]) -> ImplicitImport:
    return _parse_row(ImplicitImport, row, verdict=Verdict, evidence=_parse_evidence)


def _parse_evidence(rows: Iterable[Mapping[str, Any]]) -> tuple[Evidence, ...]:
    return tuple(_parse_row(Evidence, row, kind=EvidenceKind) for row in rows)


def _parse_companion(row: Mapping[str, Any]) -> Companion:
    place = _inside(row["file"])
    kind = CompanionKind(row["kind"])
    return Companion(path=Path(place), destination=place, kind=kind, reason=str(row["reason"]))


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _inside(text: Any) -> PurePosixPath:
    """A path below the bundle's folder: a plan comes with a bundle and is not trusted."""
    path = PurePosixPath(str(text))
    if path.is_absolute() or ".." in path.parts or "\0" in str(path):
        raise ValueError(f"a path that leaves the bundle: {str(path)!r}")
    return path
