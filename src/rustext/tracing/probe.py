"""Import an extension module once, in a child process, and see what its native code imports.

In: a native file that is a module, and the interpreter of its environment. Out: a `Probe`: the
modules that the file imported while it and its package were loaded, or why the import failed. The
child has a time limit, limits on what it may use, and a home folder of its own; what importing the
module does to the rest of the world, such as a connection that it opens, is the module's own.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rustext.discovery.module_names import importer_name
from rustext.environment.child_process import Finished, run
from rustext.errors import ForeignProcessError
from rustext.model.evidence import Evidence, EvidenceKind
from rustext.model.native_file import NativeFile
from rustext.tracing.recording import record
from rustext.tracing.trace_file import UNKNOWN

TIMEOUT = 30  # seconds; the slowest of the population's extensions takes under 3
# Limits where the system has them (setrlimit(2)): processor time, core files, and address space.
# The last is far above the room that allocators and thread stacks reserve without using it.
_ADDRESS_SPACE = 64 << 30
_FILE_SIZE = 256 << 20
_SOURCE = """
import sys
module, seconds, memory, size, *sites = sys.argv[1:]
try:
    import resource
except ImportError:
    pass
else:
    for what, limit in (
        (resource.RLIMIT_CPU, int(seconds)),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, int(memory)),
        (resource.RLIMIT_FSIZE, int(size)),
    ):
        hard = resource.getrlimit(what)[1]
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(what, (limit, hard))
sys.argv[:] = [""]
sys.path[:] = [p for p in sys.path if p] + [s for s in sites if s not in sys.path]
__import__(module)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What came of importing one module; `failure` is None when the import went well."""

    module: str
    imports: tuple[str, ...]
    failure: str | None = None

    @property
    def evidence(self) -> tuple[tuple[str, Evidence], ...]:
        """Each imported module, with what shows it."""
        seen = Evidence(
            kind=EvidenceKind.PROBED, where=f"import of {self.module}", detail="seen while loading"
        )
        return tuple((module, seen) for module in self.imports)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user has to look after."""
        if self.failure is None:
            return ()
        return (f"`import {self.module}` fails in this environment: {self.failure}",)


def probe(
    file: NativeFile, python: Path, sites: Sequence[Path] = (), *, timeout: float = TIMEOUT
) -> Probe | None:
    """Import the module that `file` is; None where nothing can import it.

    `python` is the interpreter, `sites` are folders that it is to look into after its own.
    """
    if file.module is None:
        return None
    with tempfile.TemporaryDirectory(prefix="rustext-probe-") as home:
        own = {"HOME": home, "USERPROFILE": home, "TMPDIR": home}
        with record({**os.environ, **own}) as recording:
            limits = [str(round(timeout)), str(_ADDRESS_SPACE), str(_FILE_SIZE)]
            command: list[str | Path] = [
                python,
                "-c",
                _SOURCE,
                file.module,
                *limits,
                *map(str, sites),
            ]
            try:
                failure = _failure(
                    run(command, timeout=timeout, env=recording.variables, cwd=Path(home))
                )
            except ForeignProcessError as error:
                failure = str(error)
            seen = recording.read()
    names = {*seen.imports_of(importer_name(file.path)), *seen.imports_of(UNKNOWN)}
    return Probe(module=file.module, imports=tuple(sorted(names)), failure=failure)


def _failure(done: Finished) -> str | None:
    if done.code == 0:
        return None
    if done.code < 0:
        return f"the interpreter was ended by {signal.Signals(-done.code).name}"
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return lines[-1].strip() if lines else f"the interpreter ended with exit code {done.code}"
