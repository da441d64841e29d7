"""Files that the loader refuses, in bundles whose program opens them; the loader is asked."""

from __future__ import annotations

import importlib.machinery
import os
import struct
import subprocess
from pathlib import Path

import pytest
from compiling import Compile

from rustext.environment.environment import stdlib_environment
from rustext.model.findings import Finding, Severity
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.verify import read_subject, verify

MODULE = f"demo{importlib.machinery.EXTENSION_SUFFIXES[0]}"
OPENER = f"""
#include <dlfcn.h>
#include <stdio.h>
int main(void) {{
    if (dlopen("./{MODULE}", RTLD_NOW)) return 0;
    puts(dlerror());
    return 1;
}}
"""
DEMO = "void PyInit_demo(void) {}"


@pytest.fixture
def root(tmp_path: Path, gcc: Compile) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "app").write_bytes(gcc("app", OPENER, "-ldl").read_bytes())
    (folder / "app").chmod(0o755)
    (folder / MODULE).write_bytes(gcc(MODULE, DEMO, "-shared", "-fPIC").read_bytes())
    return folder


def findings(root: Path) -> list[Finding]:
    return list(verify(read_subject(read_bundle(root), stdlib=stdlib_environment())).findings)


def loader_says(root: Path) -> str:
    done = subprocess.run(["./app"], cwd=root, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout


def mark(path: Path) -> None:
    """Say that the file is for FreeBSD."""
    data = bytearray(path.read_bytes())
    data[7] = 9
    path.write_bytes(data)


def test_a_healthy_module_is_no_finding(root: Path) -> None:
    assert loader_says(root) == ""
    assert findings(root) == []


def test_a_module_that_the_loader_refuses_is_an_error_in_its_words(root: Path) -> None:
    mark(root / MODULE)
    said = loader_says(root)
    (finding,) = findings(root)
    assert (finding.id, finding.severity) == ("refused-file", Severity.ERROR)
    assert "ELF file OS ABI invalid" in said
    assert "ELF file OS ABI invalid" in finding.message
    assert ("imported as", "demo") in finding.evidence


def test_the_same_file_is_no_finding_where_nothing_loads_it(root: Path, gcc: Compile) -> None:
    (root / "spare.so").write_bytes(gcc("spare.so", "int spare;", "-shared", "-fPIC").read_bytes())
    mark(root / "spare.so")
    assert loader_says(root) == ""
    assert findings(root) == []


@pytest.mark.parametrize(
    ("flags", "severity"),
    [
        (["-Wl,-z,nodlopen"], Severity.ERROR),
        (["-Wl,-z,execstack"], Severity.WARNING),  # refused since glibc 2.41
        (["-Wl,-z,x86-64-v2"], None),
    ],
    ids=["nodlopen", "execstack", "level"],
)
def test_what_a_linker_has_marked(
    flags: list[str], severity: Severity | None, root: Path, gcc: Compile
) -> None:
    (root / MODULE).write_bytes(gcc(MODULE, DEMO, "-shared", "-fPIC", *flags).read_bytes())
    found = [f.severity for f in findings(root)]
    said = loader_says(root)
    if severity is Severity.WARNING and "executable stack" in said:
        severity = Severity.ERROR
    assert (said == "") == (severity is not Severity.ERROR)
    assert found == ([severity] if severity is not None else [])


def test_a_stack_that_the_program_makes_executable_serves_all(root: Path, gcc: Compile) -> None:
    flags = ["-shared", "-fPIC", "-Wl,-z,execstack"]
    (root / MODULE).write_bytes(gcc(MODULE, DEMO, *flags).read_bytes())
    (root / "app").write_bytes(gcc("app", OPENER, "-ldl", "-Wl,-z,execstack").read_bytes())
    assert loader_says(root) == ""
    assert findings(root) == []


def test_a_mark_for_dlopen_does_not_matter_to_what_is_there_from_the_start(
    root: Path, gcc: Compile
) -> None:
    own = gcc("libown.so", "int own;", "-shared", "-fPIC", "-Wl,-soname,libown.so,-z,nodlopen")
    (root / "libown.so").write_bytes(own.read_bytes())
    flags = ["-ldl", "-Wl,--no-as-needed", str(own), "-Wl,-rpath,$ORIGIN"]
    (root / "app").write_bytes(gcc("app", OPENER, *flags).read_bytes())
    assert loader_says(root) == ""
    assert findings(root) == []


def test_a_filter_needs_the_library_that_it_names(root: Path, gcc: Compile) -> None:
    flags = ["-shared", "-fPIC", "-Wl,-F,libreal.so,-rpath,$ORIGIN"]
    (root / MODULE).write_bytes(gcc(MODULE, DEMO, *flags).read_bytes())
    assert "libreal.so" in loader_says(root)
    assert [(f.id, f.subject) for f in findings(root)] == [("missing-library", "libreal.so")]
    real = gcc("libreal.so", "int real;", "-shared", "-fPIC", "-Wl,-soname,libreal.so")
    (root / "libreal.so").write_bytes(real.read_bytes())
    assert loader_says(root) == ""
    assert findings(root) == []


def test_an_auxiliary_library_may_be_absent(root: Path, gcc: Compile) -> None:
    flags = ["-shared", "-fPIC", "-Wl,-f,libreal.so,-rpath,$ORIGIN"]
    (root / MODULE).write_bytes(gcc(MODULE, DEMO, *flags).read_bytes())
    assert loader_says(root) == ""
    assert findings(root) == []


def _row(data: bytearray, kind: int, flags: int = 0) -> int:
    """The file offset of the first program header of a kind, with these flags among its own."""
    (start,) = struct.unpack_from("<Q", data, 32)
    (count,) = struct.unpack_from("<H", data, 56)
    rows = range(start, start + 56 * count, 56)
    facts = {at: struct.unpack_from("<II", data, at) for at in rows}
    return next(at for at, (k, f) in facts.items() if k == kind and f & flags == flags)


@pytest.mark.parametrize("what", ["fixed address", "no code", "no dynamic section"])
def test_a_program_that_ends_as_it_starts_is_refused(what: str, root: Path) -> None:
    program = root / "app"
    data = bytearray(program.read_bytes())
    if what == "fixed address":
        data[16] = 2  # ET_EXEC, in the place of ET_DYN
    elif what == "no code":
        struct.pack_into("<I", data, _row(data, 1, flags=1) + 4, 4)
    else:
        struct.pack_into("<I", data, _row(data, 2), 0)
    program.write_bytes(data)
    try:
        ended = subprocess.run([program], cwd=root, capture_output=True, check=False).returncode
    except OSError:
        ended = -1
    if what != "fixed address" or os.geteuid() != 0:  # root alone may map the first page
        assert ended < 0 or ended == 127
    (finding,) = [f for f in findings(root) if f.id == "refused-file"]
    assert (finding.severity, finding.subject) == (Severity.ERROR, "app/app")
