"""Files for other machines, C libraries and Pythons: what is an error, and what is data."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from compiling import Compile
from environments import write_files
from packaging import _musllinux

from rustext.environment.environment import stdlib_environment
from rustext.formats.binary import read_binary
from rustext.formats.elf.static_linkage import Linkage, linkage_of
from rustext.model.findings import Finding, Severity
from rustext.model.verification import BundlePython, VerifyReport
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.checks.native.libc_mix import check_libc
from rustext.verify.facts.native.loaded_files import LoadedFiles
from rustext.verify.facts.python.program_starts import Start
from rustext.verify.facts.python.wheel_tags import parse_floor
from rustext.verify.target.requested_python import parse_python
from rustext.verify.target.target import find_target
from rustext.verify.verify import read_subject, verify

PROGRAM = "int main(void) { return 0; }"
MODULE = "int PyInit__core(void) { return 0; }"
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
OTHER = "cpython-38"

Zig = Callable[[str], Compile]


@pytest.fixture
def root(tmp_path: Path, gcc: Compile) -> Path:
    """A program for this machine with a module of its own that fits."""
    folder = tmp_path / "app.dist"
    module = gcc("_core.so", MODULE, "-shared", "-fPIC")
    write_files(folder, {"app": gcc("app", PROGRAM), f"pkg/_core{SUFFIX}": module})
    return folder


def judged(root: Path, target: str | None = None, python: str | None = None) -> VerifyReport:
    return verify(
        read_subject(
            read_bundle(root),
            stdlib=stdlib_environment(),
            target=find_target(target),
            python=parse_python(python) if python is not None else None,
        )
    )


def found(root: Path, finding_id: str, **options: str) -> list[Finding]:
    return [f for f in judged(root, **options).findings if f.id == finding_id]


def only(root: Path, finding_id: str, **options: str) -> Finding:
    (one,) = found(root, finding_id, **options)
    return one


def evidence(finding: Finding) -> dict[str, str]:
    return dict(finding.evidence)


def test_a_bundle_for_one_machine_is_clean(root: Path) -> None:
    ids = ("architecture", "libc-mix", "python-abi", "static-interpreter")
    assert [f for f in judged(root).findings if f.id in ids] == []


# --- architecture -----------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["aarch64-linux-gnu", "aarch64-macos", "x86_64-windows-gnu"])
def test_a_module_for_another_machine_is_an_error(root: Path, zig: Zig, target: str) -> None:
    flags = ("-shared",) if "windows" in target else ("-shared", "-fPIC")
    foreign = zig(target)("_core.so", MODULE if "win" not in target else WINDOWS, *flags)
    shutil.copy(foreign, root / f"pkg/_core{SUFFIX}")
    error = only(root, "architecture")
    assert error.severity is Severity.ERROR
    assert error.subject == f"app.dist/pkg/_core{SUFFIX}"
    assert evidence(error)["imported as"] == "pkg._core"


WINDOWS = """
__declspec(dllexport) int PyInit__core(void) { return 0; }
int __stdcall DllMainCRTStartup(void *a, unsigned long b, void *c) { return 1; }
"""


def test_a_library_for_another_machine_that_is_asked_for_is_an_error(
    root: Path, gcc: Compile, zig: Zig
) -> None:
    source = "int own(void) { return 0; }"
    own = gcc("libown.so.1", source, "-shared", "-fPIC", "-Wl,-soname,libown.so.1")
    rpath = "-Wl,-rpath,$ORIGIN"
    program = gcc("app", "int own(void); int main(void) { return own(); }", str(own), rpath)
    foreign = zig("aarch64-linux-gnu")("libown.so.1", source, "-shared", "-fPIC")
    write_files(root, {"app": program, "libown.so.1": own})
    (root / "app").chmod(0o755)
    subprocess.run([root / "app"], check=True)
    assert found(root, "architecture") == []
    shutil.copy(foreign, root / "libown.so.1")
    assert subprocess.run([root / "app"], capture_output=True, check=False).returncode == 127
    error = only(root, "architecture")
    assert (error.severity, error.subject) == (Severity.ERROR, "app.dist/libown.so.1")
    assert evidence(error)["needed by"] == "app.dist/app"


def test_files_for_other_machines_that_nothing_loads_are_one_note(root: Path, zig: Zig) -> None:
    tool = zig("aarch64-linux-gnu")("tool", "void _start(void) { }", "-static")
    library = zig("aarch64-macos")("x.dylib", "int own(void) { return 0; }", "-shared")
    write_files(root, {"pkg/data/tool": tool, "pkg/data/x.dylib": library})
    note = only(root, "architecture")
    assert note.severity is Severity.NOTE
    assert "2 files for other machines" in note.message


def test_a_module_for_each_machine_in_a_folder_of_its_own_is_data(root: Path, zig: Zig) -> None:
    foreign = zig("aarch64-linux-gnu")("_core.so", MODULE, "-shared", "-fPIC")
    write_files(root, {"pkg/aarch64/_core.abi3.so": foreign})
    assert only(root, "architecture").severity is Severity.NOTE


def test_a_module_for_another_machine_in_a_folder_that_is_no_package_is_data(
    root: Path, zig: Zig
) -> None:
    """As where code picks one of several folders, and puts it on `sys.path`."""
    other = zig("aarch64-linux-gnu")("_core.so", MODULE, "-shared", "-fPIC")
    own = root / f"pkg/_core{SUFFIX}"
    write_files(root, {"linux-aarch64/_core.so": other, "linux-x86_64/_core.so": own.read_bytes()})
    own.unlink()
    assert only(root, "architecture").severity is Severity.NOTE


def test_a_slice_that_the_program_has_and_a_library_lacks_is_an_error(
    tmp_path: Path, zig: Zig
) -> None:
    """A fat file of both slices, laid out as Apple's <mach-o/fat.h> says."""
    thin = {a: zig(f"{a}-macos")("app", PROGRAM) for a in ("x86_64", "aarch64")}
    module = zig("aarch64-macos")("_core.so", MODULE, "-shared")
    root = tmp_path / "app.dist"
    write_files(root, {"app": fat(*thin.values()), "_core.abi3.so": module})
    error = only(root, "architecture")
    assert "macos-x86_64" in error.message
    assert found(root, "architecture", target="macosx_11_0_arm64") == []
    assert "x86_64" in only(root, "architecture", target="macosx_11_0_universal2").message


def fat(*paths: Path) -> bytes:
    kinds = {"x86_64": (0x01000007, 3), "arm64": (0x0100000C, 0)}
    header = (0xCAFEBABE).to_bytes(4, "big") + len(paths).to_bytes(4, "big")
    at, body = 0x4000, b""
    for path in paths:
        data = path.read_bytes()
        kind, subkind = kinds[read_binary(path).image.architecture]
        fields = (kind, subkind, at + len(body), len(data), 14)
        header += b"".join(field.to_bytes(4, "big") for field in fields)
        body += data.ljust(-(-len(data) // 0x4000) * 0x4000, b"\0")
    return header.ljust(at, b"\0") + body


def test_a_program_that_is_not_for_the_target_is_an_error(root: Path) -> None:
    for target in ("win_amd64", "macosx_11_0_arm64", "manylinux_2_34_riscv64"):
        error = only(root, "architecture", target=target)
        assert error.subject == "app.dist/app"
        assert target in error.message


# --- libc-mix ---------------------------------------------------------------------------------


@pytest.fixture
def musl_module(zig: Zig) -> Path:
    target = zig(f"{platform.machine()}-linux-musl")
    libc = target("libc.so", "int own(void) { return 0; }", "-shared", "-Wl,-soname,libc.so")
    return target("_core.so", MODULE, "-shared", "-fPIC", "-Wl,--no-as-needed", str(libc))


def test_a_musl_module_in_a_program_for_glibc_is_an_error(root: Path, musl_module: Path) -> None:
    needed = subprocess.run(
        ["readelf", "-d", musl_module], capture_output=True, text=True, check=True
    )
    assert "[libc.so]" in needed.stdout
    shutil.copy(musl_module, root / f"pkg/_core{SUFFIX}")
    error = only(root, "libc-mix")
    assert error.severity is Severity.ERROR
    assert error.message.endswith("is linked against musl, the program against glibc")
    assert evidence(error)["imported as"] == "pkg._core"


def test_a_musl_module_that_the_program_starts_without_is_a_warning(
    root: Path, musl_module: Path
) -> None:
    shutil.copy(musl_module, root / f"pkg/_core{SUFFIX}")
    subject = read_subject(read_bundle(root), stdlib=stdlib_environment())
    start = Start(program=subject.bundle.programs[0], followed=True, tried={"pkg._core": None})
    loaded = LoadedFiles(subject.bundle, subject.edges, (start,))
    (warning,) = check_libc(replace(subject, loaded=loaded, starts=(start,)))
    assert warning.severity is Severity.WARNING


def test_a_musl_library_that_nothing_loads_is_a_warning(root: Path, musl_module: Path) -> None:
    write_files(root, {"pkg/vendor/libother.so": musl_module})
    assert only(root, "libc-mix").severity is Severity.WARNING


def test_a_target_with_another_libc_is_an_error(root: Path) -> None:
    target = f"musllinux_1_2_{platform.machine()}"
    error = only(root, "libc-mix", target=target)
    assert error.message == f"the program is linked against glibc, {target} has musl"


# --- python-abi -------------------------------------------------------------------------------


def module_named(root: Path, name: str) -> None:
    """The bundle's module under another name."""
    (root / f"pkg/_core{SUFFIX}").rename(root / f"pkg/{name}")


def test_a_suffix_of_another_version_is_an_error(root: Path) -> None:
    name = f"_core{SUFFIX.replace(sysconfig.get_config_var('SOABI').rsplit('-', 3)[0], OTHER)}"
    module_named(root, name)
    error = only(root, "python-abi", python=VERSION)
    assert error.subject == f"app.dist/pkg/{name}"
    assert "built for CPython 3.8" in error.message
    assert f"CPython {VERSION}" in error.message


def test_a_module_for_each_python_is_no_fault(root: Path) -> None:
    shutil.copy(root / f"pkg/_core{SUFFIX}", root / "pkg/_core.cpython-38-x86_64-linux-gnu.so")
    assert found(root, "python-abi", python=VERSION) == []


@pytest.mark.parametrize(
    ("name", "python", "fits"),
    [
        ("_core.abi3.so", "3.12", True),
        ("_core.abi3.so", "3.13t", False),
        ("_core.abi3.so", "pypy3.10", False),
        ("_core.abi3t.so", "3.14t", False),
        ("_core.abi3t.so", "3.15t", True),
        ("_core.so", "3.12", True),
        ("_core.cpython-313-x86_64-linux-gnu.so", "3.13", True),
        ("_core.cpython-313-x86_64-linux-gnu.so", "3.13t", False),
        ("_core.cpython-313t-x86_64-linux-gnu.so", "3.13", False),
        ("_core.cpython-312d-x86_64-linux-gnu.so", "3.12", False),
        ("_core.pypy310-pp73-x86_64-linux-gnu.so", "3.10", False),
        ("_core.pypy310-pp73-x86_64-linux-gnu.so", "pypy3.10", True),
    ],
)
def test_which_python_takes_a_name(root: Path, name: str, python: str, fits: bool) -> None:
    module_named(root, name)
    assert (found(root, "python-abi", python=python) == []) == fits


@pytest.mark.parametrize(("tag", "fits"), [("cp312", False), ("cp38", True)])
def test_a_wheel_for_a_newer_stable_abi_is_an_error(root: Path, tag: str, fits: bool) -> None:
    module_named(root, "_core.abi3.so")
    wheel = f"Wheel-Version: 1.0\nTag: {tag}-abi3-manylinux_2_17_x86_64\n"
    info = "pkg-1.0.dist-info"
    write_files(root, {f"{info}/WHEEL": wheel, f"{info}/RECORD": "pkg/_core.abi3.so,,\n"})
    assert (found(root, "python-abi", python="3.11") == []) == fits


@pytest.mark.parametrize(
    ("text", "floor"),
    [
        ("Tag: cp39-abi3-manylinux_2_17_x86_64\nTag: cp39-abi3-manylinux2014_x86_64\n", (3, 9)),
        ("Tag: cp311-cp311-win_amd64\n", None),
        ("Tag: py3-none-any\n", None),
        ("Tag: nonsense\n", None),
        ("Tag: cp-abi3-any\n", None),
        ("Tag: cp3-abi3-any\nTag: cp\u0663\u0669-abi3-any\n", None),
        ("Tag: cp39.CP38.py3-abi3.none-any\n", (3, 8)),
        ("", None),
    ],
)
def test_the_floor_of_a_wheel(text: str, floor: tuple[int, int] | None) -> None:
    assert parse_floor(text) == floor


def test_the_floor_of_a_wheel_whose_tag_stands_for_millions_is_found_at_once() -> None:
    tag = "-".join(".".join([name] * 300) for name in ("cp39", "abi3", "any"))
    assert len(tag) < 5000
    started = time.monotonic()
    assert parse_floor(f"Tag: {tag}\n") == (3, 9)
    assert time.monotonic() - started < 1  # seconds


def test_a_record_counts_up_to_what_is_no_csv(root: Path) -> None:
    module_named(root, "_core.abi3.so")
    record = f'pkg/_core.abi3.so,,\n"{"x" * 200_000}",,\n'  # more than csv.field_size_limit()
    wheel = "Tag: cp312-abi3-any\n"
    write_files(root, {"pkg-1.0.dist-info/WHEEL": wheel, "pkg-1.0.dist-info/RECORD": record})
    assert len(found(root, "python-abi", python="3.11")) == 1


def test_a_module_that_links_against_another_libpython_is_an_error(
    root: Path, gcc: Compile
) -> None:
    library = gcc("libpython3.8.so.1.0", "int x;", "-shared", "-Wl,-soname,libpython3.8.so.1.0")
    flags = ("-shared", "-fPIC", "-Wl,--no-as-needed", str(library))
    shutil.copy(gcc("_core.so", MODULE, *flags), root / "pkg/_core.so")
    (root / f"pkg/_core{SUFFIX}").unlink()
    error = only(root, "python-abi", python=VERSION)
    assert evidence(error)["links to"] == "libpython3.8.so.1.0"


def test_a_function_that_the_bundle_s_python_lacks_is_an_error(root: Path, gcc: Compile) -> None:
    names = ("Py_Initialize", "PyImport_ImportModule", "PyObject_GetAttr", "Py_GetVersion")
    source = "".join(f"int {name}(void) {{ return 0; }}" for name in names)
    libpython = f"libpython{VERSION}.so.1.0"
    python = gcc(libpython, source, "-shared", "-fPIC", f"-Wl,-soname,{libpython}")
    calls = "int Py_GetVersion(void), PyNew_Thing(void), Py_Maybe(void) __attribute__((weak));"
    body = f"{calls} int PyInit__core(void) {{ return PyNew_Thing() + Py_GetVersion(); }}"
    write_files(root, {libpython: python})
    assert found(root, "python-abi", python=VERSION) == []
    shutil.copy(gcc("_core.so", body, "-shared", "-fPIC"), root / f"pkg/_core{SUFFIX}")
    error = only(root, "python-abi", python=VERSION)
    assert evidence(error)["lacks"] == "PyNew_Thing"


def test_this_interpreter_s_own_modules_fit_it(tmp_path: Path) -> None:
    """Real modules and the real symbols of the Python that runs this."""
    stdlib = Path(sysconfig.get_paths()["platstdlib"], "lib-dynload")
    library = Path(sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("LDLIBRARY"))
    root = tmp_path / "app.dist"
    write_files(root, {f"lib-dynload/{p.name}": p for p in stdlib.glob("*.so")})
    if library.suffix == ".so" or ".so." in library.name:
        write_files(root, {library.resolve().name: library.resolve()})
    write_files(root, {"python": Path(sys.executable).resolve()})
    report = judged(root)
    assert report.python == BundlePython(
        implementation="cpython",
        version=sys.version_info[:2],
        flags="",
        source=report.python.source if report.python else "",
    )
    assert [f for f in report.findings if f.id == "python-abi"] == []


# --- static-interpreter -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "linkage"),
    [
        (("-static",), Linkage.STATIC),
        (("-static-pie",), Linkage.STATIC_PIE),
        ((), Linkage.DYNAMIC),
        (("-no-pie",), Linkage.DYNAMIC),
    ],
)
def test_how_a_program_is_linked_is_read_from_its_program_headers(
    gcc: Compile, flags: tuple[str, ...], linkage: Linkage
) -> None:
    program = gcc("program", PROGRAM, *flags)
    done = subprocess.run(["readelf", "-lW", program], capture_output=True, text=True, check=True)
    assert linkage_of(read_binary(program).image) is linkage
    assert ("INTERP" in done.stdout) == (linkage is Linkage.DYNAMIC)
    assert ("DYNAMIC" in done.stdout.partition("Section to")[0]) == (linkage is not Linkage.STATIC)


@pytest.mark.parametrize("flag", ["-static", "-static-pie"])
def test_a_static_interpreter_with_modules_is_an_error(root: Path, gcc: Compile, flag: str) -> None:
    shutil.copy(gcc("python3", PROGRAM, flag), root / "app")
    error = only(root, "static-interpreter")
    assert error.severity is Severity.ERROR
    assert "no PT_INTERP" in evidence(error)["linked as"]
    assert "no musllinux tag" in evidence(error)["wheels"]
    assert evidence(error)["in vain"] == f"app.dist/pkg/_core{SUFFIX}"
    assert _musllinux._get_musl_version(str(root / "app")) is None  # what pip sees


def test_a_static_tool_is_no_interpreter(root: Path, gcc: Compile) -> None:
    write_files(root, {"pkg/tool": gcc("tool", PROGRAM, "-static")})
    assert found(root, "static-interpreter") == []
