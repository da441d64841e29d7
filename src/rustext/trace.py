"""Records of what native code was seen to import: how they come about, are kept and merged.

In: the lines that `rustext.recorder` leaves behind, or a file that was written before. Out: a
`Trace`. Its file is TOML, sorted and without anything of the machine or the run, so that it can be
committed and compared; the same imports give the same bytes.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import Any

from rustext import recorder
from rustext.discover import is_rust
from rustext.errors import InvalidBinary, InvalidTrace, UnreadableFile
from rustext.naming import split_suffix

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

VERSION = 1
UNKNOWN = ""  # stands where the importing file could not be told
_HEADER = """\
# What native code was seen to import, by `rustext trace`. Keep it with the project, and name it in
# pyproject.toml: [tool.rustext] trace = "…"
"""
# Python runs `sitecustomize` before the program; one that was there before gets its turn.
# https://docs.python.org/3/library/site.html#module-sitecustomize
_BOOT = """\
import sys

folder, output = {folder!r}, {output!r}
sys.path[:] = [entry for entry in sys.path if entry != folder]
del sys.modules["sitecustomize"]
try:
    import sitecustomize
except ImportError as error:
    if getattr(error, "name", "sitecustomize") != "sitecustomize":
        raise
    sys.modules["sitecustomize"] = type(sys)("sitecustomize")
if sys.version_info >= (3, 10):
    sys.path.insert(0, folder)
    import {module}
    sys.path.remove(folder)
    {module}.start(output)
"""
_MODULE = "rustext_recorder"


class Language(Enum):
    """What an importing file was made from, as far as can be known."""

    RUST = "rust"
    OTHER = "other"  # C, Cython, mypyc, …
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Importer:
    """One native file and what it imported; `name` is its module, or its path in its folder."""

    name: str
    language: Language
    imports: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """All that was seen; importers are sorted by name."""

    importers: tuple[Importer, ...] = ()

    def without_other_languages(self) -> Trace:
        """What Rust code, and code of which nothing is known, has imported."""
        kept = (i for i in self.importers if i.language is not Language.OTHER)
        return Trace(importers=tuple(kept))

    def imports_of(self, name: str) -> tuple[str, ...]:
        """What one native file, by its name in the record, was seen to import."""
        return next((i.imports for i in self.importers if i.name == name), ())


# --- recording --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recording that is going on: `variables` make Python processes take part in it."""

    output: Path
    variables: Mapping[str, str]

    def read(self) -> Trace:
        """What was seen so far."""
        try:
            return parse_notes(self.output.read_text(encoding="utf-8").splitlines())
        except FileNotFoundError:
            return Trace()


@contextmanager
def record(environ: Mapping[str, str]) -> Iterator[Recording]:
    """Let all Python processes that are started with the recording's variables take part.

    A process that ignores `PYTHONPATH` (`python -I`, `-E`, `-S`) is not seen.
    """
    with tempfile.TemporaryDirectory(prefix="rustext-trace-") as name:
        folder = Path(name).resolve()
        output = folder / "notes.jsonl"
        boot = _BOOT.format(folder=str(folder), output=str(output), module=_MODULE)
        (folder / "sitecustomize.py").write_text(boot, encoding="utf-8")
        text = Path(recorder.__file__).read_text(encoding="utf-8")
        (folder / f"{_MODULE}.py").write_text(text, encoding="utf-8")
        path = os.pathsep.join([str(folder), *filter(None, [environ.get("PYTHONPATH")])])
        yield Recording(output=output, variables={**environ, "PYTHONPATH": path})


def parse_notes(lines: Iterable[str]) -> Trace:
    """Make a record of the recorder's lines; the importing files are looked at.

    A line that a dying process has cut short is passed over.
    """
    seen: dict[tuple[str, str], set[str]] = {}
    for line in lines:
        try:
            note = json.loads(line)
            key, module = (note["file"], note["entry"]), note["module"]
        except (ValueError, KeyError, TypeError):
            continue
        seen.setdefault(key, set()).add(module)
    return merge(
        Trace(importers=(_describe(Path(file), entry, modules),))
        for (file, entry), modules in seen.items()
    )


def _describe(file: Path, entry: str, modules: set[str]) -> Importer:
    imports = tuple(sorted(modules))
    if file == Path():
        return Importer(name=UNKNOWN, language=Language.UNKNOWN, imports=imports)
    relative = PurePosixPath(file.relative_to(entry).as_posix() if entry else file.name)
    try:
        language = Language.RUST if is_rust(file) else Language.OTHER
    except (InvalidBinary, UnreadableFile):  # gone since
        language = Language.UNKNOWN
    return Importer(name=importer_name(relative), language=language, imports=imports)


def importer_name(path: PurePosixPath) -> str:
    """What a native file is called in a record: the module that it is, or else its path.

    `path` is relative to the folder of `sys.path` that holds it. A module's name goes without the
    suffix, so that a record made with one Python serves another.
    """
    stem, suffix = split_suffix(path.name)
    return ".".join((*path.parent.parts, stem)) if suffix is not None else str(path)


def merge(traces: Iterable[Trace]) -> Trace:
    """All that any of the records saw."""
    languages: dict[str, Language] = {}
    imports: dict[str, set[str]] = {}
    for trace in traces:
        for importer in trace.importers:
            imports.setdefault(importer.name, set()).update(importer.imports)
            if languages.get(importer.name, Language.UNKNOWN) is Language.UNKNOWN:
                languages[importer.name] = importer.language
    return Trace(
        importers=tuple(
            Importer(name=n, language=languages[n], imports=tuple(sorted(imports[n])))
            for n in sorted(imports)
        )
    )


# --- the file ---------------------------------------------------------------------------------


def format_trace(trace: Trace) -> str:
    """The text of a record's file."""
    parts = [_HEADER, f"version = {VERSION}\n"]
    for importer in trace.importers:
        lines = ["", "[[importer]]"]
        lines.append(f"name = {json.dumps(importer.name)}")  # a JSON string is a TOML string
        lines.append(f"language = {json.dumps(importer.language.value)}")
        lines += ["imports = [", *(f"    {json.dumps(m)}," for m in importer.imports), "]"]
        parts.append("\n".join(lines) + "\n")
    return "".join(parts)


def parse_trace(text: str, where: str) -> Trace:
    """Read a record's text; `where` names it in messages.

    Raises `InvalidTrace` if it is none.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidTrace(f"{where} is not valid TOML: {error}") from error
    if table.get("version") != VERSION:
        raise InvalidTrace(
            f"{where} is no record of version {VERSION}", hint="make it anew with `rustext trace`"
        )
    try:
        return merge([Trace(importers=tuple(map(_parse_importer, table.get("importer", []))))])
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidTrace(f"{where} has an `importer` that is none: {error}") from error


def _parse_importer(table: Mapping[str, Any]) -> Importer:
    name, imports = table["name"], table["imports"]
    if not isinstance(name, str) or not all(isinstance(m, str) for m in imports):
        raise TypeError("`name` is a string and `imports` a list of strings")
    return Importer(name=name, language=Language(table["language"]), imports=tuple(imports))


def read_trace(file: Path) -> Trace:
    """Read a record's file.

    Raises `UnreadableFile` or `InvalidTrace`.
    """
    try:
        return parse_trace(file.read_text(encoding="utf-8"), str(file))
    except OSError as error:
        raise UnreadableFile(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidTrace(f"{file} is not text in UTF-8") from error
