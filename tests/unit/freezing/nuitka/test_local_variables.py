"""Functions whose local variables a package looks up by names in a text."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from environments import environment, install, write_files

from rustext.freezing.nuitka.local_variables import find_looked_at

QUERY = '''
"""SELECT * FROM variable"""
import sys
def query(text): return sys._getframe(1).f_locals[text.split()[-1]]
'''
MARKED = "import sys\ndef keep(text): return sys._getframe(1).f_locals[text.partition('@')[2]]"
NONE = '"""SELECT"""\ndef query(text, **tables): return tables[text.split()[-1]]'
FILES = {
    "lake/__init__.py": "", "lake/core.py": QUERY, "table/__init__.py": MARKED, "plain.py": NONE,
    "lake/empty.py": "", "lake/words.so": "f_locals",
}  # fmt: skip
DEF = "def report(fruit):\n    rows = [*fruit, 'fig']\n    "


@pytest.fixture
def site(tmp_path: Path) -> Path:
    for name in ("lake", "table", "plain"):
        install(tmp_path, name, files={f: t for f, t in FILES.items() if f.startswith(name)})
    return tmp_path


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"from lake.core import query\n{DEF}return query('SELECT * FROM rows')", "lake"),
        (f"import lake.core as l\n{DEF}return l.query(f'select max({{1}}) from fruit')", "lake"),
        (f"from lake import core\n{DEF}t = 'SELECT\\nfrom rows'\n    return core.query(t)", "lake"),
        (f"import table\n{DEF}return table.keep('price < @rows')", "table"),
    ],
)  # fmt: skip
def test_who_looks_is_told(text: str, told: str, site: Path) -> None:
    """The program is run, to see that it needs its caller's variables."""
    program = f"{text}\nprint(report(['plum'])[0])\n"
    found = find_looked_at(program, environment(site))
    assert found is not None
    assert found.startswith(f"`{told}` may look for the variable `")
    assert "of `report`" in found
    for source, ends in ((program, 0), (program.replace("def report(", "def report(*, "), 1)):
        write_files(site, {"main.py": source})
        done = subprocess.run([sys.executable, site / "main.py"], check=False, capture_output=True)
        assert done.returncode == ends


@pytest.mark.parametrize(
    "text",
    [
        f"from plain import query\n{DEF}return query('SELECT * FROM rows', rows=rows)",
        f"import table\n{DEF}return 'SELECT * FROM rows'",  # which looks for marked names alone
        f"{DEF}return 'SELECT * FROM rows'",  # nothing that looks is imported
        f"import lake\n{DEF}return 'SELECT * FROM other'",
        f"import lake\n{DEF}'What is made from rows.'",  # which is no query
        f"import lake\n{DEF}return 'SELECT * FROM ' + rows",
        f"import table\n{DEF}return 'write to plum@rows'",
        "import lake\nrows = []\nQUERY = 'SELECT * FROM rows'",  # a global variable is seen
        f"import lake\n{DEF}def inner(): return 'SELECT * FROM others'\n    others = 2",
        "import lake\ndef report(rows):\n  return 'SELECT * FROM rows' +",
        "import missing\ndef report(rows):\n  return 'SELECT * FROM rows'",
    ],
)
def test_nobody_looks(text: str, site: Path) -> None:
    assert find_looked_at(text, environment(site)) is None
