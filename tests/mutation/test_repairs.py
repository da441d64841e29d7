"""Broken bundles are repaired: they run alone, verify clean, and nothing else in them changes.

`./test --repairs` does the same with every known way of breaking a bundle.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from bundles import REQUIREMENTS, Bundle
from lab import Lab
from mutations import MUTATIONS
from repairing import digests, faults, mend, run_repair, start

from rustext.api import verify

pytestmark = [pytest.mark.freezing, pytest.mark.network]

CASES = (
    ("delete_a_library", "nuitka"),
    ("lose_a_module_that_rust_imports", "nuitka"),
    ("drop_a_library_that_is_opened_by_path", "nuitka"),
    ("lose_a_module_that_rust_imports", "pyinstaller"),
    ("take_the_execute_bit", "pyinstaller"),
    ("put_another_library_under_a_name", "nuitka"),
)


@pytest.fixture(scope="module")
def python(cache: Path, wheel: Path) -> Path:
    """The interpreter of the environment that the good bundles were made from."""
    return Lab(cache, wheel).environment(*REQUIREMENTS, rustext=True)


@pytest.mark.parametrize(("name", "freezer"), CASES)
def test_a_broken_bundle_is_repaired(
    name: str,
    freezer: str,
    good_bundles: dict[str, Bundle],
    cache: Path,
    tmp_path: Path,
    python: Path,
) -> None:
    mutation = next(m for m in MUTATIONS if m.name == name)
    mended = mend(good_bundles[freezer], mutation, cache, tmp_path, python)
    assert (mended.broken.code == 0) == mutation.starts
    assert mended.code == 0, (mended.errors, mended.report)
    assert mended.repaired is not None
    assert mended.repaired.code == 0, mended.repaired.stderr
    assert mended.again is not None
    assert mended.again["repairs"] == []
    assert not mended.unnamed
    # Nuitka's table in the program names the module as the mutation has renamed it.
    renamed = (name, freezer) == ("lose_a_module_that_rust_imports", "nuitka")
    assert faults(mended.report, "after") == (["missing-import"] if renamed else [])


def test_two_c_libraries_are_left_a_finding(
    good_bundles: dict[str, Bundle], cache: Path, tmp_path: Path, python: Path
) -> None:
    mutation = next(m for m in MUTATIONS if m.name == "start_with_musls_loader")
    mended = mend(good_bundles["pyinstaller"], mutation, cache, tmp_path, python)
    assert mended.code == 1
    assert "libc-mix" in {f["id"] for f in mended.report["after"]["findings"]}


def test_a_module_in_a_package_inside_nuitkas_program_is_refused(
    good_bundles: dict[str, Bundle], cache: Path, tmp_path: Path, python: Path
) -> None:
    bundle = good_bundles["nuitka"].copy_to(tmp_path / "app")
    mutation = next(m for m in MUTATIONS if m.name == "lose_the_module_that_a_crate_imports")
    mutation.apply(bundle, cache)
    code, out, err = run_repair(bundle.root, "-o", tmp_path / "new", "--environment", python)
    assert (code, out) == (2, "")
    assert "`numpy._core` is inside the program, which looks for no file in it" in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "new").exists()
    # As it says: with the file in its place the program still does not find the module.
    (source,) = python.parent.parent.glob("lib/python*/site-packages/numpy/_core/multiarray.py")
    (bundle.root / "numpy" / "_core" / source.name).write_bytes(source.read_bytes())
    ended = start(bundle.root, bundle.program, python)
    assert ended.code != 0
    assert "cannot import name 'multiarray'" in ended.stderr  # `from . import multiarray`
    subjects = {f.subject for f in verify(bundle.root).findings if f.id == "missing-import"}
    assert "numpy._core.multiarray" in subjects


def test_without_an_environment_nothing_is_written(
    good_bundles: dict[str, Bundle], cache: Path, tmp_path: Path
) -> None:
    bundle = good_bundles["pyinstaller"].copy_to(tmp_path / "app")
    next(m for m in MUTATIONS if m.name == "delete_a_library").apply(bundle, cache)
    before = digests(bundle.root)
    code, out, err = run_repair(bundle.root, "--in-place")
    assert (code, out) == (2, "")
    assert "--environment" in err
    assert len(err.strip().splitlines()) == 1
    assert digests(bundle.root) == before
    assert [p.name for p in tmp_path.iterdir()] == ["app"]
