"""Find the files that code of a program's start reads, and what files that it runs would import.

In: a `Bundle`, and a `Start`. Out: the data files next to the code that are opened and absent, and
for one of these whether a RECORD in the bundle lists such a file for the package; the modules of
their own package that Python files in a folder import and that are not there. Code may list such
files and run them; a freezer does not follow what they import.
"""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath

from rustext.discovery.module_names import packages_of
from rustext.environment.python_text import is_template, iter_modules
from rustext.files.untrusted import is_closed, text_of
from rustext.model.image import Format
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.bundle.program import Freezer
from rustext.verify.bundle.tree import read_tree
from rustext.verify.facts.python.program_starts import OpenedFile, Start
from rustext.verify.facts.python.wheel_tags import iter_records

_SOURCES = 2000  # Python files in folders that are looked at


def iter_absent_data(bundle: Bundle, start: Start) -> Iterator[OpenedFile]:
    """Yield what is opened that is not in the bundle by any of its names, or out of reach.

    On Unix a path like `pkg/part/../table.json` needs the folder `pkg/part` (POSIX, pathname
    resolution), which a bundle lacks where its modules are in an archive.
    """
    wanted = dict.fromkeys(opened for opened in start.opened if opened.data)
    if wanted and bundle.freezer is not Freezer.CX_FREEZE:  # its archive may hold data
        held = _find_files(bundle, frozenset(name for opened in wanted for name in opened.names))
        for opened in wanted:
            there = _list_held(held, opened)
            lies = any(_lies_at(bundle, opened, path) for path in there)
            if not lies or not is_reachable(bundle, opened):
                spelled = any(_lies_at(bundle, opened, path, fold=fold_name) for path in there)
                yield replace(opened, elsewhere=tuple(there), respelled=spelled and not lies)


def fold_name(name: str) -> str:
    """A name as systems compare it that take no notice of case and of how letters are composed."""
    return unicodedata.normalize("NFC", name).casefold()


def find_opened(bundle: Bundle, starts: Iterable[Start]) -> Mapping[Path, bool]:
    """The data files that code of the starts reads, and whether a start is sure to read each."""
    opened = [one for start in starts for one in start.opened if one.data]
    held = _find_files(bundle, frozenset(name for one in opened for name in one.names))
    found: dict[Path, bool] = {}
    for one in opened:
        there = _list_held(held, one)
        for path in (path for path in there if one.paths and _lies_at(bundle, one, path)):
            at = bundle.root / path
            found[at] = found.get(at, False) or (one.certain and len(there) == 1)
    return found


def _find_files(bundle: Bundle, names: frozenset[str]) -> Mapping[str, Sequence[str]]:
    """The files of these names that somebody may read, as paths from the root on.

    They are found by their names as `fold_name` gives them.
    """
    found, folded = defaultdict(list), frozenset(map(fold_name, names))
    for folder, folders, files in os.walk(bundle.root):
        folders[:] = [name for name in folders if not _is_closed(Path(folder, name))]
        for name in files:
            if (key := fold_name(name)) in folded and not _is_closed(path := Path(folder, name)):
                found[key].append(path.relative_to(bundle.root).as_posix())
    return found


def _list_held(held: Mapping[str, Sequence[str]], opened: OpenedFile) -> Sequence[str]:
    keys = dict.fromkeys(map(fold_name, opened.names))
    return [path for key in keys for path in held.get(key, ())]


def _lies_at(
    bundle: Bundle, opened: OpenedFile, path: str, fold: Callable[[str], str] | None = None
) -> bool:
    """Whether a file is where code looks for it, as far as the code says so.

    `fold`: how names are compared, where not as the bundle's system does.
    """
    sure = fold is not None  # then a path that tells no folder does not count
    fold = fold or (str if bundle.image.format is Format.ELF else fold_name)
    name = fold(path.rpartition("/")[2])
    if name not in map(fold, opened.names):
        return False
    paths = [one for one in opened.paths if fold(one.rpartition("/")[2]) == name]
    contents = bundle.contents.relative_to(bundle.root).as_posix()
    return (not paths and not sure) or any(
        (bundle.contents / one[1:]).is_file()
        or fold(path) == fold(f"{contents}{one}").removeprefix("./")
        if one.startswith("/")
        else fold(f"/{path}").endswith(fold(f"/{one}")) and ("/" in one or not sure)
        for one in paths
    )


def _is_closed(path: Path) -> bool:
    with suppress(OSError):
        return is_closed(path.stat().st_mode)
    return False  # a link that leads nowhere, of which there is a finding


def is_reachable(bundle: Bundle, opened: OpenedFile) -> bool:
    """Whether the folder that a path goes through is in the bundle."""
    return opened.through is None or (bundle.contents / opened.through).is_dir()


def find_record(bundle: Bundle, opened: OpenedFile) -> str | None:
    """The RECORD that lists a file of such a name for the package of the module that opens it."""
    top = opened.module.partition(".")[0]
    for record, files in iter_records(bundle):
        if any(file.name in opened.names and file.parts[0] == top for file in files):
            return record
    return None


def iter_lacking_imports(bundle: Bundle, tops: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield a module that is not in the bundle, and the module of the file that imports it.

    `tops` are the top-level packages that count: those with code that runs such files. What a
    template of Python makes is run as well.
    """
    archived = frozenset(name for p in bundle.programs for name in p.modules)
    there = archived | bundle.shared
    there |= {package for name in there for package in packages_of(name)}
    files = [
        (name, path)
        for name, path in sorted(bundle.loose.items())
        if path.suffix == ".py" and name not in archived and name.partition(".")[0] in tops
    ]
    for file in (f for f in read_tree(bundle.contents).files if is_template(f)):
        folder = PurePosixPath(file).parent
        files.append((".".join((*folder.parts, "template")), bundle.contents / file))
    for name, path in files[:_SOURCES]:
        package = name if path.stem == "__init__" else name.rpartition(".")[0]
        for module in iter_modules(text_of(path), package):
            own = module.partition(".")[0] == name.partition(".")[0] and "." in module
            if own and module not in there and module.rpartition(".")[0] in there:
                yield module, name
