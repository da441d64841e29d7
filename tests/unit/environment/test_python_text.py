"""What the text of a module says of its imports, judged by the syntax tree."""

from __future__ import annotations

import ast

import pytest

from rustext.environment.python_text import iter_import_statements


@pytest.mark.parametrize(
    "text",
    [
        "from a.b import C, D as E",
        "from a.b import (\n    C,  # one, two\n    D as E,\n    F,  # three\n    G,\n)",
        "from a.b import (  # four\n    C,\n    # D,\n    E\n)",
        "from a.b import C, \\\n    D  # five",
    ],
)
def test_names_in_a_list_are_found_whatever_comments_stand_in_it(text: str) -> None:
    (node,) = ast.parse(text).body
    assert isinstance(node, ast.ImportFrom)
    names = tuple(n.name + (f" as {n.asname}" if n.asname else "") for n in node.names)
    assert list(iter_import_statements(text, "pack")) == [(node.module, names)]
