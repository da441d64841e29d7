"""Where code looks for a file, compared with the path that it opens when it runs."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest
from interpreters import interpreters

from rustext.formats.marshal_reader import parse_code
from rustext.verify.bytecode.opened_names import find_openings
from rustext.verify.bytecode.sought_files import data_files
from rustext.verify.facts.python.start_openings import iter_paths

HEAD = """
import os, pkgutil, sys
from importlib import resources
from os.path import abspath, dirname, join
from pathlib import Path
here = os.path.dirname(os.path.abspath(__file__))
HERE = Path(__file__).resolve().parent
DATA = HERE / "data"
other = HERE.parent / "kit"
"""
# By the end of the path if it begins without a slash.
PATHS = {
    'open(os.path.join(os.path.dirname(__file__), "data", "x.csv"))': "/kit/data/x.csv",
    '(Path(__file__).parent / "data" / "x.csv").read_text()': "/kit/data/x.csv",
    '(HERE / "x.csv").read_text()': "/kit/x.csv",
    '(DATA / "x.csv").open()': "/kit/data/x.csv",
    'open(os.path.join(here, "data/x.csv"), encoding="utf-8")': "/kit/data/x.csv",
    '(resources.files("kit") / "data" / "x.csv").read_text()': "/kit/data/x.csv",
    'resources.files("kit").joinpath("data", "x.csv").read_text()': "/kit/data/x.csv",
    'resources.files(__package__).joinpath("data/x.csv").read_text()': "/kit/data/x.csv",
    'pkgutil.get_data("kit", "data/x.csv")': "/kit/data/x.csv",
    'Path(__file__).with_name("x.csv").read_text()': "/kit/x.csv",
    'open(here + "/data/x.csv")': "data/x.csv",
    'open(f"{here}/data/x.csv")': "data/x.csv",
    '(Path(__file__).parent.parent / "etc" / "x.csv").read_text()': "/etc/x.csv",
    'open(join(dirname(abspath(__file__)), "..", "x.csv"))': "/x.csv",
    '(Path(sys.argv[1]) / "data" / "x.csv").read_text()': "data/x.csv",
    'open(join(sys.argv[1], "data", "x.csv"))': "x.csv",
    '((HERE if sys.argv[1:] else DATA) / "x.csv").read_text()': "x.csv",
    'open(join(sys.argv[1] or here, "x.csv"))': "x.csv",
    '(other / "x.csv").read_text()': "/kit/x.csv",
}  # fmt: skip
COMPILE = """
import base64, json, marshal, sys
codes = [compile(text, "code", "exec") for text in json.loads(sys.stdin.read())]
texts = [base64.b64encode(marshal.dumps(code)).decode() for code in codes]
print(json.dumps([sys.version_info[:2], texts]))
"""
OPENED = """
import os, sys
sys.path.insert(0, os.path.dirname(sys.argv[1]))
sys.addaudithook(lambda event, given: event == "open" and print(given[0]))
import kit.code
"""


def test_a_path_is_the_one_that_the_code_opens(tmp_path: Path) -> None:
    for name in ("kit/x.csv", "kit/data/x.csv", "etc/x.csv", "x.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    (tmp_path / "kit" / "__init__.py").touch()
    for source, path in PATHS.items():
        (tmp_path / "kit" / "code.py").write_text(HEAD + source)
        ran = [sys.executable, "-B", "-c", OPENED, str(tmp_path / "kit")]
        done = subprocess.run(ran, capture_output=True, text=True, check=True)
        opened = {str(Path(line).resolve()) for line in done.stdout.splitlines()}
        assert any(one == f"{tmp_path}{path}" or one.endswith(f"/{path}") for one in opened), source


@pytest.mark.parametrize("python", interpreters(), ids=lambda p: p.parent.parent.name)
def test_each_python_says_where_code_looks_for_a_file(python: Path) -> None:
    sources = [HEAD + s for s in PATHS]
    sources += [f"{HEAD}def load():\n    return {s}\nload()" for s in PATHS]
    done = subprocess.run(
        [python, "-I", "-c", COMPILE],
        input=json.dumps(sources),
        capture_output=True,
        text=True,
        check=True,
    )
    (major, minor), codes = json.loads(done.stdout)
    for source, text, path in zip(sources, codes, [*PATHS.values()] * 2, strict=True):
        code = parse_code(base64.b64decode(text), (major, minor))
        openings = find_openings(code, (major, minor), {"sys.platform": "linux"}, data_files())
        found = [list(iter_paths(one.places, PurePosixPath("kit"))) for one in openings]
        assert found == [[path]], source
