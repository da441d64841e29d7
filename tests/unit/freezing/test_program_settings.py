"""Which names in the configuration files beside a program count."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from environments import environment, install, write_files

from rustext.freezing.program import read_program


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("log.json", '{"()": "handlers.rich.Handler"}', True),
        ("log.toml", '[h]\nclass = "handlers.rich:Handler"\n', True),
        ("log.yaml", "task:\n  _target_: handlers.rich.Handler  # here\n", True),
        ("log.yml", "plugins:\n  - handlers.rich.Handler\n", True),
        ("log.yml", "plugins:\n  - handlers.rich: {deep: true}\n", True),
        ("log.yaml", "index: !!python/name:handlers.rich.make\n", True),
        ("log.yaml", "index: !!python/object/apply:handlers.rich.make [1]\n", True),
        ("log.ini", "[handler_x]\nclass=handlers.rich.Handler\n", True),
        ("log.txt", '"handlers.rich.Handler"', False),
        ("log.json", '{"help": "see handlers.rich for more"}', False),
    ],
)
def test_class_paths_in_a_file_that_the_program_names(
    name: str, text: str, found: bool, tmp_path: Path
) -> None:
    install(tmp_path / "s", "handlers", files={"handlers/__init__.py": "", "handlers/rich.py": ""})
    write_files(tmp_path / "app", {"main.py": f"open('{name}')", name: text})
    write_files(tmp_path / "app", {"unnamed.json": '"handlers"\n"handlers.other"'})
    imports = read_program([tmp_path / "app/main.py"], environment(tmp_path / "s")).imports
    assert [(i.module, i.evidence[0].where) for i in imports] == [("handlers.rich", name)] * found


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("site.ini", "[app]\npyramid.includes =\n    dirs\n    boards\ntitle = other\n"),
        ("site.ini", "[app]\nplugins = boards, gone\n"),
        ("site.cfg", "[app]\nhandlers =\n    boards.late\n"),
        ("site.yaml", "extensions: [boards]\nname: other\n"),
        ("site.toml", 'plugins = [\n  "boards",\n]\nname = "other"\n'),
        ("main.py", "app.include('boards')\nname = 'other'\n"),
        ("main.py", "make(extensions=['toc', 'boards'], name='other')\n"),
    ],
)
def test_installed_packages_that_settings_name_as_modules(
    name: str, text: str, tmp_path: Path
) -> None:
    """Where the same word is set to something else, it names no module."""
    install(tmp_path / "s", "boards", files={"boards/__init__.py": "", "boards/late.py": ""})
    install(tmp_path / "s", "other", files={"other.py": ""})
    write_files(tmp_path / "app", {"main.py": f"open('{name}')", name: text})
    imports = read_program([tmp_path / "app/main.py"], environment(tmp_path / "s")).imports
    assert [i.module for i in imports] == ["boards.late" if "late" in text else "boards"]


IMPORT = """import importlib, logging.config, os, pickle, sys
def read(name, mode="r"):
    with open(os.path.join(os.path.dirname(__file__), name), mode) as file:
        return file.read()
def load(path):
    return importlib.import_module(path.strip().rpartition(".")[0])
"""
LATE = "own.late.Backend"
LOGGING = "logging.config.dictConfig({'version': 1, 'filters': filters})"


@pytest.mark.parametrize(
    ("code", "files"),
    [
        ("load({'fast': 'own.late.Backend'}['fast'])", {}),
        ("import own.conf\nload(own.conf.NAME)", {"own/conf.py": "NAME = 'own.late.X'"}),
        ("load(read('list.txt'))", {"list.txt": "own.late.Backend\n"}),
        ("load(read('conf.ini').split('=')[1])", {"conf.ini": "backend=own.late.Backend"}),
        ("import own.table", {"own/table.py": f"{IMPORT}load(read('t.xml'))", "own/t.xml": LATE}),
        ("pickle.loads(read('model.pkl', 'rb'))", {"model.pkl": "cown.late\nBackend\n."}),
        ("filters = {'f': {'()': 'own.late.Backend'}}\n" + LOGGING, {}),
    ],
)
def test_a_program_s_own_modules_are_named_like_those_of_others(
    code: str, files: dict[str, str], tmp_path: Path
) -> None:
    own = {"own/__init__.py": "", "own/late.py": "class Backend: pass\n", "own/unused.py": ""}
    ended = "\nprint('own.late' in sys.modules)\n"
    write_files(tmp_path, {"main.py": f"{IMPORT}{code}{ended}", **own, **files})
    done = subprocess.run(
        [sys.executable, tmp_path / "main.py"], capture_output=True, text=True, check=True
    )
    imports = read_program([tmp_path / "main.py"], environment(tmp_path / "site")).imports
    assert done.stdout == "True\n"
    assert [i.module for i in imports if i.module.startswith("own.")] == ["own.late"]


def test_the_files_of_a_folder_that_the_program_names(tmp_path: Path) -> None:
    install(tmp_path / "s", "handlers", files={"handlers/__init__.py": "", "handlers/rich.py": ""})
    program = {"main.py": "hydra.main(config_path='conf', config_name='config')"}
    settings = {"conf/model/big.yaml": "_target_: handlers.rich.X", ".venv/conf/x.yaml": "- a.b"}
    write_files(tmp_path / "app", {**program, **settings})
    write_files(tmp_path / "app", {"conf/link.yaml": "", "conf/binary.json": b"\xff\xfe\0"})
    (tmp_path / "app/conf/gone.toml").symlink_to("nowhere")
    imports = read_program([tmp_path / "app/main.py"], environment(tmp_path / "s")).imports
    assert [i.module for i in imports] == ["handlers.rich"]
