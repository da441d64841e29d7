"""Give misnamed extension modules of a folder the name that their interpreter looks for.

In: a `Bundle`. Out: one finding at level note for each file that was made. The file under its old
name stays: a program or a checksum list may name it. Nothing that exists is written over.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from rustext.errors import InvalidBundle, UnreadableFile
from rustext.files.untrusted import open_file
from rustext.model.findings import Finding, Severity
from rustext.model.verification import BundlePython
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.facts.python.python_suffixes import Misnamed, choose_looked_for, iter_misnamed


def fix_suffixes(bundle: Bundle, python: BundlePython | None = None) -> tuple[Finding, ...]:
    """Link each misnamed extension module under the name that works, or copy it.

    `python` is the one that will run the bundle, where that is known. Raises `UnreadableFile` if
    the folder cannot be written to, `InvalidBundle` for a one-file program.
    """
    if bundle.origin is not None:
        raise InvalidBundle(
            f"{bundle.origin} is one file, and nothing in it can be renamed",
            hint="use --fix-suffix on the folder that it was made from",
        )
    looked_for = choose_looked_for(bundle, python)
    misnamed = tuple(iter_misnamed(bundle, looked_for)) if looked_for is not None else ()
    return tuple(_fix(bundle, misnamed))


def _fix(bundle: Bundle, misnamed: tuple[Misnamed, ...]) -> Iterator[Finding]:
    for file in misnamed:
        try:
            how = _link_or_copy(file.path, file.wanted)
        except OSError as error:
            raise UnreadableFile(
                f"{file.wanted} cannot be made: {error.strerror}",
                hint="--fix-suffix needs a bundle that may be written to",
            ) from error
        yield Finding(
            id="ext-suffix",
            severity=Severity.NOTE,
            subject=bundle.inside(file.wanted),
            message=f"made as a {how} of `{file.path.name}`, which Python never looks for",
        )


def _link_or_copy(source: Path, target: Path) -> str:
    """Neither step replaces a file that is there by now: `FileExistsError`."""
    try:
        target.symlink_to(source.name)
    except FileExistsError:
        raise
    except OSError:  # a file system or a system without links
        with open_file(source) as stream, target.open("xb") as out:
            shutil.copyfileobj(stream, out)
        shutil.copymode(source, target)
        return "copy"
    return "link"
