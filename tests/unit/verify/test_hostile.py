"""Folders and files that were made to harm: nothing hangs, nothing fills the memory, all is said.

Each is verified in a process of its own, which says how much memory it took.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from archives import archive, pyz
from compiling import Compile
from environments import write_files
from onefiles import payload

from rustext.errors import UnreadableFile
from rustext.model.libraries import Edge, Missing
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.facts.native import libraries
from rustext.verify.facts.native.libraries import resolve_bundle

pytestmark = pytest.mark.heavy

MAIN = "int main(void) { return 0; }"
OWN = "int own(void) { return 0; }"
MEMORY = 500 << 20  # bytes

# Not `ru_maxrss`: Linux has it begin with the size of the process that forked.
PEAK = r"__import__('re').search(r'VmHWM:\s*(\d+) kB', open('/proc/self/status').read())[1]"
CHILD = f"""
import sys
from rustext.cli.main import run
code = run(["verify", *sys.argv[1:]])
print({PEAK}, file=sys.stderr)
sys.exit(code)
"""


@dataclass(frozen=True, kw_only=True)
class Judged:
    code: int
    out: str
    error: str

    @property
    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found

    def severities(self, subject: str) -> list[tuple[str, str]]:
        return [
            (f["id"], f["severity"]) for f in self.report["findings"] if f["subject"] == subject
        ]


def judge(path: Path, *options: str) -> Judged:
    """Verify in a child with a time limit; it may take no more than `MEMORY`."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path), *(options or ("--json",))],
        capture_output=True, check=False, timeout=60, env={**os.environ, "PYTHONUTF8": "1"},
    )  # fmt: skip
    error, _, size = done.stderr.decode().rstrip().rpartition("\n")
    assert int(size) << 10 < MEMORY
    return Judged(code=done.returncode, out=done.stdout.decode(), error=error)


@pytest.fixture
def root(tmp_path: Path, gcc: Compile) -> Path:
    """A good bundle."""
    own = gcc("libown.so.1", OWN, "-shared", "-fPIC", "-Wl,-soname,libown.so.1")
    write_files(tmp_path / "app", {"app": gcc("app", MAIN), "lib/libown.so.1": own})
    return tmp_path / "app"


def test_the_bundle_is_good_to_begin_with(root: Path) -> None:
    found = judge(root)
    assert (found.code, found.report["findings"]) == (0, [])


def test_links_that_go_round_end(root: Path) -> None:
    for name, target in {"loop": ".", "a": "b", "b": "a", "lib/up": "..", "root": "/"}.items():
        (root / name).symlink_to(target)
    found = judge(root)
    assert found.code == 1
    assert found.severities("app/root") == [("outside-link", "error")]
    assert found.severities("app/a") == [("outside-link", "warning")]


def test_of_many_links_that_lead_out_some_are_named_and_all_are_counted(root: Path) -> None:
    for number in range(100):
        (root / f"a{number}").symlink_to("nowhere")
    (root / "z").symlink_to("/")
    found = judge(root).report["findings"]
    assert {f["id"] for f in found} == {"outside-link"}
    assert [f["severity"] for f in found if f["subject"] == "app/z"] == ["error"]
    assert [f["subject"] for f in found if "more" in f["subject"]] == ["app: 51 more"]


def test_files_that_look_for_libraries_in_too_many_places_are_refused(
    root: Path, tmp_path: Path, gcc: Compile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loader itself would not end: it looks in each folder for each library of each file."""
    stub = gcc("stub.so", OWN, "-shared", "-fPIC")
    needed = [f"n{number}.so" for number in range(10)]
    for name in needed:
        shutil.copy(stub, tmp_path / name)
    folders = ":".join(f"$ORIGIN/{number}" for number in range(300))
    flags = ["-shared", "-fPIC", "-Wl,--no-as-needed", f"-L{tmp_path}", f"-Wl,-rpath,{folders}"]
    user = gcc("user.so", OWN, *flags, *(f"-l:{name}" for name in needed))
    shutil.copy(user, root / "user.so")
    monkeypatch.setattr(libraries, "_LIMIT", 5_000)
    refused: list[str] = []

    def resolved() -> tuple[Edge, ...]:
        return resolve_bundle(read_bundle(root), lambda path, _: refused.append(path.name))

    edges = [e for e in resolved() if isinstance(e, Missing)]
    assert {edge.soname for edge in edges} == set(needed)
    shutil.copy(user, root / "user2.so")
    assert refused == []
    resolved()
    assert refused == ["user2.so"]


def test_what_is_no_file_is_not_opened(root: Path) -> None:
    os.mkfifo(root / "lib/fifo.so")
    os.mkfifo(root / "base_library.zip")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(root / "s"))
        (root / "zero.so").symlink_to("/dev/zero")
        found = judge(root)
    assert found.severities("app/lib/fifo.so") == [("unreadable-file", "note")]  # nothing loads it
    assert found.severities("app/base_library.zip") == [("unreadable-file", "warning")]
    assert found.severities("app/zero.so") == [("outside-link", "error")]


def test_a_file_of_ten_gigabytes_takes_no_time(root: Path) -> None:
    shutil.copy(root / "lib/libown.so.1", root / "lib/large.so")
    shutil.copy(root / "app", root / "zprogram")
    (root / "zprogram").chmod(0o755)
    for name, size in {"data": 10, "none.so": 10, "lib/large.so": 10, "zprogram": 3}.items():
        with (root / name).open("ab") as stream:
            stream.truncate(size << 30)
    found = judge(root)
    assert found.severities("app/zprogram") == [("unreadable-file", "error")]
    assert found.severities("app/lib/large.so") == [("unreadable-file", "note")]  # none.so as well
    assert found.severities("app/data") == []


def test_a_great_many_empty_files_take_linear_time(root: Path) -> None:
    """A million take 10 s and 55 MB; here are 20,000, and as many folders as may be on sys.path."""
    for number in range(200):
        folder = root / f"d{number}/site-packages"
        folder.mkdir(parents=True)
        for name in range(100):
            (folder / f"file{name}").touch()
    assert judge(root).code == 0


@pytest.mark.parametrize("kind", ["text", "json", "html", "sarif"])
def test_no_name_drives_the_terminal_or_breaks_a_renderer(kind: str, root: Path) -> None:
    names = [
        b"new\nline.so",
        b"\x1b[31mred.so",
        b"\xff\xfe.so",
        "\u202ertl.so".encode(),
        b"<b>&\"'.so",
    ]
    for name in names:
        path = Path(os.fsdecode(os.fsencode(root) + b"/" + name))
        path.write_bytes(b"\x7fELF damaged")
        path.with_name(f"l{path.name}").symlink_to(os.fsdecode(b"/gone\n\xff"))
    found = judge(root, "--format", kind)
    assert found.code == 0
    assert found.out.count("damaged") >= len(names)
    for character in ("\x1b", "\u202e", "\ufffd"):
        assert character not in found.out
    if kind == "text":
        assert all(line == "" or line[0] in "ewhna " for line in found.out.splitlines())


def test_an_archive_of_modules_is_not_unpacked(root: Path) -> None:
    with (
        zipfile.ZipFile(root / "base_library.zip", "w", zipfile.ZIP_DEFLATED) as library,
        library.open("codecs.pyc", "w") as member,
    ):
        for _ in range(600):
            member.write(bytes(1 << 20))
    assert "codecs" in read_bundle(root).modules
    judge(root)


@pytest.mark.parametrize("size", [9 << 20, 0x7FFFFFFF, 0xFFFFFFFF])
def test_an_archive_that_claims_too_long_a_list_is_damaged(size: int, root: Path) -> None:
    path = root / "base_library.zip"
    with path.open("wb") as stream:
        stream.truncate(3 << 30)
        stream.seek(0, os.SEEK_END)
        stream.write(struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, size, 0, 0))
    assert judge(root).severities("app/base_library.zip") == [("unreadable-file", "error")]


@pytest.fixture
def alone(root: Path, tmp_path: Path) -> Callable[[bytes], Path]:
    """`alone(content)`: the program with this behind it."""

    def make(content: bytes) -> Path:
        path = tmp_path / "alone"
        path.write_bytes((root / "app").read_bytes() + content)
        return path

    return make


ENDLESS = """
#include <string.h>
#include <unistd.h>
int main(void) {
    char text[65536];
    memset(text, 'x', sizeof text);
    for (;;) if (write(1, text, sizeof text) < 0) return 1;
}
"""


def test_a_program_that_prints_without_end_is_ended(tmp_path: Path, gcc: Compile) -> None:
    (tmp_path / "app").mkdir()
    shutil.copy(gcc("app", ENDLESS), tmp_path / "app")
    found = judge(tmp_path / "app", "--run", "--timeout", "2")
    assert (found.code, found.error) == (1, "")
    assert "`app` did not end within 2 seconds" in found.out


def test_a_bomb_in_a_one_file_program_is_refused(alone: Callable[[bytes], Path]) -> None:
    content = archive([(b"z", "PYZ.pyz", pyz([])), (b"b", "bomb.so", b"\x78\x9c")])
    at = content.rindex(b"bomb.so\0") - 18
    path = alone(content[: at + 12] + b"\xff\xff\xff\xff\1" + content[at + 17 :])
    found = judge(path)
    assert (found.code, found.error.count("\n")) == (2, 0)
    assert "decompression bomb" in found.error


def test_a_crafted_payload_is_refused(alone: Callable[[bytes], Path], tmp_path: Path) -> None:
    for files in (
        [("../evil", b"x")], [("/evil", b"x")], [("link", "/etc"), ("link/evil", b"x")],
        [("s/d", ".."), ("e", "s/d/../.."), ("e/evil", b"x")],
    ):  # fmt: skip
        found = judge(alone(payload(files, compressed=True)))
        assert (found.code, found.error.count("\n")) == (2, 0)
    assert not list(tmp_path.rglob("evil"))


def test_a_file_that_vanishes_while_it_is_read_is_named(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rustext.verify.bundle import native_files as natives

    real = natives.is_native

    def unlink_first(path: Path) -> bool:
        found = real(path)
        if path.name == "libown.so.1":
            path.unlink()
        return found

    monkeypatch.setattr(natives, "is_native", unlink_first)
    (lost,) = read_bundle(root).unreadable
    assert (lost.path.name, lost.native) == ("libown.so.1", True)
    assert "no such file" in lost.reason


@pytest.fixture
def as_nobody(root: Path) -> Iterator[Callable[[Callable[[], str]], str]]:
    """`as_nobody(ask)`: the answer of a child without the rights of root, whom no mode stops."""

    def ask_child(ask: Callable[[], str]) -> str:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                if os.geteuid() == 0:
                    os.setgroups([])
                    os.setresgid(65534, 65534, 65534)
                    os.setresuid(65534, 65534, 65534)
                os.write(writer, ask().encode())
            except BaseException as error:  # noqa: BLE001 (a child must not go on as pytest)
                os.write(writer, repr(error).encode())
            finally:
                os._exit(0)
        os.close(writer)
        os.waitpid(child, 0)
        with os.fdopen(reader) as stream:
            return stream.read()

    opened = [p for p in root.parents if p != p.parent]
    modes = {p: p.stat().st_mode for p in opened}
    for path in opened:
        path.chmod(path.stat().st_mode | 0o055)
    yield ask_child
    for path, mode in modes.items():
        path.chmod(mode)


def test_what_may_not_be_read_is_named(
    root: Path, as_nobody: Callable[[Callable[[], str]], str]
) -> None:
    (root / "locked").mkdir()
    (root / "lib/libown.so.1").chmod(0)
    (root / "locked").chmod(0)

    def ask() -> str:
        return str([(u.path.name, u.reason, u.native) for u in read_bundle(root).unreadable])

    assert as_nobody(ask) == str(
        [("libown.so.1", "permission denied", True), ("locked", "permission denied", True)]
    )
    root.chmod(0)

    def refused() -> str:
        try:
            read_bundle(root)
        except UnreadableFile as error:
            return str(error)
        return ""

    assert as_nobody(refused) == f"{root} cannot be listed: permission denied"
    root.chmod(0o755)
    (root / "locked").chmod(0o755)


def test_the_limit_is_one_that_a_child_can_break() -> None:
    """Or the tests above would show nothing."""
    code = f"x = b'x' * (600 << 20); print({PEAK})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert int(done.stdout) << 10 > MEMORY
