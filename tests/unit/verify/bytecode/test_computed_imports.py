"""Which names module-level code imports by calls, judged by running it."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import pytest
from interpreters import interpreters

from rustext.formats.marshal_reader import parse_code
from rustext.verify.bytecode.computed_imports import iter_called

RUN = """
import base64, importlib, json, marshal, os, sys, types
source, asked = sys.stdin.read(), []
code = compile(source, "code", "exec")
real = importlib.import_module
def note(name, *rest):
    asked.append(importlib.util.resolve_name(name, "pack") if name[:1] == "." else name)
    return types.ModuleType(name)
importlib.import_module = note
import builtins, importlib.util
given = builtins.__import__
def called(name, *rest, **more):  # a statement hands more arguments on
    by_code = sys._getframe(1).f_code is code and not rest
    return note(name) if by_code else given(name, *rest, **more)
space = {"__name__": "pack.one", "__package__": "pack", "__builtins__": {
    **vars(builtins), "__import__": called}}
try: exec(code, space)
finally: importlib.import_module = real
print(json.dumps([sys.version_info[:2], base64.b64encode(marshal.dumps(code)).decode(), asked]))
"""
SITES = {
    "__import__('json')": True,
    "import importlib\nimportlib.import_module('json.tool')": True,
    "from importlib import import_module as load": None,
    "from importlib import import_module\nimport_module('.two', __package__)": True,
    "for name in ('json', 'csv'):\n    __import__(name)": True,
    "NAMES = ('json', 'csv')\nfor name in NAMES:\n    try:\n        __import__(name)\n"
    "    except ImportError:\n        pass": True,
    "name = 'json'\n__import__(name)": True,
    "__import__(__package__ + '.two')": True,
    "__import__(__name__ + '.two')": True,
    "__import__(f'{__package__}.two')": False,
    "import os\n__import__(os.environ.get('NO_SUCH', 'json'))": False,
    "import os\nname = 'csv' if os.environ.get('NO_SUCH') else 'json'\n__import__(name)": False,
    "import os\n__import__('csv' if os.environ.get('NO_SUCH') else 'json')": False,
    "name = 'json'\nname = name.upper().lower()\n__import__(name)": False,
    "import os\nfor name in ('csv',) if os.environ.get('NO') else ('json',):\n"
    "    __import__(name)": False,
    "for name, other in (('json', 'csv'),):\n    __import__(name)": False,
    "__import__('js' + chr(111) + 'n')": False,
}


@pytest.mark.parametrize("python", interpreters(), ids=lambda p: p.parent.parent.name)
@pytest.mark.parametrize(("source", "told"), SITES.items(), ids=range(len(SITES)))
def test_names_are_told_where_they_are_all(source: str, told: bool | None, python: Path) -> None:
    done = subprocess.run(
        [python, "-I", "-c", RUN], input=source, capture_output=True, text=True, check=True
    )
    version, data, asked = json.loads(done.stdout)
    code = parse_code(base64.b64decode(data), tuple(version))
    found = list(iter_called(code, tuple(version), "pack.one", "pack"))
    if told is None:
        assert not asked
    elif told:
        assert set().union(*found) == set(asked)
        assert all(found)
    else:
        assert asked
        assert found == [frozenset()]
