"""Configuration files, and the modules and classes that they name.

In: the folder of a program or of a distribution, and the words of its code. Out: names in those of
its files that the code opens by a literal, or in a folder that it names. In a file of no known form
(a table, a pickle) these are names below its own packages, and those in quotation marks if it is no
prose or table; a single word counts in a line that speaks of modules.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator
from itertools import chain, islice
from mimetypes import MimeTypes
from pathlib import Path, PurePosixPath

from rustext.data import read_data
from rustext.files.untrusted import text_of

_SUFFIXES = frozenset({".json", ".toml", ".yaml", ".yml", ".ini", ".cfg", ".conf"})
_NO_DATA = frozenset({".py", ".pyc", ".pyi", ".so", ".pyd", ".dll", ".dylib", ".md", ".rst", ""})
# Also results, and texts of other languages; a line of JSON may hold whole texts.
_PROSE = frozenset({
    ".txt", ".log", ".csv", ".tsv", ".htm", ".html", ".svg", ".tex", ".bib", ".srt", ".vtt", ".eml",
    ".jsonl", ".ndjson", ".geojson", ".ipynb", ".po", ".sql", ".css",
    ".js", ".mjs", ".ts", ".jsx", ".tsx",
})  # fmt: skip
_DEEPEST = 3  # folders
_MOST = 500  # folders, and files
_LIMIT = 1 << 18  # bytes; what names classes is written by hand
_TOTAL = 1 << 24  # characters of all files; those that are named themselves come first
# Alone in a literal, or behind a label: `"key: package.Class"`, `"key = package.module:Class"`.
_DOTTED = re.compile(
    r"""["'](?:[\w-]+(?::[ \t]+|[ \t]*=[ \t]*))?([A-Za-z_]\w*(?:[.:]\w+){1,9})["']"""
)
# `key: package.Class`, `key = package.Class`, `- package.Class`, and alone in an indented line: a
# value of several lines (https://docs.python.org/3/library/configparser.html)
_SETTING = re.compile(
    r"^(?:[ \t]*(?:-[ \t]+|[\w.()-]+[ \t]*[:=][ \t]*){1,2}|[ \t]+)([A-Za-z_]\w*(?:[.:]\w+){1,9})"
    r"[ \t]*(?:#.*)?$",
    re.MULTILINE,
)
# What a key that speaks of modules is set to: `plugins: [one, two]`, `include=["tasks"]`; and what
# a function of such a name is called with.
_MODULES = re.compile(
    r"(?i:(?:module|plugin|import|include|extension|package|app|handler|task|script)s?)"
    r"""(?:["']?[ \t]*[:=][ \t]*|(?=\())"""
    r"(\[[^\]]{0,2000}|\([^)]{0,2000}"
    r"|[^\n]*(?:\n[ \t]*-[ \t][^\n]*|\n[ \t]+[\w.]+[ \t\r]*(?=\n|\Z)){0,99})"
)
_SPEAKS = re.compile(
    r"^.{0,500}(?i:module|plugin|extension|import)s?(?![a-z]).{0,500}$", re.MULTILINE
)
_ONE_WORD = re.compile(r"""(?<![\w.])["']?([A-Za-z_]\w*)["']?[ \t\r]*(?=[,\])}#\n]|$)""")
_QUOTED = re.compile(r"""["']([A-Za-z_]\w*)["']""")
_OBJECT = re.compile(r"""["']([A-Za-z_]\w*):[A-Za-z_]\w*(?:\(\))?["']""")  # `"server:app"`
_LISTED = re.compile(r"^[ \t]*-[ \t]+([A-Za-z_]\w*(?:\.\w+){1,9}):(?=\s)", re.MULTILINE)
# `!!python/name:package.module.function`, wherever a program has its YAML. "Python-specific types":
# https://pyyaml.org/wiki/PyYAMLDocumentation
_TAG = re.compile(r"!!?python/(?:name|module|object(?:/\w+)?):([A-Za-z_]\w*(?:\.\w+)+)")
_LOGGER = re.compile(r"getLogger\(\s*$")


def find_settings(folder: Path) -> tuple[PurePosixPath, ...]:
    """The configuration files in a folder and a few levels below, relative to it.

    They are sorted, those of less deep folders first.
    """
    found: list[PurePosixPath] = []
    for number, (path, folders, files) in enumerate(os.walk(folder)):
        place = PurePosixPath(Path(path).relative_to(folder).as_posix())
        deep = len(place.parts) >= _DEEPEST or number >= _MOST
        folders[:] = [] if deep else sorted(n for n in folders if n[0] not in "._")
        found += (place / name for name in files if Path(name).suffix in _SUFFIXES)
    return tuple(sorted(found, key=lambda file: (len(file.parts), file))[:_MOST])


def iter_setting_names(
    folder: Path, files: Iterable[PurePosixPath], words: Collection[str], tops: Collection[str] = ()
) -> Iterator[tuple[PurePosixPath, tuple[str, ...]]]:
    """The names in those data files that one of the words names, file by file.

    `tops` are the top-level packages whose modules any kind of file may name.
    """
    # `c` is the instruction before a name in a pickle.
    own = re.compile(rf"(?<![\w.])c?((?:{'|'.join(map(re.escape, sorted(tops)))})(?:\.\w+){{1,9}})")
    for file, text in _iter_texts(folder, files, words, any_form=bool(tops)):
        form = file.suffix in _SUFFIXES
        names = set(own.findall(text) if not form else ())
        if form or file.suffix not in _PROSE:
            names.update(find_names(text, settings=form))
        if not form and file.suffix not in _PROSE:
            names.update(w for line in _SPEAKS.findall(text) for w in _QUOTED.findall(line))
        if names:
            yield file, tuple(sorted(names))


def iter_module_words(
    folder: Path, files: Iterable[PurePosixPath], words: Collection[str]
) -> Iterator[tuple[str, PurePosixPath]]:
    """Words that name modules where modules are set, or in `"module:object"`; with their files.

    That is in sources, and in the configuration files that one of the code's words names.
    """
    files = tuple(files)
    sources = ((f, text_of(folder / f, _LIMIT)) for f in files if f.suffix == ".py")
    for file, text in chain(sources, _iter_texts(folder, files, words)):
        word = _QUOTED if file.suffix == ".py" else _ONE_WORD
        named = (name for value in _MODULES.findall(text) for name in word.findall(value))
        yield from ((name, file) for name in dict.fromkeys((*named, *_OBJECT.findall(text))))


def is_file_name(text: str) -> bool:
    """Whether a text is the name of a file and no key, as far as its end tells."""
    known, _ = MimeTypes().guess_type(text, strict=False)  # Python's own, not this machine's
    return bool(known) or PurePosixPath(text).suffix in read_data("companions")["file_suffixes"]


def is_object(text: str) -> bool:
    """Whether a dotted name can be that of an object; not `host.com`, nor the name of a file."""
    rare = PurePosixPath(text).suffix in read_data("companions")["not_objects"]
    return not rare and not is_file_name(text)


def _iter_texts(
    folder: Path, files: Iterable[PurePosixPath], words: Collection[str], *, any_form: bool = False
) -> Iterator[tuple[PurePosixPath, str]]:
    """The files that one of the words names, with their texts; then those in folders of a name."""
    room = _TOTAL
    found = sorted(_iter_named(files, words, any_form=any_form), key=lambda f: f.name not in words)
    for file in found:
        text = text_of(folder / file, min(_LIMIT, room))
        room -= len(text)
        yield file, text


def _iter_named(
    files: Iterable[PurePosixPath], words: Collection[str], *, any_form: bool = False
) -> Iterator[PurePosixPath]:
    """The files that one of the words names, or whose folder; with `any_form`, more of them."""
    words = {word.replace("\\", "/") for word in words}
    named = (
        file
        for file in files
        if ".." not in file.parts
        if not words.isdisjoint(
            (file.name, str(file), *(parent.name for parent in file.parents))
            if file.suffix in _SUFFIXES
            else (file.name,)
            if any_form and file.suffix not in _NO_DATA
            else ()
        )
    )
    yield from islice(named, _MOST)


def find_names(text: str, *, settings: bool) -> tuple[str, ...]:
    """The literals that could be the names of modules, or class paths; not those of loggers.

    Python's tags of YAML count as such. With `settings`, those in lines of configuration as well:
    `key: package.Class`, `- package.module: …`.
    """
    literals = {
        found[1]
        for found in _DOTTED.finditer(text)
        if not _LOGGER.search(text, max(0, found.start() - 20), found.start())
    }
    found = literals.union(_TAG.findall(text))
    if settings:
        found = found.union(_SETTING.findall(text), _LISTED.findall(text))
    return tuple(sorted(name.replace(":", ".") for name in found))
