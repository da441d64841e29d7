"""What comes along of the distributions that a Rust one requires, and of those that require it."""

from __future__ import annotations

import bz2
import importlib.machinery
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from compiling import Compile
from environments import Files, environment, install

from rustext.config import Config
from rustext.data import read_data
from rustext.freezing.build import Build
from rustext.freezing.pyinstaller.hook_files import iter_hook_targets
from rustext.freezing.session import make_plan
from rustext.model.evidence import EvidenceKind
from rustext.model.plan import CompanionKind, Verdict
from rustext.plan.planner import Planner

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]
RUST = '"/rustc/90b35a6239c3d8bdabc530a6a0816f7ff89a0aaf/library/std/src/lib.rs"'
EXTENSION = """
const char *const strings[] = {{ "docs of toolkit.prose.", "{name}", "xtoolkit.prose" }};
const void *PyInit_{module}(void) {{ return strings; }}
"""
CODE = """
import importlib
def load(name):
    return importlib.import_module(name)
load("toolkit.plug"), load("stranger.part"), load("base.part"), load("wave"), load("tkinter")
TABLE = open("table.json")
"""
SOURCE = """
include "inner/part.pxi"
include "gone.pxi"
def f():
    from toolkit.late import x
    from stranger.part import y
    # import toolkit.prose, some day
"""
PARTS = {
    "inner/part.pxi": "import os, toolkit.later as later\ninclude 'more.pxi'\n",
    "inner/more.pxi": "from . cimport _io\nfrom .sub import (a,\n  two)\nfrom toolkit import plug",
}


@pytest.fixture
def site(tmp_path: Path, gcc: Compile) -> Path:
    """`core` is Rust, `toolkit` requires it, `base` is an extra of it; the others are strangers."""

    def extension(module: str, name: str = "no.where") -> Path:
        source = EXTENSION.format(name=name, module=module)
        return gcc(f"{module}.so", source, "-shared", "-fPIC")

    rust = f"const char mark[] = {RUST}; const void *PyInit_core(void) {{ return mark; }}"
    core: Files = {f"core{SUFFIX}": gcc("core.so", rust, "-shared", "-fPIC")}
    site = tmp_path / "site-packages"
    install(site, "core", files=core, requires=["base; extra == 'all'", "absent"])
    modules = ("hidden", "late", "later", "plug", "prose", "sub/__init__", "sub/two")
    toolkit: Files = {
        "toolkit/__init__.py": CODE, **{f"toolkit/{name}.py": "" for name in modules},
        f"toolkit/_io{SUFFIX}": extension("_io", "toolkit.hidden"),
        f"toolkit/lib{SUFFIX}": extension("lib"), "toolkit/lib.pyx": SOURCE,
        **{f"toolkit/{name}": text for name, text in PARTS.items()},
        "toolkit/table.json": "{}", "toolkit/other.json": "{}",
        "toolkit/tests/test_all.py": "'other.json'",
    }  # fmt: skip
    install(site, "toolkit", files=toolkit, requires=["Core>=1", "base"])
    base: Files = {"base/__init__.py": "from importlib.metadata import version",
                   "base/part.py": ""}  # fmt: skip
    install(site, "base", files=base)
    install(site, "stranger", requires=["toolkit"],
            files={"stranger/__init__.py": "import importlib.metadata; 'table.json'",
                   "stranger/part.py": "", "stranger/table.json": "",
                   f"stranger/lib{SUFFIX}": extension("lib", "stranger.part")})  # fmt: skip
    return site


def test_neighbours_are_one_requirement_away(site: Path) -> None:
    env = environment(site)
    assert env.installed.neighbours_of("core") == {"toolkit", "base"}
    assert env.installed.neighbours_of("base") == {"toolkit", "core"}
    planner = Planner(env, Config())
    assert {n for n, d in env.distributions.items() if planner.catalogue.is_neighbour(d)} == {
        "toolkit",
        "base",
    }


def test_an_extension_names_modules_of_its_own_in_strings_and_sources(site: Path) -> None:
    planner = Planner(environment(site), Config())
    plan = planner.plan_extension(site / f"toolkit/_io{SUFFIX}")
    assert plan is not None
    (found,) = plan.imports
    (evidence,) = found.evidence
    assert (found.module, evidence.kind) == ("toolkit.hidden", EvidenceKind.C_STRING)
    place = int(evidence.where.rpartition("0x")[2], 16)
    assert plan.path.read_bytes()[place:].startswith(b"toolkit.hidden\0")
    plan = planner.plan_extension(site / f"toolkit/lib{SUFFIX}")
    assert plan is not None
    assert {i.module: i.evidence[0].where for i in plan.imports} == {
        "toolkit._io": "toolkit/inner/more.pxi",
        "toolkit.late": "toolkit/lib.pyx",
        "toolkit.later": "toolkit/inner/part.pxi",
        "toolkit.plug": "toolkit/inner/more.pxi",
        "toolkit.sub": "toolkit/inner/more.pxi",
        "toolkit.sub.two": "toolkit/inner/more.pxi",
    }
    stranger = planner.plan_extension(site / f"stranger/lib{SUFFIX}")
    assert stranger is not None
    assert [i.module for i in stranger.imports] == ["stranger.part"]


def test_files_that_a_neighbours_code_names_come_along(site: Path) -> None:
    planner = Planner(environment(site), Config())

    def found(name: str) -> dict[str, CompanionKind]:
        companions = planner.companions_for(site / name / "__init__.py")
        named = (c for c in companions if "is small" not in c.reason)
        return {c.destination.name: c.kind for c in named}

    assert found("toolkit") == {"table.json": CompanionKind.DATA}  # not what only tests name
    assert found("base") == {"METADATA": CompanionKind.METADATA}  # it asks for metadata
    assert found("stranger") == {"METADATA": CompanionKind.METADATA}  # its words find no folder


def test_modules_that_a_neighbour_imports_by_computed_names_come_along(site: Path) -> None:
    planner = Planner(environment(site), Config())
    found = planner.plugin_modules_for(site / "toolkit/plug.py")
    assert {i.module: i.evidence[0].kind for i in found} == {
        "base.part": EvidenceKind.PYTHON_CALL,  # which it requires
        "toolkit.plug": EvidenceKind.PYTHON_CALL,
        "stranger.part": EvidenceKind.PYTHON_CALL,  # which nothing requires
        "wave": EvidenceKind.PYTHON_CALL,  # Python's own, but not the largest of these
    }
    install(site, "fan", requires=["stranger"], files={})
    planner = Planner(environment(site), Config())
    assert "stranger.part" not in {
        i.module for i in planner.plugin_modules_for(site / "toolkit/plug.py")
    }
    assert planner.plugin_modules_for(site / "stranger/__init__.py") == ()


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("import importlib.metadata", True),
        ("from importlib import metadata", True),
        ("from importlib import (resources, metadata as m)", True),
        ("import pkg_resources", True),
        ("import importlib\nmetadata = {}", False),
    ],
)
def test_a_neighbour_that_asks_for_metadata_has_its_own(text: str, asks: bool, site: Path) -> None:
    (site / "base/__init__.py").write_text(text)
    found = Planner(environment(site), Config()).companions_for(site / "base/__init__.py")
    assert [c.destination.name for c in found] == ["METADATA"] * asks


def test_a_neighbour_without_a_list_of_files_has_nothing_to_say(site: Path) -> None:
    """Such as the `.egg-info` that a development installation leaves."""
    info = site / "old.egg-info"
    info.mkdir()
    (info / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: old\nVersion: 1\n")
    (info / "requires.txt").write_text("core\n")
    planner = Planner(environment(site), Config())
    assert planner.catalogue.is_neighbour(planner.env.distributions["old"])
    assert "old" not in {t.module for t in iter_hook_targets(planner, neighbours=True)}


def test_a_neighbour_whose_name_is_not_ascii_is_read(site: Path) -> None:
    source, target = site / f"toolkit/_io{SUFFIX}", site / f"na\u00efve/_io{SUFFIX}"
    install(site, "naive", requires=["core"], files={f"na\u00efve/_io{SUFFIX}": source})
    assert Planner(environment(site), Config()).plan_extension(target) is None


def test_what_nobody_can_read_is_no_reason_to_give_up(site: Path) -> None:
    """A Rust distribution that the program need not have."""
    install(site, "broken", requires=["base"], files={f"broken{SUFFIX}": site / f"core{SUFFIX}"})
    (site / f"broken{SUFFIX}").write_bytes((site / f"core{SUFFIX}").read_bytes()[:70])
    planner = Planner(environment(site), Config())
    assert planner.catalogue.is_neighbour(planner.env.distributions["base"])


def test_code_of_another_package_of_the_same_distribution_says_nothing(site: Path) -> None:
    """The program need not have it."""
    files = {"tool/__init__.py": CODE.replace("toolkit.plug", "tool.part"), "tool/part.py": "",
             "_tool.py": ""}  # fmt: skip
    install(site, "tools", requires=["core"], files=files)
    planner = Planner(environment(site), Config())
    assert planner.plugin_modules_for(site / "_tool.py") == ()
    assert "tool.part" in {i.module for i in planner.plugin_modules_for(site / "tool/part.py")}


def test_a_neighbour_is_heard_of_only_in_a_program_that_has_it(site: Path) -> None:
    build = Build(Planner(environment(site), Config()))
    build.enter("core", site / f"core{SUFFIX}")
    assert build.companions
    assert not {"toolkit", "base"} & {c.destination.parts[0] for c in build.companions}
    named = {i.module for i in build.enter("toolkit", site / "toolkit/__init__.py")}
    assert named == {"base.part", "stranger.part", "toolkit.plug", "wave"}
    build.enter("toolkit._io", site / f"toolkit/_io{SUFFIX}")
    assert set(build.modules) == {*named, "toolkit.hidden"}
    assert build.summary().startswith("Rust extensions: 1, ")
    assert [e.module for e in make_plan(build).extensions] == ["core"]
    build.settle(["core", "toolkit"])
    assert set(build.modules) == named
    build.settle(["core"])
    assert not build.modules


def test_all_others_have_hooks_where_there_is_rust(site: Path) -> None:
    def targets() -> dict[str, bool]:
        planner = Planner(environment(site), Config())
        return {t.module: t.extension for t in iter_hook_targets(planner, neighbours=True)}

    toolkit = {"toolkit": False, "toolkit._io": False, "toolkit.lib": False}
    stranger = {"stranger": False, "stranger.lib": False}
    assert targets() == {"core": True, "base": False, **toolkit, **stranger}
    assert [t.module for t in iter_hook_targets(Planner(environment(site), Config()))] == ["core"]
    (site / f"core{SUFFIX}").write_bytes((site / f"toolkit/lib{SUFFIX}").read_bytes())
    assert targets() == {}


def test_a_word_in_a_call_is_a_name_whatever_the_word(site: Path) -> None:
    """In a binary, the same word would prove nothing."""
    word = read_data("stdlib")["vocabulary"][0]
    files: Files = {"speller/__init__.py": f"import_module('{word}'), import_module('pydoc_data')",
                    f"speller/core{SUFFIX}": site / f"core{SUFFIX}"}  # fmt: skip
    install(site, "speller", files=files)
    plan = Planner(environment(site), Config()).plan_extension(site / f"speller/core{SUFFIX}")
    assert plan is not None
    verdicts = {i.module: i.verdict for i in plan.imports}
    assert verdicts == {word: Verdict.INCLUDE, "pydoc_data": Verdict.REPORT}


def test_a_shim_brings_the_library_of_its_mypyc_group(site: Path, gcc: Compile) -> None:
    """mypyc's shims import the group's library from native code, by a name that is no word."""
    group = "0a1b2c3d4e5f60718293__mypyc"
    shim = f'const char *const name = "{group}"; void *PyInit_part(void) {{ return 0; }}'
    library = f"void *PyInit_{group[1:]}(void) {{ return 0; }}"
    files: Files = {
        "shims/__init__.py": "", "shims/part.py": "import colorsys\nfrom shims import other\n",
        "shims/other.py": "", f"shims/part{SUFFIX}": gcc("part.so", shim, "-shared", "-fPIC"),
        f"{group}{SUFFIX}": gcc("group.so", library, "-shared", "-fPIC"),
    }  # fmt: skip
    install(site, "shims", files=files)
    plan = Planner(environment(site), Config()).plan_extension(site / f"shims/part{SUFFIX}")
    assert plan is not None
    assert {i.module for i in plan.imports} == {group, "colorsys", "shims", "shims.other"}


@pytest.mark.parametrize("compress", [zlib.compress, bz2.compress])
def test_names_in_strings_that_cython_has_compressed_are_found(
    compress: Callable[[bytes], bytes], site: Path, gcc: Compile
) -> None:
    blob = compress(b"formattoolkit.proseencode" * 3 + bytes(range(200)))
    code = ",".join(map(str, blob))
    text = f"const unsigned char blob[] = {{{code}}}; const char *const r = "
    text += '"cython_runtime"; void *PyInit_zip(void) { return 0; }'
    library = gcc("zip.so", text, "-shared", "-fPIC")
    (site / f"toolkit/zip{SUFFIX}").write_bytes(library.read_bytes())
    record = site / "toolkit-1.0.dist-info/RECORD"
    record.write_text(f"{record.read_text()}toolkit/zip{SUFFIX},,\n")
    plan = Planner(environment(site), Config()).plan_extension(site / f"toolkit/zip{SUFFIX}")
    assert plan is not None
    assert [i.module for i in plan.imports] == ["toolkit.prose"]


def test_a_module_made_by_cffi_brings_the_backend_that_it_imports(
    site: Path, tmp_path: Path
) -> None:
    """cffi itself writes the C code here, and Python says what that imports."""
    cffi = importlib.import_module("cffi")
    ffi = cffi.FFI()
    ffi.cdef("int twice(int n);")
    ffi.set_source("bound", "static int twice(int n) { return 2 * n; }")
    library = Path(ffi.compile(tmpdir=str(tmp_path / "build")))
    install(site, "bound", files={library.name: library})
    program = f"import sys; sys.path.insert(0, {str(library.parent)!r}); import bound; "
    done = subprocess.run(
        [sys.executable, "-c", f"{program}print('_cffi_backend' in sys.modules)"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.split() == ["True"]
    planner = Planner(environment(site), Config())
    assert planner.plan_extension(site / library.name) is None  # the backend is not installed here
    install(site, "cffi", files={"_cffi_backend.py": ""})
    plan = Planner(environment(site), Config()).plan_extension(site / library.name)
    assert plan is not None
    assert [(i.module, i.verdict) for i in plan.imports] == [("_cffi_backend", Verdict.INCLUDE)]


def test_what_one_call_asks_for_in_great_number_comes_with_the_file_that_asks(
    site: Path,
) -> None:
    styles = {f"big/styles/style{n}.py": "" for n in range(20)}
    files: Files = {
        **styles, "big/__init__.py": "",
        "big/styles/__init__.py": "import importlib\n"
        "def load(name): return importlib.import_module(f'big.styles.{name}')\n"
        "def codec(name): return importlib.import_module(f'encodings.{name}')\n",
    }  # fmt: skip
    install(site, "big", files=files)
    planner = Planner(environment(site), Config())
    top, asks = site / "big/__init__.py", site / "big/styles/__init__.py"
    assert planner.plugin_modules_for(top) == ()
    assert planner.listers_for(top) == ("big.styles",)
    expected = {f"big.styles.style{n}" for n in range(20)}
    assert {i.module for i in planner.plugin_modules_for(asks)} == expected
    every = planner.plugin_modules_for(top, everything=True)
    assert {i.module for i in every} == expected
    build = Build(planner)
    assert build.enter("big", top) == ()
    assert build.listers() == ("big.styles",)
    assert {i.module for i in build.enter("big.styles", asks)} == expected
    assert build.listers() == ()
