"""Freeze one program in an environment with one fault after the other, and with all at once.

Usage: ./test --faults [--freezer FREEZER] [--again] [--minutes N] [WORD]...

The program fails without rustext with both freezers, which the row without a fault shows. Each
fault is a file of another package, or of the program's own, that cannot be read or is not what it
should be, or a place for rustext's own files that is none.
Started by root, builds and programs run as the account `nobody`, or, where that cannot read the
interpreter, without the rights by which root reads any file. Writes
benchmarks/faults.md, and ends with 1 where a row is not as promised: a build that works without
rustext works with it, the program runs, and the file is named once: by the build, by `rustext plan`
and by `rustext doctor`. Goes on where it was stopped.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from fault_kinds import EXCLUDED, FAULTS, PLACES, Fault, put_all
from fault_rooms import (
    MEMORY,
    PROGRAM,
    SECONDS,
    Room,
    environments,
    escaped,
    packages,
    room_for,
    who,
)
from interruptions import TRIALS, Trial
from kept_rows import KeptRows, Row, parser
from lab import FREEZERS, ROOT

TABLE = ROOT / "benchmarks" / "faults.md"
OWN_CODE = re.compile(r'File ".*/(site-packages/rustext|RustextPlugin\.py)')
UNAIDED = "No module named"  # what the program says without rustext
SHOWN = 3  # lines of rustext's in a row
DOORS = {"`plan`": ("plan", "app.py"), "`doctor`": ("doctor",)}  # which name each fault, too


Prepared = tuple[list[str], list[Fault], Mapping[str, str | None]]


def measure(
    pythons: tuple[Path, Path], site: Path, freezer: str, prepare: Callable[[Path], Prepared]
) -> Row:
    """Build the program with faults, run it, and look for one line about each of them."""
    with room_for(pythons, site, freezer) as made:
        packages, faults, variables = prepare(made.folder)
        room = replace(made, variables=variables)
        more = "".join(f"import {name}.ormsgpack\n" for name in packages)
        (room.folder / "app.py").write_text(more + PROGRAM)
        done = room.build(rustext=True)
        doors = DOORS if freezer == "pyinstaller" else {}  # they answer without a freezer: once
        answers = {door: room.ask("-m", "rustext", *words) for door, words in doors.items()}
        plain = not faults and not variables
        without = room.build(rustext=False) if done.returncode or plain else None
        failure = room.failure()
        unaided = replace(room, name="without").failure() if plain else UNAIDED
        lines = said(room, done, "rustext: ")
        asked = {door: said(room, answer, "cannot read `") for door, answer in answers.items()}
    wrong = []
    if UNAIDED not in unaided:
        wrong.append(f"without rustext: {unaided or 'the program runs'}")
    if done.returncode and without is not None and without.returncode == 0:
        wrong.append("a build that worked ends with an error: " + done.stderr[-300:])
    elif failure and (not done.returncode or not faults):
        wrong.append(failure)
    for door, found in {"the build": lines, **asked}.items():
        for fault in faults:
            times = sum(fault.named in line for line in found) if fault.named else 1
            if times != (door != "`doctor`" or not fault.program):
                wrong.append(f"`{fault.named}` is named {times} times by {door}")
        if found and not variables and all(fault.legal for fault in faults):
            wrong.append(f"{door} speaks of a fault, and there is none: {found[0]}")
    wrong += [f"{door} shows a traceback" for door in asked if "Traceback" in answers[door].stderr]
    if "Traceback" in done.stderr and (not done.returncode or OWN_CODE.search(done.stderr)):
        wrong.append("a traceback")
    words = [line.replace(str(room.folder), "FOLDER") for line in lines]
    return {
        "user": who(), "build": done.returncode, "runs": not failure,
        "words": words, "wrong": "; ".join(wrong),
    }  # fmt: skip


def said(room: Room, done: subprocess.CompletedProcess[str], sign: str) -> list[str]:
    """The lines about files of the room, without its path."""
    return [
        line.replace(f"{room.site}/", "").replace(str(room.site), "").strip()
        for line in done.stderr.splitlines() + done.stdout.splitlines()
        if sign in line and str(room.folder) in line
    ]


def one_fault(fault: Fault, folder: Path) -> Prepared:
    fault.apply(folder / "site")
    return [], [fault], {}


def all_faults(kept: KeptRows, freezer: str, folder: Path) -> Prepared:
    packages, faults = put_all(folder / "site", {EXCLUDED, *ending(kept.read(), freezer)})
    return packages, faults, {}


def ending(rows: Mapping[str, Row], freezer: str) -> list[str]:
    """The faults that end a build where they are alone; as promised, without rustext as well."""
    return [name for name in FAULTS if rows.get(f"{freezer}: {name}", {}).get("build")]


def disturb(trial: Callable[[Trial], Row], pythons: tuple[Path, Path], site: Path) -> Row:
    with room_for(pythons, site, "pyinstaller") as room:
        return trial(Trial(room))


def kinds(kept: KeptRows, freezer: str) -> dict[str, Callable[[Path], Prepared]]:
    """What is done to the folder of each row, by its name."""
    return {
        "no fault": lambda folder: ([], [], {}),
        **{name: partial(one_fault, fault) for name, fault in FAULTS.items()},
        "all faults at once": partial(all_faults, kept, freezer),
        **{
            name: lambda folder, make=make: ([], [], make(folder)) for name, make in PLACES.items()
        },
    }  # fmt: skip


def table(kept: KeptRows) -> Iterator[str]:
    """The rows as they are kept; what has not been run has no row."""
    rows, names = kept.read(), list(kinds(kept, "nuitka"))
    known = {freezer: [rows.get(f"{freezer}: {name}") for name in names] for freezer in FREEZERS}
    yield "# Faults of files in a build\n"
    yield "`./test --faults`. The exit code of a build with rustext, whether the program runs in"
    yield "another folder, and what rustext says of the file: one line in the build, in `rustext"
    yield "plan` and in `rustext doctor`, and none where all is well; `doctor`, which is told of no"
    yield "program, does not know what no RECORD lists. Without rustext the program"
    yield "does not run, with either freezer."
    yield "Where a build fails, it fails without rustext too: Nuitka reads METADATA and RECORD"
    yield "whole, as UTF-8, lists all folders of a package, and waits at a FIFO for its end. A"
    yield f"process has {MEMORY >> 30} GB of memory at most, and a build with Nuitka ends with 124"
    yield f"after {SECONDS} s. In the row of all faults, each is in a package of its own, and the"
    yield f'program imports them all; left out are "{EXCLUDED}",'
    yield "which would undo two others, what no RECORD lists, and the faults with which the same"
    yield "freezer ends.\n"
    for freezer, found in known.items():
        ran = [row for row in found if row is not None]
        good = sum(not row["wrong"] for row in ran)
        users = " and ".join(sorted({str(row["user"]) for row in ran}))
        yield (
            f"- {freezer}: {len(ran)} of {len(found)} rows were run, as {users}; "
            f"{good} are as promised"
        )
    yield "\n| fault | freezer | build | program | what rustext says |"
    yield "|---|---|---|---|---|"
    for number, name in enumerate(names):
        for freezer, found in known.items():
            row = found[number]
            if row is None:
                continue
            words = [re.sub(r"^\d+ ", "", word) for word in row["words"]]  # milliseconds
            words = [re.sub(r"a{50,}", "aaa[...]aaa", word) for word in words]
            legal = FAULTS[name].legal if name in FAULTS else ""
            nothing = f"nothing, as it is no fault: {legal}" if legal else "nothing"
            text = "<br>".join(map(escaped, words[:SHOWN])) or nothing
            if more := words[SHOWN:]:
                text += f"<br>and {len(more)} more lines, one for each other fault"
            text = f"**{escaped(row['wrong'])}** {text}" if row["wrong"] else text
            runs = "runs" if row["runs"] else "fails"
            yield f"| {name} | {freezer} | {row['build']} | {runs} | {text} |"
    if trials := [(name, rows[name]) for name in TRIALS if name in rows]:
        yield "\n## Stopped, full and shared\n"
        yield 'With PyInstaller, the program of the table and a cache of its own; "as promised"'
        yield "means that the answer of each later `plan`, hook run or build is that of an empty"
        yield "cache with room enough.\n"
        yield "| trial | figures | |"
        yield "|---|---|---|"
        for name, row in trials:
            yield f"| {name} | {row['figures']} | {escaped(row['wrong']) or 'as promised'} |"


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--freezer", choices=FREEZERS, action="append")
    args = options.parse_args()
    kept = KeptRows("faults")
    pythons = environments()
    with tempfile.TemporaryDirectory(prefix="rustext-faults-") as text:
        site = packages(pythons[0], Path(text))
        todo = {
            f"{freezer}: {name}": partial(measure, pythons, site, freezer, prepare)
            for freezer in args.freezer or FREEZERS
            for name, prepare in kinds(kept, freezer).items()
        }
        if args.freezer != ["nuitka"]:
            todo |= {name: partial(disturb, trial, pythons, site) for name, trial in TRIALS.items()}
        kept.measure(todo, args)
    TABLE.write_text("\n".join(table(kept)) + "\n")
    return int(any(row["wrong"] for row in kept.read().values()))


if __name__ == "__main__":
    sys.exit(main())
