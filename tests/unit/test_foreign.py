"""Child processes end, and what they did is told as it was."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from rustext.errors import ForeignProcessError
from rustext.foreign import run, run_python


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
