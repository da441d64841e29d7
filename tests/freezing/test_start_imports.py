"""What a program imports when it starts has to be there: each file is taken away, and it is run.

The run is the judge: an error means that the program does not start, and no error that it does.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bundles import NUMPY
from lab import Frozen, Lab

from rustext.environment.environment import stdlib_environment
from rustext.model.findings import Finding, Severity
from rustext.model.verification import VerifyReport
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.verify import read_subject, verify

pytestmark = [pytest.mark.freezing, pytest.mark.network]

# Nothing tells a bundle's reader the third number of the version, and `re` gets the names of its
# flags from a decorator.
PROGRAM = f"""
import json
import sys
from re import IGNORECASE

import numpy

if sys.version_info < (3, {sys.version_info[1]}, 1):
    import no_such_module

try:
    import ormsgpack
except ImportError:
    ormsgpack = None


def main():
    import decimal

    print(json.dumps(numpy.arange(3).tolist()), decimal.Decimal("1.5"), ormsgpack is not None)


if __name__ == "__main__":
    main()
"""
# What no reader of the program's own code can know: who imports it does so in native code, or below
# a condition that only a run decides.
BEYOND_READING = {"_datetime", "_posixsubprocess"}
TWO = """
main, other = Analysis(["main.py"], excludes=EXCLUDED), Analysis(["other.py"])
programs = [
    EXE(PYZ(a.pure), a.scripts, exclude_binaries=True, name=name)
    for a, name in ((main, "main"), (other, "another"))
]
COLLECT(*programs, main.binaries, other.binaries, main.datas, other.datas, name="two")
"""


def judge(bundle: Path) -> VerifyReport:
    return verify(read_subject(read_bundle(bundle), stdlib=stdlib_environment()))


def missing(report: VerifyReport) -> list[Finding]:
    return [f for f in report.findings if (f.id, f.severity) == ("missing-import", Severity.ERROR)]


def starts(program: Path) -> bool:
    done = subprocess.run([program], capture_output=True, check=False, timeout=60)
    return done.returncode == 0


@pytest.fixture(scope="module")
def frozen(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Frozen]:
    """The program, frozen once by each freezer without rustext."""
    made: dict[str, Frozen] = {}

    def freeze(freezer: str) -> Frozen:
        if freezer not in made:
            out = tmp_path_factory.mktemp(freezer)
            (out / "app.py").write_text(PROGRAM)
            made[freezer] = lab.freeze(
                freezer, out / "app.py", NUMPY, "ormsgpack==1.13.1", out=out, rustext=False
            )
        return made[freezer]

    return freeze


def test_a_missing_extension_is_an_error_where_the_program_does_not_start_without_it(
    frozen: Callable[[str], Frozen], tmp_path: Path
) -> None:
    app = frozen("pyinstaller")
    assert starts(app.program)
    assert missing(judge(app.bundle)) == []
    files = [(p, f.module) for p, f in read_bundle(app.bundle).files if f.module is not None]
    broken, missed = set(), set()
    for path, module in files:
        if path.is_symlink() or "tests" in module:
            continue
        shutil.move(path, tmp_path / "aside")
        try:
            runs, found = starts(app.program), missing(judge(app.bundle))
        finally:
            shutil.move(tmp_path / "aside", path)
        assert not (runs and found), (module, found)
        if not runs:
            broken.add(module)
            if not found:
                missed.add(module)
    assert {"_struct", "zlib", "math", "_decimal", "numpy._core._multiarray_umath"} - broken <= {
        "_decimal"  # which Python has a second time, as code
    }
    assert missed <= BEYOND_READING


def test_without_all_of_its_standard_library_a_program_does_not_start(
    frozen: Callable[[str], Frozen], tmp_path: Path
) -> None:
    app = frozen("pyinstaller")
    copy = shutil.copytree(app.bundle, tmp_path / "app", symlinks=True)
    for name in ("base_library.zip", "lib-dynload"):
        (gone,) = copy.rglob(name)
        shutil.move(gone, tmp_path / name)
        assert not starts(copy / "app")
        assert missing(judge(copy))
        shutil.move(tmp_path / name, gone)
    assert missing(judge(copy)) == []


def test_all_extensions_of_nuitkas_table_are_files(
    frozen: Callable[[str], Frozen], tmp_path: Path
) -> None:
    app = frozen("nuitka")
    program = app.program.name
    before = {f.subject for f in missing(judge(app.bundle))}
    for name in ("math.so", "numpy/_core/_multiarray_umath.so"):
        copy = shutil.copytree(app.bundle, tmp_path / name.replace("/", "."), symlinks=True)
        (copy / name).unlink()
        assert not starts(copy / program)
        assert {f.subject for f in missing(judge(copy))} - before == {
            name.removesuffix(".so").replace("/", ".")
        }


@pytest.mark.parametrize("helpful", [False, True])
def test_each_program_of_a_folder_has_its_own_modules(
    helpful: bool, lab: Lab, tmp_path: Path
) -> None:
    """`uuid` is imported by native code alone, of the one program that has it as an extension."""
    excluded = [] if helpful else ["uuid"]
    (tmp_path / "two.spec").write_text(f"EXCLUDED = {excluded}\n{TWO}")
    (tmp_path / "main.py").write_text(
        "import ormsgpack\nprint(ormsgpack.packb({}))\n" + "import uuid\n" * helpful
    )
    (tmp_path / "other.py").write_text("print('well')\n" + "import uuid\n" * (not helpful))
    made = lab.freeze(
        "pyinstaller", tmp_path / "two.spec", "ormsgpack==1.13.1", out=tmp_path, rustext=False
    )
    runs = {name: starts(made.bundle / name) for name in ("main", "another")}
    assert runs == {"main": helpful, "another": True}
    report = judge(made.bundle)
    assert {p.name: p.ok for p in report.programs} == runs
    about = {dict(f.evidence)["program"] for f in missing(report)}
    assert about == (set() if helpful else {"main"})
    assert all(p.followed > 20 for p in report.programs)


def test_a_module_that_native_code_enters_needs_no_file(lab: Lab, tmp_path: Path) -> None:
    """PyO3's submodules are in `sys.modules` before anybody looks for a file.

    The file that is there too is never run: it imports from a module that nobody has.
    """
    (tmp_path / "app.py").write_text("from gtars.models import RegionSet\nprint(RegionSet)\n")
    app = lab.freeze(
        "pyinstaller", tmp_path / "app.py", "gtars==0.10.0", out=tmp_path, rustext=True
    )
    assert starts(app.program)
    assert missing(judge(app.bundle)) == []
    (native,) = app.bundle.rglob("gtars.cpython*.so")
    native.unlink()
    assert not starts(app.program)
    assert missing(judge(app.bundle)) != []


ADDS_FOLDERS = """
import os, sys

sys.path.append(os.path.join(os.path.dirname(__file__), "plugins"))
try:
    import optional
except ModuleNotFoundError:
    pass
else:
    from kit import optional_part
try:
    import extra
except ModuleNotFoundError:
    import nowhere
"""


@pytest.mark.parametrize("there", [False, True])
def test_what_depends_on_an_optional_module_is_not_missed_without_it(
    there: bool, lab: Lab, tmp_path: Path
) -> None:
    """Even where folders are added to `sys.path`, a module has to be a file somewhere."""
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit/__init__.py").touch()
    (tmp_path / "kit/optional_part.py").write_text("import optional, another\n")
    (tmp_path / "app.py").write_text(ADDS_FOLDERS)
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins/extra.py").touch()
    app = lab.freeze("pyinstaller", tmp_path / "app.py", out=tmp_path / "out", rustext=False)
    shutil.copytree(tmp_path / "plugins", app.bundle / "_internal/plugins")
    if there:
        (app.bundle / "_internal/plugins/optional.py").touch()
    assert starts(app.program) is not there
    found = {f.subject for f in judge(app.bundle).findings if f.id == "missing-import"}
    assert "another" in found if there else found == set()


def test_a_module_may_come_from_a_folder_that_its_package_puts_on_the_path(
    lab: Lab, tmp_path: Path
) -> None:
    """As copies of other packages do, below a package of their own: `kit/_vendor`."""
    adds = "import os, sys\nsys.path.append(os.path.join(os.path.dirname(__file__), '_vendor'))\n"
    files = {
        "app.py": "import space.other, kit\ndef never(): import kit._vendor.space.inner\n",
        "space/other.py": "",
        "kit/__init__.py": f"{adds}from space.inner import found\n",
        "kit/_vendor/space/inner.py": "found = True\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    app = lab.freeze("pyinstaller", tmp_path / "app.py", out=tmp_path / "out", rustext=False)
    assert starts(app.program)
    assert missing(judge(app.bundle)) == []
    (tmp_path / "app.py").write_text("import space.other, kit\n")
    lacking = lab.freeze("pyinstaller", tmp_path / "app.py", out=tmp_path / "more", rustext=False)
    assert not starts(lacking.program)
    assert [f.subject for f in missing(judge(lacking.bundle))] == ["space.inner"]
