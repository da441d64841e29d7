"""Tell how an ELF program is linked, and what that means for its extension modules and wheels.

In: an image, and the bytes of a dynamic loader. Out: a `Linkage`; the version of musl. A program
without PT_INTERP has no dynamic loader in its process, so it cannot map an extension module, and
`packaging`, which reads the loader's path from PT_INTERP, sees neither musl nor its version:
https://github.com/pypa/packaging/blob/26.3/src/packaging/_musllinux.py. The C library of a static
program cannot be: musl's dlopen is a stub there
(https://git.musl-libc.org/cgit/musl/tree/src/ldso/dlopen.c), glibc's needs the very same glibc.
"""

from __future__ import annotations

import re
from enum import Enum

from rustext.formats.reader import Buffer
from rustext.model.image import Format, Image, ImageKind

_MUSL_BANNER = b"musl libc ("  # what the loader says when it is started without a program
_MUSL_VERSION = re.compile(rb"\0(1\.[0-9]+\.[0-9]+)(?:_git[0-9]+|-git-[\w-]+)?\0")


class Linkage(Enum):
    """How a program gets its libraries."""

    DYNAMIC = "dynamic"
    STATIC = "static"
    STATIC_PIE = "static-pie"

    @property
    def evidence(self) -> str:
        """The program headers that say so."""
        return {
            Linkage.DYNAMIC: "PT_INTERP names a dynamic loader",
            Linkage.STATIC: "no PT_INTERP and no PT_DYNAMIC",
            Linkage.STATIC_PIE: "no PT_INTERP, and a PT_DYNAMIC without DT_NEEDED",
        }[self]


def linkage_of(image: Image) -> Linkage:
    """How a program is linked; a file of another kind counts as dynamic."""
    if image.format is not Format.ELF or image.kind is not ImageKind.EXECUTABLE:
        return Linkage.DYNAMIC
    if image.interpreter or image.needed:
        return Linkage.DYNAMIC
    return Linkage.STATIC_PIE if image.dynamic else Linkage.STATIC


def find_musl_version(data: Buffer) -> str | None:
    """The version of musl in a dynamic loader or a static program; None for what is not musl's.

    The loader is not started: one for another machine could not be.
    """
    content = bytes(data)
    if _MUSL_BANNER not in content:
        return None
    versions = {match[1].decode("ascii") for match in _MUSL_VERSION.finditer(content)}
    return versions.pop() if len(versions) == 1 else None


def wheels_for(image: Image) -> str:
    """Which wheels an installer chooses for a program of Linux, as a sentence for people.

    `packaging` asks the C library of the running program for manylinux (glibc answers through
    confstr or gnu_get_libc_version) and the loader in PT_INTERP for musllinux.
    """
    linkage = linkage_of(image)
    machine = image.architecture
    if linkage is Linkage.DYNAMIC:
        libc = "musllinux" if "ld-musl-" in (image.interpreter or "") else "manylinux"
        return f"{libc} and pure Python ones"
    return (
        f"none but linux_{machine} and pure Python ones: without PT_INTERP there is no loader to "
        "tell the version of musl by, so no musllinux tag fits"
    )
