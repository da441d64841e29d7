"""Find the program's own Python files that its code names by a path: settings, tools, recipes.

In: files of the program, and the folder of its script. Out: the files that they name, for something
to run them by their path, which a freezer puts nowhere. Tests, and what tools run to build or check
a project, are none of them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path, PurePosixPath

from rustext.data import read_data
from rustext.files.untrusted import text_of

_MOST = 1000  # names of Python files in one file
_BEFORE = 200  # characters of a line before such a name that are looked at
_LITERAL = re.compile(r"""["']([\w ./-]+)["']""")
_SCRIPT = re.compile(r"""["']([\w ./-]*\w\.py)["']""")
# `HERE / "recipes" / `: https://docs.python.org/3/library/pathlib.html#operators
_DIVIDED = re.compile(r"""((?:/[ \t]*["'][\w ./-]+["'][ \t]*){0,9})/[ \t]*$""")
_JOINS = re.compile(r"\b(?:join|joinpath|with_name)\(")


def iter_opened_scripts(files: Iterable[Path], folder: Path) -> Iterator[tuple[Path, Path]]:
    """The Python files below a folder whose paths source files put together from literals.

    They count from the source's own folder, or from `folder`. Each comes once, with one source.
    """
    told: set[str] = set()
    for file in files:
        for place in dict.fromkeys(iter_joined(text_of(file))):
            for start in dict.fromkeys((str(file.parent), str(folder))):
                path = os.path.normpath(f"{start}/{place}")
                if path in told:
                    break
                if Path(path).is_relative_to(folder) and os.path.isfile(path):  # noqa: PTH113 (never raises)
                    told.add(path)
                    if not _is_for_tools(PurePosixPath(Path(path).relative_to(folder).as_posix())):
                        yield file, Path(path)
                    break


def _is_for_tools(place: PurePosixPath) -> bool:
    """Whether a file, relative to the program, serves those who develop it alone."""
    rules = read_data("companions")
    patterns = (*rules["test_files"], *rules["tool_files"])
    return (
        not set(place.parts[:-1]).isdisjoint(rules["test_folders"])
        or str(place) in rules["tool_scripts"]
        or any(place.match(pattern) for pattern in patterns)
    )


def iter_joined(text: str) -> Iterator[str]:
    """The relative paths of Python files that a text joins to folders: by `/` or by `join`."""
    for found in islice(_SCRIPT.finditer(text), _MOST):
        line = text[max(0, found.start() - _BEFORE) : found.start()].rpartition("\n")[2]
        divided, joins = _DIVIDED.search(line), [*_JOINS.finditer(line)]
        if divided is not None:
            folders = _LITERAL.findall(divided[1])
        elif joins:
            folders = _LITERAL.findall(line[joins[-1].end() :])
        else:
            continue
        yield "/".join((*folders, found[1])).strip("/")
