"""The data files can be read, and each rule says where it comes from."""

from __future__ import annotations

import sys
from importlib import resources

import pytest

from rustext.data import read_data
from rustext.model.native_file import Binding

NAMES = sorted(
    file.name.removesuffix(".toml")
    for file in resources.files("rustext").joinpath("data").iterdir()
    if file.name.endswith(".toml")
)


@pytest.mark.parametrize("name", NAMES)
def test_a_data_file_can_be_read_and_names_its_sources(name: str) -> None:
    assert read_data(name)
    text = resources.files("rustext").joinpath("data", f"{name}.toml").read_text(encoding="utf-8")
    assert "http" in text


def test_every_binding_rule_is_of_a_known_kind_with_a_source() -> None:
    for rule in read_data("bindings")["binding"]:
        assert Binding(rule["kind"])
        assert rule["source"].startswith("https://")
        assert rule["crates"] or rule["marks"]
        assert all(mark.isascii() for mark in rule["marks"])


def test_what_is_never_taken_belongs_to_the_standard_library_of_some_python() -> None:
    # Removed since: distutils and lib2to3 (3.12 and 3.13).
    gone = {"distutils", "lib2to3", "turtledemo", "test"}
    assert set(read_data("stdlib")["never"]) <= {*sys.stdlib_module_names, *gone}


def test_the_loaders_of_the_policies_are_prefixes_of_real_names() -> None:
    loaders = {
        "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1", "ld-linux-armhf.so.3", "ld-linux.so.2",
        "ld64.so.2", "ld.so.1", "ld-musl-x86_64.so.1", "libc.musl-x86_64.so.1",
    }  # fmt: skip
    for table in read_data("policies").values():
        assert table["source"].startswith("https://")
        for prefix in table["loaders"]:
            assert any(name.startswith(prefix) for name in loaders)
