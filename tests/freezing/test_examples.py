"""The example apps, frozen with rustext, started alone, and verified."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import FREEZERS, ROOT, Lab

from rustext.environment import stdlib_environment
from rustext.findings import Severity
from rustext.verify import verify
from rustext.verify.bundle import read_bundle

pytestmark = [pytest.mark.freezing, pytest.mark.network]

EXAMPLES = sorted(p.parent for p in (ROOT / "example_apps").glob("*/app.py"))


def requirements(app: Path) -> list[str]:
    return ["-r", str(app / "requirements.txt")]


@pytest.mark.parametrize("freezer", FREEZERS)
@pytest.mark.parametrize("app", EXAMPLES, ids=lambda p: p.name)
def test_frozen_example_prints_what_is_expected(
    app: Path, freezer: str, lab: Lab, tmp_path: Path
) -> None:
    frozen = lab.freeze(
        freezer, app / "app.py", *requirements(app), out=tmp_path / "build", rustext=True
    )
    ended = frozen.run(hide=[ROOT / "example_apps"])
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout == (app / "expected.txt").read_text()
    report = verify(read_bundle(frozen.bundle), stdlib=stdlib_environment(), run=ended)
    # A note says what is harmless: where the Python that was frozen had been built.
    assert [f for f in report.findings if f.severity is not Severity.NOTE] == []
    assert report.freezer == freezer


def test_example_runs_without_rustext_where_its_readme_says_so(lab: Lab, tmp_path: Path) -> None:
    app = ROOT / "example_apps" / "downsample"
    frozen = lab.freeze(
        "pyinstaller", app / "app.py", *requirements(app), out=tmp_path, rustext=False
    )
    ended = frozen.run()
    assert (ended.code, ended.stdout) == (0, (app / "expected.txt").read_text())


def test_fully_compiled_program_runs(lab: Lab, tmp_path: Path) -> None:
    """Nothing is demoted here: Nuitka compiles all that it would for a user."""
    script = tmp_path / "app.py"
    script.write_text('import ormsgpack; print(ormsgpack.unpackb(ormsgpack.packb({"a": 1})))')
    frozen = lab.freeze(
        "nuitka", script, "ormsgpack==1.13.1", out=tmp_path / "build", rustext=True, compiled=None
    )
    assert frozen.run(hide=[tmp_path]).stdout == "{'a': 1}\n"
