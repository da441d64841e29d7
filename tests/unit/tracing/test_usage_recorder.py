"""What a program uses is noted, by whoever tells it: compared with the system's own view."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from compiling import Compile
from environments import environment, install, write_files

from rustext.tracing.native_opens import OpenWatch
from rustext.tracing.recording import Recording, record
from rustext.tracing.trace_file import Trace, format_trace, parse_trace
from rustext.tracing.usage import ALL, PROGRAM, PYTHON, SYSTEM, UseKind

FILES = {
    "pack/__init__.py": "",
    "pack/early.py": "VALUE = 1\n",
    "pack/by_name.py": "import pack.inner\n",
    "pack/inner.py": "",
    "pack/executed.py": "",
    "pack/looked_for.py": "",
    "pack/lazy.py": "VALUE = 2\n",
    "pack/plugin.py": "def load(): pass\n",
    "pack/loaded_by_path.py": "import pack.for_path\n",
    "pack/for_path.py": "",
    "pack/source.py": "def shown():\n    return 1\n",
    "pack/failing.py": "def fail():\n    raise ValueError('no')\n",
    "pack/data/a.txt": "a",
    "pack/data/b.txt": "b",
    "pack/table.json": "{}",
    "pack/written.txt": "old",
}

ASKER = ("pack.by_name",)
# Another user who may read what this one may; for an ordinary one, the user that has root's number.
_CAPABILITIES = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
ANOTHER_USER = (
    ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *_CAPABILITIES)
    if os.geteuid() == 0
    else ("unshare", "--user", "--map-root-user")
)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with the distribution `pack-dist`, which has an entry point, and two others."""
    folder = tmp_path / "site"
    points = "[pack.plugins]\nplugin = pack.plugin:load\n"
    files = {**FILES, "pack_dist-1.0.dist-info/entry_points.txt": points}
    install(folder, "pack-dist", files=files)
    for name in ("other", "third", "fourth"):
        install(folder, name, version="2.0", files={f"{name}.py": ""})
    return folder


def run(
    site: Path,
    program: str,
    *options: str,
    variables: Mapping[str, str] = os.environ,
    start: Sequence[str] = (),
) -> tuple[Trace, Recording, subprocess.CompletedProcess[str]]:
    """Record a program in a folder of its own; what it printed as well."""
    folder = site.parent / "program"
    write_files(folder, {"main.py": program})
    with record({**variables, "PYTHONPATH": str(site)}) as recording:
        done = subprocess.run(
            [*start, sys.executable, *options, str(folder / "main.py")],
            check=False, env=recording.variables, timeout=120, cwd=folder, capture_output=True,
            text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return recording.read(environment(site)), recording, done


def rows(trace: Trace, distribution: str) -> dict[UseKind, dict[str, tuple[str, ...]]]:
    for usage in trace.usages:
        if usage.distribution == distribution:
            return {kind: {u.name: u.askers for u in uses} for kind, uses in usage.uses.items()}
    return {}


def used(site: Path, program: str, distribution: str = "pack-dist") -> dict[UseKind, list[str]]:
    found = rows(run(site, program)[0], distribution)
    return {kind: sorted(uses) for kind, uses in found.items()}


# --- local variables ----------------------------------------------------------------------------


def test_modules_are_noted_whose_functions_others_look_into(site: Path) -> None:
    (site / "pack" / "looking.py").write_text(
        """
import inspect, operator, sys
def look(): return sys._getframe(1).f_locals["x"]
def count(): return sys._getframe(1).f_lineno
def natively(): return getattr(operator.methodcaller("currentframe")(inspect).f_back, "f_locals")
"""
    )
    program = """
from pack import looking
import counting, early, native
def main():
    x = 1
    return looking.look()
print(main(), counting.main(), native.main())
"""
    folder = site.parent / "program"
    main = "import pack.looking as p\ndef main():\n    x = 2\n    return p.%s()\n"
    write_files(
        folder,
        {
            "counting.py": main % "count",
            "native.py": main % "natively",
            "early.py": "from pack import looking\nx = 3\nlooking.look()\n",
        },
    )
    trace, _, done = run(site, program)
    assert done.stdout == "1 4 {'x': 2}\n"
    found = rows(trace, PROGRAM)[UseKind.LOCALS]
    assert found == {"__main__": ("pack.looking",), "native": ("pack.looking",)}


def test_modules_are_noted_whose_functions_bytecode_others_read(site: Path) -> None:
    readers = {
        "reads": "def read(x): return len(x.__code__.co_code) > 2",
        "shows": "import dis\ndef read(x): return len(list(dis.get_instructions(x))) > 2",
        "decompiles": "def read(x): return frame(x.gi_frame)\n"
        "def frame(f): return len(f.f_code.co_code) > 2",
        "signs": "import inspect\ndef read(x): return str(inspect.signature(x))",
        "names": "def read(x): return x.__code__.co_name",
    }
    for name, text in readers.items():
        (site / "pack" / f"{name}.py").write_text(text + "\n")
    own = "import pack.%s as p\ndef main(a=1):\n    return %s\n%s"
    function = own % ("%s", "a", "print(p.read(main))\n")
    folder = site.parent / "program"
    modules = {f"own_{name}.py": function % name for name in readers if name != "decompiles"}
    given = own % ("decompiles", "p.read(i for i in 'ab')", "print(main())\n")
    write_files(folder, {**modules, "own_decompiles.py": given})
    program = "".join(f"import own_{name}\n" for name in sorted(readers))
    trace, _, done = run(site, program)
    assert done.stdout == "True\nmain\nTrue\nTrue\n(a=1)\n", done.stderr
    assert rows(trace, PROGRAM)[UseKind.BYTECODE] == {
        "own_decompiles": ("pack.decompiles",),
        "own_reads": ("pack.reads",),
        "own_shows": ("pack.shows",),
    }


# --- imports ----------------------------------------------------------------------------------


def test_modules_are_told_apart_by_the_kind_of_their_import(site: Path) -> None:
    program = """
import importlib, importlib.util
from importlib import metadata
import pack.early
importlib.import_module("pack.by_name")
importlib.import_module(".by_name", "pack")
exec("import pack.executed")
importlib.util.find_spec("pack.looked_for")
importlib.util.find_spec("pack.no_such")
points = metadata.entry_points()
[point.load() for point in points.select(group="pack.plugins")]
"""
    assert {k: v for k, v in used(site, program).items() if k is not UseKind.METADATA} == {
        UseKind.STATEMENT: ["pack", "pack.early", "pack.inner"],
        UseKind.IMPORT_MODULE: ["pack.by_name"],
        UseKind.EXECUTED: ["pack.executed"],
        UseKind.FIND_SPEC: ["pack.looked_for"],
        UseKind.ENTRY_POINT: ["pack.plugin"],
    }


def test_each_late_import_is_noted_with_every_module_that_asks(site: Path) -> None:
    (site / "pack" / "by_name.py").write_text(
        "import importlib\nimportlib.import_module('pack.inner')\n"
    )
    program = """
import importlib, logging.config
import pack.by_name
importlib.import_module("pack.inner")
logging.config.dictConfig({
    "version": 1, "formatters": {"x": {"()": "pack.early.VALUE.__class__"}},
    "handlers": {"y": {"class": "logging.StreamHandler", "formatter": "x"}},
    "root": {"handlers": ["y"]},
})
"""
    late = rows(run(site, program)[0], "pack-dist")[UseKind.IMPORT_MODULE]
    assert late["pack.inner"] == ("__main__", "pack.by_name")
    assert late["pack.early"] == ("__main__",)  # by way of the standard library


def test_a_lazy_loader_imports_when_the_module_is_touched(site: Path) -> None:
    program = """
import importlib.util, sys
spec = importlib.util.find_spec("pack.lazy")
spec.loader = importlib.util.LazyLoader(spec.loader)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
assert module.VALUE == 2
"""
    assert "pack.lazy" in used(site, program)[UseKind.IMPORT_MODULE]


def test_modules_and_files_are_noted_that_an_import_finder_serves(site: Path) -> None:
    """As those of editable installs do: their folder is in no entry of `sys.path`."""
    write_files(
        site.parent / "flat",
        {
            "served/__init__.py": "import importlib\nimportlib.import_module('served.late')\n"
            "importlib.import_module('alone')\n",
            "served/late.py": "import os\nhere = os.path.dirname(__file__)\n"
            "open(os.path.join(here, 'a.txt')).close(), os.listdir(here + '/data')\n",
            "served/a.txt": "",
            "served/data/x": "",
            "alone.py": "",
        },
    )
    program = """
import importlib.machinery, sys
class Finder:
    def find_spec(name, path=None, target=None):
        if name in {"served", "alone"}:
            return importlib.machinery.PathFinder.find_spec(name, ["%s"])
sys.meta_path.append(Finder)
import served
"""
    found = rows(run(site, program % (site.parent / "flat"))[0], PROGRAM)
    assert found == {
        UseKind.STATEMENT: {"served": ()},
        UseKind.IMPORT_MODULE: {"alone": ("served",), "served.late": ("served",)},
        UseKind.FILE: {"served/a.txt": ("served.late",)},
        UseKind.FOLDER: {"served/data": ("served.late",)},
    }


def test_a_file_that_is_loaded_by_its_path_is_source_and_its_imports_are_seen(site: Path) -> None:
    program = """
import importlib.util, os, pack
path = os.path.join(os.path.dirname(pack.__file__), "loaded_by_path.py")
spec = importlib.util.spec_from_file_location("anything", path)
spec.loader.exec_module(importlib.util.module_from_spec(spec))
"""
    found = used(site, program)
    assert found[UseKind.SOURCE] == ["pack/loaded_by_path.py"]
    assert found[UseKind.EXECUTED] == ["pack.for_path"]


@pytest.mark.parametrize("way", ["thread", "coroutine", "fork", "spawn", "forkserver", "process"])
def test_every_way_to_run_code_is_covered(site: Path, way: str) -> None:
    program = f"""
import asyncio, importlib, multiprocessing, subprocess, sys, threading

def work():
    importlib.import_module("pack.by_name")

if __name__ == "__main__":
    way = {way!r}
    if way == "thread":
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    elif way == "coroutine":
        async def main(): work()
        asyncio.run(main())
    elif way == "process":
        code = "import importlib; importlib.import_module('pack.by_name')"
        subprocess.run([sys.executable, "-c", code], check=True)
    else:
        process = multiprocessing.get_context(way).Process(target=work)
        process.start()
        process.join()
"""
    assert "pack.by_name" in used(site, program)[UseKind.IMPORT_MODULE]


def test_all_modules_that_a_program_ends_with_are_recorded_or_were_there_before(
    site: Path,
) -> None:
    body = "import pack.early, email.mime.text, sqlite3, xml.dom.minidom, pack.by_name\n"
    # A module that another puts in place (`math.integer` since 3.15) has another's spec.
    own = "getattr(sys.modules[n].__spec__, 'name', n) == n"
    program = (
        f"import sys\nbefore = set(sys.modules)\n{body}"
        f"print(*sorted(n for n in set(sys.modules) - before if {own}))"
    )
    trace, _, done = run(site, program)
    found = {u.name for usage in trace.usages for uses in usage.uses.values() for u in uses}
    assert set(done.stdout.split()) - found == set()
    # `-X importtime` of a run without the recorder is the other witness.
    plain = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", f"{body}import sys; print(*sys.modules)"],
        check=True, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(site)},
    )  # fmt: skip
    imported = {line.rpartition("|")[2].strip() for line in plain.stderr.splitlines()}
    imported &= set(plain.stdout.split())  # not those that were tried for and are not there
    early = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"],
        check=True, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(site)},
    )  # fmt: skip
    missing = imported - found - set(early.stdout.split())
    # What the recorder itself has loaded before the program.
    recorder = subprocess.run(
        [
            sys.executable, "-c",
            "import json, ctypes, math, opcode, typing, warnings, sys; print(*sys.modules)",
        ],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert missing - set(recorder.stdout.split()) == set()


# --- files ------------------------------------------------------------------------------------


def test_files_of_a_distribution_are_noted_with_who_asks(site: Path) -> None:
    program = """
import os, pkgutil, pack
from importlib import resources
folder = os.path.dirname(pack.__file__)
open(os.path.join(folder, "table.json")).close()
pkgutil.get_data("pack", "data/a.txt")
(resources.files("pack") / "data" / "b.txt").read_text()
os.listdir(os.path.join(folder, "data"))
open(os.path.join(folder, "written.txt"), "w").close()
open(os.path.join(folder, "written.txt")).close()
try:
    open(os.path.join(folder, "no such file"))
except OSError:
    pass
"""
    found = rows(run(site, program)[0], "pack-dist")
    assert found[UseKind.FILE] == dict.fromkeys(
        ("pack/data/a.txt", "pack/data/b.txt", "pack/table.json"), ("__main__",)
    )
    assert found[UseKind.FOLDER] == {"pack/data": ("__main__",)}


def test_sources_that_are_read_are_not_those_that_a_traceback_shows(site: Path) -> None:
    program = """
import inspect, traceback, warnings, logging
import pack.source, pack.failing
print(inspect.getsource(pack.source.shown))
try:
    pack.failing.fail()
except ValueError:
    traceback.print_exc()
    logging.exception("seen")
"""
    assert used(site, program)[UseKind.SOURCE] == ["pack/source.py"]


def test_sources_are_noted_that_were_shown_before_they_were_read(site: Path) -> None:
    program = """
import inspect, warnings
from pack import early, source
assert inspect.stack()[0].code_context  # main.py
warnings.warn_explicit("shown", UserWarning, source.__file__, 1)
warnings.warn_explicit("shown", UserWarning, early.__file__, 1)
print(inspect.getsource(source.shown))
if %d: print(inspect.getsource(lambda: 1))
"""
    trace, _, done = run(site, program % 1)
    assert "return 1" in done.stdout
    assert rows(trace, "pack-dist")[UseKind.SOURCE] == {"pack/source.py": ("__main__",)}
    assert rows(trace, PROGRAM)[UseKind.SOURCE] == {"main.py": ("__main__",)}
    assert UseKind.SOURCE not in rows(run(site, program % 0)[0], PROGRAM)


def test_a_name_that_no_statement_holds_is_noted_though_the_module_is_loaded_already(
    site: Path,
) -> None:
    """By a test runner, or by what starts with the interpreter."""
    (site / "pack" / "by_name.py").write_text(
        "def load(name, *rest): return __import__(name, *rest)\n"
        "def inside(name): return __import__('pack', globals(), locals(), [name])\n"
    )
    program = """
import json, colorsys, pack.early, pack.inner, pack.plugin
from pack import by_name
for name in ("json", "color" + "sys", "pack.early"):
    by_name.load(name)
by_name.inside("inner")
by_name.load("plugin", vars(pack.early), None, (), 1)
by_name.load("pack.early", "no names", None, True)
by_name.load("pack.early", None, None, iter([b"odd"]))
"""
    trace = run(site, program)[0]
    late = rows(trace, "pack-dist")[UseKind.IMPORT_MODULE]
    assert late == dict.fromkeys(["pack", "pack.early", "pack.inner", "pack.plugin"], ASKER)
    assert rows(trace, PYTHON)[UseKind.IMPORT_MODULE] == {"colorsys": ASKER, "json": ASKER}


def test_no_module_is_loaded_for_the_program_that_it_would_have_to_import(site: Path) -> None:
    program = """
import sys
print(*sorted(name for name, module in sys.modules.items() if getattr(module, "__file__", None)))
exec("import json, ctypes, typing")
"""
    trace, _, done = run(site, program)
    main = site.parent / "program" / "main.py"
    plain = subprocess.run([sys.executable, main], capture_output=True, check=True, text=True)
    native = {"_ctypes", "_struct", "_json", "_opcode"}
    more = set(done.stdout.split()) - set(plain.stdout.split()) - native
    assert more <= {"sitecustomize"}
    found = rows(trace, PYTHON)[UseKind.EXECUTED]
    assert {"json", "ctypes", "typing"} <= found.keys() | set(plain.stdout.split())


@pytest.mark.parametrize("runner", ["unittest", "runner"])
def test_what_the_command_line_runs_is_asked_for_by_no_code_of_the_program(
    site: Path, runner: str
) -> None:
    """Or a build would take in what ran the tests."""
    folder = site.parent / "program"
    write_files(
        folder,
        {
            "runner/__init__.py": "",
            "runner/__main__.py": "import test_pack, unittest\nunittest.main(test_pack)\n",
            "test_pack.py": "import importlib, unittest\nclass Test(unittest.TestCase):\n"
            "    def test(self): importlib.import_module('pack.by_name')\n",
        },
    )
    with record({**os.environ, "PYTHONPATH": str(site)}) as recording:
        command = [sys.executable, "-m", runner, *["test_pack"][: runner == "unittest"]]
        subprocess.run(command, check=True, env=recording.variables, cwd=folder)
        trace = recording.read(environment(site))
    late = {u.name: u.askers for usage in trace.usages for u in usage.of(UseKind.IMPORT_MODULE)}
    assert late.pop("pack.by_name") == ("test_pack",)
    assert not {name for name, askers in late.items() if askers == ("",)} & {runner, "runpy"}
    assert not any(name.endswith("__main__") for name in late)


def test_no_note_is_lost_where_the_system_is_mocked_or_the_working_directory_is_gone(
    site: Path,
) -> None:
    program = """
import importlib, json, os, sys
from unittest import mock
no = RuntimeError("no")
with mock.patch("os.open", side_effect=no), mock.patch("os.write", side_effect=no):
    importlib.import_module("pack.by_name")
for module in list(sys.modules.values()):  # as a fake file system does
    if getattr(module, "os", None) is os:
        module.os = mock.Mock(sep="/", path=os.path)
importlib.import_module("pack.executed")
here = os.getcwd()
os.mkdir("gone"); os.chdir("gone"); os.rmdir("../gone"); sys.path.insert(0, "")
importlib.import_module("pack.looked_for")
os.chdir(here)
def refuse(event, args):
    if event == "open" and str(args[0]).endswith((".jsonl", "maps")):
        raise RuntimeError("no file is opened here")
sys.addaudithook(refuse)
importlib.import_module("pack.plugin")
"""
    trace, _, done = run(site, program)
    late = rows(trace, "pack-dist")[UseKind.IMPORT_MODULE]
    assert {"pack.by_name", "pack.executed", "pack.looked_for"} <= late.keys()
    assert done.stderr == ""


def test_metadata_of_one_is_noted_beside_another_file_of_all(site: Path) -> None:
    program = """
from importlib import metadata
metadata.entry_points()
metadata.version("other")
"""
    trace = run(site, program)[0]
    assert rows(trace, ALL)[UseKind.METADATA] == {"entry_points.txt": ("__main__",)}
    assert rows(trace, "other")[UseKind.METADATA] == {"METADATA": ("__main__",)}


def test_files_with_any_name_are_recorded_where_toml_can_hold_it(site: Path) -> None:
    names = ["é.txt", "a \U0001f600.txt", "b\x7f.txt", "caf\udce9.txt", "caf\udcea.txt"]
    folder = site.parent / "program"
    write_files(folder, {f"data/{name}": "x" for name in names})
    program = """
import os
folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
for name in os.listdir(folder):
    open(os.path.join(folder, name)).close()
"""
    trace = run(site, program)[0]
    assert list(rows(trace, PROGRAM)[UseKind.FILE]) == sorted(f"data/{name}" for name in names[:3])
    assert parse_trace(format_trace(trace), "") == trace


def test_what_the_program_makes_itself_is_not_recorded(site: Path) -> None:
    write_files(site.parent / "program", {"seed.txt": "x", "there/a.txt": "x"})
    program = """
import os, shutil
from pathlib import Path
here = Path(os.path.dirname(os.path.abspath(__file__)))
(here / "cache.tmp").write_text((here / "seed.txt").read_text())
os.replace(here / "cache.tmp", here / "cache.json")
os.symlink(here / "seed.txt", here / "link.txt")
shutil.copytree(here / "there", here / "copied")
os.makedirs(here / "there", exist_ok=True)
for name in ("cache.json", "link.txt", "copied/a.txt", "there/a.txt"):
    (here / name).read_text()
print(os.listdir(here / "copied"), os.listdir(here / "there"))
"""
    found = rows(run(site, program)[0], PROGRAM)
    assert list(found[UseKind.FILE]) == ["seed.txt", "there/a.txt"]
    assert list(found[UseKind.FOLDER]) == ["there"]


def test_databases_are_files_that_sqlite_opens_by_itself(site: Path) -> None:
    program = """
import os, sqlite3
here = os.path.dirname(os.path.abspath(__file__))
uri = "file:" + here + "/uri%20%C3%A4.db?mode=ro"
for name in ("made.db", "plain.db", "own.db", uri, ":memory:"):
    path = name if name.startswith((":", "file:")) else os.path.join(here, name)
    database = sqlite3.connect(path, uri=name.startswith("file:"))
    database.execute("create table t (x)" if name == "own.db" else "select 1")
"""
    write_files(site.parent / "program", {"plain.db": "", "uri ä.db": "", "own.db": ""})
    found = rows(run(site, program)[0], PROGRAM)
    assert list(found[UseKind.FILE]) == ["plain.db", "uri ä.db"]


def test_a_file_is_the_users_that_an_option_names(site: Path) -> None:
    write_files(site.parent / "program", {"a.toml": "x", "b.toml": "x"})
    program = """
import os, sys
for name in ("a.toml", "b.toml"):
    open(os.path.join(os.path.dirname(os.path.abspath(__file__)), name)).close()
"""
    folder = site.parent / "program"
    write_files(folder, {"main.py": program})
    with record({**os.environ, "PYTHONPATH": str(site)}) as recording:
        command = [sys.executable, "main.py", "--settings=a.toml"]
        subprocess.run(command, check=True, env=recording.variables, cwd=folder)
        assert list(rows(recording.read(environment(site)), PROGRAM)[UseKind.FILE]) == ["b.toml"]


def test_metadata_is_asked_for_by_name_or_of_all(site: Path) -> None:
    by_name = "from importlib import metadata\nmetadata.version('other')\n"
    assert used(site, by_name, "other")[UseKind.METADATA] == ["METADATA"]
    # One that asks for most of them is one row, whatever else is installed.
    of_all = "from importlib import metadata\n[d.version for d in metadata.distributions()]\n"
    trace = run(site, of_all)[0]
    assert rows(trace, ALL)[UseKind.METADATA]["METADATA"] == ("__main__",)
    assert UseKind.METADATA not in rows(trace, "other")


def test_the_programs_own_files_are_named_and_its_users_are_counted(site: Path) -> None:
    folder = site.parent / "program"
    private = site.parent / "private"
    write_files(folder, {"data/own.txt": "x", "given.csv": "x", "beside.txt": "x", ".env": "x"})
    write_files(private, {"secret.txt": "x"})
    program = f"""
import os, sys
here = os.path.dirname(os.path.abspath(__file__))
sys.argv.append(os.path.join(here, "given.csv"))
open(os.path.join(here, "data", "own.txt")).close()
open(sys.argv[-1]).close()       # named on the command line
open("beside.txt").close()       # found by the working directory
open(os.path.join(here, ".env")).close()
open({str(private / "secret.txt")!r}).close()
"""
    with record({**os.environ, "PYTHONPATH": str(site)}) as recording:
        write_files(folder, {"main.py": program})
        subprocess.run(
            [sys.executable, "main.py", str(folder / "given.csv")],
            check=True, env=recording.variables, cwd=folder,
        )  # fmt: skip
        trace, outside = recording.read(environment(site)), recording.outside
    text = format_trace(trace)
    assert list(rows(trace, PROGRAM)[UseKind.FILE]) == ["data/own.txt"]
    assert not any(word in text for word in ("secret", "given", "beside", ".env", str(site.parent)))
    assert outside >= 3


def test_every_file_that_the_kernel_saw_opened_is_explained(site: Path) -> None:
    """What strace sees opened below the distribution's folder is in the record."""
    assert shutil.which("strace"), "the tests need strace"
    program = """
import importlib, os, pkgutil, pack, pack.source, inspect
importlib.import_module("pack.by_name")
pkgutil.get_data("pack", "data/a.txt")
inspect.getsource(pack.source)
with open(os.path.join(os.path.dirname(pack.__file__), "table.json")) as file:
    file.read()
from importlib import metadata
metadata.version("pack-dist")
"""
    folder = site.parent / "program"
    write_files(folder, {"main.py": program})
    log = site.parent / "strace.log"
    with record({**os.environ, "PYTHONPATH": str(site)}) as recording:
        subprocess.run(
            ["strace", "-f", "-qq", "-e", "trace=open,openat", "-o", str(log), sys.executable,
             "main.py"],
            check=True, env=recording.variables, cwd=folder,
        )  # fmt: skip
        trace = recording.read(environment(site))
    opened = set()
    for line in log.read_text().splitlines():
        match = re.search(r'"([^"]+)", ([A-Z_|]+).*= \d+$', line)
        if match and match[1].startswith(f"{site}/") and "O_DIRECTORY" not in match[2]:
            opened.add(match[1].removeprefix(f"{site}/"))
    assert len(opened) > 5
    explained = {u.name for usage in trace.usages for uses in usage.uses.values() for u in uses}
    explained |= {f"pack_dist-1.0.dist-info/{name}" for name in explained}
    for name in opened:
        plain = re.sub(r"__pycache__/([^/]+?)\.[^/]*\.pyc(\.\d+)?$", r"\1.py", name)
        module = re.sub(r"(/__init__)?\.py$", "", plain).replace("/", ".")
        assert name in explained or module in explained, name


# --- libraries and programs -------------------------------------------------------------------


def test_libraries_and_programs_of_a_distribution_are_named_and_others_by_their_name_alone(
    site: Path, gcc: Compile
) -> None:
    library = gcc("libpack.so", "int answer(void) { return 42; }", "-shared", "-fPIC")
    tool = gcc("tool", "int main(void) { return 0; }")
    install(site, "native", files={"native/__init__.py": "", "native/libpack.so": library,
                                   "native/tool": tool})  # fmt: skip
    (site / "native" / "tool").chmod(0o755)
    program = """
import ctypes, os, subprocess, sys, native
folder = os.path.dirname(native.__file__)
ctypes.CDLL(os.path.join(folder, "libpack.so"))
ctypes.CDLL("libc.so.6")
subprocess.run([os.path.join(folder, "tool")], check=True)
subprocess.run(["true"], check=True)
subprocess.run([sys.executable, "-m", "this"], check=True, stdout=subprocess.DEVNULL)
print(sorted(line.split()[-1] for line in open("/proc/self/maps") if "libpack" in line)[0])
"""
    trace, _, done = run(site, program)
    assert done.stdout.strip() == str(site / "native" / "libpack.so")  # the kernel's own view
    found = rows(trace, "native")
    assert found[UseKind.LIBRARY]["native/libpack.so"] == ("", "__main__")
    assert found[UseKind.PROGRAM] == {"native/tool": ("__main__",)}
    system = rows(trace, SYSTEM)
    assert list(system[UseKind.LIBRARY]) == ["libc.so.6"]
    assert list(system[UseKind.PROGRAM]) == ["python -m this", "true"]


# --- what must not change ---------------------------------------------------------------------

LOUD = """
import importlib, logging, sys, traceback, warnings
warnings.simplefilter("always")
for name in ("pack.no_such", "no_such_at_all", "pack.broken", "pack.warning"):
    try:
        importlib.import_module(name)
    except Exception:
        traceback.print_exc()
try:
    import no_such_either
except ImportError:
    traceback.print_exc()
try:
    from pack import broken
except Exception:
    traceback.print_exc()
import pack.warning_again
names = [getattr(finder, "__name__", "") for finder in sys.meta_path]
print(importlib.import_module.__code__.co_filename, names, "importlib.util" in sys.modules)
"""


@pytest.mark.skipif(sys.version_info < (3, 11), reason="docs: before Python 3.11, one more frame")
def test_nothing_that_the_program_prints_changes(site: Path) -> None:
    warning = "import warnings\nwarnings.warn('old', DeprecationWarning, stacklevel=2)\n"
    write_files(site, {"pack/broken.py": "1 / 0\n", "pack/warning.py": warning,
                       "pack/warning_again.py": warning})  # fmt: skip
    _, _, recorded = run(site, LOUD)
    plain = subprocess.run(
        [sys.executable, str(site.parent / "program" / "main.py")],
        check=True, capture_output=True, text=True, cwd=site.parent / "program",
        env={**os.environ, "PYTHONPATH": str(site)},
    )  # fmt: skip
    assert recorded.stderr == plain.stderr
    assert recorded.stdout == plain.stdout


def test_another_prefix_another_user_and_another_run_give_the_same_bytes(
    site: Path, tmp_path: Path
) -> None:
    program = """
import importlib, os, pack
print(os.getuid())
importlib.import_module("pack.by_name")
open(os.path.join(os.path.dirname(pack.__file__), "table.json")).close()
"""
    trace, _, mine = run(site, program)
    one = format_trace(trace)
    assert one == format_trace(run(site, program)[0])
    elsewhere = tmp_path / "other home" / "deeper" / "site"
    shutil.copytree(site, elsewhere)
    variables = {**os.environ, "HOME": str(tmp_path), "USER": "somebody"}
    other, _, theirs = run(elsewhere, program, variables=variables, start=ANOTHER_USER)
    assert one == format_trace(other)
    assert mine.stdout != theirs.stdout
    assert "pack/table.json" in one


def test_the_standard_library_is_named_apart(site: Path) -> None:
    found = used(site, "import importlib\nimportlib.import_module('colorsys')\n", PYTHON)
    assert found[UseKind.IMPORT_MODULE] == ["colorsys"]


def test_files_that_native_code_opens_are_seen_as_the_kernel_sees_them(site: Path) -> None:
    program = """
import ctypes, os, pack
folder = os.path.dirname(pack.__file__)
libc = ctypes.CDLL(None)
for name in ("data/a.txt", "table.json"):
    libc.close(libc.open(os.fsencode(os.path.join(folder, name)), os.O_RDONLY))
libc.close(libc.open(os.fsencode(os.path.join(folder, "written.txt")), os.O_WRONLY | os.O_TRUNC))
libc.close(libc.open(os.fsencode(os.path.join(folder, "inner.py")), os.O_RDONLY))
open(os.path.join(folder, "table.json")).close()
"""
    folder = site.parent / "program"
    write_files(folder, {"main.py": program})
    log = site.parent / "strace.log"
    with record({**os.environ, "PYTHONPATH": str(site)}, [site]) as recording:
        subprocess.run(
            ["strace", "-qq", "-e", "trace=open,openat", "-o", str(log), sys.executable, "main.py"],
            check=True, env=recording.variables, cwd=folder,
        )  # fmt: skip
        trace = recording.read(environment(site))
    opened = re.finditer(rf'"{site}/([^"]+\.(?:txt|json))", O_RDONLY', log.read_text())
    data = {match[1] for match in opened}
    found = rows(trace, "pack-dist")[UseKind.FILE]
    assert data == set(found) == {"pack/data/a.txt", "pack/table.json"}
    assert found["pack/data/a.txt"] == ("",)
    assert found["pack/table.json"] == ("__main__",)  # Python code has opened it as well


def test_what_another_process_opens_of_a_distribution_that_does_not_take_part_is_not_recorded(
    site: Path,
) -> None:
    install(site, "apart", files={"apart/__init__.py": "", "apart/data.txt": "some"})
    with record({**os.environ, "PYTHONPATH": str(site)}, [site]) as recording:
        program = "import pack"
        subprocess.run([sys.executable, "-c", program], check=True, env=recording.variables)
        assert (site / "apart" / "data.txt").read_text() == "some"  # by this process
        trace = recording.read(environment(site))
    names = {usage.distribution for usage in trace.usages}
    assert "pack-dist" in names
    assert "apart" not in names


def test_modules_that_native_code_puts_in_place_are_recorded(site: Path, gcc: Compile) -> None:
    """As mypyc's are: one library makes modules that the import system is never asked for."""
    include = subprocess.run(
        [sys.executable, "-c", "import sysconfig; print(sysconfig.get_path('include'))"],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    source = """
#include <Python.h>
static struct PyModuleDef own = {PyModuleDef_HEAD_INIT, "group", 0, -1, 0};
PyMODINIT_FUNC PyInit_group(void) {
    PyObject *made = PyImport_AddModule("pack.made");
    PyObject *file = PyObject_GetAttrString(PyImport_AddModule("pack"), "made_file");
    PyObject *spec = PyObject_GetAttrString(PyImport_AddModule("pack"), "made_spec");
    PyObject_SetAttrString(made, "__file__", file);
    PyObject_SetAttrString(made, "__spec__", spec);
    return PyModule_Create(&own);
}
"""
    group = gcc("group.so", source, "-shared", "-fPIC", f"-I{include}")
    write_files(site, {"pack/made.py": "", "group.so": group})
    program = """
import os, pack
from importlib.machinery import ModuleSpec
pack.made_file = os.path.join(os.path.dirname(pack.__file__), "made.py")
pack.made_spec = ModuleSpec("pack.made", None)
import group, sys
assert "pack.made" in sys.modules
"""
    found = [u for usage in run(site, program)[0].usages for u in usage.of(UseKind.IMPORT_MODULE)]
    assert [(use.name, use.askers) for use in found] == [("pack.made", ("",))]


def test_a_path_that_goes_up_needs_the_folder_that_it_goes_through(site: Path) -> None:
    program = """
import os, pack
open(os.path.join(os.path.dirname(pack.__file__), "data", "..", "table.json")).close()
"""
    found = rows(run(site, program)[0], "pack-dist")
    assert found[UseKind.FILE] == {"pack/table.json": ("__main__",)}
    assert found[UseKind.FOLDER] == {"pack/data": ("__main__",)}


def test_a_module_that_is_asked_for_under_another_name_is_noted_under_its_own(site: Path) -> None:
    program = """
import importlib, sys, pack.inner
sys.modules["alias"] = pack.inner
sys.modules["this_program"] = sys.modules["__main__"]
assert importlib.import_module("alias") is pack.inner
importlib.import_module("this_program")
"""
    trace = run(site, program)[0]
    assert list(rows(trace, "pack-dist")[UseKind.IMPORT_MODULE]) == ["pack.inner"]
    assert UseKind.IMPORT_MODULE not in rows(trace, PROGRAM)


# --- the kernel's own list ----------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="inotify(7)")
def test_more_files_are_noticed_than_the_kernel_keeps_events_of(tmp_path: Path) -> None:
    install(tmp_path, "pack-dist", files={"pack/a.txt": "", "pack/b.txt": "", "pack/c.txt": ""})
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    watch = OpenWatch([tmp_path])
    for _ in range(limit // 2 + 1000):
        (tmp_path / "pack/a.txt").open().close()
        (tmp_path / "pack/b.txt").open().close()
    (tmp_path / "pack/c.txt").open().close()
    assert {path.name for path in watch.opened()} == {"a.txt", "b.txt", "c.txt"}
    watch.close()
    assert watch.opened() == {*(tmp_path / "pack" / f"{n}.txt" for n in "abc")}
