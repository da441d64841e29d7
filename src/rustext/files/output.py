"""Write results where the user asks for them, without replacing what is not rustext's.

In: a path, a content, and how an earlier result of the same kind is recognised. Out: the file,
whole or not at all: it is written next to its place and moved there
(https://docs.python.org/3/library/os.html#os.replace). What is not a regular file, such as
`/dev/stdout` or a pipe, is written to as it is.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from rustext.errors import UnwritableFile

LIMIT = 16 << 20  # bytes; a larger file is not one of rustext's
_SEAL = "# rustext: sha256 of the lines above: "

IsOurs = Callable[[bytes], bool]  # whether a content is an earlier result; never asked for b""


def check_output(path: Path, is_ours: IsOurs, *, what: str) -> None:
    """Raise `UnwritableFile` where `write_output` would; for the time before long work.

    `what` names the kind of file with its article, for messages: "a record of `rustext trace`".
    """
    try:
        if os.path.isdir(path):  # noqa: PTH112 (`Path` raises for a name that is too long)
            raise UnwritableFile(f"{path} cannot be written: it is a folder", hint="name a file")
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.stat(path)  # noqa: PTH116 (`Path.exists` hides what else fails, since Python 3.14)
        if path.exists() and not path.is_file():
            return
        folder = Path(os.path.realpath(path)).parent
        if not folder.is_dir():
            raise UnwritableFile(
                f"{path} cannot be written: the folder {folder} does not exist",
                hint=f"make it first: `mkdir -p {folder}`",
            )
        content = _beginning(path) if path.exists() else b""
        if content and not is_ours(content):
            raise UnwritableFile(
                f"{path} exists and is not {what}, or was edited; it is left as it is",
                hint="name another file, or remove this one",
            )
    except OSError as error:
        raise UnwritableFile(f"{path} cannot be written: {error.strerror}") from error
    writable = path if path.exists() else folder
    if not os.access(writable, os.W_OK):
        raise UnwritableFile(f"{path} cannot be written: {writable} is not writable")


def write_output(path: Path, text: str, is_ours: IsOurs, *, what: str) -> None:
    """Write `text` in UTF-8; raises `UnwritableFile` and then leaves the path as it was."""
    check_output(path, is_ours, what=what)
    data = text.encode("utf-8", "backslashreplace")
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
        else:
            real = Path(os.path.realpath(path))
            replace_file(real, data, _mode(real), or_write=True)
    except OSError as error:
        raise UnwritableFile(f"{path} cannot be written: {error.strerror}") from error


def seal(text: str) -> str:
    """The text with a last line, a comment, by which `is_sealed` sees that it was not edited."""
    return f"{text}{_SEAL}{_digest(text.encode())}\n"


def is_sealed(data: bytes) -> bool:
    """Whether a content is one that `seal` made, line endings aside."""
    text, mark, digest = data.replace(b"\r\n", b"\n").rpartition(_SEAL.encode())
    return bool(mark) and digest.strip() == _digest(text).encode()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _beginning(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(LIMIT)


def replace_file(path: Path, data: bytes, mode: int = 0o600, *, or_write: bool = False) -> None:
    """Write a temporary file next to `path` and move it into place. Raises `OSError`.

    With `or_write`, a file in a folder that may not be written to is written itself.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
    except PermissionError:
        if not or_write:
            raise
        path.write_bytes(data)
        return
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def _mode(path: Path) -> int:
    """The permissions of the file that is replaced, or those that a new one has."""
    try:
        return path.stat().st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
