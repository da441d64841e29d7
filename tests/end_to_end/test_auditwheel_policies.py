"""The manylinux policies in the data, compared with those that auditwheel publishes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from rustext.data import read_data
from rustext.verify.target.policies import read_policies

pytestmark = pytest.mark.network

_VERSION = re.search(r"auditwheel (\d[\d.]+\d)", (
    Path(__file__).parents[2] / "src/rustext/data/manylinux.toml"
).read_text())  # fmt: skip


@pytest.fixture(scope="session")
def auditwheel(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Mapping[str, Any]]:
    """The policies in the release that the data name as their source."""
    assert _VERSION is not None
    folder = tmp_path_factory.mktemp("auditwheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder,
         f"auditwheel=={_VERSION[1]}"],
        check=True,
    )  # fmt: skip
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        rows = json.loads(wheel.read("auditwheel/policy/manylinux-policy.json"))
    return {row["name"]: row for row in rows if row["name"] != "linux"}


def test_the_policies_are_those_of_auditwheel(auditwheel: dict[str, Mapping[str, Any]]) -> None:
    ours = {row["name"]: row for row in read_data("manylinux")["policy"]}
    assert list(ours) == list(auditwheel)
    for name, theirs in auditwheel.items():
        assert ours[name].get("aliases", []) == theirs["aliases"]
        assert set(ours[name]["architectures"]) == set(theirs["symbol_versions"])


def test_a_policy_has_what_auditwheel_lets_a_wheel_use(
    auditwheel: dict[str, Mapping[str, Any]],
) -> None:
    for name, theirs in auditwheel.items():
        for machine, kinds in theirs["symbol_versions"].items():
            policy = next(p for p in read_policies(machine) if p.name == f"{name}_{machine}")
            every = [f"{kind}_{v}" for kind, versions in kinds.items() for v in versions]
            assert [v for v in every if not policy.has(v)] == []
            for kind, versions in kinds.items():
                numbers = [Version(v) for v in versions if v[0].isdigit()]
                if kind != "GLIBC":  # a policy has its name's glibc, with or without new symbols
                    assert not policy.has(f"{kind}_{max(numbers)}.1" if numbers else f"{kind}_1.0")
            libraries = theirs["lib_whitelist"]
            assert [lib for lib in libraries if not policy.has_library(lib)] == []
            known = set(read_data("manylinux")["libraries"])
            assert not any(policy.has_library(lib) for lib in known - set(libraries))
