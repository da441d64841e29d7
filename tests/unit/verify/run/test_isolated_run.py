"""A program is started without what is hidden, and its end is told as it was."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from compiling import Compile

from rustext.data import package_text
from rustext.environment.child_process import Finished
from rustext.model.verification import IsolatedRun
from rustext.verify.run import isolated_run as isolate
from rustext.verify.run.isolated_run import REFUSED, python_folders, run_isolated

# What it is asked, one argument each: a file to open, a variable, or how to end.
PROGRAM = """
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
extern char **environ;
int main(int count, char **args) {
    for (int i = 1; i < count; i++) {
        char *rest = strchr(args[i], '=') + 1;
        switch (args[i][0]) {
        case 'o': { FILE *f = fopen(rest, "r"); puts(f ? "seen" : "hidden"); break; }
        case 'l': { int n = 0; DIR *d = opendir(rest); while (d && readdir(d)) n++;
                    printf("%d\\n", d ? n - 2 : -1); break; }
        case 'w': { FILE *f = fopen(rest, "w"); puts(f ? "written" : "refused"); break; }
        case 'v': { char *v = getenv(rest); puts(v ? v : "unset"); break; }
        case 'c': { char d[4096]; puts(getcwd(d, sizeof d)); break; }
        case 'p': if (system(rest) == -1) exit(9); break;
        case 's': abort();
        case 't': sleep(60); break;
        case 'e': fputs("sorry\\n", stderr); exit(atoi(rest));
        }
    }
    return 0;
}
"""


@pytest.fixture
def start(tmp_path: Path, gcc: Compile) -> Callable[..., IsolatedRun]:
    """`start(*arguments, hide=…)`: run the program above in the bundle `tmp_path/dist/app`."""
    bundle = tmp_path / "dist" / "app"
    bundle.mkdir(parents=True)
    shutil.copy(gcc("program", PROGRAM), bundle / "program")

    def run(*arguments: str, hide: tuple[Path, ...] = (), timeout: float = 30) -> IsolatedRun:
        return run_isolated(bundle, bundle / "program", arguments, hide=hide, timeout=timeout)

    return run


def namespaces() -> bool:
    """Whether this kernel gives mount namespaces: asked of util-linux, not of rustext."""
    done = subprocess.run(["unshare", "-Urm", "true"], capture_output=True, check=False)
    return done.returncode == 0


def test_a_hidden_folder_is_out_of_sight_and_others_are_not(
    tmp_path: Path, start: Callable[..., IsolatedRun]
) -> None:
    for name in ("hidden", "open"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("x")
    asked = [f"o={tmp_path}/hidden/file", f"o={tmp_path}/open/file", f"l={tmp_path}/hidden"]
    run = start(*asked, hide=(tmp_path / "hidden",))
    if namespaces():
        assert run.stdout.split() == ["hidden", "seen", "0"]
        assert run.hidden == (tmp_path / "hidden",)
    else:  # the program runs all the same, and the result says what it is worth
        assert run.stdout.split() == ["seen", "seen", "1"]
        assert run.hidden == ()
    assert (tmp_path / "hidden" / "file").read_text() == "x"


def test_the_bundle_is_seen_inside_a_hidden_folder(
    tmp_path: Path, start: Callable[..., IsolatedRun]
) -> None:
    """The usual case: `dist/` stands in the source tree."""
    (tmp_path / "source.py").write_text("x")
    run = start(f"o={tmp_path}/source.py", hide=(tmp_path, tmp_path / "dist"))
    assert run.code == 0
    if namespaces():
        assert run.stdout == "hidden\n"
        assert run.hidden == (tmp_path,)  # what lies inside needs no cover of its own


def test_folders_that_are_not_there_need_no_hiding(
    tmp_path: Path, start: Callable[..., IsolatedRun]
) -> None:
    run = start(hide=(tmp_path / "missing", tmp_path / "dist" / "app" / "program"))
    assert (run.code, run.hidden) == (0, ())


def test_nothing_of_this_environment_reaches_the_program(
    start: Callable[..., IsolatedRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    for name in names[2:]:
        monkeypatch.setenv(name, "/here")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/nowhere")
    monkeypatch.setenv("LANG", "C.UTF-8")
    run = start(*(f"v={name}" for name in names), "v=LANG", "v=PATH")
    assert run.stdout.split() == ["unset"] * len(names) + ["C.UTF-8", "/usr/bin:/bin"]


def test_home_and_temporary_folder_are_its_own(start: Callable[..., IsolatedRun]) -> None:
    run = start("v=HOME", "v=TMPDIR", "c=")
    home, temporary, cwd = run.stdout.split()
    assert home == cwd != str(Path.home())
    assert not Path(temporary).exists()  # it is gone with the run


@pytest.mark.parametrize("code", [0, 1, 42, 97, 126, 255])
def test_the_exit_code_is_the_programs(code: int, start: Callable[..., IsolatedRun]) -> None:
    run = start(f"e={code}")
    assert (run.code, run.stderr) == (code, "sorry\n")


def test_a_signal_is_a_negative_code(start: Callable[..., IsolatedRun]) -> None:
    assert start("s=").code == -6  # SIGABRT


def test_a_program_that_does_not_end_is_ended_and_the_answer_says_so(
    start: Callable[..., IsolatedRun],
) -> None:
    run = start("v=HOME", "t=", timeout=1)
    assert (run.seconds, run.code) == (1, -9)
    assert start("v=HOME").seconds is None


def test_a_child_that_keeps_the_output_open_is_no_hang(start: Callable[..., IsolatedRun]) -> None:
    """`sleep` inherits it, and has a session of its own, as a daemon does."""
    begin = time.monotonic()
    for command in ("sleep 20 &", "setsid sleep 20 &"):
        run = start(f"p={command}", "v=HOME", "e=3")
        assert (run.code, run.seconds) == (3, None)
        assert run.stderr == "sorry\n"
    assert time.monotonic() - begin < 15


def test_a_library_that_the_loader_does_not_find_is_named(
    start: Callable[..., IsolatedRun], tmp_path: Path, gcc: Compile
) -> None:
    opens = """
    #include <dlfcn.h>
    int main(void) { return !dlopen("libm.so.6", 2) || dlopen("libnowhere.so.3", 2); }
    """
    bundle = tmp_path / "dist" / "app"
    shutil.copy(gcc("opens", opens), bundle / "opens")
    run = run_isolated(bundle, bundle / "opens")
    assert (run.code, run.missing) == (0, ("libnowhere.so.3",))


def test_signals_do_to_the_program_what_they_do_elsewhere(
    tmp_path: Path, start: Callable[..., IsolatedRun]
) -> None:
    """Python ignores SIGPIPE, and what is ignored stays so (execve(2))."""
    question = "p=grep SigIgn /proc/self/status"
    program = [tmp_path / "dist/app/program", question]
    elsewhere = subprocess.run(program, capture_output=True, text=True, check=True)
    assert start(question).stdout == elsewhere.stdout


def test_arguments_arrive_as_they_are(start: Callable[..., IsolatedRun]) -> None:
    assert start("v=no such variable", "v=", "o=ü [x] $HOME \n").stdout == "unset\nunset\nhidden\n"


def test_a_file_that_is_no_program_fails_as_in_a_shell(tmp_path: Path) -> None:
    (tmp_path / "program").write_bytes(b"\x7fELF and nothing else")
    (tmp_path / "program").chmod(0o755)
    if namespaces():
        run = run_isolated(tmp_path, tmp_path / "program")
        assert run.code == 126
        assert "cannot be started" in run.stderr


def test_the_loaders_log_names_what_was_loaded(tmp_path: Path, gcc: Compile) -> None:
    """A library of the bundle is named by its place in the bundle, as the user knows it."""
    library = gcc("libown.so", "int own(void) { return 0; }", "-shared", "-fPIC")
    (tmp_path / "libown.so").write_bytes(library.read_bytes())
    program = gcc(
        "program", "int own(void); int main(void) { return own(); }",
        f"-L{tmp_path}", "-lown", "-Wl,-rpath,$ORIGIN",
    )  # fmt: skip
    shutil.copy(program, tmp_path / "program")
    run = run_isolated(tmp_path, tmp_path / "program")
    assert run.code == 0
    assert tmp_path / "libown.so" in run.libraries
    assert any(p.name == "libc.so.6" for p in run.libraries)
    assert len(run.libraries) == len(set(run.libraries))


def test_a_program_that_removes_its_temporary_folder_does_not_remove_the_bundle(
    tmp_path: Path, start: Callable[..., IsolatedRun]
) -> None:
    run = start("p=rm -rf $TMPDIR $HOME")
    assert run.code == 0
    assert (tmp_path / "dist/app/program").exists()
    assert any(p.name == "libc.so.6" for p in run.libraries)


def test_what_the_program_leaves_is_removed(start: Callable[..., IsolatedRun]) -> None:
    """Folders in each other, more than Python removes by itself, and one that is closed."""
    deep = "/".join(["d"] * 1500)
    run = start(f"p=cd $TMPDIR; pwd; mkdir closed; chmod 0 closed; mkdir -p {deep}")
    (folder,) = run.stdout.split()
    assert run.code == 0
    assert not Path(folder).parent.exists()


def test_files_that_the_program_makes_are_not_taken_for_the_loaders_log(
    start: Callable[..., IsolatedRun],
) -> None:
    made = "touch loader.txt loader.; mkdir loader.1; ln -s nowhere loader.2"
    run = start(f"p=cd $(dirname $LD_DEBUG_OUTPUT); {made}", "v=HOME")
    assert run.code == 0
    assert any(p.name == "libc.so.6" for p in run.libraries)


def test_without_namespaces_the_program_runs_unhidden(
    tmp_path: Path, start: Callable[..., IsolatedRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The child says so where the kernel refuses; that is all this changes."""
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "file").write_text("x")
    real = isolate.run

    def refuse(command: list[str], **options: object) -> Finished:
        if "-I" in command:
            return Finished(code=1, stdout="", stderr=f"{REFUSED}\n")
        return real(command, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(isolate, "run", refuse)
    run = start(f"o={tmp_path}/hidden/file", "v=PYTHONPATH", hide=(tmp_path / "hidden",))
    assert (run.stdout.split(), run.hidden) == (["seen", "unset"], ())
    assert any(p.name == "libc.so.6" for p in run.libraries)


def test_where_there_are_no_namespaces_no_child_is_asked(
    tmp_path: Path, start: Callable[..., IsolatedRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The child's calls are Linux's; macOS and Windows do not have them."""
    (tmp_path / "hidden").mkdir()
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    run = start("v=PYTHONPATH", hide=(tmp_path / "hidden",))
    assert (run.code, run.stdout, run.hidden) == (0, "unset\n", ())


def test_on_windows_the_folders_of_the_user_are_the_runs_own(
    start: Callable[..., IsolatedRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As programs look for them there: GetTempPath reads TMP and TEMP, and HOME is no name."""
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("SYSTEMROOT", "/Windows")
    monkeypatch.setenv("USERPROFILE", "/home/me")
    names = ("SYSTEMROOT", "USERPROFILE", "APPDATA", "TEMP", "TMP", "HOME", "PYTHONPATH")
    root, *folders, home, path = start(*(f"v={name}" for name in names)).stdout.split()
    assert (root, home, path) == ("/Windows", "unset", "unset")
    assert [Path(f).name for f in folders] == ["home", "home", "tmp", "tmp"]
    assert {Path(f).parent.name.partition("-run-")[0] for f in folders} == {"rustext"}


def test_only_pythons_own_folders_of_a_shared_prefix_are_hidden() -> None:
    found = python_folders(["/usr", "/opt/python", "/usr/local", "/"], ["/usr/lib/python3.11"])
    assert found == (Path("/opt/python"), Path("/usr/lib/python3.11"))


def test_the_user_stays_who_they_are(start: Callable[..., IsolatedRun], tmp_path: Path) -> None:
    start(f"w={tmp_path}/dist/app/made")
    assert (tmp_path / "dist/app/made").stat().st_uid == os.getuid()


def test_a_kernel_that_gives_no_namespace_is_told_by_the_child(
    tmp_path: Path,
) -> None:
    """The child itself, where it may make no namespaces: inside one that allows none."""
    order = {"root": "/", "inside": str(tmp_path / "in"), "program": "bin/true", "hide": [],
             "arguments": [], "env": {}, "home": "/", "refused": REFUSED}  # fmt: skip
    child = package_text("verify/run/isolated_child.py")
    limit = 'echo 0 > /proc/sys/user/max_mnt_namespaces; exec "$@"'
    command = ["unshare", "-Urm", "sh", "-c", limit, "sh", sys.executable, "-I", "-c", child]
    done = subprocess.run(
        [*command, json.dumps(order)], capture_output=True, text=True, timeout=60, check=False
    )
    if namespaces():
        assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{REFUSED}\n")


def test_libraries_of_programs_of_the_system_are_not_those_of_the_bundle(
    start: Callable[..., IsolatedRun],
) -> None:
    """What `ls` needs, ldd says; the program of the bundle needs the C library alone."""

    def libraries(program: str) -> set[str]:
        done = subprocess.run(["ldd", program], capture_output=True, text=True, check=True)
        return {line.split()[0] for line in done.stdout.splitlines() if "=>" in line}

    alone = {path.name for path in start().libraries}
    foreign = libraries(str(shutil.which("ls", path="/usr/bin:/bin"))) - alone
    assert foreign
    for command in ("ls / >/dev/null", "/usr/bin/env ls / >/dev/null"):
        assert {path.name for path in start(f"p={command}").libraries} == alone


CHILD = """
import json, sys
from pathlib import Path
from rustext.verify.run.isolated_run import run_isolated
root, hidden = Path(sys.argv[1]), Path(sys.argv[2])
run = run_isolated(root, root / "program", [f"o={hidden}/file", "e=3"], hide=[hidden])
print(json.dumps([run.code, run.stdout, run.stderr, len(run.hidden), run.lacking]))
"""


@pytest.mark.parametrize(
    ("refused", "out", "hidden"),
    [("pid", "hidden\n", 1), ("net", "hidden\n", 1), ("mnt", "seen\n", 0), ("user", "seen\n", 0)],
)
def test_what_the_kernel_does_not_give_is_said_and_the_program_runs(
    refused: str, out: str, hidden: int, tmp_path: Path, start: Callable[..., IsolatedRun]
) -> None:
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "file").touch()
    limit = f'echo 0 > /proc/sys/user/max_{refused}_namespaces; exec "$@"'
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", limit, "sh", sys.executable, "-c", CHILD,
         tmp_path / "dist/app", tmp_path / "hidden"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    lacking = ["namespaces for processes and the network"]
    assert json.loads(done.stdout) == [3, out, "sorry\n", hidden, lacking]
    assert start().lacking == ()
