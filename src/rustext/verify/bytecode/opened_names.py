"""Find the libraries and data files that a module opens by a literal name next to itself.

In: the `Code` of a module, the version of Python that wrote it, and what is known of its platform.
Out: its `Opening`s. The calls that open them are data (`calls` in `data/bindings.toml`,
`file_calls` in `companions.toml`). A module counts only where it asks for its own place, `__file__`
or its resources: what it opens by a bare name lies elsewhere. What is caught where it fails is left
out, and so are files that are written, and libraries of other platforms.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rustext.formats.marshal_reader import Code
from rustext.verify.bytecode.control_flow import Flow
from rustext.verify.bytecode.instructions import (
    Step,
    Table,
    decode,
    find_table,
    is_constant,
    iter_texts,
    load_constant,
    name_of,
)
from rustext.verify.bytecode.literal_paths import Place, find_place, name_places, split
from rustext.verify.bytecode.module_code import find_functions
from rustext.verify.bytecode.own_place import OWN_PLACE, find_own_names, is_own
from rustext.verify.bytecode.sought_files import DATA_NAME, LIBRARY_NAMES, Sought, libraries

_ASKS_LOADER = "get_data"  # also a method of web responses and others, which read no file
_LOADERS = frozenset({"pkgutil", "loader", "__loader__", "__spec__", "get_loader"})
_LOOKS_FIRST = frozenset({"exists", "isfile", "is_file", "lexists", "glob", "iterdir", "listdir"})
_ASKS_SYSTEM = "find_library"  # of `ctypes.util`
_ADDS_SUFFIX = "load_library"  # numpy.ctypeslib's, which adds the platform's suffix to a name
_FORMAT = "format"
_SUFFIXES = {"linux": ".so", "darwin": ".dylib", "win32": ".dll"}
# What else begins with a separator follows a folder's path: `here + "/lib/libx.so"`.
_ABSOLUTE = re.compile(
    r"[A-Za-z]:[/\\]|/(?:usr|lib64|lib/[\w-]+-linux-\w+|opt|etc|home|nix|run|tmp|var|snap"
    r"|System|Library|Applications)/"
)
_SEPARATOR = re.compile(r"[/\\]")
_PATH = 4096  # characters; PATH_MAX of Linux
_WORD = re.compile(r"[\w-]+")
_PLACEHOLDER = "{}"
_AHEAD = 6  # instructions, with what a function is closed over
# Modes of `open` for a file that need not be there.
_WRITES = re.compile(r"[awx][bt+]*|r[bt]*\+[bt]*")
_WRITERS = frozenset({"write_text", "write_bytes"})


@dataclass(frozen=True, slots=True)
class Opening:
    """A file that a module opens, by one of these names.

    `certain`: each run that imports the module opens it, and ends where it cannot be opened.
    `words`: all names of files and folders that the module's texts have. `places`: where it names
    them, of data files.
    """

    names: tuple[str, ...]
    certain: bool
    words: frozenset[str] = field(default=frozenset(), compare=False)
    places: tuple[Place, ...] = field(default=(), compare=False)


@dataclass(kw_only=True)
class _Part:
    """A piece of the module's code that names or opens libraries."""

    sought: Sought
    code: Code
    table: Table
    steps: Sequence[Step]
    words: Sequence[str | None]  # the name that each instruction loads
    known: Mapping[str, object]
    own: frozenset[str]  # names of the module's own place
    named: Mapping[str, Place]  # folders, by the names that the module's code gives them
    places: dict[str, set[Place]] = field(default_factory=dict)  # where files of a name are
    names: dict[str, bool] = field(default_factory=dict)  # whether each is loaded in every run
    bare: set[str] = field(default_factory=set)  # what the loader is asked for by name alone
    calls: list[int] = field(default_factory=list)  # what loads an opener
    local: bool = False  # whether a function imports its opener, and calls it by a variable

    @functools.cached_property
    def flow(self) -> Flow:
        return Flow(self.code, self.table, self.steps, self.known)

    @functools.cached_property
    def certain(self) -> frozenset[int]:
        """See `Flow.find_certain`."""
        return self.flow.find_certain()


def find_openings(
    code: Code, python: tuple[int, int], known: Mapping[str, object], sought: Sought | None = None
) -> tuple[Opening, ...]:
    """What a module's code and its functions open, libraries unless other files are sought.

    `known` is as for `find_imports`.
    """
    sought = sought or libraries()
    table, platform = find_table(python), known.get("sys.platform")
    if platform not in LIBRARY_NAMES:
        return ()
    pieces = tuple(code.iter_nested())
    words = {word for piece in pieces for word in piece.names}
    texts = {text for piece in pieces for text in piece.constants if isinstance(text, str)}
    if _LOADERS.isdisjoint(words):
        words.discard(_ASKS_LOADER)
        sought = replace(sought, calls=sought.calls - {_ASKS_LOADER})
    if OWN_PLACE.isdisjoint(words | texts):
        sought = replace(sought, calls=sought.by_name)
    if sought.calls.isdisjoint(words):
        return ()
    own = find_own_names(code, table)
    named = name_places(code, table, decode(code.code, table))
    parts = [_read(sought, piece, table, own, named, known, str(platform)) for piece in pieces]
    for part in parts:  # a module that is imported is no file
        part.names = {name: always for name, always in part.names.items() if name not in words}
    spoken = frozenset(part for text in texts for part in _SEPARATOR.split(text[:_PATH]))
    found = dict.fromkeys(_judge(parts, asks_system=_ASKS_SYSTEM in words))
    return tuple(
        replace(opening, words=spoken, places=_places(parts, opening.names)) for opening in found
    )


def _places(parts: Sequence[_Part], names: Sequence[str]) -> tuple[Place, ...]:
    """All places where the module may look for one of the files."""
    found = {place for part in parts for name in names for place in part.places.get(name, ())}
    return tuple(sorted(found, key=repr))


def may_open(data: bytes) -> bool:
    """Whether the stored code of a module may have openings; it is quick, and errs on one side."""
    return _names_any(data, libraries().calls) and _names_any(data, OWN_PLACE)


def _names_any(data: bytes, words: frozenset[str]) -> bool:
    return any(word.encode() in data for word in words)


def _read(
    sought: Sought,
    code: Code,
    table: Table,
    own: frozenset[str],
    named: Mapping[str, Place],
    known: Mapping[str, object],
    platform: str,
) -> _Part:
    steps = decode(code.code, table)
    words = [_word(code, table, step) for step in steps]
    part = _Part(
        sought=sought,
        code=code,
        table=table,
        steps=steps,
        words=words,
        known=known,
        own=own,
        named=named,
        local=any(words[i] in sought.calls and _imports(s, table) for i, s in enumerate(steps)),
    )
    part.calls = [
        i for i, word in enumerate(words) if word in sought.calls and not _is_bare(part, i)
    ]
    fillings = [
        text
        for i, word in enumerate(words)
        if word == _FORMAT and isinstance(text := load_constant(code, table, steps, i + 1), str)
    ]
    for i in range(len(steps)):
        value = load_constant(code, table, steps, i)
        for text in () if _is_annotation(part, i, value) else iter_texts(value):
            _note(part, i, text, fillings, platform)
    if sought.error is FileNotFoundError and any(
        isinstance(text, str) and _WRITES.fullmatch(text) for text in code.constants
    ):
        part.calls, part.names = [], {}
    if any(name.endswith(".dylib") for name in part.names):  # a macOS module's own suffix first
        part.names = {n: c for n, c in part.names.items() if n.endswith(".dylib")}
    return part


def _is_annotation(part: _Part, i: int, value: object) -> bool:
    """Whether a constant is what annotations that are not evaluated leave behind (PEP 563).

    That of a variable is stored into `__annotations__`; those of a function are a tuple of its
    parameters' names and of texts, ahead of its code.
    """
    if isinstance(value, str):
        return i + 1 < len(part.words) and part.words[i + 1] == "__annotations__"
    after = range(i + 1, min(i + _AHEAD, len(part.steps)))
    return (
        isinstance(value, tuple)
        and len(value) % 2 == 0
        and all(isinstance(text, str) and text.isidentifier() for text in value[::2])
        and any(
            isinstance(load_constant(part.code, part.table, part.steps, at), Code) for at in after
        )
    )


def _note(part: _Part, i: int, text: str, fillings: Sequence[str], platform: str) -> None:
    """Add the names of libraries that the text loaded at `i` means."""
    caller = _caller(part, i)
    if part.sought.calls == part.sought.by_name and caller not in part.sought.calls:
        return
    if caller == _ADDS_SUFFIX:
        given = text + _SUFFIXES[platform] if _WORD.fullmatch(text) else text
        names = tuple(_file_names(part, given, fillings, platform))
    else:
        names = tuple(_file_names(part, text, fillings, platform))
        by_variable = part.local and caller is None and _is_only_argument(part, i)
        bare = caller in part.sought.calls - part.sought.by_name or by_variable
        if bare and names == (text,):
            part.bare.add(text)
            return
    place = find_place(part.code, part.table, part.steps, i, part.named) or Place(None, split(text))
    for name in names:
        there = place if place.parts[-1:] == (name,) else Place(None, (name,))
        part.places.setdefault(name, set()).add(there)
        certain = _is_what_is_opened(part, i) and i in part.certain
        part.names[name] = part.names.get(name, False) or certain


def _is_what_is_opened(part: _Part, i: int) -> bool:
    """Whether a file of data is named where it is opened, before the result is given a name.

    What is in other folders than the module's own, or written before, need not be in the bundle.
    """
    stored = part.table["store_name"]
    return part.sought.error is OSError or (
        is_own(part.code, part.table, part.steps, i, part.own)
        and _WRITERS.isdisjoint(part.code.names)
        and any(
            all(op != stored for _, op, _, _ in part.steps[min(i, call) : max(i, call)])
            for call in part.calls
        )
    )


def _word(code: Code, table: Table, step: Step) -> str | None:
    """The name that an instruction loads; in a function, what it imports by this name too."""
    _, op, argument, _ = step
    if op == table["store_name"]:
        return None
    if _imports(step, table) and code.name != "<module>":
        return code.names[argument] if argument < len(code.names) else None
    return name_of(code, table, step)


def _imports(step: Step, table: Table) -> bool:
    return bool(step[1] == table["import_from"])


def _caller(part: _Part, i: int) -> str | None:
    """What is called with the value of an instruction as its first argument."""
    at = i - 1
    while at > 0 and part.steps[at][1] in part.table["before_call"]:
        at -= 1
    return part.words[at] if at >= 0 else None


def _is_only_argument(part: _Part, i: int) -> bool:
    at = _skip(part, i + 1)
    return at < len(part.steps) and part.steps[at][1:3] == (part.table["call"], 1)


def _is_bare(part: _Part, i: int) -> bool:
    """Whether the opener at `i` is called with a constant, which tells nothing of a folder."""
    at = _skip(part, i + 1)
    if part.words[i] in part.sought.by_name:
        return False
    if at >= len(part.steps) or not is_constant(part.table, part.steps[at]):
        return False
    value = load_constant(part.code, part.table, part.steps, at)
    if part.sought.error is FileNotFoundError:  # else a mode or an encoding
        return isinstance(value, str) and DATA_NAME.fullmatch(value) is not None
    whole = isinstance(value, str) and not {"{", "%"} & set(value)
    return part.words[i] != _ADDS_SUFFIX and (value is None or whole)


def _skip(part: _Part, at: int) -> int:
    while at < len(part.steps) and part.steps[at][1] in part.table["before_call"]:
        at += 1
    return at


def _file_names(part: _Part, text: str, fillings: Sequence[str], platform: str) -> Iterator[str]:
    """The file name at the end of a text, its placeholder filled in."""
    if _ABSOLUTE.match(text):
        return
    name = _SEPARATOR.split(text)[-1]
    for filled in (name.replace(_PLACEHOLDER, f) for f in fillings) if "{" in name else (name,):
        if part.sought.names[platform].fullmatch(filled):
            yield filled


def _judge(parts: Sequence[_Part], *, asks_system: bool) -> Iterator[Opening]:
    functions = {part.code.name for part in parts if part.calls}
    given_up = {  # functions that somebody calls and does without
        word
        for part in parts
        for i, word in enumerate(part.words)
        if word in functions
        and part.flow.is_caught(i, part.sought.error, by_with=_suppresses(part))
    }
    live = {  # the calls whose failure is not caught
        id(p): [i for i in p.calls if p.code.name not in given_up and _is_live(p, i)] for p in parts
    }
    if not any(live.values()):
        return
    sure = _find_sure(parts)
    ends = {  # those that end the program
        id(p): {i for i in live[id(p)] if id(p.code) in sure and _is_certain(p, i)}
        for p in parts
        if not asks_system
    }
    bare = {name for part in parts for name in part.bare}
    elsewhere: dict[str, bool] = {}  # names in code that opens nothing itself
    for part in parts:
        calls, certain = live[id(part)], ends.get(id(part), set())
        names = {n: always for n, always in part.names.items() if n not in bare}
        if not part.calls:
            elsewhere |= {n: always and id(part.code) in sure for n, always in names.items()}
        elif names and calls:
            each = len(part.certain.intersection(calls)) >= len(names)
            if calls == part.calls and each and all(names.values()):
                yield from (Opening((name,), len(certain) >= len(names)) for name in names)
            else:  # alternatives
                whole = calls == part.calls and all(names.values())
                yield Opening(tuple(names), whole and bool(certain))
    if elsewhere:
        whole = all(ends.get(id(part), set()) == set(part.calls) for part in parts)
        yield Opening(tuple(elsewhere), whole and all(elsewhere.values()))


def _is_live(part: _Part, call: int) -> bool:
    """Whether code fails if what is opened there is missing, as far as it shows."""
    by_with = _suppresses(part)
    if part.local:  # where the variable is called is not known
        called = [i for i, step in enumerate(part.steps) if step[1] == part.table["call"]]
        return not any(part.flow.is_caught(i, part.sought.error, by_with=by_with) for i in called)
    if call not in part.certain and not _LOOKS_FIRST.isdisjoint(part.code.names):
        return False
    return not part.flow.is_caught(call, part.sought.error, by_with=by_with)


def _is_certain(part: _Part, call: int) -> bool:
    """Whether all ways through the code lead past a call, and no `with` can catch its failure."""
    return (
        not part.local and call in part.certain and not part.flow.is_caught(call, part.sought.error)
    )


def _suppresses(part: _Part) -> bool:
    return "suppress" in part.code.names  # contextlib's; other managers pass on what is raised


def _find_sure(parts: Sequence[_Part]) -> frozenset[int]:
    """The pieces of code that run whenever the module is imported, by identity."""
    by_code = {id(part.code): part for part in parts}
    functions = find_functions(parts[0].code, parts[0].table, parts[0].steps)
    sure: set[int] = set()
    work = [parts[0]]
    while work:
        part = work.pop()
        if id(part.code) in sure:
            continue
        sure.add(id(part.code))
        for i, step in enumerate(part.steps):
            if step[1] == part.table["call"] and _is_certain(part, i):
                called = functions.get(part.flow.called_name(i) or "")
                if called is not None:
                    work.append(by_code[id(called)])
    return frozenset(sure)
