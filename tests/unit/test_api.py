"""The Python interface says what the command line says, and its example is well typed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from compiling import Compile
from environments import write_files

from rustext import api
from rustext.cli.main import run
from rustext.plan.plan_file import build_plan_json

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "api.md"
pytestmark = pytest.mark.usefixtures("lean_path")


@pytest.fixture
def folder(tmp_path: Path, gcc: Compile, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`dist/good` and `dist/bad`, an extension module, and a script."""
    gone = gcc("libgone.so", "int g(void) { return 0; }", "-shared", "-fPIC",
               "-Wl,-soname,libgone.so.1")  # fmt: skip
    good = gcc("good", "int main(void) { return 0; }")
    bad = gcc("bad", "int g(void); int main(void) { return g(); }", str(gone))
    module = gcc("core.so", "void *PyInit_core(void) { return 0; }", "-shared", "-fPIC")
    files = {"dist/good/_internal/x": "", "dist/good/app": good, "dist/bad/_internal/x": "",
             "dist/bad/app": bad, "p/core.abi3.so": module, "app.py": "import p.core"}  # fmt: skip
    write_files(tmp_path, files)
    for name in ("good", "bad"):
        (tmp_path / "dist" / name / "app").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capfd: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    run([*words, "--json"])
    document: dict[str, object] = json.loads(capfd.readouterr().out)
    return document


def test_each_function_answers_as_its_command(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    document = said(capfd, "verify", "dist/bad")
    report = api.verify("dist/bad")
    assert [f.message for f in report.findings] == [f["message"] for f in document["findings"]]  # type: ignore[attr-defined]
    assert not report.ok
    assert [r.ok for r in api.verify_all(folder / "dist")] == [False, True]
    rows = said(capfd, "scan", "p", "--all")["extensions"]
    assert [f.module for f in api.scan("p")] == [row["module"] for row in rows]  # type: ignore[attr-defined]
    assert build_plan_json(api.plan("app.py")) == said(capfd, "plan", "app.py")


def test_a_bundle_behind_a_link_is_judged_as_itself(folder: Path) -> None:
    (folder / "elsewhere").symlink_to("dist")
    (folder / "link").symlink_to("dist/bad")
    report = api.verify("dist/bad")
    assert not report.ok
    assert api.verify("link") == api.verify("elsewhere/bad") == report


def test_a_configuration_counts_where_it_is_named(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.rustext]\nignore = ['missing-library']\n")
    assert not api.verify("dist/bad").ok
    report = api.verify("dist/bad", config="pyproject.toml")
    assert (report.ok, report.suppressed) == (True, 1)
    assert not api.verify("dist/bad", target="win_amd64").ok
    assert api.verify("dist/good", run=True).run is not None


def test_errors_are_of_one_kind_and_nothing_is_printed(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(api.RustextError, match="several bundles: bad, good"):
        api.verify("dist")
    for call in (api.verify, api.scan, api.plan):
        with pytest.raises(api.RustextError):
            call("gone")
    assert capfd.readouterr() == ("", "")


def example() -> str:
    return PAGE.read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]


def test_the_example_of_the_page_is_well_typed(tmp_path: Path) -> None:
    (tmp_path / "example.py").write_text(example())
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run([*command, "example.py"], cwd=tmp_path, capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.stdout.startswith("Success"), done.stdout + done.stderr
    wrong = example().replace("report.ok", "report.okay")
    (tmp_path / "example.py").write_text(wrong)
    done = subprocess.run([*command, "example.py"], cwd=tmp_path, capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert '"VerifyReport" has no attribute "okay"' in done.stdout


def test_the_example_of_the_page_runs(folder: Path) -> None:
    source = example().replace("dist/app", "dist/bad")
    command = [sys.executable, "-c", source]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "missing-library" in done.stdout


def test_the_page_names_all_that_is_promised() -> None:
    rows = re.findall(r"^\| `(\w+)", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(api.__all__)


def test_importing_it_imports_no_stage() -> None:
    source = "import sys, rustext.api; print(*(m for m in sys.modules if 'rustext.' in m))"
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True
    )
    rooms = {module.split(".")[1] for module in done.stdout.split()}
    assert rooms == {"api", "errors", "model"}
