"""One-file programs of both freezers: read as their folders are, and started as the one file."""

from __future__ import annotations

import filecmp
import json
import subprocess
from pathlib import Path

import pytest
from lab import FREEZERS, Lab

from rustext.cli.main import run
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.onefile.open_bundle import open_bundle

pytestmark = [pytest.mark.freezing, pytest.mark.network]

REQUIREMENTS = ("ormsgpack==1.13.1", "zstandard==0.25.0")  # zstandard: Nuitka compresses with it
PROGRAM = 'import ormsgpack; print(ormsgpack.unpackb(ormsgpack.packb({"a": 1})))\n'

# PyInstaller's own reader of its archives: what the program unpacks, and how large it is then.
READER = """
import json, sys
from PyInstaller.archive.readers import CArchiveReader
toc = CArchiveReader(sys.argv[1]).toc
print(json.dumps({name: entry[2] for name, entry in toc.items() if entry[4] in "bxZ"}))
"""


def unpacked(program: Path) -> dict[str, int]:
    """What `open_bundle` unpacks, beside the program itself."""
    with open_bundle(program) as bundle:
        files = (p for p in bundle.root.rglob("*") if p.is_file() and not p.is_symlink())
        return {
            p.relative_to(bundle.root).as_posix(): p.stat().st_size
            for p in files
            if not filecmp.cmp(p, program, shallow=False)
        }


@pytest.mark.parametrize("freezer", FREEZERS)
def test_one_file_is_judged_by_what_it_unpacks(
    freezer: str, lab: Lab, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "app.py"
    script.write_text(PROGRAM)
    frozen = lab.freeze(
        freezer, script, *REQUIREMENTS, out=tmp_path / "build", rustext=True, one_file=True
    )
    if freezer == "pyinstaller":
        done = subprocess.run(
            [frozen.python, "-c", READER, frozen.program],
            capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        assert unpacked(frozen.program) == json.loads(done.stdout)
    else:
        folder = tmp_path / "build" / "app.dist"  # Nuitka leaves what it packed
        found = unpacked(frozen.program)
        assert found == {
            p.relative_to(folder).as_posix(): p.stat().st_size
            for p in folder.rglob("*")
            if p.is_file() and not p.is_symlink()
        }
        assert "Using compression for onefile payload" in frozen.log
        with open_bundle(frozen.program) as bundle:
            assert bundle.modules == read_bundle(folder).modules
    arguments = ["verify", str(frozen.program), "--run", "--json", "--hide", str(tmp_path)]
    assert run(arguments) == 0
    report = json.loads(capfd.readouterr().out)
    assert report["freezer"] == freezer
    assert report["bundle"] == str(frozen.program)
    assert report["extensions"] == [
        name for name in report["extensions"] if name.startswith("ormsgpack/ormsgpack")
    ]
    assert len(report["extensions"]) == 1
    assert (report["run"]["code"], report["run"]["stdout"]) == (0, "{'a': 1}\n")
    assert "/tmp/" not in json.dumps(report["libraries"]).replace(str(tmp_path), "")
    new = tmp_path / "new"  # the same as a folder
    assert run(["repair", str(frozen.program), "-o", str(new), "--run", "--json"]) == 0
    report = json.loads(capfd.readouterr().out)
    assert (report["repairs"], report["after"]["run"]["stdout"]) == ([], "{'a': 1}\n")
    assert run(["verify", str(new), "--run", "--hide", str(tmp_path), "-qq"]) == 0
