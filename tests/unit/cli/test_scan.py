"""`rustext scan`: rows of folders and wheels, what is read again and what is not."""

from __future__ import annotations

import importlib.machinery
import json
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest
from compiling import Compile
from environments import Files, install, write_files

from rustext.cli import scan_rows as scan
from rustext.cli.main import run
from rustext.cli.scan_rows import list_folder, note_links, read_file, read_files
from rustext.errors import InvalidWheel, RustextError
from rustext.files.cache import Listing, open_cache, reader_version

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]
CRATE = "/cargo/registry/src/index.crates.io-6f17d22bba15001f/serde-1.0.0/src/lib.rs"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def rust(gcc: Compile) -> Path:
    """An extension module with a mark of Rust."""
    source = f'void *PyInit_core(void) {{ return 0; }} const char p[] = "{CRATE}";'
    return gcc("core.so", source, "-shared", "-fPIC")


@pytest.fixture
def site(tmp_path: Path, rust: Path) -> Path:
    """A folder with two distributions of one native file each, and a file that is nobody's."""
    site = tmp_path / "site"
    site.mkdir()
    for name in ("one", "two"):
        install(site, name, files={f"{name}/core{SUFFIX}": rust, f"{name}/__init__.py": ""})
    write_files(site, {f"loose/core{SUFFIX}": rust})
    return site


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are read while the test runs, by their folders' names."""
    seen: list[str] = []
    real = scan.read_native_file

    def read(path: Path, source: Any) -> Any:
        seen.append(path.parent.name)
        return real(path, source)

    monkeypatch.setattr(scan, "read_native_file", read)
    return seen


def rows(listing: Listing) -> list[dict[str, Any]]:
    return [json.loads(row.text) for row in listing.rows]


def make_wheel(path: Path, files: Files) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in files.items():
            archive.writestr(member, content.read_bytes() if isinstance(content, Path) else content)
    return path


# --- folders ----------------------------------------------------------------------------------


def test_a_listing_names_files_owners_and_all_that_was_looked_at(site: Path) -> None:
    found = list_folder(site)
    assert [(row.path, row.owner) for row in found.rows] == [
        (f"loose/core{SUFFIX}", ""),
        (f"one/core{SUFFIX}", "one-1.0.dist-info/RECORD"),
        (f"two/core{SUFFIX}", "two-1.0.dist-info/RECORD"),
    ]
    assert set(found.folders) == {
        ".", "loose", "one", "two", "one-1.0.dist-info", "two-1.0.dist-info",
    }  # fmt: skip
    assert "one-1.0.dist-info/METADATA" in found.files
    assert [row["distribution"] for row in rows(found)] == [None, "one", "two"]


def test_what_did_not_change_is_not_read_again(site: Path, rust: Path, reads: list[str]) -> None:
    before = list_folder(site)
    reads.clear()
    install(site, "three", files={f"three/core{SUFFIX}": rust})
    after = list_folder(site, before)
    assert reads == ["loose", "three"]  # whose a loose file is, nobody recorded
    assert [row["distribution"] for row in rows(after)] == [None, "one", "three", "two"]
    assert rows(after) == rows(list_folder(site))


def test_a_distribution_that_is_installed_anew_is_read_again(
    site: Path, rust: Path, reads: list[str]
) -> None:
    before = list_folder(site)
    reads.clear()
    install(site, "one", files={f"one/core{SUFFIX}": rust}, extra_metadata="Summary: x\n")
    list_folder(site, before)
    assert reads == ["loose", "one"]


def test_a_second_scan_reads_no_binary(
    site: Path, reads: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["scan", str(site), "--json"]) == 0
    first = capfd.readouterr().out
    assert len(reads) == 3
    reads.clear()
    assert run(["scan", str(site), "--json"]) == 0
    assert capfd.readouterr().out == first
    assert run(["scan", str(site)]) == 0
    assert capfd.readouterr().out.endswith("3 Rust of 3 native files\n")
    assert reads == []
    assert run(["scan", str(site), "--no-cache", "--json"]) == 0
    assert capfd.readouterr().out == first
    assert len(reads) == 3


def test_a_damaged_entry_changes_nothing_but_the_time(
    site: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["scan", str(site), "--json"]) == 0
    first = capfd.readouterr().out
    (entry,) = (tmp_path / "cache" / "rustext" / "scan").iterdir()
    whole = entry.read_bytes()
    entry.write_bytes(whole.replace(b"core", b"lore"))
    assert run(["scan", str(site), "--json"]) == 0
    assert capfd.readouterr().out == first
    assert json.loads(entry.read_bytes().splitlines()[1])["root"] == str(site)
    assert open_cache("scan").read(site) is not None


def test_a_second_scan_imports_nothing_that_reads_binaries(site: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "rustext", "scan", str(site)]
    for expected in (True, False):
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        assert ("rustext.discovery.native_files" in done.stderr) is expected
        assert done.stdout.endswith("3 Rust of 3 native files\n")


def test_the_readers_version_changes_with_its_files() -> None:
    newest = Path(scan.__file__)
    before, status = reader_version(), newest.stat()
    try:
        os.utime(newest, ns=(status.st_atime_ns, status.st_mtime_ns + 10**18))
        assert reader_version() != before
    finally:
        os.utime(newest, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert reader_version() == before


def test_another_interpreters_folders_are_scanned(
    site: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import venv

    venv.EnvBuilder(symlinks=True).create(tmp_path / "venv")
    (folder,) = (tmp_path / "venv").glob("lib/python3.*/site-packages")
    for entry in site.iterdir():
        entry.rename(folder / entry.name)
    python = str(tmp_path / "venv" / "bin" / "python")
    assert run(["scan", "--python", python, "--json"]) == 0
    found = json.loads(capfd.readouterr().out)["extensions"]
    assert [row["file"] for row in found] == [
        f"{name}/core{SUFFIX}" for name in ("loose", "one", "two")
    ]


@pytest.mark.heavy
def test_the_folder_of_the_running_program_is_not_part_of_the_environment(
    site: Path, tmp_path: Path
) -> None:
    """`python -m` puts the current folder on `sys.path`, PYTHONPATH what somebody wants there."""
    base = os.environ.get("PYTHONPATH", "")
    for path, expected in ((base, 0), (f"{site}{os.pathsep}{base}", 3)):
        done = subprocess.run(
            [sys.executable, "-m", "rustext", "scan", "--json"],
            capture_output=True, text=True, timeout=120, check=True, cwd=site,
            env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
        found = [row["file"] for row in json.loads(done.stdout)["extensions"]]
        assert sum(f"core{SUFFIX}" in file for file in found) == expected


# --- wheels -----------------------------------------------------------------------------------


def test_wheels_are_read_in_parallel_and_listed_in_order(tmp_path: Path, rust: Path) -> None:
    wheels = [
        make_wheel(tmp_path / f"p{n}-1-py3-none-any.whl", {f"p{n}/core.abi3.so": rust})
        for n in range(9)
    ]
    refused: list[RustextError] = []
    found = [json.loads(row)["module"] for row in read_files(wheels, refused, quiet=True)]
    assert found == [f"p{n}.core" for n in range(9)]
    assert refused == []


def test_a_wheel_that_is_refused_does_not_keep_the_others_from_being_listed(
    tmp_path: Path, rust: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make_wheel(tmp_path / "a-1-py3-none-any.whl", {"../a.so": rust})
    make_wheel(tmp_path / "b-1-py3-none-any.whl", {"b/core.abi3.so": rust})
    assert run(["scan", str(tmp_path), "--json"]) == 2
    out, err = capfd.readouterr()
    assert [row["module"] for row in json.loads(out)["extensions"]] == ["b.core"]
    assert "1 of 2 files could not be read" in err
    for name, start in (("rows.json", '{\n  "extensions"'), ("rows.md", "## rustext scan ")):
        assert run(["scan", str(tmp_path), "-o", str(tmp_path / name)]) == 2
        assert "1 of 2 files could not be read" in capfd.readouterr().err
        assert (tmp_path / name).read_text().startswith(start)
        assert "b.core" in (tmp_path / name).read_text()
    assert run(["scan", str(tmp_path), "-q"]) == 2  # which wheel it is is no warning
    assert "error: a-1-py3-none-any.whl holds the path" in capfd.readouterr().err


def test_several_wheels_and_files_are_one_list(
    tmp_path: Path, rust: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b", "none"):
        (tmp_path / name).mkdir()
    one = make_wheel(tmp_path / "a/a-1-py3-none-any.whl", {"a/core.abi3.so": rust})
    make_wheel(tmp_path / "b/b-1-py3-none-any.whl", {"b/core.abi3.so": rust})
    shutil.copy(rust, tmp_path / "loose.so")
    words = [str(tmp_path / "b"), str(tmp_path / "loose.so"), str(one)]
    assert run(["scan", *words, "--json"]) == 0
    found = [row["file"] for row in json.loads(capfd.readouterr().out)["extensions"]]
    assert found == ["b/core.abi3.so", "loose.so", "a/core.abi3.so"]
    assert run(["scan", *words, str(tmp_path / "none")]) == 2
    assert "none holds no wheels" in capfd.readouterr().err
    assert run(["scan", *words, str(tmp_path / "gone")]) == 2
    assert "gone does not exist" in capfd.readouterr().err


@pytest.mark.parametrize("jobs", ["1", "2", "5"])
def test_the_number_of_processes_changes_nothing_but_the_time(
    jobs: str, tmp_path: Path, rust: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in "cab":
        make_wheel(tmp_path / f"{name}-1-py3-none-any.whl", {f"{name}/core.abi3.so": rust})
    assert run(["scan", str(tmp_path), "--json"]) == 0
    usual = capfd.readouterr()
    assert run(["scan", str(tmp_path), "--json", "-j", jobs]) == 0
    assert capfd.readouterr() == usual


def test_json_lists_what_is_not_rust_only_when_asked(
    tmp_path: Path, rust: Path, elf_module: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    files: Files = {"a/core.abi3.so": rust, 'b/"rust": true/demo.so': elf_module}
    make_wheel(tmp_path / "p-1-py3-none-any.whl", files)
    write_files(tmp_path / "folder", files)
    for path in ("p-1-py3-none-any.whl", "folder"):
        for options, count in (([], 1), (["--all"], 2)):
            assert run(["scan", str(tmp_path / path), "--json", *options]) == 0
            found = json.loads(capfd.readouterr().out)["extensions"]
            assert [row["rust"] for row in found] == [True, False][:count]


def test_a_virtual_environment_is_read_without_its_python(
    tmp_path: Path, rust: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    venv.EnvBuilder(symlinks=True).create(tmp_path / "venv")
    (site,) = (tmp_path / "venv").glob("lib/python3.*/site-packages")
    install(site, "one", files={f"one/core{SUFFIX}": rust})
    python = tmp_path / "venv" / "bin" / "python"
    assert run(["scan", "--python", str(python), "--json"]) == 0
    its_own = capfd.readouterr()
    assert json.loads(its_own.out)["extensions"][0]["module"] == "one.core"
    assert run(["scan", "--python", str(tmp_path / "venv"), "--json"]) == 0
    assert capfd.readouterr() == its_own
    python.unlink()
    assert run(["scan", str(tmp_path / "venv"), "--json"]) == 0
    assert capfd.readouterr() == its_own


def test_a_folder_that_cannot_be_listed_is_no_empty_one(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0)
    tmp_path.chmod(0o755)
    source = """
import locale, os, sys  # what is imported late is out of reach for an ordinary user
import rustext.cli.scan_command
from rustext.cli.main import run
if os.geteuid() == 0:
    os.seteuid(65534)
sys.exit(run(["scan", "--no-cache", "locked"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert re.fullmatch("error: .*locked: Permission denied\n", done.stderr)


def test_what_nothing_imports_is_called_by_its_kind(
    tmp_path: Path, gcc: Compile, capfd: pytest.CaptureFixture[str]
) -> None:
    program = gcc("tool", "int main(void) { return 0; }")
    library = gcc("libplain.so", "int f(void) { return 0; }", "-shared", "-fPIC")
    write_files(tmp_path / "p", {"tool": program, "libplain.so": library})
    assert run(["scan", str(tmp_path / "p"), "--all"]) == 0
    out = capfd.readouterr().out
    assert "tool  (a program)" in out
    assert "libplain.so  (a library)" in out


def test_what_is_wrong_with_a_wheel_survives_the_way_between_processes(
    tmp_path: Path, rust: Path
) -> None:
    bad = make_wheel(tmp_path / "a-1-py3-none-any.whl", {"../a.so": rust})
    refused: list[RustextError] = []
    assert read_files([bad, bad], refused, jobs=2, quiet=True) == []
    for error in refused:
        assert isinstance(error, InvalidWheel)
        assert "leads out of it" in str(error)
    assert len(refused) == 2


def test_what_is_called_native_and_cannot_be_read_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Data that begins as a native file does is not."""
    write_files(tmp_path, {"cut.so": b"\x7fELF", "data.bin": b"\x7fELF", "text.so": "text"})
    assert not list_folder(tmp_path, quiet=True).rows
    (message,) = caplog.messages
    assert f"`{tmp_path / 'cut.so'}`" in message
    assert message.endswith("; it is not in the list")


def test_one_file_is_a_row(rust: Path) -> None:
    (row,) = map(json.loads, read_file(rust))
    assert (row["file"], row["rust"], row["distribution"]) == ("core.so", True, None)


def test_the_files_of_all_platforms_are_told_apart(
    tmp_path: Path, elf_module: Path, macho_module: Path, pe_module: Path
) -> None:
    files: Files = {"p/elf/demo.so": elf_module, "p/mac/demo.so": macho_module,
                    "p/win/demo.pyd": pe_module, "p/no/demo.pyd": elf_module}  # fmt: skip
    wheel = make_wheel(tmp_path / "p-1-py3-none-any.whl", files)
    found = {row["file"].split("/")[1]: row for row in map(json.loads, read_file(wheel))}
    assert {name: row["format"] for name, row in found.items()} == {
        "elf": "elf", "mac": "macho", "win": "pe", "no": "elf"
    }  # fmt: skip
    assert found["mac"]["importable_by"] == ["CPython 3 on macOS arm64"]
    assert found["win"]["importable_by"] == ["CPython 3 on Windows x86_64"]
    assert (found["no"]["module"], found["no"]["importable_by"]) == (None, [])
    assert found["no"]["naming"][-1] == "suffix-other-platform"


# --- links ------------------------------------------------------------------------------------


def test_a_library_that_another_file_links_against_says_so(
    tmp_path: Path, gcc: Compile, rust: Path
) -> None:
    library = gcc("libcore.so", "int core;", "-shared", "-fPIC", "-Wl,-soname,libcore.so.1")
    source = "extern int core; void *PyInit_user(void) { return &core; }"
    user = gcc("user.so", source, "-shared", "-fPIC", str(library))
    files: Files = {"a/libcore.so.1": library, f"b/user{SUFFIX}": user, "c/libspare.so": library}
    install(tmp_path, "pkg", files={**files, "c/libother.so": gcc("o.so", "int o;", "-shared")})
    core, other, unlinked, spare = rows(list_folder(tmp_path))
    assert core["naming"] == ["no-init", "linked"]
    assert core["explanation"].endswith(f"`b/user{SUFFIX}` links against it")
    assert other["naming"] == []
    assert unlinked["naming"] == ["no-init"]
    assert spare["naming"] == ["no-init", "linked"]  # by its soname, whatever its file's name


def test_a_link_that_is_gone_is_not_remembered(
    tmp_path: Path, gcc: Compile, reads: list[str]
) -> None:
    library = gcc("libcore.so", "int core;", "-shared", "-fPIC", "-Wl,-soname,libcore.so.1")
    source = "extern int core; void *PyInit_user(void) { return &core; }"
    user = gcc("user.so", source, "-shared", "-fPIC", str(library))
    install(tmp_path, "pkg", files={"a/libcore.so.1": library})
    install(tmp_path, "user", files={f"b/user{SUFFIX}": user})
    before = list_folder(tmp_path)
    assert rows(before)[0]["naming"] == ["no-init", "linked"]
    (tmp_path / f"b/user{SUFFIX}").unlink()
    assert rows(list_folder(tmp_path, before))[0]["naming"] == ["no-init"]


def test_a_file_is_not_linked_by_itself() -> None:
    row = {"file": "a/libx.dylib", "soname": "@rpath/libx.dylib", "needed": ["@rpath/libx.dylib"],
           "naming": ["no-init"], "binding": "none", "explanation": "x"}  # fmt: skip
    assert list(note_links([row])) == [row]


# --- memory -----------------------------------------------------------------------------------


@pytest.mark.heavy
def test_a_file_of_any_size_is_read_in_little_memory(tmp_path: Path, gcc: Compile) -> None:
    """320 MB after the image, all of which is searched: the peak stays as for a small file."""
    small = gcc("core.so", "void *PyInit_core(void) { return 0; }", "-shared", "-fPIC")
    large = tmp_path / "large" / "core.so"
    large.parent.mkdir()
    large.write_bytes(small.read_bytes())
    with large.open("ab") as stream:
        stream.truncate(320 << 20)
    top = peak(large)
    assert top < peak(small) + 100_000  # KiB
    assert top < 300_000


def peak(file: Path) -> int:
    # Not `ru_maxrss`: Linux has it begin with the size of the process that forked.
    script = (
        "import re, sys\nfrom pathlib import Path\nfrom rustext.cli.scan_rows import read_file\n"
        "read_file(Path(sys.argv[1]))\n"
        "print(re.search(r'VmHWM:\\s*(\\d+) kB', Path('/proc/self/status').read_text())[1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, file], capture_output=True, text=True, check=True, timeout=60
    )
    return int(done.stdout)
