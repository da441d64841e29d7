"""An application for macOS is sealed again after a repair, as apple-codesign would seal it."""

from __future__ import annotations

import json
import plistlib
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import rcodesign
import signing
from compiling import Compile

RCODESIGN = Path(rcodesign.__file__)
MAIN = "int main(void) { return 0; }"
MODULE = "int PyInit__core(void) { return 1; }"
MISNAMED = "Frameworks/pkg/_core.cpython-311-aarch64-apple-darwin.so"
INFO = {
    "CFBundleExecutable": "demo",
    "CFBundleIdentifier": "org.example.demo",
    "CFBundlePackageType": "APPL",
}


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder with rcodesign, and nothing else."""
    tool = tmp_path / "tools" / "rcodesign"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, str(RCODESIGN)])} "$@"\n')
    tool.chmod(0o755)
    return tool.parent


@pytest.fixture
def application(tmp_path: Path, zig: Callable[[str], Compile]) -> Path:
    """Sealed ad hoc, with a module under a name that Python does not look for."""
    build = zig("aarch64-macos")
    contents = tmp_path / "Demo.app/Contents"
    for name, content in {
        "MacOS/demo": build("demo", MAIN, "-lSystem").read_bytes(),
        MISNAMED: build("_core.so", MODULE, "-shared").read_bytes(),
        "Frameworks/libpython3.11.dylib": build(
            "libpython3.11.dylib", "int own(void) { return 1; }", "-shared"
        ).read_bytes(),
        "Resources/data.txt": b"data",
        "Info.plist": plistlib.dumps(INFO),
    }.items():
        path = contents / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (contents / "MacOS/demo").chmod(0o755)
    subprocess.run([sys.executable, RCODESIGN, "sign", contents.parent], check=True, timeout=60)
    assert rcodesign.unsealed(contents.parent) == []
    return contents.parent


def repair(path: str | Path, *arguments: str | Path) -> tuple[int, str, str]:
    """The command, with `path` as the only place where it finds programs."""
    done = subprocess.run(
        [sys.executable, "-m", "rustext", "repair", *arguments],
        env={"PATH": str(path)}, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def files(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_a_seal_that_a_repair_has_broken_is_made_anew(
    application: Path, tools: Path, tmp_path: Path
) -> None:
    new = tmp_path / "new" / "Demo.app"
    new.parent.mkdir()
    code, out, err = repair(tools, application, "-o", new, "--json")
    assert code == 0, (out, err)
    report = json.loads(out)
    assert [row["change"] for row in report["repairs"]] == ["MakeLink", "SealApplication"]
    assert report["unrepaired"] == []
    assert {row["file"] for row in report["files"]} == {
        "Contents/Frameworks/pkg/_core.cpython-311-darwin.so",
        "Contents/MacOS/demo",
        "Contents/_CodeSignature/CodeResources",
    }
    assert rcodesign.unsealed(new) == []
    assert rcodesign.problems(new / "Contents/MacOS/demo") == []
    (new / "Contents/Resources/data.txt").write_text("other")
    assert "Contents/_CodeSignature/CodeResources" in rcodesign.unsealed(
        new
    )  # else nothing is compared
    assert json.loads(repair(tools, new, "--select", "ext-suffix", "--json")[1])["repairs"] == []


@pytest.mark.parametrize("options", [["--dry-run"], ["--in-place"]])
def test_the_old_application_is_not_written_to(
    application: Path, tools: Path, tmp_path: Path, options: list[str]
) -> None:
    """Its files are those of the copy under second names, and a tool writes into them."""
    (application / "Contents/Resources/data.txt").write_text("changed")
    second = tmp_path / "second"
    second.hardlink_to(application / "Contents/MacOS/demo")
    old, before = second.read_bytes(), files(application)
    code, out, err = repair(tools, application, *options)
    assert (code, "sealed again, ad hoc" in out) == (0, True), (out, err)
    assert second.read_bytes() == old
    assert (files(application) == before) == (options == ["--dry-run"])
    assert (rcodesign.unsealed(application) == []) == (options == ["--in-place"])


def test_without_a_tool_the_command_is_said(application: Path, tmp_path: Path) -> None:
    code, out, err = repair(tmp_path / "nothing", application)
    assert code == 0, (out, err)
    assert (tmp_path / "Demo-repaired.app").is_dir()
    assert "Demo.app is not sealed: codesign and rcodesign are not installed" in out
    assert "`codesign --force --deep --sign - Demo.app` on a Mac" in out
    assert "warning[signature]: `Demo.app" in out  # a link was added, which no list has


def test_what_a_tool_says_is_told(application: Path, tools: Path, tmp_path: Path) -> None:
    (application / "Contents/Info.plist").write_text("no list of properties")
    code, out, err = repair(tools, application)
    assert code == 0, (out, err)
    assert "Demo.app is not sealed: rcodesign does not sign it: " in out


def test_what_a_team_has_sealed_is_left_to_it(
    application: Path, tools: Path, tmp_path: Path
) -> None:
    program = application / "Contents/MacOS/demo"
    info, resources = (
        application / "Contents" / n for n in ("Info.plist", "_CodeSignature/CodeResources")
    )
    sealed = {1: info.read_bytes(), 3: resources.read_bytes()}
    program.write_bytes(
        signing.sign(program.read_bytes(), flags=0, team="ABCDE12345", sealed=sealed)
    )
    before = files(application)
    code, out, err = repair(tools, application, "-o", tmp_path / "New.app")
    assert code == 1, (out, err)
    assert "team ABCDE12345 has to sign it again: `codesign --force --deep --sign IDENTITY" in out
    assert "error[signature]: `Demo.app` is not what was signed" in out
    after = files(tmp_path / "New.app")
    assert {name for name in after if before.get(name) != after[name]} == {
        "Contents/Frameworks/pkg/_core.cpython-311-darwin.so"
    }
    (application / "Contents" / MISNAMED).unlink()
    info.write_bytes(info.read_bytes() + b"\n")
    code, out, err = repair(tools, application, "-o", tmp_path / "Newer.app")
    assert (code, out) == (2, "")
    assert "nothing is written: team ABCDE12345 has to sign it again" in err
    assert not (tmp_path / "Newer.app").exists()
