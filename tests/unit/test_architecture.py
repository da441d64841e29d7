"""The rules of docs/architecture.md: layers, sizes, and who may import what."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "rustext"
FOLDERS = ("src", "hooks", "plugins")
LAYERS = (
    ("errors", "model", "data", "files"),
    ("formats", "environment", "report"),
    ("loaders", "discovery"),
    ("tracing",),
    ("config",),
    ("imports",),
    ("plan",),
    ("verify",),
    ("freezing",),
    ("repair",),
    ("api",),
    ("cli",),
)
RANK = {room: number for number, layer in enumerate(LAYERS) for room in layer}
ABOVE_ALL = {"__init__", "__main__", "cli"}
MOST_MODULES, MOST_LINES, MOST_ENTRIES = 15, 400, 20


def iter_imports(source: str) -> Iterator[str]:
    """The modules that a source imports, wherever the statement is."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def find_violations(file: str, source: str) -> list[str]:
    """The imports of a module that break a rule; `file` is its path below `src/rustext`."""
    path = Path(file)
    room = path.parts[0].removesuffix(".py")
    found = []
    for name in iter_imports(source):
        top, *rest = name.split(".")
        if top in {"nuitka", "PyInstaller"}:
            found.append(f"{file} imports the freezer {name}")
        if top != "rustext" or not rest or rest[0] == "__version__":
            continue
        other = rest[0]
        if room not in ABOVE_ALL and other in RANK:
            bottom = RANK[other] == 0 < RANK[room]
            if RANK[other] > RANK[room] or (room == "report" and other != room and not bottom):
                found.append(f"{file} imports {name}, which is above it")
            elif RANK[other] == RANK[room] > 0 and other != room:
                found.append(f"{file} imports {name}, which is on its own layer")
        check = file.startswith("verify/checks/") and path.stem != "__init__"
        if check and name.startswith("rustext.verify.checks."):
            found.append(f"{file} imports the check {name}")
    return found


def modules() -> list[str]:
    return sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


def test_each_folder_has_a_layer() -> None:
    rooms = {Path(file).parts[0].removesuffix(".py") for file in modules()}
    assert rooms == {*RANK, "__init__", "__main__"}


@pytest.mark.parametrize("file", modules())
def test_imports_keep_to_the_layers(file: str) -> None:
    assert find_violations(file, (PACKAGE / file).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("formats/elf/image.py", "from rustext.verify.verify import verify"),
        ("plan/planner.py", "def f():\n    from rustext import freezing"),
        ("discovery/native_files.py", "import rustext.loaders.resolver"),
        ("report/html.py", "from rustext.formats.binary import read_binary"),
        ("verify/checks/run.py", "from rustext.verify.checks.python.imports import check_imports"),
        ("freezing/build.py", "import PyInstaller.config"),
    ],
)
def test_a_planted_violation_is_found(file: str, source: str) -> None:
    assert find_violations(file, source) != []


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("verify/verify.py", "from rustext.verify.checks import CHECKS"),
        ("verify/checks/__init__.py", "from rustext.verify.checks.running.run import check_run"),
        ("report/html.py", "from rustext.model.findings import Finding"),
        ("cli/main.py", "from rustext.freezing import build"),
    ],
)
def test_an_import_that_is_allowed_is_no_violation(file: str, source: str) -> None:
    assert find_violations(file, source) == []


def test_only_data_finds_files_of_the_package() -> None:
    found = set()
    for file in modules():
        source = (PACKAGE / file).read_text(encoding="utf-8")
        names = {n.id for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name)}
        if "__file__" in names or "importlib.resources" in {*iter_imports(source)}:
            found.add(file)
    # It runs inside the frozen program, and looks for its list there.
    assert found - {"plan/selftest_entry.py"} == {"data/__init__.py"}


def test_folders_and_modules_stay_small() -> None:
    entries = [p.name for p in PACKAGE.iterdir() if p.name not in {"__pycache__", "py.typed"}]
    assert len(entries) <= MOST_ENTRIES
    files = [path for top in FOLDERS for path in (ROOT / top).rglob("*.py")]
    for folder in {file.parent for file in files}:
        assert len({*folder.glob("*.py")} - {folder / "__init__.py"}) <= MOST_MODULES, folder
    for file in files:
        assert len(file.read_text(encoding="utf-8").splitlines()) <= MOST_LINES, file


# "Availability: Unix" in https://docs.python.org/3/library/unix.html
POSIX_ONLY = ("fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty")
IMPORT_ALL = """
import importlib, pkgutil, sys
import rustext, subprocess, tempfile
for name in sys.argv[1:]:
    sys.modules[name] = None
for module in pkgutil.walk_packages(rustext.__path__, "rustext."):
    if not module.name.endswith(("__main__", ".isolated_child")):
        importlib.import_module(module.name)
        print(module.name)
"""


def test_windows_can_import_all_but_the_child_of_the_sandbox_of_linux() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *POSIX_ONLY],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "rustext.verify.run.isolated_run" in done.stdout.split()
