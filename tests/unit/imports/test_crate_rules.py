"""Each rule about a crate holds for a published wheel in which the crate's code was linked."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from crates import build_crate
from environments import environment, install
from natives import native_file

from rustext.api import plan
from rustext.config import Config
from rustext.data import read_data
from rustext.discovery.native_files import folder_source, iter_native_files
from rustext.imports.crate_rules import find_own_rules
from rustext.model.crate_rule import CrateRule
from rustext.model.evidence import Evidence, EvidenceKind
from rustext.model.plan import ExtensionPlan
from rustext.plan.planner import Planner

# A wheel for each (crate, module), and what stands for the distribution that the rule asks for.
WHEELS = {
    ("numpy", "numpy._core.multiarray"): ("tsdownsample==0.1.5.1", "numpy 2.1.0"),
    ("numpy", "numpy.core.multiarray"): ("tsdownsample==0.1.5.1", "numpy 1.26.0"),
    ("numpy <0.22", "numpy.core.multiarray"): ("pycoverm==0.6.2", "numpy 1.26.0"),
    ("pyo3-log", "logging"): ("perpetual==2.3.0", ""),
    ("pyo3-async-runtimes", "asyncio"): ("baml-py==0.226.3", ""),
    ("pyo3-asyncio", "contextvars"): ("scyllapy==1.3.3", ""),
    ("arrow-pyarrow", "pyarrow"): ("fastexcel==0.21.0", "pyarrow 21.0.0"),
    ("pyo3-polars", "polars"): ("polars-distance==0.5.3", "polars 1.30.0"),
    ("pyo3-file", "io"): ("python-calamine==0.9.1", ""),
    ("pyo3", "decimal"): ("arro3-io==0.9.1", ""),
    ("pyo3", "operator"): ("pycrdt==0.14.13", ""),
    ("pyo3", "types"): ("anise==0.10.6", ""),
    ("cryptography-rust", "ipaddress"): ("cryptography==50.0.2", ""),
    ("serde-pyobject", "pydantic"): ("ommx==2.9.3", "pydantic 2.11.0"),
}


# Crates that pass whole literals on to Python need no rule: what they import is read off the file.
LITERALS = {
    ("pyo3-arrow", "arro3.core"): ("arro3-io==0.9.1", "arro3 0.9.1"),
    ("pyo3-object_store", "datetime"): ("async-tiff==0.7.2", ""),
}


def test_each_rule_has_a_wheel() -> None:
    crates = {crate.partition(" ")[0] for crate, _ in WHEELS}
    assert {rule["crate"] for rule in read_data("crates")["rule"]} == crates


def write_stub(site: Path, module: str, distribution: str) -> None:
    """A distribution of this name and version that has the module and nothing else."""
    name, version = distribution.split()
    parts = module.split(".")
    packages = ["/".join(parts[:end]) + "/__init__.py" for end in range(1, len(parts) + 1)]
    install(site, name, version, files=dict.fromkeys([*packages, f"{name}/lib/__init__.py"], ""))


@pytest.mark.network
@pytest.mark.parametrize(("crate", "module"), WHEELS)
def test_a_rule_speaks_of_a_published_wheel(crate: str, module: str, tmp_path: Path) -> None:
    requirement, distribution = WHEELS[crate, module]
    details = [
        evidence.detail
        for evidence in find_evidence(requirement, distribution, module, tmp_path)
        if evidence.kind is EvidenceKind.CRATE_RULE
    ]
    assert any(detail.startswith(f"crate {crate.partition(' ')[0]} ") for detail in details)


@pytest.mark.network
@pytest.mark.parametrize(("crate", "module"), LITERALS)
def test_a_literal_needs_no_rule(crate: str, module: str, tmp_path: Path) -> None:
    requirement, distribution = LITERALS[crate, module]
    found = find_evidence(requirement, distribution, module, tmp_path)
    kinds = {e.kind for e in found}
    assert EvidenceKind.IMPORT_CALL in kinds or (
        "." in module and EvidenceKind.EXACT_STRING in kinds
    )
    assert not any(e.detail.startswith(f"crate {crate} ") for e in found)


def find_evidence(
    requirement: str, distribution: str, module: str, site: Path
) -> tuple[Evidence, ...]:
    """All evidence for one module in a published wheel that stands beside `distribution`."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
    command += [str(site), "--only-binary=:all:", "--platform", "manylinux_2_28_x86_64"]
    command += ["--platform", "manylinux_2_17_x86_64", "--python-version", "3.11", requirement]
    subprocess.run(command, check=True, timeout=600)
    if distribution:
        write_stub(site, module, distribution)
    found = (i for plan in plans(site) for i in plan.imports if i.module == module)
    return tuple(evidence for implicit in found for evidence in implicit.evidence)


def plans(site: Path) -> list[ExtensionPlan]:
    planner = Planner(environment(site), Config())
    files = iter_native_files(folder_source(site))
    return [planner.plan_file(path, file) for path, file in files if file.provenance.rust]


CODE = """
#[inline(never)] fn pick(n: usize) -> u8 { std::hint::black_box([1u8, 2])[n] }
#[no_mangle] pub extern "C" fn %s(n: usize) -> u8 { pick(n) }
"""


@pytest.mark.parametrize(
    ("folder", "function", "options", "evidence"),
    [
        ("other", "PyInit_our_core", ["strip=symbols"], "PyInit_our_core"),
        ("other", "PyInit__our_core", ["strip=symbols"], "PyInit__our_core"),
        ("crates/our-core", "PyInit_more", ["strip=symbols"], "our-core/src/"),
        ("our-core", "PyInit_more", ["strip=symbols"], "our-core/src/"),
        ("other", "PyInit_more", ["symbol-mangling-version=v0"], "_8our_core"),
        ("other", "PyInit_more", ["strip=symbols"], None),
        ("not-our-core", "PyInit_more", ["strip=symbols"], None),
    ],
)
def test_a_private_crate_is_known_by_what_it_leaves_in_a_file(
    folder: str,
    function: str,
    options: list[str],
    evidence: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    source = Path(folder, "src", "lib.rs")
    source.parent.mkdir(parents=True)
    source.write_text(CODE % function)
    command = ["rustc", "--edition=2021", "--crate-type=cdylib", "--crate-name=our_core", "-O"]
    command += [word for option in ("panic=abort", *options) for word in ("-C", option)]
    subprocess.run([*command, "-o", "core.so", source], check=True, timeout=120)
    rule = CrateRule(crate="our-core", imports=("colorsys",), why="joined", source="here")
    found = find_own_rules(
        tmp_path / "core.so", native_file(tmp_path / "core.so", tmp_path), (rule,)
    )
    details = [detail for _, detail in found]
    expected = f"crate our-core (unknown version) ({evidence}): joined; here"
    assert details == ([expected] if evidence is not None else [])


def test_a_rule_about_a_crate_that_is_nowhere_is_a_warning(tmp_path: Path) -> None:
    shutil.copy2(build_crate("private_rule", tmp_path / "target"), tmp_path / "private_rule.so")
    (tmp_path / "app.py").write_text("import private_rule\n")
    found = {}
    for crate in ("private-rule", "privat-rule"):
        rule = f'[[tool.rustext.crate-rules]]\ncrate = "{crate}"\nimports = ["colorsys"]\n'
        (tmp_path / "pyproject.toml").write_text(rule)
        made = plan(tmp_path / "app.py")
        found[crate] = ([implicit.module for implicit in made.modules], made.warnings)
    assert found["private-rule"] == (["colorsys"], ())
    assert found["privat-rule"][0] == []
    (warning,) = found["privat-rule"][1]
    assert "no Rust file of this program shows that crate" in warning
