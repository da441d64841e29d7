"""Child processes end, and what they did is told as it was."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from rustext.environment.child_process import run, run_python
from rustext.environment.environment import read_interpreter
from rustext.errors import ForeignProcessError, InvalidEnvironment


def test_output_and_exit_code_are_kept_apart() -> None:
    script = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(5)"
    done = run([sys.executable, "-c", script], timeout=30)
    assert (done.code, done.stdout, done.stderr) == (5, "out\n", "err\n")


def test_a_signal_is_a_negative_code() -> None:
    script = "import os; os.kill(os.getpid(), 9)"
    assert run([sys.executable, "-c", script], timeout=30).code == -9


def test_a_process_that_does_not_end_is_ended() -> None:
    start = time.monotonic()
    with pytest.raises(ForeignProcessError, match=r"did not end within 0\.2 seconds"):
        run([sys.executable, "-c", "import time; time.sleep(60)"], timeout=0.2)
    assert time.monotonic() - start < 10


def test_what_a_process_has_started_ends_with_it(tmp_path: Path) -> None:
    """A one-file program is two processes: the one that unpacks, and the program itself."""
    script = f"sleep 60 & echo $! > {tmp_path}/pid; wait"
    with pytest.raises(ForeignProcessError):
        run(["sh", "-c", script], timeout=0.5)
    child = int((tmp_path / "pid").read_text())
    end = time.monotonic() + 10
    while Path(f"/proc/{child}").exists() and time.monotonic() < end:
        state = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "Z":  # ended, and nobody has asked how
            break
        time.sleep(0.01)
    else:
        assert not Path(f"/proc/{child}").exists()


def test_a_process_that_waits_for_input_gets_none() -> None:
    done = run([sys.executable, "-c", "print(len(input()))"], timeout=30)
    assert "EOFError" in done.stderr


@pytest.mark.parametrize("name", ["missing", "folder", "text"])
def test_what_cannot_be_started_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("no program")
    (tmp_path / "text").chmod(0o755)
    with pytest.raises(ForeignProcessError, match=f"{name} cannot be run: "):
        run([tmp_path / name], timeout=5)


def test_output_that_is_no_text_does_no_harm() -> None:
    script = "import sys; sys.stdout.buffer.write(b'\\xff\\xfe')"
    assert run([sys.executable, "-c", script], timeout=30).stdout == "\ufffd\ufffd"


def test_environment_and_folder_are_those_given(tmp_path: Path) -> None:
    script = "import os; print(sorted(os.environ), os.getcwd())"
    done = run([sys.executable, "-I", "-c", script], timeout=30, env={"LC_ALL": "C"}, cwd=tmp_path)
    assert done.stdout == f"{['LC_ALL']} {tmp_path.resolve()}\n"


def test_a_script_that_fails_is_told_by_its_last_line() -> None:
    with pytest.raises(ForeignProcessError, match="exit code 1: ValueError: no"):
        run_python(Path(sys.executable), "raise ValueError('no')")
    with pytest.raises(ForeignProcessError, match="exit code 7: no output"):
        run_python(Path(sys.executable), "import sys; sys.exit(7)")
    assert run_python(Path(sys.executable), "print(6 * 7)") == "42\n"


def test_what_path_files_print_is_no_part_of_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "import atexit\nprint('{} hello', end='')\natexit.register(print, '[bye]')\n"
    (tmp_path / "sitecustomize.py").write_text(source)  # runs as they do
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    python = Path(sys.executable)
    assert run_python(python, "print(6 * 7)") == "42\n"
    assert str(tmp_path) in read_interpreter(python).path
    (tmp_path / "sitecustomize.py").write_text("import os\nos._exit(0)\n")
    with pytest.raises(InvalidEnvironment, match="does not answer"):
        read_interpreter(python)


MEASURED = """
import resource, sys
from rustext.errors import ForeignProcessError
from rustext.environment.child_process import run
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    done = run(["sh", "-c", sys.argv[1]], timeout=float(sys.argv[2]))
    print(done.stdout[:5], done.stdout[-4:].strip(), len(done.stdout), len(done.stderr))
    print(*[line for line in done.stdout.splitlines() if "left out" in line])
except ForeignProcessError as error:
    print(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


def measure(script: str, timeout: float) -> list[str]:
    """What became of a shell's script, line by line; the last is what it took, in MiB."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, script, str(timeout)],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return done.stdout.splitlines()


def test_a_process_that_prints_without_end_fills_no_memory() -> None:
    said, size = measure("yes & yes >&2", 2)
    assert "did not end within 2 seconds" in said
    assert int(size) < 100


def test_of_a_long_output_the_beginning_and_the_end_are_kept() -> None:
    half = 300_000_000
    script = f"echo start; head -c {half} /dev/zero; head -c {half} /dev/zero >&2; echo end"
    said, gap, size = measure(script, 50)
    first, last, *lengths = said.split()
    assert (first, last) == ("start", "end")
    assert all(8 << 20 < int(length) < 9 << 20 for length in lengths)
    assert gap == f"[{half + len('start end ') - (8 << 20):,} bytes left out]"
    assert int(size) < 100


def test_output_of_a_usual_length_is_whole() -> None:
    script = "import sys; sys.stdout.write('x' * (8 << 20)); sys.stderr.write('y' * (5 << 20))"
    done = run([sys.executable, "-c", script], timeout=30)
    assert (done.stdout, done.stderr) == ("x" * (8 << 20), "y" * (5 << 20))
