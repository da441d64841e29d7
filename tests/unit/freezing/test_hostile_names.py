"""Names and labels that are no plain text: a hook stays Python, and costs no other hook."""

from __future__ import annotations

import ast
import importlib.machinery
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

import pytest
from compiling import compiler
from environments import environment, install, write_files

from rustext.config import Config
from rustext.environment.environment import with_editable
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


@pytest.mark.parametrize("write", [write_short_hooks, write_hooks])
def test_a_module_whose_hook_can_have_no_file_costs_no_other_hook(
    write: Callable[[Planner, Path], Sequence[Path]],
    library: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A file's name has at most 255 bytes; a module's has no end."""
    long = f"{'a' * 120}.{'b' * 120}.{'c' * 120}"
    package = f"{long.replace('.', '/')}/__init__.py"
    files = {f"app/_core{SUFFIX}": library, "app/__init__.py": "", package: ""}
    install(tmp_path / "site", "app", files=files)
    env = environment(tmp_path / "site")
    written = write(Planner(env, Config()), tmp_path / "hooks")
    assert "hook-app.py" in {path.name for path in written}
    (message,) = caplog.messages
    assert message.startswith(f"rustext: no hook for {long[:120]}")
    assert "too long" in message


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
HOOKS = "import rustext_hooks; print(*rustext_hooks.get_hook_dirs())"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' file names are text")
def test_names_that_the_locale_cannot_encode_cost_their_files(
    library: Path, tmp_path: Path
) -> None:
    core = f"app/_core{SUFFIX}"
    info = install(tmp_path, "app", files={core: library, "app/__init__.py": ""})
    with (info / "RECORD").open("a", encoding="utf-8") as stream:
        stream.write("app/ümlaut.py,,\napp/weiß/__init__.py,,\napp/nul\0.py,,\n")
    (tmp_path / "main.py").write_text("import app._core")
    env = {**os.environ, **ASCII, "PYTHONPATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}

    def run(*arguments: str) -> tuple[str, str]:
        command = [sys.executable, *arguments]
        done = subprocess.run(
            command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout, done.stderr

    text, _ = run("-m", "rustext", "plan", "main.py")
    assert core in text
    assert "3 of the names" in text
    assert text.count("cannot read") == text.count(f"cannot read `{info}/RECORD`") == 1
    text, errors = run("-c", HOOKS)
    assert errors == ""
    assert (Path(text.split()[-1]) / "hook-app.py").is_file()


def test_editable_installs_that_cannot_be_linked_cost_no_other_hook(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").touch()  # where a folder is wanted
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    site = tmp_path / "site"
    install(site, "app", files={f"app/_core{SUFFIX}": library, "app/__init__.py": ""})
    write_files(tmp_path / "src", {"own/__init__.py": ""})
    finder = f"MAPPING = {{'own': '{tmp_path}/src/own'}}\n"
    write_files(site, {"__editable___own_1_0_finder.py": finder})
    env = with_editable(environment(site).interpreter)
    written = write_short_hooks(Planner(env, Config()), tmp_path / "hooks")
    assert [path.name for path in written] == ["hook-app.py"]
    (fault,) = env.faults
    assert "editable installs cannot be followed (own)" in str(fault)
