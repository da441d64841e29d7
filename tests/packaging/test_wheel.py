"""What the distributions ship, and whether each way of installing them gives working parts."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from email import message_from_string
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent.parent
PLUGIN = "nuitka/plugins/standard/RustextPlugin.py"


def run(*command: str | Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        env={**os.environ, **(env or {})},
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout or done.stderr


def members(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_wheel_ships_the_package_the_plugin_and_the_hooks(wheel: Path) -> None:
    def below(folder: str) -> set[str]:
        files = (ROOT / folder).rglob("*")
        return {
            p.relative_to(ROOT / folder).as_posix()
            for p in files
            if p.is_file() and "__pycache__" not in p.parts
        }

    expected = {f"rustext/{name}" for name in below("src/rustext")}
    expected |= {f"nuitka/plugins/standard/{name}" for name in below("plugins")}
    expected |= {f"rustext_hooks/{name}" for name in below("hooks")}
    expected |= {f"rustext/data/findings/{name}" for name in below("docs/findings")}
    shipped = {name for name in members(wheel) if ".dist-info/" not in name}
    assert shipped == expected


def test_wheel_leaves_the_package_of_nuitka_to_nuitka(wheel: Path) -> None:
    """An `__init__.py` of ours would replace Nuitka's."""
    assert not [n for n in members(wheel) if n.startswith("nuitka/") and n != PLUGIN]


@pytest.mark.network
def test_a_release_is_reproducible_and_ships_what_the_checkout_does(
    wheel: Path, tmp_path: Path
) -> None:
    """It builds everything twice, the wheel from the sdist, and ends with 1 where bytes differ."""
    done = run(sys.executable, ROOT / "tools/release.py", tmp_path / "dist")
    (made,) = (tmp_path / "dist").glob("*.whl")
    assert members(made) == members(wheel)
    digests = dict(line.split("  ")[::-1] for line in done.splitlines())
    assert digests.keys() == {p.name for p in (tmp_path / "dist").iterdir()} - {"SHA256SUMS"}
    assert digests[made.name] == hashlib.sha256(made.read_bytes()).hexdigest()


def test_the_bill_of_materials_names_what_the_metadata_does(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name.rpartition("/")[2]: name for name in archive.namelist()}
        text = archive.read(names["rustext.cdx.json"]).decode()
        metadata = archive.read(names["METADATA"]).decode()
    assert "/sboms/" in names["rustext.cdx.json"]
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill, fields = json.loads(text), message_from_string(metadata)
    required = [Requirement(text) for text in fields.get_all("Requires-Dist", [])]
    own = {r.name for r in required if r.marker is None or "extra" not in str(r.marker)}
    assert {component["name"] for component in bill["components"]} == own
    assert bill["metadata"]["component"]["version"] == fields["Version"]


def test_every_change_has_a_kind() -> None:
    fragments = [p.name for p in (ROOT / "changelog.d").iterdir() if p.name != ".gitignore"]
    for name in fragments:
        assert re.fullmatch(r"(\d+|\+[\w-]+)\.(added|changed|fixed|removed)\.md", name), name
    run(sys.executable, "-m", "towncrier", "build", "--draft", "--version", "0", "--dir", ROOT)


@pytest.fixture(scope="module")
def base(cache: Path) -> Path:
    """An environment with both freezers and without rustext, to be copied from."""
    folder = cache / "environments" / "packaging-base"
    python = folder / "bin" / "python"
    stamp = folder / "complete"
    if not stamp.is_file():
        uv = (sys.executable, "-m", "uv")
        made = ("--clear", "--seed", "--system-site-packages", "--python", sys.executable)
        run(*uv, "venv", "-q", *made, folder)
        pins = ROOT / "tests" / "freezing" / "requirements.txt"
        run(*uv, "pip", "install", "-q", "--python", python, "-r", pins)
        stamp.touch()
    # A test that was interrupted may have left it there.
    subprocess.run([python, "-m", "pip", "uninstall", "-qy", "rustext"], check=True)
    return python


def nuitka_knows_the_plugin(python: Path, *options: str) -> bool:
    listed = run(python, "-m", "nuitka", *(options or ("--plugin-list",)))
    return "rustext" in listed


def pyinstaller_finds_the_hooks(python: Path, cache: Path) -> bool:
    code = (
        "from PyInstaller.building.build_main import discover_hook_directories as find\n"
        "print([str(d) for d, _ in find()])"
    )
    return "rustext" in run(python, "-c", code, env={"XDG_CACHE_HOME": str(cache)})


@pytest.mark.network
@pytest.mark.parametrize("editable", [False, True], ids=["plain", "editable"])
def test_install_gives_a_working_plugin_and_working_hooks(
    editable: bool, base: Path, wheel: Path, tmp_path: Path
) -> None:
    what = ["-e", ROOT] if editable else [wheel]
    run(base, "-m", "pip", "install", "-q", *what)
    try:
        assert nuitka_knows_the_plugin(base)
        assert pyinstaller_finds_the_hooks(base, tmp_path)
        plugin = run(base, "-m", "rustext", "plugin-path").strip()
        assert plugin.endswith(PLUGIN)
        doctor = subprocess.run(
            [base, "-m", "rustext", "doctor"], capture_output=True, text=True, check=False
        )
        assert "--enable-plugin=rustext works" in doctor.stdout
        assert "PyInstaller finds rustext's hooks" in doctor.stdout
    finally:
        run(base, "-m", "pip", "uninstall", "-qy", "rustext")
    assert not nuitka_knows_the_plugin(base)


@pytest.mark.network
def test_user_install_beside_nuitka_elsewhere_has_a_way_round(
    base: Path, wheel: Path, tmp_path: Path
) -> None:
    user = {"PYTHONUSERBASE": str(tmp_path / "user"), "XDG_CACHE_HOME": str(tmp_path)}
    run(base, "-m", "pip", "install", "-q", "--user", wheel, env=user)
    done = subprocess.run(
        [base, "-m", "rustext", "doctor"],
        capture_output=True,
        text=True,
        env={**os.environ, **user},
        check=False,
    )
    assert done.returncode == 1
    assert "--enable-plugin=rustext does not find it" in done.stdout
    assert "rustext plugin-path" in done.stdout
    plugin = run(base, "-m", "rustext", "plugin-path", env=user).strip()
    assert Path(plugin).is_relative_to(tmp_path / "user")
    script = tmp_path / "app.py"
    script.write_text("print('it runs')\n")
    path = f"{base.parent}{os.pathsep}{os.environ['PATH']}"
    log = run(
        base, "-m", "nuitka", "--standalone", "--assume-yes-for-downloads",
        f"--user-plugin={plugin}", f"--output-dir={tmp_path}", script,
        env={**user, "PATH": path},
    )  # fmt: skip
    assert "rustext: Rust extensions: 0" in log
    assert run(tmp_path / "app.dist" / "app.bin") == "it runs\n"


def test_scripts_say_clearly_that_a_compiler_is_missing(tmp_path: Path) -> None:
    (tmp_path / "python3").symlink_to(sys.executable)
    for tool in ("bash", "dirname"):
        found = shutil.which(tool)
        assert found is not None
        (tmp_path / tool).symlink_to(found)
    done = subprocess.run(
        [tmp_path / "bash", ROOT / "demo"],
        capture_output=True,
        text=True,
        env={"PATH": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 2
    assert "no C compiler found" in done.stderr
    assert "apt install gcc" in done.stderr
