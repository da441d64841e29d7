"""A wheel is judged as if it were installed."""

from __future__ import annotations

import importlib.machinery
import zipfile
from pathlib import Path

import pytest
from compiling import Compile
from environments import environment, install
from natives import string

from rustext.cli.main import run
from rustext.discovery.native_files import iter_native_files, open_source
from rustext.discovery.wheels import with_wheel
from rustext.imports.clues import Clues, read_clues
from rustext.imports.verdicts import find_imports
from rustext.model.evidence import EvidenceKind
from rustext.model.plan import ImplicitImport

pytestmark = pytest.mark.usefixtures("lean_path")

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]
# A path of rustc's makes a file count as Rust; Python's import function, as one that can import.
SOURCE = """
const char mark[] = "/rustc/0123456789012345678901234567890123456789/library/core/src/lib.rs";
const char function[] = "PyImport_Import";
void *PyInit_core(void) { return 0; }
"""
WHEEL = "demo_app-2.0-cp311-cp311-linux_x86_64.whl"


@pytest.fixture
def wheel(gcc: Compile, tmp_path: Path) -> Path:
    """A wheel of demo-app, which requires `needed`, and `extra-dep` with an extra."""
    core = gcc("core.so", SOURCE, "-shared", "-fPIC")
    site = tmp_path / "content"
    requires = ["needed>=1", 'extra-dep; extra == "more"']
    files = {"app/__init__.py": "", "app/part.py": "x = 1", f"app/core{SUFFIX}": core}
    install(site, "demo-app", "2.0", files=files, requires=requires)
    path = tmp_path / WHEEL
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(p for p in site.rglob("*") if p.is_file()):
            archive.write(file, file.relative_to(site))
        archive.writestr("demo_app-2.0.data/purelib/beside.py", "")
    return path


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """An environment without the wheel, with an older one and what it requires."""
    folder = tmp_path / "site-packages"
    install(folder, "demo-app", "1.0", files={"app/old.py": ""})
    install(folder, "needed", files={"needed.py": ""})
    install(folder, "extra-dep", files={"extra_dep.py": ""})
    return folder


def judge(wheel: Path, site: Path, *names: str) -> dict[str, ImplicitImport]:
    with open_source(wheel) as source:
        env = with_wheel(environment(site), source)
        ((path, file),) = iter_native_files(source)
        strings = [string(name, EvidenceKind.IMPORT_CALL) for name in names]
        rules = read_clues(path, file, lambda *_: ()).rules
        clues = Clues(strings=tuple(strings), rules=rules)
        return {i.module: i for i in find_imports(file, clues, env)}


def test_the_wheels_own_modules_are_found(wheel: Path, site: Path) -> None:
    found = judge(wheel, site, "app.part", "beside", "app.nothing.at.all")
    assert found["app.part"].reason == "the extension's own distribution"
    assert set(found) == {"app.part", "beside"}


def test_a_damaged_member_is_left_out(wheel: Path, site: Path) -> None:
    data = bytearray(wheel.read_bytes())
    header = data.index(b"app/part.py") - 30
    data[header : header + 4] = b"XXXX"
    wheel.write_bytes(data)
    assert judge(wheel, site, "app.part", "beside").keys() == {"beside", "app"}


def test_the_wheel_hides_an_installed_release(wheel: Path, site: Path) -> None:
    assert "app.old" in {n for n in ["app.old"] if environment(site).find_module(n)}
    assert judge(wheel, site, "app.old").keys() == {"app"}  # as an attribute of it
    with open_source(wheel) as source:
        assert with_wheel(environment(site), source).distributions["demo-app"].version == "2.0"


def test_what_the_wheel_requires_counts(wheel: Path, site: Path) -> None:
    found = judge(wheel, site, "needed", "extra_dep")
    assert found["needed"].reason == "required by demo-app"
    assert "extra-dep" in found["extra_dep"].reason
    assert "required by" not in found["extra_dep"].reason


def test_a_folder_changes_nothing(site: Path) -> None:
    env = environment(site)
    with open_source(site) as source:
        assert with_wheel(env, source) is env


def test_inspect_judges_a_wheel_so(wheel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", str(wheel)]) == 0
    assert "demo_app-2.0.dist-info/METADATA" in capsys.readouterr().out
