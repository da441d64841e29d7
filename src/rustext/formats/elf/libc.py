"""Tell which C library an ELF image is linked against."""

from __future__ import annotations

import posixpath

from rustext.model.image import Format, Image


def possible_libcs(image: Image) -> tuple[str, ...]:
    """The C libraries that the image may be for, most likely first, by what it asks for.

    glibc's soname is `libc.so.6` (alpha and ia64: `.6.1`), Alpine's musl is `libc.musl-ARCH.so.1`;
    Android and musl elsewhere both say `libc.so`.
    """
    for needed in image.needed:
        if needed.name.startswith("libc.so.6"):
            return ("gnu",)
        if needed.name.startswith("libc.musl-"):
            return ("musl",)
        if needed.name == "libc.so":
            return ("musl", "bionic")
    return ("gnu", "musl", "bionic")


def uses_musl(image: Image) -> bool:
    """Whether musl's loader, not glibc's, would load this image.

    The interpreter says so; a library has none, and shows it by the C library's name:
    `libc.musl-ARCH.so.1` (Alpine), or `libc.so`, which glibc never has as a soname.
    """
    if image.interpreter:
        return posixpath.basename(image.interpreter).startswith("ld-musl-")
    names = {needed.name for needed in image.needed}
    return any(name == "libc.so" or name.startswith("libc.musl-") for name in names)


_GLIBC = ("libc.so.6", "ld-linux")
# Android's loader, and libraries that musl has no file for:
# https://android.googlesource.com/platform/bionic/+/refs/heads/main/README.md
_BIONIC, _BIONIC_LIBRARIES = "/system/bin/linker", frozenset({"libdl.so", "libm.so", "liblog.so"})


def libc_of(image: Image) -> str | None:
    """`glibc` or `musl`, by what the image names; None for one that names neither."""
    if image.format is not Format.ELF:
        return None
    names = {needed.name for needed in image.needed}
    if (image.interpreter or "").startswith(_BIONIC) or names & _BIONIC_LIBRARIES:
        return None
    if uses_musl(image):
        return "musl"
    if image.interpreter or any(name.startswith(_GLIBC) for name in names):
        return "glibc"
    return None
