"""Records of native files: what a file says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

# --- binaries ---------------------------------------------------------------------------------


class Format(Enum):
    """Container format of a native file."""

    ELF = "elf"
    MACHO = "macho"
    PE = "pe"


class ImageKind(Enum):
    """What the loader does with the file: start it, map it on request, or neither."""

    EXECUTABLE = "executable"
    SHARED = "shared"  # ET_DYN without an entry in the process's life, MH_DYLIB, DLL
    BUNDLE = "bundle"  # MH_BUNDLE: loadable, but nothing can link against it
    OTHER = "other"  # relocatable objects, core dumps


class NeedKind(Enum):
    """How an image asks for a library."""

    NORMAL = "normal"
    WEAK = "weak"  # LC_LOAD_WEAK_DYLIB: may be absent
    REEXPORT = "re-export"  # LC_REEXPORT_DYLIB
    UPWARD = "upward"  # LC_LOAD_UPWARD_DYLIB
    LAZY = "lazy"  # LC_LAZY_LOAD_DYLIB, PE delay import: loaded at first use


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """One DT_NEEDED entry, LC_LOAD_DYLIB command or DLL import, as the file has it."""

    name: str
    kind: NeedKind = NeedKind.NORMAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of the file that the loader maps; `offset` counts from the start of the file."""

    address: int
    memory_size: int
    offset: int
    size: int
    writable: bool
    executable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A named part of the file; `size` is 0 where it takes no room in the file."""

    name: str  # Mach-O: "__TEXT,__const"
    address: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolVersion:
    """A version that the image needs of a library (ELF's .gnu.version_r)."""

    library: str
    version: str  # "GLIBC_2.28"
    weak: bool  # VER_FLG_WEAK: the loader goes on without it


# What makes a module of a file: PEP 489, and since Python 3.15 PEP 793.
PYTHON_INITS = ("PyInit_", "PyInitU_", "PyModExport_", "PyModExportU_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One loadable image: an ELF or PE file, or one slice of a Mach-O file.

    All file offsets count from the start of the *file*, also in a slice of a fat file.
    `rpath` holds DT_RPATH, or Mach-O's LC_RPATH commands in order; `runpath` holds DT_RUNPATH.
    Entries are split at colons and otherwise unchanged (`$ORIGIN` and `@loader_path` stay).
    """

    format: Format
    architecture: str  # in the words of `uname -m`: x86_64, aarch64, armv7l, i686, arm64 (Mach-O)
    bits: int
    byteorder: str  # "little" or "big", as `int.from_bytes` takes it
    kind: ImageKind
    soname: str | None  # DT_SONAME, LC_ID_DYLIB's name, or the PE export directory's name
    needed: tuple[Needed, ...]
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    empty_runpath: bool = False  # ELF: DT_RUNPATH is there without a folder, and voids DT_RPATH
    interpreter: str | None = None  # PT_INTERP
    versions: tuple[SymbolVersion, ...] = ()
    python_inits: tuple[str, ...] = ()  # exported symbols that begin as `PYTHON_INITS`, sorted
    segments: tuple[Segment, ...] = ()
    sections: tuple[Section, ...] = ()
    dynamic: bool = False  # ELF: there is a dynamic section
    no_default_libraries: bool = False  # ELF: DF_1_NODEFLIB
    minimum_os: str | None = None  # Mach-O: LC_BUILD_VERSION or LC_VERSION_MIN_*
    header_pad: int | None = None  # Mach-O: bytes between the load commands and the first section
    signature: tuple[int, int] | None = None  # Mach-O: offset and size of LC_CODE_SIGNATURE's data
    offset: int = 0
    size: int = 0

    @property
    def has_runpath(self) -> bool:
        """Whether there is a DT_RUNPATH, which makes glibc ignore DT_RPATH and inherited ones."""
        return self.empty_runpath or bool(self.runpath)

    @property
    def search_path(self) -> tuple[str, tuple[str, ...]]:
        """What holds the run path that counts, and its entries; DT_RUNPATH voids DT_RPATH."""
        if self.format is Format.MACHO:
            return "LC_RPATH", self.rpath
        return ("DT_RUNPATH", self.runpath) if self.has_runpath else ("DT_RPATH", self.rpath)

    @property
    def glibc_floor(self) -> str | None:
        """Highest `GLIBC_x.y` that the image needs, weak ones included, as "2.28"."""
        floors = [
            tuple(map(int, name.split(".")))
            for v in self.versions
            if (name := v.version.removeprefix("GLIBC_")) != v.version
            and all(part.isdigit() for part in name.split("."))
        ]
        return ".".join(map(str, max(floors))) if floors else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """A native file: its path and the images in it (several only in a fat Mach-O file)."""

    path: Path
    images: tuple[Image, ...]

    @property
    def image(self) -> Image:
        """The first image: the only one but in fat Mach-O files."""
        return self.images[0]

    @property
    def python_inits(self) -> tuple[str, ...]:
        """Those of all images, sorted."""
        return tuple(sorted({init for image in self.images for init in image.python_inits}))
