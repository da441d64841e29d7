"""Find the program's own Python files that its code names by a path: settings, tools, recipes.

In: a file of the program, and the folder of its script. Out: the files that it names, for something
to run them by their path, which a freezer puts nowhere.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from rustext.files.untrusted import text_of

_MOST = 1000  # names of Python files in one file
_BEFORE = 200  # characters of a line before such a name that are looked at
_LITERAL = re.compile(r"""["']([\w ./-]+)["']""")
_SCRIPT = re.compile(r"""["']([\w ./-]*\w\.py)["']""")
# `HERE / "recipes" / `: https://docs.python.org/3/library/pathlib.html#operators
_DIVIDED = re.compile(r"""((?:/[ \t]*["'][\w ./-]+["'][ \t]*){0,9})/[ \t]*$""")
_JOINS = re.compile(r"\b(?:join|joinpath|with_name)\(")


def iter_opened_scripts(file: Path, folder: Path) -> Iterator[Path]:
    """The Python files below a folder whose paths a source file puts together from literals.

    They count from the file's own folder, or from `folder`.
    """
    for place in iter_joined(text_of(file)):
        for start in dict.fromkeys((file.parent, folder)):
            path = Path(os.path.normpath(start / place))
            if path.is_relative_to(folder) and os.path.isfile(path):  # noqa: PTH113 (never raises)
                yield path
                break


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
