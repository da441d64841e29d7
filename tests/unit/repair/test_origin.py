"""Which libraries an environment offers to a bundle."""

from __future__ import annotations

import sys
import zipfile
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
from archives import archive, pyz
from compiling import Compile
from environments import environment, install, write_files

from rustext.config import Config
from rustext.environment.environment import Environment, stdlib_environment
from rustext.formats.binary import read_linkage
from rustext.model.evidence import Evidence, EvidenceKind
from rustext.model.findings import Severity
from rustext.model.plan import ImplicitImport, Verdict
from rustext.repair.origin import Origin, is_told, iter_unconditional, may_be_opened, speaks_for
from rustext.repair.repair import Wanted, repair_copy
from rustext.verify.bundle.bundle import read_bundle


def test_libraries_of_windows_are_found_where_python_has_them_in_any_case(
    tmp_path: Path, pe_module: Path, elf_module: Path
) -> None:
    own = {"python311.dll": pe_module, "DLLs/LIBFFI-8.dll": pe_module, "lib/liba.so": elf_module}
    write_files(tmp_path, own)
    facts = environment(tmp_path / "site").interpreter
    origin = Origin(Environment(replace(facts, prefixes=(str(tmp_path),))), Config())
    windows, linux = read_linkage(pe_module).image, read_linkage(elf_module).image
    for name, image, expected in (
        ("Python311.dll", windows, "python311.dll"),
        ("libffi-8.dll", windows, "DLLs/LIBFFI-8.dll"),
        ("python311.dll", linux, None),
        ("liba.so", linux, "lib/liba.so"),
        ("libA.so", linux, None),
    ):
        found = origin.find_library(name, image)
        assert (found[0] if found else None) == (tmp_path / expected if expected else None), name


HELD = frozenset({"pkg", "pkg.core", "pkg.later"})
REACHED = frozenset({"pkg", "pkg.core"})


@pytest.mark.parametrize(
    ("place", "opened"),
    [
        ("pkg/model.bin", True),
        ("pkg/models/one/model.bin", True),
        ("pkg/templates/env.py", True),
        ("pkg/query.c", True),
        ("pkg/core/include/pkg.h", False),
        ("pkg/later/model.bin", True),
        ("pkg/later/__main__.py", False),
        ("pkg/later/src/object.c", False),
        ("pkg/_vendor/one-1.0.dist-info/METADATA", True),
        ("pkg/_vendor/one-1.0.dist-info/INSTALLER", False),
    ],
)
def test_files_that_code_names_and_no_program_opens_are_not_brought(
    place: str, opened: bool
) -> None:
    assert may_be_opened(PurePosixPath(place), HELD, REACHED) == opened


def test_sources_of_a_package_that_the_program_has_nothing_of_are_not_brought() -> None:
    place = PurePosixPath("pkg/tests/test_all.py")
    assert may_be_opened(place, HELD, REACHED)
    assert not may_be_opened(place, HELD, REACHED, absent=True)


@pytest.mark.parametrize(
    ("kind", "where", "spoken", "told"),
    [
        (EvidenceKind.IMPORT_CALL, "pkg/core.abi3.so at 0x10", True, False),
        (EvidenceKind.IMPORT_CALL, "pkg.abi3.so at 0x10", True, False),
        (EvidenceKind.PYTHON_NAME, "pkg.py", True, False),
        (EvidenceKind.PYTHON_NAME, "added/core.py", False, False),
        (EvidenceKind.PLUGIN, "added/core.py", False, True),
        (EvidenceKind.TRACED, "rustext-trace.toml", False, True),
    ],
)
def test_what_files_outside_of_the_program_say_does_not_count(
    kind: EvidenceKind, where: str, spoken: bool, told: bool
) -> None:
    implicit = ImplicitImport(
        module="other",
        verdict=Verdict.INCLUDE,
        reason="",
        evidence=(Evidence(kind=kind, where=where, detail=""),),
    )
    assert (speaks_for(implicit, HELD), is_told(implicit)) == (spoken, told)


def test_what_a_module_imports_whatever_the_case(tmp_path: Path) -> None:
    source = """
import a, b.c
from . import d
from .e import f
from ..g import h
try:
    import guarded
except ImportError: ...
def later():
    import called
"""
    (tmp_path / "m.py").write_text(source)
    assert set(iter_unconditional(tmp_path / "m.py", "p.q")) == {
        "a", "b.c", "p.q", "p.q.d", "p.q.e", "p.q.e.f", "p.g", "p.g.h"
    }  # fmt: skip


def test_a_module_that_others_of_its_package_need_is_brought(tmp_path: Path, gcc: Compile) -> None:
    """As after `--exclude-module pkg.rules`, where something catches that `pkg` lacks it."""
    site, root = tmp_path / "site", tmp_path / "app"
    files = {
        "pkg/__init__.py": "",
        "pkg/syntax.py": "from .rules import X\ntry:\n    from . import other\nexcept: ...\n",
        "pkg/rules.py": "X = 1\n",
        "pkg/other.py": "",
    }
    install(site, "pkg", files=files)
    write_files(root, {"app": gcc("app", "int main(void) { return 0; }")})
    write_files(root / "_internal", {"data": ""})
    with zipfile.ZipFile(root / "_internal/base_library.zip", "w") as library:
        library.writestr("codecs.pyc", "")
    with (root / "app").open("ab") as program:
        modules = [(name, (0, 0, 0)) for name in ("pkg", "pkg.syntax")]
        program.write(archive([(b"z", "PYZ.pyz", pyz(modules))]))
    origin = Origin(environment(site), Config())
    done = repair_copy(read_bundle(root), root, Wanted(stdlib=stdlib_environment(), origin=origin))
    (brought,) = (repair for repair in done.repairs if repair.place.suffix == ".py")
    assert str(brought.place) == "_internal/pkg/rules.py"
    assert brought.finding.severity is Severity.NOTE


def test_pythons_own_extension_modules_are_taken_from_its_folder(
    tmp_path: Path, gcc: Compile
) -> None:
    """PyInstaller puts them into a folder that is no package."""
    own = environment(tmp_path).find_module("_csv")
    assert own is not None
    assert own.path is not None
    root = tmp_path / "app"
    write_files(root, {"app": gcc("app", "int main(void) { return 0; }")})
    write_files(root / "_internal", {"data": ""})
    with zipfile.ZipFile(root / "_internal/base_library.zip", "w") as library:
        library.writestr("codecs.pyc", "")
    with (root / "app").open("ab") as program:
        program.write(archive([(b"z", "PYZ.pyz", pyz([]))]))
    place = f"_internal/python{sys.version_info[0]}.{sys.version_info[1]}/lib-dynload"
    damaged = root / place / own.path.name
    write_files(root, {f"{place}/{own.path.name}": own.path.read_bytes()[:4096]})
    origin = Origin(environment(tmp_path / "site"), Config())
    done = repair_copy(read_bundle(root), root, Wanted(stdlib=stdlib_environment(), origin=origin))
    assert damaged.read_bytes() == own.path.read_bytes()
    assert f"{place}/{damaged.name}" in {str(repair.place) for repair in done.repairs}
