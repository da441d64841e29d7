"""Imports and names of files in Python sources, found by searching their text.

In: a text, and the package that it is in. Out: the modules and names that its statements import,
and the patterns that it makes files' names of. Nothing is parsed, so that thousands of files take
little time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib.util import resolve_name
from itertools import islice

# `from x import load_plugin, other as name`; Cython has `cimport`
_FROM = re.compile(
    r"^[ \t]*from[ \t]+([\w.]+)[ \t]+c?import[ \t]+"
    r"(?:\(([^()#]*(?:#[^\n]*\n[^()#]*)*)\)|([^\n(]*))",
    re.MULTILINE,
)
_IMPORT = re.compile(r"^[ \t]*c?import[ \t]+([\w. \t,]+)", re.MULTILINE)
_RELATIVE = re.compile(r"""["'](\.{1,9}[A-Za-z_]\w*(?:\.\w+){0,9})["']""")
# A literal with a field, and the beginning of a file's name: f"table-{n}.bin", "v%d", `startswith`.
_PATTERN = re.compile(
    r"""["'/\\]((?:[\w.+@-]|\{[^{}"'\n]*\}|%(?:\(\w+\))?0?\d*[sdr]){1,120})(?=["'/\\])"""
)
_FIELD = re.compile(r"\{[^{}]*\}|%(?:\(\w+\))?0?\d*[sdr]")
_STARTS = re.compile(r"""\.startswith\(\s*["']([\w.+@-]{3,99})["']""")
# What a variable is bound to: `name = "package.module." + word`, or `f"package.{word}"`.
_COMPLETED = re.compile(
    r"""^[ \t]*(\w+)[ \t]*(?::[^=\n]+)?=[ \t]*f?["']((?:[A-Za-z_]\w*\.){1,9})"""
    r"""(?:["'][ \t]*\+|\{[^{}"'\n]*\}["'])""",
    re.MULTILINE,
)
# A folder next to the file: `join(dirname(__file__), "rules")`, `Path(__file__).parent / "rules"`.
_LITERAL_PATH = r"""["']([\w.+@/-]+)["']"""
_BESIDE = re.compile(
    r"__file__\s*\)+(?:\.(?:resolve|absolute)\(\))?(?:\.parent)?\)?\s*[,/]\s*" + _LITERAL_PATH
)
# `here = dirname(abspath(__file__))`, `HERE = Path(__file__).parent`
_HERE = re.compile(
    r"^(\w+)\s*(?::[^=\n]+)?=\s*(?:[\w.]+\()+__file__\)+(?:\.(?:resolve|absolute)\(\))?(?:\.parent)?$",
    re.MULTILINE,
)
# The same, listed: `listdir(dirname(__file__))`, `Path(__file__).parent.iterdir()`
_LISTS_HERE = re.compile(
    r"\b(?:listdir|scandir|walk)\(\s*(?:[\w.]+\()+__file__\)+(?:\.parent)?\s*\)"
    r"|__file__\)(?:\.(?:resolve|absolute)\(\))?\.parent\.iterdir\("
)
_CONSTANTS = 8  # that are looked at
_TARGETS = 200  # characters before a `=`
_NAMES = 100  # whose imports are looked for in one text
_FIRST_ARGUMENT = re.compile(r"""\s*(?:["']([A-Za-z_][\w.]*)["']|([A-Za-z_][\w.]*))""")
# The folder that is listed is that of the file itself, or of a package.
_LISTS_PACKAGE = re.compile(
    r"\b(iter_modules|walk_packages)\s*\([^)]{0,300}?(?<![\w.])(?:([A-Za-z_][\w.]*)\.)?"
    r"(?:__path__|__file__)\b"
)
_TEMPLATE = re.compile(r"\.py[._-]\w+$")
_LISTS_TOP_LEVEL = re.compile(r"\biter_modules\(\s*(?:None\s*)?\)")
_PLUGIN = r"([A-Za-z][A-Za-z0-9]{2,99}(?:_[A-Za-z0-9]+)*_)"
_CONVENTION = re.compile(rf"""["']\^{_PLUGIN}(?:\.[+*]|\\w|\(|\[)""")
_BEGINS_WITH = re.compile(rf"""\.startswith\(\s*["']{_PLUGIN}["']""")
_BEGINS_WITH_NAME = re.compile(r"\.startswith\(\s*(?:\w+\.){0,3}([A-Za-z_]\w*)\s*\)")
_BEGINNING = re.compile(
    rf"""^[ \t]*([A-Za-z_]\w*)(?:[ \t]*:[^=\n]+)?[ \t]*=[ \t]*["']{_PLUGIN}["']""", re.MULTILINE
)
_COMMENT = re.compile(r"#[^\n]*")
_ALL = re.compile(r"^__all__\s*(?::[^=\n]+)?\+?=\s*[\[({]([^\])}]*)", re.MULTILINE)
_WORD = re.compile(r"""["'](\w+)["']""")
_LAZY = re.compile(r"^def __getattr__\(|^[ \t]*sys\.modules\[__name__\]\s*=", re.MULTILINE)
_LONG_STRING = re.compile(r"\"{3}[\s\S]*?\"{3}|'{3}[\s\S]*?'{3}")
# The module's own name or package, handed to a function that imports for it.
_HANDS_ON = re.compile(r"(?:__spec__\.parent|__package__|,\s*__name__)\s*[,)]")
# A function that is handed the module's own name, to give it what it loads late.
_OWN_NAME = re.compile(r"__name__,|globals\(\),")
_LOADER = re.compile(r"(?:[Ll]azy\w*|import\w*|module\w*|attach\w*)\s*\(\s*$")


def resolve(name: str, package: str) -> str | None:
    """The absolute form of a name that may be relative (PEP 328); None beyond the top level."""
    if not name.startswith("."):
        return name
    try:
        return resolve_name(name, package) if package else None
    except ImportError:
        return None


def iter_import_statements(text: str, package: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each module that a text imports, and what it takes from it: `name`, or `name as other`.

    Relative names count from `package`; those beyond the top level are left out.
    """
    text = text.replace("\\\n", " ")  # a statement that goes on in the next line
    for listed in _IMPORT.findall(text):
        yield from ((words.split()[0], ()) for words in listed.split(",") if words.split())
    for origin, *lists in _FROM.findall(text):
        dots = origin if not origin.strip(".") else f"{origin}."
        module = (resolve(f"{dots}x", package) or "").rpartition(".")[0]
        words = (part.strip() for part in _COMMENT.sub("", "".join(lists)).split(","))
        if module:
            yield module, tuple(filter(None, words))


def iter_imported_names(text: str, package: str) -> Iterator[tuple[str, str]]:
    """The names that `from … import` statements bind, each with the module that it comes from."""
    for module, taken in iter_import_statements(text, package):
        names = (words.split()[-1] for words in taken)
        yield from ((name, module) for name in names if name.isidentifier())


def iter_modules(text: str, package: str) -> Iterator[str]:
    """The modules of the import statements of a text."""
    return (module for module, _ in iter_import_statements(text, package))


def iter_imported(text: str, package: str) -> Iterator[str]:
    """What modules the import statements of a text could mean; the last part may be no module."""
    for module, taken in iter_import_statements(text, package):
        yield module
        yield from (f"{module}.{words.split()[0]}" for words in taken)


def iter_starred(text: str, package: str) -> Iterator[str]:
    """The modules that a text imports all names of: `from x import *`."""
    for module, taken in iter_import_statements(text, package) if "import *" in text else ():
        if "*" in taken:
            yield module


def iter_exported(text: str) -> Iterator[str]:
    """The names in the literals of a module's `__all__`."""
    return (word for listed in _ALL.findall(text) for word in _WORD.findall(listed))


def imported_as(text: str, name: str, package: str) -> str | None:
    """The module that a name means in a text, as far as an import statement says."""
    if name in {"__package__", "__name__"}:
        return None
    for module, taken in iter_import_statements(text, package):
        for words in taken:
            if words.split()[-1] == name:
                return f"{module}.{words.split()[0]}"
    found = re.search(
        rf"^[ \t]*import\s+(?:([\w.]+)\s+as\s+)?{re.escape(name)}\b", text, re.MULTILINE
    )
    return None if found is None else found[1] or name


def iter_relative(text: str, package: str) -> Iterator[str]:
    """What relative names in literals mean."""
    for name in _RELATIVE.findall(text):
        absolute = resolve(name, package)
        if absolute:
            yield absolute


def iter_name_patterns(text: str) -> Iterator[str]:
    """The patterns of files' names that the text completes, or compares beginnings with."""
    for name in _PATTERN.findall(text):
        pattern = _FIELD.sub("*", name)
        if pattern != name and sum(c.isalnum() for c in pattern) > 1:
            yield pattern
    yield from (f"{word}*" for word in _STARTS.findall(text))


def iter_first_parts(text: str, name: str) -> Iterator[str]:
    """The variables that hold the beginning of another: `module, cls = name.rsplit(".", 1)`."""
    for split in re.finditer(rf"=\s*{re.escape(name)}\.r?(?:split|partition)\(", text):
        before = text[max(0, split.start() - _TARGETS) : split.start()]
        first = re.search(r"(\w+)\s*,", re.split(r"[=\n]", before)[-1])
        yield from () if first is None else (first[1],)


def iter_listed_packages(text: str, package: str) -> Iterator[tuple[str, str]]:
    """The packages whose modules a text lists, each with the call; "" for its own."""
    for call, name in islice(dict.fromkeys(_LISTS_PACKAGE.findall(text)), _NAMES):
        found = imported_as(text, name, package) if name else ""
        if found is not None:
            yield call, found


def is_template(name: str) -> bool:
    """Whether a file makes Python sources, by its name: `script.py.mako`, `models.py-tpl`."""
    return _TEMPLATE.search(name) is not None


def shown_folder(text: str) -> str:
    """The constant that is the folder of a text, and that it does not use itself; "" for none."""
    names = (found[1] for found in _HERE.finditer(text) if found[1].isupper())
    unused = (n for n in islice(names, _CONSTANTS) if len(re.findall(rf"\b{n}\b", text)) == 1)
    return next(unused, "")


def lists_top_level(text: str) -> bool:
    """Whether a text lists all top-level modules that can be imported."""
    return _LISTS_TOP_LEVEL.search(text) is not None


def iter_conventions(text: str) -> Iterator[str]:
    """How the names of plugins begin: `"package_"`, as the packaging guide advises.

    That is the beginning of a regular expression; in a text that lists the modules itself, also
    what it asks their names for.
    https://packaging.python.org/en/latest/guides/creating-and-discovering-plugins/
    """
    if '"^' in text or "'^" in text:
        yield from _CONVENTION.findall(text)
    if "iter_modules" in text and lists_top_level(text):
        yield from _BEGINS_WITH.findall(text)
        asked = frozenset(_BEGINS_WITH_NAME.findall(text))
        yield from (value for name, value in _BEGINNING.findall(text) if name in asked)


def iter_resource_packages(text: str, package: str, calls: Iterable[str]) -> Iterator[str]:
    """The packages that resources are asked for, by name or as an imported module.

    `calls` are the functions whose first argument is one. "" or "package." stands for one whose
    name the code computes.
    """
    known: dict[str, str | None] = {}  # of all calls

    def meant(name: str) -> str | None:
        if name not in known and len(known) < _NAMES:
            known[name] = imported_as(text, name, package)
        return known.get(name)

    computes = "resources" in text
    for call in calls:
        place = text.find(f"{call}(")
        while place >= 0:
            found = _FIRST_ARGUMENT.match(text, place + len(call) + 1)
            name = found and (found[1] or meant(found[2]))
            computed = computes and not re.match(r"\w", text[place - 1 : place])
            if name or (found and computed):
                yield name or ""
            place = text.find(f"{call}(", place + 1)


def lists_own_folder(text: str) -> bool:
    """Whether a text lists the folder that its file is in, at once or by a name for it."""
    names = "|".join(_HERE.findall(text))
    listed = rf"\b(?:listdir|scandir|walk)\(\s*(?:{names})\s*\)|\b(?:{names})\.iterdir\("
    return _LISTS_HERE.search(text) is not None or (
        bool(names) and re.search(listed, text) is not None
    )


def iter_paths_beside(text: str) -> Iterator[str]:
    """The paths that a text joins with the folder of its own file, or with a name for it."""
    here = "|".join(map(re.escape, sorted(set(_HERE.findall(text)))))
    joined = re.findall(rf"\b(?:{here})\s*[,/]\s*{_LITERAL_PATH}", text) if here else ()
    return (path.strip("/") for path in (*_BESIDE.findall(text), *joined))


def completed_names(text: str) -> dict[str, str]:
    """The variables that hold the beginning of a dotted name, each with that beginning."""
    return dict(_COMPLETED.findall(text))


def is_lazy(text: str, *, imports: bool) -> bool:
    """Whether a function looks up attributes of the module that are not there yet.

    With `imports`, some function of the module imports by a computed name. Otherwise one of another
    module may, which is told the package.
    """
    hint = "sys.modules[__name__]" in text or (
        "__getattr__" in text and (imports or _HANDS_ON.search(text) is not None)
    )
    if not (hint and _LAZY.search(text)) and _OWN_NAME.search(text) is None:
        return False
    text = _LONG_STRING.sub("", text)  # what writes modules holds such lines in strings
    if hint and _LAZY.search(text):
        return True
    places = (found.start() for found in _OWN_NAME.finditer(text))
    return any(_LOADER.search(text, max(0, place - 60), place) for place in places)
