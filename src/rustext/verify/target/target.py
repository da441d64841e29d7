"""The machines that a bundle is meant for, named as wheels name them.

In: a platform tag such as `manylinux_2_28_x86_64`. Out: a `Target`. Specifications: PEP 600 and the
older PEP 513, 571 and 599 for manylinux, PEP 656 for musllinux, and for the others
https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from packaging.tags import mac_platforms

from rustext.data import read_data
from rustext.errors import InvalidConfiguration
from rustext.formats import architectures
from rustext.model.image import Format

_LINUX = re.compile(
    r"(?:(?P<policy>manylinux|musllinux)_(\d{1,3})_(\d{1,3})|(?P<alias>manylinux\d+))_(\w+)"
)
_MACOS = re.compile(r"macosx_(\d{1,3})_(\d{1,3})_\w+")  # `packaging` counts down from these
_WINDOWS = {"win32": "i686", "win_amd64": "x86_64", "win_arm64": "arm64"}
_MACOS_MACHINES = ("x86_64", "arm64")
_LIBCS = {"manylinux": "glibc", "musllinux": "musl"}
_SYSTEMS = {Format.ELF: "linux", Format.MACHO: "macos", Format.PE: "windows"}
_EXAMPLES = "such as manylinux_2_28_x86_64, musllinux_1_2_aarch64, macosx_11_0_arm64 or win_amd64"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The machines that a platform tag means.

    `version` is the oldest C library, or the oldest macOS, that counts; None on Windows.
    `architectures` are in the words of `Image.architecture`; the bundle has to run on each.
    """

    tag: str
    format: Format
    libc: str  # "glibc", "musl" or ""
    version: tuple[int, int] | None
    architectures: tuple[str, ...]

    @property
    def policy(self) -> str | None:
        """The tag without its architecture, in PEP 600's spelling; None for other systems."""
        names = {libc: name for name, libc in _LIBCS.items()}
        if self.version is None or self.libc not in names:
            return None
        return f"{names[self.libc]}_{self.version[0]}_{self.version[1]}"


def name_platform(kind: Format, architecture: str) -> str:
    """A platform as reports name it: `linux-x86_64`."""
    return f"{_SYSTEMS[kind]}-{architecture}"


def find_target(tag: str | None) -> Target | None:
    """The target that a platform tag names, where there is one; raises as `parse_target`."""
    return parse_target(tag) if tag else None


def parse_target(tag: str) -> Target:
    """The target that a platform tag names.

    Raises `InvalidConfiguration` for what is no platform tag, and for one that no system can have.
    """
    if tag in _WINDOWS:
        machines = (_WINDOWS[tag],)
        return Target(tag=tag, format=Format.PE, libc="", version=None, architectures=machines)
    linux = _LINUX.fullmatch(tag)
    if linux is not None:
        return _linux_target(tag, linux)
    macos = _MACOS.fullmatch(tag)
    if macos is not None:
        return _macos_target(tag, (int(macos[1]), int(macos[2])))
    raise InvalidConfiguration(f"`{tag}` is no platform tag", hint=f"name one {_EXAMPLES}")


def _linux_target(tag: str, match: re.Match[str]) -> Target:
    policy, major, minor, alias, machine = match.groups()
    if machine not in architectures.ELF.values():
        known = _join(a for row in _policies() for a in row["architectures"])
        raise InvalidConfiguration(
            f"`{machine}` in `{tag}` is no architecture of Linux", hint=f"known are {known}"
        )
    row = _policy_called(alias) if alias else None
    if alias and row is None:
        known = _join(a for r in _policies() for a in r.get("aliases", ()))
        raise InvalidConfiguration(
            f"there is no policy `{alias}`", hint=f"there are {known}, and manylinux_X_Y"
        )
    if row is not None and machine not in row["architectures"]:
        raise InvalidConfiguration(
            f"`{alias}` is not defined for {machine}",
            hint=f"it is for {_join(row['architectures'])}; name a manylinux_X_Y policy",
        )
    version = _version(row["glibc"]) if row is not None else (int(major), int(minor))
    libc = _LIBCS[policy or "manylinux"]
    if version[0] != {"glibc": 2, "musl": 1}[libc]:
        raise InvalidConfiguration(
            f"there is no {libc} {version[0]}.{version[1]}, which `{tag}` asks for",
            hint=f"name one {_EXAMPLES}",
        )
    return Target(tag=tag, format=Format.ELF, libc=libc, version=version, architectures=(machine,))


def _macos_target(tag: str, version: tuple[int, int]) -> Target:
    """Which machines accept the tag is `packaging`'s knowledge: universal2, intel and so on."""
    machines = tuple(m for m in _MACOS_MACHINES if tag in mac_platforms(version, m))
    if not machines:
        raise InvalidConfiguration(
            f"no Mac accepts `{tag}`",
            hint="from macOS 11 on the minor version is 0, and arm64 begins with macosx_11_0_arm64",
        )
    return Target(tag=tag, format=Format.MACHO, libc="", version=version, architectures=machines)


def _policies() -> list[Mapping[str, Any]]:
    rows: list[Mapping[str, Any]] = read_data("manylinux")["policy"]
    return rows


def _policy_called(alias: str) -> Mapping[str, Any] | None:
    return next((row for row in _policies() if alias in row.get("aliases", ())), None)


def _version(text: str) -> tuple[int, int]:
    major, minor = text.split(".")
    return int(major), int(minor)


def _join(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))
