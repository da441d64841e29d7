"""The oldest system that a bundle runs on, for each architecture that its program has.

In: a bundle, its Python and what the loader would find. Out: `SystemFloor` records for the report.
A static program asks for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from packaging.version import Version

from rustext.data import read_data
from rustext.formats.elf.libc import uses_musl
from rustext.model.image import Format
from rustext.model.libraries import Edge
from rustext.model.verification import FloorCause, SystemFloor
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.facts.native.system_needs import (
    Need,
    explain,
    glibc_needs,
    highest,
    macos_needs,
    musl_needs,
    system_libraries,
    windows_needs,
)
from rustext.verify.target.policies import (
    oldest_musl_releases,
    oldest_policy,
    oldest_releases,
    read_policies,
)

_GLIBC = "GLIBC_"


def find_floors(
    bundle: Bundle, edges: Sequence[Edge], python: tuple[int, int] | None = None
) -> tuple[SystemFloor, ...]:
    """What the bundle asks of a system."""
    image = bundle.image
    if image.format is Format.MACHO:
        images = bundle.program.binary.images if bundle.program is not None else (image,)
        return tuple(_macos_floor(bundle, i.architecture) for i in images)
    if image.format is Format.PE:
        return (_windows_floor(bundle, edges, python),)
    if uses_musl(image):
        return (_musl_floor(bundle),)
    floor = _glibc_floor(bundle, edges)
    return (floor,) if floor is not None else ()


def _glibc_floor(bundle: Bundle, edges: Sequence[Edge]) -> SystemFloor | None:
    needs = [need for need in glibc_needs(bundle, edges) if not need.weak]
    libraries = system_libraries(bundle, edges)
    if not needs and not libraries:
        return None
    versions = {need.version for need in needs}
    machine = bundle.image.architecture
    policy = oldest_policy(versions, libraries, machine)
    version = highest(needs, _GLIBC)
    return SystemFloor(
        system="glibc",
        architecture=machine,
        version=str(version) if version is not None else None,
        policy=policy.name if policy is not None else None,
        systems=oldest_releases(versions),
        causes=_causes(
            bundle, explain(_decisive(needs, policy.name if policy else None, version, machine))
        ),
    )


def _decisive(
    needs: Iterable[Need], policy: str | None, version: Version | None, machine: str
) -> Iterator[Need]:
    """The needs for which no older policy will do: those of the highest glibc, and of others."""
    policies = read_policies(machine)
    names = [p.name for p in policies]
    older = policies[: names.index(policy)] if policy is not None else policies
    for need in needs:
        if need.version == f"{_GLIBC}{version}" or (
            older
            and not older[-1].has(need.version)
            and not need.version.removeprefix(_GLIBC)[:1].isdigit()
        ):
            yield need


def _musl_floor(bundle: Bundle) -> SystemFloor:
    needs = tuple(musl_needs(bundle))
    version = highest(needs)
    policies = [
        row["name"]
        for row in read_data("manylinux")["musllinux"]
        if version is None or Version(row["musl"]).release >= version.release[:2]
    ]
    return SystemFloor(
        system="musl",
        architecture=bundle.image.architecture,
        version=str(version) if version is not None else None,
        policy=f"{policies[0]}_{bundle.image.architecture}" if policies else None,
        systems=oldest_musl_releases(version),
        causes=_causes(bundle, (n for n in needs if n.version == str(version))),
    )


def _macos_floor(bundle: Bundle, machine: str) -> SystemFloor:
    needs = tuple(macos_needs(bundle, machine))
    version = highest(needs)
    major, minor = (version.major, version.minor) if version is not None else (0, 0)
    minor = minor if major < 11 else 0  # https://packaging.python.org: tags from macOS 11 on
    return SystemFloor(
        system="macOS",
        architecture=machine,
        version=str(version) if version is not None else None,
        policy=f"macosx_{major}_{minor}_{machine}" if version is not None else None,
        systems=(f"macOS {version}",) if version is not None else (),
        causes=_causes(bundle, (n for n in needs if Version(n.version) == version)),
    )


def _windows_floor(
    bundle: Bundle, edges: Sequence[Edge], python: tuple[int, int] | None
) -> SystemFloor:
    needs = tuple(windows_needs(bundle, edges, python))
    version = highest(needs)
    rows = read_data("distributions")["windows"]
    releases = [row["release"] for row in rows if row["version"] == str(version)]
    return SystemFloor(
        system="Windows",
        architecture=bundle.image.architecture,
        version=str(version) if version is not None else None,
        policy=None,
        systems=tuple(f"Windows {release}" for release in releases),
        causes=_causes(bundle, (n for n in needs if Version(n.version) == version)),
    )


def _causes(bundle: Bundle, needs: Iterable[Need]) -> tuple[FloorCause, ...]:
    root = bundle.root
    return tuple(
        FloorCause(
            file=n.path.relative_to(root).as_posix()
            if n.path.is_relative_to(root)
            else n.path.name,
            version=n.version,
            symbols=n.symbols,
        )
        for n in sorted(needs, key=lambda n: (n.path, n.version))
    )
