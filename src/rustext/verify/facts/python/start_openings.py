"""Note the libraries and data files that a module opens next to itself.

In: the `Code` of a module, and what is known of its platform. Out: `OpenedFile`s in a `Start`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import PurePosixPath

from rustext.formats.marshal_reader import Code
from rustext.verify.bytecode.code_store import Module
from rustext.verify.bytecode.literal_paths import Place
from rustext.verify.bytecode.named_paths import climbs, find_package_paths
from rustext.verify.bytecode.opened_names import find_openings
from rustext.verify.bytecode.sought_files import data_files, for_machine, libraries
from rustext.verify.facts.python.program_starts import MACHINE, OpenedFile, Start


def note_openings(
    start: Start,
    module: Module,
    code: Code,
    *,
    python: tuple[int, int],
    known: Mapping[str, object],
    packages: Collection[str],
    computed: bool,
) -> None:
    """Note what a module opens: of one that the start does not get to, libraries alone.

    `known` is as for `find_imports`; `computed` is that of `OpenedFile`.
    """
    name = module.name
    kinds, reached = (libraries(), data_files()), name in start.reached
    folder = PurePosixPath(*name.split(".")[: None if module.package else -1])
    machine = str(known.get(MACHINE))
    through = folder if known.get("os.name") == "posix" and climbs(code) else None
    for file in sorted(find_package_paths(code, packages)) if reached else ():
        start.opened.append(OpenedFile(module=name, names=(file,), certain=False, data=True))
    for sought in kinds if reached else kinds[:1]:
        for opening in find_openings(code, python, known, sought):
            data = sought is kinds[1]
            names = for_machine(opening.names, machine)
            if not names:
                continue
            opened = OpenedFile(
                module=name,
                names=names,
                certain=opening.certain,
                words=opening.words,
                data=data,
                paths=tuple(iter_paths(opening.places, folder)) if data else (),
                through=through,
                computed=computed,
            )
            start.opened.append(opened)


def iter_paths(places: Collection[Place], folder: PurePosixPath) -> Iterator[str]:
    """Where files are, as `OpenedFile.paths` says it."""
    for place in places:
        parts: list[str] = [""]
        if place.base is not None:
            parts += place.base.split(".") if place.base else folder.parts
        else:
            parts.clear()
        for part in place.parts:
            if part != "..":
                parts.append(part)
            elif len(parts) > 1:
                parts.pop()
            else:  # out of the bundle, or of what is known
                parts.clear()
        yield "/".join(parts)
