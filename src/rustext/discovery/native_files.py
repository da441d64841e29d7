"""Find the native files of an environment, a wheel or a folder.

In: an environment, or the path of a wheel, folder or file. Out: one `NativeFile` for each native
file, Rust or not, sorted by path. Nothing is imported or executed; a wheel's native files are
unpacked into a temporary folder for as long as the source is open.
"""

from __future__ import annotations

import contextlib
import itertools
import mmap
import os
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from pathlib import Path, PurePath, PurePosixPath

from rustext.discovery.library_openers import Opener, find_opener
from rustext.discovery.module_names import Naming, name_file
from rustext.discovery.provenance import Marks, provenance, read_marks
from rustext.discovery.sboms import check_sbom, make_package
from rustext.discovery.sources import NEVER_NATIVE, Package, Source
from rustext.discovery.wheels import ARCHIVE_ERRORS, installed_path, unpack_wheel
from rustext.environment.distributions import Distribution, iter_distributions
from rustext.environment.editable_installs import walk
from rustext.environment.environment import Environment
from rustext.errors import (
    InvalidBinary,
    InvalidWheel,
    RustextError,
    UnknownFormat,
    UnreadableFile,
)
from rustext.files.cache import KeptFacts
from rustext.files.untrusted import SOURCE_LIMIT, read_bytes, read_start
from rustext.formats.binary import HEAD, is_native, map_file, open_binary
from rustext.model.faults import NoteFault
from rustext.model.image import Image
from rustext.model.native_file import Binding, NativeFile

_SBOM_LIMIT = 16 << 20  # bytes of a bill of materials
_MOST_FOLDERS = 2000  # of a package whose sources are searched
_LEFT_OUT = "nothing is added for this file"


def environment_source(env: Environment, site: Path) -> Source:
    """One `site-packages` folder, with the owners that the installers recorded."""
    dists = (d for d in env.distributions.values() if d.site == site)
    return _source(site, dists, env.note_fault)


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
            yield unpack_wheel(path, Path(folder))
    else:
        raise InvalidWheel(
            f"{path} is neither a wheel nor a folder nor a native file",
            hint="name one of these, or nothing for the environment that rustext is in",
        )


def folder_source(root: Path, dists: Iterable[Distribution] | None = None) -> Source:
    """A folder; where it holds `.dist-info` folders, they say whose file is whose.

    `dists` are the distributions in it, where they have been read already.
    """
    return _source(root, iter_distributions(root) if dists is None else dists)


def iter_native_files(
    source: Source,
    files: Iterable[Path] | None = None,
    *,
    read: Callable[[Path, Source], NativeFile] | None = None,
    note_fault: NoteFault | None = None,
) -> Iterator[tuple[Path, NativeFile]]:
    """The native files of a source, sorted by path; other files are skipped.

    `files` are those to look at, inside the source's root; without it, all that are there. `read`
    is what reads one in place of `read_native_file`. A file that cannot be read is handed to
    `note_fault`; without it, `UnreadableFile` is raised.
    """
    read = read or read_native_file
    for path in _iter_candidates(source, files):
        try:
            yield path, read(path, source)
        except InvalidBinary as error:
            if note_fault is not None and is_named_native(path):
                note_fault(path, _reason(path, error), _LEFT_OUT)
        except UnreadableFile as error:
            _note(path, error, note_fault)


def is_named_native(path: PurePath) -> bool:
    """Whether a file is called as extension modules and libraries are."""
    return re.search(r"\.(so(\.\d+)*|pyd|dll|dylib)$", path.name) is not None


def find_native(
    source: Source,
    files: Iterable[Path] | None = None,
    *,
    note_fault: NoteFault | None = None,
) -> Iterator[Path]:
    """The files that begin as native ones do, sorted; arguments as for `iter_native_files`."""
    for path in _iter_candidates(source, files):
        try:
            with map_file(path) as data:
                native = is_native(data[:HEAD])
        except UnknownFormat:
            continue
        except UnreadableFile as error:
            _note(path, error, note_fault)
        else:
            if native:
                yield path


def _iter_candidates(source: Source, files: Iterable[Path] | None) -> Iterator[Path]:
    found = sorted(_iter_files(source.root) if files is None else files)
    return (path for path in found if path.suffix not in NEVER_NATIVE)


def _note(path: Path, error: UnreadableFile, note_fault: NoteFault | None) -> None:
    """Hand a file that cannot be read to `note_fault`; without it, raise the error.

    A file may have been removed since it was recorded.
    """
    special = error.__cause__ is None  # a folder, a FIFO, a socket or a device
    gone = isinstance(error.__cause__, FileNotFoundError | NotADirectoryError)
    if note_fault is None:
        if not (special or gone):
            raise error
    elif special and is_named_native(path):
        note_fault(path, "it is not a regular file", _LEFT_OUT)
    elif not special and (not gone or (is_named_native(path) and path.is_symlink())):
        note_fault(path, _reason(path, error), _LEFT_OUT)


def _reason(path: Path, error: RustextError) -> str:
    """The reason alone: the message names the file as well."""
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror.lower()
    return str(error).removeprefix(f"cannot read `{path}`: ")


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
        marks = _find_marks(path, binary.image, data, kept)
        judge = partial(
            provenance,
            binary.image,
            data,
            marks,
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
        plugin_mark=marks.plugin if naming.module is not None else None,
    )


def _find_marks(path: Path, image: Image, data: mmap.mmap, kept: KeptFacts | None) -> Marks:
    if kept is None:
        return read_marks(image, data)
    return kept.get(path, Marks, lambda: read_marks(image, data))


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
                if is_rust(path):
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
                if info.filename.endswith(".py") and info.file_size <= SOURCE_LIMIT:
                    with contextlib.suppress(*ARCHIVE_ERRORS):  # a damaged source opens nothing
                        yield installed_path(PurePosixPath(info.filename)), archive.read(info)
        return
    package = source.packages.get(path)
    if package is not None:
        files = [f for f, owner in source.packages.items() if owner is package]
    elif len(path.parts) > 1:
        folder = source.root / path.parts[0]
        folders = itertools.islice(walk(folder), _MOST_FOLDERS)
        found = (Path(where, n) for where, _, names in folders for n in names if n.endswith(".py"))
        files = sorted(PurePosixPath(path.relative_to(source.root)) for path in found)
    else:
        files = []
    for file in files:
        if file.suffix == ".py":
            with contextlib.suppress(OSError):
                yield file, read_start(source.root / file, SOURCE_LIMIT)


def is_rust(path: Path) -> bool:
    """Whether a native file bears a mark of Rust; its distribution is not asked.

    Raises `InvalidBinary` or `UnreadableFile`.
    """
    with open_binary(path) as (binary, data):
        return provenance(binary.image, data, read_marks(binary.image, data)).rust


def _source(
    root: Path, dists: Iterable[Distribution], note_fault: NoteFault | None = None
) -> Source:
    packages: dict[PurePosixPath, Package] = {}
    for dist in dists:
        sboms = [_read_sbom(root / file, note_fault) for file in dist.sboms]
        package = make_package(dist.name, dist.version, sboms)
        packages.update(dict.fromkeys(dist.files, package))
    return Source(root=root, packages=packages)


def _iter_files(root: Path) -> Iterator[Path]:
    for folder, _, files in walk(root):
        for name in files:
            if os.path.splitext(name)[1] not in NEVER_NATIVE:  # noqa: PTH122 (hot loop)
                yield Path(folder, name)


def _read_sbom(path: Path, note_fault: NoteFault | None) -> bytes:
    """The bytes of a bill of materials; none of one that says nothing."""
    try:
        content = read_bytes(path, _SBOM_LIMIT)
        check_sbom(content)
    except UnreadableFile as error:
        if note_fault is not None:
            note_fault(path, str(error), "the crates that it lists are not known")
        return b""
    return content
