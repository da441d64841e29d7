"""The self-test and the plan in PyInstaller's bundles; Nuitka's are in test_nuitka_plugin.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lab import Frozen, Lab

from rustext.cli.main import run
from rustext.plan.plan_file import PLAN_FILE, read_plan

pytestmark = [pytest.mark.freezing, pytest.mark.network]

WHEEL = "ormsgpack==1.13.1"
PROGRAM = 'import ormsgpack; print(ormsgpack.unpackb(ormsgpack.packb({"a": 1})))\n'


def freeze(lab: Lab, folder: Path, configuration: str) -> Frozen:
    (folder / "app.py").write_text(PROGRAM)
    (folder / "pyproject.toml").write_text(configuration)
    return lab.freeze("pyinstaller", folder / "app.py", WHEEL, out=folder / "out", rustext=True)


def test_a_program_proves_itself_and_its_plan_misses_what_is_taken_out(
    lab: Lab, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    frozen = freeze(lab, tmp_path, "[tool.rustext]\nselftest = true\nleave-plan = true\n")
    assert frozen.run(hide=[tmp_path]).stdout == "{'a': 1}\n"
    inner = frozen.bundle / "_internal"
    plan = read_plan(inner / PLAN_FILE)
    assert [e.module for e in plan.extensions] == ["ormsgpack.ormsgpack"]
    assert str(plan.freezer).startswith("PyInstaller 6.")
    assert "uuid" in {i.module for i in plan.modules}
    verify = ["verify", str(frozen.bundle), "--selftest", "--hide", str(tmp_path), "--json"]
    assert run([*verify]) == 0, capfd.readouterr()
    assert (
        '{"module": "uuid", "kind": "import", "error": null}'
        in json.loads(capfd.readouterr().out)["run"]["stdout"]
    )
    next(inner.glob("ormsgpack-*.dist-info/METADATA")).unlink()
    next(inner.glob("ormsgpack/*.so")).write_bytes(b"no library")
    assert run([*verify]) == 1
    found = {(f["id"], f["subject"]) for f in json.loads(capfd.readouterr().out)["findings"]}
    assert ("selftest", "ormsgpack.ormsgpack") in found
    assert ("missing-metadata", "ormsgpack-1.13.1.dist-info/METADATA") in found


def test_nothing_is_left_in_a_release(
    lab: Lab, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    frozen = freeze(lab, tmp_path, "")
    assert not list(frozen.bundle.rglob("*rustext*"))
    assert b"rustext" not in frozen.program.read_bytes()
    assert run(["verify", str(frozen.bundle), "--selftest"]) == 2
    assert "no self-test built in" in capfd.readouterr().err
