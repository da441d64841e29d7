"""Find the data files that code of a program's start reads next to itself and that are not there.

In: a `Bundle`, and a `Start`. Out: what is opened and absent, and for one of these whether a RECORD
in the bundle lists such a file for the package.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import PurePosixPath

from rustext.verify.bundle.bundle import Bundle
from rustext.verify.bundle.program import Freezer
from rustext.verify.facts.python.program_starts import OpenedFile, Start
from rustext.verify.facts.python.wheel_tags import iter_recorded


def iter_absent_data(bundle: Bundle, start: Start) -> Iterator[OpenedFile]:
    """Yield what is opened that is not in the bundle by any of its names, or out of reach.

    On Unix a path like `pkg/part/../table.json` needs the folder `pkg/part` (POSIX, pathname
    resolution), which a bundle lacks where its modules are in an archive.
    """
    wanted = dict.fromkeys(opened for opened in start.opened if opened.data)
    if wanted and bundle.freezer is not Freezer.CX_FREEZE:  # its archive may hold data
        held = {name for _, _, files in os.walk(bundle.root) for name in files}
        for opened in wanted:
            if held.isdisjoint(opened.names) or not is_reachable(bundle, opened):
                yield opened


def is_reachable(bundle: Bundle, opened: OpenedFile) -> bool:
    """Whether the folder that a path goes through is in the bundle."""
    return opened.through is None or (bundle.contents / opened.through).is_dir()


def find_record(bundle: Bundle, opened: OpenedFile) -> str | None:
    """The RECORD that lists a file of such a name for the package of the module that opens it."""
    top = opened.module.partition(".")[0]
    for record in sorted(bundle.contents.glob("*.dist-info/RECORD")):
        for file in map(PurePosixPath, iter_recorded(record)):
            if file.name in opened.names and file.parts[0] == top:
                return f"{record.parent.name}/RECORD"
    return None
