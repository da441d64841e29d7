"""Platform tags, as `packaging` and the PEPs read them."""

from __future__ import annotations

import pytest
from packaging import _manylinux
from packaging.tags import mac_platforms, parse_tag

from rustext.errors import InvalidConfiguration
from rustext.model.image import Format
from rustext.verify.target.target import parse_target

GOOD = (
    "manylinux_2_28_x86_64", "manylinux2014_x86_64", "manylinux2010_i686", "manylinux1_x86_64",
    "manylinux_2_31_riscv64", "manylinux_2_17_armv7l", "musllinux_1_2_aarch64",
    "macosx_11_0_arm64", "macosx_10_9_x86_64", "macosx_11_0_universal2", "win_amd64", "win32",
    "win_arm64",
)  # fmt: skip


@pytest.mark.parametrize("tag", GOOD)
def test_a_platform_tag_of_a_wheel_is_a_target(tag: str) -> None:
    (parsed,) = parse_tag(f"py3-none-{tag}")
    assert parse_target(tag).tag == parsed.platform


@pytest.mark.parametrize(("glibc", "alias"), _manylinux._LEGACY_MANYLINUX_MAP.items())
def test_an_old_name_is_the_policy_that_packaging_means(glibc: tuple[int, int], alias: str) -> None:
    target = parse_target(f"{alias}_x86_64")
    assert target.version == tuple(glibc)
    assert target.policy == f"manylinux_{glibc[0]}_{glibc[1]}"
    assert target.libc == "glibc"


@pytest.mark.parametrize("machine", ["x86_64", "arm64"])
@pytest.mark.parametrize("kind", ["x86_64", "arm64", "universal2"])
def test_a_mac_is_meant_where_packaging_lets_it_take_the_wheel(kind: str, machine: str) -> None:
    tag = f"macosx_11_0_{kind}"
    takes = tag in mac_platforms((11, 0), machine)
    assert (machine in parse_target(tag).architectures) == takes


def test_musllinux_is_musl_and_windows_has_no_version() -> None:
    musl = parse_target("musllinux_1_2_aarch64")
    assert (musl.format, musl.libc, musl.version) == (Format.ELF, "musl", (1, 2))
    assert musl.architectures == ("aarch64",)
    windows = parse_target("win_amd64")
    assert (windows.format, windows.architectures) == (Format.PE, ("x86_64",))
    assert windows.version is windows.policy is None


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("nonsense", "`nonsense` is no platform tag"),
        ("", "`` is no platform tag"),
        ("manylinux_2_28", "is no platform tag"),
        ("linux_x86_64", "is no platform tag"),
        ("cp311-cp311-manylinux_2_28_x86_64", "is no platform tag"),
        ("manylinux_2_17_x86_64.manylinux2014_x86_64", "is no platform tag"),
        ("manylinux_2_28_sparcy", "`sparcy` in `manylinux_2_28_sparcy` is no architecture"),
        ("manylinux2013_x86_64", "there is no policy `manylinux2013`"),
        ("manylinux1_aarch64", "`manylinux1` is not defined for aarch64"),
        ("manylinux_3_1_x86_64", "there is no glibc 3.1"),
        ("musllinux_2_0_x86_64", "there is no musl 2.0"),
        ("macosx_12_3_arm64", "no Mac accepts `macosx_12_3_arm64`"),
        ("macosx_11_0_riscv64", "no Mac accepts"),
        ("win_sparc", "is no platform tag"),
        ("macosx_999999999_0_ppc", "is no platform tag"),  # `packaging` would list each before it
        ("macosx_10_999999999_ppc", "is no platform tag"),
        (f"manylinux_2_{'9' * 5000}_x86_64", "is no platform tag"),  # more than `int` reads
    ],
)  # fmt: skip
def test_nonsense_is_refused_with_what_to_write_instead(tag: str, said: str) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        parse_target(tag)
    assert said in str(caught.value)
    assert caught.value.hint
