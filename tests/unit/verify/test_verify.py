"""Bundles made by hand, of a C program and its libraries, read and judged.

Each expectation about libraries is checked against the loader itself: what is called missing does
not start, what is called clean does.
"""

from __future__ import annotations

import importlib.machinery
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from archives import archive, pyz
from compiling import Compile, compiler
from environments import write_files

from rustext.cli.main import run
from rustext.environment.environment import stdlib_environment
from rustext.errors import InvalidBundle, RustextError, UnreadableFile
from rustext.model.findings import Finding, Severity
from rustext.model.libraries import FoundBy, Resolved
from rustext.model.native_file import Crate
from rustext.model.verification import BundlePython, IsolatedRun, VerifyReport
from rustext.tracing.trace_file import Trace
from rustext.verify.bundle.bundle import Bundle, read_bundle
from rustext.verify.bundle.program import Freezer
from rustext.verify.checks.native.unreadable_files import check_unreadable
from rustext.verify.facts.native.loaded_files import LoadedFiles
from rustext.verify.facts.python.program_starts import Start
from rustext.verify.subject import platform_of
from rustext.verify.target.policies import is_system_library
from rustext.verify.verify import read_subject, sort_findings, verify

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]
MAIN = "int own(void); int main(void) { return own(); }"
OWN = "int own(void) { return 0; }"

# As in test_build.py: names as `&str`, and PyImport_Import among the strings.
RUST = """
#[no_mangle] pub static NAMES: [&str; 3] = ["zoneinfo._common", "json.decoder", "PyImport_Import"];
#[no_mangle] pub extern "C" fn PyInit__core(a: i32) -> String { a.to_string() }
"""

Make = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path, gcc: Compile) -> Make:
    """`folder(rpath=…, library=…)`: a program that needs libown.so.1, and the library or not."""

    def make(*flags: str, rpath: str = "$ORIGIN/lib", library: str | None = "lib") -> Path:
        root = tmp_path / "app.dist"
        own = gcc("libown.so.1", OWN, "-shared", "-fPIC", "-Wl,-soname,libown.so.1")
        rpaths = [f"-Wl,-rpath,{rpath}"] if rpath else []
        program = gcc("app", MAIN, str(own), *rpaths, *flags)
        root.mkdir()
        shutil.copy(program, root / "app")
        if library is not None:
            write_files(root, {f"{library}/libown.so.1": own})
        return root

    return make


def judged(root: Path, **options: object) -> VerifyReport:
    return verify(read_subject(read_bundle(root), stdlib=stdlib_environment(), **options))  # type: ignore[arg-type]


def starts(root: Path) -> bool:
    """What the loader says: the second source."""
    env = {"PATH": "/usr/bin:/bin"}
    return subprocess.run([root / "app"], env=env, capture_output=True, check=False).returncode == 0


# --- libraries --------------------------------------------------------------------------------


def test_a_bundle_that_holds_what_it_needs_is_clean(folder: Make) -> None:
    root = folder()
    report = judged(root)
    assert starts(root)
    assert report.findings == ()
    assert report.ok
    assert (report.freezer, report.modules > 0) == ("unknown", True)
    found = {e.soname: e for e in report.libraries}
    own = found["libown.so.1"]
    assert isinstance(own, Resolved)
    assert own.path is not None
    assert own.path.resolve() == root / "lib/libown.so.1"
    assert own.how is FoundBy.RUNPATH


def test_a_missing_library_is_an_error_with_every_place_searched(folder: Make) -> None:
    root = folder("-Wl,--disable-new-dtags", library=None)
    report = judged(root)
    assert not starts(root)
    (finding,) = report.findings
    assert (finding.id, finding.severity) == ("missing-library", Severity.ERROR)
    assert finding.subject == "libown.so.1"
    assert ("needed by", "app.dist/app") in finding.evidence
    searched = [text for label, text in finding.evidence if label == "searched"]
    assert searched[0].endswith("lib/libown.so.1 (rpath)")
    assert "/lib/x86_64-linux-gnu/libown.so.1 (default directory)" in searched or os.uname(
    ).machine != "x86_64"  # fmt: skip
    assert finding.hint == ("put it into the bundle, or allow it with `--allow-system libown.so.1`")
    assert not report.ok


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's loader is asked")
@pytest.mark.parametrize(("flags", "works"), [((), True), (("-Wl,-z,nodefaultlib",), False)])
def test_a_program_that_looks_in_no_default_folder_misses_the_systems_libraries(
    folder: Make, flags: tuple[str, ...], works: bool
) -> None:
    root = folder(*flags)
    report = judged(root)
    assert starts(root) is report.ok is works
    if not works:
        (finding,) = report.findings
        assert (finding.id, finding.subject) == ("missing-library", "libc.so.6")
        assert ("flags", "DF_1_NODEFLIB") in finding.evidence
        assert "allow" not in (finding.hint or "")


def test_a_library_for_another_machine_is_missing_and_said_why(
    folder: Make, zig: Callable[[str], Compile]
) -> None:
    root = folder()
    foreign = zig("aarch64-linux-musl")("libown.so.1", OWN, "-shared")
    shutil.copy(foreign, root / "lib/libown.so.1")
    assert not starts(root)
    errors = [f for f in judged(root).findings if f.severity is Severity.ERROR]
    (finding,) = [f for f in errors if f.subject == "libown.so.1"]
    assert any("aarch64" in text for _, text in finding.evidence)


def test_what_the_systems_own_library_brings_is_expected_with_it(
    tmp_path: Path, gcc: Compile
) -> None:
    """PyInstaller copies libX11 and leaves libxcb, which every libX11 needs, to the system."""
    xcb = gcc("libxcb.so.1", OWN, "-shared", "-fPIC", "-Wl,-soname,libxcb.so.1")
    x11, other = (
        gcc(name, "int x;", "-shared", "-fPIC", "-Wl,--no-as-needed", str(xcb),
            f"-Wl,-soname,{name}")
        for name in ("libX11.so.6", "libother.so.1")
    )  # fmt: skip
    root = tmp_path / "app.dist"
    program = gcc("app", "int main(void) { return 0; }", "-Wl,--no-as-needed", str(x11),
                  "-Wl,-rpath,$ORIGIN/lib", f"-Wl,-rpath-link,{xcb.parent}")  # fmt: skip
    write_files(root, {"app": program, "lib/libX11.so.6": x11})
    assert judged(root).findings == ()
    write_files(root, {"_other.abi3.so": other})
    assert {f.subject for f in judged(root).findings} == {"libxcb.so.1"}


def test_a_library_outside_the_bundle_is_the_hosts(folder: Make, tmp_path: Path) -> None:
    root = folder(rpath=str(tmp_path / "elsewhere"), library="../elsewhere")
    report = judged(root)
    assert starts(root)  # here, and nowhere else
    finding, cause = report.findings
    assert cause.id == "unsafe-rpath"
    assert (finding.id, finding.severity) == ("host-library", Severity.ERROR)
    assert finding.message == "`libown.so.1` comes from this machine, not from the bundle"
    assert ("needed by", "app.dist/app") in finding.evidence
    assert ("found", f"{tmp_path}/elsewhere/libown.so.1 (runpath)") in finding.evidence


@pytest.mark.parametrize("there", [True, False], ids=["host", "missing"])
def test_a_file_that_needs_a_library_in_two_ways_is_named_once(
    there: bool, tmp_path: Path, gcc: Compile
) -> None:
    """In the program's process the program's RPATH counts, and for the file alone it does not."""

    def library(name: str, source: str, *flags: str) -> Path:
        return gcc(name, source, "-shared", "-fPIC", f"-Wl,-soname,{name}", *flags)

    host = library("libhost.so.1", "int host(void) { return 0; }")
    own = library("libown.so.1", "int host(void); int own(void) { return host(); }", str(host))
    paths = f"-Wl,--disable-new-dtags,-rpath,$ORIGIN/lib:{tmp_path}/elsewhere"
    program = gcc("app", MAIN, str(own), paths, f"-Wl,-rpath-link,{host.parent}")
    root = tmp_path / "app.dist"
    write_files(root, {"app": program, "lib/libown.so.1": own})
    (root / "app").chmod(0o755)
    if there:
        write_files(tmp_path, {"elsewhere/libhost.so.1": host})
    assert starts(root) == there
    (finding,) = [f for f in judged(root).findings if f.subject == "libhost.so.1"]
    assert finding.id == ("host-library" if there else "missing-library")
    assert finding.evidence.count(("needed by", "app.dist/lib/libown.so.1")) == 1
    assert len(finding.evidence) == len(set(finding.evidence))


OPENER = (
    "#include <dlfcn.h>\nint main(int n, char **a)"
    "{ for (int i = 1; i < n; i++) if (!dlopen(a[i], RTLD_NOW)) return 1; return 0; }"
)
TEXT = b"a text that is longer than the header of an ELF file, so that it could be one"
USER = "int own(void); int x(void) { return own(); } void PyInit_%s(void) {}"


WINDOWS = (
    "__declspec(dllimport) unsigned long __stdcall GetTickCount(void);"
    "int wWinMainCRTStartup(void) { return GetTickCount() == 0; }"
)


@pytest.mark.parametrize("there", [True, False])
def test_pyinstallers_folder_is_searched_on_windows(
    there: bool, tmp_path: Path, pe_module: Path, zig: Callable[[str], Compile]
) -> None:
    """Its bootloader passes the folder to SetDllDirectory, before it loads Python from there."""
    root = tmp_path / "app"
    program = zig("x86_64-windows-gnu")("app.exe", WINDOWS, "-lkernel32")
    entries = [(b"o", "pyi-contents-directory _internal", b"")]
    module = pe_module.read_bytes().replace(b"KERNEL32.dll", b"python31.dll")
    write_files(
        root,
        {
            "app.exe": program.read_bytes() + archive(entries),
            "_internal/pkg/demo.pyd": module,
            **({"_internal/python31.dll": pe_module} if there else {}),
        },
    )
    missing = [f.subject for f in judged(root).findings if f.id == "missing-library"]
    assert [m for m in missing if "python31" in m] == ([] if there else ["python31.dll"])


@pytest.mark.parametrize(
    ("function", "oldest"), [("GetTickCount", "6.3"), ("SetThreadDescription", "10.0")]
)
def test_the_oldest_windows_is_that_of_the_python_or_of_a_newer_function(
    function: str, oldest: str, tmp_path: Path, zig: Callable[[str], Compile]
) -> None:
    """Python 3.9 to 3.12 support Windows 8.1, which is NT 6.3; the function is of Windows 10."""
    source = WINDOWS.replace("GetTickCount()", f"(unsigned long long)&{function}")
    source = source.replace("GetTickCount(void)", f"{function}(void)")
    program = zig("x86_64-windows-gnu")("app.exe", source, "-lkernel32").read_bytes()
    entries = [(b"o", "pyi-contents-directory _internal", b"")]
    write_files(tmp_path / "app", {"app.exe": program + archive(entries)})
    python = BundlePython(implementation="cpython", version=(3, 11), flags="", source="")
    (floor,) = judged(tmp_path / "app", python=python).floors
    assert (floor.system, floor.version) == ("Windows", oldest)
    new = function != "GetTickCount"
    cause = ("app.exe", (function,)) if new else ("Python 3.11", ())
    assert [(c.file, c.symbols) for c in floor.causes] == [cause]


@pytest.fixture
def misplaced(tmp_path: Path, gcc: Compile) -> Path:
    """A module that needs a library, which is in the bundle where the loader does not look."""
    root = tmp_path / "app.dist"
    own = gcc("libown.so.1", OWN, "-shared", "-fPIC", "-Wl,-soname,libown.so.1")
    module = gcc("ext.so", USER % "ext", "-shared", "-fPIC", str(own))
    files = {"app": gcc("opener", OPENER), "a/ext.so": module, "b/libown.so.1": own}
    write_files(root, files)
    (root / "app").chmod(0o755)
    return root


def opens(root: Path, *files: str) -> bool:
    """Whether a program that opens these files in turn gets through."""
    return subprocess.run([root / "app", *(root / f for f in files)], check=False).returncode == 0


def test_a_library_where_nobody_looks_is_an_error(misplaced: Path) -> None:
    assert not opens(misplaced, "a/ext.so")
    (finding,) = judged(misplaced).findings
    assert (finding.id, finding.severity) == ("missing-library", Severity.ERROR)
    assert finding.message == (
        "`libown.so.1` is in the bundle, but not where the loader looks for it"
    )
    assert finding.evidence[:2] == (
        ("needed by", "app.dist/a/ext.so"), ("it is", "app.dist/b/libown.so.1")
    )  # fmt: skip


def test_a_library_that_an_import_loads_first_counts_as_found(
    misplaced: Path, gcc: Compile
) -> None:
    """glibc knows it by its soname from then on; which import is the first one, no file says."""
    flags = ["-shared", "-fPIC", str(misplaced / "b/libown.so.1"), "-Wl,-rpath,$ORIGIN"]
    write_files(misplaced, {"b/first.so": gcc("first.so", USER % "first", *flags)})
    assert opens(misplaced, "b/first.so", "a/ext.so")
    assert not opens(misplaced, "a/ext.so", "b/first.so")
    (finding,) = judged(misplaced).findings
    assert (finding.id, finding.severity) == ("missing-library", Severity.WARNING)
    assert ("needed by", "app.dist/b/first.so") in finding.evidence


def test_a_library_that_code_opens_by_name_counts_as_found(misplaced: Path) -> None:
    write_files(misplaced, {"b/__init__.py": b"CDLL(os.path.join(here, 'libown.so.1'))\n"})
    assert opens(misplaced, "b/libown.so.1", "a/ext.so")
    (finding,) = judged(misplaced).findings
    assert (finding.id, finding.severity) == ("missing-library", Severity.WARNING)
    assert ("named in", "`b/__init__.py`") in finding.evidence


def test_a_library_of_another_soname_does_not_count(misplaced: Path, gcc: Compile) -> None:
    same = gcc("same.so", OWN, "-shared", "-fPIC", "-Wl,-soname,libsame.so.1")
    (misplaced / "b/libown.so.1").write_bytes(same.read_bytes())
    assert not opens(misplaced, "b/libown.so.1", "a/ext.so")
    (finding,) = judged(misplaced).findings
    assert (finding.id, finding.severity) == ("missing-library", Severity.ERROR)


def test_a_library_that_nothing_loads_is_no_error(misplaced: Path, gcc: Compile) -> None:
    """A plugin of a program that is not there, until code names it."""
    (misplaced / "a/ext.so").rename(misplaced / "a/plugin.so")
    assert [f.severity for f in judged(misplaced).findings] == [Severity.WARNING]
    write_files(misplaced, {"a/__init__.py": b"PLUGIN = 'plugin.so'\n"})
    assert [f.severity for f in judged(misplaced).findings] == [Severity.ERROR]


def test_files_that_only_look_native_are_a_note_until_something_loads_them(
    folder: Make, gcc: Compile
) -> None:
    root = folder()
    texts = ("locale/so.so", "page.html.so", "messages.dll", "x.pyd")
    write_files(root, dict.fromkeys(texts, TEXT))
    debug = root / "libown.so.1.debug"
    command = ["objcopy", "--only-keep-debug", root / "lib/libown.so.1", debug]
    subprocess.run(command, check=True, timeout=60)
    report = judged(root)
    assert starts(root)
    assert report.ok
    assert [(f.id, f.severity) for f in report.findings] == [("unreadable-file", Severity.NOTE)]
    assert len(report.findings[0].evidence) == len(texts)
    (root / "lib/libown.so.1").write_bytes(
        b"a text, longer than a header of ELF, so that it could be"
    )
    assert not starts(root)
    assert [f.severity for f in judged(root).findings] == [Severity.ERROR, Severity.NOTE]


def test_what_macos_keeps_beside_each_file_is_no_library(folder: Make) -> None:
    """As its `tar` and its Finder leave it on file systems of others."""
    root = folder()
    write_files(
        root, {f"pkg/._core{SUFFIX}": b"\0\5\x16\7" + bytes(100), "lib/._x.so.1": b"\0\5\x16\7"}
    )
    assert judged(root).findings == ()
    (root / f"pkg/core{SUFFIX}").write_bytes(b"\0\5\x16\7" + bytes(100))
    assert [f.id for f in judged(root).findings] == ["unreadable-file"]


def test_of_many_files_that_cannot_be_read_those_that_matter_are_named(folder: Make) -> None:
    root = folder()
    write_files(root, {f"pkg/m{number}{SUFFIX}": b"text" for number in range(60)})
    errors = [f for f in judged(root).findings if f.severity is Severity.ERROR]
    assert len(errors) == 51
    subject = read_subject(read_bundle(root), stdlib=stdlib_environment())
    start = Start(program=subject.bundle.programs[0], followed=True, reached={"pkg.m59": None})
    loaded = LoadedFiles(subject.bundle, subject.edges, (start,))
    found = list(check_unreadable(replace(subject, loaded=loaded, starts=(start,))))
    assert [f.subject for f in found if f.severity is Severity.ERROR] == [
        f"app.dist/pkg/m59{SUFFIX}"
    ]
    assert [f.severity for f in found if f.subject == "app.dist: 10 more"] == [Severity.WARNING]


def test_libraries_of_another_platform_that_nothing_loads_need_nothing(
    folder: Make, pe_module: Path
) -> None:
    root = folder()
    launcher = pe_module.read_bytes().replace(b"KERNEL32.dll", b"VCRUNT14.dll")
    write_files(root, {"setuptools/cli-64.exe": launcher})
    needed = [n.name for n in read_bundle(root).files[-1][1].binary.image.needed]
    assert needed == ["VCRUNT14.dll"]
    assert starts(root)
    assert judged(root).ok
    assert [f.id for f in judged(root).findings] == ["architecture"]


def test_a_link_that_leaves_the_bundle_is_the_hosts(folder: Make, tmp_path: Path) -> None:
    root = folder(library="../elsewhere")
    (root / "lib").mkdir()
    (root / "lib/libown.so.1").symlink_to(tmp_path / "elsewhere/libown.so.1")
    assert starts(root)
    assert [f.id for f in judged(root).findings] == ["host-library"]


@pytest.mark.parametrize("target", ["{root}/lib/kept.so", "../../{name}/lib/kept.so"])
def test_a_link_that_leaves_the_bundle_on_its_way_into_it_breaks_when_it_is_moved(
    target: str, folder: Make
) -> None:
    root = folder()
    library = root / "lib/libown.so.1"
    library.rename(root / "lib/kept.so")
    library.symlink_to("kept.so")
    assert starts(root)
    assert judged(root).findings == ()
    library.unlink()
    library.symlink_to(target.format(root=root, name=root.name))
    assert starts(root)
    (finding,) = judged(root).findings
    assert (finding.id, finding.severity) == ("outside-link", Severity.ERROR)
    moved = root.rename(root.with_name("moved"))
    assert not starts(moved)


def test_a_link_that_leads_nowhere_matters_where_a_module_ought_to_be(folder: Make) -> None:
    root = folder()
    (root / "notes.txt").symlink_to("gone")
    assert [f.severity for f in judged(root).findings] == [Severity.WARNING]
    (root / f"core{SUFFIX}").symlink_to("gone")
    assert [f.severity for f in judged(root).findings] == [Severity.ERROR, Severity.WARNING]


def test_what_the_target_provides_is_allowed_by_name(folder: Make) -> None:
    root = folder(library=None)
    assert judged(root, allow_system=["libown.so.1"]).ok
    assert not judged(root, allow_system=["libother.so.1"]).ok


def test_the_platforms_own_libraries_are_expected() -> None:
    for name in ("libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "ld-musl-x86_64.so.1"):
        assert is_system_library(name)
    for name in ("libpython3.11.so.1.0", "libssl.so.3", "libown.so.1", "c.so.6", ""):
        assert not is_system_library(name)


def test_each_library_is_named_once_however_many_need_it(folder: Make, gcc: Compile) -> None:
    root = folder(library=None)
    for index in range(3):
        extra = gcc(f"extra{index}.so", OWN.replace("own", f"own{index}"), "-shared", "-fPIC")
        shutil.copy(extra, root)
    assert len([f for f in judged(root).findings if f.id == "missing-library"]) == 1


# --- imports ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rust_core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    command = ["rustc", "--edition=2021", "--crate-type=cdylib", "-Awarnings"]
    return compiler(command, tmp_path_factory.mktemp("rustc"))("libcore.so", RUST)


def test_names_that_nothing_imports_are_a_note(folder: Make, rust_core: Path) -> None:
    root = folder()
    write_files(root, {f"pkg/_core{SUFFIX}": rust_core, "json/decoder.py": ""})
    report = judged(root)
    (finding,) = report.findings
    assert (finding.id, finding.severity) == ("missing-import", Severity.NOTE)
    assert finding.subject == f"app.dist/pkg/_core{SUFFIX}"
    assert finding.evidence == (("names", "zoneinfo._common"),)
    assert report.ok
    assert [str(f.path) for f in report.extensions] == [f"pkg/_core{SUFFIX}"]


def with_crate(bundle: Bundle, name: str, version: str) -> Bundle:
    """The bundle as if its extensions had come with a bill of materials."""
    crates = (Crate(name=name, version=version, source="sbom"),)
    files = tuple(
        (path, replace(file, provenance=replace(file.provenance, rust=True, crates=crates)))
        for path, file in bundle.files
    )
    return replace(bundle, files=files)


@pytest.mark.parametrize(
    ("modules", "missing"),
    [
        (("numpy", "numpy.lib", "numpy._core.multiarray"), set()),
        (("numpy", "numpy.lib", "numpy.core.multiarray"), set()),  # NumPy 1: the other rule
        (("numpy", "numpy.lib"), {"numpy._core.multiarray"}),
        ((), set()),  # without NumPy the program cannot get as far
    ],
)
def test_of_alternative_rules_one_has_to_hold(
    modules: tuple[str, ...], missing: set[str], folder: Make, gcc: Compile
) -> None:
    root = folder()
    text = "".join(
        f'const char *mark_{i} = "{m}";'
        for i, m in enumerate(("numpy._core", "NumpyVersion", "PyImport_Import"))
    )
    core = gcc("core.so", text + "void *PyInit_core(void) { return 0; }", "-shared", "-fPIC")
    write_files(root, {f"pkg/core{SUFFIX}": core})
    write_files(root, {f"{m.replace('.', '/')}.py": "" for m in modules})
    bundle = with_crate(read_bundle(root), "numpy", "0.25.0")
    report = verify(read_subject(bundle, stdlib=stdlib_environment()))
    errors = [f for f in report.findings if f.severity is Severity.ERROR]
    assert {f.subject for f in errors} == missing
    assert all(f.id == "missing-import" for f in errors)
    assert all("crate numpy 0.25.0 (sbom)" in f.evidence[1][1] for f in errors)


# --- the run ----------------------------------------------------------------------------------


def ended(code: int, *libraries: Path, stderr: str = "", stdout: str = "") -> IsolatedRun:
    return IsolatedRun(code=code, stdout=stdout, stderr=stderr, hidden=(), libraries=libraries)


@pytest.mark.parametrize(
    ("code", "said"), [(1, "exit code 1"), (127, "exit code 127"), (-11, "signal 11")]
)
def test_a_run_that_fails_is_an_error_and_quoted(code: int, said: str, folder: Make) -> None:
    lines = "\n".join(f"line {i}" for i in range(40))
    report = judged(folder(), run=ended(code, stderr=lines, stdout="not this"))
    (finding,) = report.findings
    assert (finding.id, finding.message) == ("run", f"`app` ended with {said}")
    assert finding.evidence[-1] == ("printed", "line 39")
    assert len(finding.evidence) == 12
    assert not report.ok


def test_of_a_long_line_the_beginning_is_quoted(folder: Make) -> None:
    report = judged(folder(), run=ended(1, stderr=f"{'x' * 5_000}\nlast"))
    texts = [text for _, text in report.findings[0].evidence]
    assert [len(text) for text in texts] == [1000, 4]


def test_a_run_that_says_nothing_on_stderr_is_quoted_from_stdout(folder: Make) -> None:
    (finding,) = judged(folder(), run=ended(3, stdout="only here\n")).findings
    assert finding.evidence == (("printed", "only here"),)


def test_what_a_library_of_the_system_needs_is_not_the_programs(
    tmp_path: Path, gcc: Compile
) -> None:
    shared = ("-shared", "-fPIC", "-Wl,--no-as-needed")
    far = gcc("libfar.so.1", OWN, *shared, "-Wl,-soname,libfar.so.1")
    glib = gcc("libglib-2.0.so.0", MAIN.replace("main", "g"), *shared, str(far),
               "-Wl,-soname,libglib-2.0.so.0", "-Wl,-rpath,$ORIGIN")  # fmt: skip
    host, root = tmp_path / "host", tmp_path / "app.dist"
    write_files(host, {far.name: far, glib.name: glib})
    program = gcc("app", "int main(void) { return 0; }", "-Wl,--no-as-needed", str(glib),
                  f"-Wl,-rpath,{host}", f"-Wl,-rpath-link,{far.parent}")  # fmt: skip
    write_files(root, {"app": program})
    run = ended(0, host / far.name, host / "libodd.so.1")
    found = {f.subject for f in judged(root, run=run).findings if f.id == "host-library"}
    assert found == {"libodd.so.1"}


def test_what_a_run_loaded_from_elsewhere_is_the_hosts(folder: Make) -> None:
    root = folder()
    libraries = (root / "lib/libown.so.1", Path("/lib/libc.so.6"), Path("/usr/lib/libodd.so.1"))
    (finding,) = judged(root, run=ended(0, *libraries)).findings
    assert (finding.id, finding.subject) == ("host-library", "libodd.so.1")
    assert judged(root, run=ended(0, *libraries), allow_system=["libodd.so.1"]).ok


def test_findings_are_sorted_worst_first() -> None:
    def finding(severity: Severity, name: str, subject: str) -> Finding:
        return Finding(id=name, severity=severity, subject=subject, message="m")

    expected = [
        finding(Severity.ERROR, "a", "x"), finding(Severity.ERROR, "b", "a"),
        finding(Severity.ERROR, "b", "b"), finding(Severity.WARNING, "a", "a"),
        finding(Severity.NOTE, "a", "a"),
    ]  # fmt: skip
    assert sort_findings(reversed(expected)) == expected


# --- what a bundle is -------------------------------------------------------------------------


def test_loose_modules_are_those_of_the_bundle(folder: Make, gcc: Compile) -> None:
    root = folder()
    module = gcc("fast.so", "void *PyInit_fast(void) { return 0; }", "-shared", "-fPIC")
    write_files(
        root,
        {
            "pkg/__init__.py": "",
            "pkg/mod.pyc": "",
            f"pkg/fast{SUFFIX}": module,
            "pkg/stub.pyi": "",
            "lib/python3.11/json/__init__.py": "",
            "lib/python3.11/lib-dynload/fast.so": module,
        },
    )
    modules = read_bundle(root).modules
    assert {"pkg", "pkg.mod", "pkg.fast", "fast", "json"} <= modules
    assert "pkg.stub" not in modules


def test_a_pyinstaller_folder_is_read_from_its_archive(folder: Make) -> None:
    root = folder("-Wl,-rpath,$ORIGIN/_internal", library="_internal")
    with (root / "app").open("ab") as program:
        program.write(archive([(b"z", "PYZ.pyz", pyz([("frozen.mod", (0, 0, 0))]))]))
    with zipfile.ZipFile(root / "_internal/base_library.zip", "w") as library:
        library.writestr("codecs.pyc", "")
        library.writestr("encodings/__init__.pyc", "")
    bundle = read_bundle(root)
    assert bundle.program.freezer is Freezer.PYINSTALLER
    assert bundle.program.python == (3, 11)
    assert bundle.contents == root / "_internal"
    assert {"frozen.mod", "codecs", "encodings"} <= bundle.modules
    assert judged(root).freezer == "pyinstaller"


def test_another_contents_folder_is_found_by_its_library(folder: Make) -> None:
    root = folder(library="inside")
    with (root / "app").open("ab") as program:
        program.write(archive([(b"z", "PYZ.pyz", pyz([]))]))
    assert read_bundle(root).contents == root
    write_files(root, {"inside/base_library.zip": b"no zip"})
    assert read_bundle(root).contents == root / "inside"


def test_the_program_of_a_freezer_is_taken_before_others(folder: Make) -> None:
    root = folder()
    shutil.copy(root / "app", root / "aaa")
    assert read_bundle(root).program.path.name == "aaa"
    with (root / "app").open("ab") as program:
        program.write(archive([(b"m", "m", b"")]))
    assert read_bundle(root).program.path.name == "app"


def test_a_python_in_the_bundle_names_its_built_in_modules(tmp_path: Path) -> None:
    python = Path(sys.executable).resolve()
    (tmp_path / "app").mkdir()
    shutil.copy(python, tmp_path / "app/app")
    assert set(sys.builtin_module_names) <= read_bundle(tmp_path / "app").modules


def test_the_platform_is_that_of_the_program(folder: Make) -> None:
    assert platform_of(read_bundle(folder())) == f"linux-{os.uname().machine}"


@pytest.mark.parametrize(
    ("files", "error"),
    [
        ({}, InvalidBundle),
        ({"readme.txt": "no program"}, InvalidBundle),
        ({"cut": b"\x7fELF\x02\x01\x01" + b"\0" * 20}, InvalidBundle),
        ({"deep/below/app": b""}, InvalidBundle),
    ],
)
def test_a_folder_without_a_program_is_refused(
    files: dict[str, str | bytes], error: type[RustextError], tmp_path: Path
) -> None:
    write_files(tmp_path, files)
    with pytest.raises(error, match=r"holds no (program|native file that can be read)"):
        read_bundle(tmp_path)


def test_a_damaged_archive_is_said_and_nothing_is_made_of_what_it_may_hold(folder: Make) -> None:
    root = folder()
    data = archive([(b"z", "PYZ.pyz", pyz([("m", (0, 0, 0))]))])
    with (root / "app").open("ab") as program:
        program.write(data[40:])
    (finding,) = judged(root).findings
    assert (finding.id, finding.severity) == ("unreadable-file", Severity.ERROR)
    assert finding.subject == "app.dist/app"
    assert finding.evidence == (("because", "PyInstaller's module archive has no table"),)


def test_what_cannot_be_followed_says_what_would_show_it(folder: Make) -> None:
    root = folder()
    data = archive([(b"z", "PYZ.pyz", pyz([("m", (0, 0, 0))]))])
    with (root / "app").open("ab") as program:
        program.write(data[40:])
    (line,) = [one for one in judged(root).unjudged if "`app`" in one]
    assert "`--run`" in line
    assert "`rustext trace`" in line
    (line,) = [one for one in judged(root, trace=Trace()).unjudged if "`app`" in one]
    assert "`--run`" in line
    assert "`rustext trace`" not in line


def test_plug_ins_that_only_their_metadata_is_here_of_are_named(folder: Make) -> None:
    """Python's own reader finds the entry point, and its module nowhere."""
    root = folder()
    points = "[host.readers]\na = gone.reader\nb = here\n[console_scripts]\nc = never.main:run\n"
    files = {"METADATA": "Name: gone\nVersion: 1\n", "entry_points.txt": points}
    write_files(root, {f"gone-1.dist-info/{name}": text for name, text in files.items()})
    write_files(root, {"here.py": ""})
    (line,) = [one for one in judged(root).unjudged if "plug-ins" in one]
    assert "`gone` (`gone`)" in line
    assert "here" not in line.partition(": ")[2].partition(";")[0]
    code = "from importlib.metadata import entry_points as asked\n"
    code += "for point in asked(group='host.readers'): point.load()"
    env = {**os.environ, "PYTHONPATH": str(root)}
    ran = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, env=env)
    assert b"No module named 'gone'" in ran.stderr
    write_files(root, {"gone/__init__.py": ""})
    assert not [one for one in judged(root).unjudged if "plug-ins" in one]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ('"cython_runtime", "__file__", "dirname"', True),
        ('"cython_runtime", "__file__", "name"', False),
        ('"__file__", "dirname"', False),  # as each module of mypyc's
    ],
)
def test_compiled_modules_that_look_around_themselves_are_named(
    words: str, named: bool, folder: Make, gcc: Compile
) -> None:
    root = folder()
    source = f"const char *words[] = {{{words}}}; void *PyInit_seeker(void) {{ return words; }}"
    library = gcc("seeker.so", source, "-shared", "-fPIC")
    shutil.copy(library, root / f"seeker{SUFFIX}")
    found = [one for one in judged(root).unjudged if "find next to themselves" in one]
    assert ["`seeker`" in one for one in found] == [True] * named


def test_a_path_that_is_no_folder_is_refused(tmp_path: Path, elf_module: Path) -> None:
    with pytest.raises(InvalidBundle, match="is a file"):
        read_bundle(elf_module)
    with pytest.raises(UnreadableFile, match="does not exist"):
        read_bundle(tmp_path / "missing")


def test_files_that_are_no_files_are_named_and_do_no_harm(folder: Make) -> None:
    root = folder()
    os.mkfifo(root / "fifo")
    (root / "loop").symlink_to(".")
    (root / "dangling.so").symlink_to("nowhere")
    report = judged(root)
    assert report.ok
    assert [(f.id, f.subject) for f in report.findings] == [
        ("outside-link", "app.dist/dangling.so"), ("unreadable-file", "app.dist/fifo")
    ]  # fmt: skip
    os.mkfifo(root / "lib/fifo.so")
    assert judged(root).ok  # nothing loads it
    (root / "lib/libown.so.1").unlink()
    os.mkfifo(root / "lib/libown.so.1")
    assert not judged(root).ok


# --- the command ------------------------------------------------------------------------------


def test_the_command_says_what_the_report_says(
    folder: Make, capfd: pytest.CaptureFixture[str]
) -> None:
    root = folder()
    assert run(["verify", str(root), "--run", "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    keys = ["bundle", "freezer", "platform", "target", "ok", "findings", "libraries",
            "extensions", "modules"]  # fmt: skip
    assert list(document)[: len(keys)] == keys
    assert (document["ok"], document["findings"], document["run"]["code"]) == (True, [], 0)
    (root / "lib/libown.so.1").unlink()
    assert run(["verify", str(root)]) == 1
    out, err = capfd.readouterr()
    assert err == ""
    assert out.startswith("error[missing-library]: `libown.so.1` is not in the bundle")
    assert "does not stand alone" in out
    assert run(["verify", str(root), "--allow-system", "libown.so.1"]) == 0


def test_the_command_runs_the_program_with_its_arguments(
    tmp_path: Path, gcc: Compile, capfd: pytest.CaptureFixture[str]
) -> None:
    source = "#include <stdlib.h>\nint main(int n, char **a) { return n > 1 ? atoi(a[1]) : 0; }"
    shutil.copy(gcc("app", source), tmp_path / "app")
    assert run(["verify", str(tmp_path), "--run", "--json", "--", "7"]) == 1
    (finding,) = json.loads(capfd.readouterr().out)["findings"]
    assert (finding["id"], finding["message"]) == ("run", "`app` ended with exit code 7")


def test_a_program_that_does_not_end_is_an_error_among_the_others(
    tmp_path: Path, gcc: Compile, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(gcc("app", "#include <unistd.h>\nint main(void) { sleep(60); }"), tmp_path / "app")
    assert run(["verify", str(tmp_path), "--run", "--timeout", "0.5", "--json"]) == 1
    document = json.loads(capfd.readouterr().out)
    assert [f["message"] for f in document["findings"] if f["severity"] == "error"] == [
        "`app` did not end within 0.5 seconds"
    ]
    assert document["run"]["seconds"] == 0.5


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("sleep(60);", 0),
        ("return 0;", 0),
        ("return 3;", 1),
        ('write(2, "Traceback (most recent call last):\\n", 35); sleep(60);', 1),
    ],
)
def test_a_program_that_runs_on_is_well(
    source: str, code: int, tmp_path: Path, gcc: Compile, capfd: pytest.CaptureFixture[str]
) -> None:
    main = f"#include <unistd.h>\nint main(void) {{ {source} return 0; }}"
    shutil.copy(gcc("app", main), tmp_path / "app")
    assert run(["verify", str(tmp_path), "--alive", "1", "--json"]) == code
    document = json.loads(capfd.readouterr().out)
    assert document["run"]["seconds"] == (1 if "sleep" in source else None)


def test_a_start_that_fails_for_want_of_a_module_proposes_a_record(
    tmp_path: Path, gcc: Compile, capfd: pytest.CaptureFixture[str]
) -> None:
    main = """#include <stdio.h>
    int main(void) { fputs("Traceback\\nModuleNotFoundError: No module named 'x'\\n", stderr);
                     return 1; }"""
    shutil.copy(gcc("app", main), tmp_path / "app")
    assert run(["verify", str(tmp_path), "--run"]) == 1
    assert "hint: record what it needs, `rustext trace" in capfd.readouterr().out
