"""Records of a native file: its binary, its provenance, and the module that it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import PurePosixPath

from rustext.model.image import Binary

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
    plugin_mark: str | None = None  # what a module exports for a library that opens it by path
