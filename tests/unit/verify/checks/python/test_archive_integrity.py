"""Damaged archives, in bundles whose Python imports from them; Python is asked each time."""

from __future__ import annotations

import importlib.util
import marshal
import os
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import pytest
from archives import archive
from compiling import Compile

from rustext.environment.environment import stdlib_environment
from rustext.model.findings import Finding, Severity
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.verify import read_subject, verify

OLD = (3394).to_bytes(2, "little") + b"\r\n"  # of Python 3.7
NAMES = ("first", "second")


def pyz(
    magic: bytes = importlib.util.MAGIC_NUMBER, damage: str = "", code: bytes | None = None
) -> bytes:
    """An archive of two modules, laid out as PyInstaller's ZlibArchiveWriter does it."""
    body, table = b"", []
    for name in NAMES:
        whole = marshal.dumps(compile("value = 1", name, "exec"))
        raw = bytearray(zlib.compress(whole if code is None else code))
        if name == damage:
            raw[len(raw) // 2] ^= 0xFF
        table.append((name, (0, 17 + len(body), len(raw))))
        body += bytes(raw)
    return (
        b"PYZ\0"
        + magic
        + struct.pack("!i", 17 + len(body))
        + bytes(5)
        + body
        + marshal.dumps(table)
    )


def put_library(root: Path, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    """The standard library's part: one module, in the way of `base_library.zip`."""
    code = marshal.dumps(compile("value = 'a text that nothing reads'", "third", "exec"))
    path = root / "_internal/base_library.zip"
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w", compression) as library:
        library.writestr("third.pyc", importlib.util.MAGIC_NUMBER + bytes(12) + code)
    return path


@pytest.fixture
def root(tmp_path: Path, gcc: Compile) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    put_program(folder, gcc, pyz())
    put_library(folder)
    return folder


def put_program(
    root: Path,
    gcc: Compile,
    modules: bytes,
    scripts: Mapping[str, str] = {},
    parts: Mapping[str, str] = {},
) -> None:
    entries = [(b"z", "PYZ.pyz", modules), (b"o", "pyi-contents-directory _internal", b"")]
    for kind, sources in ((b"m", parts), (b"s", scripts)):
        for name, source in sources.items():
            entries.append((kind, name, marshal.dumps(compile(source, name, "exec"))))
    program = gcc("app", "int main(void) { return 0; }").read_bytes()
    (root / "app").write_bytes(program + archive(entries))
    (root / "app").chmod(0o755)


def damaged(root: Path) -> list[Finding]:
    report = verify(read_subject(read_bundle(root), stdlib=stdlib_environment()))
    return [f for f in report.findings if f.id == "unreadable-file"]


def imports(library: Path, name: str) -> bool:
    code = "import sys; sys.path[:0] = sys.argv[1:2]; __import__(sys.argv[2])"
    command = [sys.executable, "-c", code, library, name]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_healthy_archives_are_no_finding(root: Path) -> None:
    assert imports(root / "_internal/base_library.zip", "third")
    assert damaged(root) == []


@pytest.mark.parametrize(
    "code", ["value = 1", "import sys\nopen(sys._MEIPASS + '/base_library.zip')"]
)
def test_an_empty_library_ends_what_opens_it(code: str, root: Path, gcc: Compile) -> None:
    """Python passes over it; PyInstaller's script for `inspect` does not."""
    library = root / "_internal/base_library.zip"
    library.write_bytes(b"")
    put_program(root, gcc, pyz(), {"main": code})
    assert imports(library, "json")
    opens = library.name in code
    (finding,) = damaged(root)
    assert finding.severity is (Severity.ERROR if opens else Severity.WARNING)
    assert finding.subject == "app/_internal/base_library.zip"


def test_a_module_that_cannot_be_inflated_is_named(root: Path, gcc: Compile) -> None:
    put_program(root, gcc, pyz(damage="second"))
    (finding,) = damaged(root)
    assert (finding.severity, finding.subject) == (Severity.ERROR, "app/app")
    assert finding.message == "Python cannot import a module from `app`"
    ((label, text),) = finding.evidence
    assert (label, text.partition(":")[0]) == ("member", "second")


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the archive says that it is for 3.11")
@pytest.mark.parametrize(
    "code", [marshal.dumps(compile("value = 1", "x", "exec"))[:-9], b"i\0\0\0\0"]
)
@pytest.mark.parametrize(("script", "found"), [("import second", ["second"]), ("pass", [])])
def test_code_that_python_cannot_load_counts_where_the_start_gets_to_it(
    code: bytes, script: str, found: list[str], root: Path, gcc: Compile
) -> None:
    with pytest.raises((EOFError, TypeError)):
        exec(marshal.loads(code))
    put_program(root, gcc, pyz(code=code), {"pyiboot01_bootstrap": "", "main": script})
    findings = damaged(root)
    assert [f.severity for f in findings] == [Severity.ERROR] * len(found)
    names = [text.partition(":")[0] for f in findings for _, text in f.evidence]
    assert names == found


def test_a_program_without_a_script_of_its_own_does_nothing(root: Path, gcc: Compile) -> None:
    put_program(root, gcc, pyz(), {"pyiboot01_bootstrap": "", "main": ""})
    assert damaged(root) == []
    put_program(root, gcc, pyz(), {"pyiboot01_bootstrap": "", "pyi_rth_inspect": ""})
    (finding,) = damaged(root)
    assert (finding.severity, finding.subject) == (Severity.ERROR, "app/app")


IMPORTER = {"pyimod02_importers": "import sys, pyimod01_archive; sys.path_hooks.insert(0, 1)"}
READER = {"pyimod01_archive": ""}


def test_without_its_first_script_a_program_imports_nothing(root: Path, gcc: Compile) -> None:
    scripts = {"pyiboot01_bootstrap": "import pyimod02_importers", "main": ""}
    put_program(root, gcc, pyz(), scripts, {**READER, **IMPORTER})
    assert damaged(root) == []
    put_program(root, gcc, pyz(), {"main": ""}, {**READER, **IMPORTER})
    (finding,) = damaged(root)
    assert (finding.severity, finding.subject) == (Severity.ERROR, "app/app")
    assert finding.evidence == (("looked for", "pyiboot01_bootstrap"),)


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the archive says that it is for 3.11")
def test_nothing_but_the_archive_brings_parts_of_the_bootstrap(root: Path, gcc: Compile) -> None:
    """What imports them changes `sys.path_hooks`, so that another module may come from there."""
    scripts = {"pyiboot01_bootstrap": "import pyimod02_importers", "main": ""}
    put_program(root, gcc, pyz(), scripts, IMPORTER)
    report = verify(read_subject(read_bundle(root), stdlib=stdlib_environment()))
    errors = {(f.id, f.subject) for f in report.findings if f.severity is Severity.ERROR}
    assert ("missing-import", "pyimod01_archive") in errors


@pytest.mark.parametrize(("hooks", "found"), [((), 1), (("pyi_rth_multiprocessing",), 0)])
def test_without_its_hook_a_spawned_process_runs_the_program_again(
    hooks: tuple[str, ...], found: int, root: Path, gcc: Compile
) -> None:
    scripts = dict.fromkeys(("pyiboot01_bootstrap", *hooks, "main"), "")
    parts = {**READER, **IMPORTER, "multiprocessing.spawn": ""}
    put_program(root, gcc, pyz(), scripts, parts)
    severities = [f.severity for f in damaged(root)]
    assert severities == [Severity.WARNING] * found


def test_code_for_another_python_than_the_library_s_is_an_error(root: Path, gcc: Compile) -> None:
    put_program(root, gcc, pyz(OLD))
    (finding,) = damaged(root)
    assert [text.partition(":")[0] for _, text in finding.evidence] == list(NAMES)


@pytest.mark.parametrize("place", [8, -8], ids=["start", "end"])
def test_a_member_of_the_library_that_is_damaged_is_an_error(place: int, root: Path) -> None:
    library = root / "_internal/base_library.zip"
    data = bytearray(library.read_bytes())
    with zipfile.ZipFile(library) as archive_file:
        info = archive_file.infolist()[0]
    start = info.header_offset + 30 + len(info.filename)
    at = (start if place > 0 else start + info.compress_size) + place
    data[at : at + 4] = bytes(byte ^ 0xFF for byte in data[at : at + 4])
    library.write_bytes(data)
    assert not imports(library, "third")
    (finding,) = damaged(root)
    assert (finding.severity, finding.subject) == (
        Severity.ERROR, "app/_internal/base_library.zip"
    )  # fmt: skip
    assert finding.evidence[0][1].startswith("third.pyc: ")


def test_a_member_that_is_said_to_go_on_behind_the_file_is_an_error(root: Path) -> None:
    library = root / "_internal/base_library.zip"
    data = bytearray(library.read_bytes())
    sizes = data.index(b"PK\x01\x02") + 20  # in the list of members, packed and unpacked
    data[sizes : sizes + 8] = (1 << 20).to_bytes(4, "little") * 2
    data[sizes - 10 : sizes - 8] = bytes(2)  # not compressed
    library.write_bytes(data)
    assert not imports(library, "third")
    (finding,) = damaged(root)
    assert finding.evidence[0][1].startswith("third.pyc: ")


def test_bytecode_with_flags_that_python_does_not_know_is_an_error(root: Path) -> None:
    library = put_library(root, zipfile.ZIP_STORED)
    data = library.read_bytes()
    flags = data.index(importlib.util.MAGIC_NUMBER) + 4
    for value, works in ((1, True), (16, False)):
        library.write_bytes(data[:flags] + bytes([value]) + data[flags + 1 :])
        assert imports(library, "third") is works
        errors = [f for f in damaged(root) if f.severity is Severity.ERROR]
        assert bool(errors) is not works


def test_a_member_that_begins_behind_the_list_makes_python_refuse_them_all(root: Path) -> None:
    library = root / "_internal/base_library.zip"
    with zipfile.ZipFile(library, "a") as added:
        added.writestr("fourth.py", "")
    data = bytearray(library.read_bytes())
    offset = data.rindex(b"PK\1\2") + 42
    data[offset : offset + 4] = (len(data)).to_bytes(4, "little")
    library.write_bytes(data)
    assert not imports(library, "third")
    (finding,) = damaged(root)
    assert finding.severity is Severity.ERROR


# What is changed in a member that is not compressed, and what Python makes of it.
CHANGES = {
    "text": ((b"nothing", b"anybody"), True, Severity.WARNING),
    "type of a field": ((b"\5value", b"\1value"), False, Severity.ERROR),
    "its own header": ((b"PK\3\4", b"PK\3\5"), False, Severity.ERROR),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_stored_member_is_judged_as_python_imports_it(what: str, root: Path) -> None:
    (old, new), works, severity = CHANGES[what]
    library = put_library(root, zipfile.ZIP_STORED)
    library.write_bytes(library.read_bytes().replace(old, new, 1))
    assert imports(library, "third") is works
    (finding,) = damaged(root)
    assert finding.severity is severity
    assert finding.evidence[0][1].startswith("third.pyc: ")


@pytest.mark.parametrize(("offset", "found"), [(8, []), (16, [Severity.WARNING])])
def test_python_reads_neither_the_mark_of_encryption_nor_the_crc(
    offset: int, found: list[Severity], root: Path
) -> None:
    library = root / "_internal/base_library.zip"
    data = bytearray(library.read_bytes())
    data[data.index(b"PK\1\2") + offset] ^= 1
    library.write_bytes(data)
    assert imports(library, "third")
    assert [finding.severity for finding in damaged(root)] == found


def test_an_archive_that_nobody_may_read_is_an_error_to_root_as_well(root: Path) -> None:
    library = root / "_internal/base_library.zip"
    library.chmod(0)
    program = [sys.executable, "-c", "import sys; open(sys.argv[1])", library]
    without = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    ran = subprocess.run([*without, *program], capture_output=True, text=True, check=False)
    assert "PermissionError" in ran.stderr
    (finding,) = damaged(root)
    assert finding.severity is Severity.ERROR
    assert finding.evidence == (("because", "permission denied"),)


# --- programs ---------------------------------------------------------------------------------

SIDE_LOADED = b"MEI\015\013\012\013\016"
BOOTLOADER = """
const char *const texts[] = {"_MEIPASS", "pyi-runtime-tmpdir"};
int main(void) { return texts[0] == 0; }
"""


def put_second(root: Path, gcc: Compile, source: str = BOOTLOADER, end: bytes = b"") -> Path:
    path = root / "second"
    path.write_bytes(gcc("second", source).read_bytes() + end)
    path.chmod(0o755)
    return path


def test_a_program_that_lost_its_archive_is_no_helper(root: Path, gcc: Compile) -> None:
    put_second(root, gcc, "int main(void) { return 0; }")
    assert damaged(root) == []
    second = put_second(root, gcc)
    (finding,) = damaged(root)
    assert (finding.severity, finding.subject) == (Severity.ERROR, "app/second")
    second.chmod(0o644)  # a copy that was put away
    assert damaged(root) == []


def test_an_archive_next_to_its_program_is_read(root: Path, gcc: Compile) -> None:
    second = put_second(root, gcc, end=SIDE_LOADED)
    (finding,) = damaged(root)
    assert "`second.pkg`" in finding.evidence[0][1]
    (root / "second.pkg").write_bytes(archive([(b"z", "PYZ.pyz", pyz())]))
    assert damaged(root) == []
    bundle = read_bundle(root)
    (found,) = [p for p in bundle.programs if p.path == second]
    assert found.modules == set(NAMES)
    (root / "second.pkg").write_bytes(archive([(b"z", "PYZ.pyz", pyz(damage="first"))]))
    (finding,) = damaged(root)
    assert finding.subject == "app/second.pkg"


def test_a_program_without_an_execute_bit_does_not_start(root: Path) -> None:
    report = verify(read_subject(read_bundle(root), stdlib=stdlib_environment()))
    assert "refused-file" not in {f.id for f in report.findings}
    (root / "app").chmod(0o644)
    with pytest.raises(PermissionError):
        subprocess.run([root / "app"], check=False)
    report = verify(read_subject(read_bundle(root), stdlib=stdlib_environment()))
    (finding,) = [f for f in report.findings if f.id == "refused-file"]
    assert finding.message == "the kernel refuses to start `app`: permission denied"
