"""What is read of native files is cached until their distribution changes."""

from __future__ import annotations

import importlib.machinery
import json
import subprocess
import sys
from pathlib import Path

import pytest
from compiling import Compile
from environments import environment, install

from rustext.discovery.catalogue import Catalogue

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]
CORE = f"""
const char *const marks[] = {{"/rustc/{"0" * 40}/library/core/src/lib.rs", "PyImport_Import"}};
void *PyInit_core(void) {{ return (void *) marks; }}
"""
OTHER = """
const char *const names[] = {"", "other.part", ""};
void *PyInit_plain(void) { return (void *) names; }
"""
# Plans one file of an environment, and prints how often that opens it.
PLAN = """
import os, sys
from pathlib import Path
from environments import environment
from rustext.config import Config
from rustext.plan.planner import Planner

site, name = Path(sys.argv[1]), sys.argv[2]
opened = []

def hook(event, args):
    if event == "open" and isinstance(args[0], str) and args[1] is not None:
        opened.append(args[0])

planner = Planner(environment(site), Config(), keep=True)
sys.addaudithook(hook)
assert planner.plan_extension(site / name) is not None
planner.companions_for(site / name), planner.plugin_modules_for(site / name)
print(sum(Path(path) == site / name for path in opened))
"""


@pytest.fixture
def site(tmp_path: Path, gcc: Compile) -> Path:
    core = gcc("core.so", CORE, "-shared", "-fPIC")
    install(tmp_path / "site", "host", files={"host/__init__.py": "", f"host/core{SUFFIX}": core})
    plain = gcc("plain.so", OTHER, "-shared", "-fPIC")
    files = {"other/__init__.py": "", "other/part.py": "", f"other/plain{SUFFIX}": plain}
    install(tmp_path / "site", "other", files=files)
    return tmp_path / "site"


def opens(site: Path, package: str = "host", module: str = "core") -> int:
    """How often a new process opens the extension module to plan it."""
    folders = [str(Path(__file__).parent.parent), *filter(None, sys.path)]
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = {folders!r}\n{PLAN}"]
    command += [str(site), f"{package}/{module}{SUFFIX}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return int(done.stdout)


def test_a_second_plan_opens_no_native_file(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert opens(site) == 2  # for what it is, and for the names in it
    assert opens(site) == 0
    (site / "host" / "__init__.py").write_text("import json\n")
    assert opens(site) == 1  # who opens or names it may have changed


def test_a_second_plan_opens_no_extension_without_rust(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert opens(site, "other", "plain") == 2
    assert opens(site, "other", "plain") == 0


def test_another_bill_of_materials_is_read(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    sbom = site / "host-1.0.dist-info" / "sboms" / "a.json"
    sbom.parent.mkdir()
    with (sbom.parent.parent / "RECORD").open("a") as record:
        record.write("host-1.0.dist-info/sboms/a.json,,\n")
    for name in ("one", "two"):
        sbom.write_text(json.dumps({"components": [{"purl": f"pkg:cargo/{name}@1.0.0"}]}))
        env = environment(site)
        ((_, file),) = Catalogue(env, keep=True).native_files(env.distributions["host"])
        assert name in {crate.name for crate in file.provenance.crates}
