"""Finders of editable installs, in the words of each build backend.

`tests/end_to_end/test_editable_installs.py` lets the backends write them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from environments import environment, write_files

from rustext.environment import editable_installs
from rustext.environment.editable_installs import find_editable, link_folder, walk
from rustext.environment.environment import with_editable
from rustext.errors import UnreadableFile


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    write_files(folder, {"core/__init__.py": "", "core/sub/__init__.py": "", "one.py": ""})
    write_files(folder, {"built/_core.so": "", "other/__init__.py": ""})
    return folder


def finder(kind: str, source: Path) -> tuple[str, str]:
    """The name and the text of a finder that serves `pkg` from `source/core`."""
    core = source / "core"
    match kind:
        case "setuptools":
            return "__editable___pkg_1_0_finder.py", (
                f"import sys\nMAPPING: dict[str, str] = {{'pkg': {str(core)!r}, "
                f"'solo': {str(source / 'one')!r}, 'ns.inner': {str(source / 'other')!r}}}\n"
                "NAMESPACES: dict[str, list[str]] = {'ns': []}\n"
            )
        case "editables":
            return "_editable_impl_pkg.py", (
                "from editables.redirector import RedirectingFinder as F\nF.install()\n"
                f"F.map_module('pkg', {str(core / '__init__.py')!r})\n"
            )
        case "scikit-build-core":
            return "_editable_skbc_pkg.py", (
                "def install(known, wheel, *rest):\n    pass\n\n"
                f"install({{'pkg': {str(core / '__init__.py')!r}}}, "
                "{'pkg._core': 'pkg/_core.so'}, None, False)\n"
            )
    plan = {
        "python": {str(core / "__init__.py"): {"destination": "{py_platlib}/pkg/__init__.py"}},
        "targets": {
            str(source / "built" / "_core.so"): {"destination": "{py_platlib}/pkg/_core.so"}
        },
        "man": {"x.1": {"destination": "{mandir}/x.1"}},
    }
    write_files(source / "build", {"meson-info/intro-install_plan.json": json.dumps(plan)})
    return "_pkg_editable_loader.py", (
        f"def init():\n    MesonpyMetaFinder('pkg', {{'pkg'}}, {str(source / 'build')!r}, [], 0)\n"
    )


KINDS = ("setuptools", "editables", "scikit-build-core", "meson-python")


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_finder_serves_is_found(kind: str, source: Path, tmp_path: Path) -> None:
    name, text = finder(kind, source)
    site = tmp_path / "site"
    write_files(site, {name: text, "pkg/_core.so": ""})
    env = with_editable(environment(site).interpreter)
    assert env.faults == ()
    found = env.find_module("pkg")
    assert found is not None
    assert found.path is not None
    assert found.path.resolve() == source / "core" / "__init__.py"
    links = env.sites[0 if kind in {"scikit-build-core", "meson-python"} else -1]
    walked = {Path(folder, name).resolve() for folder, _, names in walk(links) for name in names}
    assert source / "core" / "__init__.py" in walked
    expected = {
        "setuptools": {"solo": source / "one.py", "ns.inner": source / "other" / "__init__.py",
                       "pkg.sub": source / "core" / "sub" / "__init__.py"},
        "editables": {"pkg.sub": source / "core" / "sub" / "__init__.py"},
        "scikit-build-core": {"pkg._core": site / "pkg" / "_core.so"},
        "meson-python": {"pkg._core": source / "built" / "_core.so"},
    }[kind]  # fmt: skip
    for module, file in expected.items():
        found = env.find_module(module)
        assert found is not None, module
        assert found.path is not None
        assert found.path.resolve() == file


@pytest.mark.parametrize("kind", KINDS)
def test_a_finder_that_says_nothing_is_named(kind: str, source: Path, tmp_path: Path) -> None:
    name, _ = finder(kind, source)
    write_files(tmp_path / "site", {name: "raise SystemExit('not run')\n"})
    found = find_editable([tmp_path / "site"])
    assert not found.modules
    assert [fault.path.name for fault in found.faults] == [name]
    assert "without `-e`" in str(found.faults[0])


def test_the_sources_are_only_linked_to(source: Path, tmp_path: Path) -> None:
    name, text = finder("scikit-build-core", source)
    write_files(tmp_path / "site", {name: text, "pkg/_core.so": ""})
    before = sorted(map(str, source.rglob("*")))
    found = find_editable([tmp_path / "site"])
    assert link_folder(found) == link_folder(found)
    assert sorted(map(str, source.rglob("*"))) == before


def test_a_file_that_is_new_in_a_merged_package_is_found(source: Path, tmp_path: Path) -> None:
    name, text = finder("scikit-build-core", source)
    write_files(tmp_path / "site", {name: text, "pkg/_core.so": ""})
    link_folder(find_editable([tmp_path / "site"]))
    write_files(source, {"core/late.py": ""})
    env = with_editable(environment(tmp_path / "site").interpreter)
    assert env.find_module("pkg.late") is not None


def test_a_folder_of_the_path_comes_before_a_finder_that_is_asked_last(
    source: Path, tmp_path: Path
) -> None:
    name, text = finder("setuptools", source)
    write_files(tmp_path / "site", {name: text})
    write_files(tmp_path / "program", {"pkg/__init__.py": "", "pkg/own.py": ""})
    env = with_editable(environment(tmp_path / "program", tmp_path / "site").interpreter)
    assert env.find_module("pkg.own") is not None


def test_packages_that_are_links_are_walked_and_circles_are_not(tmp_path: Path) -> None:
    site = tmp_path / "site"
    write_files(site, {"own/deep/file.so": "", "own/__pycache__/x.pyc": ""})
    write_files(tmp_path / "source", {"sub/file.so": ""})
    (tmp_path / "source/again").symlink_to("..")
    for name, target in {
        "linked": "../source", "self": ".", "above": "../..", "not-a-name": "../source",
        "gone": "nowhere", "circle": "circle",
    }.items():  # fmt: skip
        (site / name).symlink_to(target)
    folders = {os.path.relpath(folder, site) for folder, _, _ in walk(site)}
    assert folders == {".", "own", "own/deep", "linked", "linked/sub"}


def test_circles_of_links_in_a_linked_source_end(source: Path, tmp_path: Path) -> None:
    name, text = finder("setuptools", source)
    write_files(tmp_path / "site", {name: text})
    for link, target in {"a": ".", "b": "..", "c": "/", "d": "../core", "e": "e"}.items():
        (source / "core" / link).symlink_to(target)
    links = link_folder(find_editable([tmp_path / "site"]))
    assert len(list(walk(links))) < 10


def test_folders_deep_in_each_other_are_walked_to_a_depth(tmp_path: Path) -> None:
    """`os.walk` calls itself for each before Python 3.12, and 1,000 are an error."""
    (tmp_path / "/".join("a" * 150)).mkdir(parents=True)
    assert len(list(walk(tmp_path))) == 101


def test_a_whole_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(editable_installs, "_MOST_FOLDERS", 10)
    for number in range(9):
        (tmp_path / str(number)).mkdir()
    assert len(list(walk(tmp_path))) == 10
    (tmp_path / "more").mkdir()
    with pytest.raises(UnreadableFile, match="more than 10 folders"):
        list(walk(tmp_path))
