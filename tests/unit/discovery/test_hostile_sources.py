"""Sources on which a careless pattern takes the square of their length are read in seconds."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from environments import environment, install

from rustext.discovery.source_facts import read_sources

COUNT = 300_000
PASSES = """
from importlib import import_module
def first(name): return import_module(name)
def second(name): return first(name)
"""
SOURCES = {
    "lines": "\n" * COUNT,
    "blanks": "x = 1" + " " * COUNT + "\n",
    "tabs": "if a:\n" + "\t" * COUNT + "pass\n",
    "comments": "#a\n" * COUNT,
    "a comment": "# a " * COUNT,
    "underscores": "_" * COUNT,
    "quotes": "x = '''" + "\\'" * COUNT + "'''",
    "dots": "x = '''" + "a." * COUNT + "'''",
    "slashes": "x = '" + "a/" * COUNT + "'",
    "fields": "x = '" + "{}" * COUNT + "'",
    "percent signs": "x = '" + "%s" * COUNT + "'",
    "calls in a text": "x = '''" + "getLogger( " * 50_000 + "'''",
    "an import of blanks": "import " + " " * COUNT + "a",
    "an import of many": "from a import (" + "b,\n" * 50_000 + ")",
    "a call of blanks": "import lazy\nlazy.attach_stub(__name__," + " " * COUNT + "__file__)\n",
    "continued lines": "x = 1 + \\\n" * 50_000 + "1",
    "a list of names": "__all__ = [" + "'a'," * 50_000 + "]\n",
    "loads": "import ctypes\nctypes.CDLL('libx.so')\n" * 10_000,
    "resources": "import importlib.resources as r\nr.files(__package__)\n" * 10_000,
    "resources by name": "import importlib.resources as r, a\nr.files(a)\n" * 10_000,
    "listed packages": "import pkgutil, a\npkgutil.iter_modules(a.__path__)\n" * 10_000,
    "statements": "a;" * 1_000_000,
    "a line of digits": PASSES + "X = '" + "deadbeef" * 50_000 + "'\n",
    "a line of numbers": PASSES + "X = [" + "1," * COUNT + "]\n",
    "imports without an end": "from a import (\n" * 100_000,
    "imports in a line": "import importlib\nx = '" + "importlib import a " * 50_000 + "'",
    "a long sum": "import inspect\ndef f(x):\n  y = "
    + "x + " * 900
    + "x\n  inspect.getsource(x)\n",
    "a long name": "import importlib\na" + ".b" * 900 + ".patch('x')\n",
    "a text that grows": "from importlib import import_module\na0 = 'aaaaaaaaaa'\n"
    + "".join(f"a{n + 1} = a{n}.replace('a', a{n})\n" for n in range(5))
    + "import_module(a5)\n",
    "functions that hand on": PASSES
    + "".join(f"def f{n + 1}(x): f{n}(x)\n" for n in range(3000))
    + "def f0(x): first(x)\n",
    "functions that read": "import inspect\ndef f0(x): inspect.getsource(x)\n"
    + "".join(f"def f{n + 1}(x): f{n}(x)\n" for n in range(3000)),
    "resources of many": "import importlib.resources as r\n"
    + "".join(f"r.files(a{n})\n" for n in range(10_000)),
    "class after class": "class A:\n  def f(self): return self.x\n" * 10_000,
}


@pytest.mark.parametrize("text", SOURCES.values(), ids=SOURCES)
def test_a_source_is_read_in_time(text: str, tmp_path: Path) -> None:
    install(tmp_path, "host", files={"host/__init__.py": text})
    begin = time.process_time()
    assert read_sources(environment(tmp_path).distributions["host"]).files
    assert time.process_time() - begin < 10


BYTES = """
import runpy, subprocess, sys
exec(open(sys.modules[b"__main__"].__file__).read(), vars(sys.modules["__main__"]))
runpy.run_path(sys.modules[b"__main__"].__file__)
subprocess.run([sys.executable, b"-m", "pip"])
subprocess.run([sys.executable, b"-c", ""])
__import__(x.rsplit(".", 1)[b"0"])
__import__(b"a" + b".b" % b"c"), b"a".join([b"b"]), b"__main__" == __name__
"""
READ = """
import sys
from pathlib import Path
from rustext.discovery.source_facts import read_sources
from rustext.environment.distributions import iter_distributions
(dist,) = iter_distributions(Path(sys.argv[1]))
(facts,) = read_sources(dist).files
print(sorted(facts.starts_python))
"""


def test_literals_of_bytes_are_compared_with_no_text(tmp_path: Path) -> None:
    install(tmp_path, "host", files={"host/__init__.py": BYTES})
    command = [sys.executable, "-bb", "-W", "error::BytesWarning", "-c", READ, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("['script']\n", 0), done.stderr
