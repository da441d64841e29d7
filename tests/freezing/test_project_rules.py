"""A project's own crate rule brings a module that native code names at run time into the build."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import Lab

pytestmark = [pytest.mark.freezing, pytest.mark.network]

# The import is in the program, where no freezer reads it, in place of a private crate's.
SOURCE = """
import importlib
import blake3
print(blake3.blake3(b"").hexdigest()[:4], importlib.import_module("color" + "sys").__name__)
"""
RULE = """
[[tool.rustext.crate-rules]]
crate = "{crate}"
imports = ["colorsys"]
"""


@pytest.mark.parametrize(("crate", "works"), [("blake3", True), ("blake2", False)])
def test_the_module_is_there_where_the_crate_is(
    crate: str, works: bool, lab: Lab, tmp_path: Path
) -> None:
    script = tmp_path / "app.py"
    script.write_text(SOURCE)
    (tmp_path / "pyproject.toml").write_text(RULE.format(crate=crate))
    out = tmp_path / "build"
    frozen = lab.freeze("pyinstaller", script, "blake3==1.0.8", out=out, rustext=True)
    ended = frozen.run(hide=[tmp_path])
    assert (ended.code == 0) == works, ended.stderr
    assert ("No module named 'colorsys'" in ended.stderr) != works
    if works:
        assert ended.stdout == lab.run_unfrozen(script, "blake3==1.0.8")
