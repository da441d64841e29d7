"""The hooks that PyInstaller runs, without PyInstaller building anything."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import rustext_hooks

MODULE = "wanted_by_two"


@pytest.fixture
def other_hooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed distribution whose hook folder has a hook for the same module."""
    hooks = tmp_path / "other_hooks"
    hooks.mkdir()
    (hooks / f"hook-{MODULE}.py").write_text(
        "hiddenimports = ['theirs']\n"
        "datas = [('/their/data', 'there')]\n"
        "excludedimports = ['tkinter']\n"
        "module_collection_mode = 'pyz+py'\n"
        "def hook(api):\n"
        "    api.add_imports('theirs_later')\n"
    )
    (tmp_path / "other_provider.py").write_text(f"def get():\n    return [{str(hooks)!r}]\n")
    info = tmp_path / "other_provider-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-provider\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[pyinstaller40]\nhook-dirs = other_provider:get\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield hooks
    sys.modules.pop("other_provider", None)


@pytest.fixture
def own_hook(tmp_path: Path) -> Path:
    own = tmp_path / "own"
    own.mkdir()
    return own / f"hook-{MODULE}.py"


def test_what_another_hook_for_the_same_module_says_is_kept(
    other_hooks: Path, own_hook: Path
) -> None:
    attributes = rustext_hooks.hook_attributes(MODULE, str(own_hook))
    assert attributes["hiddenimports"] == ["theirs"]
    assert attributes["datas"] == [("/their/data", "there")]
    assert attributes["excludedimports"] == ["tkinter"]
    assert attributes["module_collection_mode"] == "pyz+py"


def test_the_function_of_another_hook_still_runs(other_hooks: Path, own_hook: Path) -> None:
    added: list[str] = []
    api: Any = SimpleNamespace(add_imports=added.append)
    rustext_hooks.hook_attributes(MODULE, str(own_hook))["hook"](api)
    assert added == ["theirs_later"]


def test_own_folder_is_not_taken_for_another_one(other_hooks: Path) -> None:
    own = other_hooks / f"hook-{MODULE}.py"
    assert rustext_hooks.hook_attributes(MODULE, str(own)).get("hiddenimports") == []


def test_real_contributed_hook_is_found() -> None:
    """PyInstaller's own hooks and the contributed ones are among those that are asked."""
    folders = list(rustext_hooks._iter_other_folders(Path("/nowhere")))
    names = {hook.name for folder in folders for hook in folder.glob("hook-*.py")}
    assert "hook-numpy.py" in names
    assert "hook-cryptography.py" in names
    assert folders[-1].parts[-2:] == ("PyInstaller", "hooks")


def test_module_without_a_file_gets_an_empty_hook(own_hook: Path) -> None:
    attributes = rustext_hooks.hook_attributes("sys", str(own_hook))
    assert attributes["hiddenimports"] == []
