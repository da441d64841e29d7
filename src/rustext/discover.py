"""Find the native files of an environment, a wheel or a folder.

In: an environment, or the path of a wheel, folder or file. Out: one `NativeFile` for each native
file, Rust or not, sorted by path. Nothing is imported or executed; a wheel's native files are
unpacked into a temporary folder for as long as the source is open.
"""

from __future__ import annotations

import contextlib
import lzma
import mmap
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path, PurePosixPath

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from rustext.binary import HEAD, is_native, open_binary
from rustext.distributions import Distribution, iter_distributions
from rustext.environment import Environment
from rustext.errors import InvalidBinary, InvalidWheel, UnreadableFile
from rustext.kept import KeptFacts
from rustext.model import Binding, Crate, Image, NativeFile
from rustext.naming import Naming, name_file
from rustext.openers import Opener, find_opener
from rustext.provenance import (
    Marks,
    format_marks,
    merge_crates,
    parse_marks,
    parse_sbom,
    parse_sbom_targets,
    provenance,
    read_marks,
)

# Text and media that a package carries by the thousand: not worth opening to look for a magic
# number. A native file under such a name could be loaded only on purpose.
NEVER_NATIVE = frozenset(
    """.py .pyi .pyc .pyx .pxd .txt .md .rst .json .toml .yaml .yml .ini .cfg .csv .tsv .xml .html
    .css .js .mjs .map .ts .svg .png .jpg .jpeg .gif .ico .ttf .woff .woff2 .h .hpp .hh .c .cc .cpp
    .cu .rs .go .f .f90 .pem .zip .gz .xz .npy .npz .po .mo .tmpl .j2 .sh .bat .ps1""".split()
)
# All that zipfile and the decompressors behind it raise on damaged or foreign archives, and OSError
# where two members cannot both be unpacked ("a" and "a/b").
_ARCHIVE_ERRORS = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, ValueError,
)  # fmt: skip
_SOURCE_LIMIT = 4 << 20  # bytes of a Python source that is searched
_SIZE_LIMIT = 8 << 30  # bytes unpacked; the largest real wheels are below 3 GiB
_RATIO_LIMIT = 200  # unpacked to packed, of a member or of all; real native files stay below 20
_RATIO_FLOOR = 64 << 20  # bytes; below that a high ratio does no harm


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """What discovery has to know of a distribution: its name and its bills of materials."""

    name: str
    version: str
    crates: tuple[Crate, ...]
    targets: frozenset[str] = frozenset()  # libraries that the crate of these materials builds


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A folder laid out like `site-packages`, and whose file is whose.

    For a wheel that is where its native files are unpacked to; `members` holds the names of those
    that an installer moves (the `.data` folders), and `wheel` the archive with all other files.
    """

    root: Path
    packages: Mapping[PurePosixPath, Package]
    members: Mapping[PurePosixPath, PurePosixPath] = field(default_factory=dict)
    wheel: Path | None = None


def iter_environment(env: Environment) -> Iterator[tuple[Path, NativeFile]]:
    """The native files of all `site-packages` folders, each with its path on this machine."""
    for site in env.sites:
        yield from iter_native_files(environment_source(env, site))


def environment_source(env: Environment, site: Path) -> Source:
    """One `site-packages` folder, with the owners that the installers recorded."""
    return _source(site, (d for d in env.distributions.values() if d.site == site))


@contextlib.contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Open a wheel or a folder; a wheel's native files stay unpacked until the end of the block.

    Raises `InvalidWheel` for an archive that must not be unpacked, `UnreadableFile` otherwise.
    """
    if path.is_dir():
        yield folder_source(path)
    elif not path.exists():
        raise UnreadableFile(f"{path} does not exist")
    elif path.suffix == ".whl" and path.is_file():  # opening a FIFO would wait for its writer
        with tempfile.TemporaryDirectory(prefix="rustext-") as folder:
            yield _unpack_wheel(path, Path(folder))
    else:
        raise InvalidWheel(f"{path} is neither a wheel nor a folder")


def folder_source(root: Path, dists: Iterable[Distribution] | None = None) -> Source:
    """A folder; where it holds `.dist-info` folders, they say whose file is whose.

    `dists` are the distributions in it, where they have been read already.
    """
    return _source(root, iter_distributions(root) if dists is None else dists)


def iter_native_files(
    source: Source, files: Iterable[Path] | None = None, kept: KeptFacts | None = None
) -> Iterator[tuple[Path, NativeFile]]:
    """The native files of a source, sorted by path; what is no native file is passed over.

    `files` are those to look at, inside the source's root; without it, all that are there. `kept`
    is as for `read_native_file`.
    """
    for path in find_native(source, files):
        with contextlib.suppress(InvalidBinary):  # a magic number alone: data, not a library
            yield path, read_native_file(path, source, kept)


def find_native(source: Source, files: Iterable[Path] | None = None) -> Iterator[Path]:
    """The files that begin as native ones do, sorted; arguments as for `iter_native_files`."""
    for path in sorted(_iter_files(source.root) if files is None else files):
        if path.suffix not in NEVER_NATIVE and path.is_file() and is_native(path):
            yield path


def read_native_file(path: Path, source: Source, kept: KeptFacts | None = None) -> NativeFile:
    """Read one native file of a source.

    To look for marks of Rust means to read all its bytes: those in `kept`, which an earlier run has
    found, count as long as the file is the same. Raises `InvalidBinary` or `UnreadableFile`.
    """
    relative = PurePosixPath(path.relative_to(source.root).as_posix())
    package = source.packages.get(relative)
    opener = cache(partial(find_opener, relative, _iter_python_sources(relative, source)))
    with open_binary(path) as (binary, data):
        naming = name_file(relative, binary.images)
        judge = partial(
            provenance,
            binary.image,
            data,
            _find_marks(path, binary.image, data, kept),
            sbom=package.crates if package is not None else (),
            opened_by=lambda: found.binding if (found := opener()) is not None else None,
        )
        found = judge(claimed=False)
        if not found.rust and naming.module is not None and package is not None:
            module = naming.module.rpartition(".")[2]
            if module in package.targets and not _has_rust(package, source, but=relative):
                found = judge(claimed=True)
    return NativeFile(
        path=source.members.get(relative, relative),
        distribution=package.name if package else None,
        version=package.version if package else None,
        binary=binary,
        provenance=found,
        module=naming.module,
        suffix=naming.suffix,
        naming=naming.kinds,
        explanation=_explain(
            naming, opener() if found.rust and "no-init" in naming.kinds else None
        ),
    )


def _find_marks(path: Path, image: Image, data: mmap.mmap, kept: KeptFacts | None) -> Marks:
    if kept is None:
        return read_marks(image, data)
    return parse_marks(kept.get(path, lambda: format_marks(read_marks(image, data))))


def _explain(naming: Naming, opener: Opener | None) -> str:
    """Add to the reason why nothing imports a library who opens it instead."""
    if opener is None or naming.kinds != ("no-init",):
        return naming.explanation
    if opener.binding is Binding.PLUGIN:
        how = f"named in `{opener.source}`, which leaves it to others to open it"
    else:
        how = f"opened with {opener.binding.value} by `{opener.source}`"
    return f"exports no PyInit_ function; {how}"


def _has_rust(package: Package, source: Source, *, but: PurePosixPath) -> bool:
    """Whether another file of the distribution bears a mark of Rust.

    Bills of materials speak of a whole distribution. A file without marks is theirs only if it is
    the library that their crate builds and nothing else can be.
    """
    others = (source.root / f for f, owner in source.packages.items() if owner is package)
    for path in others:
        if path != source.root / but and path.suffix not in NEVER_NATIVE:
            with contextlib.suppress(InvalidBinary, UnreadableFile):  # recorded, and gone
                if is_native(path) and is_rust(path):
                    return True
    return False


def _iter_python_sources(
    path: PurePosixPath, source: Source
) -> Iterator[tuple[PurePosixPath, bytes]]:
    """The Python sources of the distribution that `path` belongs to.

    Where no distribution is known, those of the top-level package.
    """
    if source.wheel is not None:
        with zipfile.ZipFile(source.wheel) as archive:
            for info in archive.infolist():
                if info.filename.endswith(".py") and info.file_size <= _SOURCE_LIMIT:
                    with contextlib.suppress(*_ARCHIVE_ERRORS):  # a damaged source opens nothing
                        yield installed_path(PurePosixPath(info.filename)), archive.read(info)
        return
    package = source.packages.get(path)
    if package is not None:
        files = [f for f, owner in source.packages.items() if owner is package]
    elif len(path.parts) > 1:
        folder = source.root / path.parts[0]
        files = [PurePosixPath(f.relative_to(source.root)) for f in sorted(folder.rglob("*.py"))]
    else:
        files = []
    for file in files:
        if file.suffix == ".py":
            with contextlib.suppress(OSError):
                yield file, (source.root / file).read_bytes()[:_SOURCE_LIMIT]


def is_rust(path: Path) -> bool:
    """Whether a native file bears a mark of Rust; its distribution is not asked.

    Raises `InvalidBinary` or `UnreadableFile`.
    """
    with open_binary(path) as (binary, data):
        return provenance(binary.image, data, read_marks(binary.image, data)).rust


def _source(root: Path, dists: Iterable[Distribution]) -> Source:
    packages: dict[PurePosixPath, Package] = {}
    for dist in dists:
        package = _package(dist.name, dist.version, [_read_bytes(root / f) for f in dist.sboms])
        packages.update(dict.fromkeys(dist.files, package))
    return Source(root=root, packages=packages)


def _iter_files(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        folders[:] = [f for f in folders if f != "__pycache__"]
        for name in files:
            if os.path.splitext(name)[1] not in NEVER_NATIVE:  # noqa: PTH122 (hot loop)
                yield Path(folder, name)


def _package(name: str, version: str, sboms: Sequence[bytes]) -> Package:
    return Package(
        name=name,
        version=version,
        crates=merge_crates(*map(parse_sbom, sboms)),
        targets=frozenset().union(*map(parse_sbom_targets, sboms)),
    )


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _unpack_wheel(path: Path, folder: Path) -> Source:
    try:
        name, version, _, _ = parse_wheel_filename(path.name)
        with zipfile.ZipFile(path) as archive:
            return _unpack_members(archive, path, folder, canonicalize_name(name), str(version))
    except InvalidWheelFilename as error:
        raise InvalidWheel(f"{path.name} is not named as a wheel is") from error
    except PermissionError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror}") from error
    except _ARCHIVE_ERRORS as error:
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
    package = _package(name, version, sboms)
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
