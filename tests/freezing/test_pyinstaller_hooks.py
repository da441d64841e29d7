"""The hooks as PyInstaller runs them: repeatable, and side by side with everybody else's."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from lab import HERE, ROOT, Frozen, Lab, check, install, uv

from rustext.api import verify

pytestmark = [pytest.mark.freezing, pytest.mark.network]

TWENTY = {
    "orjson": "3.13.0", "rpds-py": "", "pydantic-core": "2.50.4", "ormsgpack": "1.13.1",
    "jiter": "", "bcrypt": "", "cryptography": "", "nh3": "", "blake3": "", "rtoml": "",
    "css-inline": "", "whenever": "", "tiktoken": "", "primp": "", "pycrdt": "", "python-bidi": "",
    "fastuuid": "", "uuid-utils": "", "watchfiles": "", "sudachipy": "",
}  # fmt: skip
IMPORTS = """
import orjson, rpds, pydantic_core, ormsgpack, jiter, bcrypt, nh3, blake3, rtoml, css_inline
import whenever, tiktoken, primp, pycrdt, bidi, fastuuid, uuid_utils, watchfiles, sudachipy
import numpy, pydantic
from cryptography.hazmat.primitives import hashes
digest = hashes.Hash(hashes.SHA256())
digest.update(b"twenty")
print(digest.finalize().hex()[:16], bidi.get_display("abc"), whenever.Instant.from_utc(2024, 1, 1))
"""


# What others have hooks for, beside some of the twenty.
OTHERS = ("numpy", "pydantic", "sudachidict-core")


def pins() -> list[str]:
    twenty = [f"{name}=={version}" if version else name for name, version in TWENTY.items()]
    return [*twenty, *OTHERS]


def native_hashes(frozen: Frozen) -> dict[str, str]:
    files = [p for p in frozen.bundle.rglob("*") if re.search(r"\.so(\.|$)", p.name)]
    return {
        str(p.relative_to(frozen.bundle)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files
    }


def contents(frozen: Frozen) -> set[str]:
    """The files of a bundle and, by PyInstaller's own viewer, the modules in its archive."""
    files = {str(p.relative_to(frozen.bundle)) for p in frozen.bundle.rglob("*")}
    viewer = "-m PyInstaller.utils.cliutils.archive_viewer --list --recursive --brief".split()
    listed = check([str(frozen.python), *viewer, str(frozen.program)])
    return files | {f"module {name}" for name in re.findall(r"^ ([\w.]+)$", listed, re.MULTILINE)}


def test_twenty_rust_packages_give_the_same_bundle_twice(lab: Lab, tmp_path: Path) -> None:
    script = tmp_path / "app.py"
    script.write_text(IMPORTS)
    first, second = (
        lab.freeze("pyinstaller", script, *pins(), out=tmp_path / name, rustext=True)
        for name in ("one", "two")
    )
    assert contents(first) == contents(second)
    assert native_hashes(first) == native_hashes(second)
    ended = first.run(hide=[tmp_path])
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout == lab.run_unfrozen(script, *pins())
    assert verify(first.bundle).ok
    # What others bring for the same distributions is all there, as it is without us.
    without = lab.freeze("pyinstaller", script, *pins(), out=tmp_path / "none", rustext=False)
    assert "module orjson" in contents(without)
    assert contents(without) - contents(first) == set()
    for name in ("bcrypt", "cryptography", "numpy", "orjson", "pydantic", "sudachipy"):
        theirs = rf"hook 'hook-{name}\.py' from "
        assert re.search(theirs, without.log), f"nobody but us has a hook for {name}"
        assert re.search(theirs, first.log)
    for name in ("bcrypt", "cryptography", "orjson"):
        assert re.search(rf"hook 'hook-{name}\..+\.py' from .*rustext", first.log)
    assert "WARNING: rustext" not in first.log


def test_a_program_without_rust_is_frozen_as_without_rustext(lab: Lab, tmp_path: Path) -> None:
    script = tmp_path / "app.py"
    script.write_text("import json\nprint(json.dumps([1]))\n")
    with_, without = (
        lab.freeze("pyinstaller", script, out=tmp_path / str(rustext), rustext=rustext)
        for rustext in (True, False)
    )
    assert "rustext: no Rust extension is imported" in with_.log
    assert contents(with_) == contents(without)


# --- modules made at run time -------------------------------------------------------------------

LATE = {
    "late/__init__.py": "from late.api import ANSWER\n",
    "late/api.py": "from ._native.made import ANSWER\n",
    "app.py": "import late\nprint(late.ANSWER)\n",
}
ORMSGPACK = "ormsgpack==1.13.1"


@pytest.fixture
def late(tmp_path: Path, cache: Path) -> Path:
    """A program whose extension is imported by no name but that of a module that it makes."""
    source, crate = tmp_path / "source", ROOT / "tests" / "data" / "runtime_module"
    command = ["cargo", "build", "--quiet", "--release", "--offline", "--locked"]
    check([*command, "--target-dir", str(cache / "crates")], cwd=crate)
    for name, text in LATE.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text)
    shutil.copy(cache / "crates/release/libruntime_module.so", source / "late" / "_native.so")
    return source / "app.py"


def test_extension_known_by_a_run_time_name_alone_is_kept(
    lab: Lab, late: Path, tmp_path: Path
) -> None:
    without, frozen = (
        lab.freeze("pyinstaller", late, ORMSGPACK, out=tmp_path / str(rustext), rustext=rustext)
        for rustext in (False, True)
    )
    failed = without.run(hide=[late.parent])
    assert "No module named 'late._native'" in failed.stderr
    ended = frozen.run(hide=[late.parent])
    assert (ended.stdout, ended.stderr) == ("42\n", "")


# --- what others exclude ------------------------------------------------------------------------


def test_exclusion_of_what_rust_imports_is_reported(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "hook-ormsgpack.py").write_text("excludedimports = ['dataclasses']\n")
    script = tmp_path / "app.py"
    script.write_text("import ormsgpack\n")
    options = ["--exclude-module", "uuid", "--additional-hooks-dir", str(tmp_path)]
    frozen = lab.freeze(
        "pyinstaller", script, ORMSGPACK, out=tmp_path / "out", rustext=True, options=options
    )
    reported = re.findall(r"WARNING: rustext: (.*exclude.*)", frozen.log)
    module = "ormsgpack.ormsgpack needs"
    hook = f"{tmp_path}/hook-ormsgpack.py"
    assert reported == [
        f"this program excludes `uuid`, which {module}",
        f"{hook} excludes `dataclasses`, which {module}: it stays in the program",
    ]
    # Each line says what is so.
    assert "module dataclasses" in contents(frozen)
    assert "module uuid" not in contents(frozen)
    assert "No module named 'uuid'" in frozen.run().stderr


# --- ways to name the hooks ----------------------------------------------------------------------

SPEC = """
analysis = Analysis(["app.py"], hookspath=["rust_hooks"])
pyz = PYZ(analysis.pure)
exe = EXE(pyz, analysis.scripts, exclude_binaries=True, name="app")
COLLECT(exe, analysis.binaries, analysis.datas, name="app")
"""


def runs(program: Path, hide: Path) -> str:
    """What a program prints while its sources are out of the way."""
    hide.rename(hide.with_name("hidden"))
    done = subprocess.run([program], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_written_hooks_work_in_a_spec_file(lab: Lab, late: Path, tmp_path: Path) -> None:
    python = str(lab.environment(ORMSGPACK, rustext=True))
    source = late.parent
    check([python, "-m", "rustext", "hooks", "rust_hooks"], cwd=source)
    (source / "app.spec").write_text(SPEC)
    out = ["--distpath", str(tmp_path / "dist"), "--workpath", str(tmp_path / "build")]
    with late.open("a") as script:
        script.write("import ormsgpack\n")
    log = check([python, "-m", "PyInstaller", "--noconfirm", *out, "app.spec"], cwd=source)
    for name in ("late._native", "ormsgpack.ormsgpack"):
        assert re.search(rf"standard module hook 'hook-{name}\.py' from '.*/rust_hooks'", log)
    assert runs(tmp_path / "dist/app/app", hide=source) == "42\n"


def test_the_repository_hooks_work_as_they_stand(lab: Lab, tmp_path: Path) -> None:
    """From a checkout alone, into one file: of rustext, what it requires is installed here."""
    pins = ["pydantic-core==2.50.4", "macholib", "packaging", "pyelftools"]
    script = tmp_path / "app.py"
    script.write_text(
        "from pydantic_core import SchemaValidator, core_schema\n"
        "print(SchemaValidator(core_schema.uuid_schema()).validate_python('0' * 32))\n"
    )
    without = lab.freeze("pyinstaller", script, *pins, out=tmp_path / "none", rustext=False)
    assert "No module named 'uuid'" in without.run().stderr
    frozen = lab.freeze(
        "pyinstaller", script, *pins, out=tmp_path / "hooks", rustext=False, one_file=True,
        options=["--additional-hooks-dir", str(ROOT / "hooks")],
    )  # fmt: skip
    ended = frozen.run()
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout == lab.run_unfrozen(script, *pins)


def test_pyinstallers_own_hook_tests_run_and_pass(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")  # and none of a folder further up
    python = lab.environment("pytest", "psutil", ORMSGPACK, rustext=True)
    runner = "-m PyInstaller.utils.run_tests --include_only rustext_hooks".split()
    command = [str(python), *runner, "-c", str(tmp_path / "pytest.ini"), "-k", "test_extension"]
    log = check(command, cwd=ROOT / "tests" / "data")
    assert "2 passed" in log  # as a folder, and as one file


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="PyInstaller 6.0 ends at Python 3.12")
def test_oldest_pyinstaller_builds_a_working_program(lab: Lab, late: Path, tmp_path: Path) -> None:
    pins = HERE / "requirements-oldest-pyinstaller.txt"
    folder = lab.cache / "environments" / "oldest-pyinstaller"
    python = folder / "bin" / "python"
    if not python.exists():
        uv("venv", "-q", "--clear", "--python", sys.executable, str(folder))
    install(python, "-r", str(pins), ORMSGPACK, "cryptography")
    install(python, "--reinstall-package", "rustext", str(lab.wheel))
    with late.open("a") as script:
        script.write("import ormsgpack\n")
        script.write("from cryptography.hazmat.primitives.asymmetric import ed25519\n")
        script.write("print(len(ed25519.Ed25519PrivateKey.generate().sign(b'x')))\n")
    log = check([str(python), "-m", "PyInstaller", "--noconfirm", str(late)], cwd=tmp_path)
    assert "PyInstaller: 6.0.0" in log
    assert "WARNING: rustext" not in log
    printed = runs(tmp_path / "dist/app/app", hide=late.parent)
    assert printed == "42\n64\n"
