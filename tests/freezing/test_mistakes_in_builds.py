"""Real builds of programs with something wrong beside them: how they end, and what they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lab import HERE, Lab, install, uv

pytestmark = [pytest.mark.freezing, pytest.mark.network]

ORMSGPACK = "ormsgpack==1.13.1"
PROGRAM = 'import ormsgpack; print(ormsgpack.unpackb(ormsgpack.packb({"a": 1})))\n'
RESULT = "{'a': 1}\n"

# What is written beside the program, the variables that are set, and what the line ends with.
MISTAKES: dict[str, tuple[str, dict[str, str], str]] = {
    "option": (
        "[tool.rustext]\nincludes = []",
        {},
        "no option `includes`; did you mean `include`?",
    ),
    "value": ('[tool.rustext]\noptional = "always"', {}, '"installed", "present", "never"'),
    "TOML": ("[tool.rustext", {}, "(at end of document)"),
    "deep": ("a = " + "[" * 100_000, {}, "pyproject.toml is nested too deeply"),
    "module": ('[tool.rustext]\ninclude = ["jsn"]', {}, "here; did you mean `json`?"),
    "record": (
        '[tool.rustext]\ntrace = "t.toml"',
        {},
        "t.toml cannot be read: no such file or dir",
    ),
    "target": ('[tool.rustext]\ntarget = "linux"', {}, "win_amd64"),
    "variable": ("", {"RUSTEXT_BUILD_SELFTEST": "yes"}, "'yes'; it must be 1 or 0"),
}


def pyinstaller(
    python: Path, folder: Path, *options: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Build `app.py` of a folder, from another one."""
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    command = [python, "-m", "PyInstaller", "--noconfirm", *options, folder / "app.py"]
    env = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), **variables}
    return subprocess.run(
        command, cwd=elsewhere, env=env, capture_output=True, text=True, check=False, timeout=600
    )


def runs(folder: Path) -> str:
    """What the program prints that `pyinstaller` has built."""
    program = folder / "elsewhere/dist/app/app"
    return subprocess.run([program], capture_output=True, text=True, check=True).stdout


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    """The line of rustext's at the end of a build, without time and level."""
    return done.stderr.splitlines()[-1].partition(": ")[2]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(PROGRAM)
    return tmp_path


@pytest.fixture(scope="module")
def oldest(lab: Lab) -> Path:
    """The oldest PyInstaller's interpreter."""
    if sys.version_info >= (3, 13):
        pytest.skip("PyInstaller 6.0 ends at Python 3.12")
    folder = lab.cache / "environments" / "oldest-pyinstaller-mistakes"
    python = folder / "bin" / "python"
    if not python.exists():
        uv("venv", "-q", "--clear", "--python", sys.executable, str(folder))
    install(python, "-r", str(HERE / "requirements-oldest-pyinstaller.txt"), ORMSGPACK)
    install(python, "--reinstall-package", "rustext", str(lab.wheel))
    return python


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_mistake_ends_a_build_with_pyinstaller(lab: Lab, program: Path, kind: str) -> None:
    text, variables, said = MISTAKES[kind]
    (program / "pyproject.toml").write_text(text)
    python = lab.environment(ORMSGPACK, rustext=True)
    for options in ([], ["--log-level", "ERROR"]):
        done = pyinstaller(python, program, *options, **variables)
        assert done.returncode == 1
        *before, last = done.stderr.splitlines()
        assert last.startswith("ERROR: rustext: ")
        assert said in last
        assert not any("rustext: " in line and "INFO" not in line for line in before)
    assert not (program / "elsewhere/dist/app").exists()


def test_a_mistake_ends_a_build_with_the_oldest_pyinstaller(oldest: Path, program: Path) -> None:
    (program / "pyproject.toml").write_text(MISTAKES["option"][0])
    for options in ([], ["--log-level", "ERROR"]):
        done = pyinstaller(oldest, program, *options)
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].endswith(MISTAKES["option"][2])
    (program / "pyproject.toml").write_text("")
    done = pyinstaller(oldest, program)
    assert done.returncode == 0
    assert last_line(done).startswith("rustext: Rust extensions: 1, modules added: ")
    assert runs(program) == RESULT


@pytest.mark.parametrize("kind", ["value", "module", "variable"])
def test_a_mistake_ends_a_build_with_nuitka(lab: Lab, program: Path, kind: str) -> None:
    text, variables, said = MISTAKES[kind]
    (program / "pyproject.toml").write_text(text)
    python = lab.environment(ORMSGPACK, rustext=True)
    env = {**os.environ, "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}", **variables}
    command = [python, "-m", "nuitka", "--standalone", "--enable-plugin=rustext", "--quiet"]
    command += ["--generate-c-only", program / "app.py"]
    done = subprocess.run(
        command, cwd=program, env=env, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 1
    assert said in " ".join(done.stderr.split())


def test_the_folder_that_nuitka_takes_for_a_program_has_the_configuration(
    lab: Lab, tmp_path: Path
) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg/__main__.py").write_text(PROGRAM)
    (tmp_path / "pkg/pyproject.toml").write_text(MISTAKES["option"][0])
    python = lab.environment(ORMSGPACK, rustext=True)
    env = {**os.environ, "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}
    command = [python, "-m", "nuitka", "--standalone", "--enable-plugin=rustext", "--quiet"]
    done = subprocess.run(
        [*command, "--generate-c-only", tmp_path / "pkg"],
        cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 1
    assert MISTAKES["option"][2] in " ".join(done.stderr.split())


# --- builds that go on ----------------------------------------------------------------------------


def test_a_changed_configuration_counts_in_the_next_build(lab: Lab, program: Path) -> None:
    """PyInstaller takes a program's analysis from the build before, where it sees no change."""
    python = lab.environment(ORMSGPACK, rustext=True)
    first = pyinstaller(python, program)
    added = re.search(r"rustext: Rust extensions: 1, modules added: (\d+)", first.stderr)
    assert added
    same = pyinstaller(python, program)
    assert "hook-ormsgpack" not in same.stderr
    assert re.search(r"rustext: \d+ modules of this environment have hooks", same.stderr)
    (program / "pyproject.toml").write_text('[tool.rustext]\ninclude = ["wave"]\n')
    changed = pyinstaller(python, program)
    assert last_line(changed).startswith(
        f"rustext: Rust extensions: 1, modules added: {int(added[1]) + 1},"
    )
    (program / "app.py").write_text("print('no Rust')\n")
    later = time.time() + 2  # PyInstaller compares times of files in whole seconds
    os.utime(program / "app.py", (later, later))
    without = pyinstaller(python, program)
    assert last_line(without) == "rustext: no Rust extension is imported; nothing was added"


def test_a_package_folder_has_a_configuration_too(lab: Lab, program: Path) -> None:
    """The entry point is only told of the folder above it, by PyInstaller's search path."""
    (program / "__init__.py").touch()
    (program / "pyproject.toml").write_text("[tool.rustext]\nselftest = true\n")
    done = pyinstaller(lab.environment(ORMSGPACK, rustext=True), program)
    assert done.returncode == 0
    assert runs(program) == RESULT
    asked = subprocess.run(
        [program / "elsewhere/dist/app/app"], env={**os.environ, "RUSTEXT_SELFTEST": "1"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert '"module": "ormsgpack.ormsgpack"' in asked.stdout


LATIN = "# -*- coding: latin-1 -*-\nhiddenimports = ['wave']  # \xe4\n".encode("latin-1")


@pytest.mark.parametrize("hook", [b"hiddenimports = ['wave']\n", LATIN])
def test_an_extension_without_a_hook_of_ours_is_completed(
    lab: Lab, program: Path, hook: bytes
) -> None:
    """A hook of the user's goes before all others; PyInstaller compares none that is not UTF-8."""
    (program / "hooks").mkdir()
    (program / "hooks/hook-ormsgpack.ormsgpack.py").write_bytes(hook)
    python = lab.environment(ORMSGPACK, rustext=True)
    done = pyinstaller(python, program, "--additional-hooks-dir", str(program / "hooks"))
    assert done.returncode == 0, done.stderr
    assert last_line(done).startswith("rustext: Rust extensions: 1, modules added: ")
    assert runs(program) == RESULT


SPEC = """\
for name in ("one", "two"):
    made = Analysis([{script!r}])
    pyz = PYZ(made.pure)
    exe = EXE(pyz, made.scripts, exclude_binaries=True, name=name)
    COLLECT(exe, made.binaries, made.datas, name=name)
"""


def build_spec(python: Path, folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Build what a spec file in a folder says."""
    (folder / "both.spec").write_text(text)
    command = [python, "-m", "PyInstaller", "--noconfirm", "--log-level", "ERROR", "both.spec"]
    env = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=600
    )


def test_each_analysis_of_a_spec_file_is_completed(lab: Lab, program: Path) -> None:
    """Two of one script, whose modules and files PyInstaller does not find; then a mistake."""
    (program / "pyproject.toml").write_text("[tool.rustext]\nleave-plan = true\n")
    python = lab.environment(ORMSGPACK, rustext=True)
    script = str(program / "app.py")
    done = build_spec(python, program, SPEC.format(script=script))
    assert done.returncode == 0, done.stderr
    bundles = [program / "dist" / name for name in ("one", "two")]
    for bundle in bundles:
        run = subprocess.run([bundle / bundle.name], capture_output=True, text=True, check=False)
        assert (run.stdout, run.stderr) == (RESULT, "")
    first, second = ({p.relative_to(b) for p in b.rglob("*")} for b in bundles)
    assert {p for p in first if p.name != "one"} == {p for p in second if p.name != "two"}
    (program / "other").mkdir()
    (program / "other/app.py").write_text(PROGRAM)
    (program / "other/pyproject.toml").write_text("[tool.rustext]\nincludes = []\n")
    later = str(program / "other/app.py")
    text = SPEC.format(script=script).replace(
        repr(script), f"{script!r} if name == 'one' else {later!r}"
    )
    done = build_spec(python, program, text)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("no option `includes`; did you mean `include`?")


def test_a_hook_of_the_programs_own_puts_out_none_of_ours(lab: Lab, program: Path) -> None:
    """rustext hangs on two modules that are in each program."""
    for name in ("hook-reprlib.py", "pre_safe_import_module/hook-reprlib.py"):
        (program / "hooks" / name).parent.mkdir(exist_ok=True)
        (program / "hooks" / name).write_text("def pre_safe_import_module(api): pass\n")
    python = lab.environment(ORMSGPACK, rustext=True)
    options = ("--additional-hooks-dir", str(program / "hooks"))
    done = pyinstaller(python, program, *options)
    assert done.returncode == 0, done.stderr
    assert last_line(done).startswith("rustext: Rust extensions: 1, modules added: ")
    assert runs(program) == RESULT
    (program / "hooks/hook-keyword.py").touch()  # and now both are the program's
    done = pyinstaller(python, program, *options, "--clean")
    assert done.returncode == 0, done.stderr
    assert last_line(done).startswith("rustext: the program is not completed, as no hook of ")
    assert "hooks of its own for keyword and reprlib, which run in the place of" in done.stderr
    (program / "hooks/hook-keyword.py").unlink()
    (program / "pyproject.toml").write_text(MISTAKES["option"][0])
    assert pyinstaller(python, program, *options).returncode == 1


def test_hooks_far_away_that_are_not_utf_8_end_no_build(
    lab: Lab, program: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """PyInstaller ends where it compares one with another of its name."""
    far = tmp_path_factory.mktemp("far")
    for name in ("hook-reprlib.py", "hook-ormsgpack.ormsgpack.py"):
        (far / name).write_bytes(LATIN)
    python = lab.environment(ORMSGPACK, rustext=True)
    done = pyinstaller(python, program, "--additional-hooks-dir", str(far))
    assert done.returncode == 0, done.stderr
    assert last_line(done).startswith("rustext: Rust extensions: 1, modules added: ")
    assert runs(program) == RESULT


def test_modules_of_the_current_folder_are_not_run_by_a_build(lab: Lab, program: Path) -> None:
    """It is first in the search path with `python -m PyInstaller`, and the program names none."""
    (program / "elsewhere").mkdir()
    for name in ("difflib", "platformdirs", "rustext", "elftools", "macholib", "tomllib"):
        (program / "elsewhere" / f"{name}.py").write_text("raise SystemExit('it ran')\n")
    python = lab.environment(ORMSGPACK, rustext=True)
    done = pyinstaller(python, program)
    assert done.returncode == 0, done.stderr
    assert last_line(done).startswith("rustext: Rust extensions: 1, modules added: ")
    assert "it ran" not in done.stderr
    assert runs(program) == RESULT
    (program / "pyproject.toml").write_text(MISTAKES["option"][0])
    done = pyinstaller(python, program)
    assert done.returncode == 1
    assert last_line(done).endswith(MISTAKES["option"][2])


@pytest.mark.parametrize("options", [(), ("--enable-plugin=rustext",)])
def test_modules_of_the_current_folder_are_not_run_by_a_build_with_nuitka(
    options: tuple[str, ...], lab: Lab, program: Path
) -> None:
    """Nor where the plugin is only asked whether the program would need it."""
    for name in ("rustext", "tomllib", "elftools"):
        (program / f"{name}.py").write_text("raise SystemExit('it ran')\n")
    python = lab.environment(ORMSGPACK, rustext=True)
    env = {**os.environ, "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}
    command = [python, "-m", "nuitka", "--standalone", "--generate-c-only", *options, "app.py"]
    done = subprocess.run(
        command, cwd=program, env=env, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert "it ran" not in done.stdout + done.stderr
    assert "WARNING: rustext: failed" not in done.stderr


PROVIDER = "def get():\n    return [{!r}]\n"
METADATA = "Metadata-Version: 2.1\nName: provider\nVersion: 1.0\n"


def test_a_hook_that_is_not_utf_8_works_and_a_file_that_cannot_be_read_is_named(
    lab: Lab, program: Path
) -> None:
    site, hooks = program / "site", program / "site" / "their_hooks"
    (site / "provider-1.0.dist-info").mkdir(parents=True)
    hooks.mkdir()
    (site / "provider.py").write_text(PROVIDER.format(str(hooks)))
    (site / "provider-1.0.dist-info/METADATA").write_text(METADATA)
    points = "[pyinstaller40]\nhook-dirs = provider:get\n"
    (site / "provider-1.0.dist-info/entry_points.txt").write_text(points)
    (hooks / "hook-ormsgpack.ormsgpack.py").write_bytes(LATIN)
    (site / "looped-1.0.dist-info").mkdir()
    (site / "looped-1.0.dist-info/METADATA").write_text(METADATA.replace("provider", "looped"))
    record = site / "looped-1.0.dist-info/RECORD"
    record.symlink_to("RECORD")
    python = lab.environment(ORMSGPACK, rustext=True)
    done = pyinstaller(python, program, PYTHONPATH=str(site))
    assert done.returncode == 0, done.stderr
    assert last_line(done).startswith("rustext: Rust extensions: 1, modules added: ")
    assert re.search(r"hook 'hook-ormsgpack\.ormsgpack\.py' from .*their_hooks", done.stderr)
    assert done.stderr.count(f"WARNING: rustext: cannot read `{record}`: ") == 1
    assert runs(program) == RESULT


def test_a_rustext_that_does_not_work_is_said_to_add_nothing(lab: Lab, program: Path) -> None:
    (program / "ahead").mkdir()
    (program / "ahead/sitecustomize.py").write_text(
        "import sys\n"
        "class Finder:\n"
        "    def find_spec(name, *_):\n"
        "        if name == 'rustext':\n"
        "            raise RuntimeError('deliberate')\n"
        "sys.meta_path.insert(0, Finder)\n"
    )
    python = lab.environment(ORMSGPACK, rustext=True)
    done = pyinstaller(python, program, PYTHONPATH=str(program / "ahead"))
    assert done.returncode == 0
    why = "RuntimeError('deliberate')"
    assert last_line(done) == f"rustext: nothing was added to this program: {why}"
    quiet = pyinstaller(
        python, program, "--clean", "--log-level", "ERROR", PYTHONPATH=str(program / "ahead")
    )
    assert quiet.returncode == 0
    assert f"rustext: nothing is added to this program: {why}" in quiet.stderr


def test_a_folder_for_hooks_that_cannot_be_made_is_said_and_costs_little(
    lab: Lab, program: Path
) -> None:
    (program / "cache").touch()  # where a folder is wanted
    (program / "temporary").mkdir()
    (program / "temporary" / f"rustext-{os.getuid()}").touch()
    python = lab.environment(ORMSGPACK, rustext=True)
    done = pyinstaller(python, program, "--clean", TMPDIR=str(program / "temporary"))
    assert done.returncode == 0
    assert "ERROR: rustext: no hooks are written for this environment: there is no" in done.stderr
    assert runs(program) == RESULT
