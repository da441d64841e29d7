"""What a repair says where the system refuses it: one line, and everything is as it was."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from compiling import Compile
from environments import write_files

from rustext.cli.main import run

MAIN = "int own(void); int main(void) { return own(); }"
OWN = "char room[40000] = {1}; int own(void) { return 0; }"
# Without capabilities, root may do with its own files what their modes allow.
PLAIN = "" if os.geteuid() else "setpriv --inh-caps=-all --bounding-set=-all "


@pytest.fixture
def bundle(tmp_path: Path, gcc: Compile) -> Path:
    """A program that finds its library by an absolute path."""
    own = gcc("libown.so.1", OWN, "-shared", "-fPIC", "-Wl,-soname,libown.so.1")
    program = gcc("app", MAIN, str(own), f"-Wl,-rpath,{tmp_path}/app.dist")
    write_files(tmp_path / "app.dist", {"app": program, "libown.so.1": own})
    (tmp_path / "app.dist/app").chmod(0o755)
    return tmp_path / "app.dist"


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(p.relative_to(folder)): (p.stat().st_mode, p.read_bytes() if p.is_file() else b"")
        for p in folder.rglob("*")
    }


@pytest.mark.parametrize(
    ("circumstance", "options", "said"),
    [
        ("ulimit -f 8", "", "cannot be copied: File too large"),
        ("ulimit -f 8", "--in-place", "cannot be changed: File too large"),
        ("chmod 555 .", "", "cannot be written to: Permission denied"),
        ("chmod 555 .", "--in-place", "cannot be written to: Permission denied"),
        ("chmod 000 app.dist/libown.so.1", "", "cannot be copied: Permission denied"),
        ("touch new", "-o new/app", "cannot be written to: Not a directory"),
    ],
)
def test_what_the_system_refuses_is_one_line_and_changes_nothing(
    circumstance: str, options: str, said: str, bundle: Path
) -> None:
    folder = bundle.parent
    subprocess.run(circumstance, shell=True, cwd=folder, check=True)
    mode = folder.stat().st_mode
    before = state(folder) if "000" not in circumstance else {}
    limit = circumstance if "ulimit" in circumstance else ":"
    command = f"{limit}; {PLAIN}{shlex.quote(sys.executable)} -m rustext repair app.dist {options}"
    done = subprocess.run(
        command, shell=True, cwd=folder, capture_output=True, text=True, check=False
    )
    folder.chmod(mode | 0o700)
    error, *rest = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert error.startswith("error: ")
    assert error.endswith(said)
    assert ".rustext-repair" not in error
    assert all(line.startswith("hint: ") for line in rest)
    assert len(rest) <= 1
    (bundle / "libown.so.1").chmod(before.get("app.dist/libown.so.1", (0o644, b""))[0] & 0o7777)
    assert not before or state(folder) == before
    assert [p.name for p in folder.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize("options", ["--dry-run", "--in-place"])
def test_of_folders_without_write_permission_no_copy_is_left(options: str, bundle: Path) -> None:
    own = bundle / "closed" / "libown.so.1"
    own.parent.mkdir()
    (bundle / "libown.so.1").rename(own)
    own.parent.chmod(0o555)
    python = f"TMPDIR={bundle.parent} {PLAIN}{shlex.quote(sys.executable)}"
    command = f"{python} -m rustext repair app.dist {options}"
    done = subprocess.run(
        command, shell=True, cwd=bundle.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    own.parent.chmod(0o755)
    assert [p.name for p in bundle.parent.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize("options", ["-o new", "--in-place"])
def test_a_bundle_that_may_not_be_written_to_is_repaired(options: str, bundle: Path) -> None:
    """Its modes come back in the end."""
    (bundle / "more").mkdir()
    (bundle / "more/app").write_bytes((bundle / "app").read_bytes())
    subprocess.run(["chmod", "-R", "a-w", bundle], check=True)
    before = {place: mode for place, (mode, _) in state(bundle).items()}
    command = f"{PLAIN}{shlex.quote(sys.executable)} -m rustext repair app.dist {options} --run"
    done = subprocess.run(
        command, shell=True, cwd=bundle.parent, capture_output=True, text=True, check=False
    )
    new = bundle.with_name(options.removeprefix("-o ")) if "new" in options else bundle
    after = {place: mode for place, (mode, _) in state(new).items()}
    top = new.stat().st_mode & 0o777
    subprocess.run(["chmod", "-R", "u+w", bundle, new], check=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 repairs, 2 files changed" in done.stdout
    assert (after, top) == (before, 0o555)
    assert [p.name for p in bundle.parent.iterdir() if p.name.startswith(".")] == []


def test_no_link_is_made_where_nothing_can_lead_to_it(
    tmp_path: Path,
    gcc: Compile,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    own = gcc("libown.so.1", OWN, "-shared", "-fPIC", "-Wl,-soname,libown.so.1")
    bundle = tmp_path / "app.dist"
    write_files(bundle, {"app": gcc("app", MAIN, str(own)), "lib/libown.so.1": own})
    for module in ("libraries", "apply"):
        monkeypatch.setattr(f"rustext.repair.{module}.find_patchelf", lambda: None)
    before = state(bundle)
    assert run(["repair", str(bundle)]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert "patchelf is not installed" in err
    assert state(bundle) == before
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith("app")] == ["app.dist"]


@pytest.mark.parametrize("options", ["-o app.dist/new", "-o link/new", "--dry-run"])
def test_no_bundle_is_copied_into_itself(options: str, bundle: Path) -> None:
    (bundle / "closed").mkdir()
    (bundle.parent / "link").symlink_to(bundle / "closed")
    before = state(bundle)
    command = f"TMPDIR={bundle} {shlex.quote(sys.executable)} -m rustext repair app.dist {options}"
    done = subprocess.run(
        command, shell=True, cwd=bundle.parent, capture_output=True, text=True, check=False
    )
    error, hint = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert "in the bundle, which is not copied into itself" in error
    assert hint.startswith("hint: ")
    assert state(bundle) == before


@pytest.mark.parametrize("kind", ["pipe", "socket"])
@pytest.mark.parametrize("options", ["-o new", "--in-place", "--dry-run"])
def test_what_is_no_file_is_one_line(
    kind: str, options: str, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    special = bundle / "special"
    if kind == "pipe":
        os.mkfifo(special)
    else:
        monkeypatch.chdir(bundle)  # a socket's path is short
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("special")
    command = [sys.executable, "-m", "rustext", "repair", bundle, *options.split()]
    done = subprocess.run(
        command, cwd=bundle.parent, capture_output=True, text=True, check=False, timeout=60
    )
    error, hint = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert error == f"error: {special} cannot be copied: it is neither a file nor a folder"
    assert hint.startswith("hint: move it out of the bundle")
    assert [p.name for p in bundle.parent.iterdir() if p.name.startswith(".")] == []


def test_holes_stay_holes(bundle: Path) -> None:
    whole = bundle / "data"
    with whole.open("wb") as stream:
        for at in (5 << 20, 9 << 20):
            stream.seek(at)
            stream.write(b"content" * 1000)
        stream.truncate(50 << 20)
    assert run(["repair", str(bundle), "-o", str(bundle.with_name("new")), "-qq"]) == 0
    copy = bundle.with_name("new") / "data"
    assert copy.read_bytes() == whole.read_bytes()
    assert copy.stat().st_blocks <= whole.stat().st_blocks


def test_nothing_stays_of_a_repair_that_was_ended(bundle: Path) -> None:
    code = """
import os, signal, sys, rustext.__main__, rustext.cli.repair_command
def end(*_):
    os.kill(os.getpid(), signal.SIGTERM)
rustext.cli.repair_command.repair_copy = end
sys.argv = ["rustext", "repair", "app.dist"]
rustext.__main__.main()
"""
    before = state(bundle.parent)
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=bundle.parent, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (143, "")
    assert state(bundle.parent) == before
