"""The records that flow from stage to stage.

Nothing here reads a file or decides anything. Each conclusion carries its evidence, and absence
is a value (`Resolved | Missing`), so that a renderer can always say how rustext came to know.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePosixPath

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
    """One DT_NEEDED entry, LC_LOAD_DYLIB command or DLL import, as it stands in the file."""

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
    python_inits: tuple[str, ...] = ()  # exported PyInit_ and PyInitU_ symbols, whole, sorted
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


# --- strings ----------------------------------------------------------------------------------


class EvidenceKind(Enum):
    """Where the knowledge of an implicit import comes from, strongest first."""

    CONFIGURED = "configured"  # the user says so, in [tool.rustext]
    TRACED = "traced"
    PROBED = "probed"
    PLUGIN = "plugin"  # the distribution's Python code lists what is there
    PYTHON_CALL = "python-call"  # the distribution's Python code has it imported by its name
    IMPORT_CALL = "import-call"  # the string's address and length reach PyImport_Import
    EXACT_STRING = "exact-string"
    C_STRING = "c-string"
    CRATE_RULE = "crate-rule"
    PYTHON_NAME = "python-name"  # it stands in the distribution's sources, where names are imported
    LOOSE_STRING = "loose-string"


@dataclass(frozen=True, slots=True, kw_only=True)
class StringRef:
    """A string in a binary whose bounds are known, and how they are known."""

    text: str
    offset: int  # of the first byte, from the start of the file
    kind: EvidenceKind  # IMPORT_CALL, EXACT_STRING, C_STRING or LOOSE_STRING
    detail: str  # what refers to it: "relocated (pointer, length) at 0x…", "lea at 0x…"


# --- provenance and discovery -----------------------------------------------------------------


class Binding(Enum):
    """What lets Python reach the native code."""

    PYO3 = "pyo3"
    RUST_CPYTHON = "rust-cpython"
    CFFI = "cffi"
    UNIFFI = "uniffi"
    CTYPES = "ctypes"  # a C ABI library that Python code opens by path
    PLUGIN = "plugin"  # opened by another native library (polars expression plugins)
    EXECUTABLE = "executable"
    NONE = "none"  # a Rust extension module without a binding crate, or a plain C one


@dataclass(frozen=True, slots=True, kw_only=True)
class Crate:
    """A Rust crate inside a binary; `version` is None where only the name is known."""

    name: str
    version: str | None
    source: str  # "sbom", "dep-v0" or "panic-path"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What a native file was made from, with the marks that say so."""

    rust: bool
    marks: tuple[str, ...] = ()  # "rustc comment", "panic path", "mangled name", "sbom", …
    binding: Binding = Binding.NONE
    pyo3: str | None = None
    rustc: str | None = None
    crates: tuple[Crate, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeFile:
    """One native file of a distribution, a wheel or a folder.

    `module` is the name that imports it, or None; `explanation` says how that name came about or
    why nothing can import the file. `path` is relative to the site-packages folder or wheel root.
    """

    path: PurePosixPath
    distribution: str | None
    version: str | None
    binary: Binary
    provenance: Provenance
    module: str | None
    suffix: str | None  # the EXT_SUFFIX that the file's name ends with
    naming: tuple[str, ...]  # what is unusual about the file's names
    explanation: str


# --- libraries --------------------------------------------------------------------------------


class FoundBy(Enum):
    """Which of the loader's rules found a library."""

    RPATH = "rpath"
    RUNPATH = "runpath"
    ENV = "LD_LIBRARY_PATH"
    CACHE = "ld.so.cache"
    DEFAULT = "default directory"
    PATH = "path"  # the name holds a slash, or is an absolute install name
    LOADED = "already loaded"  # a soname that is in the process by then
    SELF = "itself"  # a Mach-O file that names itself
    SYSTEM = "system"  # the dyld shared cache, a system DLL
    BESIDE = "application folder"  # PE


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A library that the loader would find; `path` is None only for `FoundBy.SYSTEM`."""

    soname: str
    path: Path | None
    how: FoundBy
    needed_by: Path
    kind: NeedKind = NeedKind.NORMAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """One place where the loader looked: the rule that sent it there, and the file it tried."""

    how: FoundBy
    path: str
    rejected: str | None = None  # why a file that exists was not taken: "wrong architecture: i686"


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A library that the loader would not find, and every place it would look at, in its order."""

    soname: str
    searched: tuple[Searched, ...]
    needed_by: Path
    kind: NeedKind = NeedKind.NORMAL


Edge = Resolved | Missing


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryGraph:
    """The closure of one file's libraries, in the order in which the loader meets them."""

    root: Path
    edges: tuple[Edge, ...]

    @property
    def missing(self) -> tuple[Missing, ...]:
        """The edges that the loader would fail on; weak ones are not among them."""
        return tuple(
            e for e in self.edges if isinstance(e, Missing) and e.kind is not NeedKind.WEAK
        )


# --- implicit imports -------------------------------------------------------------------------


class Verdict(Enum):
    """What a freezer is told about an implicit import."""

    INCLUDE = "include"
    IF_PRESENT = "include-if-present"
    REPORT = "report"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Why a module is thought to be imported by native code."""

    kind: EvidenceKind
    where: str  # the file, with the offset where there is one
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImplicitImport:
    """A module that native code imports, with the verdict, its reason and all evidence."""

    module: str
    verdict: Verdict
    reason: str
    evidence: tuple[Evidence, ...]


class CompanionKind(Enum):
    """What a companion file is to the package that it belongs to."""

    LIBRARY = "library"
    EXECUTABLE = "executable"
    DATA = "data"
    METADATA = "metadata"
    FOLDER = "folder"  # the destination's folder has to exist; the file itself need not be there


@dataclass(frozen=True, slots=True, kw_only=True)
class Companion:
    """A file that has to stand at `destination` in the bundle for the package to work."""

    path: Path
    destination: PurePosixPath
    kind: CompanionKind
    reason: str

    @property
    def renamed(self) -> bool:
        """Whether the bundle has it by another name: one that its Python looks for."""
        return self.path.name != self.destination.name


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionPlan:
    """All that a freezer has to hear about one native file."""

    file: NativeFile
    path: Path
    imports: tuple[ImplicitImport, ...]
    libraries: LibraryGraph
    companions: tuple[Companion, ...] = ()
    warnings: tuple[str, ...] = ()

    def modules(self, verdict: Verdict) -> tuple[ImplicitImport, ...]:
        """The implicit imports with this verdict."""
        return tuple(i for i in self.imports if i.verdict is verdict)
