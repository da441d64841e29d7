"""What a program's own sources bring in, and its answers where it starts Python again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from environments import Files, environment, install, write_files

from rustext.config import Config
from rustext.data import package_text
from rustext.freezing.build import Build
from rustext.freezing.program import read_program
from rustext.plan.planner import Planner

CONFIG = """
import local
LOGGING = {"()": "handlers.rich.Handler", "class": "handlers.gone.Handler", "level": "INFO"}
"""


def test_class_paths_in_a_programs_settings_are_imports(tmp_path: Path) -> None:
    site, folder = tmp_path / "site-packages", tmp_path / "app"
    install(site, "handlers", files={"handlers/__init__.py": "", "handlers/rich.py": ""})
    write_files(folder, {"main.py": CONFIG, "local.py": "X = 'handlers.rich:Handler'",
                         "other.py": "", "handlers_of_mine.py": ""})  # fmt: skip
    program = read_program([folder / "main.py"], environment(site))
    assert [i.module for i in program.imports] == ["handlers", "handlers.rich"]
    assert {i.evidence[0].where for i in program.imports} <= {"local.py", "main.py"}
    assert sorted(str(place) for _, place in program.files) == ["local.py", "main.py"]


def test_class_paths_in_texts_of_configuration_are_imports(tmp_path: Path) -> None:
    text = (
        'YAML = """\ntask:\n  _target_: handlers.rich.Handler\n  see: handlers.other by hand\n"""'
    )
    files = {f"handlers/{name}.py": "" for name in ("__init__", "rich", "other")}
    install(tmp_path / "site", "handlers", files=files)
    write_files(tmp_path, {"main.py": text})
    program = read_program([tmp_path / "main.py"], environment(tmp_path / "site"))
    assert [i.module for i in program.imports] == ["handlers.rich"]


def test_a_script_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    write_files(tmp_path, {"broken.py": "x = ("})
    for name in ("broken.py", "gone.py"):
        assert read_program([tmp_path / name], environment(tmp_path)).imports == ()


@pytest.mark.parametrize("guarded", [False, True])
def test_the_programs_source_comes_along_where_code_needs_it(
    guarded: bool, tmp_path: Path, rust_library: Path
) -> None:
    call = "inspect.getsource(function)"
    body = f"try: return {call}\n    except OSError: pass" if guarded else f"return {call}"
    text = f"import inspect\ndef tool(function):\n    {body}\n"
    files: Files = {"tools/__init__.py": text, "tools/lib.so": rust_library}
    install(tmp_path / "site", "tools", files=files)
    write_files(tmp_path, {"main.py": "import tools\n"})
    build = Build(Planner(environment(tmp_path / "site"), Config()))
    build.begin([tmp_path / "main.py"])
    assert build.program_sources() == ()
    build.enter("tools", tmp_path / "site/tools/__init__.py")
    found = [str(c.destination) for c in build.program_sources()]
    assert found == ["main.py"] * (not guarded)
    assert build.program_sources() == ()  # each once
    assert ("main.py" in {str(c.destination) for c in build.companions}) == (not guarded)


@pytest.fixture
def rust_library(tmp_path: Path) -> Path:
    source = tmp_path / "lib.rs"
    source.write_text('#[no_mangle] pub extern "C" fn f() -> String { 1.to_string() }\n')
    library = tmp_path / "lib.so"
    command = ["rustc", "--crate-type=cdylib", "-Awarnings", str(source), "-o", str(library)]
    subprocess.run(command, check=True, timeout=120)
    return library


# --- the run-time hook ----------------------------------------------------------------------------

START = """
import subprocess, sys
arguments = {arguments!r}
if len(sys.argv) > 1 and sys.argv[1] == "start":
    done = subprocess.run([sys.executable, __file__, *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    print(done.returncode, done.stdout.strip(), done.stderr.strip())
else:
    print("the program", *sys.argv[1:])
"""


def started(tmp_path: Path, *arguments: str) -> str:
    """What a process says that the program has started; the script's name is the interpreter's."""
    hook = package_text("freezing/pyinstaller/python_start.py")
    (tmp_path / "main.py").write_text(hook + START.format(arguments=list(arguments)))
    command = [sys.executable, str(tmp_path / "main.py"), "start"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=60)
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (("-m", "calendar", "2000", "1"), "0 January 2000"),
        (("-u", "-X", "utf8", "-c", "import sys; print(sys.argv)", "a"), "0 ['-c', 'a']"),
        (("-c", "import sys; sys.exit(3)"), "3"),
        (("--serve", "x"), "0 the program --serve x"),
        (("-c",), "0 the program -c"),
        (("-c", "from multiprocessing.spawn import x"), "0 the program -c from multi"),
    ],
)
def test_a_process_that_the_program_has_started_is_answered(
    arguments: tuple[str, ...], answer: str, tmp_path: Path
) -> None:
    assert started(tmp_path, *arguments).startswith(answer)


def test_a_module_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    said = started(tmp_path, "-m", "no.such_module")
    assert said.startswith("1 ")
    assert "has no module 'no.such_module' to run with -m" in said
    assert "Traceback" not in said


def test_a_user_who_starts_the_program_is_not_answered(tmp_path: Path) -> None:
    hook = package_text("freezing/pyinstaller/python_start.py")
    (tmp_path / "main.py").write_text(f"{hook}print('the program')\n")
    command = [sys.executable, str(tmp_path / "main.py"), "-m", "calendar"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=60)
    assert done.stdout == "the program\n"


def test_a_program_that_starts_itself_for_ever_is_stopped(tmp_path: Path) -> None:
    hook = package_text("freezing/pyinstaller/python_start.py")
    again = "import subprocess, sys\n"
    again += "sys.exit(subprocess.run([sys.executable, __file__, 'x.py']).returncode)\n"
    (tmp_path / "main.py").write_text(hook + again)
    command = [sys.executable, str(tmp_path / "main.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "starts itself over and over" in done.stderr
