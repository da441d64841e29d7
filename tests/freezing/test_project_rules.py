"""A project's own crate rule brings along what its private crate imports under a computed name.

No file holds the module's name, so the program works with the rule alone; the run is the judge.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from lab import ROOT, Frozen, Lab

pytestmark = [pytest.mark.freezing, pytest.mark.network]

CRATE = ROOT / "tests" / "data" / "private_rule"
SOURCE = "import private_rule\nprint(private_rule.hue().__name__)\n"
RULE = """
[[tool.rustext.crate-rules]]
crate = "{crate}"
imports = ["colorsys"]
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The crate, built without the symbols that name it, as release builds are."""
    target = tmp_path_factory.mktemp("target")
    command = ["cargo", "build", "-q", "--release", "--offline", "--locked", "--target-dir", target]
    strip = ["--config", "profile.release.strip=true"]
    subprocess.run([*command, *strip], cwd=CRATE, check=True, timeout=300)
    return target / "release" / "libprivate_rule.so"


def freeze(lab: Lab, freezer: str, library: Path, folder: Path, crate: str) -> Frozen:
    shutil.copy2(library, folder / "private_rule.so")
    (folder / "app.py").write_text(SOURCE)
    (folder / "pyproject.toml").write_text(RULE.format(crate=crate))
    return lab.freeze(freezer, folder / "app.py", out=folder / "build", rustext=True)


@pytest.mark.parametrize("freezer", [pytest.param("nuitka", marks=pytest.mark.slow), "pyinstaller"])
def test_with_the_rule_the_program_finds_its_module(
    freezer: str, lab: Lab, library: Path, tmp_path: Path
) -> None:
    frozen = freeze(lab, freezer, library, tmp_path, "private-rule")
    ended = frozen.run(hide=[tmp_path])
    assert (ended.code, ended.stdout) == (0, "colorsys\n"), ended.stderr
    assert verify(frozen, tmp_path) == []


def test_without_it_the_program_fails_and_verify_says_which_rule_it_lacks(
    lab: Lab, library: Path, tmp_path: Path
) -> None:
    frozen = freeze(lab, "pyinstaller", library, tmp_path, "another-crate")
    assert verify(frozen, tmp_path) == []
    ended = frozen.run(hide=[tmp_path])
    assert ended.code == 1
    assert "No module named 'colorsys'\n" in ended.stderr
    (tmp_path / "pyproject.toml").write_text(RULE.format(crate="private-rule"))
    assert verify(frozen, tmp_path) == [("missing-import", "colorsys")]


def verify(frozen: Frozen, project: Path) -> list[tuple[str, str]]:
    """The errors of the bundle, judged by the project's rules."""
    command = [sys.executable, "-m", "rustext", "verify", frozen.bundle, "--json"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    findings = json.loads(done.stdout)["findings"]
    return [(f["id"], f["subject"]) for f in findings if f["severity"] == "error"]
