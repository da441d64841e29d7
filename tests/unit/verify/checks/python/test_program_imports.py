"""How sure it is that a program does not start without a module that is not there."""

from __future__ import annotations

import importlib.machinery
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from archives import archive, pyz
from compiling import Compile

from rustext.data import read_data
from rustext.environment.environment import stdlib_environment
from rustext.model.findings import Severity
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.bundle.program import Freezer
from rustext.verify.checks.python.program_imports import check_program_imports
from rustext.verify.facts.python.program_starts import MissingModule, Start
from rustext.verify.verify import read_subject

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]


@pytest.mark.parametrize(
    ("name", "chain", "severity"),
    [
        ("other", ("main", "pkg.helper"), Severity.ERROR),
        # A client that nobody installed, in a part that native code gets to on demand.
        ("other", ("main", "pkg._core", "pkg.helper"), Severity.WARNING),
        ("pkg.part", ("main", "pkg._core", "pkg.helper"), Severity.ERROR),
    ],
)
def test_native_code_need_not_make_all_its_imports_in_each_run(
    name: str, chain: tuple[str, ...], severity: Severity, gcc: Compile, tmp_path: Path
) -> None:
    root = tmp_path / "app"
    (root / "pkg").mkdir(parents=True)
    shutil.copy2(gcc("app", "int main(void) { return 0; }"), root)
    core = gcc("core.so", "void *PyInit__core(void) { return 0; }", "-shared", "-fPIC")
    shutil.copy2(core, root / "pkg" / f"_core{SUFFIX}")
    subject = read_subject(read_bundle(root), stdlib=stdlib_environment())
    start = Start(
        program=subject.bundle.programs[0], missing=[MissingModule(name=name, chain=chain)]
    )
    (found,) = check_program_imports(replace(subject, starts=(start,)))
    assert (found.subject, found.severity) == (name, severity)
    named = [text for label, text in found.evidence if label == "but"]
    assert named == ["`pkg._core`, which is native, need not import it in each run"] * (
        severity is Severity.WARNING
    )


@pytest.mark.parametrize("reached", [(), ("pkg._lib",)])
def test_a_library_in_the_table_counts_where_something_imports_it(
    reached: tuple[str, ...], gcc: Compile, tmp_path: Path
) -> None:
    root = tmp_path / "app"
    (root / "pkg").mkdir(parents=True)
    shutil.copy2(gcc("app", "int main(void) { return 0; }"), root)
    library = gcc("lib.so", "int answer(void) { return 42; }", "-shared", "-fPIC")
    shutil.copy2(library, root / "pkg" / "_lib.so")
    bundle = read_bundle(root)
    named = frozenset({"pkg._lib", "pkg._gone"})
    program = replace(bundle.programs[0], freezer=Freezer.NUITKA, extensions=named)
    subject = read_subject(replace(bundle, programs=(program,)), stdlib=stdlib_environment())
    start = Start(program=program, followed=True, reached=dict.fromkeys(("main", *reached)))
    found = {f.subject for f in check_program_imports(replace(subject, starts=(start,)))}
    assert found == {"pkg._gone", *reached}


def test_a_program_that_is_a_link_to_another_folder_looks_for_its_modules_there(
    gcc: Compile, tmp_path: Path
) -> None:
    """As Nuitka's do: they ask the system where their own file is."""
    root, beside = tmp_path / "app", tmp_path / "app" / "bin"
    beside.mkdir(parents=True)
    shutil.copy2(gcc("app", "int main(void) { return 0; }"), beside)
    core = gcc("core.so", "void *PyInit__core(void) { return 0; }", "-shared", "-fPIC")
    shutil.copy2(core, root / "_core.so")
    (root / "app").symlink_to("bin/app")
    bundle = read_bundle(root)
    program = replace(bundle.programs[0], freezer=Freezer.NUITKA, extensions=frozenset({"_core"}))
    subject = read_subject(replace(bundle, programs=(program,)), stdlib=stdlib_environment())
    (found,) = check_program_imports(replace(subject, starts=()))
    assert found.severity is Severity.ERROR
    assert found.evidence == (("links to", "app/bin/app"), ("looks for", "app/bin/_core.so"))
    shutil.copy2(core, beside / "_core.so")
    assert not [*check_program_imports(replace(subject, starts=()))]


def test_the_modules_of_a_package_that_is_included_whole_are_missed_one_by_one(
    tmp_path: Path, gcc: Compile
) -> None:
    """`zipfile` decodes names by `cp437`, which no code imports by that name."""
    stdlib = stdlib_environment()
    whole = {name.removeprefix("encodings.") for name in stdlib.modules_in("encodings")}
    assert "cp437" in whole
    assert "__pycache__" not in whole
    for gone in (set(), {"cp437"}, {"cp437", "idna"}):
        root = tmp_path / f"app-{len(gone)}"
        root.mkdir()
        with zipfile.ZipFile(root / "base_library.zip", "w") as library:
            for name in ("__init__", *sorted(whole - gone)):
                library.writestr(f"encodings/{name}.pyc", "")
        for name in ("app", "other"):  # which share the library
            shutil.copy(gcc("app", "int main(void) { return 0; }"), root / name)
            with (root / name).open("ab") as program:
                program.write(archive([(b"z", "PYZ.pyz", pyz([]))]))
        subject = read_subject(read_bundle(root), stdlib=stdlib)
        found = [f for f in check_program_imports(subject) if f.subject == "encodings"]
        lacking = [text for f in found for label, text in f.evidence if label == "lacks"]
        assert lacking == [f"encodings.{name}" for name in sorted(gone)]
        assert {f.severity for f in found} <= {Severity.WARNING}


def test_a_codec_that_python_imports_on_windows_alone_is_not_missed() -> None:
    """Python 3.14 has one more, whatever Python the bundle is for."""
    assert "encodings._win_cp_codecs" in read_data("stdlib")["windows"]
