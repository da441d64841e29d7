"""Bundles of macOS, judged on whatever this runs on: applications and folders of real Mach-O files.

No freezer makes one here: they are laid out as the freezers' sources say (see
`rustext.verify.bundle.macos_app`), from what zig's linker makes.
"""

from __future__ import annotations

import hashlib
import plistlib
import struct
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import signing
from archives import CODE, archive, pyz
from compiling import Compile
from crates import DATA
from program_tables import INITTAB, INLINE, RECORDS
from signing import fat

from rustext.environment.environment import stdlib_environment
from rustext.errors import InvalidBundle
from rustext.model.findings import Finding, Severity
from rustext.model.libraries import Resolved
from rustext.model.native_file import Provenance
from rustext.model.verification import VerifyReport
from rustext.verify.bundle.bundle import Bundle, read_bundle
from rustext.verify.bundle.program import Freezer
from rustext.verify.run.start import run_bundle
from rustext.verify.subject import platform_of
from rustext.verify.verify import read_subject, verify

MAIN = "int main(void) { return 0; }"
OWN = "int own(void) { return 1; }"
MODULE = "int own(void); int PyInit__core(void) { return own(); }"
WEAK = "int own(void) __attribute__((weak_import)); int PyInit__core(void) { return own(); }"
ALONE = "int PyInit__core(void) { return 1; }"
UP = "-Wl,-rpath,@loader_path/.."
LC_LOAD_DYLIB, LC_LOAD_WEAK_DYLIB = 0xC, 0x80000018


@dataclass(frozen=True, kw_only=True)
class Builder:
    """Compiles for one architecture."""

    compile: Compile

    def program(self) -> bytes:
        return self.compile("app", MAIN, "-lSystem").read_bytes()

    def library(self, name: str = "@rpath/libown.dylib") -> Path:
        return self.compile("libown.dylib", OWN, "-shared", f"-Wl,-install_name,{name}")

    def module(self, library: Path | None, *flags: str, name: str = "@rpath/_core.so") -> bytes:
        needs = [str(library)] if library is not None else []
        source = MODULE if library is not None else ALONE
        own = f"-Wl,-install_name,{name}"
        return self.compile("_core.so", source, "-shared", own, *needs, *flags).read_bytes()


@pytest.fixture
def arm(zig: Callable[[str], Compile]) -> Builder:
    return Builder(compile=zig("aarch64-macos"))


@pytest.fixture
def intel(zig: Callable[[str], Compile]) -> Builder:
    return Builder(compile=zig("x86_64-macos"))


def judged(root: Path, **options: object) -> VerifyReport:
    return verify(read_subject(read_bundle(root), stdlib=stdlib_environment(), **options))  # type: ignore[arg-type]


def errors(root: Path) -> list[Finding]:
    return [f for f in judged(root).findings if f.severity is Severity.ERROR]


def put(folder: Path, **files: bytes) -> Path:
    """Write files whose names have `__` for a slash and `_dot_` for a dot."""
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


# --- applications -----------------------------------------------------------------------------


@pytest.fixture
def pyinstaller_app(tmp_path: Path, arm: Builder) -> Path:
    """As PyInstaller 6 lays it out, with its archive in the program and one signature over both."""
    contents = tmp_path / "Demo.app/Contents"
    size = len(CODE)
    table = pyz([("json", (1, 17, size)), ("main_part", (0, 17 + size, size))])
    entries = [(b"m", "struct", b"code"), (b"s", "demo", b"x"), (b"z", "PYZ.pyz", table)]
    code = signing.unsigned(arm.program()) + archive(entries)
    put(
        contents,
        MacOS__demo=signing.sign(code),
        MacOS__another=arm.program(),
        Frameworks__libown_dot_dylib=arm.library().read_bytes(),
        Frameworks__libpython3_dot_11_dot_so=arm.module(None),
        Frameworks__pkg___core_dot_abi3_dot_so=arm.module(arm.library(), UP),
        Resources__pkg__data_dot_json=b"{}",
        Resources__plain__mod_dot_py=b"pass\n",
        Info_dot_plist=plistlib.dumps({"CFBundleExecutable": "demo"}),
    )
    with zipfile.ZipFile(contents / "Resources/base_library.zip", "w") as library:
        library.writestr("abc.pyc", b"\xa7\x0d\x0d\x0a" + bytes(12) + b"code")  # Python 3.11
    for link, target in {
        "Frameworks/base_library.zip": "../Resources/base_library.zip",
        "Frameworks/pkg/data.json": "../../Resources/pkg/data.json",
        "Frameworks/plain": "../Resources/plain",
        "Resources/libown.dylib": "../Frameworks/libown.dylib",
        "Resources/pkg/_core.abi3.so": "../../Frameworks/pkg/_core.abi3.so",
    }.items():
        (contents / link).symlink_to(target)
    return contents.parent


def test_extension_modules_are_found_where_pyinstaller_writes_the_dot_out(
    pyinstaller_app: Path, arm: Builder
) -> None:
    """As `PyInstaller/building/osx.py` does with folders that hold code."""
    frameworks = pyinstaller_app / "Contents/Frameworks"
    folder = frameworks / "python3__dot__11/lib-dynload"
    folder.mkdir(parents=True)
    (folder / "_core.cpython-311-darwin.so").write_bytes(arm.module(None))
    (frameworks / "python3.11").symlink_to("python3__dot__11")
    assert "_core" in read_bundle(pyinstaller_app).modules


def test_an_application_of_pyinstaller_is_read(pyinstaller_app: Path) -> None:
    bundle = read_bundle(pyinstaller_app)
    assert bundle.program is not None
    assert bundle.program.path.name == "demo"
    assert bundle.freezer is Freezer.PYINSTALLER
    assert platform_of(bundle) == "macos-arm64"
    assert bundle.contents == pyinstaller_app / "Contents/Frameworks"
    assert {"pkg._core", "json", "struct", "abc", "plain.mod"} <= bundle.modules
    names = sorted(str(p.relative_to(pyinstaller_app / "Contents")) for p, _ in bundle.files)
    assert names == [  # each once, and not through its links
        "Frameworks/libown.dylib",
        "Frameworks/libpython3.11.so",
        "Frameworks/pkg/_core.abi3.so",
        "MacOS/another",
        "MacOS/demo",
    ]


def test_an_application_that_holds_what_it_needs_has_no_error(pyinstaller_app: Path) -> None:
    report = judged(pyinstaller_app)
    assert errors(pyinstaller_app) == []
    found = [e for e in report.libraries if e.soname == "@rpath/libown.dylib"]
    assert [e.path for e in found if isinstance(e, Resolved)] == [
        pyinstaller_app / "Contents/Frameworks/pkg/../libown.dylib"
    ]


def test_a_program_that_was_changed_after_signing_is_found(pyinstaller_app: Path) -> None:
    program = pyinstaller_app / "Contents/MacOS/demo"
    data = program.read_bytes()
    program.write_bytes(data.replace(b"PYZ.pyz", b"PYZ.zyp"))
    (found,) = errors(pyinstaller_app)
    assert (found.id, found.subject) == ("signature", "Demo.app/Contents/MacOS/demo")


def test_nuitkas_links_to_folders_with_a_dot_are_followed(tmp_path: Path, arm: Builder) -> None:
    """`_relocateMacOSAppBundleDirectories`: the folder moves to Resources, a link stays."""
    library = arm.library("@executable_path/pkg.libs/libown.dylib")
    contents = put(
        tmp_path / "Demo.app/Contents",
        MacOS__demo=arm.program(),
        MacOS__pkg___core_dot_so=arm.module(library),
        Resources__pkg_dot_libs__libown_dot_dylib=library.read_bytes(),
    )
    (contents / "MacOS/pkg.libs").symlink_to("../Resources/pkg.libs")
    bundle = read_bundle(contents.parent)
    assert bundle.contents == contents / "MacOS"
    assert "pkg._core" in bundle.modules
    assert errors(contents.parent) == []
    (contents / "MacOS/pkg.libs").unlink()
    (found,) = errors(contents.parent)
    assert (found.id, found.subject) == ("install-name", "@executable_path/pkg.libs/libown.dylib")


@pytest.mark.parametrize("info", [b"", b"<plist", plistlib.dumps([1]), None])
def test_an_application_without_a_good_list_of_properties_is_read(
    tmp_path: Path, arm: Builder, info: bytes | None
) -> None:
    contents = put(tmp_path / "Demo.app/Contents", MacOS__demo=arm.program())
    if info is not None:
        (contents / "Info.plist").write_bytes(info)
    program = read_bundle(contents.parent).program
    assert program is not None
    assert program.path.name == "demo"


# --- what programs carry ----------------------------------------------------------------------


@pytest.mark.parametrize("target", ["aarch64-macos", "x86_64-macos"])
def test_nuitkas_table_of_modules_is_read(
    tmp_path: Path, zig: Callable[[str], Compile], target: str
) -> None:
    """The records of its releases, as in test_module_tables.py, where dyld moves the pointers."""
    newest = {"__main__", "pkg", "pkg.inner-preLoad", "pkg.state"}
    oldest = {"__main__", "pkg", "pkg.inner-preLoad", "native._core"}
    for name, source, modules in (("new", RECORDS, newest), ("old", INLINE, oldest)):
        program = zig(target)(name, source, "-lSystem", "-O1").read_bytes()
        bundle = read_bundle(put(tmp_path / f"{name}.dist", app=program))
        assert bundle.freezer is Freezer.NUITKA
        assert modules <= bundle.modules
        assert "tkinter" not in bundle.modules


@pytest.mark.parametrize("target", ["aarch64-macos", "x86_64-macos"])
def test_built_in_modules_of_a_python_library_are_read(
    tmp_path: Path, arm: Builder, zig: Callable[[str], Compile], target: str
) -> None:
    source = INITTAB.replace("int main(", "int first(").replace('"zlib"', '"only_here"')
    library = zig(target)("Python", source, "-shared", "-O1").read_bytes()
    folder = put(tmp_path / "app", main=arm.program(), Python=library)
    modules = read_bundle(folder).modules
    assert {"_thread", "only_here", "builtins"} <= modules
    assert "behind" not in modules
    assert "_sre" not in modules  # of the Python that runs this


# --- what is sealed ---------------------------------------------------------------------------


@pytest.fixture
def sealed_app(tmp_path: Path, arm: Builder) -> Path:
    """An application that a team has signed, with a list of its files."""
    info = plistlib.dumps({"CFBundleExecutable": "demo"})
    files: dict[str, object] = {
        "Resources/data.bin": {"hash2": hashlib.sha256(b"data").digest()},
        "Resources/link": {"symlink": "data.bin"},
        "Resources/en.lproj/gone": {"hash2": bytes(32), "optional": True},
        "Frameworks/lib.dylib": {"cdhash": bytes(20), "requirement": "anchor apple"},
        "../outside": {"hash2": bytes(32), "optional": True},
        "x" * 5000: {"hash2": bytes(32), "optional": True},
    }
    resources = plistlib.dumps({"files2": files})
    sealed = {1: info, 3: resources}
    lib = signing.sign(arm.library().read_bytes(), flags=0, team="ABCDE12345")
    contents = put(
        tmp_path / "Demo.app/Contents",
        MacOS__demo=signing.sign(arm.program(), flags=0, team="ABCDE12345", sealed=sealed),
        Info_dot_plist=info,
        _CodeSignature__CodeResources=resources,
        Resources__data_dot_bin=b"data",
        Frameworks__lib_dot_dylib=lib,
    )
    (contents / "Resources/link").symlink_to("data.bin")
    return contents.parent


def test_a_list_with_keys_that_are_no_names_is_read(sealed_app: Path) -> None:
    """A binary list may have any key; `plistlib` writes only names, so one is made a number."""
    path = sealed_app / "Contents/_CodeSignature/CodeResources"
    files = {"k" * 3: {}, "gone": {"hash2": bytes(32)}}
    content = plistlib.dumps({"files2": files}, fmt=plistlib.FMT_BINARY)
    path.write_bytes(content.replace(b"\x53kkk", b"\x11\0\1\0"))  # 0x11: two bytes
    assert {type(key) for key in plistlib.loads(path.read_bytes())["files2"]} == {str, int}
    (found,) = errors(sealed_app)
    assert ("missing", "gone") in found.evidence


def test_a_list_that_names_a_large_file_many_times_takes_no_time(sealed_app: Path) -> None:
    contents = sealed_app / "Contents"
    with (contents / "Resources/large").open("wb") as stream:
        stream.truncate(3 << 30)
    (contents / "Resources/data").write_bytes(bytes(32 << 20))
    digest = hashlib.sha256(bytes(32 << 20)).digest()
    files = {f"{'./' * n}Resources/data": {"hash2": digest} for n in range(1000)}
    files["Resources/large"] = {"hash2": bytes(32)}
    resources = contents / "_CodeSignature/CodeResources"
    resources.write_bytes(plistlib.dumps({"files2": files}))
    start = time.monotonic()
    (found,) = errors(sealed_app)
    assert time.monotonic() - start < 10  # to read them all would take a minute
    names = {text for label, text in found.evidence if label == "changed"}
    assert names == {"Resources/large", "_CodeSignature/CodeResources"}


def test_an_application_as_it_was_signed_is_clean(sealed_app: Path) -> None:
    assert [f for f in judged(sealed_app).findings if f.id == "signature"] == []


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Info.plist", "changed"),
        ("Info.plist", "missing"),
        ("_CodeSignature/CodeResources", "changed"),
        ("_CodeSignature/CodeResources", "missing"),
        ("Resources/data.bin", "changed"),
        ("Resources/data.bin", "missing"),
        ("Resources/link", "changed"),
        ("Resources/link", "missing"),
        ("Frameworks/lib.dylib", "missing"),
    ],
)
def test_what_was_changed_in_a_signed_application_is_found(
    sealed_app: Path, name: str, label: str
) -> None:
    path = sealed_app / "Contents" / name
    old = path.read_bytes()
    path.unlink()
    if label == "changed":
        path.write_bytes(old + b" ")
    (found,) = errors(sealed_app)
    assert (found.id, found.evidence[0]) == ("signature", (label, name))


@pytest.mark.skipif(sys.platform == "darwin", reason="a Mac starts it")
def test_an_application_is_not_started_on_another_system(sealed_app: Path) -> None:
    with pytest.raises(InvalidBundle, match="is for macos-arm64, and does not start on this"):
        run_bundle(read_bundle(sealed_app))


# --- libraries --------------------------------------------------------------------------------


def test_a_missing_library_is_one_that_the_system_does_not_have(
    tmp_path: Path, arm: Builder
) -> None:
    root = put(
        tmp_path / "app", main=arm.program(), pkg___core_dot_so=arm.module(arm.library(), UP)
    )
    (found,) = errors(root)
    assert (found.id, found.subject) == ("missing-library", "@rpath/libown.dylib")
    assert "not in the bundle and not one of the system's" in found.message
    assert ("searched", f"{root.name}/pkg/../libown.dylib (rpath)") in found.evidence


def test_a_name_below_rpath_without_a_run_path_leads_nowhere(tmp_path: Path, arm: Builder) -> None:
    root = put(tmp_path / "app", main=arm.program(), pkg___core_dot_so=arm.module(arm.library()))
    (found,) = errors(root)
    assert found.id == "missing-library"
    assert ("searched", "nowhere: no file on the way has a run path") in found.evidence


def test_a_library_of_the_builders_package_manager_is_missing(tmp_path: Path, arm: Builder) -> None:
    library = arm.library("/opt/homebrew/opt/own/lib/libown.dylib")
    root = put(tmp_path / "app", main=arm.program(), pkg___core_dot_so=arm.module(library))
    (found,) = errors(root)
    assert found.id == "missing-library"
    assert ("searched", "/opt/homebrew/opt/own/lib/libown.dylib (path)") in found.evidence


def test_a_weak_library_may_be_absent(tmp_path: Path, arm: Builder) -> None:
    data = bytearray(arm.module(arm.library("/opt/own/libown.dylib")))
    place = data.index(b"/opt/own/libown.dylib\0") - 24
    assert struct.unpack_from("<I", data, place) == (LC_LOAD_DYLIB,)
    struct.pack_into("<I", data, place, LC_LOAD_WEAK_DYLIB)
    root = put(tmp_path / "app", main=arm.program(), pkg___core_dot_so=signing.sign(bytes(data)))
    assert errors(root) == []


def test_a_library_without_the_programs_slice_is_rejected(
    tmp_path: Path, arm: Builder, intel: Builder
) -> None:
    module = arm.module(arm.library(), UP)
    root = put(tmp_path / "app", main=arm.program(), pkg___core_dot_so=module)
    both = fat(intel.library().read_bytes(), arm.library().read_bytes())
    put(root, libown_dot_dylib=both)
    assert errors(root) == []
    put(root, libown_dot_dylib=intel.library().read_bytes())
    found = {f.id: f for f in errors(root)}
    name = f"{root.name}/pkg/../libown.dylib"
    reason = "wrong architecture: x86_64, not arm64"
    assert any(
        text.startswith(name) and reason in text for f in found.values() for _, text in f.evidence
    )


def test_a_library_that_two_slices_lack_is_missing_once(
    tmp_path: Path, arm: Builder, intel: Builder
) -> None:
    aside = "-Wl,-rpath,@loader_path/../aside"
    both = fat(intel.module(intel.library(), aside), arm.module(arm.library(), UP))
    program = fat(intel.program(), arm.program())
    root = put(tmp_path / "app", main=program, pkg___core_dot_so=both)
    (found,) = errors(root)
    assert (found.id, found.subject) == ("missing-library", "@rpath/libown.dylib")
    for place in ("aside/libown.dylib", "libown.dylib"):
        assert ("searched", f"{root.name}/pkg/../{place} (rpath)") in found.evidence


def test_a_module_that_two_slices_import_is_missing_once(
    tmp_path: Path, arm: Builder, intel: Builder
) -> None:
    source = (DATA / "strings/glued.c").read_text()
    flags = ("-O2", "-shared", "-fPIC", "-Wl,-undefined,dynamic_lookup")
    thin = [b.compile("core.so", source, *flags).read_bytes() for b in (intel, arm)]
    root = put(
        tmp_path / "app",
        main=fat(intel.program(), arm.program()),
        encodings____init___dot_py=b"",
        core_dot_so=fat(*thin),
    )
    bundle = read_bundle(root)
    files = tuple(
        (path, replace(file, provenance=Provenance(rust=path.name == "core.so")))
        for path, file in bundle.files
    )
    report = verify(read_subject(replace(bundle, files=files), stdlib=stdlib_environment()))
    imports = [f for f in report.findings if f.id == "missing-import"]
    found = {f.subject: f for f in imports if f.severity is Severity.ERROR}
    rest = [f.subject for f in imports if f.severity is Severity.NOTE]
    assert rest == ["app/core.so"]
    assert len(imports) == len({f.subject for f in imports})
    assert {"decimal", "fractions"} <= set(found)
    for name in ("decimal", "fractions"):
        evidence = [text for label, text in found[name].evidence if label == "evidence"]
        assert {text.rpartition(" ")[2] for text in evidence} == {"(x86_64)", "(arm64)"}


# --- install names ----------------------------------------------------------------------------


def test_a_needed_name_that_leads_past_the_bundles_own_file_is_an_error(
    tmp_path: Path, arm: Builder
) -> None:
    name = "/Users/runner/work/own/target/release/deps/libown.dylib"
    library = arm.library(name)
    root = put(
        tmp_path / "app",
        main=arm.program(),
        pkg___core_dot_so=arm.module(library),
        libs__libown_dot_dylib=library.read_bytes(),
    )
    (found,) = errors(root)
    assert (found.id, found.subject) == ("install-name", name)
    assert ("needed by", "app/pkg/_core.so") in found.evidence
    assert ("it is", "app/libs/libown.dylib") in found.evidence
    assert found.hint is not None
    assert f"-change {name} @loader_path/../libs/libown.dylib" in found.hint


def test_a_needed_name_of_another_python_is_an_error(tmp_path: Path, arm: Builder) -> None:
    other = arm.library("@loader_path/base.cpython-310-darwin.so")
    root = put(
        tmp_path / "app",
        main=arm.program(),
        pkg___core_dot_so=arm.module(other),
    )
    base = arm.compile("base.so", "int PyInit_base(void) { return 1; }" + OWN, "-shared")
    put(root, **{"base_dot_cpython-311-darwin_dot_so": base.read_bytes()})
    (found,) = errors(root)
    assert (found.id, found.subject) == ("install-name", "@loader_path/base.cpython-310-darwin.so")
    assert ("it is", "app/base.cpython-311-darwin.so") in found.evidence


@pytest.mark.parametrize(
    ("name", "noted"),
    [
        ("/Users/runner/work/own/target/release/deps/lib_core.dylib", True),
        ("@rpath/_core.cpython-310-darwin.so", True),
        ("@rpath/pkg._core.abi3.so", False),
        ("@rpath/lib_core.dylib", False),
        ("/DLC/pkg/_core.abi3.so", False),
    ],
)
def test_a_files_own_name_is_no_error(tmp_path: Path, arm: Builder, name: str, noted: bool) -> None:
    module = arm.module(None, name=name)
    root = put(tmp_path / "app", main=arm.program(), pkg___core_dot_abi3_dot_so=module)
    assert errors(root) == []
    notes = [f for f in judged(root).findings if f.id == "install-name"]
    assert [f.severity for f in notes] == [Severity.NOTE] * noted
    assert [f.evidence for f in notes] == [(("file", f"app/pkg/_core.abi3.so: {name}"),)] * noted


def test_a_library_that_something_loads_first_is_known_by_its_own_name(
    tmp_path: Path, arm: Builder
) -> None:
    """What packages do on purpose; whether they do, only a run shows."""
    root = put(
        tmp_path / "app",
        main=arm.program(),
        core__libown_dot_dylib=arm.library().read_bytes(),
        pkg___core_dot_so=arm.module(arm.library()),
    )
    assert [f.id for f in errors(root)] == ["missing-library"]
    (root / "core/__init__.py").write_text("ctypes.CDLL(here + '/libown.dylib')\n")
    assert errors(root) == []
    (found,) = [f for f in judged(root).findings if f.severity is Severity.WARNING]
    assert (found.id, found.subject) == ("missing-library", "@rpath/libown.dylib")


def test_bundles_of_other_systems_have_no_install_names(tmp_path: Path, gcc: Compile) -> None:
    root = tmp_path / "app"
    root.mkdir()
    (root / "main").write_bytes(gcc("main", MAIN).read_bytes())
    bundle: Bundle = read_bundle(root)
    assert platform_of(bundle).startswith("linux")
    assert {"install-name", "signature"}.isdisjoint(f.id for f in judged(root).findings)
