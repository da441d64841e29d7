"""Files that an interpreter never looks for, judged beside a real interpreter's file.

What is looked for and what is not, the running interpreter's own finder says.
"""

from __future__ import annotations

import importlib.machinery
import json
import platform
import shutil
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest
from compiling import MODULE, Compile
from environments import write_files
from natives import mapped

from rustext.cli.main import run
from rustext.environment.environment import stdlib_environment
from rustext.model.findings import Finding, Severity
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.facts.python.python_suffixes import find_looked_for, read_compiled_in
from rustext.verify.fix_suffix import fix_suffixes
from rustext.verify.verify import read_subject, verify

if not any(s.startswith(".abi3") for s in importlib.machinery.EXTENSION_SUFFIXES):
    pytest.skip("this Python looks for no `.abi3.so`", allow_module_level=True)

TAGGED = importlib.machinery.EXTENSION_SUFFIXES[0]
VERSION = TAGGED.split("-")[1]
WRONG = f".cpython-{VERSION}-{platform.machine()}v9-linux-gnu.so"  # as from `uname -m`


def interpreter() -> Path:
    """The file that holds the running interpreter's code."""
    shared = Path(sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("LDLIBRARY"))
    is_shared = sysconfig.get_config_var("Py_ENABLE_SHARED")
    return (shared if is_shared else Path(sys.executable)).resolve()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A plain folder with an interpreter."""
    root = tmp_path / "app"
    (root / "pkg").mkdir(parents=True)
    shutil.copy(Path(sys.executable).resolve(), root / "app")
    if interpreter().name != Path(sys.executable).resolve().name:
        shutil.copy(interpreter(), root)
    return root


def is_found(folder: Path, name: str = "demo") -> bool:
    """What CPython's own finder says: the second source."""
    importlib.machinery.PathFinder.invalidate_caches()
    return importlib.machinery.PathFinder.find_spec(name, [str(folder)]) is not None


def findings(root: Path) -> list[Finding]:
    report = verify(read_subject(read_bundle(root), stdlib=stdlib_environment()))
    return [f for f in report.findings if f.id == "ext-suffix"]


def test_an_interpreters_file_tells_what_it_looks_for() -> None:
    with mapped(interpreter()) as data:
        assert {*read_compiled_in(data), ".so"} == set(importlib.machinery.EXTENSION_SUFFIXES)


def test_numbers_without_end_are_no_version(tmp_path: Path) -> None:
    content = b"\0.cpython-" + b"9" * 5000 + b"-x86_64-linux-gnu.so\0.cpython-311-x.so\0"
    (tmp_path / "python").write_bytes(content)
    with mapped(tmp_path / "python") as data:
        assert read_compiled_in(data) == (".cpython-311-x.so",)


def test_a_record_is_found_however_deep_the_folders_are(tmp_path: Path, gcc: Compile) -> None:
    root = tmp_path / "app"
    write_files(
        root,
        {
            "app": gcc("app", "int main(void) { return 0; }"),
            "lib/_sysconfigdata__x.py": "build_time_vars = {'EXT_SUFFIX': '.cpython-311-x.so'}",
        },
    )
    folders = [Path(f"{root}{'/d' * depth}") for depth in range(1, 1500)]
    for folder in folders:
        folder.mkdir()
    try:
        found = find_looked_for(read_bundle(root))
    finally:
        for folder in reversed(folders):  # what removes temporary folders calls itself, too
            folder.rmdir()
    assert found is not None
    assert found.suffixes[0] == ".cpython-311-x.so"


@pytest.mark.parametrize("name", [f"demo{s}" for s in importlib.machinery.EXTENSION_SUFFIXES])
def test_what_is_looked_for_is_no_finding(name: str, folder: Path, elf_module: Path) -> None:
    shutil.copy(elf_module, folder / "pkg" / name)
    assert is_found(folder / "pkg")
    assert findings(folder) == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (f"demo{WRONG}", TAGGED),
        (f"demo.cpython-{VERSION}-unknown-linux-gnu.so", TAGGED),
        ("demo.abi3.pyd", ".abi3"),  # Debian's Pythons look for two names that begin so
        ("demo.dylib", ".so"),
        ("demo.pyd", ".so"),
    ],
)
def test_what_is_not_looked_for_is_an_error_with_the_name_that_works(
    name: str, kind: str, folder: Path, elf_module: Path
) -> None:
    shutil.copy(elf_module, folder / "pkg" / name)
    assert not is_found(folder / "pkg")
    (finding,) = findings(folder)
    assert (finding.severity, finding.subject) == (Severity.ERROR, f"app/pkg/{name}")
    (wanted,) = (text for label, text in finding.evidence if label == "would work")
    assert wanted.startswith(f"demo{kind}")
    looks_for = next(text for label, text in finding.evidence if label == "looks for")
    wanted_names = {f"demo{suffix}" for suffix in importlib.machinery.EXTENSION_SUFFIXES}
    assert set(looks_for.split(", ")) == wanted_names
    (folder / "pkg" / name).rename(folder / "pkg" / wanted)
    assert is_found(folder / "pkg")
    assert findings(folder) == []


def test_cargos_raw_name_is_a_warning(folder: Path, elf_module: Path) -> None:
    """It may be there to be opened by path."""
    shutil.copy(elf_module, folder / "pkg/libdemo.so")
    (finding,) = findings(folder)
    assert finding.severity is Severity.WARNING
    assert ("would work", "demo.so") in finding.evidence


def test_a_file_that_stands_beside_the_right_one_is_not_needed(
    folder: Path, elf_module: Path
) -> None:
    for suffix in (WRONG, TAGGED):
        shutil.copy(elf_module, folder / f"pkg/demo{suffix}")
    assert findings(folder) == []


def test_no_name_makes_another_version_or_machine_load(
    folder: Path, elf_module: Path, zig: Callable[[str], Compile]
) -> None:
    """These are for `python-abi` and `architecture` to say."""
    shutil.copy(elf_module, folder / f"pkg/demo{TAGGED.replace(VERSION, '37')}")
    assert findings(folder) == []
    foreign = zig("arm-linux-gnueabihf")("demo.so", MODULE, "-shared")
    shutil.copy(foreign, folder / f"pkg/demo.cpython-{VERSION}-armv7l-linux-gnueabihf.so")
    assert findings(folder) == []


@pytest.mark.parametrize("witness", ["record", "module"])
def test_without_an_interpreter_its_build_record_or_its_modules_tell(
    witness: str, tmp_path: Path, gcc: Compile, elf_module: Path
) -> None:
    root = tmp_path / "app"
    (root / "lib-dynload").mkdir(parents=True)
    shutil.copy(gcc("app", "int main(void) { return 0; }"), root)
    shutil.copy(elf_module, root / f"demo{WRONG}")
    (finding,) = findings(root)
    assert ("says", "the suffixes of 1 of 1 modules") in finding.evidence  # of their version alone
    if witness == "record":
        record = root / "_sysconfigdata__linux_x86_64-linux-gnu.py"
        record.write_text(f"build_time_vars = {{'EXT_SUFFIX': '{TAGGED}',\n}}\n")
    else:
        other = gcc("_heapq.so", MODULE.replace("demo", "_heapq"), "-shared", "-fPIC")
        record = root / f"lib-dynload/_heapq{TAGGED}"
        shutil.copy(other, record)
    (finding,) = findings(root)
    assert ("says", str(record.relative_to(tmp_path))) in finding.evidence
    assert ("would work", f"demo{TAGGED}") in finding.evidence


KINDS = [
    ("cp312", "arm-linux-gnueabihf", "armv7l", ".cpython-312-arm-linux-gnueabihf.so"),
    ("3.11", "aarch64-linux-gnu", "arm64", ".cpython-311-aarch64-linux-gnu.so"),
    ("3.13t", "powerpc64le-linux-gnu", "ppc64le", ".cpython-313t-powerpc64le-linux-gnu.so"),
]


@pytest.mark.parametrize(("kind", "target", "careless", "suffix"), KINDS)
def test_a_kind_of_python_stands_in_for_an_interpreter(
    kind: str,
    target: str,
    careless: str,
    suffix: str,
    zig: Callable[[str], Compile],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """As with `--python`, for a folder that goes into another system's image."""
    module = zig(target)("demo.so", MODULE, "-shared")
    version, triplet = suffix.removesuffix(".so").split("-", 2)[1:]
    system = triplet.partition("-")[2]
    shutil.copy(module, tmp_path / f"demo.cpython-{version}-{careless}-{system}.so")
    assert run(["verify", str(tmp_path), "--python", kind, "--json"]) == 1
    said = json.loads(capfd.readouterr().out)["findings"]
    (finding,) = [f for f in said if f["id"] == "ext-suffix"]
    assert finding["evidence"][-1]["text"] == f"demo{suffix}"


# --- the fix ----------------------------------------------------------------------------------


def test_the_fix_makes_a_link_that_python_finds(
    folder: Path, elf_module: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(elf_module, folder / f"pkg/demo{WRONG}")
    arguments = ["verify", str(folder), "--fix-suffix", "--json"]
    run(arguments)
    said = [f for f in json.loads(capfd.readouterr().out)["findings"] if f["id"] == "ext-suffix"]
    assert [(f["severity"], f["subject"]) for f in said] == [("note", f"app/pkg/demo{TAGGED}")]
    assert said[0]["message"].startswith("made as a link of")
    assert (folder / f"pkg/demo{TAGGED}").readlink() == Path(f"demo{WRONG}")
    assert is_found(folder / "pkg")
    run(arguments)
    assert "ext-suffix" not in capfd.readouterr().out


def test_the_fix_copies_where_there_are_no_links(
    folder: Path, elf_module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(self: Path, target: str) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", no_links)
    shutil.copy(elf_module, folder / f"pkg/demo{WRONG}")
    (note,) = fix_suffixes(read_bundle(folder))
    assert note.message.startswith("made as a copy of")
    assert (folder / f"pkg/demo{TAGGED}").read_bytes() == elf_module.read_bytes()


def test_the_fix_never_writes_over_a_file(folder: Path, elf_module: Path) -> None:
    """A dangling link is not there for Python, and is nobody's to replace either."""
    shutil.copy(elf_module, folder / f"pkg/demo{WRONG}")
    (folder / f"pkg/demo{TAGGED}").symlink_to("gone.so")
    assert run(["verify", str(folder), "--fix-suffix"]) == 2
    assert (folder / f"pkg/demo{TAGGED}").readlink() == Path("gone.so")


def test_the_fix_needs_a_folder(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "app").write_bytes(b"\x7fELF")
    assert run(["verify", str(tmp_path / "app"), "--fix-suffix"]) == 2
    assert "folder" in capfd.readouterr().err


def test_a_bundle_without_python_looks_for_nothing(tmp_path: Path, gcc: Compile) -> None:
    shutil.copy(gcc("app", "int main(void) { return 0; }"), tmp_path)
    assert find_looked_for(read_bundle(tmp_path)) is None
