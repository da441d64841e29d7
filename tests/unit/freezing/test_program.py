"""What a program's own sources bring in, and its answers where it starts Python again."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from environments import Files, environment, install, write_files

from rustext.config import Config
from rustext.data import package_text
from rustext.freezing.build import Build
from rustext.freezing.program import read_program
from rustext.plan.planner import Planner

CONFIG = """
import local
LOGGING = {"()": "handlers.rich.Handler", "class": "handlers.gone.Handler", "level": "INFO"}
"""


def test_class_paths_in_a_programs_settings_are_imports(tmp_path: Path) -> None:
    site, folder = tmp_path / "site-packages", tmp_path / "app"
    install(site, "handlers", files={"handlers/__init__.py": "", "handlers/rich.py": ""})
    write_files(folder, {"main.py": CONFIG, "local.py": "X = 'handlers.rich:Handler'",
                         "other.py": "", "handlers_of_mine.py": ""})  # fmt: skip
    program = read_program([folder / "main.py"], environment(site))
    assert [i.module for i in program.imports] == ["handlers", "handlers.rich"]
    assert {i.evidence[0].where for i in program.imports} <= {"local.py", "main.py"}
    assert sorted(str(place) for _, place in program.files) == ["local.py", "main.py"]


def test_class_paths_in_texts_of_configuration_are_imports(tmp_path: Path) -> None:
    text = (
        'YAML = """\ntask:\n  _target_: handlers.rich.Handler\n  see: handlers.other by hand\n"""\n'
        'TAG = "{make: !!python/name:handlers.made.make }"'
    )
    files = {f"handlers/{name}.py": "" for name in ("__init__", "rich", "other", "made")}
    install(tmp_path / "site", "handlers", files=files)
    write_files(tmp_path, {"main.py": text})
    program = read_program([tmp_path / "main.py"], environment(tmp_path / "site"))
    assert [i.module for i in program.imports] == ["handlers.made", "handlers.rich"]


LATE = """
import importlib, pathlib
config = dict(broker="memory", include=["tasks", "shop.orders"])
run, other = "server:app", "unrelated"
names = pathlib.Path(__file__).with_name("plugins.yml").read_text().split("- module: ")[1:]
ini = pathlib.Path(__file__).with_name("site.ini").read_text().partition("money = ")[2]
names += [run.partition(":")[0], ini.partition(":")[0]]
for name in (*config["include"], *(n.strip() for n in names)):
    importlib.import_module(name)
open("data.json", "w").close()
"""


def test_modules_of_the_program_that_only_literals_and_settings_name(tmp_path: Path) -> None:
    names = ("tasks", "shop/__init__", "shop/orders", "server", "rates", "unrelated", "data")
    write_files(tmp_path, {f"{name}.py": "" for name in names})
    write_files(tmp_path, {"server.py": "HANDLERS = ['late']", "late.py": "", "main.py": LATE})
    write_files(tmp_path, {"plugins.yml": "plugins:\n  - module: rates\n"})
    write_files(tmp_path, {"site.ini": "[app]\nfilters =\n    money = desk.views:money\n"})
    write_files(tmp_path, {"desk/__init__.py": "import base", "desk/views.py": "", "base.py": ""})
    program = read_program([tmp_path / "main.py"], environment(tmp_path / "site"))
    found = {i.module for i in program.imports}
    code = f"import runpy, sys; runpy.run_path('main.py'); print(*sys.modules.keys() & {found!r})"
    code = "import sys; sys.path.insert(0, ''); " + code
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    now = {"tasks", "shop.orders", "server", "rates", "desk.views"}
    assert found - {"late"} == set(done.stdout.split()) == now
    assert "late" in found
    assert "base.py" in {str(place) for _, place in program.files}


def test_a_script_that_is_no_python_ends_as_others_do(tmp_path: Path) -> None:
    """What it names is not followed, and not asked for again and again."""
    write_files(tmp_path, {"main.py": "include = ['tasks']\nx = = 1\n", "tasks.py": "import os"})
    program = read_program([tmp_path / "main.py"], environment(tmp_path / "site"))
    assert [str(place) for _, place in program.files] == ["main.py"]


def test_modules_that_name_each_other_one_by_one_are_read_once(tmp_path: Path) -> None:
    count = 300
    body = "def f(x):\n    return x\n" * 50
    files = {f"parts/m{n}.py": f"NEXT = 'parts.m{n + 1}'\n{body}" for n in range(count)}
    write_files(tmp_path, {"main.py": "X = 'parts.m0'", "parts/__init__.py": "", **files})
    begin = time.process_time()
    program = read_program([tmp_path / "main.py"], environment(tmp_path / "site"))
    assert time.process_time() - begin < 10
    assert len(program.imports) == count


def test_files_of_a_large_folder_leave_room_for_those_that_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rustext.discovery.settings_files._TOTAL", 100)
    write_files(tmp_path, {"main.py": "open('data/' + name), open('settings.json')"})
    write_files(tmp_path, {f"data/{name}.json": '{"module": "large"}' + " " * 99 for name in "ab"})
    write_files(tmp_path, {"settings.json": '{"module": "one"}', "one.py": "", "large.py": ""})
    program = read_program([tmp_path / "main.py"], environment(tmp_path / "site"))
    assert [i.module for i in program.imports] == ["large", "one"]


def test_a_quoted_name_in_a_file_of_the_programs_own_form_is_an_import(tmp_path: Path) -> None:
    names = ("__init__", "rich", "other")
    install(tmp_path / "site", "rules", files={f"rules/{name}.py": "" for name in names})
    install(tmp_path / "site", "boards", files={"boards.py": "", "blue.py": ""})
    text = 'plugin "rules.rich"\ncustom "book-extension" "boards" "{}"\ncolour "blue"\n'
    write_files(tmp_path, {"main.py": "open('house.ledger')", "house.ledger": text})
    write_files(tmp_path, {"elsewhere.ledger": 'plugin "rules.other"'})
    program = read_program([tmp_path / "main.py"], environment(tmp_path / "site"))
    assert [i.module for i in program.imports] == ["boards", "rules.rich"]
    assert {i.evidence[0].where for i in program.imports} == {"house.ledger"}


def test_what_a_program_asks_for_of_installed_distributions(tmp_path: Path) -> None:
    """Plugins behind entry points, files of packages, metadata by a name in a list."""
    text = """
from importlib.metadata import entry_points, version
from importlib.resources import files
points, versions = entry_points(group="acme"), [version(name) for name in ("tables", "gone")]
words = files("tables.data") / "words.txt"
"""
    data = {"tables/data/words.txt": "", "tables/data/other.txt": "", "tables/data/__init__.py": ""}
    install(tmp_path, "tables", files={"tables/__init__.py": "", **data})
    points = {"plugin.dist-info/METADATA": "Name: plugin\nVersion: 1\n", "plugged.py": ""}
    points |= {"plugin.dist-info/entry_points.txt": "[acme]\na = plugged:A\n"}
    write_files(tmp_path, {**points, "plugin.dist-info/RECORD": ",,\n".join((*points, ""))})
    write_files(tmp_path, {"app/main.py": text})
    program = read_program([tmp_path / "app/main.py"], environment(tmp_path))
    assert {i.module for i in program.imports} == {"plugged", "tables.data"}
    assert {str(c.destination) for c in program.companions} == {
        "plugin.dist-info/METADATA",
        "plugin.dist-info/entry_points.txt",
        "tables-1.0.dist-info/METADATA",
        "tables/data/words.txt",
    }


def test_a_script_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    write_files(tmp_path, {"broken.py": "x = ("})
    for name in ("broken.py", "gone.py"):
        assert read_program([tmp_path / name], environment(tmp_path)).imports == ()


READS = """
import inspect, sys, textwrap
def tool(function):
    return textwrap.dedent(inspect.getsource(function))
def careful(function):
    try: return inspect.getsource(function)
    except OSError: return None
def unlucky(function):
    if not callable(function):
        raise TypeError(inspect.getsource(function))
def of_this(function):
    return inspect.getsource(tool)
def factory(name):
    def decorator(function):
        return tool(function)
    return decorator
class Kernel:
    def __init__(self, function):
        self.function = inspect.unwrap(function)
        self._parse()
    def _parse(self):
        return tool(self.function) and inspect.getsourcelines(self.function)
class Agent:
    def add(self, function):
        return Kernel(function)
    def run(self): ...
class View:
    def __init__(self, **settings):
        self._note()
    def _note(self):
        told = inspect.getframeinfo(sys._getframe(2))
        self.line = told[3][0].strip()
def where(depth=1):
    told = inspect.stack()[depth]
    return told.filename, told.code_context[0]
def place(depth=1):
    told = inspect.stack()[depth]
    lines = told[4]
    return told[1], lines and lines[0]
"""
F = "def f(): return 'mine'\n"


@pytest.mark.parametrize(
    ("script", "taken"),
    [
        (f"import tools\n{F}tools.tool(f)\n", True),
        (f"from tools import tool as t\n{F}t(f)\n", True),
        (f"import tools\n@tools.factory('x')\n{F}", True),
        (f"import tools.api as api\n@api.factory('x')\n{F}", True),
        (f"from tools import Kernel\n{F}Kernel(f)\n", True),
        (f"from tools import Agent\n{F}Agent().add(f)\n", True),
        (f"from tools import Agent\n{F}print(f)\nAgent().run()\n", False),
        (f"import tools\n{F}tools.careful(f)\n", False),
        (f"import tools\n{F}tools.unlucky(f)\n", False),
        ("from tools import View\nView()\n", True),
        ("import tools\nprint(tools.where())\n", True),
        ("import tools\nprint(tools.place())\n", False),
        (f"import tools\n{F}f.tool = tools\n", False),
        ("import tools\n", False),
    ],
)
def test_a_programs_source_comes_along_only_where_it_hands_it_to_a_reader(
    script: str, taken: bool, tmp_path: Path, rust_library: Path
) -> None:
    """The judge is a run of the program without its source, as in a bundle."""
    site = tmp_path / "site"
    api = "from tools import factory"
    files: Files = {"tools/__init__.py": READS, "tools/api.py": api, "tools/lib.so": rust_library}
    install(site, "tools", files=files)
    write_files(tmp_path, {"main.py": script})
    build = Build(Planner(environment(site), Config()))
    build.begin([tmp_path / "main.py"])
    assert build.program_files() == ()
    assert build.hints == ()
    build.enter("tools", site / "tools/__init__.py")
    found = [str(c.destination) for c in build.program_files()]
    assert found == ["main.py"] * taken
    assert build.program_files() == ()  # each once
    assert ("main.py" in {str(c.destination) for c in build.companions}) == taken
    said = " ".join(build.hints)
    assert ("included: main.py; `" in said) == taken
    assert ("not followed: tools." in said) == (not taken and script.endswith(")\n"))
    assert runs_without_source(script, site) != taken


def runs_without_source(script: str, site: Path) -> bool:
    """Whether a script runs where its own source is not there."""
    code = "import sys; exec(compile(sys.stdin.read(), 'gone.py', 'exec'), {'__name__': 'gone'})"
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, input=script, text=True, cwd=site, capture_output=True, check=False, timeout=60
    )
    return done.returncode == 0


def test_code_far_from_what_the_program_uses_reads_nothing_of_it(
    tmp_path: Path, rust_library: Path
) -> None:
    """A large package has a module that asks for some source; the program only uses the rest."""
    build_tools = "import inspect\ndef describe(frame):\n    return inspect.getsource(frame)\n"
    files: Files = {
        "big/__init__.py": "from big import build\ndef add(a, b): return a + b\n",
        "big/build.py": build_tools,
        "big/lib.so": rust_library,
    }
    install(tmp_path / "site", "big", files=files)
    write_files(tmp_path, {"main.py": "import big as b\nb.add(1, 2)\n"})
    build = Build(Planner(environment(tmp_path / "site"), Config()))
    build.begin([tmp_path / "main.py"])
    for name, file in (("big", "big/__init__.py"), ("big.build", "big/build.py")):
        build.enter(name, tmp_path / "site" / file)
    assert build.program_files() == ()
    (hint,) = build.hints
    assert hint.startswith(
        "not followed: big.build.describe, which may read source of your program"
    )


SANDBOX = """
import importlib.util, sys
def load(name):
    main = sys.modules["__main__"]
    return importlib.util.spec_from_file_location(name, main.__file__)
"""
WORKER = """
import runpy
def load(path):
    try: runpy.run_path(path, run_name="__main__")
    except BaseException as error: print(error, __file__)
"""


@pytest.mark.parametrize(
    ("script", "text", "taken"),
    [
        ("from work.sandbox import load\n", SANDBOX, True),
        ("import work.sandbox\n", SANDBOX, True),
        ("import work\n", SANDBOX, False),
        ("from work.sandbox import load\n", WORKER, False),
    ],
)
def test_a_file_that_a_sandbox_runs_again_comes_along_where_the_program_uses_it(
    script: str, text: str, taken: bool, tmp_path: Path, rust_library: Path
) -> None:
    files: Files = {
        "work/__init__.py": "", "work/sandbox/__init__.py": "from work.sandbox.load import load",
        "work/sandbox/load.py": text, "work/lib.so": rust_library,
    }  # fmt: skip
    install(tmp_path / "site", "work", files=files)
    write_files(tmp_path, {"main.py": script})
    build = Build(Planner(environment(tmp_path / "site"), Config()))
    build.begin([tmp_path / "main.py"])
    build.enter("work.sandbox.load", tmp_path / "site/work/sandbox/load.py")
    assert [str(c.destination) for c in build.program_files()] == ["main.py"] * taken


LOADER = """
from importlib import import_module
def load(path):
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)
"""
CATALOG = """
from flow.loading import load
PLACES = ["flow.own.", "sets.", ""]
def find(kind):
    for place in PLACES:
        try:
            return load(place + kind)
        except ImportError:
            pass
"""
SETTINGS = """
import sys
from flow.catalog import find
YAML = '''
prices:
  type: fast.Table
  backend: plain
'''
find("fast.Table")
print(*(name for name in sys.modules if name.startswith("sets.")))
"""


def test_names_in_settings_are_completed_by_what_code_puts_before_them(
    tmp_path: Path, rust_library: Path
) -> None:
    """As the program itself finds them, and no others of that package."""
    site = tmp_path / "site"
    files: Files = {"flow/__init__.py": "", "flow/loading.py": LOADER, "flow/catalog.py": CATALOG}
    install(site, "flow", files={**files, "flow/lib.so": rust_library})
    sets = {
        f"sets/{name}.py": "class Table: pass" for name in ("__init__", "fast", "slow", "plain")
    }
    install(site, "sets", files=sets)
    write_files(tmp_path, {"main.py": SETTINGS})
    env = {"PYTHONPATH": str(site)}
    command = [sys.executable, str(tmp_path / "main.py")]
    ran = subprocess.run(command, check=True, capture_output=True, text=True, env=env)
    build = Build(Planner(environment(site), Config()))
    assert build.planner.listers_for(site / "flow/__init__.py") == ("flow.catalog",)  # has a hook
    build.begin([tmp_path / "main.py"])
    build.enter("flow.loading", site / "flow/loading.py")
    assert not build.modules
    found = build.enter("flow.catalog", site / "flow/catalog.py")
    assert [i.module for i in found] == ran.stdout.split() == ["sets.fast"]
    build.settle(["flow", "flow.catalog", "sets.fast"])
    assert set(build.modules) == {"sets.fast"}
    build.settle(["flow"])
    assert not build.modules


@pytest.fixture
def rust_library(tmp_path: Path) -> Path:
    source = tmp_path / "lib.rs"
    source.write_text('#[no_mangle] pub extern "C" fn f() -> String { 1.to_string() }\n')
    library = tmp_path / "lib.so"
    command = ["rustc", "--crate-type=cdylib", "-Awarnings", str(source), "-o", str(library)]
    subprocess.run(command, check=True, timeout=120)
    return library


# --- the run-time hook ----------------------------------------------------------------------------

START = """
import subprocess, sys
arguments = {arguments!r}
if len(sys.argv) > 1 and sys.argv[1] == "start":
    done = subprocess.run([sys.executable, __file__, *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    print(done.returncode, done.stdout.strip(), done.stderr.strip())
else:
    print("the program", *sys.argv[1:])
"""


def started(tmp_path: Path, *arguments: str, before: str = "") -> str:
    """What a process says that the program has started; the script's name is the interpreter's."""
    hook = before + package_text("freezing/pyinstaller/python_start.py")
    (tmp_path / "main.py").write_text(hook + START.format(arguments=list(arguments)))
    command = [sys.executable, str(tmp_path / "main.py"), "start"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=60)
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (("-m", "calendar", "2000", "1"), "0 January 2000"),
        (("-u", "-X", "utf8", "-c", "import sys; print(sys.argv)", "a"), "0 ['-c', 'a']"),
        (("-c", "import sys; sys.exit(3)"), "3"),
        (("--serve", "x"), "0 the program --serve x"),
        (("-c",), "0 the program -c"),
        (("-c", "from multiprocessing.spawn import x"), "0 the program -c from multi"),
    ],
)
def test_a_process_that_the_program_has_started_is_answered(
    arguments: tuple[str, ...], answer: str, tmp_path: Path
) -> None:
    assert started(tmp_path, *arguments).startswith(answer)


@pytest.mark.parametrize(
    ("folder", "answer"),
    [("bundle", "0 ['SCRIPT', 'a'] helper"), ("elsewhere", "0 the program SCRIPT a")],
)
def test_a_script_is_run_where_it_is_in_the_bundle(
    folder: str, answer: str, tmp_path: Path
) -> None:
    script = tmp_path / folder / "tool.py"
    text = "import helper, sys\nprint(sys.argv, helper.__name__)\n"
    write_files(script.parent, {"tool.py": text, "helper.py": ""})
    before = f"import sys\nsys._MEIPASS = {str(tmp_path / 'bundle')!r}\n"
    assert started(tmp_path, str(script), "a", before=before) == answer.replace(
        "SCRIPT", str(script)
    )


def test_a_module_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    said = started(tmp_path, "-m", "no.such_module")
    assert said.startswith("1 ")
    assert "has no module 'no.such_module' to run with -m" in said
    assert "Traceback" not in said


def test_a_user_who_starts_the_program_is_not_answered(tmp_path: Path) -> None:
    hook = package_text("freezing/pyinstaller/python_start.py")
    (tmp_path / "main.py").write_text(f"{hook}print('the program')\n")
    command = [sys.executable, str(tmp_path / "main.py"), "-m", "calendar"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=60)
    assert done.stdout == "the program\n"


def test_a_program_that_starts_itself_for_ever_is_stopped(tmp_path: Path) -> None:
    hook = package_text("freezing/pyinstaller/python_start.py")
    again = "import subprocess, sys\n"
    again += "name = f'x{len(sys.argv[-1])}.py'\n"  # another file each time
    again += "sys.exit(subprocess.run([sys.executable, __file__, name]).returncode)\n"
    (tmp_path / "main.py").write_text(hook + again)
    command = [sys.executable, str(tmp_path / "main.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "starts itself over and over" in done.stderr


def test_names_of_files_and_hosts_and_words_of_data_are_no_packages(tmp_path: Path) -> None:
    packages = ("tables", "clouds", "parts", "tools", "lists")
    for name in packages:
        install(tmp_path / "site", name, files={f"{name}/__init__.py": "", f"{name}/io.py": ""})
    code = "open('tables.csv'), get('clouds.com'), open('a.jsonl'), open('b.xml'), open('c.json')"
    write_files(tmp_path, {"main.py": code + "; X = 'lists.io', 'tools.Tool'"})
    write_files(tmp_path, {"a.jsonl": '{"text": "an import", "parts": 1}'})
    write_files(tmp_path, {"b.xml": '<row importance="high" kind="parts"/>'})
    write_files(tmp_path, {"c.json": '{"host": "api.parts.com", "log": "tables.log"}'})
    program = read_program([tmp_path / "main.py"], environment(tmp_path / "site"))
    assert [i.module for i in program.imports] == ["lists.io", "tools"]


RUNNER = """
import os, runpy
from pathlib import Path
HERE = Path(__file__).parent
print(runpy.run_path(str(HERE / "recipes" / "soup.py"))["TASTE"])
print(runpy.run_path(os.path.join(os.path.dirname(__file__), "settings.py"))["NAME"])
known = HERE / "gone.py", HERE / "../outside.py", HERE / "main.py", HERE / "helper.py"
told = "other.py", "see recipes/other.py"
import helper
"""


def test_python_files_that_a_program_names_by_their_paths_come_along(tmp_path: Path) -> None:
    """With what they import; what is imported as well, and the script itself, do not."""
    folder = tmp_path / "app"
    recipe = "import spices\nTASTE = spices.SALT"
    write_files(folder, {
        "main.py": RUNNER, "recipes/soup.py": recipe, "settings.py": "NAME = 'kitchen'",
        "spices.py": "SALT = 'salt'", "helper.py": "", "other.py": "", "recipes/other.py": "",
        "../outside.py": "",
    })  # fmt: skip
    command = [sys.executable, str(folder / "main.py")]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    assert ran.stdout.split() == ["salt", "kitchen"]
    program = read_program([folder / "main.py"], environment(tmp_path / "site"))
    assert {str(c.destination) for c in program.companions} == {"recipes/soup.py", "settings.py"}
    assert [i.module for i in program.imports] == ["recipes.soup", "settings"]
    places = sorted(str(place) for _, place in program.files)
    assert places == ["helper.py", "main.py", "recipes/soup.py", "settings.py", "spices.py"]
    build = Build(Planner(environment(tmp_path / "site"), Config()))
    build.begin([folder / "main.py"])
    assert build.program_sources_hint == (
        "source files of your program are included: recipes/soup.py, settings.py; `main.py` names "
        "`recipes/soup.py` by its path; `main.py` names `settings.py` by its path"
    )


@pytest.mark.parametrize(
    "text", ["HERE / 'a' " * 20_000, "join('a.py', " * 20_000, "/ 'a" * 50_000]
)
def test_many_paths_cost_little(text: str, tmp_path: Path) -> None:
    write_files(tmp_path, {"main.py": f"HERE = 1\nTEXT = '''{text}'''"})
    began = time.process_time()
    assert read_program([tmp_path / "main.py"], environment(tmp_path / "site")).companions == ()
    assert time.process_time() - began < 20


def test_a_file_that_is_named_by_many_comes_once_and_quickly(tmp_path: Path) -> None:
    files = [f"s{n}.py" for n in range(200)]
    text = "".join(f"HERE / '{name}'; HERE / '{name}'\n" for name in files)
    write_files(tmp_path, dict.fromkeys((*files, "main.py"), f"HERE = 1\n{text}"))
    began = time.process_time()
    program = read_program([tmp_path / "main.py"], environment(tmp_path / "site"))
    assert [str(c.destination) for c in program.companions] == files
    assert time.process_time() - began < 20


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("setup.py", False), ("conftest.py", False), ("noxfile.py", False),
        ("tests/check.py", False), ("lib/test_soup.py", False), ("docs/conf.py", False),
        ("wizard/setup.py", True), ("examples/soup.py", True), ("my-soup.py", True),
        ("etc/conf.py", True),
    ],
)  # fmt: skip
def test_what_only_tools_run_does_not_come_along(name: str, taken: bool, tmp_path: Path) -> None:
    """A program names `setup.py` to see whether it runs from its sources."""
    write_files(tmp_path, {"main.py": f"FOUND = HERE / '{name}'", name: "import colorsys"})
    program = read_program([tmp_path / "main.py"], environment(tmp_path / "site"))
    assert [str(c.destination) for c in program.companions] == [name] * taken
    assert len(program.imports) == taken


def test_a_file_without_a_name_to_import_comes_as_a_file_alone(tmp_path: Path) -> None:
    files = ("__init__.py", "__main__.py")
    text = "".join(f"HERE / '{name}'\n" for name in files)
    write_files(tmp_path, {"main.py": text, **dict.fromkeys(files, "")})
    program = read_program([tmp_path / "main.py"], environment(tmp_path / "site"))
    assert {str(c.destination) for c in program.companions} == {*files}
    assert program.imports == ()


CUSTOM = """
import importlib
from importlib import import_module
STARTS = ("unrelated.", "other.{}")
def driver(name):
    for module in (f"custom_drivers.{name}", f"flow.{name}"):
        try:
            return importlib.import_module(module)
        except ImportError: ...
def __getattr__(name):
    return import_module(f".{name}", package=__name__)
"""


@pytest.mark.parametrize("first", ["package", "program"])
def test_a_package_of_the_program_that_others_look_into_is_included(
    first: str, tmp_path: Path, rust_library: Path
) -> None:
    """Whether the freezer comes to that code before the program is known, or after."""
    site, folder = tmp_path / "site", tmp_path / "app"
    install(site, "flow", files={"flow/__init__.py": CUSTOM, "flow/lib.so": rust_library})
    names = ("__init__", "shed", "tests/test_shed")
    for package in ("custom_drivers", "unrelated", "other"):
        write_files(folder, {f"{package}/{name}.py": "" for name in names})
    write_files(folder, {"custom_drivers/folder.py/notes": ""})
    (folder / "custom_drivers/nowhere.py").symlink_to("gone.py")
    write_files(folder, {"main.py": "import flow\nprint(flow.driver(''.join('shed')).__name__)"})
    command = [sys.executable, str(folder / "main.py")]
    env = {"PYTHONPATH": str(site)}
    ran = subprocess.run(command, check=True, capture_output=True, text=True, env=env)
    assert ran.stdout.strip() == "custom_drivers.shed"
    build = Build(Planner(environment(site), Config()))
    steps = [
        lambda: build.enter("flow", site / "flow/__init__.py"),
        lambda: build.begin([folder / "main.py"]),
    ]
    found = [i.module for step in (steps if first == "package" else steps[::-1]) for i in step()]
    own = ["custom_drivers", "custom_drivers.shed"]
    assert sorted(found) == [*own, "flow.lib"]
    build.settle(["flow"])
    assert sorted(build.modules) == [*own, "flow.lib"]
