"""A pytest plugin that records what a test run uses.

    pytest -p rustext.tracing.pytest_plugin --rustext-trace FILE

Processes that the tests start take part, those of pytest-xdist among them. The record is written
when the run ends, whatever its result.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from rustext.environment.environment import this_environment
from rustext.errors import RustextError
from rustext.tracing import recorder, usage_recorder
from rustext.tracing.freshness import program_digest
from rustext.tracing.recording import Recording, prepare
from rustext.tracing.trace_file import check_record_path, write_trace

_OPTION = "--rustext-trace"


def pytest_addoption(parser: Any) -> None:
    """Declare the option; it is the plugin's only one."""
    group = parser.getgroup("rustext")
    group.addoption(_OPTION, metavar="FILE", help="record what the tests use, for `rustext`")


def pytest_configure(config: Any) -> None:
    """Record from now on, in this process and in those that it starts."""
    name = config.getoption(_OPTION)
    # A worker of pytest-xdist takes part as any other process:
    # https://pytest-xdist.readthedocs.io/en/stable/how-to.html
    if not name or hasattr(config, "workerinput"):
        return
    output = Path(name).absolute()
    try:
        check_record_path(output)
    except RustextError as error:
        import pytest  # noqa: PLC0415  (rustext itself does without)

        raise pytest.UsageError(f"{_OPTION}: {error}") from error
    recording = prepare(Path(tempfile.mkdtemp(prefix="rustext-trace-")), os.environ)
    os.environ["PYTHONPATH"] = recording.variables["PYTHONPATH"]
    notes = str(recording.output)
    recorder.start(notes, usage_recorder.start(recorder.append_to(notes)))
    config.add_cleanup(lambda: _finish(recording, output))


def _finish(recording: Recording, output: Path) -> None:
    """Write the record, and say so below what pytest has printed."""
    sys.stdout.flush()
    try:
        found = recording.read(this_environment()).without_other_languages()
        digest = program_digest(found, Path.cwd())
        programs = (digest,) if digest is not None else ()
        write_trace(replace(found, runs=("-m pytest",), programs=programs), output)
    except RustextError as error:
        sys.stderr.write(f"rustext: {error}\n")
    else:
        sys.stderr.write(f"rustext: {output} written\n")
    finally:
        shutil.rmtree(recording.output.parent, ignore_errors=True)
