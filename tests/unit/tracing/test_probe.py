"""A module is imported once, in a child process that cannot do harm to this one."""

from __future__ import annotations

import importlib.machinery
import json
import sys
import time
from pathlib import Path

import pytest
from compiling import Compile
from environments import environment, install
from natives import native_file

from rustext.cli.main import run
from rustext.config import Config
from rustext.model.evidence import EvidenceKind
from rustext.model.plan import Verdict
from rustext.plan.planner import Planner
from rustext.tracing.probe import Probe, probe

pytestmark = pytest.mark.usefixtures("lean_path")

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]
SOURCE = """
typedef struct { long count; void *type; void *init; long index; void *copy;
                 const char *name; const char *doc; long size; void *rest[5]; } Module;
extern void *PyModule_Create2(Module *, int), *PyImport_ImportModule(const char *);
static Module module = { .count = 1, .name = "core", .size = -1 };
void *PyInit_core(void) {
    /* A name that is put together at run time: no string analysis finds it. */
    char name[] = {'w', 'a', 'x', 'e', 0};
    name[2] = 'v';
    return PyImport_ImportModule(name) ? PyModule_Create2(&module, 1013) : 0;
}
"""


def site_with(gcc: Compile, folder: Path, init: str, source: str = SOURCE) -> Path:
    """A `site-packages` folder with the extension module `app.core` and this `app/__init__.py`."""
    core = gcc("core.so", source, "-shared", "-fPIC")
    files = {"app/__init__.py": init, f"app/core{SUFFIX}": core}
    install(folder / "site-packages", "app", files=files)
    return folder / "site-packages"


def probed(site: Path, timeout: float = 30) -> Probe:
    file = native_file(site / f"app/core{SUFFIX}", site)
    found = probe(file, Path(sys.executable), [site], timeout=timeout)
    assert found is not None
    return found


def test_what_a_module_imports_when_it_loads_is_seen(gcc: Compile, tmp_path: Path) -> None:
    site = site_with(gcc, tmp_path, "import csv")
    assert probed(site) == Probe(module="app.core", imports=("wave",))


@pytest.mark.parametrize(
    ("init", "failure"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise SystemExit('not today')", "not today"),
        ("import os; os._exit(7)", "the interpreter ended with exit code 7"),
        ("import os; os.abort()", "the interpreter was ended by SIGABRT"),
        ("x = bytearray(80 << 30)", "MemoryError"),
    ],
)
def test_a_failing_import_says_why(gcc: Compile, tmp_path: Path, init: str, failure: str) -> None:
    found = probed(site_with(gcc, tmp_path, init))
    assert found.failure == failure
    assert found.imports == ()


def test_an_import_that_does_not_end_is_ended(gcc: Compile, tmp_path: Path) -> None:
    site = site_with(gcc, tmp_path, "import time; time.sleep(600)")
    start = time.monotonic()
    found = probed(site, timeout=1)
    assert time.monotonic() - start < 20
    assert found.failure is not None
    assert "did not end within 1 seconds" in found.failure


def test_what_was_seen_before_a_failure_counts(gcc: Compile, tmp_path: Path) -> None:
    site = site_with(gcc, tmp_path, "import app.core; raise ImportError('late')")
    found = probed(site)
    assert (found.imports, found.failure) == (("wave",), "ImportError: late")


def test_the_home_folder_is_out_of_reach(gcc: Compile, tmp_path: Path) -> None:
    init = "from pathlib import Path; (Path.home() / 'left-behind').touch(); print(Path.home())"
    assert probed(site_with(gcc, tmp_path, init)).failure is None
    assert not (Path.home() / "left-behind").exists()


def test_a_library_that_is_no_module_is_not_imported(gcc: Compile, tmp_path: Path) -> None:
    library = gcc("libplain.so", "int answer(void) { return 42; }", "-shared", "-fPIC")
    assert probe(native_file(library, library.parent), Path(sys.executable)) is None


def test_a_probe_decides_and_its_failure_is_a_warning(gcc: Compile, tmp_path: Path) -> None:
    site = site_with(gcc, tmp_path, "")
    path = site / f"app/core{SUFFIX}"
    file = native_file(path, site)
    blind = Planner(environment(site), Config()).plan_file(path, file)
    assert "wave" not in {i.module for i in blind.imports}
    planner = Planner(environment(site), Config(), python=Path(sys.executable))
    (found,) = [i for i in planner.plan_file(path, file).imports if i.module == "wave"]
    assert found.verdict is Verdict.INCLUDE
    assert [e.kind for e in found.evidence] == [EvidenceKind.PROBED]
    (site / "app/__init__.py").write_text("import no_such_module")
    (warning,) = planner.plan_file(path, file).warnings
    assert warning.startswith("`import app.core` fails in this environment: ModuleNotFoundError")


def test_inspect_probes_on_request(
    gcc: Compile,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "path", [str(site_with(gcc, tmp_path, "")), *sys.path])
    kinds = {}
    for options in ([], ["--probe"]):
        assert run(["inspect", "app.core", "--json", *options]) == 0
        found = json.loads(capsys.readouterr().out)["implicit_imports"]
        kinds[len(options)] = {i["module"]: [e["kind"] for e in i["evidence"]] for i in found}
    assert kinds == {0: {}, 1: {"wave": ["probed"]}}
