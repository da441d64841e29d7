"""Find the data files that a module opens by a literal name next to itself.

In: the `Code` of a module. Out: file names, the last part of each path; ".." in front of one whose
path goes up; `package.*` for files of packages whose name the code completes. A function counts
that opens something, in a module that asks for its own place, where nothing in the function looks
first or goes on without the file. Other names that the code computes are not seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rustext.verify.bundle.marshal_reader import Code

_OWN_PLACE = frozenset({"__file__", "files", "get_data"})
_RESOURCES = "files"  # of `importlib.resources`
_BEGINNING = re.compile(r"(?:[A-Za-z_]\w*\.)+")
_OPENS = frozenset({"open", "read_text", "read_bytes", "get_data", "open_text", "open_binary"})
_GOES_ON = frozenset(
    {"exists", "isfile", "is_file", "lexists", "OSError", "IOError", "FileNotFoundError"}
    | {"Exception", "suppress", "write", "write_text", "write_bytes", "dump"}
)
_DATA = re.compile(
    r"[\w.+-]*[A-Za-z][\w+-]*\.(?:json|html?|css|js|txt|csv|tsv|ya?ml|toml|xml|xsd|xsl|lark|sql|gz"
    r"|dat|bin|onnx|svg|png|jinja2?|j2|tmpl|tpl|template|mako|ini|pickle|pkl|model|ttf|ebnf|g)"
)


def find_named_files(code: Code) -> Iterator[str]:
    """Yield the names of the files that are opened, each once or more."""
    codes = list(code.iter_nested())
    if all(_OWN_PLACE.isdisjoint(inner.names) for inner in codes):
        return
    if any(_RESOURCES in inner.names for inner in codes):
        every = (text for inner in codes for text in inner.constants if isinstance(text, str))
        yield from (f"{text}*" for text in every if _BEGINNING.fullmatch(text))
    for inner in codes:
        if not _OPENS.isdisjoint(inner.names) and _GOES_ON.isdisjoint(inner.names):
            texts = [text for text in inner.constants if isinstance(text, str)]
            up = any(text == ".." or text.startswith("../") for text in texts)
            for name in (text.rpartition("/")[2] for text in texts if "\n" not in text):
                if _DATA.fullmatch(name):
                    yield f"../{name}" if up and "__file__" in inner.names else name
