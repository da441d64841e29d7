"""Let Python processes note what their native code imports, and make a record of the notes.

In: the variables that the processes are started with, and the lines that the recorder writes in
them. Out: a `Trace`.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rustext.data import package_text
from rustext.discovery.module_names import importer_name
from rustext.discovery.native_files import is_rust
from rustext.errors import InvalidBinary, UnreadableFile
from rustext.tracing.trace_file import UNKNOWN, Importer, Language, Trace, merge

# Python runs `sitecustomize` before the program; one that was there before gets its turn.
# https://docs.python.org/3/library/site.html#module-sitecustomize
_BOOT = """\
import sys

folder, output = {folder!r}, {output!r}
sys.path[:] = [entry for entry in sys.path if entry != folder]
del sys.modules["sitecustomize"]
try:
    import sitecustomize
except ImportError as error:
    if getattr(error, "name", "sitecustomize") != "sitecustomize":
        raise
    sys.modules["sitecustomize"] = type(sys)("sitecustomize")
if sys.version_info >= (3, 10):
    sys.path.insert(0, folder)
    import {module}
    sys.path.remove(folder)
    {module}.start(output)
"""
_MODULE = "rustext_recorder"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recording that is going on: `variables` make Python processes take part in it."""

    output: Path
    variables: Mapping[str, str]

    def read(self) -> Trace:
        """What was seen so far."""
        try:
            return parse_notes(self.output.read_text(encoding="utf-8").splitlines())
        except FileNotFoundError:
            return Trace()


@contextmanager
def record(environ: Mapping[str, str]) -> Iterator[Recording]:
    """Let all Python processes that are started with the recording's variables take part.

    A process that ignores `PYTHONPATH` (`python -I`, `-E`, `-S`) is not seen.
    """
    with tempfile.TemporaryDirectory(prefix="rustext-trace-") as name:
        folder = Path(name).resolve()
        output = folder / "notes.jsonl"
        boot = _BOOT.format(folder=str(folder), output=str(output), module=_MODULE)
        (folder / "sitecustomize.py").write_text(boot, encoding="utf-8")
        text = package_text("tracing/recorder.py")
        (folder / f"{_MODULE}.py").write_text(text, encoding="utf-8")
        path = os.pathsep.join([str(folder), *filter(None, [environ.get("PYTHONPATH")])])
        yield Recording(output=output, variables={**environ, "PYTHONPATH": path})


def parse_notes(lines: Iterable[str]) -> Trace:
    """Make a record of the recorder's lines; the importing files are looked at.

    A line that a dying process has cut short is passed over.
    """
    seen: dict[tuple[str, str], set[str]] = {}
    for line in lines:
        try:
            note = json.loads(line)
            key, module = (note["file"], note["entry"]), note["module"]
        except (ValueError, KeyError, TypeError):
            continue
        seen.setdefault(key, set()).add(module)
    return merge(
        Trace(importers=(_describe(Path(file), entry, modules),))
        for (file, entry), modules in seen.items()
    )


def _describe(file: Path, entry: str, modules: set[str]) -> Importer:
    imports = tuple(sorted(modules))
    if file == Path():
        return Importer(name=UNKNOWN, language=Language.UNKNOWN, imports=imports)
    relative = PurePosixPath(file.relative_to(entry).as_posix() if entry else file.name)
    try:
        language = Language.RUST if is_rust(file) else Language.OTHER
    except (InvalidBinary, UnreadableFile):  # gone since
        language = Language.UNKNOWN
    return Importer(name=importer_name(relative), language=language, imports=imports)
