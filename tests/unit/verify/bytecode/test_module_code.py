"""What a piece of bytecode cannot do without, judged by running it with each module missing."""

from __future__ import annotations

import base64
import json
import marshal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from interpreters import interpreters

from rustext.data import read_data
from rustext.formats.binary import read_linkage
from rustext.formats.marshal_reader import parse_code
from rustext.verify.bytecode.module_code import (
    Import,
    find_imports,
    iter_exported,
    iter_stored,
    makes_modules,
)
from rustext.verify.facts.python.program_starts import platform_facts

# Compiles a source and runs it once with all of its modules there, and once without each of them:
# a module is needed if the code does not get to its end without it. The same with each of them
# there, but broken: what is raised then is an ImportError of no narrower kind.
JUDGE = """
import base64, json, marshal, sys, types
source, main, names = json.loads(sys.stdin.read())
code = compile(source, "code", "exec")

def run(missing, error=ModuleNotFoundError):
    asked = set()
    class Finder:
        def find_spec(self, name, path=None, target=None):
            if name not in names:
                return None
            asked.add(name)
            if name == missing:
                raise error("no module " + repr(name), name=name)
            from importlib.machinery import ModuleSpec
            return ModuleSpec(name, self, is_package=True)
        def create_module(self, spec):
            module = types.ModuleType(spec.name)
            module.thing = module
            return module
        def exec_module(self, module):
            pass
    sys.meta_path.insert(0, Finder())
    try:
        exec(code, {"__name__": "__main__" if main else "code"})
    except Exception:
        return None
    finally:
        del sys.meta_path[0]
        for name in names:
            sys.modules.pop(name, None)
    return asked

assert run(None) is not None, "fails with all modules"
needed = sorted(name for name in names if run(name) is None)
whole = sorted(name for name in names if run(name, ImportError) is None)
print(json.dumps([base64.b64encode(marshal.dumps(code)).decode(), needed, whole]))
"""

SOURCES = {
    "by an error": """
import one
try:
    int("no number")
    raise SystemExit(1)
except ValueError:
    pass
import two
""",
    "bound where a name is missing": "try:\n    SETTING\nexcept NameError:\n    SETTING = False\n"
    "if SETTING:\n    import one\nelse:\n    import two",
    "plain": "import one\nimport two.three as x\nfrom four import thing\nfrom five import *\n",
    "fallback": "try:\n    import one\nexcept ImportError:\n    import two\n",
    "missing alone": "try:\n    import one\nexcept ModuleNotFoundError:\n    pass\nimport two\n",
    "skipped": "try:\n    from one import *\nexcept ImportError:\n    pass\nelse:\n"
    "    from one import thing\n    import two\n",
    "asked again": "try:\n    import one\nexcept ImportError:\n    pass\nimport one\n",
    "no fallback": "try:\n    import one\nexcept ImportError:\n    raise RuntimeError\n",
    "another exception": "try:\n    import one\nexcept AttributeError:\n    pass\nimport two\n",
    "any exception": "try:\n    import one\nexcept Exception:\n    pass\nimport two\n",
    "bare except": "try:\n    import one\nexcept:\n    pass\n",
    "finally": "try:\n    import one\nfinally:\n    x = 1\n",
    "several": "try:\n    import one\nexcept (ImportError, ValueError):\n    one = None\n",
    "inner": "try:\n    try:\n        import one\n    except ValueError:\n        pass\n"
    "except ImportError:\n    pass\nimport two\n",
    "raised again": "try:\n    import one\nexcept ImportError as error:\n"
    "    if error.name == 'other':\n        pass\n        raise\n    for x in []:\n        pass\n"
    "    raise\nfinally:\n    y = 2\nimport two\n",
    "suppressed": "from contextlib import suppress\nwith suppress(ImportError):\n    import one\n"
    "import two\n",
    "with": "import io\nwith io.StringIO() as f:\n    import one\n",
    "conditions": "import sys\nif sys.platform == 'linux':\n    import one\nelse:\n    import two\n"
    "if sys.platform != 'linux':\n    import three\nif sys.version_info >= (3,):\n    import four\n"
    "if sys.version_info < (3, 0):\n    import five\n",
    "constants": "DEBUG = 0\nREADY = True\nif DEBUG:\n    import one\nif READY:\n    import two\n"
    "if not DEBUG:\n    import three\n",
    "type checking": "from typing import TYPE_CHECKING\nimport typing\nif TYPE_CHECKING:\n"
    "    import one\nif typing.TYPE_CHECKING:\n    import two\nimport three\n",
    "main": "if __name__ == '__main__':\n    import one\nelse:\n    import two\n",
    "functions": "def one_():\n    import one\ndef two_():\n    import two\n    three_()\n"
    "def three_():\n    import three\ndef four_(): \n    yield\n    import four\n"
    "two_()\nfour_()\n",
    "caught call": "def f():\n    import one\ntry:\n    f()\nexcept ImportError:\n    pass\n",
    "main function": "import sys\ndef main():\n    import one\n    try:\n        import two\n"
    "    except ImportError:\n        pass\nif __name__ == '__main__':\n    print(main(), end='',"
    " file=sys.stderr)\n",
    "loop": "for x in (1,):\n    pass\nimport one\nwhile True:\n    import two\n    break\n",
    "jumps far": "import one\n" + "x = [" + "1 if one else 2, " * 300 + "]\nimport two\n"
    "if x:\n" + "    y = one.thing\n" * 400 + "import three\n",
    "contains": "import sys\ncan = sys.platform not in {'emscripten', 'wasi'}\nif can:\n"
    "    import one\nif sys.platform in ('nothing', 'other'):\n    import two\n",
    "gone": "try:\n    import gone\nexcept ImportError:\n    import one\nimport two\n",
    "gone, and told": "try:\n    import gone\n    there = True\nexcept ModuleNotFoundError:\n"
    "    there = False\nif there:\n    import one\nelse:\n    import two\n"
    "if not there:\n    import three\n",
    "gone, else": "try:\n    import gone\nexcept ImportError:\n    pass\nelse:\n    import one\n"
    "import two\n",
    "gone, inner": "try:\n    try:\n        import gone\n    except ValueError:\n"
    "        import one\n    import two\nexcept ImportError:\n    import three\n",
    "gone, finally": "try:\n    import gone\nexcept ImportError:\n    x = 1\n"
    "finally:\n    import one\n",
    "gone, suppressed": "from contextlib import suppress\nwith suppress(ImportError):\n"
    "    import gone\n    import one\nimport two\n",
    "gone, one of two": "try:\n    import one\n    import gone\nexcept ImportError:\n"
    "    import two\n",
    "gone, function": "def f():\n    try:\n        import gone\n        return 1\n"
    "    except ImportError:\n        import one\n        return 2\nf()\nimport two\n",
    "gone, loop": "for x in (1, 2):\n    try:\n        import gone\n    except ImportError:\n"
    "        continue\n    import one\nimport two\n",
    "gone, refused": "try:\n    import gone\nexcept ImportError:\n"
    "    try:\n        import gone.part\n    except ImportError:\n        x = 1\n"
    "    else:\n        raise RuntimeError\nimport one\n",
    "gone, last": "import one\ntry:\n    import two\nexcept ImportError:\n    import gone\n",
    "match": "match 1:\n    case 1:\n        x = 2\nimport one\n",
}  # fmt: skip
NAMES = ("one", "two", "two.three", "three", "four", "five")
# Whether a context manager suppresses an exception only a run can tell.
UNDECIDED = {"with"}


def ask(python: Path, script: str, *, given: str = "") -> Any:
    done = subprocess.run(
        [python, "-I", "-c", script], input=given, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def is_gone(one: Import) -> bool:
    return one.module in {"gone", "gone.part"}


def with_parents(modules: set[str]) -> set[str]:
    """The modules among `NAMES`, and the packages that they are in."""
    known = modules & set(NAMES)
    return known | {p for n in known for p in NAMES if n.startswith(f"{p}.")}


@pytest.mark.parametrize(
    ("compared", "certain"),
    [
        (">= (3, {minor}, 3)", set()),  # of this minor version some have it and some do not
        ("== (3, {minor}, 3)", set()),
        (">= (3, {minor})", {"one"}),
        ("< (3, {minor})", {"two"}),
        ("> (3, {older}, 3)", {"one"}),
    ],
)
def test_a_condition_on_a_part_of_the_version_that_is_not_known_decides_nothing(
    compared: str, certain: set[str]
) -> None:
    version = sys.version_info[:2]
    condition = compared.format(minor=version[1], older=version[1] - 1)
    source = (
        f"import sys\nif sys.version_info {condition}:\n    import one\nelse:\n    import two\n"
    )
    code = parse_code(marshal.dumps(compile(source, "code", "exec")), version)
    image = read_linkage(Path(sys.executable)).image
    found = find_imports(code, version, platform_facts(image, version))
    assert {i.module for i in found if i.certain} - {"sys"} == certain
    for micro in (0, 9):  # what Python says of the first two numbers and of any third
        holds = eval(f"{(*version, micro)} {condition}")
        assert not certain or ("one" in certain) == holds


@pytest.mark.parametrize("python", interpreters(), ids=lambda p: p.parent.parent.name)
def test_what_code_cannot_do_without_is_what_it_fails_without(python: Path) -> None:
    version = tuple(ask(python, "import sys; print(list(sys.version_info[:2]))"))
    for name, source in SOURCES.items():
        for main in (False, True):
            given = json.dumps([source, main, NAMES])
            marshalled, needed, whole = ask(python, JUDGE, given=given)
            known = {
                "__name__": "__main__" if main else "code", "sys.platform": sys.platform,
                "sys.version_info": (*version, 0), "TYPE_CHECKING": False,
                "typing.TYPE_CHECKING": False,
            }  # fmt: skip
            code = parse_code(base64.b64decode(marshalled), (version[0], version[1]))
            found = find_imports(code, (version[0], version[1]), known, is_gone)
            certain = [i for i in found if i.certain]
            surely = with_parents({i.module for i in certain if not i.caught})
            unbroken = with_parents({i.module for i in certain if not i.caught_broken})
            where = name, main, version
            if name == "gone, last":  # once both are missing, the fallback is reported
                assert (surely | {"two"}, unbroken) == (set(needed), set(whole)), where
                found = find_imports(code, (version[0], version[1]), known, lambda _: True)
                assert [i.module for i in found if i.certain and not i.caught] == ["one", "gone"]
            elif name in UNDECIDED:
                assert not surely, where
                assert needed, where
            else:
                assert (surely, unbroken) == (set(needed), set(whole)), where
                assert all(i.caught for i in certain if is_gone(i)), where


def test_a_script_that_ends_in_an_error_has_imported_what_comes_before() -> None:
    source = "import one\nif one.thing:\n    import two\nraise SystemExit(0)"
    code = parse_code(marshal.dumps(compile(source, "code", "exec")), sys.version_info[:2])
    found = find_imports(code, sys.version_info[:2], {"__name__": "__main__"})
    assert [i.module for i in found if i.certain] == ["one"]


@pytest.mark.parametrize(
    "source",
    [
        "sys.modules['made'] = sys.modules['made.part'] = sys",
        "if 'sys' in sys.modules:\n    sys.modules['another'] = sys.modules['sys']",
        "name = 'made.part'\nsys.modules[name] = sys",
        "sys.modules.update({'made.part': sys})",
        "sys.modules['other.part'] = sys",
    ],
)
def test_only_the_module_that_is_named_is_put_in_place(source: str) -> None:
    version = sys.version_info[:2]
    code = parse_code(marshal.dumps(compile(f"import sys\n{source}", "m", "exec")), version)
    script = f"import sys\n{source}\nsys.exit('made.part' not in sys.modules)"
    made = subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
    assert makes_modules(code, version, "made.part") is made


@pytest.mark.skipif(sys.version_info < (3, 15), reason="PEP 810 came with Python 3.15")
@pytest.mark.parametrize(
    ("source", "first_use"),
    [
        ("lazy import one\nimport two\n", "one.thing\n"),
        ("lazy import two.three\nimport one\n", "two.three.thing\n"),
        ("import one\nlazy from three import thing\n", "thing.thing\n"),
        ("__lazy_modules__ = ['three']\nimport one\nimport three\n", "three.thing\n"),
    ],
)
def test_code_does_without_a_lazy_import_that_nothing_uses(source: str, first_use: str) -> None:
    version = (sys.version_info[0], sys.version_info[1])
    for text in (source, source + first_use):
        given = json.dumps([text, False, NAMES])
        marshalled, needed, _ = ask(Path(sys.executable), JUDGE, given=given)
        code = parse_code(base64.b64decode(marshalled), version)
        found = find_imports(code, version, {"__name__": "code"})
        surely = with_parents({i.module for i in found if i.certain and not i.caught})
        assert surely <= set(needed), "what is certain is needed in the run"
        assert with_parents({i.module for i in found}) >= set(needed), "what is needed is named"


def test_names_are_bound_by_functions_too() -> None:
    source = "import os\ndef load():\n    global DATA\n    DATA = local = 1\nload()\nX, Y = 1, 2\n"
    space: dict[str, object] = {}
    exec(source, space)
    code = parse_code(marshal.dumps(compile(source, "code", "exec")), sys.version_info[:2])
    assert {*iter_stored(code, sys.version_info[:2])} == space.keys() - {"__builtins__"}


@pytest.mark.parametrize("python", interpreters(), ids=lambda p: p.parent.parent.name)
def test_the_numbers_of_instructions_are_the_interpreters_own(python: Path) -> None:
    script = "import json, opcode, sys; print(json.dumps([sys.version_info[:2], opcode.opmap]))"
    version, own = ask(python, script)
    row = next(
        r for r in read_data("opcodes")["python"] if r["version"] == "{}.{}".format(*version)
    )
    names = {
        "extended_arg": "EXTENDED_ARG", "load_const": "LOAD_CONST", "load_name": "LOAD_NAME",
        "load_global": "LOAD_GLOBAL", "store_name": "STORE_NAME",
        "store_global": "STORE_GLOBAL", "import_name": "IMPORT_NAME",
        "import_from": "IMPORT_FROM", "load_attr": "LOAD_ATTR", "compare": "COMPARE_OP",
        "store_subscript": "STORE_SUBSCR", "make_function": "MAKE_FUNCTION",
        "leave_with": "WITH_EXCEPT_START", "contains": "CONTAINS_OP",
        "reraise": "RERAISE",
    }  # fmt: skip
    assert {key: row[key] for key in names} == {key: own[name] for key, name in names.items()}
    script = (
        "import json, opcode; print(json.dumps([sorted({*opcode.hasjrel, *opcode.hasjabs}), "
        "{n: o for n, o in opcode.opmap.items() if o < 256 and 'INSTRUMENTED' not in n}]))"
    )
    jumps, numbers = ask(python, script)
    listed = {*row["forward"], *row["backward"], *row["absolute"]}
    assert listed == {n for n in jumps if n < 256 and n in numbers.values()}
    backward = {o for n, o in numbers.items() if "BACKWARD" in n and "INSTRUMENTED" not in n}
    assert {o for o in row["backward"] if o in backward} == backward & listed


@pytest.mark.parametrize(
    "text",
    [
        "[]", "['one']", "['one', 'two']", "['one', 'two', 'three']", "('one',)",
        "('one', 'two')", "[*OTHER, 'one']",
    ],
)  # fmt: skip
def test_the_names_that_a_module_exports_are_read(text: str) -> None:
    source = f"OTHER = []\nx = 'no'\n__all__ = {text}\n"
    found: dict[str, object] = {}
    exec(source, found)
    code = parse_code(marshal.dumps(compile(source, "code", "exec")), sys.version_info[:2])
    assert set(iter_exported(code, sys.version_info[:2])) == set(found["__all__"])
