"""What policies and distributions have; tests/end_to_end compares the data with auditwheel's."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest
from packaging.version import Version

from rustext.data import read_data
from rustext.verify.facts.native.system_needs import Need, highest
from rustext.verify.target.policies import (
    oldest_musl_releases,
    oldest_policy,
    oldest_releases,
    policy_for,
)


@pytest.mark.parametrize(
    ("versions", "policy"),
    [
        (["GLIBC_2.2.5"], "manylinux_2_5_x86_64"),
        (["GLIBC_2.17", "GLIBC_2.4"], "manylinux_2_17_x86_64"),
        (["GLIBC_2.18"], "manylinux_2_24_x86_64"),
        (["GLIBC_2.5", "GLIBCXX_3.4.30"], "manylinux_2_35_x86_64"),
        (["GLIBC_2.5", "GCC_12.0.0"], "manylinux_2_35_x86_64"),
        (["GLIBC_2.5", "CXXABI_FLOAT128"], "manylinux_2_24_x86_64"),
        (["GLIBC_2.5", "GLIBC_ABI_DT_RELR"], "manylinux_2_36_x86_64"),
        (["GLIBC_2.5", "OPENSSL_3.0.0"], "manylinux_2_5_x86_64"),
        (["GLIBC_PRIVATE"], None),
        (["GLIBC_2.99"], None),
        (["GLIBC_2.\u0663\u0664"], None),
        ([f"GLIBC_{'9' * 5000}"], None),
    ],
)
def test_the_oldest_policy_has_every_version(versions: list[str], policy: str | None) -> None:
    found = oldest_policy(versions, (), "x86_64")
    assert (found.name if found is not None else None) == policy


def test_a_version_that_is_no_number_is_never_the_highest() -> None:
    texts = ("GLIBC_2.17", f"GLIBC_{'9' * 5000}", "GLIBC_2.\u0663\u0664", "GLIBC_PRIVATE")
    needs = [Need(path=Path("app"), library="libc.so.6", version=text) for text in texts]
    assert highest(needs, "GLIBC_") == Version("2.17")


def test_a_library_that_came_later_needs_a_later_policy() -> None:
    found = oldest_policy(["GLIBC_2.5"], ["libmvec.so.1"], "x86_64")
    assert found is not None
    assert found.name == "manylinux_2_24_x86_64"


def test_an_architecture_begins_with_its_own_first_policy() -> None:
    for machine, first in (("riscv64", "2_31"), ("aarch64", "2_17"), ("loongarch64", "2_36")):
        found = oldest_policy(["GLIBC_2.0"], (), machine)
        assert found is not None
        assert found.name == f"manylinux_{first}_{machine}"


def test_a_policy_that_the_list_skips_has_its_own_glibc_and_older_compilers() -> None:
    policy = policy_for(Version("2.29"), "x86_64", "manylinux_2_29_x86_64")
    assert policy.has("GLIBC_2.29")
    assert not policy.has("GLIBC_2.30")
    assert policy.has("GLIBCXX_3.4.24")
    assert not policy.has("GLIBCXX_3.4.26")


@pytest.mark.parametrize(
    ("versions", "there", "too_old"),
    [
        (["GLIBC_2.34"], {"Debian 12", "Ubuntu 22.04", "RHEL 9"}, {"Debian 11", "RHEL 8"}),
        (["GLIBC_2.28"], {"Debian 10", "RHEL 8", "Ubuntu 20.04"}, {"Debian 9", "Ubuntu 18.04"}),
        (["GLIBC_2.28", "GLIBC_PRIVATE"], {"Debian 10"}, {"Debian 9"}),
        (["GLIBC_2.17", "GLIBCXX_3.4.30"], {"Debian 12", "Amazon Linux 2023"}, {"RHEL 9"}),
    ],
)
def test_the_oldest_release_of_a_distribution_has_every_version(
    versions: list[str], there: set[str], too_old: set[str]
) -> None:
    found = set(oldest_releases(versions))
    assert there <= found
    assert not too_old & found


def test_this_machine_s_release_has_the_glibc_that_the_data_say() -> None:
    """`platform` is the second source; a distribution that is not listed shows nothing."""
    release = platform.freedesktop_os_release()
    libc, version = platform.libc_ver()
    rows = {
        (row["distribution"].lower(), row["release"]): row["version"]
        for row in read_data("distributions")["glibc"]
    }
    known = rows.get((release["ID"], release.get("VERSION_ID", "")))
    assert known is None or (libc, version) == ("glibc", known)


def test_releases_of_a_distribution_stand_oldest_first() -> None:
    for kind in ("glibc", "musl"):
        rows = read_data("distributions")[kind]
        for name in {row["distribution"] for row in rows}:
            own = [row for row in rows if row["distribution"] == name]
            for key in ("release", "version"):
                order = [Version(row[key]) for row in own]
                assert order == sorted(order)


def test_musl_releases() -> None:
    assert oldest_musl_releases(None) == ("Alpine 3.9",)
    assert oldest_musl_releases(Version("1.2.3")) == ("Alpine 3.16",)
    assert oldest_musl_releases(Version("1.2.6")) == ("Alpine 3.24",)
    assert oldest_musl_releases(Version("9.9")) == ()
    assert all(row["source"].startswith("https://") for row in read_data("distributions")["musl"])
