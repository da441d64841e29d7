"""Values of expressions that grow without end are given up, in bounded time."""

from __future__ import annotations

import ast
import time

import pytest

from rustext.discovery.import_sites import read_import_sites
from rustext.model.sources import HOLE

GROWING = {
    "a name that is added to itself": "x = 'a'\n" + "x = x + x\n" * 60,
    "names in a chain": "".join(f"x{n} = x{n + 1} + x{n + 1}\n" for n in range(60)) + "x = x0\n",
    "choices": "".join(f"x = y if x else x + '{n}'\ny = x or y\n" for n in range(40)),
    "formats": "x = 'a'\n" + "x = f'{x}{x}{x}'\n" * 40,
    "percent": "x = 'a'\n" + "x = '%s%s' % (x, x)\n" * 40,
    "replacements": "x = 'a'\n" + "x = x.replace(x, x + x)\n" * 40,
    "joins": "x = 'a'\n" + "x = '.'.join([x, x, x])\n" * 40,
    "elements": "x = ['a', 'b']\n" + "x = [*x, *x]\n" * 60,
    "a product": "x = '" + "%s" * 5000 + "' % (" + "'a'," * 5000 + ")\n",
    "a repetition": "x = 'a' * 10**9\n",
    "dictionaries": "x = {'a': 'b'}\n" + "x = {**x, 'a': x.get('a')}\n" * 60 + "x = x['a']\n",
}


@pytest.mark.parametrize("text", GROWING.values(), ids=GROWING)
def test_a_value_that_grows_is_given_up(text: str) -> None:
    tree = ast.parse(f"import importlib\n{text}importlib.import_module(x)\n")
    begin = time.process_time()
    ((site,), _) = read_import_sites(tree, "m", package=False)
    assert time.process_time() - begin < 5
    assert sum(map(len, site.names)) < 1_000_000


def test_a_value_that_does_not_grow_is_found() -> None:
    tree = ast.parse("import importlib\nx = 'a'\nx = x + '.b'\nimportlib.import_module(x)\n")
    ((site,), _) = read_import_sites(tree, "m", package=False)
    assert {"a", "a.b"} <= {name for name in site.names if HOLE not in name}
