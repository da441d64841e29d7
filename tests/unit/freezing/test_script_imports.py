"""What a program's own `import` statements reach, and what a freezer would be told of it."""

from __future__ import annotations

import importlib.machinery
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from compiling import Compile, compiler
from environments import environment, install, write_files

from rustext.cli.main import run
from rustext.config import Config
from rustext.errors import InvalidProgram, UnreadableFile
from rustext.files.output import is_sealed
from rustext.freezing.build import Build
from rustext.freezing.nuitka.package_config import format_config
from rustext.freezing.program_plan import follow
from rustext.freezing.script_imports import iter_imports, iter_program
from rustext.plan.planner import Planner

pytestmark = pytest.mark.usefixtures("lean_path")

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]
RUST = """
use std::ffi::{c_char, c_void};
extern "C" { fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void; }
#[no_mangle] pub static NAMES: [&str; 3] = ["zoneinfo._common", "app.hidden", "popular.inner"];
#[no_mangle] pub extern "C" fn PyInit__core() -> *mut c_void {
    unsafe { dlsym(std::ptr::null_mut(), "PyImport_Import\\0".as_ptr().cast()) }
}
"""
LIBRARY = '#[no_mangle] pub extern "C" fn add(a: i32) -> String { a.to_string() }'


@pytest.fixture(scope="module")
def rustc(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    command = ["rustc", "--edition=2021", "--crate-type=cdylib", "-Awarnings"]
    return compiler(command, tmp_path_factory.mktemp("rustc"))


@pytest.fixture
def site(tmp_path: Path, rustc: Compile, gcc: Compile) -> Path:
    site = tmp_path / "site-packages"
    files = {
        "app/__init__.py": "from . import _core\n",
        "app/hidden.py": "import late\n",
        f"app/_core{SUFFIX}": rustc("libcore.so", RUST),
        "app/plugins/__init__.py": "HERE = __file__\n",
        "app/model[1].bin": "data",
        "app/where.py": 'NAME = "model[1].bin"\nPATTERN = "*.bin"\n',
    }
    install(site, "app", files=files)
    install(site, "late", files={"late.py": ""})
    install(site, "popular", files={"popular/__init__.py": "", "popular/inner.py": ""})
    install(site, "fan", requires=["popular"])
    tool = gcc("tool", "int main(void) { return 0; }")
    paths = {"bypath/__init__.py": "", "bypath/lib/libby.so": rustc("libby.so", LIBRARY)}
    install(site, "by-path", files={**paths, "bypath/bin/tool": tool})
    return site


def names(tmp_path: Path, source: str, **files: str) -> set[str]:
    write_files(tmp_path, {"main.py": source, **files})
    return set(iter_program(tmp_path / "main.py", environment(tmp_path)))


# --- import statements ------------------------------------------------------------------------


def test_every_import_statement_counts_wherever_it_stands(tmp_path: Path) -> None:
    source = "import a.b.c, d\nfrom e.f import g\ndef late():\n    with x:\n        import h\n"
    assert names(tmp_path, source) == {"a", "a.b", "a.b.c", "d", "e", "e.f", "h"}


def test_what_is_imported_from_a_package_may_be_a_module(tmp_path: Path) -> None:
    source = "from own import part, name"
    assert names(tmp_path, source, **{"own/__init__.py": "name = 1", "own/part.py": ""}) == {
        "own",
        "own.part",
    }


def test_relative_imports_are_those_that_python_makes(tmp_path: Path) -> None:
    """The second source is Python itself."""
    files = {
        "own/__init__.py": "",
        "own/deep/__init__.py": "from . import near\nfrom .. import beside\n",
        "own/deep/near.py": "from ..beside import x\nfrom .other import y\n",
        "own/deep/other.py": "y = 1\n",
        "own/beside.py": "x = 1\n",
    }
    write_files(tmp_path, files)
    env = environment(tmp_path)
    found, todo = set(), ["own", "own.deep"]
    while todo:
        module = env.find_module(todo.pop())
        if module is not None and module.name not in found:
            found.add(module.name)
            todo += iter_imports(module, env)
    script = "import sys, own.deep; print(*(m for m in sys.modules if m.startswith('own')))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert found == set(done.stdout.split())


def test_a_script_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="cannot be read"):
        set(iter_program(tmp_path / "gone.py", environment(tmp_path)))
    (tmp_path / "broken.py").write_text("import (")
    with pytest.raises(InvalidProgram, match="no Python source"):
        set(iter_program(tmp_path / "broken.py", environment(tmp_path)))
    (tmp_path / "binary.py").write_bytes(b"\0\1")
    with pytest.raises(InvalidProgram):
        set(iter_program(tmp_path / "binary.py", environment(tmp_path)))


def test_a_refused_script_is_named_as_seen_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env, spec = environment(tmp_path), tmp_path / "build" / "app.spec"
    spec.parent.mkdir()
    spec.write_text("Analysis(['app.py'])")
    for here, shown in ((tmp_path, "build/app.spec"), (Path("/"), str(spec)[1:])):
        monkeypatch.chdir(here)
        with pytest.raises(InvalidProgram) as refused:
            set(iter_program(spec, env))
        assert str(refused.value) == f"{shown} is a spec file, not the program"


@pytest.mark.parametrize("suffix", [".py", ".spec"])
@pytest.mark.parametrize(
    "text",
    ["x = a" + "()" * 900, "x = a" + ".b" * 900, "x = a" + "[0]" * 900, "x = " + "-" * 90_000 + "1",
     "x = " + "not " * 5000 + "1", "x = " + "lambda: " * 900 + "1", "x = 1" + "+1" * 90_000,
     "import " + "a." * 300 + "a", "import " + "a." * 30_000 + "a", "import a" + " . b" * 30_000,
     "import " + "\xe4." * 30_000 + "\xe4",
     "import a" + ".\\\n b" * 30_000, "from a" + ".b" * 30_000 + " import c",
     "from " + "." * 50_000 + " import a", "if a: pass\n" + "elif a: pass\n" * 3000,
     "@a\n" * 5000 + "def f(): pass", "x = f'" + "{a}" * 300_000 + "'",
     "x = '" + "{a}" * 300_000 + "'"],
    ids=range(18),
)  # fmt: skip
def test_a_nested_source_ends_in_an_answer(text: str, suffix: str, tmp_path: Path) -> None:
    write_files(tmp_path, {f"main{suffix}": text})
    with suppress(InvalidProgram):
        names = set(iter_program(tmp_path / f"main{suffix}", environment(tmp_path)))
        assert sum(map(len, names)) < 100_000


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has none of these")
@pytest.mark.parametrize("kind", ["FIFO", "/dev/zero", "/dev/urandom", "/proc/self/mem", "/"])
def test_a_script_that_is_no_file_is_not_read(kind: str, tmp_path: Path) -> None:
    script = tmp_path / "main.py"
    os.mkfifo(script) if kind == "FIFO" else script.symlink_to(kind)
    with pytest.raises(UnreadableFile, match="cannot be read"):
        set(iter_program(script, environment(tmp_path)))


# --- rustext plan -----------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["a = Analysis(['src/app.py', 'b.py'])", "x = 1"])
def test_a_spec_file_is_refused_with_the_script_to_name(source: str, tmp_path: Path) -> None:
    write_files(tmp_path, {"app.spec": source})
    with pytest.raises(InvalidProgram) as caught:
        set(iter_program(tmp_path / "app.spec", environment(tmp_path)))
    hint = "`rustext plan src/app.py`" if "Analysis" in source else "name its script"
    assert hint in str(caught.value.hint)


def followed(site: Path, tmp_path: Path, source: str) -> Build:
    write_files(tmp_path / "src", {"main.py": source})
    planner = Planner(environment(tmp_path / "src", site), Config())
    return follow(tmp_path / "src/main.py", Build(planner))[0]


def test_a_plan_follows_what_native_code_imports(site: Path, tmp_path: Path) -> None:
    """`app.hidden` is found in the binary, and `late` in its source: nothing else names it."""
    build = followed(site, tmp_path, "import app\n")
    assert {p.file.module for p in build.plans.values()} == {"app._core"}
    assert set(build.modules) == {"zoneinfo._common", "app.hidden"}


def test_an_optional_package_is_completed_only_where_the_program_has_it(
    site: Path, tmp_path: Path
) -> None:
    assert "popular.inner" not in followed(site, tmp_path, "import app\n").modules
    for source in ("import app, popular\n", "import popular\nimport app\n"):
        assert "popular.inner" in followed(site, tmp_path, source).modules


def test_a_program_without_rust_has_an_empty_plan(site: Path, tmp_path: Path) -> None:
    build = followed(site, tmp_path, "import json, late\n")
    assert (build.plans, build.modules, build.companions) == ({}, {}, ())


def test_the_command_prints_what_would_be_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_files(tmp_path, {"main.py": "import own", "own.py": "import json"})
    assert run(["plan", str(tmp_path / "main.py"), "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert (document["freezer"], document["extensions"]) == (None, [])
    assert run(["plan", str(tmp_path / "main.py")]) == 0
    assert capfd.readouterr().out == "Rust extensions (0)\n"
    assert run(["plan", str(tmp_path / "gone.py")]) == 2
    assert "gone.py does not exist" in capfd.readouterr().err


# --- rustext nuitka-config --------------------------------------------------------------------


def test_a_package_configuration_says_what_the_plugin_would(site: Path) -> None:
    """That Nuitka understands it is for tests/freezing; this is what it has to understand."""
    text = format_config(Planner(environment(site), Config()))
    app, by_path = text.split("\n- module-name: ")[1:]
    assert app.startswith('"app._core"\n')
    assert "  # not added: popular.inner (" in app
    assert "        - 'app" not in app
    lines = [line.split("  #")[0] for line in app.splitlines()]
    depends = lines[lines.index("    - depends:") + 1 :]
    assert [line.strip() for line in depends if line] == ['- "app.hidden"', '- "zoneinfo._common"']
    patterns = lines[lines.index("    - patterns:") + 1]
    assert patterns == '        - "model[[]1].bin"'
    assert lines[lines.index("    - include-metadata:") + 1] == '        - "app"'
    assert by_path.startswith('"bypath"\n')
    natives = by_path[by_path.index("  dlls:") :]
    assert 'relative_path: "lib"\n        prefixes:\n          - "libby"' in natives
    assert 'relative_path: "bin"' in natives
    assert 'executable: "yes"' in natives


def test_the_same_environment_gives_the_same_configuration(site: Path) -> None:
    first = format_config(Planner(environment(site), Config()))
    assert format_config(Planner(environment(site), Config())) == first
    assert str(site) not in first


def test_an_environment_without_rust_gives_an_empty_list(tmp_path: Path) -> None:
    text = format_config(Planner(environment(tmp_path), Config()))
    assert text.splitlines()[-2] == "[]"
    assert is_sealed(text.encode())


def test_a_configuration_that_cannot_be_written_says_why(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["nuitka-config", str(tmp_path / "no" / "c.yml"), "-q"]) == 2
    assert "c.yml cannot be written" in capfd.readouterr().err
