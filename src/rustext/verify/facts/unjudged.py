"""Say what of a bundle was not judged, and why.

In: a `Subject`. Out: one line for each kind of thing that no check could look at. A verdict without
any of them is about the whole of the program's start.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence

from rustext.verify.bundle.bundle import Bundle
from rustext.verify.bundle.program import Freezer
from rustext.verify.facts.left_plan import why_unread
from rustext.verify.facts.python.program_starts import Start
from rustext.verify.subject import Subject

_NAMED = 3  # examples in one line


def iter_unjudged(subject: Subject) -> Iterator[str]:
    """Yield what was not judged, each with its reason."""
    bundle, way_out = subject.bundle, _way_out(subject)
    if bundle.freezer is Freezer.UNKNOWN:
        yield "what is imported at the start: no known freezer made this folder"
    unread = why_unread(bundle) if subject.plan is None else None
    if unread is not None:
        yield f"what the freezer was told: {unread}; freeze again, or give a plan with --plan"
    for start in subject.starts:
        yield from _iter_start(start, way_out)
    completed = sorted({f for s in subject.starts for d in s.data.values() for f in d if "*" in f})
    if completed:
        yield f"files of packages whose names are computed: {_few(completed)}{way_out}"
    lacking = sorted({line for start in subject.starts for line in _iter_lacking(bundle, start)})
    if lacking:
        more = f" and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
        named = ", ".join(lacking[:_NAMED]) + more
        yield f"files that code opens next to itself and that are not here: {named}{way_out}"
    if bundle.programs and not bundle.builtins_known and bundle.freezer is not Freezer.NUITKA:
        yield "modules of the standard library: which of them the interpreter holds is not known"
    ours = (bundle.image.format, bundle.image.architecture)
    foreign = sum(
        ours not in {(i.format, i.architecture) for i in file.binary.images}
        for _, file in bundle.files
    )
    if foreign:
        yield f"{foreign} file{'s' * (foreign > 1)} of another platform, which nothing here loads"


def _way_out(subject: Subject) -> str:
    """What would judge the imports of a program's start."""
    options = {
        "`--run` starts it, on a machine of its kind": subject.run is not None,
        "a record of `rustext trace` names what a run needs (`--trace`)": subject.trace is not None,
    }
    ways = [way for way, used in options.items() if not used]
    return f"; {', '.join(ways)}" if ways else ""


def _iter_start(start: Start, way_out: str) -> Iterator[str]:
    name = start.program.path.name
    if start.program.freezer is Freezer.NUITKA and start.program.code is not None:
        return  # its table has what the freezer has followed, and is compared with the files
    if start.program.freezer is not Freezer.UNKNOWN and not start.followed:
        yield f"what `{name}` imports when it starts: {start.reason}{way_out}"
    if start.computed:
        yield f"imports of computed names in {_few(start.computed)} (`{name}`){way_out}"
    if start.opaque:
        yield f"imports of {_few(start.opaque)} (`{name}`), whose code cannot be read{way_out}"


def _iter_lacking(bundle: Bundle, start: Start) -> Iterator[str]:
    """The data files that modules name and the bundle lacks, or the folder that leads to them."""
    if not start.data:
        return
    names = {name for _, _, files in os.walk(bundle.root) for name in files}
    for module, files in start.data.items():
        if module.partition(".")[0] in sys.stdlib_module_names:
            continue  # it opens files of others
        folder = bundle.contents.joinpath(*module.split("."))
        for file in (file for file in files if "*" not in file):
            name = file.rpartition("/")[2]
            leads = not file.startswith("../") or folder.is_dir() or folder.parent.is_dir()
            if name not in names or not leads:
                yield f"`{name}` (`{module}`)"


def _few(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} more"
