"""Which libraries code opens next to itself, judged by importing it with each library missing."""

from __future__ import annotations

import base64
import json
import marshal
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from compiling import Compile
from interpreters import interpreters

from rustext.formats.marshal_reader import parse_code
from rustext.verify.bytecode.named_paths import climbs, find_completed_packages, find_package_paths
from rustext.verify.bytecode.opened_names import (
    Opening,
    find_openings,
    may_open,
)
from rustext.verify.bytecode.sought_files import data_files

HEAD = """
import ctypes, os, sys
from ctypes import CDLL
from pathlib import Path
here = os.path.dirname(os.path.abspath(__file__))
"""
PLATFORMS = "{'linux': 'libone.so', 'darwin': 'libone.dylib', 'win32': 'one.dll'}[sys.platform]"
LOAD = "def load():\n    return CDLL(os.path.join(here, 'libone.so'))\n"
# What generated code of UniFFI does (templates/NamespaceLibraryTemplate.py of uniffi-rs).
UNIFFI = """
def _indirect():
    if sys.platform == "darwin":
        name = "lib{}.dylib"
    elif sys.platform.startswith("win"):
        name = "{}.dll"
    else:
        name = "lib{}.so"
    return ctypes.cdll.LoadLibrary(os.path.join(here, name.format("one")))
library = _indirect()
"""
FFI = """
class ffi:
    @staticmethod
    def dlopen(path):
        return CDLL(path)
"""

# Code that does not get to its end without the library that it names.
NEEDED = {
    "joined": "lib = ctypes.CDLL(os.path.join(os.path.dirname(__file__), 'libone.so'))",
    "path": "lib = CDLL(str(Path(__file__).parent / 'libone.so'))",
    "another name": "lib = CDLL(str(Path(__file__).with_name('libone.so')))",
    "loader": "lib = ctypes.cdll.LoadLibrary(here + '/libone.so')",
    "folder": "lib = CDLL(f'{here}/./libone.so')",
    "formatted": "lib = CDLL(f'{here}/libone.so')",
    "cffi": FFI + "lib = ffi.dlopen(os.path.join(here, 'libone.so'))",
    "mode": "lib = CDLL(os.path.join(here, 'libone.so'), mode=ctypes.RTLD_GLOBAL)",
    "platforms": f"lib = CDLL(os.path.join(here, {PLATFORMS}))",
    "conditions": "if sys.platform == 'win32':\n    name = 'one.dll'\n"
    "elif sys.platform == 'darwin':\n    name = 'libone.dylib'\nelse:\n    name = 'libone.so'\n"
    "lib = CDLL(os.path.join(here, name))",
    "function": LOAD + "lib = load()",
    "constant": "NAME = 'libone.so'\nPATH = os.path.join(here, NAME)\n"
    "def load():\n    return CDLL(PATH)\nlib = load()",
    "raised again": "try:\n    lib = CDLL(os.path.join(here, 'libone.so'))\n"
    "except OSError as error:\n    raise ImportError('no library') from error",
    "another error": "try:\n    lib = CDLL(os.path.join(here, 'libone.so'))\n"
    "except ImportError:\n    pass",
    "looked for": "path = os.path.join(here, 'libone.so')\nif not os.path.exists(path):\n"
    "    raise OSError(path)\nlib = CDLL(path)",
    "two": "one = CDLL(os.path.join(here, 'libone.so'))\ntwo = CDLL(here + '/libtwo.so')",
}  # fmt: skip
# Code that gets to its end without it, or of which only a run can tell: a warning.
PERHAPS = {
    "later": LOAD,
    "class": "class One:\n    def __init__(self):\n        self.lib = CDLL(here + '/libone.so')",
    "variable": "path = os.environ.get('ONE')\nif not path:\n"
    "    path = os.path.join(here, 'libone.so')\nlib = CDLL(path)",
    "system": "from ctypes.util import find_library\n"
    "lib = CDLL(find_library('one') or os.path.join(here, 'libone.so'))",
    "another library": "libc = CDLL(None)\nPATH = os.path.join(here, 'libone.so')\n"
    "def load():\n    return CDLL(PATH)",
    "inner import": "def load():\n    from ctypes import CDLL\n    return CDLL(here+'/libone.so')",
    "with": "import contextlib\nwith contextlib.nullcontext():\n    CDLL(here + '/libone.so')",
    "uniffi": UNIFFI,
    "either": "import platform\nnames = {'x86_64': 'libone.so'}\n"
    "lib = CDLL(os.path.join(here, names.get(platform.machine(), 'libone.so')))"
    " if sys.argv else None",
}  # fmt: skip
# Code that does without it, or asks the system.
NOT_NEEDED = {
    "caught": "try:\n    lib = CDLL(os.path.join(here, 'libone.so'))\nexcept OSError:\n    lib = 0",
    "several": "try:\n    CDLL(here + '/libone.so')\nexcept (OSError, ValueError):\n    pass",
    "suppressed": "from contextlib import suppress\nwith suppress(OSError):\n"
    "    lib = CDLL(here + '/libone.so')",
    "caught call": LOAD + "try:\n    lib = load()\nexcept OSError:\n    lib = None",
    "optional": "path = os.path.join(here, 'libone.so')\n"
    "lib = CDLL(path) if os.path.exists(path) else None",
    "tried": "lib = None\nfor name in ('libone.so', 'libtwo.so'):\n    try:\n"
    "        lib = CDLL(os.path.join(here, name))\n    except OSError:\n        pass",
    "inner import, caught": "def load():\n    from ctypes import CDLL\n    try:\n"
    "        return CDLL(here + '/libone.so')\n    except OSError:\n        return None\nload()",
    "bare": "def load():\n    return CDLL('libone.so')",
    "bare, inner import": "def load():\n    from ctypes import CDLL\n    return CDLL('libone.so')",
    "absolute": "def load():\n    return CDLL('/usr/lib/one/libone.so')",
    "absolute constant": "PATH = '/opt/one/libone.so'\ndef load():\n    return CDLL(PATH)",
    "other platforms": "NAMES = ['one.dll', 'libone.dylib']\ndef load(i):\n"
    "    return CDLL(here + NAMES[i])",
}  # fmt: skip
COMPILE = """
import base64, json, marshal, sys
code = compile(sys.stdin.read(), "code", "exec")
print(json.dumps([sys.version_info[:2], base64.b64encode(marshal.dumps(code)).decode()]))
"""


def read(python: Path, source: str, platform: str = "linux") -> tuple[Opening, ...]:
    done = subprocess.run(
        [python, "-I", "-c", COMPILE], input=source, capture_output=True, text=True, check=True
    )
    (major, minor), code = json.loads(done.stdout)
    data = base64.b64decode(code)
    found = find_openings(
        parse_code(data, (major, minor)), (major, minor), {"sys.platform": platform}
    )
    assert may_open(data) or not found
    return found


@pytest.fixture
def folder(tmp_path: Path, gcc: Compile) -> Path:
    for name in ("libone.so", "libtwo.so"):
        shutil.copy(gcc(name, "int one(void) { return 1; }", "-shared", "-fPIC"), tmp_path)
    return tmp_path


def runs(folder: Path, source: str, *, without: str = "") -> bool:
    script, away = folder / "code.py", folder / "away"
    script.write_text(source)
    if without:
        (folder / without).rename(away)
    done = subprocess.run([sys.executable, "-I", script], capture_output=True, check=False)
    if without:
        away.rename(folder / without)
    return done.returncode == 0


@pytest.mark.parametrize("name", NEEDED)
def test_what_code_surely_opens_it_does_not_run_without(name: str, folder: Path) -> None:
    source = HEAD + NEEDED[name]
    assert runs(folder, source)
    openings = read(Path(sys.executable), source)
    assert openings
    assert all(opening.certain and len(opening.names) == 1 for opening in openings)
    wanted = {n for n in ("libone.so", "libtwo.so") if not runs(folder, source, without=n)}
    assert {n for opening in openings for n in opening.names} == wanted


@pytest.mark.parametrize("name", PERHAPS)
def test_what_only_a_run_can_tell_is_not_certain(name: str, folder: Path) -> None:
    source = HEAD + PERHAPS[name]
    assert runs(folder, source)
    (opening,) = read(Path(sys.executable), source)
    assert (opening.names, opening.certain) == (("libone.so",), False)


@pytest.mark.parametrize("name", NOT_NEEDED)
def test_code_that_does_without_a_library_opens_none(name: str, folder: Path) -> None:
    source = HEAD + NOT_NEEDED[name]
    assert runs(folder, source, without="libone.so")
    assert read(Path(sys.executable), source) == ()


@pytest.mark.parametrize("python", interpreters(), ids=lambda p: p.parent.parent.name)
def test_the_bytecode_of_each_python_tells_the_same(python: Path) -> None:
    for source in (*NEEDED.values(), *PERHAPS.values(), *NOT_NEEDED.values()):
        assert read(python, HEAD + source) == read(Path(sys.executable), HEAD + source), source


def test_alternatives_are_told_together() -> None:
    table = "{'x86_64': 'libone.so', 'aarch64': 'libtwo.so'}"
    source = f"{HEAD}import platform\nlib = CDLL(os.path.join(here, {table}[platform.machine()]))"
    (opening,) = read(Path(sys.executable), source)
    assert opening.names == ("libone.so", "libtwo.so")


@pytest.mark.parametrize(
    ("platform", "name"),
    [("linux", "libone.so"), ("darwin", "libone.dylib"), ("win32", "one.dll"), ("aix", None)],
)
def test_the_names_of_other_platforms_do_not_count(platform: str, name: str | None) -> None:
    for source in (NEEDED["platforms"], UNIFFI):
        found = read(Path(sys.executable), HEAD + source, platform)
        assert [opening.names for opening in found] == ([(name,)] if name else [])


READ = "def load():\n    return open(os.path.join(here, 'one.json')).read()\n"
DATA_NEEDED = {
    "open": "text = open(os.path.join(here, 'one.json')).read()",
    "with": "with open(here + '/one.json', encoding='utf-8') as file:\n    text = file.read()",
    "path": "text = (Path(__file__).parent / 'one.json').read_text('utf-8')",
    "method": "text = Path(__file__).with_name('one.json').open('rb').read()",
    "resources": "from importlib import resources\n"
    "text = resources.files('json').joinpath(here + '/one.json').read_bytes()",
    "function": READ + "load()",
    "place of a function": "def place():\n    return Path(__file__).parent\n"
    "text = (place() / 'one.json').read_text()",
    "place by way of others": "root = Path(here)\ndata = root / '.'\n"
    "def load():\n    return (data / 'one.json').read_text()\nload()",
    "other exception": "try:\n    open(here + '/one.json')\nexcept ImportError:\n    pass",
}
TEMPORARY = """
import tempfile
folder = Path(tempfile.mkdtemp())
def store(path):
    path.write_text("text")
"""
DATA_PERHAPS = {
    "function": READ,
    "other use": "NAME = here + '/one.json'\nopen(__file__)",
    "class": "class A:\n    def load(self):\n        return Path(here, 'one.json').read_text()",
    "temporary": f"{TEMPORARY}store(folder / 'one.json')\nopen(folder / 'one.json').read()",
    "temporary, in a function": f"{TEMPORARY}def load():\n    store(folder / 'one.json')\n"
    "    return open(folder / 'one.json').read()\nload()",
    "written before": "def load():\n    path = Path(tempfile.mkdtemp(), 'one.json')\n"
    "    path.write_text('text')\n    return __file__ + path.read_text()\nimport tempfile\nload()",
}
DATA_NOT_NEEDED = {
    "caught": "try:\n    open(here + '/one.json')\nexcept FileNotFoundError:\n    pass",
    "caught as another": "try:\n    open(here + '/one.json')\nexcept OSError:\n    pass",
    "asked first": "if os.path.exists(here + '/one.json'):\n    open(here + '/one.json')",
    "written": "with open(here + '/one.json', 'w') as file:\n    file.write('1')",
    "elsewhere": "def load():\n    return open('one.json')",
    "written by another": "def note():\n    path = here + '/one.json'\n"
        "    with open(path, 'w') as file:\n        file.write('1')\n"
        "def load(path=here + '/' + 'two'):\n    return open(path).read()",
    "a class": "def load(kind='Story.FitResult'):\n    return open(here + '/' + kind)",
    "absolute": "def load():\n    return open('/etc/one.json')",
    "code": "def load():\n    return open(here + '/code.py').read()",
    "method of another object": "class Answer:\n    def get_data(self, as_text):\n"
    "        return 'one.json'\nanswer = Answer().get_data(as_text=True) + 'one.json'",
}  # fmt: skip


def read_data_openings(source: str) -> tuple[Opening, ...]:
    code = parse_code(marshal.dumps(compile(source, "code", "exec")), sys.version_info[:2])
    return find_openings(code, sys.version_info[:2], {"sys.platform": "linux"}, data_files())


@pytest.mark.parametrize("name", DATA_NEEDED)
def test_code_that_surely_reads_a_file_does_not_run_without_it(name: str, folder: Path) -> None:
    (folder / "one.json").write_text("1")
    source = HEAD + DATA_NEEDED[name]
    assert runs(folder, source)
    assert not runs(folder, source, without="one.json")
    assert read_data_openings(source) == (Opening(("one.json",), True),)


@pytest.mark.parametrize("name", [*DATA_PERHAPS, *DATA_NOT_NEEDED])
def test_code_that_may_do_without_a_file_does_not_surely_read_it(name: str, folder: Path) -> None:
    source = HEAD + {**DATA_NOT_NEEDED, **DATA_PERHAPS}[name]
    assert runs(folder, source)
    found = read_data_openings(source)
    assert found == ((Opening(("one.json",), False),) if name in DATA_PERHAPS else ())


ANNOTATED = """
from __future__ import annotations
value: t.Any = 1
class A:
    def method(self: one.json, *args: t.Any, kind=None) -> t.Any:
        import xml.dom
        return self
"""


def test_a_dotted_name_of_python_is_no_file() -> None:
    code = "open(os.path.join(here, NAME))\n"
    assert read_data_openings(f"{ANNOTATED}{HEAD}NAME = 'xml.dom'\n{code}") == ()
    assert read_data_openings(f"{ANNOTATED}{HEAD}NAME = 'one.json'\n{code}") != ()


@pytest.mark.parametrize(
    ("call", "names"),
    [
        ("render_template('one.html', page='two.html')", ("one.html",)),
        ("get_template('one.html')", ()),
    ],
)
def test_a_template_is_named_without_its_folder(call: str, names: tuple[str, ...]) -> None:
    found = read_data_openings(f"from web import *\ndef view():\n    return {call}")
    assert [opening.names for opening in found] == ([names] if names else [])


@pytest.mark.parametrize(
    ("call", "packages"),
    [
        ("from importlib.resources import files\nfiles('demo.' + name)", {"demo"}),
        ("from importlib.resources import files\nfiles(f'demo.part.{name}')", {"demo.part"}),
        ("from importlib.resources import files\nfiles('demo')", set()),
        ("__import__('demo.' + name)", set()),
    ],
)
def test_the_package_of_resources_is_known_where_its_name_is_completed(
    call: str, packages: set[str]
) -> None:
    code = parse_code(marshal.dumps(compile(call, "code", "exec")), sys.version_info[:2])
    assert find_completed_packages(code) == packages


@pytest.mark.parametrize(
    "path",
    [
        "os.path.join(os.path.dirname(__file__), '..', 'one.json')",
        "Path(__file__).parent / '../one.json'",
        "os.path.abspath(os.path.join(os.path.dirname(__file__), '..', 'one.json'))",
        "Path(__file__).parent.parent / 'one.json'",
    ],
)
def test_a_path_that_climbs_needs_the_folder_of_its_module(path: str, folder: Path) -> None:
    source = f"import os\nfrom pathlib import Path\nopen({path})"
    code = compile(source, "code", "exec")
    (folder / "one.json").write_text("1")
    climbing = climbs(parse_code(marshal.dumps(code), sys.version_info[:2]))
    module = f"__file__ = {str(folder / 'part' / 'code.py')!r}\n{source}"
    assert runs(folder, module) != climbing
    (folder / "part").mkdir()
    assert runs(folder, module)


def test_a_path_that_begins_with_a_package_names_a_file_of_it() -> None:
    source = "class A:\n    page = 'demo/a/one.html'\n    other = 'none/two.html', 'demo/code.py'"
    code = parse_code(marshal.dumps(compile(source, "code", "exec")), sys.version_info[:2])
    assert find_package_paths(code, {"demo"}) == {"one.html"}
