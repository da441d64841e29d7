"""Search paths that lead out of a bundle, and what the loader makes of them.

The second source is ld.so: it is asked where it looks (`LD_DEBUG=libs`), and a library planted
there is the one that it takes.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from archives import archive, pyz
from compiling import Compile
from environments import write_files

from rustext.environment.environment import stdlib_environment
from rustext.model.findings import Finding, Severity
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.verify import read_subject, verify

MAIN = "int own(void); int main(void) { return own(); }"
OWN = "int own(void) { return 0; }"
PLANTED = "int own(void) { return 42; }"

Make = Callable[..., Path]


@pytest.fixture
def bundle(tmp_path: Path, gcc: Compile) -> Make:
    """`bundle("rpath", …)`: a program that needs `lib/libown.so.1`, with these rpaths."""

    def make(*rpaths: str, tag: str = "--disable-new-dtags", at: str = "app.dist/lib") -> Path:
        own = gcc("libown.so.1", OWN, "-shared", "-fPIC", "-Wl,-soname,libown.so.1")
        program = gcc("app", MAIN, str(own), f"-Wl,-rpath,{':'.join(rpaths)}", f"-Wl,{tag}")
        write_files(tmp_path, {"app.dist/app": program, f"{at}/libown.so.1": own})
        (tmp_path / "app.dist/app").chmod(0o755)
        return tmp_path / "app.dist"

    return make


def unsafe(root: Path) -> list[Finding]:
    report = verify(read_subject(read_bundle(root), stdlib=stdlib_environment()))
    return [f for f in report.findings if f.id == "unsafe-rpath"]


def ended(root: Path, cwd: Path) -> int:
    env = {"PATH": "/usr/bin:/bin"}
    return subprocess.run(
        [root / "app"], cwd=cwd, env=env, capture_output=True, check=False
    ).returncode


def searched(root: Path) -> str:
    env = {"PATH": "/usr/bin:/bin", "LD_DEBUG": "libs"}
    done = subprocess.run([root / "app"], env=env, capture_output=True, text=True, check=False)
    return "\n".join(line for line in done.stderr.splitlines() if "trying file=" in line)


def test_a_path_below_origin_is_safe(bundle: Make, tmp_path: Path) -> None:
    root = bundle("$ORIGIN/lib", "${ORIGIN}/lib/../other", "/usr/lib/x86_64-linux-gnu", "/lib64")
    assert ended(root, tmp_path) == 0
    assert unsafe(root) == []


@pytest.mark.parametrize("entry", ["", "lib/x", "."])
def test_whoever_chooses_the_current_directory_chooses_the_library(
    entry: str, bundle: Make, tmp_path: Path, gcc: Compile
) -> None:
    root = bundle(entry, "$ORIGIN/lib")
    (finding,) = unsafe(root)
    assert (finding.severity, finding.subject) == (Severity.ERROR, entry)
    assert ("in", "app.dist/app (DT_RPATH)") in finding.evidence
    planted = gcc("libown.so.1", PLANTED, "-shared", "-fPIC", "-Wl,-soname,libown.so.1")
    write_files(tmp_path, {f"elsewhere/{entry}/libown.so.1": planted})
    assert ended(root, root) == 0
    assert ended(root, tmp_path / "elsewhere") == 42


def test_the_current_directory_is_searched_for_the_c_library_too(bundle: Make) -> None:
    """Though the program's own libraries are found before it."""
    root = bundle("$ORIGIN/lib", "plugins", tag="--enable-new-dtags")
    assert "plugins/libown.so.1" not in searched(root)
    assert "plugins/libc.so.6" in searched(root)
    (finding,) = unsafe(root)
    assert finding.severity is Severity.ERROR


def test_an_absolute_path_that_a_library_is_found_through_is_an_error(
    bundle: Make, tmp_path: Path
) -> None:
    root = bundle(f"{tmp_path}/build", at="build")
    assert ended(root, tmp_path) == 0  # here, and nowhere else
    (finding,) = unsafe(root)
    assert (finding.severity, finding.subject) == (Severity.ERROR, f"{tmp_path}/build")
    assert finding.message.startswith("a library is found through")


def test_an_absolute_path_into_the_bundle_holds_only_here(bundle: Make, tmp_path: Path) -> None:
    root = bundle(f"{tmp_path}/app.dist/lib")
    assert ended(root, tmp_path) == 0
    (finding,) = unsafe(root)
    assert finding.severity is Severity.ERROR
    moved = tmp_path / "moved"
    shutil.move(root, moved)
    assert ended(moved, tmp_path) == 127


@pytest.mark.parametrize("absolute", [True, False])
def test_a_library_that_is_needed_by_a_path_is_found_in_one_place_alone(
    absolute: bool, tmp_path: Path, gcc: Compile, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "app.dist"
    own = gcc("libown.so", OWN, "-shared", "-fPIC")  # no soname: the linker takes the path
    write_files(root, {"libown.so": own})
    path = str(root / "libown.so") if absolute else "./libown.so"
    monkeypatch.chdir(root)
    write_files(root, {"app": gcc("app", MAIN, path)})
    (root / "app").chmod(0o755)
    assert ended(root, root) == 0
    report = verify(read_subject(read_bundle(root), stdlib=stdlib_environment()))
    (finding,) = (f for f in report.findings if f.subject == path)
    assert finding.severity is Severity.ERROR
    moved = tmp_path / "moved"
    shutil.move(root, moved)
    assert ended(moved, tmp_path) == 127


def test_an_absolute_path_where_nothing_is_found_is_a_note(bundle: Make) -> None:
    root = bundle("/opt/built/lib", "$ORIGIN/lib")
    assert "/opt/built/lib/libown.so.1" in searched(root)
    (finding,) = unsafe(root)
    assert (finding.severity, finding.subject) == (Severity.NOTE, "/opt/built/lib")
    assert finding.message.startswith("libraries are looked for through")


def test_a_folder_that_everybody_may_write_to_is_a_warning(bundle: Make) -> None:
    root = bundle("/tmp/rustext-no-such-folder/lib", "$ORIGIN/lib")
    assert "/tmp/rustext-no-such-folder/lib/libown.so.1" in searched(root)
    (finding,) = unsafe(root)
    assert finding.severity is Severity.WARNING


def test_a_path_that_climbs_out_of_the_bundle_is_a_warning(
    bundle: Make, tmp_path: Path, gcc: Compile
) -> None:
    root = bundle("$ORIGIN/../lib", "$ORIGIN/lib")
    (finding,) = unsafe(root)
    assert (finding.severity, finding.subject) == (Severity.WARNING, "$ORIGIN/../lib")
    assert ("means", f"{tmp_path}/lib") in finding.evidence
    planted = gcc("libown.so.1", PLANTED, "-shared", "-fPIC", "-Wl,-soname,libown.so.1")
    write_files(tmp_path, {"lib/libown.so.1": planted})
    assert ended(root, tmp_path) == 42
    (finding,) = unsafe(root)
    assert finding.severity is Severity.ERROR


def test_files_with_the_same_entry_share_a_finding(bundle: Make, gcc: Compile) -> None:
    root = bundle("$ORIGIN/lib")
    for number in range(8):
        extra = gcc(
            f"extra{number}.so", OWN.replace("own", f"own{number}"), "-shared", "-fPIC",
            "-Wl,-rpath,/opt/built/lib", "-nostdlib",
        )  # fmt: skip
        shutil.copy(extra, root)
    (finding,) = unsafe(root)
    assert finding.severity is Severity.NOTE
    assert finding.message.endswith("though nothing is looked for there")
    assert [label for label, _ in finding.evidence] == ["in"] * 8


def test_a_macos_run_path_of_the_build_machine_is_found(
    tmp_path: Path, zig: Callable[[str], Compile]
) -> None:
    compile_c = zig("aarch64-macos")
    own = compile_c("libown.dylib", OWN, "-shared", "-Wl,-install_name,@rpath/libown.dylib")
    uses = "int own(void); int use(void) { return own(); }"
    user = compile_c(
        "user.so", uses, "-shared", str(own), "-Wl,-rpath,/Users/runner/work/lib",
        "-Wl,-rpath,@loader_path/lib", "-Wl,-rpath,/usr/lib/swift",
    )  # fmt: skip
    write_files(tmp_path, {"pkg/user.so": user, "pkg/lib/libown.dylib": own})
    (finding,) = unsafe(tmp_path)
    assert (finding.severity, finding.subject) == (Severity.NOTE, "/Users/runner/work/lib")
    assert ("in", f"{tmp_path.name}/pkg/user.so (LC_RPATH)") in finding.evidence


def test_windows_has_no_search_paths(tmp_path: Path, pe_module: Path) -> None:
    shutil.copy(pe_module, tmp_path / "demo.pyd")
    assert unsafe(tmp_path) == []


def test_the_folder_that_a_python_was_installed_into_is_not_reported(
    bundle: Make, gcc: Compile
) -> None:
    """Each file of such a Python has it; nothing is found there, and the loader says the same."""
    root = bundle("$ORIGIN/lib")
    for name, folder in {
        "libpython3.11.so.1.0": "/opt/python/lib",
        "_bz2.cpython-311-x86_64-linux-gnu.so": "/opt/python/lib",
        "core.cpython-311-x86_64-linux-gnu.so": "/home/builder/lib",
    }.items():
        flags = ["-shared", "-fPIC", f"-Wl,-rpath,{folder}", "-lm", "-Wl,--no-as-needed"]
        write_files(root, {name: gcc(name, OWN, *flags)})
    assert "/opt/python" not in searched(root)
    (finding,) = unsafe(root)
    assert (finding.severity.value, finding.subject) == ("note", "/home/builder/lib")


def test_a_file_that_nothing_loads_is_no_error(bundle: Make, tmp_path: Path, gcc: Compile) -> None:
    root = bundle("$ORIGIN/lib")
    outside = gcc("libfar.so.1", "int far;", "-shared", "-fPIC", "-Wl,-soname,libfar.so.1")
    flags = ("-shared", "-fPIC", str(outside), f"-Wl,-rpath,{outside.parent}", "-Wl,--no-as-needed")
    write_files(tmp_path, {"app.dist/spare/libspare.so": gcc("libspare.so", "int spare;", *flags)})
    shutil.copy(gcc("libspare.so", "int spare;", *flags), root / "spare" / "libspare.so")
    assert "libspare" not in searched(root)
    assert ended(root, tmp_path) == 0
    assert [f.severity for f in unsafe(root)] == [Severity.NOTE]


@pytest.mark.parametrize(
    ("needed", "severity"), [(("-lm",), Severity.NOTE), ((), Severity.WARNING)]
)
def test_what_pythons_library_needs_is_looked_for_no_more(
    needed: tuple[str, ...], severity: Severity, tmp_path: Path, gcc: Compile
) -> None:
    """PyInstaller's bootloader opens it before any module, and the system's libm with it."""
    names = ("Py_DecRef", "PyImport_ImportModule", "PyConfig_Read")
    rows = ", ".join(f'"{name}"' for name in names)
    program = gcc("app", f"const char *asked[] = {{{rows}}}; int main(void) {{ return 0; }}")
    source = "".join(f"void {name}(void) {{}}\n" for name in names)
    shared = ("-shared", "-fPIC", "-Wl,--no-as-needed")
    module = "void *PyInit_own(void) { return 0; }"
    root = tmp_path / "app.dist"
    write_files(root, {
        "app": program,
        "libpython3.11.so": gcc("libpython3.11.so", source, *shared, *needed),
        "own.abi3.so": gcc("own.abi3.so", module, *shared, "-lm", "-Wl,-rpath,$ORIGIN/../more"),
    })  # fmt: skip
    with (root / "app").open("ab") as file:
        file.write(archive([(b"z", "PYZ.pyz", pyz([]))]))
    (finding,) = unsafe(root)
    assert finding.severity is severity
