"""Nothing is brought from a distribution that the bundle has in another version."""

from __future__ import annotations

import marshal
import sys
from pathlib import Path

import pytest
from compiling import Compile
from environments import environment, install, write_files

from rustext.config import Config
from rustext.environment.environment import stdlib_environment
from rustext.formats.marshal_reader import parse_code
from rustext.repair.origin import Origin
from rustext.repair.repair import Repaired, Wanted, repair_copy
from rustext.repair.versions import Versions, differ
from rustext.verify.bundle.bundle import read_bundle

MAIN = "int own(void); int main(void) { return own(); }"
OWN = "int own(void) { return 0; }"
SUFFIX = ".abi3.so"


@pytest.fixture
def program(gcc: Compile) -> tuple[Path, Path]:
    """A program, and the library that it needs."""
    own = gcc("libown.so.1", OWN, "-shared", "-fPIC", "-Wl,-soname,libown.so.1")
    return gcc("app", MAIN, str(own), "-Wl,-rpath,$ORIGIN"), own


def mend(tmp_path: Path, program: tuple[Path, Path], *kept: str) -> Repaired:
    """Repair a bundle with these folders of metadata; the environment has version 2.0."""
    bundle, site = tmp_path / "app.dist", tmp_path / "site"
    write_files(bundle, {"app": program[0], **{f"{name}/METADATA": "" for name in kept}})
    (bundle / "app").chmod(0o755)
    install(site, "own-lib", "2.0", files={"libown.so.1": program[1]})
    origin = Origin(environment(site), Config())
    return repair_copy(
        read_bundle(bundle), bundle, Wanted(stdlib=stdlib_environment(), origin=origin)
    )


@pytest.mark.parametrize("kept", [(), ("own_lib-2.0.dist-info",), ("own_lib-2.dist-info",)])
def test_a_library_comes_from_the_version_that_the_bundle_has(
    tmp_path: Path, program: tuple[Path, Path], kept: tuple[str, ...]
) -> None:
    done = mend(tmp_path, program, *kept)
    assert [str(r.place) for r in done.repairs] == ["libown.so.1"]
    assert not done.unrepaired


def test_metadata_that_is_there_twice_is_not_brought_once_more(
    tmp_path: Path, program: tuple[Path, Path]
) -> None:
    kept = install(tmp_path / "site", "own-lib", "2.0")
    files = {
        f"own_lib-2.0.{kind}/METADATA": kept / "METADATA" for kind in ("dist-info", "egg-info")
    }
    write_files(tmp_path / "app.dist", files)
    done = mend(tmp_path, program)
    assert [str(r.place) for r in done.repairs] == ["libown.so.1"]
    assert [f.id for f in done.report.findings] == ["missing-metadata"]


@pytest.mark.parametrize("kept", ["own_lib-1.0.dist-info", "Own.Lib-1.0-py3.11.egg-info"])
def test_no_file_comes_from_another_version(
    tmp_path: Path, program: tuple[Path, Path], kept: str
) -> None:
    done = mend(tmp_path, program, kept)
    assert not done.repairs
    (left,) = done.unrepaired
    assert left.finding.subject == "libown.so.1"
    assert "the environment has own-lib 2.0, and the bundle own-lib 1.0" in left.reason
    assert "the environment that the bundle was made from" in left.reason


@pytest.mark.parametrize(
    ("code", "flags", "damaged", "same"),
    [
        (OWN, (), (), True),
        (OWN, ("-Wl,-rpath,$ORIGIN/somewhere",), (), True),  # as freezers change it
        ("int own(void) { return 41; }", (), (), False),
        ("int own(void) { return 41; }", (), ("app.dist/pkg/core.abi3.so",), True),
    ],
    ids=["same", "other run path", "other code", "damaged"],
)
def test_without_metadata_machine_code_tells(
    tmp_path: Path,
    gcc: Compile,
    program: tuple[Path, Path],
    code: str,
    flags: tuple[str, ...],
    damaged: tuple[str, ...],
    same: bool,
) -> None:
    shared = ("-shared", "-fPIC")
    ours = gcc("ours", f"{code} void *PyInit_core(void) {{ return 0; }}", *shared, *flags)
    theirs = gcc("theirs", f"{OWN} void *PyInit_core(void) {{ return 0; }}", *shared)
    site, root = tmp_path / "site", tmp_path / "app.dist"
    install(site, "pkg", files={f"pkg/core{SUFFIX}": theirs, "pkg/__init__.py": ""})
    write_files(root, {"app": program[0], f"pkg/core{SUFFIX}": ours})
    (root / "app").chmod(0o755)
    env = environment(site)
    versions = Versions(env, read_bundle(root), None, damaged)
    why = versions.why_not(site / "pkg/__init__.py")
    assert (why is None) == same
    if why is not None:
        assert "has pkg 1.0, and the bundle's `pkg.core` is of another version" in why


SOURCE = """\
__version__ = "1.0"
class A:
    def f(self) -> int:
        return self.__x + len("")
"""


@pytest.mark.parametrize(
    ("source", "other"),
    [
        (SOURCE, False),
        (f"# a comment\n{SOURCE}", False),
        (SOURCE.replace("1.0", "2.0"), True),
        (SOURCE.replace("len", "max"), True),
        (f"{SOURCE}\ndef newer() -> None: ...\n", True),
        ("this is no Python", False),
        ("", True),
    ],
)
def test_the_names_in_a_modules_code_tell_its_version(
    tmp_path: Path, source: str, other: bool
) -> None:
    code = compile(SOURCE, "m.py", "exec")
    (tmp_path / "m.py").write_text(source)
    parsed = parse_code(marshal.dumps(code), sys.version_info[:2])
    assert differ(parsed, tmp_path / "m.py") == other
