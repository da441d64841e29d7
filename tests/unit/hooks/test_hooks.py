"""The hooks that PyInstaller runs, without PyInstaller building anything."""

from __future__ import annotations

import ast
import gc
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import PyInstaller.hooks
import pytest
import rustext_hooks
from PyInstaller.exceptions import ImportErrorWhenRunningHook
from rustext_hooks import analysis_state, module_hook, other_hooks, pre_import, whole_build

MODULE = "pack.wanted_by_two"


@pytest.fixture
def other_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed distribution whose hook folder has a hook for the same module."""
    hooks = tmp_path / "other_hooks"
    (hooks / "pre_safe_import_module").mkdir(parents=True)
    (hooks / f"hook-{MODULE}.py").write_text(
        "hiddenimports = ['theirs']\n"
        "datas = [('/their/data', 'there')]\n"
        "excludedimports = ['tkinter', 'uuid']\n"
        "module_collection_mode = 'pyz+py'\n"
        "def hook(api):\n"
        "    api.add_imports('theirs_later')\n"
    )
    (hooks / "hook-pack.py").write_text("excludedimports = ['email']\n")
    (hooks / "pre_safe_import_module" / f"hook-{MODULE}.py").write_text(
        "def pre_safe_import_module(api):\n    api.add_runtime_module('theirs_made')\n"
    )
    (tmp_path / "other_provider.py").write_text(f"def get():\n    return [{str(hooks)!r}]\n")
    info = tmp_path / "other_provider-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-provider\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[pyinstaller40]\nhook-dirs = other_provider:get\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    other_hooks.installed_folders.cache_clear()
    yield hooks
    other_hooks.installed_folders.cache_clear()
    assert "other_provider" not in sys.modules


@pytest.fixture
def own_hook(tmp_path: Path) -> Path:
    own = tmp_path / "own"
    own.mkdir()
    return own / f"hook-{MODULE}.py"


def analysis(*folders: Path, excludes: tuple[str, ...] = ()) -> Any:
    return SimpleNamespace(hookspath=[(str(f), 0) for f in folders], excludes=excludes)


def installed() -> tuple[other_hooks.HookFolder, ...]:
    return other_hooks.installed_folders(Path("no", "such", "folder"))


def test_no_package_is_imported_for_hooks_that_nobody_brings(
    other_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The contributed hooks are asked in this process; anybody else's in a subprocess."""
    asked: list[object] = []
    monkeypatch.setattr("PyInstaller.isolated.call", lambda *call: asked.append(call) or [])
    installed()
    assert asked
    asked.clear()
    other_hooks.installed_folders.cache_clear()
    points = [p for p in other_hooks.entry_points(group="pyinstaller40", name="hook-dirs")
              if p.module.startswith(("rustext_hooks", "_pyinstaller_hooks_contrib"))]  # fmt: skip
    monkeypatch.setattr(other_hooks, "entry_points", lambda **_: points)
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: points)
    assert {"_pyinstaller_hooks_contrib"} <= {folder.path.parts[-2] for folder in installed()}
    assert not asked


def test_the_entry_point_notes_who_else_has_hooks(
    other_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyInstaller has loaded them where it calls the entry point: a build need not ask again."""

    def hook_folder() -> Path:
        source = "import rustext_hooks; print(*rustext_hooks.get_hook_dirs())"
        env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": str(tmp_path)}
        command = [sys.executable, "-c", source]
        return Path(subprocess.check_output(command, env=env, text=True, timeout=60).split()[-1])

    asked = other_hooks.installed_folders(tmp_path)
    noting = hook_folder()
    assert hook_folder() == noting
    monkeypatch.delattr("PyInstaller.isolated.call")
    other_hooks.installed_folders.cache_clear()
    noted = other_hooks.installed_folders(noting)
    assert set(noted) == set(asked)
    assert noted[0].path == other_folder
    provider = tmp_path / "other_provider.py"
    provider.write_text(provider.read_text().replace("hooks'", "moved_hooks'"))
    assert hook_folder() != noting  # nothing is installed anew, and the answer is another


@pytest.mark.parametrize("note", ["", "[", None])
def test_a_damaged_note_is_as_good_as_none(
    note: str | None, other_folder: Path, tmp_path: Path
) -> None:
    if note is not None:
        (tmp_path / "other-hooks.json").write_text(note)
    assert other_hooks.installed_folders(tmp_path)[0].path == other_folder


def test_a_package_that_cannot_say_where_its_hooks_are_is_named(
    other_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "other_provider.py").write_text("raise OSError('libreal.so.1')")
    others = other_hooks.ask_others()
    named = {module for module, _ in others}
    assert "_pyinstaller_hooks_contrib" in named  # and whichever others are installed
    assert "other_provider" not in named
    (line,) = [record.getMessage() for record in caplog.records]
    assert "other_provider" in line
    assert "libreal.so.1" in line


def test_what_another_hook_for_the_same_module_says_is_kept(
    other_folder: Path, own_hook: Path
) -> None:
    attributes = module_hook.hook_attributes(MODULE, str(own_hook))
    assert attributes["hiddenimports"] == ["theirs"]
    assert attributes["datas"] == [("/their/data", "there")]
    assert attributes["excludedimports"] == ["tkinter", "uuid"]
    assert attributes["module_collection_mode"] == "pyz+py"


def test_the_function_of_another_hook_still_runs(other_folder: Path, own_hook: Path) -> None:
    added: list[str] = []
    api: Any = SimpleNamespace(
        add_imports=lambda *names: added.extend(names), graph=None, analysis=analysis()
    )
    module_hook.hook_attributes(MODULE, str(own_hook))["hook"](api)
    assert added == ["theirs_later"]


def test_another_hook_that_names_run_time_modules_still_runs(
    other_folder: Path, own_hook: Path
) -> None:
    made: list[str] = []
    api: Any = SimpleNamespace(module_name=MODULE, add_runtime_module=made.append)
    own = own_hook.parent / "pre_safe_import_module" / own_hook.name
    pre_import.announce(["ours"], api, str(own))
    assert made == ["theirs_made", "ours"]


@pytest.mark.parametrize("function", ["", "def hook(api):\n    pass\n"])
def test_another_hook_is_run_once(function: str, other_folder: Path, own_hook: Path) -> None:
    """PyInstaller loads a hook twice that defines hook(), as each of rustext's does."""
    text = f"from pathlib import Path\nPath({str(own_hook)!r}).open('a').write('run ')\n{function}"
    (other_folder / f"hook-{MODULE}.py").write_text(f"{text}excludedimports = ['uuid']\n")
    api: Any = SimpleNamespace(
        add_imports=lambda *names: None, graph=None, analysis=analysis(other_folder)
    )
    analysis_state.states.clear()
    (other_folder / "hook-pack.py").unlink()
    other_hooks._source.cache_clear()
    for _ in range(2):
        module_hook.with_others(MODULE, str(own_hook), {"hiddenimports": ["uuid"]}, ())["hook"](api)
    assert own_hook.read_text() == "run "
    assert other_hooks._source.cache_info().misses == 0  # nor is its source read for what it says


def test_what_another_hook_raises_is_shown_with_its_own_file(
    other_folder: Path, own_hook: Path
) -> None:
    other = other_folder / f"hook-{MODULE}.py"
    other.write_text("import nowhere_at_all\n")
    with pytest.raises(ImportErrorWhenRunningHook) as caught:
        module_hook.hook_attributes(MODULE, str(own_hook))
    assert caught.value.args[1] == str(other)
    other.write_text("def hook(api):\n    import nowhere_at_all\n")
    analysis_state.states.clear()
    with pytest.raises(ImportErrorWhenRunningHook) as caught:
        module_hook.hook_attributes(MODULE, str(own_hook))["hook"](None)
    assert caught.value.args[1] == str(other)
    other.write_text("1 / 0\n")
    analysis_state.states.clear()
    with pytest.raises(ZeroDivisionError):
        module_hook.hook_attributes(MODULE, str(own_hook))


LATIN = "# -*- coding: latin-1 -*-\nexcludedimports = ['uuid']  # \xe4\n".encode("latin-1")


def test_another_hook_need_not_be_in_utf_8(other_folder: Path, own_hook: Path) -> None:
    other = other_folder / f"hook-{MODULE}.py"
    other.write_bytes(LATIN)
    assert module_hook.hook_attributes(MODULE, str(own_hook))["excludedimports"] == ["uuid"]
    lines = other_hooks.iter_exclusions(
        MODULE, ["uuid"], analysis(other_folder), own=own_hook.parent
    )
    assert [line.partition(",")[0] for line in lines] == [f"{other} excludes `uuid`"]


@pytest.mark.parametrize("text", [b"excludedimports = [\xff]", b"excludedimports = 1 / 0"])
def test_exclusions_of_a_hook_that_does_not_run_are_none(
    text: bytes, other_folder: Path, own_hook: Path
) -> None:
    (other_folder / "hook-pack.py").write_bytes(text)
    lines = other_hooks.iter_exclusions(
        MODULE, ["uuid"], analysis(other_folder), own=own_hook.parent
    )
    assert "hook-pack.py" not in "".join(lines)


def test_own_folder_is_not_taken_for_another_one(other_folder: Path) -> None:
    own = other_folder / f"hook-{MODULE}.py"
    assert module_hook.hook_attributes(MODULE, str(own)).get("hiddenimports") == []


@pytest.mark.parametrize(
    ("directive", "wins"), [("", "one"), ("# $PyInstaller-Hook-Priority: 7\n", "two")]
)
def test_the_hook_of_highest_priority_counts(directive: str, wins: str, tmp_path: Path) -> None:
    folders = []
    for name, text in (("one", ""), ("two", directive)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "hook-x.py").write_text(text)
        folders.append(other_hooks.HookFolder(path=tmp_path / name, priority=0))
    found = other_hooks.find_hook("hook-x.py", folders, own=tmp_path)
    assert found == tmp_path / wins / "hook-x.py"


def test_real_contributed_hook_is_found() -> None:
    """PyInstaller's own hooks and the contributed ones are among those that are asked."""
    names = {hook.name for folder in installed() for hook in folder.path.glob("hook-*.py")}
    assert "hook-numpy.py" in names
    assert "hook-cryptography.py" in names
    assert installed()[-1].path == Path(PyInstaller.hooks.__path__[0])


def test_exclusion_of_what_rust_imports_is_reported_with_the_hook(
    other_folder: Path, own_hook: Path
) -> None:
    needed = ["uuid", "email.message", "zoneinfo", "emailer"]
    lines = [
        *other_hooks.iter_exclusions(MODULE, needed, analysis(other_folder), own=own_hook.parent)
    ]
    assert [line.partition(",")[0] for line in lines] == [
        f"{other_folder}/hook-{MODULE}.py excludes `uuid`",
        f"{other_folder}/hook-pack.py excludes `email.message`",
    ]


def test_exclusion_from_the_whole_program_is_reported(own_hook: Path) -> None:
    (line,) = other_hooks.iter_exclusions(
        MODULE, ["uuid", "zoneinfo"], analysis(excludes=("uuid",)), own=own_hook.parent
    )
    assert line == f"this program excludes `uuid`, which {MODULE} needs"


def test_module_without_a_file_gets_an_empty_hook(own_hook: Path) -> None:
    attributes = module_hook.hook_attributes("sys", str(own_hook))
    assert attributes["hiddenimports"] == []


def test_what_is_found_makes_no_collection_longer() -> None:
    gc.unfreeze()
    module_hook._lists_of.cache_clear()
    try:
        module_hook.own_lists("json")
        assert gc.get_freeze_count()
    finally:
        gc.unfreeze()


def test_a_mistake_of_the_users_is_said_once_as_the_build_begins(
    own_hook: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The hooks for modules say nothing more."""
    (own_hook.parent / "pyproject.toml").write_text("[tool.rustext]\noptional = 3\n")
    monkeypatch.chdir(own_hook.parent)
    analysis_state.states.clear()
    try:
        with pytest.raises(SystemExit) as stopped:
            whole_build.begin()
        attributes = module_hook.hook_attributes("pack.unheard_of", str(own_hook))
        assert pre_import.runtime_modules("pack.unheard_of") == ()
    finally:
        analysis_state.states.clear()
    assert attributes["hiddenimports"] == []
    assert str(stopped.value).startswith("ERROR: rustext: ")
    assert "`optional` is 3" in str(stopped.value)
    assert not caplog.records


def test_a_build_waits_for_no_module_that_a_kept_folder_of_hooks_does_not_need(
    tmp_path: Path,
) -> None:
    """Each build with PyInstaller waits for this, in a process of its own."""
    (tmp_path / "pyproject.toml").touch()
    source = "import rustext_hooks, sys; print(*rustext_hooks.get_hook_dirs(), *sys.modules)"
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-c", source]
    (_, _, first, *all_modules), (_, _, later, *modules) = (
        subprocess.run(
            command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True, timeout=60
        ).stdout.split()
        for _ in range(2)
    )
    assert first == later
    assert {"rustext.plan.planner", "packaging.requirements"} <= {*all_modules}
    unneeded = re.compile(r"packaging\b|rustext\.(plan|discover|binary|distributions)$")
    assert [name for name in modules if unneeded.match(name)] == []


@pytest.mark.parametrize(
    ("variable", "value"), [("SELFTEST", "yes"), ("TRACE", "nowhere.toml"), ("TRACE", "hooks.py")]
)
def test_the_entry_point_never_fails_and_the_build_stops_for_a_mistake(
    variable: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hooks.py").write_text("no record")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(f"RUSTEXT_BUILD_{variable}", value)
    folders = [Path(folder).parent.name for folder in rustext_hooks.get_hook_dirs()]
    assert folders == ["each_build", "each_build"]
    analysis_state.states.clear()
    try:
        with pytest.raises(SystemExit, match=r"ERROR: rustext: .*(SELFTEST|nowhere|hooks)"):
            whole_build.begin()
    finally:
        analysis_state.states.clear()


def test_a_module_of_the_programs_own_is_not_imported_for_one_of_the_standard_library(
    tmp_path: Path,
) -> None:
    """As with `python -m PyInstaller`: the current folder is first in the search path."""
    for name in ("difflib", "platformdirs", "rustext", "added/shlex", "added/tomllib"):
        (tmp_path / f"{name}.py").parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')\n")
    source = "import rustext_hooks, sys; before = [*sys.path]; print(rustext_hooks.get_hook_dirs())"
    command = [sys.executable, "-c", f"{source}; assert sys.path == before"]
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    env["PYTHONPATH"] = os.pathsep.join(("", str(tmp_path / "added"), env.get("PYTHONPATH", "")))
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(ast.literal_eval(done.stdout)) == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no system call `fork`")
def test_the_last_line_comes_in_a_forked_process_too(tmp_path: Path) -> None:
    source = (
        "import multiprocessing\n"
        "from rustext_hooks.analysis_state import at_end\n"
        "def build(): at_end(print, 'last')\n"
        "child = multiprocessing.get_context('fork').Process(target=build)\n"
        "child.start(), child.join()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "last\n"


def test_a_script_that_is_a_link_is_configured_where_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `rustext plan`, Nuitka's plugin and Python itself take its folder."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src/app.py").touch()
    (tmp_path / "src/pyproject.toml").write_text("[tool.rustext]\nincludes = []\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/app.py").symlink_to("../src/app.py")
    state = analysis_state.State(tmp_path / "bin/app.py")
    assert "did you mean `include`?" in str(getattr(state.error, "line", ""))
