"""Let Python processes note what they use, and make a record of the notes.

In: the variables that the processes are started with, and the lines that the recorder writes in
them. Out: a `Trace`.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from rustext.data import package_folder, package_text
from rustext.discovery.module_names import importer_name
from rustext.discovery.native_files import is_rust
from rustext.environment.environment import Environment
from rustext.errors import InvalidBinary, UnreadableFile, UnwritableFile
from rustext.files.output import check_output, write_output
from rustext.tracing.native_opens import OpenWatch
from rustext.tracing.trace_file import UNKNOWN, Importer, Language, Trace, merge
from rustext.tracing.usage_notes import count_outside, make_usages

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
if sys.version_info >= (3, 8):
    before = set(sys.modules)
    sys.path.insert(0, folder)
    import rustext_recorder, rustext_usage_recorder
    sys.path.remove(folder)
    asked = rustext_usage_recorder.start(rustext_recorder.append_to(output))
    rustext_recorder.start(output, asked)
    # The program imports by itself what it needs of these, and that is noted. Native modules stay.
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").endswith(".py"):
            del sys.modules[name]
"""
_NOTES = "notes.jsonl"
_WHAT = "what `rustext trace --start` writes"
_MODULES = ("frames", "looks", "recorder", "usage_recorder")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recording that is going on: `variables` make Python processes take part in it."""

    output: Path
    variables: Mapping[str, str]
    watch: OpenWatch | None = None  # of files that native code opens

    def read(self, env: Environment | None = None) -> Trace:
        """What was seen so far: with the environment, all that the program has used of it."""
        try:
            lines = self.output.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return Trace()
        found = parse_notes(lines)
        if env is None:
            return found
        markers = env.interpreter.markers
        return replace(
            found,
            usages=make_usages([*_iter_notes(lines), *self._iter_native(env)], env),
            pythons=(".".join(map(str, env.interpreter.version)),),
            platforms=(f"{markers['sys_platform']}-{markers['platform_machine'].lower()}",),
        )

    def _iter_native(self, env: Environment) -> Iterator[Mapping[str, Any]]:
        own = package_folder()  # which any other rustext reads in the meantime
        for path in self.watch.opened() if self.watch is not None else ():
            if path.is_relative_to(own):
                continue
            entry = max((s for s in env.sites if path.is_relative_to(s)), default="", key=_depth)
            yield {"do": "native", "file": str(path), "entry": str(entry), "by": ""}

    @property
    def outside(self) -> int | None:
        """How many files were opened that belong to neither a distribution nor the program.

        None where no Python process took part.
        """
        try:
            lines = self.output.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return None
        return count_outside(_iter_notes(lines))


@contextlib.contextmanager
def record(environ: Mapping[str, str], watched: Iterable[Path] = ()) -> Iterator[Recording]:
    """Let all Python processes that are started with the recording's variables take part.

    A process that ignores `PYTHONPATH` (`python -I`, `-E`, `-S`) is not seen. Files that native
    code opens below the folders in `watched` are seen, by whatever process.
    """
    with (
        tempfile.TemporaryDirectory(prefix="rustext-trace-") as name,
        contextlib.closing(OpenWatch(watched)) as watch,
    ):
        yield replace(prepare(Path(name), environ), watch=watch)


def prepare(folder: Path, environ: Mapping[str, str]) -> Recording:
    """Put into a folder what makes Python processes take part that have it in `PYTHONPATH`.

    Notes go into the folder as well. Raises `UnwritableFile` where the folder cannot be written to,
    or holds a file of such a name that is not rustext's own.
    """
    folder = folder.resolve()
    boot = _BOOT.format(folder=str(folder), output=str(folder / _NOTES))
    texts = {"sitecustomize.py": boot}
    for module in _MODULES:
        text = package_text(f"tracing/{module}.py")
        # They are no modules of rustext there, which may be another one or none.
        texts[f"rustext_{module}.py"] = text.replace("from rustext.tracing.", "from rustext_")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnwritableFile(f"{folder} cannot be written to: {error.strerror}") from error
    files = [(folder / name, text, text.encode().__eq__) for name, text in texts.items()]
    check_output(folder / _NOTES, _are_notes, what=_WHAT)
    for path, _, is_same in files:
        check_output(path, is_same, what=_WHAT)
    for path, text, is_same in files:
        write_output(path, text, is_same, what=_WHAT)
    return open_recording(folder, environ)


def _are_notes(data: bytes) -> bool:
    first = next(_iter_notes(data.decode("utf-8", "replace").splitlines()[:1]), {})
    return not first.keys().isdisjoint(("do", "module"))


def open_recording(folder: Path, environ: Mapping[str, str]) -> Recording:
    """The recording that was prepared in a folder."""
    path = os.pathsep.join([str(folder), *filter(None, [environ.get("PYTHONPATH")])])
    return Recording(output=folder / _NOTES, variables={**environ, "PYTHONPATH": path})


def _depth(path: Path) -> int:
    return len(path.parts)


def parse_notes(lines: Iterable[str]) -> Trace:
    """Make a record of what native code has imported; the importing files are looked at."""
    seen: dict[tuple[str, str], set[str]] = {}
    for note in _iter_notes(lines):
        if "module" in note:
            seen.setdefault((note["file"], note["entry"]), set()).add(note["module"])
    return merge(
        Trace(importers=(_describe(Path(file), entry, modules),))
        for (file, entry), modules in seen.items()
    )


def _iter_notes(lines: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    """The recorder's notes; a line that a dying process has cut short is skipped."""
    for line in lines:
        try:
            note = json.loads(line)
        except ValueError:
            continue
        if isinstance(note, dict):
            yield note


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
