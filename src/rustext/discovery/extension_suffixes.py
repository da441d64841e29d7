"""Which interpreters look for a file with a given suffix, and can load it.

In: the suffix that a file's name ends with, and the file's images. Out: a `Lookers`. An
interpreter looks for a handful of suffixes (`importlib.machinery.EXTENSION_SUFFIXES`); which ones,
its version and platform decide: PEP 3149 and PEP 384, PEP 803, and on Windows
https://docs.python.org/3/whatsnew/3.5.html#build-and-c-api-changes. The platforms' names are data,
with their sources, in `data/triplets.toml`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packaging.version import Version

from rustext.data import read_data
from rustext.formats.elf.libc import possible_libcs
from rustext.model.image import Format, Image
from rustext.model.native_file import NativeFile

_SUFFIX = re.compile(
    r"""
    (?:
        \.cpython-(?P<cpython>\d+)(?P<flags>[a-z]*)         # PEP 3149
      | \.(?P<abi>abi3t?)                                   # PEP 384, PEP 803
      | \.pypy(?P<pypy>\d+)-pp\d+
      | \.graalpy\d+-(?P<graalpy>\d+)-native
      | \.cp(?P<windows>\d+)(?P<windows_flags>t?)(?=-win)
    )?
    (?(cpython)(?:-(?P<cpython_triplet>[\w-]+))?)
    (?(abi)(?:-(?P<abi_triplet>[\w-]+))?)
    (?(pypy)(?:-(?P<pypy_triplet>[\w-]+))?)
    (?(graalpy)(?:-(?P<graalpy_triplet>[\w-]+))?)
    (?(windows)-(?P<windows_triplet>win(?:32|_amd64|_arm32|_arm64)))
    \.(?P<extension>so|pyd)$
    """,
    re.VERBOSE,
)
_FAMILIES = ("cpython", "windows", "abi", "pypy", "graalpy")
_NAMES = {"cpython": "CPython", "windows": "CPython", "pypy": "PyPy", "graalpy": "GraalPy"}
# Python on Windows looks for .pyd alone, and all others for .so alone.
_EXTENSIONS = {Format.ELF: "so", Format.MACHO: "so", Format.PE: "pyd"}
_SYSTEMS = {Format.ELF: "Linux", Format.MACHO: "macOS", Format.PE: "Windows"}
# Until then a CPython that was built on musl called itself -linux-gnu as well.
_MUSL_SINCE = Version("3.11")  # https://github.com/python/cpython/issues/87278


@dataclass(frozen=True, slots=True, kw_only=True)
class Suffix:
    """An extension module's suffix, taken apart."""

    family: str  # cpython, windows (CPython's names there), abi, pypy or graalpy; "" for none
    tag: str  # the version ("311") or the ABI ("abi3")
    flags: str  # of the version: "t" free-threaded, "d" debug, "m" pymalloc
    triplet: str
    extension: str  # so or pyd


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookers:
    """Who looks for a file and can load it; without any, `reason` says why."""

    interpreters: tuple[str, ...]
    reason: str = ""
    kind: str = ""  # the reason in a word, as `Naming.kinds` lists it


def split_suffix(name: str) -> tuple[str, str | None]:
    """Split a file name into its stem and its extension-module suffix, if it has one."""
    match = _SUFFIX.search(name)
    return (name[: match.start()], match[0]) if match else (name, None)


def parse_suffix(suffix: str) -> Suffix | None:
    """Take a suffix apart; None if no interpreter has ever made such a one."""
    match = _SUFFIX.fullmatch(suffix)
    if match is None:
        return None
    family = next((f for f in _FAMILIES if match[f]), "")
    return Suffix(
        family=family,
        tag=match[family] if family else "",
        flags=match["flags"] or match["windows_flags"] or "",
        triplet=(match[f"{family}_triplet"] or "") if family else "",
        extension=match["extension"],
    )


def find_lookers(suffix: str | None, images: Sequence[Image]) -> Lookers:
    """Who looks for a file with this suffix that holds these images."""
    parsed = parse_suffix(suffix) if suffix else None
    image = images[0]
    if parsed is None:
        return _nobody("no interpreter looks for a module in a file of this name", "suffix-unknown")
    if parsed.extension != _EXTENSIONS[image.format]:
        system, wanted = _SYSTEMS[image.format], _EXTENSIONS[image.format]
        return _nobody(
            f"on {system} Python looks for .{wanted}, not for .{parsed.extension}",
            "suffix-other-platform",
        )
    platform = _find_platform(parsed.triplet)
    if parsed.triplet and parsed.family != "graalpy":  # GraalPy has names of its own
        refusal = _judge_triplet(parsed, platform, images)
        if refusal is not None:
            return refusal
    who = _interpreters(parsed)
    if not who:
        return _nobody(f"no Python looks for a module in `{suffix}`", "suffix-unknown")
    return Lookers(interpreters=(f"{who} on {_place(images, platform)}",))


def importable_by(file: NativeFile) -> tuple[str, ...]:
    """Who can import the file; nobody if it is no module."""
    if file.module is None:
        return ()
    return find_lookers(file.suffix, file.binary.images).interpreters


def triplets_of(images: Sequence[Image]) -> tuple[str, ...]:
    """The platform triplets under which CPython would load these images, most usual first."""
    libcs = {"", *possible_libcs(images[0])}
    return tuple(
        triplet
        for platform in read_data("triplets")["platform"]
        if platform["format"] == images[0].format.value and platform["libc"] in libcs
        for triplet, architectures in platform["triplets"].items()
        if any(image.architecture in architectures for image in images)
    )


def _judge_triplet(
    suffix: Suffix, platform: Mapping[str, Any] | None, images: Sequence[Image]
) -> Lookers | None:
    """Why a triplet keeps everybody away, or None if it does not."""
    usual = triplets_of(images)
    instead = f": CPython's name for this platform is `{usual[0]}`" if usual else ""
    if platform is None:
        return _nobody(f"no Python is built for `{suffix.triplet}`{instead}", "suffix-unknown")
    if suffix.family in {"cpython", "windows"} and _version(suffix.tag) < Version(
        platform["since"]
    ):
        return _nobody(
            f"`{suffix.triplet}` is looked for since CPython {platform['since']}, "
            f"not by {_version(suffix.tag)}",
            "suffix-unknown",
        )
    fitting = platform["triplets"][suffix.triplet]
    libcs = {"", *possible_libcs(images[0])}
    if libcs == {"", "musl"} and suffix.family == "cpython" and _version(suffix.tag) < _MUSL_SINCE:
        libcs |= {"gnu"}
    if (
        platform["format"] == images[0].format.value
        and platform["libc"] in libcs
        and any(image.architecture in fitting for image in images)
    ):
        return None
    return _nobody(
        f"`{suffix.triplet}` is not the platform of this file, {_place(images, None)}{instead}",
        "suffix-other-platform",
    )


def _interpreters(suffix: Suffix) -> str:
    if suffix.family in _NAMES:
        free = " free-threaded" if "t" in suffix.flags else ""
        debug = " debug" if "d" in suffix.flags else ""
        return f"{_NAMES[suffix.family]} {_version(suffix.tag)}{free}{debug}"
    for row in read_data("triplets")["untagged"]:
        if (row["abi"], row["extension"], row["triplet"]) == (
            suffix.tag,
            suffix.extension,
            bool(suffix.triplet),
        ):
            return str(row["interpreters"])
    return ""


def _place(images: Sequence[Image], platform: Mapping[str, Any] | None) -> str:
    image = images[0]
    system = platform["system"] if platform is not None else _SYSTEMS[image.format]
    musl = image.format is Format.ELF and possible_libcs(image)[0] == "musl"
    musl = platform["libc"] == "musl" or musl if platform is not None else musl
    architectures = ", ".join(dict.fromkeys(i.architecture for i in images))
    return f"{system} {architectures}{' (musl)' if musl and system == 'Linux' else ''}"


def _find_platform(triplet: str) -> Mapping[str, Any] | None:
    platforms: list[Mapping[str, Any]] = read_data("triplets")["platform"]
    return next((p for p in platforms if triplet in p["triplets"]), None)


def _version(digits: str) -> Version:
    return Version(f"{digits[0]}.{digits[1:] or 0}")


def _nobody(reason: str, kind: str) -> Lookers:
    return Lookers(interpreters=(), reason=reason, kind=kind)
