"""The environment that there would be if a wheel were installed into one.

In: a wheel that discovery has opened, and an environment. Out: an environment in which the wheel's
distribution is first on the path, so that its own modules are found and its `Requires-Dist`
counts. What it requires is looked for in the environment as it is: nothing is downloaded.
"""

from __future__ import annotations

import lzma
import shutil
import zipfile
import zlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from rustext.discovery.sboms import make_package
from rustext.discovery.sources import NEVER_NATIVE, Source
from rustext.environment.environment import Environment
from rustext.errors import InvalidWheel, UnreadableFile
from rustext.formats.binary import HEAD, is_native

# All that zipfile and the decompressors behind it raise on damaged or foreign archives, and OSError
# where two members cannot both be unpacked ("a" and "a/b").
ARCHIVE_ERRORS = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, ValueError,
)  # fmt: skip


_SIZE_LIMIT = 8 << 30  # bytes unpacked; the largest real wheels are below 3 GiB
_RATIO_LIMIT = 200  # unpacked to packed, of a member or of all; real native files stay below 20
_RATIO_FLOOR = 64 << 20  # bytes; below that a high ratio does no harm


def unpack_wheel(path: Path, folder: Path) -> Source:
    """Unpack the native files of a wheel into a folder.

    Raises `InvalidWheel` for an archive that must not be unpacked, `UnreadableFile` otherwise.
    """
    try:
        name, version, _, _ = parse_wheel_filename(path.name)
        with zipfile.ZipFile(path) as archive:
            return _unpack_members(archive, path, folder, canonicalize_name(name), str(version))
    except InvalidWheelFilename as error:
        raise InvalidWheel(f"{path.name} is not named as a wheel is") from error
    except PermissionError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror}") from error
    except ARCHIVE_ERRORS as error:
        raise InvalidWheel(f"{path} cannot be unpacked: {error}") from error


def _unpack_members(
    archive: zipfile.ZipFile, wheel: Path, folder: Path, name: str, version: str
) -> Source:
    infos = [i for i in archive.infolist() if not i.is_dir()]
    members = {_safe_name(i, wheel): i for i in infos}
    for info in infos:
        _refuse_bomb(wheel, repr(info.filename), info.file_size, info.compress_size)
    _refuse_bomb(wheel, "itself", sum(i.file_size for i in infos), wheel.stat().st_size)
    sboms = [
        archive.read(info)
        for inner, info in sorted(members.items())
        if inner.parent.name == "sboms" and inner.suffix in {".json", ".xml"}
    ]
    package = make_package(name, version, sboms)
    kept = {}
    for inner, info in members.items():
        if inner.suffix not in NEVER_NATIVE and _is_native_member(archive, info):
            target = installed_path(inner)
            unpack_member(archive, info, folder / target)
            kept[target] = inner
    packages = dict.fromkeys(kept, package)
    return Source(root=folder, packages=packages, members=kept, wheel=wheel)


def _safe_name(info: zipfile.ZipInfo, wheel: Path) -> PurePosixPath:
    inner = PurePosixPath(info.filename.replace("\\", "/"))
    if inner.is_absolute() or not inner.parts or ".." in inner.parts or ":" in inner.parts[0]:
        raise InvalidWheel(f"{wheel.name} holds the path {info.filename!r}, which leads out of it")
    return inner


def _refuse_bomb(wheel: Path, what: str, unpacked: int, packed: int) -> None:
    if unpacked > _SIZE_LIMIT or unpacked > max(_RATIO_FLOOR, _RATIO_LIMIT * packed):
        raise InvalidWheel(
            f"{wheel.name} unpacks {what} to {unpacked:,} bytes "
            f"from {packed:,}: refused as a zip bomb"
        )


def _is_native_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bool:
    with archive.open(info) as stream:
        return is_native(stream.read(HEAD))


def unpack_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> None:
    """Unpack one member of a wheel to a path; folders are made as needed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(info) as stream, target.open("wb") as out:
        shutil.copyfileobj(stream, out, 1 << 20)


def installed_path(inner: PurePosixPath) -> PurePosixPath:
    """Where an installer puts a member (binary distribution format, "The .data directory").

    The scheme `data` means the environment's own folder, which holds `site-packages` as well; all
    else that is not for `site-packages` stays below `.data`.
    """
    if len(inner.parts) > 2 and inner.parts[0].endswith(".data"):
        scheme, *rest = inner.parts[1:]
        if scheme == "data" and "site-packages" in rest[:-1]:
            scheme, rest = "platlib", rest[rest.index("site-packages") + 1 :]
        if scheme in {"purelib", "platlib"}:
            return PurePosixPath(*rest)
    return inner


def with_wheel(env: Environment, source: Source) -> Environment:
    """The environment with the wheel in it, for as long as the source is open.

    `source` is an open wheel's (see `open_source`, which has checked its members);
    what is still packed is unpacked next to its native files, but for damaged members.
    """
    if source.wheel is None:
        return env
    with zipfile.ZipFile(source.wheel) as archive:
        for info in archive.infolist():
            target = source.root / installed_path(PurePosixPath(info.filename.replace("\\", "/")))
            if not info.is_dir() and not target.exists():
                with suppress(*ARCHIVE_ERRORS):
                    unpack_member(archive, info, target)
    facts = env.interpreter
    return Environment(replace(facts, path=(str(source.root), *facts.path)))
