"""The one place that runs foreign code, always in a child process and never without a limit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread
from typing import IO

from rustext.errors import ForeignProcessError

_KEPT = 4 << 20  # bytes of an output's beginning, and as many of its end
_CHUNK = 1 << 16  # bytes; what a pipe holds (pipe(7))
_GRACE = 1  # seconds for a pipe of what has been killed to close
_LAST_WORDS = 5  # seconds for the rest of what a process has printed to be read


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What a child process left behind; `code` is negative for the signal that killed it.

    Of an output of more than 8 MiB there are the beginning and the end, and how much is left out.
    `ended` is False for one that was ended because its time was over.
    """

    code: int
    stdout: str
    stderr: str
    ended: bool = True


def run(
    command: Sequence[str | Path],
    *,
    timeout: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    name: str | None = None,
    patient: bool = False,
) -> Finished:
    """Run a command to its end, in a session of its own.

    `timeout` is in seconds; what the command has started ends with it. Messages call it `name`, or
    else by its file's name. Raises `ForeignProcessError` when it cannot be started or, unless
    `patient`, does not end in time; a non-zero exit code is the caller's to judge.
    """
    name = name or Path(command[0]).name
    try:
        with subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(env) if env is not None else None,
            cwd=cwd,
            start_new_session=True,
            bufsize=0,
        ) as process:
            assert process.stdout is not None  # noqa: S101 (for mypy: both are pipes)
            assert process.stderr is not None  # noqa: S101
            outputs = (_Output(process.stdout), _Output(process.stderr))
            ended = True
            try:
                _wait(process, outputs, timeout)
            except BaseException as error:
                _kill(process)
                for output in outputs:
                    output.reader.join(_GRACE)
                if not patient or not isinstance(error, subprocess.TimeoutExpired):
                    raise
                ended = False
    except subprocess.TimeoutExpired as error:
        raise ForeignProcessError(f"{name} did not end within {timeout:g} seconds") from error
    except OSError as error:
        raise ForeignProcessError(f"{command[0]} cannot be run: {error.strerror}") from error
    return Finished(
        code=process.returncode,
        stdout=outputs[0].text(),
        stderr=outputs[1].text(),
        ended=ended,
    )


class _Output:
    """What a pipe brings, read to its end in a thread; a program may print without one."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._first, self._last = bytearray(), bytearray()
        self._left_out = 0
        self.reader = Thread(target=self._read, daemon=True)
        self.reader.start()

    def text(self) -> str:
        """All of it, or its beginning and its end."""
        gap = f"\n[{self._left_out:,} bytes left out]\n".encode() if self._left_out else b""
        return b"".join((self._first, gap, self._last)).decode(errors="replace")

    def _read(self) -> None:
        with suppress(OSError, ValueError):  # closed already
            while chunk := self._pipe.read(_CHUNK):
                room = _KEPT - len(self._first)
                self._first += chunk[:room]
                self._last += chunk[room:]
                if (more := len(self._last) - _KEPT) > 0:
                    del self._last[:more]
                    self._left_out += more


def _wait(process: subprocess.Popen[bytes], outputs: Sequence[_Output], timeout: float) -> None:
    """Wait until the process has ended, and what it has printed is read.

    What it has started may live on and hold its pipes open: that ends with it.
    """
    process.wait(timeout)
    end = time.monotonic() + _LAST_WORDS
    for output in outputs:
        output.reader.join(max(0.0, end - time.monotonic()))
    if any(output.reader.is_alive() for output in outputs):
        _kill(process)
        for output in outputs:
            output.reader.join(_GRACE)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process with all that it has started."""
    if sys.platform == "win32":
        tree = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
        with suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(tree, capture_output=True, timeout=_LAST_WORDS, check=False)
        process.kill()
    else:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def run_attached(
    command: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path | None = None
) -> int:
    """Run the user's own program at the user's terminal; return its exit code.

    The one child process without a time limit: its user ends it, by Ctrl-C, which the terminal
    sends to the program too, or by SIGTERM, which is passed on. Raises `ForeignProcessError` when
    it cannot be started.
    """
    try:
        process = subprocess.Popen([str(part) for part in command], env=dict(env), cwd=cwd)
    except OSError as error:
        raise ForeignProcessError(f"{command[0]} cannot be run: {error.strerror}") from error
    with process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:  # the program says what it makes of it
                continue
            except SystemExit:  # SIGTERM, as `rustext.__main__` has it
                process.terminate()


def ask_python(
    python: str | Path, source: str, *, timeout: float = 30, cwd: Path | None = None
) -> Finished:
    """Run a script in another interpreter; `stdout` is what the script itself has printed.

    Path files of the interpreter (`.pth`) may print as it starts and as it ends. Raises as `run`.
    """
    mark = os.urandom(16).hex()
    marked = f"print({mark!r}, end='')\nexec({source!r})\nprint({mark!r}, end='')"
    done = run([python, "-c", marked], timeout=timeout, cwd=cwd)
    parts = done.stdout.split(mark)
    return replace(done, stdout=parts[1] if len(parts) > 1 else "")


def run_python(python: Path, source: str, *, timeout: float = 30) -> str:
    """Run a script in another interpreter and return what it printed.

    Raises `ForeignProcessError` if it fails.
    """
    done = ask_python(python, source, timeout=timeout)
    if done.code != 0:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1][:120]
        raise ForeignProcessError(f"{python} failed with exit code {done.code}: {last}")
    return done.stdout
