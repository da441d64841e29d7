"""The hooks that run in each build with PyInstaller, over a graph of a few modules."""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import PyInstaller.config
import pytest
from environments import Files, install, write_files
from rustext_hooks import analysis_state, whole_build

pytestmark = pytest.mark.usefixtures("lean_path")


class Extension:
    """An extension module in PyInstaller's graph, which goes by the name of this class."""

    def __init__(self, identifier: str, filename: Path) -> None:
        self.identifier = identifier
        self.filename = str(filename)


class Script:
    """The program's first file there."""

    identifier = "app"


class Package:
    """A package there; its source has code, or PyInstaller could not read or compile it."""

    def __init__(self, identifier: str, code: object = None) -> None:
        self.identifier = identifier
        self.code = code


class InvalidSourceModule(Package):
    """A module whose source PyInstaller could not compile, and leaves out."""


class Graph:
    """What is asked of PyInstaller's graph."""

    def __init__(self, *nodes: Any, edges: dict[str, list[str]] | None = None) -> None:
        self.all = {node.identifier: node for node in nodes}
        self.imported: list[str] = []
        self.edges = edges or {}

    def make_pure_toc(self) -> list[str]:
        return [*self.all]

    def outgoing(self, node: Any) -> Iterator[Any]:
        return iter(self.all[name] for name in self.edges.get(node.identifier, ()))

    def removeNode(self, node: Any) -> None:  # noqa: N802  (PyInstaller's name)
        del self.all[node.identifier]

    def nodes(self) -> Iterator[Extension]:
        return iter(self.all.values())

    iter_graph = nodes

    def find_node(self, name: str, create_nspkg: bool = True) -> Extension | None:
        return self.all.get(name)

    def import_hook(self, name: str, caller: Extension) -> None:
        self.imported.append(name)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a program that PyInstaller analyses."""
    folder = tmp_path / "program"
    folder.mkdir()
    (folder / "app.py").touch()
    conf = {
        "main_script": folder / "app.py",
        "workpath": tmp_path / "work",
        "pathex": [str(folder)],
    }
    for name, value in conf.items():
        monkeypatch.setitem(
            PyInstaller.config.CONF, name, value if name == "pathex" else str(value)
        )
    analysis_state.states.clear()
    yield folder
    analysis_state.states.clear()


def complete(*nodes: Extension, begins: bool = True, **analysis: Any) -> tuple[Any, Graph]:
    """Let both hooks run, or the later one, and the build end; the analysis, and the graph."""
    facts = {
        "hookspath": [],
        "hooksconfig": {},
        "custom_runtime_hooks": [],
        "inputs": [PyInstaller.config.CONF["main_script"]],
        **analysis,
    }
    graph = Graph(*nodes)
    added: dict[str, Any] = {"add_datas": lambda datas: None, "add_binaries": lambda files: None}
    added["__name__"] = "reprlib"
    api = SimpleNamespace(graph=graph, analysis=SimpleNamespace(**facts), **added)
    if begins:
        whole_build.begin()
    whole_build.complete(api)
    whole_build._say_what_was_done(analysis_state.current_state())
    return api.analysis, graph


NATIVE: Files = {"pyproject.toml": '[tool.rustext]\nscope = "native"\ninclude = ["wave"]\n'}


def test_an_extension_without_a_hook_is_completed_and_counted(
    program: Path, elf_module: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    write_files(program, {**NATIVE, "part/demo.so": elf_module})
    _, graph = complete(Extension("part.demo", program / "part" / "demo.so"))
    assert set(graph.imported) == {"wave"}
    assert caplog.messages[-1] == "rustext: Rust extensions: 1, modules added: 0, files added: 0"


def test_one_that_cannot_be_read_is_named_once_and_costs_nothing_else(
    program: Path, elf_module: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    cut = elf_module.read_bytes()[:100]
    write_files(program, {**NATIVE, "part/demo.so": elf_module, "part/cut.so": cut})
    names = ("part.cut", "part.demo")
    complete(*(Extension(n, program / f"{n.replace(chr(46), chr(47))}.so") for n in names))
    named = [text for text in caplog.messages if "part.cut" in text or "cut.so" in text]
    assert len(named) == 1
    assert caplog.messages[-1] == "rustext: Rust extensions: 1, modules added: 0, files added: 0"


def test_what_ends_a_build_is_left_out_and_named_where_only_what_was_added_leads_there(
    program: Path,
) -> None:
    names = ("good", "theirs", "mine", "both")
    edges = {
        "app": ["good", "both", "mine", "own"], "good": ["theirs", "both", "odd"], "theirs": ["own"]
    }  # fmt: skip
    write_files(program, {"odd.py": "return\n", "own.py": "return\n"})
    nodes = [
        *(Package(name) for name in names[1:]),
        *(InvalidSourceModule(name) for name in ("odd", "own")),
    ]
    graph = Graph(Script(), Package("good", code=""), *nodes, edges=edges)
    state = analysis_state.current_state()
    state.graph = graph
    whole_build._leave_broken_packages_out(state)
    state.modules.add("good")  # by a hook that runs later
    assert graph.make_pure_toc() == ["app", "good", "mine", "both", "odd", "own"]
    (fault,) = state.session.build.planner.env.faults
    assert fault.path == program / "odd.py"
    assert "'return' outside function" in fault.reason


def test_a_program_without_rust_is_said_to_be_one(
    program: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    analysis, _ = complete()
    assert caplog.messages == ["rustext: no Rust extension is imported; nothing was added"]
    assert analysis.hooksconfig == {}  # the next build can take this one's analysis


def test_an_extension_that_comes_last_is_named(
    program: Path, elf_module: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_files(program, {**NATIVE, "part/demo.so": elf_module})
    _, graph = complete()
    graph.all["part.demo"] = Extension("part.demo", program / "part" / "demo.so")
    whole_build._say_what_was_done(analysis_state.current_state())
    assert any("add --hidden-import part.demo" in text for text in caplog.messages)


def test_what_the_entry_point_cannot_know_is_made_up_for(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told of the folder above a package, and not of the script's."""
    write_files(program, {"pyproject.toml": "[tool.rustext]\nselftest = true\n"})
    monkeypatch.setitem(PyInstaller.config.CONF, "pathex", [str(program.parent)])
    analysis, _ = complete()
    (hook,) = analysis.custom_runtime_hooks
    assert "RUSTEXT_SELFTEST" in Path(hook).read_text()
    assert analysis.hooksconfig != {}  # PyInstaller sees no change of the configuration by itself


@pytest.mark.parametrize("search_path", ["parent", "with a colon", "none", "own"])
def test_a_configuration_that_the_entry_point_would_not_see_is_looked_for_in_each_build(
    search_path: str, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be written after the first one."""
    colon = program.with_name(f"a{os.pathsep}b")
    folders = {"parent": [program.parent], "with a colon": [colon], "none": [], "own": [program]}
    monkeypatch.setitem(
        PyInstaller.config.CONF, "pathex", [str(folder) for folder in folders[search_path]]
    )
    if search_path == "with a colon":
        program.rename(colon)
        monkeypatch.setitem(PyInstaller.config.CONF, "main_script", str(colon / "app.py"))
    analysis, _ = complete()
    assert (analysis.hooksconfig == {}) is (search_path == "own")


def test_each_analysis_of_a_spec_file_has_what_its_program_needs(
    program: Path, elf_module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyInstaller begins the second one with a part of the first one's graph, and no `begin`."""
    write_files(program, {**NATIVE, "part/demo.so": elf_module})
    for _ in range(2):
        monkeypatch.setitem(PyInstaller.config.CONF, "pathex", [str(program)])
        _, graph = complete(Extension("part.demo", program / "part" / "demo.so"), begins=False)
        assert set(graph.imported) == {"wave"}
    first, second = (state.session.build for state in analysis_state.states)
    assert first is not second  # each remembers which files it has told of


def test_a_mistake_of_a_later_program_stops_the_build(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete()
    write_files(tmp_path / "b", {"b.py": "", "pyproject.toml": "[tool.rustext]\nselftest = 1\n"})
    monkeypatch.setitem(PyInstaller.config.CONF, "main_script", str(tmp_path / "b/b.py"))
    monkeypatch.setitem(PyInstaller.config.CONF, "pathex", [str(tmp_path / "b")])
    with pytest.raises(SystemExit, match=r"ERROR: rustext: .*`selftest` is 1; it must be true"):
        complete(begins=False)


def test_the_hook_that_runs_first_does_the_work(
    program: Path, elf_module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program may have a hook of its own in the place of one of them."""
    folder = Path(whole_build.__file__).parent / "each_build"
    for kind in ("*/hook-*.py", "*/pre_safe_import_module/hook-*.py"):
        assert len({path.name for path in folder.glob(kind)}) == 2
    write_files(program, {**NATIVE, "part/demo.so": elf_module})
    complete(Extension("part.demo", program / "part" / "demo.so"))
    _, graph = complete(Extension("part.demo", program / "part" / "demo.so"))
    assert graph.imported == []


def test_what_asks_for_many_modules_is_looked_for_in_the_graph(
    program: Path, tmp_path: Path, rust_library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No hook tells of a module below a package."""
    site = tmp_path / "many"
    asks = "import importlib\ndef load(name): return importlib.import_module(f'big.all.{name}')\n"
    parts = {f"big/all/part{n}.py": "" for n in range(20)}
    files: Files = {"big/__init__.py": "", "big/all/__init__.py": asks, "big/x.so": rust_library}
    install(site, "big", files={**files, **parts})
    monkeypatch.syspath_prepend(str(site))
    top = Extension("big", site / "big/__init__.py")
    _, graph = complete(top)
    assert graph.imported == []
    analysis_state.states.clear()
    _, graph = complete(top, Extension("big.all", site / "big/all/__init__.py"))
    assert set(graph.imported) == {f"big.all.part{n}" for n in range(20)}


@pytest.fixture
def rust_library(tmp_path: Path) -> Path:
    library = tmp_path / "lib.so"
    text = '#[no_mangle] pub extern "C" fn f() -> String { 1.to_string() }'
    command = ["rustc", "--crate-type=cdylib", "-Awarnings", "-", "-o", str(library)]
    subprocess.run(command, input=text, text=True, check=True, timeout=120)
    return library


def test_a_rustext_that_does_not_work_is_said_to_at_both_ends(
    program: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(folder: Path) -> None:
        raise RuntimeError("deliberate")

    monkeypatch.setattr(analysis_state, "_start", fail)
    complete()
    assert caplog.messages == [
        "rustext: nothing is added to this program: RuntimeError('deliberate')",
        "rustext: nothing was added to this program: RuntimeError('deliberate')",
    ]


def test_a_defect_in_the_last_hook_breaks_no_build(
    program: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("deliberate")

    monkeypatch.setattr(whole_build, "_iter_extensions", fail)
    analysis, _ = complete()
    assert [text.rpartition(": ")[2] for text in caplog.messages] == [
        "RuntimeError('deliberate')"
    ] * 2
    assert analysis.hooksconfig != {}
