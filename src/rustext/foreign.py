"""The one place that runs foreign code, always in a child process and never without a limit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rustext.errors import ForeignProcessError


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What a child process left behind; `code` is negative for the signal that killed it."""

    code: int
    stdout: str
    stderr: str


def run(
    command: Sequence[str | Path],
    *,
    timeout: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Finished:
    """Run a command to its end, in a session of its own.

    `timeout` is in seconds; what the command has started ends with it. Raises
    `ForeignProcessError` when it cannot be started or does not end in time; a non-zero exit code
    is the caller's to judge.
    """
    name = Path(command[0]).name
    try:
        with subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(env) if env is not None else None,
            cwd=cwd,
            start_new_session=True,
        ) as process:
            try:
                stdout, stderr = process.communicate(timeout=timeout)
            except BaseException:
                _kill(process)
                raise
    except subprocess.TimeoutExpired as error:
        raise ForeignProcessError(f"{name} did not end within {timeout:g} seconds") from error
    except OSError as error:
        raise ForeignProcessError(f"{command[0]} cannot be run: {error.strerror}") from error
    return Finished(
        code=process.returncode,
        stdout=stdout.decode(errors="replace"),
        stderr=stderr.decode(errors="replace"),
    )


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process with all that it has started; on Windows, the process."""
    if sys.platform == "win32":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)


def run_attached(command: Sequence[str | Path], *, env: Mapping[str, str]) -> int:
    """Run the user's own program at the user's terminal; return its exit code.

    The one child process without a time limit: its user ends it, by Ctrl-C as well, which the
    terminal sends to the program too. Raises `ForeignProcessError` when it cannot be started.
    """
    try:
        process = subprocess.Popen([str(part) for part in command], env=dict(env))
    except OSError as error:
        raise ForeignProcessError(f"{command[0]} cannot be run: {error.strerror}") from error
    with process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:  # the program says what it makes of it
                continue


def run_python(python: Path, source: str, *, timeout: float = 30) -> str:
    """Run a script in another interpreter and return what it printed.

    Raises `ForeignProcessError` if it fails.
    """
    done = run([python, "-c", source], timeout=timeout)
    if done.code != 0:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1][:120]
        raise ForeignProcessError(f"{python} failed with exit code {done.code}: {last}")
    return done.stdout
