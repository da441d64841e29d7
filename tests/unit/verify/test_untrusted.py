"""Files that cost too much are named, and all else is judged: in seconds, in bounded memory.

Each command is run in a process of its own with limits of the kernel, a fork of `forking`.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import forking
import pytest
from compiling import Compile
from crafted import elf
from environments import install

if not hasattr(os, "mkfifo"):
    pytest.skip("makes FIFOs, links to /dev and names that are no text", allow_module_level=True)
pytestmark = pytest.mark.heavy

SECONDS, MEMORY = 20, 600 << 10  # of the memory, kB
MAIN = "int main(void) { return 0; }"
REGISTRY = "/home/user/.cargo/registry/src/index.crates.io-6f17d22bba15001f"


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[None]:
    global _server
    with subprocess.Popen(
        [sys.executable, forking.__file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as _server:
        yield


_server: subprocess.Popen[str]


def rustext(*args: str | Path) -> Done:
    """Run a command, which has to end in time and with an answer."""
    with tempfile.TemporaryDirectory() as room:
        printed = {name: f"{room}/{name}" for name in ("out", "err")}
        order = {"arguments": list(map(str, args)), "folder": str(Path.cwd()), **printed,
                 "seconds": SECONDS, "memory": 1 << 30}  # fmt: skip
        assert _server.stdin is not None
        assert _server.stdout is not None
        print(json.dumps(order), file=_server.stdin, flush=True)
        code, peak = json.loads(_server.stdout.readline())
        texts = {name: Path(path).read_text() for name, path in printed.items()}
    assert code in (0, 1, 2), texts["err"]
    assert peak < MEMORY
    assert "Traceback" not in texts["err"]
    return Done(returncode=code, stdout=texts["out"], stderr=texts["err"])


def crates(count: int) -> bytes:
    return "\0".join(f"{REGISTRY}/c{n}-1.0.0/src/lib.rs" for n in range(count)).encode()


def many(kind: str, count: int, form: str = "n{}.so") -> list[tuple[str, str]]:
    return [(kind, form.format(number)) for number in range(count)]


def folders(count: int, form: str = "/r{}") -> str:
    return ":".join(form.format(number) for number in range(count))


OVERLAP = [(0, 0x1000000 + number * 4096, 2 << 20) for number in range(1000)]
TWICE = [(0, 0x1000000 + (number << 21), 2 << 20) for number in range(100)]
COSTLY = {
    "needs in many run paths": elf(("runpath", folders(1000)), *many("needed", 1000)),
    "needs in many rpaths": elf(("rpath", folders(1000)), *many("needed", 1000)),
    "needs in many relative paths": elf(
        ("runpath", folders(1000, "$ORIGIN/r{}")), *many("needed", 1000)
    ),
    "many needs": elf(("runpath", folders(3)), *many("needed", 60_000)),
    "the same needs again": elf(("runpath", folders(9000)), *[("needed", "none.so")] * 6),
    "many long needs": elf(("runpath", folders(100)), *many("needed", 2_000, "x" * 200 + "{}")),
    "auxiliary paths": elf(("runpath", folders(6000, "$LIB/{}")), *many("needed", 10)),
    "a run path of many empty items": elf(
        ("runpath", ":" + folders(6000, "./{}")), *many("needed", 10)
    ),
    "many crates": elf(extra=crates(21_000)),
    "more crates": elf(extra=crates(200_000)),
    "overlapping segments": elf(loads=OVERLAP, size=2 << 20),
    "a hundred segments of the same bytes": elf(loads=TWICE, size=2 << 20),
    "many segments": elf(loads=[(0, 0x1000000 + n * 4096, 16) for n in range(1000)]),
}


@pytest.fixture
def root(tmp_path: Path, gcc: Compile) -> Path:
    """A good bundle but for a link that leads out of it, which has to be found each time."""
    root = tmp_path / "app"
    root.mkdir()
    shutil.copy(gcc("app", MAIN), root / "app")
    (root / "out").symlink_to("/etc/hostname")
    return root


@pytest.mark.parametrize("content", COSTLY.values(), ids=COSTLY)
def test_a_costly_file_is_a_finding_and_the_rest_is_judged(content: bytes, root: Path) -> None:
    (root / "evil.so").write_bytes(content)
    done = rustext("verify", root, "--json")
    found = {(f["id"], f["subject"]) for f in json.loads(done.stdout)["findings"]}
    assert done.returncode == 1
    assert {("too-complex", "app/evil.so"), ("outside-link", "app/out")} <= found


@pytest.mark.parametrize("content", COSTLY.values(), ids=COSTLY)
def test_a_costly_file_can_be_asked_for(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "evil.so").write_bytes(content)
    done = rustext("inspect", tmp_path / "evil.so")
    assert done.returncode == 2
    assert done.stderr.count("error:") == 1


def test_a_costly_library_does_not_spoil_a_file_that_does_not_need_it(
    root: Path, gcc: Compile
) -> None:
    """What is refused is what needs it: the loader would not end either."""
    (root / "evil.so").write_bytes(COSTLY["needs in many run paths"])
    flags = ["-shared", "-fPIC", "-Wl,--no-as-needed", "-Wl,-rpath,$ORIGIN", f"-L{root}"]
    user = gcc("user.so", MAIN, *flags, str(gcc("own.so", MAIN, "-shared", "-fPIC")))
    shutil.copy(user, root / "user.so")
    found = json.loads(rustext("verify", root, "--json").stdout)["findings"]
    assert [f["subject"] for f in found if f["id"] == "too-complex"] == ["app/evil.so"]


def test_many_costly_files_share_one_budget(root: Path) -> None:
    for number in range(100):
        content = elf(("runpath", folders(40)), *many("needed", 1000, f"n{number}-{{}}.so"))
        (root / f"evil{number}.so").write_bytes(content)
    found = json.loads(rustext("verify", root, "--json").stdout)["findings"]
    assert sum(f["id"] == "too-complex" for f in found) >= 70
    assert any(f["id"] == "outside-link" for f in found)


def zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


def random(path: Path) -> None:
    path.symlink_to("/dev/urandom")


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def memory(path: Path) -> None:
    path.symlink_to("/proc/self/mem")


def sparse(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(20 << 30)


def folder(path: Path) -> None:
    path.mkdir()


NO_FILES: list[Callable[[Path], None]] = [
    zero, random, loop, memory, sparse, folder, os.mkfifo,
]  # fmt: skip


@pytest.mark.parametrize("make", NO_FILES)
def test_a_loader_that_is_no_file_is_not_read(
    make: Callable[[Path], None], root: Path, tmp_path: Path
) -> None:
    make(tmp_path / "loader")
    content = elf(("needed", "libc.so.6"), interpreter=str(tmp_path / "loader"))
    (root / "app").write_bytes(content)
    (root / "app").chmod(0o755)
    assert rustext("verify", root).returncode == 1
    assert rustext("inspect", root / "app").returncode in (0, 1)


LOADERS = [
    "", "/", ".", "loader", "../app/app", "$ORIGIN/app", "/dev/zero", "/dev/random", "/dev/stdin",
    "/dev/tty", "/proc/self/exe", "/proc/self/mem", "/proc/self/fd/0", "/etc/passwd/loader", "~",
    "\x80", "a" * 300, "/a" * 3000, "/" * 5000, "\n::error::x", "%s%n", "/proc/self/root" * 40,
]  # fmt: skip


@pytest.mark.parametrize("path", LOADERS)
def test_an_odd_loader_is_not_read(path: str, root: Path) -> None:
    (root / "app").write_bytes(elf(("needed", "libc.so.6"), interpreter=path))
    (root / "app").chmod(0o755)
    assert rustext("verify", root).returncode == 1
    rustext("inspect", root / "app")


def macho(commands: int, one: bytes) -> bytes:
    size = commands * len(one)
    return struct.pack("<8I", 0xFEEDFACF, 0x100000C, 0, 6, commands, size, 0, 0) + one * commands


def fat(slices: int) -> bytes:
    """One file as each slice, all in the same place."""
    inner = macho(1, DYLIB)
    at = 8 + 20 * slices
    rows = b"".join(struct.pack(">5I", 0x100000C, n, at, len(inner), 0) for n in range(slices))
    return struct.pack(">2I", 0xCAFEBABE, slices) + rows + inner


DYLIB = struct.pack("<6I8s", 12, 32, 24, 0, 0, 0, b"x.dylib\0")
RPATH = struct.pack("<3I20s", 0x8000001C, 32, 12, b"@loader_path/xxxxxx\0")
LONG = [("needed", "x" * 4000 + str(number)) for number in range(2000)]
BOUNDED = {
    "one name of a megabyte": elf(("needed", "x" * 1_000_000)),
    "one run path of a megabyte": elf(("runpath", "/x" * 500_000), ("needed", "n.so")),
    "long needs": elf(*LONG),
    "a run path of origins": elf(("runpath", ":".join(["$ORIGIN"] * 50_000)), ("needed", "n.so")),
    "a run path that grows": elf(("runpath", "$ORIGIN" * 5000), ("needed", "n.so")),
    "a run path of dots": elf(("runpath", "$ORIGIN" + "/.." * 100_000), ("needed", "n.so")),
    "a need that is the file itself": elf(("runpath", "$ORIGIN"), *[("needed", "evil.so")] * 9000),
    "a need with slashes": elf(*many("needed", 5000, "/dev/fd/{}")),
    "a need that is a device": elf(("needed", "/dev/zero"), ("runpath", "/dev")),
    "sonames again and again": elf(*many("soname", 9000)),
    "many run paths": elf(*many("runpath", 9000, "/r{}"), *many("needed", 50)),
    "segments without end": elf(loads=[(0, 0, (1 << 63) - 1)]),
    "commands of Mach-O": macho(60_000, DYLIB),
    "run paths of Mach-O": macho(20_000, RPATH),
    "a Mach-O file with slices": fat(10_000),
    "crates in one line": elf(extra=crates(5000).replace(b"\0", b"")),
}


@pytest.mark.parametrize("content", BOUNDED.values(), ids=BOUNDED)
def test_a_file_of_many_parts_is_judged_or_refused(content: bytes, root: Path) -> None:
    (root / "evil.so").write_bytes(content)
    assert rustext("verify", root).returncode == 1  # for the link that leads out of the bundle
    rustext("inspect", root / "evil.so")


PLACES = ["METADATA", "RECORD", "WHEEL", "top_level.txt", "entry_points.txt", "INSTALLER",
          "direct_url.json", "sboms/a.cdx.json", "../host/__init__.py", "../host/native.so",
          "../host/native.pyx", "../__editable___host_finder.py", "../host.pth"]  # fmt: skip


@pytest.mark.parametrize("make", NO_FILES)
def test_metadata_that_is_no_file_costs_its_distribution(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    site = tmp_path / "site"
    files = {"host/__init__.py": "", "host/native.pyx": "", "host/native.so": COSTLY["many crates"]}
    for number, place in enumerate(PLACES):
        name = f"host{number}"
        install(site, name, files={f"{name}/{k}": v for k, v in files.items()})
        (info,) = site.glob(f"{name}-*.dist-info")
        path = info / place.replace("host", name)
        path.parent.mkdir(exist_ok=True)
        if path.exists():
            path.unlink()
        make(path)
    rustext("scan", site)
    rustext("verify", site)


NESTED = 100_000
DOCUMENTS = {
    "arrays": "x = " + "[" * NESTED,
    "closed arrays": "x = " + "[" * NESTED + "]" * NESTED,
    "tables": "x = " + "{a=" * NESTED + "1" + "}" * NESTED,
    "a number": "x = " + "9" * 1_000_000,
    "a number with lines": "x = 1" + "_1" * 1_000_000,
    "a hexadecimal number": "x = 0x" + "f" * 3_000_000,
    "a fraction": "x = 0." + "9" * 3_000_000,
    "a key": ".".join("a" * 200_000) + " = 1",
    "a table's key": "[" + ".".join("a" * 200_000) + "]",
    "a quoted key": ".".join(['"a"'] * 200_000) + " = 1",
    "a spaced key": " . ".join("a" * 200_000) + " = 1",
    "many keys": "\n".join(f"a{n}." + ".".join("b" * 400) + " = 1" for n in range(4000)),
    "a date": "x = 9999-99-99",
    "lines": "\r" * 4_000_000,
    "quotes": "x = " + '"' * 3_000_000,
    "escapes": 'x = "' + "\\" * 3_000_000,
    "a row": "importer = 5",
    "rows": "\n".join(f"[[importer]]\nname='a{n}'" for n in range(100_000)),
    "a NUL": '[[distribution]]\nname = "\\u0000"\nfile = ["\\u0000"]',
    "an infinity": "version = inf",
}


@pytest.mark.parametrize("text", DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_document_that_costs_too_much_is_refused(text: str, root: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace.toml"
    trace.write_text(f"version = 2\n{text}\n")
    rustext("verify", root, "--trace", trace)
    (root.parent / "pyproject.toml").write_text(f"[tool.rustext]\n{text}\n")
    (tmp_path / "main.py").write_text("")
    rustext("plan", tmp_path / "main.py")


PLAN = {"version": 1, "rustext": "0", "freezer": None, "python": "3.11", "extensions": [],
        "modules": [], "left_out": [], "companions": [], "warnings": [],
        "unfollowed": []}  # fmt: skip
COMPANION = {"file": "a", "kind": "data", "reason": ""}
IMPORT = {"module": "a", "verdict": "include", "reason": "", "evidence": []}
PLANS = {
    "arrays": "[" * 1_000_000,
    "objects": '{"a":' * 1_000_000,
    "a number": '{"version": ' + "9" * 1_000_000 + "}",
    "no number": json.dumps({**PLAN, "version": float("nan")}),
    "a list": "[1]",
    "a text": '"version"',
    "rows that are none": json.dumps({**PLAN, "modules": 5}),
    "a row that is none": json.dumps({**PLAN, "modules": [5]}),
    "a verdict": json.dumps({**PLAN, "modules": [{**IMPORT, "verdict": []}]}),
    "a NUL": json.dumps({**PLAN, "companions": [{**COMPANION, "file": "\0"}]}),
    "a surrogate": json.dumps({**PLAN, "companions": [{**COMPANION, "file": "\ud800"}]}),
    "a long name": json.dumps({**PLAN, "companions": [{**COMPANION, "file": "a" * 100_000}]}),
    "a deep path": json.dumps({**PLAN, "companions": [{**COMPANION, "file": "a/" * 50_000}]}),
    "a long module": json.dumps({**PLAN, "modules": [{**IMPORT, "module": "a." * 100_000}]}),
    "many modules": json.dumps(
        {**PLAN, "modules": [{**IMPORT, "module": f"m{n}"} for n in range(50_000)]}
    ),
}


@pytest.mark.parametrize("text", PLANS.values(), ids=PLANS)
def test_a_plan_that_costs_too_much_is_refused(text: str, root: Path) -> None:
    (root / "rustext-plan.json").write_text(text)
    rustext("verify", root)
    rustext("verify", root, "--plan", root / "rustext-plan.json")


WHOLE_SYSTEM = {"/", "//", "/..", "/proc", "/sys", "/proc/self/root"}  # may take long to scan
PATHS = [
    "/", "/proc/self/fd", "/dev", "/dev/null", "/dev/zero", "/proc/self/mem", "", ".", "//", "/..",
    "/sys", "/proc", "/proc/self/root", "/proc/self/exe", "/dev/stdin", "/dev/full", "~", "-",
    "\udcff", "a\nb", "x" * 300, "x/" * 3000, "/etc/passwd/x", "::error::x", "*",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("command", ["verify", "scan", "inspect"])
def test_odd_paths_are_answered(
    command: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if command != "scan" or path not in WHOLE_SYSTEM:
        rustext(command, path)


def test_a_wheel_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "a-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("a-1.dist-info/RECORD", "a," * 1_000_000)
        archive.writestr("a-1.dist-info/METADATA", "Name: a\nVersion: " + "1" * 1_000_000)
    rustext("scan", wheel)
    rustext("inspect", wheel)
