"""What a distribution needs beside its modules, each kind with the evidence that brings it."""

from __future__ import annotations

import importlib.machinery
import py_compile
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest
from compiling import Compile
from environments import Files, environment, install, write_files

from rustext.config import Config
from rustext.discovery.native_files import folder_source, iter_native_files
from rustext.discovery.source_facts import read_sources
from rustext.environment.distributions import iter_distributions
from rustext.model.plan import Companion, CompanionKind
from rustext.plan import data_files
from rustext.plan.companions import (
    find_companions,
    find_distant_companions,
    find_shared_files,
)
from rustext.plan.data_files import read_own_code
from rustext.plan.planner import Planner
from rustext.plan.read_sources import find_read_sources

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """How many bytes of data come along unnamed: none, as what is tested here are the names."""

    def allow(size: int) -> None:
        monkeypatch.setattr(data_files, "_SMALL", size)

    allow(-1)
    return allow


def companions(site: Path) -> dict[str, Companion]:
    (dist,) = iter_distributions(site)
    native = list(iter_native_files(folder_source(site)))
    sources = read_sources(dist)
    found = find_companions(sources, dist, native, importlib.machinery.EXTENSION_SUFFIXES)
    assert list(found) == sorted(found, key=lambda c: (c.destination, c.kind.value))
    return {str(c.destination): c for c in found}


def data_of(site: Path) -> dict[str, str]:
    return {name: c.reason for name, c in companions(site).items() if c.kind is CompanionKind.DATA}


def test_native_files_that_no_import_reaches_keep_their_place(tmp_path: Path, gcc: Compile) -> None:
    library = gcc("libx.so", "int x;", "-shared", "-fPIC")
    module = gcc("core.so", "void *PyInit_core(void) { return 0; }", "-shared", "-fPIC")
    program = gcc("tool", "int main(void) { return 0; }")
    files: Files = {
        f"pkg/core{SUFFIX}": module, "pkg/linux-x86_64/libx.so": library, "pkg/bin/tool": program,
        "top.so": library,
    }  # fmt: skip
    install(tmp_path, "pkg", files=files)
    found = companions(tmp_path)
    assert found["pkg/linux-x86_64/libx.so"].kind is CompanionKind.LIBRARY
    assert found["pkg/bin/tool"].kind is CompanionKind.EXECUTABLE
    assert found["pkg/bin/tool"].path == tmp_path / "pkg/bin/tool"
    assert f"pkg/core{SUFFIX}" not in found  # imported
    assert "top.so" not in found  # there is no package to keep it in


def test_a_module_that_python_never_looks_for_gets_a_name_that_it_does(
    tmp_path: Path, gcc: Compile
) -> None:
    """Where the right one is there as well, each keeps its name."""
    module = gcc("core.so", "void *PyInit_core(void) { return 0; }", "-shared", "-fPIC")
    wrong = SUFFIX.replace("-linux-gnu", "v9-linux-gnu")
    install(tmp_path, "pkg", files={f"pkg/core{wrong}": module})
    found = companions(tmp_path)[f"pkg/core{SUFFIX}"]
    assert found.renamed
    assert found.path == tmp_path / f"pkg/core{wrong}"
    assert found.reason == f"this Python never looks for `core{wrong}`"
    (tmp_path / f"pkg/core{SUFFIX}").write_bytes(module.read_bytes())
    assert not companions(tmp_path)[f"pkg/core{wrong}"].renamed


def test_a_program_that_installers_put_elsewhere_comes_where_code_looks_for_it(
    tmp_path: Path, gcc: Compile
) -> None:
    site = tmp_path / "lib" / "python3" / "site-packages"
    tool = gcc("tool", "int main(void) { return 0; }")
    asks = "import sysconfig\nfolder = sysconfig.get_path('scripts')\n"
    files: Files = {"pkg/__init__.py": asks, "../../../bin/tool": tool,
                    "../../../bin/script": "#!/bin/sh\n", "../../../share/tool": tool}  # fmt: skip
    install(site, "pkg", files=files)
    found = companions(site)
    (program,) = (c for c in found.values() if c.kind is CompanionKind.EXECUTABLE)
    assert program.path == tmp_path / "bin" / "tool"
    scripts = sysconfig.get_path("scripts", "posix_prefix", {"base": str(tmp_path)})
    assert tmp_path / program.destination == Path(scripts) / "tool"
    assert program.reason == "`__init__.py` asks where programs are installed"
    (site / "pkg/__init__.py").write_text("import sysconfig\n")
    assert CompanionKind.EXECUTABLE not in {c.kind for c in companions(site).values()}


def test_metadata_comes_and_nothing_else_of_its_folder(tmp_path: Path) -> None:
    info = "pkg-1.0.dist-info"
    files = {f"{info}/entry_points.txt": "", f"{info}/licenses/LICENSE": "", "pkg/__init__.py": ""}
    install(tmp_path, "pkg", files=files)
    found = {n for n, c in companions(tmp_path).items() if c.kind is CompanionKind.METADATA}
    assert found == {f"{info}/METADATA", f"{info}/entry_points.txt"}


def test_a_data_file_comes_when_the_own_code_names_it(tmp_path: Path) -> None:
    files = {
        "pkg/__init__.py": "MODEL = 'model.onnx'\nT = f\"{here}/tables/\"\nG = glob('*.bin')",
        "pkg/model.onnx": "",
        "pkg/other.onnx": "",
        "pkg/tables/a.csv": "",
        "pkg/deep/tables/b.csv": "",
        "pkg/x.bin": "",
        "pkg/loose.csv": "",
    }
    install(tmp_path, "pkg", files=files)
    assert data_of(tmp_path) == {
        "pkg/model.onnx": "the distribution's own code names `model.onnx`",
        "pkg/tables/a.csv": "the distribution's own code names `tables`",
        "pkg/deep/tables/b.csv": "the distribution's own code names `tables`",
        "pkg/x.bin": "the distribution's own code names `.bin`",
    }


def test_what_no_word_leads_to_comes_where_all_of_it_is_small(
    tmp_path: Path, gcc: Compile, small: Callable[[int], None]
) -> None:
    """Modules, stubs, tests and native files are no data; what is named does not count."""
    library = gcc("libx.so", "int x;", "-shared", "-fPIC")
    files: Files = {
        "pkg/__init__.py": "open(join(__file__, 'big.bin'))",
        "pkg/other.py": "",
        "pkg/big.bin": "x" * 200,
        "pkg/themes/dark/page": "x" * 60,
        "pkg/themes/dark/made.py": "x = 1\n",
        "pkg/typed/__init__.pyi": "",
        "pkg/tests/page": "",
        "pkg/libx.so": library,
    }
    install(tmp_path, "pkg", files=files)
    small(100)
    reason = "the rest of its data is small"
    assert data_of(tmp_path) == {
        "pkg/big.bin": "the distribution's own code names `big.bin`",
        "pkg/themes/dark/page": reason,
        "pkg/themes/dark/made.py": reason,
    }
    (dist,) = iter_distributions(tmp_path)
    distant = {str(c.destination) for c in find_distant_companions(read_sources(dist), dist, ())}
    assert distant >= {"pkg/big.bin", "pkg/themes/dark/page", "pkg/themes/dark/made.py"}
    assert not distant & {"pkg/other.py", "pkg/typed/__init__.pyi", "pkg/tests/page", "pkg/libx.so"}
    small(65)
    assert set(data_of(tmp_path)) == {"pkg/big.bin"}


@pytest.mark.parametrize(
    ("code", "there"),
    [
        ("import os\nPACKAGE_PATH = os.path.dirname(__file__)\n", True),
        ("from pathlib import Path\nROOT = Path(__file__).resolve().parent\n", True),
        ("from pathlib import Path\nROOT = Path(__file__).parent\nx = ROOT / 'other'\n", False),
        ("import os\npath = os.path.dirname(__file__)\n", False),
    ],
)
def test_a_folder_that_a_constant_shows_to_others_is_data(
    code: str, there: bool, tmp_path: Path, small: Callable[[int], None]
) -> None:
    """`from pkg.include import PACKAGE_PATH` is all that others need to read what is in it."""
    small(0)
    inside = {"pkg/include/tests/a.sql": "x", "pkg/include/project.yml": "x"}
    files: Files = {"pkg/__init__.py": "", "pkg/include/__init__.py": code, "pkg/b.sql": "x"}
    install(tmp_path, "pkg", files={**files, **inside})
    (dist,) = iter_distributions(tmp_path)
    found = {str(c.destination) for c in find_distant_companions(read_sources(dist), dist, ())}
    assert found == (inside.keys() if there else set())


@pytest.mark.parametrize(
    ("module", "there"), [("mat/pages/__init__", True), ("mat/pages/x", False)]
)
def test_a_package_without_modules_that_an_entry_point_names_is_data(
    module: str, there: bool, tmp_path: Path
) -> None:
    points = "[site.themes]\nmat = mat.pages\n[other]\nx = mat:x\n"
    files: Files = {
        "mat/__init__.py": "",
        "mat/logo.png": "",
        "mat/pages/__init__.py": "import warnings\n",
        "mat/pages/main.css": "",
        "mat/pages/deep/icon.svg": "",
        "mat-1.0.dist-info/entry_points.txt": points,
    }
    install(tmp_path, "mat", files={f"{module}.py": "", **files})
    (dist,) = iter_distributions(tmp_path)
    found = {str(c.destination) for c in find_distant_companions(read_sources(dist), dist, ())}
    assert found == ({"mat/pages/main.css", "mat/pages/deep/icon.svg"} if there else set())


def test_a_regular_expression_is_no_pattern_of_names(tmp_path: Path) -> None:
    code = {"pkg/__init__.py": "HERE = __file__\nBLANK = re.compile(r'\\s*')"}
    install(tmp_path, "pkg", files={**code, "pkg/setup.cfg": ""})
    (dist,) = iter_distributions(tmp_path)
    assert find_distant_companions(read_sources(dist), dist, ()) == ()


@pytest.mark.parametrize(
    ("opens", "files", "others"),
    [
        ('join(HERE, "v%d.bin" % 3)', ["v3.bin"], ["w3.bin"]),
        ('join(HERE, f"table-{3}.dat")', ["table-3.dat"], ["chair-3.dat"]),
        ('join(HERE, "table-{}".format(3))', ["table-3"], ["tables"]),
        ('*glob(HERE + "/dict_*")', ["dict_a", "dict_b"], ["dic"]),
        ('*(join(HERE, f) for f in listdir(HERE) if f.startswith("pfx"))', ["pfx1"], ["px1"]),
    ],
)
def test_a_pattern_of_names_brings_the_files_that_fit(
    opens: str, files: list[str], others: list[str], tmp_path: Path
) -> None:
    code = "from glob import glob\nfrom os import listdir\nfrom os.path import dirname, join\n"
    code += f"HERE = dirname(__file__)\nOPENED = [open(file).read() for file in ({opens},)]\n"
    texts = {f"pkg/{name}": name for name in (*files, *others)}
    install(tmp_path, "pkg", files={"pkg/__init__.py": code, **texts})
    ran = [sys.executable, "-c", "import pkg; print(*sorted(pkg.OPENED))"]
    done = subprocess.run(ran, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == files
    assert [name.removeprefix("pkg/") for name in data_of(tmp_path)] == files


def test_a_source_that_is_loaded_from_its_file_is_data(tmp_path: Path) -> None:
    code = """from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
def load(name="late"):
    spec = spec_from_file_location("x", Path(__file__).with_name(name + ".py"))
    spec.loader.exec_module(module := module_from_spec(spec))
    return module.VALUE
"""
    files = {"pkg/__init__.py": code, "pkg/late.py": "VALUE = 1\n", "pkg/other.py": ""}
    install(tmp_path, "pkg", files=files)
    ran = [sys.executable, "-c", "import pkg; print(pkg.load())"]
    done = subprocess.run(ran, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (done.stdout, list(data_of(tmp_path))) == ("1\n", ["pkg/late.py"])


def test_data_of_a_package_that_is_imported_by_a_computed_name_comes_when_it_is_named(
    tmp_path: Path,
) -> None:
    """As sudachipy's dictionaries, each a distribution of its own."""
    code = "path = Path(import_module(f'words_{kind}').__file__).parent / 'lists' / 'system.dic'"
    install(tmp_path, "pkg", files={"pkg/__init__.py": code})
    names = ("__init__.py", "lists/system.dic", "lists/other.dic", "tests/system.dic")
    install(tmp_path, "words-small", files={f"words_small/{name}": "" for name in names})
    own, other = sorted(iter_distributions(tmp_path), key=lambda dist: dist.name)
    data = {
        str(c.destination): c.path
        for c in find_companions(read_sources(own), own, (), others=[other])
        if c.kind is CompanionKind.DATA
    }
    name = "words_small/lists/system.dic"
    assert data == {name: tmp_path / name}


def test_native_code_names_data_files_as_well(tmp_path: Path, gcc: Compile) -> None:
    source = 'const char *n = "prefixmodel.binsuffix"; void *PyInit_core(void) { return 0; }'
    module = gcc("core.so", source, "-shared", "-fPIC")
    files: Files = {f"pkg/core{SUFFIX}": module, "pkg/model.bin": "", "pkg/absent.bin": "",
                    "pkg/n.b": ""}  # fmt: skip
    install(tmp_path, "pkg", files=files)
    assert set(data_of(tmp_path)) == {"pkg/model.bin"}


@pytest.mark.parametrize(
    "file",
    ["pkg/tests/data.txt", "pkg/stub.pyi", "pkg/code.rs", "pkg/py.typed", "top.txt", "pkg/a.h",
     "pkg/locale/de.po"],
)  # fmt: skip
def test_tests_stubs_headers_and_sources_are_no_data(file: str, tmp_path: Path) -> None:
    name = Path(file).name
    install(tmp_path, "pkg", files={"pkg/__init__.py": f"x = '{name}'", file: ""})
    assert data_of(tmp_path) == {}


def test_a_module_is_data_only_under_its_whole_name(tmp_path: Path) -> None:
    files = {"pkg/__init__.py": "x = 'script.py'; y = '.py'; z = 'other'",
             "pkg/script.py": "", "pkg/other.py": ""}  # fmt: skip
    install(tmp_path, "pkg", files=files)
    assert set(data_of(tmp_path)) == {"pkg/script.py"}


def test_a_file_that_is_recorded_and_gone_is_no_companion(tmp_path: Path) -> None:
    install(tmp_path, "pkg", files={"pkg/__init__.py": "x = 'model.bin'", "pkg/model.bin": ""})
    (tmp_path / "pkg/model.bin").unlink()
    assert data_of(tmp_path) == {}


def test_code_that_a_freezer_calls_asks_for_no_folder(tmp_path: Path) -> None:
    look = "import os\ndef get_hook_dirs(): return [os.path.dirname(__file__)]"
    names = ("pkg/freezing/__init__.py", "pkg/freezing/hook-pkg.py", "pkg/one/other.py",
             "pkg/two/other.py", "pkg/__init__.py")  # fmt: skip
    info = install(tmp_path, "pkg", files=dict.fromkeys(names, look))
    (info / "entry_points.txt").write_text(
        "[pyinstaller40]\nhook-dirs = pkg.freezing:get_hook_dirs\ntests = pkg.two.other:f\n"
        "x = pkg:f\n[console_scripts]\nrun = pkg.one.other:f\n"
    )
    with (info / "RECORD").open("a") as record:
        record.write(f"{info.name}/entry_points.txt,,\n")
    found = [n for n, c in companions(tmp_path).items() if c.kind is CompanionKind.FOLDER]
    assert found == ["pkg/__init__.py", "pkg/one/other.py"]


def test_a_folder_comes_when_code_looks_from_where_it_lies(tmp_path: Path) -> None:
    files = {
        "pkg/__init__.py": "import os\nhere = os.path.dirname(__file__)",
        "pkg/inner/__init__.py": "",
        "pkg/inner/find.py": "from pathlib import Path\nroot = Path(__file__).parent",
        "pkg/quiet/__init__.py": "",
        "pkg/tests/test.py": "__file__",
    }
    install(tmp_path, "pkg", files=files)
    found = companions(tmp_path)
    folders = {n for n, c in found.items() if c.kind is CompanionKind.FOLDER}
    assert folders == {"pkg/__init__.py", "pkg/inner/find.py"}


def test_a_folder_that_is_there_for_another_reason_needs_no_file(tmp_path: Path) -> None:
    files = {"pkg/__init__.py": "x = __file__ + 'model.bin' + '/model.bin'", "pkg/model.bin": ""}
    install(tmp_path, "pkg", files=files)
    kinds = {c.kind for n, c in companions(tmp_path).items() if n.startswith("pkg/")}
    assert kinds == {CompanionKind.DATA}


def test_code_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    install(tmp_path, "pkg", files={"pkg/__init__.py": "x = 'a.bin'", "pkg/gone.py": "'b.bin'"})
    write_files(tmp_path, {"pkg/__init__.py": b"# \xff\xfe\nx = 'a.bin'"})
    (tmp_path / "pkg/gone.py").unlink()
    (dist,) = iter_distributions(tmp_path)
    sources = read_sources(dist)
    words = read_own_code(sources.files).words
    assert [str(f.file) for f in sources.files if f.unreadable] == ["pkg/gone.py"]
    assert "a.bin" in words
    assert "b.bin" not in words


def test_a_folder_named_by_a_path_brings_files_without_suffix(tmp_path: Path) -> None:
    code = "files(__package__).joinpath('data/tables'), '*.txt', '*'"
    names = ("data/tables/9f86d081", "data/tables/x.json", "data/other/60303ae2")
    files = {"pkg/__init__.py": code, **{f"pkg/{name}": "" for name in names}}
    install(tmp_path, "pkg", files=files)
    assert data_of(tmp_path).keys() >= {"pkg/data/tables/9f86d081", "pkg/data/tables/x.json"}


BELOW = {"words/list.txt", "inner/table", "templates/a.html"}  # all that a folder below holds


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Path(__file__).with_name('grammar.lark')", {"grammar.lark"}),
        ("'grammar.lark'", set()),  # nothing says that it is next to the code
        ("pkgutil.get_data('pkg', 'words/list.txt')", {"words/list.txt"}),
        ("from importlib.resources import files\nfiles('pkg.words')", {"words/list.txt"}),
        ("from pkg import words\nfrom importlib import resources\nresources.files(words)",
         {"words/list.txt"}),
        ("from importlib.resources import files\nfiles('pkg.' + name)", BELOW),
        ("from importlib.resources import files\ndef f(n):\n  p = f'pkg.{n}'\n  files(p)", BELOW),
        ("from importlib.resources import files\nfiles(n)\nlog('other.')", set()),
        ("from importlib import resources\n__file__\nlist_files(n)\nlog('pkg.')", set()),
        ("__file__\nself.files(n)\nlog('pkg.')", set()),
        ("from jinja2 import PackageLoader\nPackageLoader('pkg')", {"templates/a.html"}),
        ("__file__, 'inner'", set()),  # a package, which a word alone need not mean
        ("__file__, 'pkg/inner'", {"inner/table"}),
        ("Blueprint('x', __name__, template_folder='./templates')", {"templates/a.html"}),
        ("render_template('a.html')", {"templates/a.html"}),
        ("get_template('a.html')", set()),
    ],
)  # fmt: skip
def test_a_distant_distribution_brings_what_its_code_opens_next_to_itself(
    text: str, names: set[str], tmp_path: Path
) -> None:
    data = ("grammar.lark", "words/list.txt", "templates/a.html", "inner/table")
    code = {"pkg/__init__.py": text, "pkg/inner/__init__.py": "", "pkg/words/__init__.py": ""}
    install(tmp_path, "pkg", files={**code, **{f"pkg/{name}": "" for name in data}})
    (dist,) = iter_distributions(tmp_path)
    found = find_distant_companions(read_sources(dist), dist, ())
    places = {str(c.destination) for c in found if c.kind is CompanionKind.DATA}
    assert places == {f"pkg/{name}" for name in names}


@pytest.mark.parametrize(("place", "taken"), [("__file__", True), ("__name__", False)])
def test_a_folder_beside_an_extension_that_finds_it_by_its_own_place(
    place: str, taken: bool, tmp_path: Path, gcc: Compile
) -> None:
    """As Cython compiles `join(dirname(__file__), "grid_data")`."""
    text = f'const char *const words[] = {{"{place}", "grid_data", "not_grids"}};'
    library = gcc(
        "core.so", f"{text} const void *PyInit_core(void) {{ return words; }}", "-shared", "-fPIC"
    )
    data = ["pkg/grid_data/a.db", "pkg/grid_data/deep/b.db", "pkg/grids/c.db", "pkg/deep/grid_x/d"]
    code: Files = {"pkg/__init__.py": "", f"pkg/core{SUFFIX}": library}
    install(tmp_path, "pkg", files={**code, **dict.fromkeys(data, "")})
    env = environment(tmp_path)
    dist = env.distributions["pkg"]
    native = Planner(env, Config()).catalogue.native_files(dist)
    found = find_distant_companions(read_sources(dist), dist, native)
    assert {str(c.destination) for c in found} == set(data[:2] if taken else ())


def test_a_library_that_code_opens_by_its_name_next_to_itself(tmp_path: Path, gcc: Compile) -> None:
    """Nothing in it is Rust, and no other library needs it."""
    library = gcc("libkernels.so", "int answer(void) { return 42; }", "-shared", "-fPIC")
    text = "import ctypes\nfrom importlib import resources\nNAME = 'libkernels.so'\n"
    text += "PLACE = resources.files('pkg') / 'lib' / NAME\nctypes.CDLL(str(PLACE)).answer()\n"
    site = tmp_path / "site"
    libraries = {f"pkg/lib/{name}": library for name in ("libkernels.so", "libother.so")}
    install(site, "pkg", files={"pkg/__init__.py": text, **libraries})
    env = environment(site)
    dist = env.distributions["pkg"]
    native = Planner(env, Config()).catalogue.native_files(dist)
    found = find_distant_companions(read_sources(dist), dist, native)
    assert [(str(c.destination), c.kind) for c in found] == [
        ("pkg/lib/libkernels.so", CompanionKind.LIBRARY)
    ]
    for gone, ends in (("libother.so", 0), ("libkernels.so", 1)):
        (site / "pkg/lib" / gone).unlink()
        command = [sys.executable, "-c", "import pkg"]
        ran = subprocess.run(command, cwd=site, capture_output=True, check=False)
        assert ran.returncode == ends


def test_a_file_may_be_named_from_its_package_on(tmp_path: Path) -> None:
    code = {"pkg/__init__.py": "PAGE = 'pkg/page.html'"}
    pages = {f"pkg/templates/pkg/{name}.html": "" for name in ("page", "base")}
    install(tmp_path, "pkg", files={**code, **pages, "pkg/other/page.html": ""})
    (dist,) = iter_distributions(tmp_path)
    found = find_distant_companions(read_sources(dist), dist, ())
    assert {str(c.destination) for c in found} == pages.keys()


def test_a_path_may_be_joined_with_the_packages_folder_by_another_module(tmp_path: Path) -> None:
    place = "import os\nPLACE = os.path.dirname(__file__)\n"
    reader = "import os, pkg.place\nNAME = 'res/names.dat'\n"
    reader += "open(os.path.join(pkg.place.PLACE, NAME)).close()\n"
    code = {"pkg/__init__.py": "", "pkg/place.py": place, "pkg/reader.py": reader}
    data = dict.fromkeys(("pkg/res/names.dat", "pkg/other/names.dat", "pkg/names.dat"), "")
    install(tmp_path, "pkg", files={**code, **data})
    (dist,) = iter_distributions(tmp_path)
    found = find_distant_companions(read_sources(dist), dist, ())
    assert [str(c.destination) for c in found] == ["pkg/res/names.dat"]
    for name, ends in (("pkg/other/names.dat", 0), ("pkg/names.dat", 0), ("pkg/res/names.dat", 1)):
        (tmp_path / name).unlink()
        command = [sys.executable, "-c", "import pkg.reader"]
        assert subprocess.run(command, cwd=tmp_path, check=False).returncode == ends


@pytest.mark.parametrize("path", ["'..', 'table.json'", "'../table.json'"])
def test_a_path_that_goes_up_from_a_folder_of_modules_brings_the_folder(
    path: str, tmp_path: Path
) -> None:
    """Where the folder is not there, neither is what lies above it, for the kernel."""
    code = f"import os\nopen(os.path.join(os.path.dirname(__file__), {path})).close()\n"
    files = {"pkg/__init__.py": "", "pkg/deep/__init__.py": "", "pkg/deep/reader.py": code}
    install(tmp_path / "site", "pkg", files={**files, "pkg/table.json": "{}"})
    (dist,) = iter_distributions(tmp_path / "site")
    found = find_distant_companions(read_sources(dist), dist, ())
    bundle = tmp_path / "bundle"
    write_files(bundle, {str(c.destination): c.path.read_bytes() for c in found})
    program = f"__file__ = {str(bundle / 'pkg/deep/reader.py')!r}\n{code}"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


THING = "from other.part import Thing\nimport inspect\n"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (f"{THING}inspect.getsource(Thing.run)", True),
        (f"{THING}try: inspect.getsource(Thing)\nexcept OSError: pass", False),
        (f"{THING}Thing.getsource()", False),
        ("from other import part\nopen(part.__file__).read()", True),
        ("import other.part\nio.open(other.part.__file__, 'rb')", True),
        ("from other import part as p\nPath(p.__file__).read_text()", True),
        ("from other import part\nfile = Path(part.__file__).resolve()\nfile.read_bytes()", True),
        ("from other import part\nfile = part.__file__\nwith open(file) as f: f.read()", True),
        ("from other import part\ntry: open(part.__file__)\nexcept OSError: pass", False),
        ("from other import part\n(Path(part.__file__).parent / 'x.txt').read_text()", False),
        ("from other import part\nprint(part.__file__)\nopen('x.txt')", False),
    ],
)  # fmt: skip
def test_a_source_that_code_cannot_do_without_comes_along(
    text: str, read: bool, tmp_path: Path
) -> None:
    install(tmp_path, "pkg", files={"pkg/__init__.py": text})
    files = {"other/__init__.py": "", "other/part.py": "class Thing:\n    run = len\n"}
    install(tmp_path, "other", files=files)
    env = environment(tmp_path)
    found = find_read_sources(read_sources(env.distributions["pkg"]), env)
    assert [str(c.destination) for c in found] == ["other/part.py"] * read


REGISTRY = """
import inspect, sys
MADE = []
def run():
    for function in MADE[:]:
        exec(inspect.getsource(function), vars(sys.modules[function.__module__]))
"""
CHANGED = {
    "pkg/__init__.py": "",
    "pkg/change/__init__.py": "from .registry import MADE, run",
    "pkg/change/registry.py": REGISTRY,
    "pkg/app.py": "from pkg.change import MADE\n@MADE.append\ndef start(): return 1\n",
    "pkg/server.py": "from . import change\n@change.MADE.append\ndef serve(): return 2\n",
    "pkg/other.py": "def unread(): return 3\n",
}


def test_the_sources_that_a_package_changes_and_runs_are_those_that_import_the_changer(
    tmp_path: Path,
) -> None:
    """As many as the package needs once its modules are bytecode: Python itself tells."""
    install(tmp_path / "site", "pkg", files=CHANGED)
    env = environment(tmp_path / "site")
    found = find_read_sources(read_sources(env.distributions["pkg"]), env)
    kept = {str(c.destination) for c in found}
    assert kept == {"pkg/change/registry.py", "pkg/app.py", "pkg/server.py"}
    names = sorted(CHANGED)
    for name in names:
        py_compile.compile(str(tmp_path / "site" / name), f"{tmp_path / name}c", dfile=name)

    def ends_well(*sources: str) -> bool:
        """Whether the bytecode runs with these sources, which come after it was imported."""
        for name in names:
            (tmp_path / name).unlink(missing_ok=True)
        program = "import shutil, pkg.app, pkg.server, pkg.other, pkg.change as c\n"
        program += f"for n in {sources}: shutil.copy(f'site/{{n}}', n)\nc.run()"
        done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=False)
        return done.returncode == 0

    assert ends_well("pkg/app.py", "pkg/server.py")
    assert not ends_well("pkg/app.py")


def test_sources_in_a_folder_that_is_no_package_are_data_like_others(tmp_path: Path) -> None:
    """Such as templates of projects, which are copied and not imported."""
    code = {"pkg/__init__.py": "Path(__file__).parent / 'templates'", "pkg/plain/mod.py": ""}
    files = {**code, "pkg/templates/generic/env.py": "", "pkg/templates/generic/env.mako": ""}
    install(tmp_path, "pkg", files=files)
    (dist,) = iter_distributions(tmp_path)
    found = find_distant_companions(read_sources(dist), dist, ())
    assert {str(c.destination) for c in found} == files.keys() - code.keys()


def test_stubs_without_modules_beside_them_are_data_like_others(tmp_path: Path) -> None:
    """Such as the stubs of the standard library that a type checker reads."""
    code = {"pkg/__init__.py": "os.path.join(os.path.dirname(__file__), 'stubs', 'stdlib')"}
    code |= {"pkg/__init__.pyi": "", "pkg/stubs/mod.pyi": "", "pkg/stubs/mod.py": ""}
    # Those of an extension module's submodules serve type checkers alone.
    code |= {"pkg/stubs/_rust.abi3.so": "", "pkg/stubs/_rust/stdlib/keys.pyi": ""}
    stubs = {"pkg/stubs/stdlib/builtins.pyi": "", "pkg/stubs/stdlib/os/path.pyi": ""}
    install(tmp_path, "pkg", files={**code, **stubs})
    (dist,) = iter_distributions(tmp_path)
    found = {str(c.destination) for c in find_distant_companions(read_sources(dist), dist, ())}
    assert found >= stubs.keys()
    assert not {name for name in found if name.endswith("i")} - stubs.keys()


def test_what_code_next_to_it_opens_by_its_whole_name_is_data_of_any_kind(tmp_path: Path) -> None:
    """Such as prompts in Markdown, and scripts that are handed to another interpreter."""
    code = {"pkg/__init__.py": "(Path(__file__).parent / 'prompts' / 'ask.md').read_text()"}
    code |= {"pkg/worker.py": "(Path(__file__).parent / '_shim.py').read_text()"}
    others = {"pkg/README.md": "", "pkg/prompts/__init__.py": "", "pkg/prompts/CHANGES.md": ""}
    install(tmp_path, "pkg", files={**code, **others, "pkg/prompts/ask.md": "", "pkg/_shim.py": ""})
    (dist,) = iter_distributions(tmp_path)
    found = find_distant_companions(read_sources(dist), dist, ())
    assert {str(c.destination) for c in found} == {"pkg/prompts/ask.md", "pkg/_shim.py"}


def test_data_below_the_prefix_keeps_its_place(tmp_path: Path) -> None:
    site = tmp_path / "lib/python3/site-packages"
    names = ("share/app/base.css", "share/man/man1/app.1", "bin/app")
    write_files(tmp_path, dict.fromkeys(names, "x"))
    install(site, "app", files={"app.py": ""})
    record = site / "app-1.0.dist-info/RECORD"
    rows = "".join(f"../../../{name},,\n" for name in names)
    record.write_text(record.read_text() + rows)
    (dist,) = iter_distributions(site)
    found = {str(c.destination): c.path for c in find_shared_files(dist)}
    assert found == {"share/app/base.css": tmp_path / "share/app/base.css"}
