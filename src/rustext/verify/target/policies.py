"""What systems offer: manylinux policies, releases of distributions, and their own libraries.

In: the symbol versions that files need (`GLIBC_2.34`, `GLIBCXX_3.4.30`) and the libraries that they
expect of the system. Out: whether a `Platform` has them, and which is the oldest that does. The
facts are data, with their sources, in `data/manylinux.toml`, `distributions.toml` and
`policies.toml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from packaging.version import Version

from rustext.data import read_data
from rustext.verify.target.target import Target

_NUMBERED = re.compile(r"([A-Z]+)_([0-9]{1,4}(?:\.[0-9]{1,4})*)")
PRIVATE = "GLIBC_PRIVATE"  # what glibc's own libraries use of each other
_GLIBC = "GLIBC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """A system by what it has; `versions` are the highest of each kind, None where none counts."""

    name: str
    versions: Mapping[str, Version | None]

    @property
    def glibc(self) -> Version:
        """The version of its C library."""
        version = self.versions[_GLIBC]
        return version if version is not None else Version("0")

    def has(self, version: str) -> bool:
        """Whether it has a symbol version; True for those of libraries that no policy speaks of."""
        match = _NUMBERED.fullmatch(version)
        if match is not None:
            if match[1] not in self.versions:
                return True
            highest = self.versions[match[1]]
            return highest is not None and Version(match[2]) <= highest
        if not version.startswith(tuple(f"{kind}_" for kind in self.versions)):
            return True
        since = read_data("manylinux")["marks"].get(version)
        return since is not None and Version(since) <= self.glibc

    def has_library(self, soname: str) -> bool:
        """Whether a program may expect the library of the system."""
        since = read_data("manylinux")["libraries"].get(soname)
        return since is not None and Version(since) <= self.glibc


def read_policies(architecture: str) -> tuple[Platform, ...]:
    """The manylinux policies that are defined for an architecture, the oldest first."""
    return tuple(
        _platform(
            f"{row['name']}_{architecture}",
            row["glibc"],
            {**row["versions"], **row.get("exceptions", {}).get(architecture, {})},
        )
        for row in read_data("manylinux")["policy"]
        if architecture in row["architectures"]
    )


def policy_for(glibc: Version, architecture: str, name: str) -> Platform:
    """The policy that promises this glibc.

    PEP 600 defines one for each; where the published list skips it, the next older one says which
    other symbol versions it has.
    """
    older = [p for p in read_policies(architecture) if _named_glibc(p) <= glibc]
    if not older:  # older than all, or for an architecture that has none
        return Platform(name=name, versions={_GLIBC: glibc})
    best = older[-1]
    if _named_glibc(best) == glibc:
        return best
    return Platform(name=name, versions={**best.versions, _GLIBC: glibc})


def oldest_policy(
    versions: Iterable[str], libraries: Iterable[str], architecture: str
) -> Platform | None:
    """The oldest policy that has all of these; None where the newest has not."""
    needed, expected = tuple(versions), tuple(libraries)
    return next(
        (
            policy
            for policy in read_policies(architecture)
            if all(map(policy.has, needed)) and all(map(policy.has_library, expected))
        ),
        None,
    )


def oldest_releases(versions: Iterable[str]) -> tuple[str, ...]:
    """The oldest release of each well-known distribution that has all of these, as `Debian 12`.

    Every glibc has `GLIBC_PRIVATE`, whose content no release promises.
    """
    needed = tuple(version for version in versions if version != PRIVATE)
    return tuple(_first_of_each(r for r in _glibc_releases() if all(map(r.has, needed))))


def oldest_musl_releases(musl: Version | None) -> tuple[str, ...]:
    """The same by the version of musl; None means any."""
    rows = read_data("distributions")["musl"]
    fitting = (r for r in rows if musl is None or Version(r["version"]) >= musl)
    return tuple(f"{row['distribution']} {row['release']}" for row in list(fitting)[:1])


def _glibc_releases() -> Iterator[Platform]:
    for row in read_data("distributions")["glibc"]:
        name = f"{row['distribution']} {row['release']}"
        yield _platform(name, row["version"], row["versions"])


def _first_of_each(releases: Iterable[Platform]) -> Iterator[str]:
    seen = set()
    for release in releases:
        distribution = release.name.rpartition(" ")[0]
        if distribution not in seen:
            seen.add(distribution)
            yield release.name


def _platform(name: str, glibc: str, versions: Mapping[str, Any]) -> Platform:
    parsed = {kind: Version(text) if text else None for kind, text in versions.items()}
    return Platform(name=name, versions={_GLIBC: Version(glibc), **parsed})


def _named_glibc(policy: Platform) -> Version:
    """The glibc of a policy's name; on one architecture a policy has more than that."""
    _, major, minor, *_ = policy.name.split("_")
    return Version(f"{major}.{minor}")


def target_policy(target: Target) -> Platform:
    """The manylinux policy of a target for glibc."""
    if target.libc != "glibc" or target.version is None:
        raise ValueError(f"{target.tag} is no manylinux target")
    glibc = Version(f"{target.version[0]}.{target.version[1]}")
    return policy_for(glibc, target.architectures[0], target.tag)


@cache
def is_system_library(soname: str, libc: str | None = None) -> bool:
    """Whether the platform's policy lets a program expect this library of the system.

    `libc` is "glibc" or "musl"; without it, any platform's policy will do.
    """
    policies = read_data("policies")
    tables = {"glibc": [policies["linux"]], "musl": [policies["musl"]]}
    return any(
        soname in table["libraries"] or soname.startswith(tuple(table["loaders"]))
        for table in tables.get(libc or "", policies.values())
    )


def brought_by(soname: str) -> str | None:
    """The library of the policy for Linux that has this one beside it on every system."""
    brought: Mapping[str, str] = read_data("policies")["linux"]["brought"]
    return brought.get(soname)
