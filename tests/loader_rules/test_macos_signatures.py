"""Code signatures that others made: of published wheels, by Apple's linker and codesign.

They were checked by dyld on each machine that has loaded them, and are the second source for
`rustext.formats.macho.code_signature`.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from rustext.environment.environment import stdlib_environment
from rustext.formats.binary import open_binary
from rustext.formats.macho.code_signature import CodeSignature, iter_damage, parse_signature
from rustext.model.findings import Finding, Severity
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.verify import read_subject, verify

pytestmark = [pytest.mark.freezing, pytest.mark.network]


def download(requirement: str, folder: Path) -> None:
    """Download a wheel for CPython 3.11 on an arm64 Mac."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
    command += ["--only-binary=:all:", "--python-version", "3.11", "--dest", str(folder)]
    command += ["--platform", "macosx_15_0_arm64", "--ignore-requires-python", requirement]
    subprocess.run(command, check=True, timeout=300)


@pytest.fixture
def published(tmp_path: Path) -> Callable[[str, str], Path]:
    """Unpack one file of a wheel."""

    def unpack(requirement: str, name: str) -> Path:
        download(requirement, tmp_path)
        (archive,) = tmp_path.glob("*.whl")
        with zipfile.ZipFile(archive) as content:
            return Path(content.extract(name, tmp_path / "site"))

    return unpack


def read(path: Path) -> dict[str, tuple[CodeSignature | None, list[str]]]:
    """The signature and the damage of each slice, by architecture."""
    found = {}
    with open_binary(path) as (binary, data):
        for image in binary.images:
            signature = parse_signature(data, image)
            damage = list(iter_damage(data, image, signature)) if signature is not None else []
            found[image.architecture] = (signature, damage)
    return found


def test_the_linkers_signature_is_whole_in_the_slice_that_needs_one(published) -> None:
    slices = read(published("adblock==0.6.0", "adblock/adblock.abi3.so"))
    assert slices["x86_64"] == (None, [])
    signature, damage = slices["arm64"]
    assert signature is not None
    assert (signature.ad_hoc, signature.linker_signed, damage) == (True, True, [])
    assert signature.directories[0].identifier == "libadblock.dylib"  # cargo's name for it


def test_a_teams_signature_is_whole(published) -> None:
    path = published("ruff==0.17.5", "ruff-0.17.5.data/scripts/ruff")
    signature, damage = read(path)["arm64"]
    assert signature is not None
    assert damage == []
    assert not signature.ad_hoc
    assert signature.validates_libraries  # the hardened run-time, which notarisation asks for
    assert signature.team is not None
    # the certificate says the same: its subject's organizational unit is the team
    certificate_unit = b"\x06\x03U\x04\x0b\x0c\x0a" + signature.team.encode()  # OID 2.5.4.11
    assert certificate_unit in path.read_bytes()


def test_a_changed_byte_is_found(published) -> None:
    path = published("adblock==0.6.0", "adblock/adblock.abi3.so")
    with open_binary(path) as (binary, _):
        image = next(i for i in binary.images if i.architecture == "arm64")
    data = bytearray(path.read_bytes())
    place = image.offset + 5 * 4096 + 17
    data[place] ^= 1
    path.write_bytes(data)
    assert read(path)["arm64"][1] == [f"changed since: 4096 bytes at {place - 17:#x}"]


@pytest.fixture
def application(tmp_path: Path) -> Path:
    """A signed and notarised application: Rust's mitmproxy brings it along for its own use."""
    download("mitmproxy-macos==0.12.15", tmp_path)
    (archive,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(archive) as content:
        member = content.extract("mitmproxy_macos/Mitmproxy Redirector.app.tar", tmp_path)
    subprocess.run(["tar", "-xf", member, "-C", tmp_path], check=True)
    return tmp_path / "Mitmproxy Redirector.app"


def signature_findings(application: Path) -> list[Finding]:
    report = verify(read_subject(read_bundle(application), stdlib=stdlib_environment()))
    return [finding for finding in report.findings if finding.id == "signature"]


def test_a_notarised_application_is_whole(application: Path) -> None:
    assert signature_findings(application) == []
    program = read_bundle(application).program
    assert program is not None
    assert program.path == application / "Contents/MacOS/Mitmproxy Redirector"
    assert {arch: damage for arch, (_, damage) in read(program.path).items()} == {
        "x86_64": [],
        "arm64": [],
    }


@pytest.mark.parametrize("name", ["Info.plist", "Resources/AppIcon.icns"])
def test_a_change_after_notarisation_is_found(application: Path, name: str) -> None:
    path = application / "Contents" / name
    path.write_bytes(path.read_bytes() + b" ")
    (found,) = signature_findings(application)
    assert found.severity is Severity.ERROR
    assert found.evidence == (("changed", name),)
