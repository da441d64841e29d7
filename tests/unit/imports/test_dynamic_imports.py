"""Imports by a name that Python code hands to a function, beside what Python does when it runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from environments import environment, install

from rustext.discovery.source_facts import read_sources
from rustext.environment.environment import Environment
from rustext.imports.dynamic_imports import (
    Named,
    borrowed_importers,
    find_named_imports,
    find_unfollowed,
    importers_of,
)
from rustext.model.evidence import EvidenceKind

MODULES = ("alpha", "beta.inner", "gamma", "delta")
FILES = {"beta/__init__.py": "", "beta/inner.py": "", **{f"{m}.py": "" for m in MODULES[::2]}}
FILES["delta.py"] = ""
FUNCTION = "def require(name):\n    try:\n        return importlib.import_module(name)\n"
FUNCTION += "    except ModuleNotFoundError:\n        raise\n"
IMPORT = "import importlib\nfrom importlib import import_module\n"


def named_imports(env: Environment, name: str = "host") -> tuple[Named, ...]:
    dist = env.distributions[name]
    return find_named_imports(read_sources(dist), dist, env)


def found(site: Path, text: str, **more: str) -> set[str]:
    files = {"host/__init__.py": text, **{f"host/{name}.py": t for name, t in more.items()}}
    install(site, "host", files={**files, **FILES})
    env = environment(site)
    named = named_imports(env)
    kinds = {EvidenceKind.PYTHON_CALL, EvidenceKind.PYTHON_NAME}
    assert {evidence.kind for _, evidence in named} <= kinds
    return {name for name, _ in named if env.find_module(name) is not None}


def imported(site: Path) -> set[str]:
    """Which of the modules are there once the package has been imported."""
    code = f"import host, sys; print(*sys.modules.keys() & {set(MODULES)!r})"
    command = [sys.executable, "-c", code]
    return set(
        subprocess.run(
            command, cwd=site, stdout=subprocess.PIPE, text=True, check=True, timeout=60
        ).stdout.split()
    )


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (f"{IMPORT}{FUNCTION}require('alpha')", {"alpha"}),
        (f'{IMPORT}{FUNCTION}require(\n    name="beta.inner",\n)', {"beta.inner"}),
        ("def load(module, level=0):\n    __import__(module)\nload('gamma', 0)", {"gamma"}),
        (f"{IMPORT}class A:\n def get(self, x): import_module(x)\nA().get('delta')", {"delta"}),
        (f"{IMPORT}def other(name, kind): import_module(kind)\nother('alpha', 'gamma')", {"gamma"}),
        (f"{IMPORT}def f(*, a, name): import_module(name)\nf(a='alpha', name='gamma')", {"gamma"}),
        (f"{IMPORT}def f(*n): set(map(import_module, n))\nf('alpha', 'delta')", {"alpha", "delta"}),
        (f"{IMPORT}def f(n):\n def g(): import_module(n)\n return g\nf('delta')()", {"delta"}),
        (f"{IMPORT}def quiet(name): return name\nquiet('alpha'); unused = import_module", set()),
        (f"{IMPORT}def one(name): pass\ndef two(kind): import_module(name)\none('alpha')", set()),
    ],
)  # fmt: skip
def test_a_name_counts_where_the_function_imports_that_parameter(
    text: str, names: set[str], tmp_path: Path
) -> None:
    assert found(tmp_path, text) == names
    assert imported(tmp_path) >= names


@pytest.mark.parametrize(
    ("call", "names"),
    [
        ("import_module('alpha')", {"alpha"}),
        ('importlib.import_module(\n    "beta.inner")', {"beta.inner"}),
        ("import_module('.one', __package__)", {"host.one"}),
        ("import_module(name='.one', package=__name__)", {"host.one"}),
        ("__import__('gamma', fromlist=['x'])", {"gamma"}),
        ("import_module('...one', 'host.inner.deep')", {"host.one"}),
        ("exec('from host.one import *\\n')", {"host.one"}),
        ("def lazy(*_): ...\nlazy(globals(), {'x': '.one'})", {"host.one"}),
    ],
)
def test_a_name_may_stand_in_the_call(call: str, names: set[str], tmp_path: Path) -> None:
    assert found(tmp_path, f"{IMPORT}import importlib.util\n{call}", one="") == names
    assert imported(tmp_path) >= names & set(MODULES)


STAND_IN = """
import sys, types
class Module(types.ModuleType):
    def __getattr__(self, name):
        return import_module("." + name, self.__name__)
sys.modules[__name__].__class__ = Module
sys.modules[__name__].one
"""


@pytest.mark.parametrize(
    "code",
    [
        "from importlib import import_module as _load\n_load('.one', __package__)",
        "load = importlib.import_module\nload('host.one')",
        "from functools import partial\nf = partial(import_module, package=__name__)\nf('.one')",
        "list(map(importlib.import_module, ('json', 'host.one')))",
        "import_module('host/one'.replace('/', '.'))",
        "import_module('.one', __name__.split('.')[0])",
        "top = __name__.partition('.')[0]\nimport_module(f'{top}.one')",
        "import_module('.'.join('host.one.VALUE'.split('.')[:-1]))",
        "module, _, name = 'host.one.VALUE'.rpartition('.')\nimport_module(module)",
        "parts = 'host.one:VALUE'.split(':', maxsplit=1)\nimport_module(parts[0])",
        "name = 'host'\nname += '.one'\nimport_module(name)",
        "import_module('HOST.One'.lower().removesuffix('.py'))",
        "import contextvars\ncontextvars.copy_context().run(import_module, 'host.one')",
        "import pydoc\npydoc.locate('host.one.VALUE')",
        "from pydoc import locate as find\nfind('host.one.VALUE')",
        "from unittest import mock\nmock.patch('host.one.VALUE', 2).start()",
        "from importlib.metadata import EntryPoint\nEntryPoint('a', 'host.one:VALUE', 'g').load()",
        "eval(\"__import__('host.one')\")",
        "exec('import host.one as one')",
        "name = 'one'\nexec(f'from host.{name} import VALUE')",
        (
            "import logging.config as c\nc.dictConfig({'version': 1, 'filters': "
            "{'f': {'()': 'host.one.Filter'}}})"
        ),
        "import pickle\npickle.loads(b'chost.one\\nFilter\\n.')\nNAMES = ['host.one']",
        STAND_IN,
    ],
)
def test_other_functions_and_names_import_as_well(code: str, tmp_path: Path) -> None:
    names = found(tmp_path, f"{IMPORT}{code}", one="from logging import Filter\nVALUE = 1\n")
    ran = [sys.executable, "-c", "import host, sys; print('host.one' in sys.modules)"]
    done = subprocess.run(ran, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), "host.one" in names) == ("True", True)


def test_functions_of_the_same_name_import_nothing(tmp_path: Path) -> None:
    code = "def locate(name): ...\nlocate('host.one')\nclass A:\n def patch(self, n): ...\n"
    assert found(tmp_path, f"{IMPORT}{code}A().patch('host.one')", one="") == set()


def test_what_is_looked_for_is_to_be_imported_where_it_is_there(tmp_path: Path) -> None:
    assert found(tmp_path, "import importlib.util\nimportlib.util.find_spec('delta')") == {"delta"}


def test_the_function_may_be_in_another_file_of_the_distribution(tmp_path: Path) -> None:
    calls = "from host import tools\ntools.require('alpha')\nrequire = len\nrequire('gamma')"
    names = found(tmp_path, calls, tools=f"{IMPORT}{FUNCTION}")
    assert "alpha" in imported(tmp_path) & names


@pytest.mark.parametrize(
    ("settings", "names"),
    [("one.yaml", {"host.two"}), ("other.yaml", set()), ("one.txt", set())],
)
def test_a_name_may_stand_in_a_configuration_file_that_the_code_opens(
    settings: str, names: set[str], tmp_path: Path
) -> None:
    code = f"{IMPORT}from pathlib import Path\nfile = Path(__file__).with_name('one.yaml')\n"
    code += "if file.is_file(): import_module(file.read_text().split()[1].rpartition('.')[0])"
    text = {f"host/{settings}": "handler: host.two.Handler\n", "host/two.py": ""}
    install(tmp_path, "host", files={"host/__init__.py": code, **text})
    env = environment(tmp_path)
    assert {name for name, _ in named_imports(env)} == names
    ran = "import host, sys; print(*sys.modules.keys() & {'host.two'})"
    command = [sys.executable, "-c", ran]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == names


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("list.txt", b"json\nhost.two\n"),
        ("table.csv", b"fast,host.two,Handler\n"),
        ("beans.xml", b'<bean class="host.two.Handler"/>'),
        ("model.pkl", b"chost.two\nHandler\n."),
    ],
)
def test_a_data_file_of_any_form_names_modules_of_its_own_distribution(
    file: str, content: bytes, tmp_path: Path
) -> None:
    code = f"""{IMPORT}import pickle, re
from pathlib import Path
data = Path(__file__).with_name("{file}").read_bytes()
if data.startswith(b"c"):
    pickle.loads(data)
else:
    import_module(re.search(rb"host[.]\\w+", data)[0].decode())
"""
    install(tmp_path, "host", files={"host/__init__.py": code, "host/two.py": "Handler = 1\n"})
    (tmp_path / "host" / file).write_bytes(content)
    record = tmp_path / "host-1.0.dist-info" / "RECORD"
    record.write_text(f"{record.read_text()}host/{file},,\n")
    ran = [sys.executable, "-c", "import host, sys; print('host.two' in sys.modules)"]
    done = subprocess.run(ran, cwd=tmp_path, capture_output=True, text=True, check=True)
    names = {name for name, _ in named_imports(environment(tmp_path))}
    assert (done.stdout.strip(), "host.two" in names) == ("True", True)


def test_the_evidence_names_the_file_and_the_call(tmp_path: Path) -> None:
    install(tmp_path, "host", files={"host/a.py": f"{IMPORT}{FUNCTION}require ( 'alpha')"})
    env = environment(tmp_path)
    ((_, evidence),) = named_imports(env)
    assert (evidence.where, evidence.detail) == ("host/a.py", 'require("alpha")')


def test_a_call_counts_once_where_the_name_of_another_function_begins_its_own(
    tmp_path: Path,
) -> None:
    text = f"{IMPORT}{FUNCTION}{FUNCTION.replace('require', 'require_now')}require_now('alpha')"
    install(tmp_path, "host", files={"host/a.py": text})
    env = environment(tmp_path)
    ((name, evidence),) = named_imports(env)
    assert (name, evidence.detail) == ("alpha", 'require_now("alpha")')


def test_tests_of_a_distribution_import_nothing_for_its_users(tmp_path: Path) -> None:
    files = {"host/tests/a.py": f"{IMPORT}{FUNCTION}require('alpha')"}
    install(tmp_path, "host", files=files)
    env = environment(tmp_path)
    assert named_imports(env) == ()


@pytest.mark.parametrize(
    ("call", "names"),
    [
        ("_import_module(\n    f'words_{kind}')", {"words_small", "words_large"}),
        ('find_spec(f"words.{kind}")', {"words.small", "words.large"}),
        ("import_module(f'words.{kind}.list')", {"words.small.list", "words.large.list"}),
        ("import_module(f'words.{kind}.{list}')", {"words.small.list", "words.large.list"}),
        ("import_module('words_' + kind)", {"words_small", "words_large"}),
        ("import_module('words.%s' % kind)", {"words.small", "words.large"}),
        ("import_module('words.{}'.format(kind))", {"words.small", "words.large"}),
        ("import_module('.'.join(('words', kind)))", {"words.small", "words.large"}),
        (
            "__import__('words', globals(), {}, [str(kind)])",
            {"words", "words.small", "words.large"},
        ),
        (
            "__import__('words.%s' % size, fromlist=[kind])",
            {"words.small", "words.large", "words.small.list", "words.large.list"},
        ),
        ("__import__('words.%s' % size, fromlist=['*'])", {"words.small", "words.large"}),
        ("import_module(f'words.{kind}'.lower())", {"words.small", "words.large"}),
        ("import_module('words.' + kind.replace('-', '_'))", {"words.small", "words.large"}),
        ("import_module(f'words.{kind}'.replace('-', '_'))", {"words.small", "words.large"}),
        (
            "import_module('.' + kind, f'{\"words.all\".split(\".\")[0]}.small')",
            {"words.small.list"},
        ),
        (
            "name = f'words.{kind}'\n    name += f'.{kind}'\n    import_module(name)",
            {"words.small", "words.large", "words.small.list", "words.large.list"},
        ),
        ("import_module(f'words.{kind}'.split('.')[1])", set()),
        ("import_module(f'words.{kind}'.strip(kind))", set()),
        ("import_module('words.small'.split(kind)[0])", set()),
        ("import_module('words.small'.split('.')[9])", set()),
        ("import_module(f'words{kind}')", set()),  # the beginning of who knows what
        ("import_module(f'{kind}')", set()),
        ("import_module(f'.{kind}', __name__)", set()),
        ("reimport_module(f'words_{kind}')", set()),
    ],
)
def test_a_name_that_is_completed_at_run_time_may_become_any_that_is_there(
    call: str, names: set[str], tmp_path: Path
) -> None:
    sizes = ("small", "large")
    files = {f"words_{size}.py": "" for size in sizes}
    files |= {f"words/{size}/{name}.py": "" for size in sizes for name in ("__init__", "list")}
    install(tmp_path, "words", files={**files, "words_small/data.bin": ""})
    assert found(tmp_path, f"def load(kind):\n    {call}\n") == names


BY_PATH = """
def part(path):
    return getattr(import_module(path.rsplit('.', 1)[0]), path.rsplit('.', 1)[1])
"""
IN_TWO = """
def cached(module, name):
    return getattr(import_module(module), name)

def part(path):
    module, name = path.rsplit('.', 1)
    return cached(module, name)
"""


@pytest.mark.parametrize("function", [BY_PATH, IN_TWO])
def test_a_function_that_imports_the_beginning_of_a_class_path_is_an_importer(
    function: str, tmp_path: Path
) -> None:
    text = f"{IMPORT}{function}PARTS = part('beta.inner.__name__'), part('host.own.__doc__')"
    assert found(tmp_path, text, own="") == {"beta.inner", "host.own"}
    assert imported(tmp_path) == {"beta.inner"}
    env = environment(tmp_path)
    assert "part" in importers_of(read_sources(env.distributions["host"]))


CHAIN = """
from importlib import import_module

class Importer:
    def import_thing(self, name):
        return self._import(name)

    def _import(self, name):
        return import_module(name)
"""


@pytest.mark.parametrize(
    ("made", "names"),
    [
        ("name = 'words.' + kind\n", {"words.small", "words.large"}),
        ("name = f'words.{kind}'\n", {"words.small", "words.large"}),
        ("name = f'words.{kind}.list'\n", set()),
        ("name = '.' + kind\n", set()),
        ("name = kind\n", set()),
    ],
)
def test_a_name_may_be_completed_where_it_is_handed_to_an_importer(
    made: str, names: set[str], tmp_path: Path
) -> None:
    """The window is drawn by a toolkit, which no string alone brings in."""
    parts = {
        "small": "",
        "large": "",
        "window": "from .drawn import Box",
        "drawn": "import tkinter",
    }
    files = {f"words/{name}.py": text for name, text in parts.items()}
    install(tmp_path, "words", files={"words/__init__.py": "", **files})
    text = "from .chain import Importer\n\ndef load(kind):\n"
    text += f"    {made}    return Importer().import_thing(name)\n"
    assert found(tmp_path, text, chain=CHAIN) == names


@pytest.mark.parametrize(
    ("exports", "names"),
    [
        ("__all__ = ['one', 'two']", {"host.parts.one", "host.parts.two"}),
        ("__all__: list[str] = [\n    'one',  # the first\n]", {"host.parts.one"}),
        ("__all__ = ('none',)\nnone = 1", set()),
        ("ALL = ['one']", set()),
    ],
)
def test_all_names_of_a_package_are_modules_that_python_imports(
    exports: str, names: set[str], tmp_path: Path
) -> None:
    """https://docs.python.org/3/tutorial/modules.html#importing-from-a-package"""
    parts = {"parts/__init__": exports, "parts/one": "", "parts/two": ""}
    assert found(tmp_path, "from .parts import *", **parts) == names
    code = "import host, sys; print(*(m for m in sys.modules if m.startswith('host.parts.')))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE,
                          text=True, check=True, timeout=60)  # fmt: skip
    assert set(done.stdout.split()) == names


LAZY = IMPORT + "def __getattr__(name):\n    return import_module(TABLE[name], __name__)\n"


@pytest.mark.parametrize(
    ("table", "names"),
    [
        ("{'a': 'host.one', 'b': ('host.two', 'B')}", {"host.one", "host.two"}),
        ("{'a': '.one'}", {"host.one"}),
        ("{'a': 'one', 'b': '..one', 'c': '.one.'}", set()),  # not as names of modules are written
        ("{'a': 'host.none', 'b': 'alpha'}", {"alpha"}),
        ("{'alpha': 'host.one', 'host.two': 1}", {"host.one"}),  # a key is no value
        ("{'a': 'host.one of them'}", set()),
    ],
)
def test_the_own_modules_in_a_table_are_imported_when_somebody_asks(
    table: str, names: set[str], tmp_path: Path
) -> None:
    files = {"one": "", "two": ""}
    assert found(tmp_path, f"{LAZY}TABLE = {table}", **files) == names
    assert found(tmp_path, f"{IMPORT}TABLE = {table}", **files) == set()  # nothing is computed


HELPED = """
TABLE = {"A": "one", "B": "two"}
def __getattr__(name):
    if name not in TABLE: raise AttributeError(f"module {__name__!r} has none")
    return fetch(name, TABLE[name], OWN)
"""


@pytest.mark.parametrize("own", ["__spec__.parent", "__package__", "__name__"])
@pytest.mark.parametrize("helper", [".helper", "other"])
def test_a_function_elsewhere_may_import_what_a_table_names(
    own: str, helper: str, tmp_path: Path
) -> None:
    load = f"{IMPORT}def fetch(attribute, name, package):\n"
    load += "    return getattr(import_module(f'.{name}', package), attribute)\n"
    install(tmp_path, "other", files={"other.py": load})
    text = f"from {helper} import fetch\n{HELPED}".replace("OWN", own)
    more = {"helper": load, "one": "A = 1", "two": "B = 2", "three": ""}
    assert found(tmp_path, text, **more) == {"host.one", "host.two"}
    code = "import host, sys; host.A; print(*(m[5:] for m in sys.modules if m[:5] == 'host.'))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE,
                          text=True, check=True, timeout=60)  # fmt: skip
    assert {*done.stdout.split()} - {"helper"} == {"one"}
    plain = text.replace(f", {own})", ")")
    assert found(tmp_path, plain, **more) == set()


def test_a_module_that_writes_others_is_not_lazy_itself(tmp_path: Path) -> None:
    """The lines that make a module lazy are in a text of it."""
    body = "import sys\nsys.modules[__name__] = Lazy(__name__, TABLE)\n"
    text = "TABLE = 'one'\n"
    assert found(tmp_path, f"{text}{body}", one="") == {"host.one"}
    assert found(tmp_path, f'{text}TEMPLATE = f"""\n{body}"""\n', one="") == set()


def test_a_class_path_may_stand_behind_a_label(tmp_path: Path) -> None:
    text = (
        f"{IMPORT}TYPES = ['one: host.one.A', 'two = host.two:B', 'see host.three']\n"
        "def load(line):\n"
        "    path = line.split(': ')[-1].split('.')\n"
        "    return getattr(import_module('.'.join(path[:-1])), path[-1])\n"
        "A = load(TYPES[0])\n"
    )
    modules = dict.fromkeys(("one", "two", "three"), "A = B = 1")
    assert found(tmp_path, text, **modules) == {"host.one", "host.two"}
    code = "import host, sys; print(*(m for m in sys.modules if 'host.' in m))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE,
                          text=True, check=True, timeout=60)  # fmt: skip
    assert done.stdout.split() == ["host.one"]


def test_the_name_of_a_package_may_be_put_before_a_class_path(tmp_path: Path) -> None:
    """By code of another distribution, which is handed both."""
    other = f"{IMPORT}def load(package, path):\n    import_module(f'{{package}}.{{path}}'[:-2])\n"
    install(tmp_path, "other", files={"other.py": other})
    text = "import other\nother.load(__name__, 'parts.one.A')\nSEE = 'parts.two', 'parts.one.a.b'\n"
    text += "SEE = 'one.A', 'alpha.x', 'parts.nowhere.A'\n"
    modules = {"parts/__init__": "", **dict.fromkeys(("parts/one", "parts/two", "parts/three"), "")}
    assert found(tmp_path, text, **modules) == {"host.parts.one", "host.parts.two"}
    code = "import host, sys; print(*(m for m in sys.modules if 'host.parts.' in m))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE,
                          text=True, check=True, timeout=60)  # fmt: skip
    assert done.stdout.split() == ["host.parts.one"]


def test_what_a_table_names_is_loaded_when_somebody_asks(tmp_path: Path) -> None:
    text = f"{LAZY}TABLE = {{'a': 'host.one', 'b': '.two'}}"
    names = found(tmp_path, text, one="", two="")
    code = "import host, sys; host.a, host.b; print(*(m for m in sys.modules if 'host.' in m))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE,
                          text=True, check=True, timeout=60)  # fmt: skip
    assert set(done.stdout.split()) == names


def test_a_table_may_stand_in_another_file_than_the_import(tmp_path: Path) -> None:
    table = "TABLE = {'a': 'host.one', 'b': '.two'}"
    assert found(tmp_path, LAZY, table=table, one="", two="") == {"host.one"}
    lazy = {"deep/__init__": "", "deep/lazy": LAZY}
    assert found(tmp_path, "", one="", **lazy, **{"deep/below/table": table}) == {"host.one"}
    assert found(tmp_path, "", one="", **lazy, **{"beside/table": table}) == {"host.one"}


def test_a_file_is_there_where_it_names_itself(tmp_path: Path) -> None:
    files = {"deep/__init__": LAZY, "deep/one": "TABLE = ['host', 'host.deep', 'host.deep.one']"}
    assert found(tmp_path, "", **files) == set()


def test_what_is_not_for_import_is_not_imported(tmp_path: Path) -> None:
    names = ("__main__", "sub.__init__")
    files = {"sub/__init__": "", "__main__": ""}
    text = f"{LAZY}TABLE = {[f'host.{name}' for name in names]}"
    assert found(tmp_path, text, **files) == set()


@pytest.mark.parametrize(
    "text",
    [
        "def import_module(name): pass\nTABLE = ['host.one']",
        "# import_module(name) would do\nTABLE = ['host.one']",
        "# such as import_module('host.one')",
    ],
)
def test_what_only_speaks_of_imports_imports_nothing(text: str, tmp_path: Path) -> None:
    assert found(tmp_path, text, one="") == set()


def test_a_module_in_no_package_has_no_modules_below(tmp_path: Path) -> None:
    install(tmp_path, "flat", files={"flat.py": f"{LAZY}TABLE = ['.other']", "other.py": ""})
    env = environment(tmp_path)
    assert [n for n, _ in named_imports(env, "flat") if env.find_module(n) is not None] == []
    assert env.find_module(".other") is None


def test_a_name_of_many_parts_is_no_name(tmp_path: Path) -> None:
    assert found(tmp_path, f"{LAZY}TABLE = ['host{'.a' * 5000}']") == set()


def test_to_look_for_modules_is_not_to_import_them(tmp_path: Path) -> None:
    text = f"{IMPORT}def there(name): return find_spec(name)\nTABLE = ['host.one']"
    assert found(tmp_path, text, one="") == set()


RUN = """
import importlib
class Base:
    library = None
    def load(self): return importlib.import_module(self.library)
class Alpha(Base):
    library = "alpha"
DEFAULTS = {"backend": "host.one.Backend", "other": "host.two:Other"}
def load_class(path):
    return importlib.import_module(path.replace(":", ".").rpartition(".")[0])
def neighbour(module):
    return importlib.import_module(module.replace("models", "urls"))
def spelled(module):
    return importlib.import_module("host.post." + module.replace("-", "_"))
class Format:
    def __init__(self, module): self.module = module
    def load(self): return importlib.import_module(self.module)
def define(name): return Format("host.formats." + name)
def loop():
    for name in ("gamma", "beta.inner"):
        importlib.import_module(name)
def rows():
    for module, _ in TABLE.values():
        importlib.import_module(f"{__name__}.{module}")
TABLE = {"x": ("deep", "X")}
"""


def test_names_are_followed_to_where_they_are_written(tmp_path: Path) -> None:
    """The program imports all of it; each module that it then has was found before."""
    files = {"one": "", "two": "", "deep": "", "shop/__init__": "", "shop/models": "",
             "shop/urls": "", "shop/admin": "", "post/__init__": "",
             "post/by_mail": "", "formats/__init__": "", "formats/xyz": ""}  # fmt: skip
    names = found(tmp_path, RUN, **files)
    calls = "host.Alpha().load(); [host.load_class(v) for v in host.DEFAULTS.values()]; "
    calls += "host.neighbour('host.shop.models'); host.loop(); host.rows(); "
    calls += "host.spelled('by-mail'); host.define('xyz').load(); "
    code = f"import host, sys; {calls}print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE,
                          text=True, check=True, timeout=60)  # fmt: skip
    late = {m for m in done.stdout.split() if m.partition(".")[0] in {"host", *MODULES, "beta"}}
    assert late - names == {
        "host",
        "host.shop",
        "host.post",
        "host.formats",
        "beta",
    }  # packages of what is found
    assert "host.shop.admin" not in names


def test_what_a_function_of_a_requirement_imports_is_found(tmp_path: Path) -> None:
    tools = "import importlib\ndef import_named(path): return importlib.import_module(path)\n"
    install(tmp_path, "tools", files={"tools/__init__.py": tools})
    text = "from tools import import_named\nimport_named('alpha')\n"
    install(tmp_path, "host", files={"host/__init__.py": text, **FILES}, requires=["tools"])
    env = environment(tmp_path)
    sources = read_sources(env.distributions["host"])
    borrowed = borrowed_importers(sources)
    assert borrowed == {("tools", "import_named")}
    assert importers_of(read_sources(env.distributions["tools"])) == {"import_named"}
    named = find_named_imports(sources, env.distributions["host"], env, importers=borrowed)
    assert "alpha" in {name for name, _ in named} & imported(tmp_path)
    assert [n for n, _ in named_imports(env)] == []  # nothing says that such a function imports


def test_a_class_of_a_requirement_may_be_named_by_its_package_alone(tmp_path: Path) -> None:
    install(tmp_path, "tools", files={"tools/__init__.py": "class Filter: pass\n"})
    text = "DEFAULTS = ['tools.Filter', 'alpha.Filter', 'tools.filter']\n"
    install(tmp_path, "host", files={"host/__init__.py": text, **FILES}, requires=["tools"])
    evidence = {name: e.detail for name, e in named_imports(environment(tmp_path))}
    assert evidence == {"tools": '"tools.Filter" names a module of tools, which it requires'}


def test_what_comes_from_data_is_said(tmp_path: Path) -> None:
    text = f"{IMPORT}def from_file(file): return import_module(file.read())\n"
    install(tmp_path, "host", files={"host/a.py": f"{text}{FUNCTION}require('alpha')"})
    sources = read_sources(environment(tmp_path).distributions["host"])
    assert find_unfollowed(sources) == (("host.a", "from_file"),)


@pytest.mark.parametrize(
    ("count", "size", "all_of_it"), [(20, 1 << 16, True), (300, 1 << 16, False), (300, 1, True)]
)
def test_nearly_all_of_a_large_package_is_not_taken_for_its_name(
    count: int, size: int, all_of_it: bool, tmp_path: Path
) -> None:
    more = {f"part/m{number}": "#" * size for number in range(count)}
    names = found(tmp_path, f"{IMPORT}import_module(f'host.{{a}}.{{b}}')", **more)
    assert names == ({f"host.part.m{number}" for number in range(count)} if all_of_it else set())
    assert found(tmp_path, f"{IMPORT}import_module(f'host.part.{{b}}')", **more)
    lazy = (
        f"{IMPORT}PARTS = ['part']\ndef __getattr__(name): return import_module(f'host.{{name}}')"
    )
    assert found(tmp_path, lazy, **more, **{"part/__init__": ""}) == {"host.part"} - (
        set() if all_of_it else {"host.part"}
    )


def test_a_statement_behind_a_text_is_no_text_that_is_executed(tmp_path: Path) -> None:
    code = f'{IMPORT}exec(\'x = 1\')\ndef f():\n    """Later."""\n    from host.one import y\n'
    assert found(tmp_path, code, one="") == set()
