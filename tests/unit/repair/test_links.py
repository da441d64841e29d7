"""Links to a library stay what they are, and the library gets the place that they lead to."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from archives import archive, pyz
from compiling import Compile
from environments import environment, install, write_files

from rustext.cli.main import run
from rustext.config import Config
from rustext.environment.environment import stdlib_environment
from rustext.model.findings import Severity
from rustext.repair.origin import Origin
from rustext.repair.repair import Wanted, repair_copy
from rustext.verify.bundle.bundle import read_bundle

MAIN = "int own(void); int main(void) { return own(); }"
OWN = "int own(void) { return 0; }"


def test_a_library_goes_where_the_links_to_it_lead(tmp_path: Path, gcc: Compile) -> None:
    """As PyInstaller lays libraries out: one file, and links to it from where it is looked for."""
    own = gcc("libown.so.1", OWN, "-shared", "-fPIC", "-Wl,-soname,libown.so.1")
    bundle, program = tmp_path / "app.dist", gcc("app", MAIN, str(own), "-Wl,-rpath,$ORIGIN")
    write_files(bundle, {"app": program, "libs/libother.so": own})
    (bundle / "app").chmod(0o755)
    for place in ("libown.so.1", "more.so"):
        (bundle / place).symlink_to("libs/libown.so.1")
    new = bundle.with_name("new")
    assert run(["repair", str(bundle), "-o", str(new), "-qq"]) == 0
    assert (new / "libs/libown.so.1").readlink() == Path("libother.so")
    assert (new / "libown.so.1").readlink() == Path("libs/libown.so.1")
    assert (new / "more.so").is_file()
    subprocess.run([new / "app"], check=True)


def test_of_links_in_a_row_the_one_that_leads_out_is_replaced(tmp_path: Path, gcc: Compile) -> None:
    own = gcc("libown.so.1", OWN, "-shared", "-fPIC", "-Wl,-soname,libown.so.1")
    bundle, program = tmp_path / "app.dist", gcc("app", MAIN, str(own), "-Wl,-rpath,$ORIGIN")
    write_files(bundle, {"app": program, "libs/data": b""})
    (bundle / "app").chmod(0o755)
    (bundle / "libown.so.1").symlink_to("libs/libown.so.1")
    (bundle / "libs/libown.so.1").symlink_to(own)
    new = tmp_path / "new"
    environment = ["--environment", sys.executable]
    assert run(["repair", str(bundle), "-o", str(new), "-qq", *environment]) == 0
    assert (new / "libown.so.1").readlink() == Path("libs/libown.so.1")
    assert not (new / "libs/libown.so.1").is_symlink()
    assert (new / "libs/libown.so.1").read_bytes() == own.read_bytes()


@pytest.mark.parametrize("chain", [("libown.so.1",), ("libtwo.so", "libown.so.1")])
def test_a_link_that_comes_back_to_itself_is_replaced(
    tmp_path: Path, gcc: Compile, chain: tuple[str, ...]
) -> None:
    own = gcc("libown.so.1", OWN, "-shared", "-fPIC", "-Wl,-soname,libown.so.1")
    bundle = tmp_path / "app.dist"
    program = gcc("app", MAIN, str(own), "-Wl,-rpath,$ORIGIN/own.libs:$ORIGIN")
    site = tmp_path / "site"
    install(site, "own", files={"own.libs/libown.so.1": own, "own.libs/libtwo.so": own})
    write_files(bundle, {"app": program, "own.libs/data": b""})
    (bundle / "app").chmod(0o755)
    for link, aim in zip(("libown.so.1", *chain), chain, strict=False):
        (bundle / link).symlink_to(aim)
    origin = Origin(environment(site), Config())
    wanted = Wanted(stdlib=stdlib_environment(), origin=origin)
    repaired = repair_copy(read_bundle(bundle), bundle, wanted)
    assert not [f for f in repaired.report.findings if f.severity is not Severity.NOTE]
    subprocess.run([bundle / "app"], check=True)


@pytest.mark.parametrize("failing", [True, False], ids=["refuses", "makes none"])
def test_where_there_are_no_links_a_copy_is_made(
    tmp_path: Path, gcc: Compile, monkeypatch: pytest.MonkeyPatch, failing: bool
) -> None:
    """Wine says that it has made a link, and has not."""
    own = gcc("libown.so.1", OWN, "-shared", "-fPIC", "-Wl,-soname,libown.so.1")
    bundle, program = tmp_path / "app.dist", gcc("app", MAIN, str(own), "-Wl,-rpath,$ORIGIN")
    write_files(bundle, {"app": program, "libs/libother.so": own})
    (bundle / "app").chmod(0o755)

    def symlink_to(self: Path, target: str) -> None:
        if failing:
            raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", symlink_to)
    new = tmp_path / "new"
    assert run(["repair", str(bundle), "-o", str(new), "-qq"]) == 0
    assert (new / "libown.so.1").read_bytes() == own.read_bytes()
    subprocess.run([new / "app"], check=True)


@pytest.mark.parametrize("options", ["--in-place", "-o"])
def test_absolute_links_into_the_bundle_become_relative(
    options: str, tmp_path: Path, gcc: Compile
) -> None:
    """Also those that climb out of the bundle, to folders and data, and to what is to be copied."""
    own = gcc("libown.so.1", OWN, "-shared", "-fPIC", "-Wl,-soname,libown.so.1")
    bundle, program = tmp_path / "dist/app", gcc("app", MAIN, str(own), "-Wl,-rpath,$ORIGIN")
    write_files(bundle, {"app": program, "libown.so.1": own, "data/a.txt": b"a", "x/y/b": b"b"})
    (bundle / "app").chmod(0o755)
    links = {
        "libabs.so": "libown.so.1", "libgo.so": "libabs.so", "x/folder": "data",
        "x/text": "data/a.txt",
    }  # fmt: skip
    for place, target in links.items():
        (bundle / place).symlink_to(bundle / target)
    (bundle / "x/y/climbs").symlink_to("../../../../dist/app/data/a.txt")
    new = bundle if options == "--in-place" else tmp_path / "new"
    where = [options, *([str(new)] if options == "-o" else [])]
    assert run(["verify", str(bundle), "-qq"]) == 1
    assert run(["repair", str(bundle), *where, "-qq"]) == 0
    assert run(["verify", str(new), "-qq"]) == 0
    targets = {path: str((new / path).readlink()) for path in (*links, "x/y/climbs")}
    assert targets == {
        "libabs.so": "libown.so.1", "libgo.so": "libown.so.1", "x/folder": "../data",
        "x/text": "../data/a.txt", "x/y/climbs": "../../data/a.txt",
    }  # fmt: skip


def test_a_link_that_is_not_repaired_is_as_it_was(tmp_path: Path, gcc: Compile) -> None:
    own = gcc("libown.so.1", OWN, "-shared", "-fPIC", "-Wl,-soname,libown.so.1")
    bundle = tmp_path / "app"
    program = gcc("app", MAIN, str(own), "-Wl,-rpath,$ORIGIN:/opt/nowhere/lib")
    write_files(bundle, {"app": program, "libown.so.1": own})
    (bundle / "app").chmod(0o755)
    (bundle / "libabs.so").symlink_to(bundle / "libown.so.1")
    new = tmp_path / "new"
    command = ["repair", str(bundle), "-o", str(new), "-qq", "--select", "unsafe-rpath", "--run"]
    assert run(command) == 1
    assert (new / "libabs.so").readlink() == bundle / "libown.so.1"
    assert run(["verify", str(bundle), "-qq"]) == 1


def test_a_library_in_its_place_is_not_replaced_by_a_link_to_itself(
    tmp_path: Path, gcc: Compile
) -> None:
    """The entry that led to it is taken out, and only another entry is lacking."""
    own = gcc("libown.so.1", OWN, "-shared", "-fPIC", "-Wl,-soname,libown.so.1")
    bundle = tmp_path / "app"
    write_files(
        bundle,
        {"app": gcc("app", MAIN, str(own), f"-Wl,-rpath,{bundle}"), "libown.so.1": own},
    )
    (bundle / "app").chmod(0o755)
    new = tmp_path / "new"
    assert run(["repair", str(bundle), "-o", str(new), "-qq"]) == 0
    assert (new / "libown.so.1").read_bytes() == own.read_bytes()
    subprocess.run([new / "app"], check=True)


@pytest.mark.parametrize("folder", ["", "lib/_internal/", "_internal2/"])
def test_the_folder_that_a_program_looks_into_becomes_a_link_where_it_was_moved(
    folder: str, tmp_path: Path, gcc: Compile
) -> None:
    """Only where Python's library is in it; `./test --repairs --damages` starts such programs."""
    python = gcc("libpython3.11.so", "int x;", "-shared", "-fPIC", "-Wl,-soname,libpython3.11.so")
    bundle = tmp_path / "app"
    write_files(bundle, {"app": gcc("app", "int main(void) { return 0; }"), f"{folder}data": "x"})
    with (bundle / "app").open("ab") as program:
        option = (b"o", "pyi-contents-directory _internal", b"")
        program.write(archive([option, (b"z", "PYZ.pyz", pyz([]))]))
    new = tmp_path / "new"
    run(["repair", str(bundle), "-o", str(new), "-qq"])
    assert not (new / "_internal").exists()
    shutil.copy2(python, bundle / folder)
    run(["repair", str(bundle), "-o", f"{new}2", "-qq"])
    assert (tmp_path / "new2/_internal").readlink() == Path(folder or ".")
    assert (tmp_path / "new2/_internal/data").read_text() == "x"
