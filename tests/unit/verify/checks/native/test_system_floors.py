"""What a bundle asks of a system: readelf and the loader are the second sources."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from compiling import Compile
from environments import write_files
from packaging.version import Version

from rustext.environment.environment import stdlib_environment
from rustext.model.findings import Finding, Severity
from rustext.model.verification import SystemFloor, VerifyReport
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.target.target import find_target
from rustext.verify.verify import read_subject, verify

MAIN = """
#include <stdlib.h>
#include <pthread.h>
static void *nothing(void *p) { return p; }
int main(void) { pthread_t t; pthread_create(&t, 0, nothing, 0); return pthread_join(t, 0); }
"""
# A version of its own, with and without a symbol that insists on it.
MAP = "GLIBC_2.0 { global: old; }; GLIBC_2.99 { global: newest; } GLIBC_2.0;"
MUSL = "".join(
    f"int {name}(void) {{ return 0; }} "
    for name in ("old", "secure_getenv", "gettid", "qsort_r", "statx", "renameat2")
)
PROVIDER = "int old(void) { return 1; } int newest(void) { return 2; }"
CALLER = "int newest(void); int caller(void) { return newest(); }"
WEAK = "int newest(void) __attribute__((weak)); int caller(void) { return newest ? newest() : 0; }"


@pytest.fixture
def root(tmp_path: Path, gcc: Compile) -> Path:
    folder = tmp_path / "app.dist"
    write_files(folder, {"app": gcc("threads", MAIN)})
    return folder


def judged(root: Path, target: str | None = None) -> VerifyReport:
    return verify(
        read_subject(
            read_bundle(root),
            stdlib=stdlib_environment(),
            target=find_target(target),
        )
    )


def found(root: Path, target: str, finding_id: str) -> list[Finding]:
    return [f for f in judged(root, target).findings if f.id == finding_id]


def floor(root: Path) -> SystemFloor:
    (one,) = judged(root).floors
    return one


def readelf_floor(*paths: Path) -> Version:
    """The highest glibc in the version needs, by binutils."""
    text = "".join(
        subprocess.run(["readelf", "-VW", p], capture_output=True, text=True, check=True).stdout
        for p in paths
    )
    needs = text[text.index("Version needs section") :]
    return max(Version(v) for v in re.findall(r"Name: GLIBC_([\d.]+)", needs))


@pytest.fixture
def own_glibc(gcc: Compile, tmp_path: Path) -> Path:
    """A libc.so.6 with the version GLIBC_2.99, to link against."""
    script = tmp_path / "versions"
    script.write_text(MAP)
    flags = ("-shared", "-fPIC", "-nostdlib", "-Wl,-soname,libc.so.6")
    return gcc("libnewest.so", PROVIDER, *flags, f"-Wl,--version-script={script}")


# --- glibc ------------------------------------------------------------------------------------


def test_the_floor_is_the_highest_version_that_readelf_shows(root: Path) -> None:
    one = floor(root)
    assert one.version is not None
    assert Version(one.version) == readelf_floor(root / "app")
    assert (one.system, one.architecture) == ("glibc", one.architecture)
    assert {c.version for c in one.causes} == {f"GLIBC_{one.version}"}
    assert [c.file for c in one.causes] == ["app"]


def test_the_symbols_of_the_floor_are_those_of_the_file(root: Path) -> None:
    (cause,) = floor(root).causes
    done = subprocess.run(
        ["readelf", "-W", "--dyn-syms", root / "app"], capture_output=True, text=True, check=True
    )
    names = re.findall(rf"(\S+)@{re.escape(cause.version)} ", done.stdout)
    assert set(cause.symbols) == set(names) != set()


def test_a_version_above_the_target_is_an_error_with_its_symbols(
    root: Path, gcc: Compile, own_glibc: Path
) -> None:
    library = gcc("libcaller.so", CALLER, "-shared", "-fPIC", "-nostdlib", str(own_glibc))
    shutil.copy(library, root / "libcaller.so")
    assert floor(root).version == "2.99"
    assert floor(root).policy is None
    assert floor(root).systems == ()
    (error,) = [
        f
        for f in found(root, "manylinux_2_34_x86_64", "glibc-floor")
        if f.subject.endswith("caller.so")
    ]
    assert error.severity is Severity.ERROR
    assert error.message.startswith("`libcaller.so` needs GLIBC_2.99, which")
    assert ("needs", "GLIBC_2.99 of libc.so.6: newest") in error.evidence
    assert ("target has", "GLIBC_2.34") in error.evidence


def test_a_weak_need_is_a_note_and_no_floor(root: Path, gcc: Compile, own_glibc: Path) -> None:
    library = gcc(
        "libweak.so", WEAK, "-shared", "-fPIC", "-nostdlib", "-Wl,--no-as-needed", str(own_glibc)
    )
    flags = subprocess.run(["readelf", "-VW", library], capture_output=True, text=True, check=True)
    weak = "Flags: WEAK" in flags.stdout  # since binutils 2.35 or so, where all symbols are weak
    shutil.copy(library, root / "libweak.so")
    (one,) = [
        f
        for f in found(root, "manylinux_2_34_x86_64", "glibc-floor")
        if f.subject.endswith("weak.so")
    ]
    assert one.severity is (Severity.NOTE if weak else Severity.ERROR)
    assert any("newest (weak)" in text for _, text in one.evidence)
    assert (floor(root).version == "2.99") != weak


def test_glibc_s_private_functions_are_a_warning(root: Path, gcc: Compile, tmp_path: Path) -> None:
    script = tmp_path / "private"
    script.write_text("GLIBC_PRIVATE { global: newest; };")
    flags = ("-shared", "-fPIC", "-nostdlib", "-Wl,-soname,libc.so.6")
    glibc = gcc("libc.so", PROVIDER, *flags, f"-Wl,--version-script={script}")
    library = gcc("libcaller.so", CALLER, "-shared", "-fPIC", "-nostdlib", str(glibc))
    shutil.copy(library, root / "libcaller.so")
    (one,) = found(root, "manylinux_2_99_x86_64", "glibc-floor")
    assert one.severity is Severity.WARNING
    assert ("needs", "GLIBC_PRIVATE of libc.so.6: newest") in one.evidence
    assert floor(root).policy is None
    assert floor(root).systems


def test_a_version_that_the_bundle_s_own_library_has_is_no_need(
    root: Path, gcc: Compile, tmp_path: Path
) -> None:
    script = tmp_path / "own"
    script.write_text("GLIBCXX_9.9 { global: own; };")
    flags = ("-shared", "-fPIC", "-Wl,-soname,libown.so.1", f"-Wl,--version-script={script}")
    own = gcc("libown.so.1", "int own(void) { return 0; }", *flags)
    program = gcc(
        "app", "int own(void); int main(void) { return own(); }", str(own), "-Wl,-rpath,$ORIGIN"
    )
    shutil.copy(program, root / "app")
    alone = found(root, "manylinux_2_34_x86_64", "glibc-floor")
    shutil.copy(own, root / "libown.so.1")
    subprocess.run([root / "app"], check=True)  # the loader finds it, with its version
    assert found(root, "manylinux_2_34_x86_64", "glibc-floor") == []
    assert len(alone) == 1
    assert "GLIBCXX_9.9" in alone[0].message


@pytest.mark.parametrize(
    ("target", "ok"), [("manylinux_2_99_x86_64", True), ("manylinux1_x86_64", False)]
)
def test_the_target_decides(root: Path, target: str, ok: bool) -> None:
    assert (found(root, target, "glibc-floor") == []) == ok
    assert judged(root, target).target == target


def test_a_library_that_the_target_s_policy_does_not_list_belongs_into_the_bundle(
    root: Path, gcc: Compile
) -> None:
    """libmvec came with glibc 2.22; manylinux2014 does not promise it."""
    flags = ("-shared", "-fPIC", "-Wl,-soname,libmvec.so.1")
    vectors = gcc("libmvec.so.1", "int own(void) { return 0; }", *flags)
    program = gcc("app", "int own(void); int main(void) { return own(); }", str(vectors))
    shutil.copy(program, root / "app")

    def about(target: str) -> set[str]:
        return {f.id for f in judged(root, target).findings if f.subject == "libmvec.so.1"}

    assert about("manylinux2014_x86_64") <= {"host-library", "missing-library"} != set()
    assert about("manylinux2014_x86_64")
    assert about("manylinux_2_34_x86_64") == set()


def test_a_static_program_asks_for_nothing(tmp_path: Path, gcc: Compile) -> None:
    root = tmp_path / "app.dist"
    write_files(root, {"app": gcc("static", "int main(void) { return 0; }", "-static")})
    report = judged(root, "manylinux1_x86_64")
    assert report.floors == ()
    assert report.ok


# --- musl -------------------------------------------------------------------------------------


@pytest.fixture
def musl(zig: Callable[[str], Compile], tmp_path: Path) -> Callable[[str], Path]:
    """`musl(source)`: a folder with a library that is linked against musl."""

    def make(source: str) -> Path:
        target = zig("x86_64-linux-musl")
        stub = target("libc.so", MUSL, "-shared", "-fPIC", "-Wl,-soname,libc.musl-x86_64.so.1")
        root = tmp_path / "app.dist"
        library = target("a.so", source, "-shared", "-fPIC", "-Wl,--no-as-needed", str(stub))
        write_files(root, {"a.so": library})
        return root

    return make


@pytest.mark.parametrize(
    ("function", "version", "policy", "release"),
    [
        ("old", None, "musllinux_1_1_x86_64", "Alpine 3.9"),
        ("secure_getenv", "1.1.24", "musllinux_1_1_x86_64", "Alpine 3.11"),
        ("gettid", "1.2.2", "musllinux_1_2_x86_64", "Alpine 3.13"),
        ("qsort_r", "1.2.3", "musllinux_1_2_x86_64", "Alpine 3.16"),
        ("statx", "1.2.5", "musllinux_1_2_x86_64", "Alpine 3.20"),
        ("renameat2", "1.2.6", "musllinux_1_2_x86_64", "Alpine 3.24"),
    ],
)
def test_a_function_says_which_musl_a_file_needs(
    musl: Callable[[str], Path], function: str, version: str | None, policy: str, release: str
) -> None:
    """The versions are those of "new features" in musl's own release notes."""
    root = musl(f"int {function}(void); int call(void) {{ return {function}(); }}")
    one = floor(root)
    assert (one.system, one.version, one.policy) == ("musl", version, policy)
    assert one.systems == (release,)


def test_a_weak_function_asks_for_no_musl(musl: Callable[[str], Path]) -> None:
    source = "int statx(void) __attribute__((weak)); int call(void) { return statx ? statx() : 0; }"
    assert floor(musl(source)).version is None


def test_a_function_above_the_target_is_an_error_and_a_patch_release_a_warning(
    musl: Callable[[str], Path],
) -> None:
    root = musl("int qsort_r(void); int call(void) { return qsort_r(); }")
    (error,) = found(root, "musllinux_1_1_x86_64", "musl-floor")
    (warning,) = found(root, "musllinux_1_2_x86_64", "musl-floor")
    assert (error.severity, warning.severity) == (Severity.ERROR, Severity.WARNING)
    assert ("functions", "qsort_r") in error.evidence


def test_a_function_of_an_older_musl_than_the_target_s_is_no_finding(
    musl: Callable[[str], Path],
) -> None:
    root = musl("int secure_getenv(void); int call(void) { return secure_getenv(); }")
    assert found(root, "musllinux_1_2_x86_64", "musl-floor") == []
    assert found(root, "musllinux_1_1_x86_64", "musl-floor") != []


# --- macOS ------------------------------------------------------------------------------------


@pytest.fixture
def mac(tmp_path: Path, zig: Callable[[str], Compile]) -> Callable[[str], Path]:
    """`mac(version)`: a folder with a module that is built for that macOS."""

    def make(version: str) -> Path:
        root = tmp_path / "app.dist"
        module = zig(f"aarch64-macos.{version}")(
            "demo.so", "int PyInit_demo(void) { return 0; }", "-shared"
        )
        write_files(root, {"demo.so": module})
        return root

    return make


@pytest.mark.parametrize(("version", "tag"), [("11.0", "11_0"), ("13.3", "13_0"), ("14.0", "14_0")])
def test_a_mac_s_floor_is_the_version_that_the_compiler_was_told(
    mac: Callable[[str], Path], version: str, tag: str
) -> None:
    one = floor(mac(version))
    assert one.version is not None
    assert Version(one.version) == Version(version)
    assert one.policy == f"macosx_{tag}_arm64"


def test_a_newer_macos_than_the_target_s_is_an_error(mac: Callable[[str], Path]) -> None:
    root = mac("13.0")
    (error,) = found(root, "macosx_11_0_arm64", "minimum-os")
    assert error.severity is Severity.ERROR
    assert "13.0" in error.message
    assert found(root, "macosx_13_0_arm64", "minimum-os") == []


def test_a_windows_program_of_old_functions_asks_for_no_release(
    tmp_path: Path, pe_module: Path
) -> None:
    root = tmp_path / "app.dist"
    write_files(root, {"demo.pyd": pe_module})
    (floor,) = judged(root, "win_amd64").floors
    assert (floor.system, floor.version, floor.causes) == ("Windows", None, ())


def test_what_a_bundle_s_own_python_needs_is_one_finding(root: Path, gcc: Compile) -> None:
    """It has one cause: the machine whose Python was frozen. A package's module has its own."""
    source = MAIN.replace("int main(void)", "int run(void)")
    built = gcc("threads.so", source, "-shared", "-fPIC", "-pthread")
    suffix = ".cpython-311-x86_64-linux-gnu.so"
    names = ("libpython3.11.so.1.0", *(f"{m}{suffix}" for m in ("_bz2", "_lzma", "pkg/core")))
    modules = {
        name: gcc(
            "m.so", f"{source} void PyInit_{Path(name).name.partition('.')[0]}(void) {{}}",
            "-shared", "-fPIC", "-pthread",
        )
        for name in names[1:]
    }  # fmt: skip
    write_files(root, {names[0]: built, **modules})
    (root / "app").unlink()
    write_files(
        root, {"app": gcc("plain", "int main(void) { return 0; }", "-nostartfiles", "-e", "main")}
    )
    errors = found(root, "manylinux_2_5_x86_64", "glibc-floor")
    needs = subprocess.run(["readelf", "-VW", built], capture_output=True, text=True, check=True)
    assert "GLIBC_2.34" in needs.stdout
    assert [f.subject for f in errors] == [
        f"app.dist/{names[0]}", f"app.dist/{names[3]}"
    ]  # fmt: skip
    assert "with 3 of its files" in errors[0].message
    said = " ".join(text for _, text in errors[0].evidence)
    assert all(name in said for name in names[:3])
