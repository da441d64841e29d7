"""Names and labels that are no plain text: a hook stays Python, and costs no other hook."""

from __future__ import annotations

import ast
import importlib.machinery
import re
from importlib import metadata
from pathlib import Path

import pytest
from compiling import compiler
from environments import environment, install

from rustext.config import Config
from rustext.freezing.nuitka.package_config import format_config
from rustext.freezing.pyinstaller.hook_files import write_hooks, write_short_hooks
from rustext.plan.planner import Planner

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]
LIBRARY = '#[no_mangle] pub extern "C" fn add(a: i32) -> String { a.to_string() }'
LABELS = [
    "1.13.1\n  beta", "1.0\0", "1.0\n import os\n  os.abort()", "1\r2", "1\x0c2", "1\x85 2",
    "1\u2028 2", "1\x1b[31m", "1\u202e2", "1\udcff2", '1"""2', "1\\", "1{2}",
]  # fmt: skip


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rustc = compiler(["rustc", "--crate-type=cdylib"], tmp_path_factory.mktemp("rustc"))
    return rustc("libadd.so", LIBRARY)


@pytest.mark.parametrize("field", ["Name", "Version"])
@pytest.mark.parametrize("label", LABELS)
def test_generated_text_holds_for_any_label(
    field: str, label: str, library: Path, tmp_path: Path
) -> None:
    """A header of METADATA may be folded, and hold anything: hooks have it in their comments."""
    site = tmp_path / "site"
    info = install(site, "app", files={f"app/_core{SUFFIX}": library, "app/__init__.py": ""})
    head = {"Name": "app", "Version": "1.0", field: label}
    lines = "".join(f"{key}: {value}\n" for key, value in head.items())
    text = f"Metadata-Version: 2.1\n{lines}"
    (info / "METADATA").write_bytes(text.encode("utf-8", "surrogateescape"))
    planner = Planner(environment(site), Config())
    for folder, write in (("short", write_short_hooks), ("long", write_hooks)):
        written = write(planner, tmp_path / folder)
        assert bool(written) != (field == "Name" and "\udcff" in label)  # that is none's name
        for path in written:
            source = path.read_text(encoding="utf-8")
            assert source.replace("\n", "").isprintable()
            nodes = [*ast.walk(ast.parse(source))]
            assert not [n for n in nodes if isinstance(n, ast.Attribute) and n.attr == "abort"]
            for name in re.findall(r"= distribution\((.*)\)", source):
                (found,) = metadata.distributions(name=ast.literal_eval(name), path=[str(site)])
                assert found.files
    assert format_config(planner).replace("\n", "").isprintable()
