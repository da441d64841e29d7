"""Find the bundles that a path names.

In: a path as a user names it. Out: the bundle itself, the builds in a folder that holds several, or
what an archive holds, which is unpacked for as long as the context lasts.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rustext.errors import InvalidBinary, InvalidBundle, RustextError, UnreadableFile
from rustext.model.verification import VerifyReport
from rustext.verify.bundle.bundle import describe_other
from rustext.verify.bundle.native_files import unreasonable_size
from rustext.verify.bundle.program import Freezer, read_program
from rustext.verify.onefile.open_bundle import is_one_file
from rustext.verify.onefile.packed import is_packed, unpack
from rustext.verify.onefile.report_paths import relocate

# What the folder of a bundle holds, whatever its program is: PyInstaller's, cx_Freeze's, macOS's.
_PARTS = ("_internal", "base_library.zip", "lib/library.zip", "Contents/Info.plist")
_NESTED = 4  # folders in folders
_NAMED_LIKE_PROGRAMS = frozenset({"", ".exe", ".bin"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A bundle to judge: where it is, and the path that users know it by."""

    path: Path
    given: Path  # as a user names it; a member of an archive as if the archive were a folder
    unpacked: Path | None = None  # the temporary folder of the archive
    archive: Path | None = None

    def rename(self, report: VerifyReport) -> VerifyReport:
        """The report on it, in the words of the user."""
        if self.unpacked is None or self.archive is None:
            return report
        report = relocate(report, self.unpacked, self.archive)
        return replace(report, bundle=self.archive / self.path.relative_to(self.unpacked))

    @contextmanager
    def named(self) -> Iterator[None]:
        """Errors that come out of the block name it in the words of the user."""
        try:
            yield
        except RustextError as error:
            said, hint = str(error), error.hint or ""
            for path in (str(self.path.absolute()), os.path.realpath(self.path)):
                if path != os.sep:
                    said, hint = (t.replace(path, str(self.given)) for t in (said, hint))
            raise type(error)(said, hint=hint or None) from error


@contextmanager
def find_bundles(path: Path) -> Iterator[tuple[Found, ...]]:
    """The bundles at `path`, at least one; raises `InvalidBundle` or `UnreadableFile`."""
    if not path.is_file() or not is_packed(path):
        yield tuple(Found(path=one, given=one) for one in find_builds(path))
        return
    archive = path.absolute()
    with tempfile.TemporaryDirectory(prefix="rustext-archive-") as name:
        root = unpack(path, Path(name).resolve())
        yield tuple(
            Found(path=one, given=path / one.relative_to(root), unpacked=root, archive=archive)
            for one in find_builds(root)
        )


def find_builds(folder: Path) -> tuple[Path, ...]:
    """The builds in a folder; itself where it is one, where it holds none, and for a file.

    A folder that holds one other folder and nothing else is looked through, as archives of `dist`
    have it, and so is `dist` in the folder of a project, where PyInstaller writes to:
    https://pyinstaller.org/en/stable/usage.html#cmdoption-distpath
    """
    inner = folder
    whole = Path(os.path.realpath(folder))
    if whole == whole.parent:  # the root, which whoever reads it will refuse
        return (folder,)
    for _ in range(_NESTED):
        try:
            if not inner.is_dir() or describe_other(inner) or _is_bundle(inner):
                return (inner,)
            entries = sorted(inner.iterdir())
        except OSError:  # it cannot be listed, which whoever reads it will say
            return (folder,)
        builds = tuple(entry for entry in entries if _is_build(entry))
        found = builds or tuple(entry for entry in entries if describe_other(entry))
        if found:
            return found
        inner = entries[0] if len(entries) == 1 else inner / "dist"
        if inner.is_symlink() or not inner.is_dir():
            break
    return (folder,)


def _is_build(entry: Path) -> bool:
    with contextlib.suppress(OSError):  # one that cannot be listed is not found
        if entry.is_dir():
            return not describe_other(entry) and _is_bundle(entry)
        return entry.is_file() and is_one_file(entry)
    return False


def _is_bundle(folder: Path) -> bool:
    """Whether a folder is what a freezer makes: one with a program that needs what lies there."""
    if any((folder / part).exists() for part in _PARTS):
        return True
    files = [path for path in folder.iterdir() if path.is_file()]
    alone = other = False
    for path in sorted(files, key=lambda f: (f.suffix not in _NAMED_LIKE_PROGRAMS, f.name)):
        with contextlib.suppress(InvalidBinary, InvalidBundle, UnreadableFile, OSError):
            program = read_program(path) if unreasonable_size(path) is None else None
            if program is not None and is_one_file(path):
                alone = True
            elif program is not None and program.freezer is not Freezer.UNKNOWN:
                return True
            else:
                other = other or program is not None
    return other and not alone
