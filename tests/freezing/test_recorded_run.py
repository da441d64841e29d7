"""A program whose package does everything late fails frozen, and runs with a record of one run.

Nothing in it is made from Rust: the record is of the whole program.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from lab import HERE, Lab, check

from rustext.environment.environment import stdlib_environment
from rustext.tracing.trace_file import read_trace
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.verify import read_subject, verify

pytestmark = [pytest.mark.freezing, pytest.mark.network]

PROGRAM = HERE / "late_business"
PACKAGE = str(PROGRAM / "latepack")


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The program, in a folder of its own."""
    for name in ("main.py", "own"):
        source = PROGRAM / name
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, tmp_path / name)
    return tmp_path / "main.py"


def record(lab: Lab, script: Path) -> Path:
    """Record one run of somebody else's, and name the record in the project's configuration.

    Their environment and their program are in other places, and so is their home.
    """
    output = script.with_name("record.toml")
    home = script.parent / "their home"
    environment = lab.environment(PACKAGE, rustext=True).parent.parent
    shutil.copytree(environment, home / "env", symlinks=True)
    shutil.copytree(PROGRAM, home / "app", ignore=shutil.ignore_patterns("latepack"))
    command = [str(home / "env" / "bin" / "python"), "-m", "rustext", "trace", "-o", str(output)]
    env = {**os.environ, "HOME": str(home), "USER": "they", "PYTHONDONTWRITEBYTECODE": "1"}
    check([*command, "--", "main.py"], cwd=home / "app", env=env)
    script.with_name("pyproject.toml").write_text('[tool.rustext]\ntrace = "record.toml"\n')
    return output


@pytest.mark.parametrize("freezer", ["nuitka", "pyinstaller"])
def test_the_record_makes_it_run(freezer: str, lab: Lab, script: Path) -> None:
    output = record(lab, script)
    frozen = lab.freeze(freezer, script, PACKAGE, out=script.parent / "build", rustext=True)
    ended = frozen.run(hide=[script.parent])
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout == lab.run_unfrozen(script, PACKAGE)
    bundle = read_bundle(frozen.bundle)
    assert verify(read_subject(bundle, stdlib=stdlib_environment(), trace=read_trace(output))).ok


def test_without_it_the_program_fails_and_verify_names_what_is_missing(
    lab: Lab, script: Path
) -> None:
    trace = read_trace(record(lab, script))
    script.with_name("pyproject.toml").unlink()
    out = script.parent / "build"
    frozen = lab.freeze("pyinstaller", script, PACKAGE, out=out, rustext=True)
    assert frozen.run(hide=[script.parent]).code != 0
    bundle = read_bundle(frozen.bundle)
    assert verify(
        read_subject(bundle, stdlib=stdlib_environment())
    ).ok  # nothing shows it without the record
    found = verify(read_subject(bundle, stdlib=stdlib_environment(), trace=trace)).findings
    named = {(f.id, f.subject) for f in found if f.severity.value == "error"}
    assert named >= {
        ("missing-import", "late.backends"),
        ("missing-import", "late.rules.r1"),
        ("missing-companion", "late/settings.cfg"),
        ("missing-companion", "late/work.py"),
        ("missing-companion", "own/greeting"),
    }


def test_a_run_by_the_tests_adds_no_more_than_a_run_of_the_program(lab: Lab, script: Path) -> None:
    """What the runner of tests and the tests do stays out of the bundle."""
    python = lab.environment(PACKAGE, "pytest==8.4.1", rustext=True)
    test = "def test_main():\n    import main\n"
    script.with_name("test_all.py").write_text(test)
    plugin = ["-p", "rustext.tracing.pytest_plugin", "--rustext-trace", "tested.toml"]
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run(
        [str(python), "-m", "pytest", "-q", *plugin, "test_all.py"],
        check=True, cwd=script.parent, env=env,
    )  # fmt: skip
    script.with_name("pyproject.toml").write_text('[tool.rustext]\ntrace = "tested.toml"\n')
    requirements = (PACKAGE, "pytest==8.4.1")
    out = script.parent / "build"
    frozen = lab.freeze("pyinstaller", script, *requirements, out=out, rustext=True)
    ended = frozen.run(hide=[script.parent])
    assert (ended.code, ended.stderr) == (0, "")
    modules = read_bundle(frozen.bundle).modules
    assert "late.backends" in modules
    assert not {"pytest", "_pytest", "test_all", "pluggy"} & modules
