"""Notes what a program uses of its environment; this file runs inside of the traced program.

In: a function that writes a note, a mapping that JSON can hold. Out: one note for each thing and
who asked for it: modules by the kind of their import, files, folders, metadata, libraries and
programs. Needs the standard library alone, of Python 3.8 or later, `frames` and `looks`.

Files, programs and frames come from audit hooks (PEP 578). Imports come from `_find_spec`, through
which the import system looks for each module that is not in `sys.modules`, from `_sanity_check`,
with which `importlib.import_module` begins, and from calls of `__import__`. All return before a
module's code runs: nothing of this file is on the stack of the program's own code, neither in its
tracebacks nor where `warnings` looks for the caller.
"""

from __future__ import annotations

import atexit
import os
import sys

from rustext.tracing.frames import BOOTSTRAP, Askers
from rustext.tracing.looks import Looks

TYPE_CHECKING = False  # `typing` would load much that the program may not have
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any

_importlib: Any = sys.modules["_frozen_importlib"]
_EXTERNAL = "<frozen importlib._bootstrap_external>"
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_METADATA = (".dist-info", ".egg-info")
# Code of the standard library that reads source lines for people, and goes on without them; and the
# one that runs a file.
_SHOWING = frozenset(
    {("traceback.py", ""), ("warnings.py", ""), ("inspect.py", "getframeinfo"), ("runpy.py", "")}
)


def start(
    write: Callable[[dict[str, Any]], None],
) -> Callable[[str, Any, int, FrameType], None]:
    """Note from now on; tell the function that is returned of each call of `__import__`."""
    recorder = _Recorder(write)
    find, check = _importlib._find_spec, _importlib._sanity_check

    def find_spec(name: str, path: Any, target: Any = None) -> Any:
        spec = find(name, path, target)
        if spec is not None:
            recorder.found(name, spec, sys._getframe(1))
        return spec

    def sanity_check(name: Any, package: Any, level: Any) -> None:
        check(name, package, level)
        recorder.asked(name, package, level, sys._getframe(1))

    for function in (find_spec, sanity_check):
        function.__code__ = function.__code__.replace(co_filename=BOOTSTRAP)
    _importlib._find_spec = find_spec
    _importlib._sanity_check = sanity_check
    util = sys.modules.get("importlib.util")
    if getattr(util, "_find_spec", None) is find:
        util._find_spec = find_spec  # type: ignore[union-attr]
    sys.addaudithook(recorder.hear)
    atexit.register(recorder.finish)
    return recorder.asked


class _Recorder:
    """What was noted so far, and where the program's files are."""

    def __init__(self, write: Callable[[dict[str, Any]], None]) -> None:
        self._write = write
        self._askers = Askers()
        own = (write, _absolute, Looks.hear)  # they open files as well
        self._own = {function.__code__.co_filename for function in own}
        self._seen: set[tuple[str, ...]] = set()
        self._early = frozenset(sys.modules)
        self._path: list[Any] = []
        self._roots: list[str] = []
        self._served: set[str] = set()  # folders that an import finder knows of
        self._start_folder = _absolute("")
        self._given: set[str] = set()  # paths among the program's arguments: the user's files
        self._loaded: set[str] = set()  # the files of modules
        self._databases: dict[str, float] = {}  # and when they were changed last
        self._outside = 0
        self._looks = Looks(self._askers, self._note)
        self._handlers: dict[str, Callable[..., None]] = {
            "open": self._open,
            "os.listdir": self._list,
            "os.scandir": self._list,
            "ctypes.dlopen": self._load,
            "subprocess.Popen": self._start,
            "os.posix_spawn": self._start,
            "os.exec": self._start,
            "sqlite3.connect": self._connect,
            "os.mkdir": self._make,
            "os.rename": lambda frame, _old, *args: self._make(frame, *args),
            "os.link": lambda frame, _old, *args: self._make(frame, *args),
            "os.symlink": lambda frame, _old, *args: self._make(frame, *args),
            "os.spawn": lambda frame, _mode, *args: self._start(frame, *args),
        }

    def hear(self, event: str, args: tuple[Any, ...]) -> None:
        """The audit hook; whatever goes wrong here is none of the program's business."""
        self._looks.hear(event, args)
        handler = self._handlers.get(event)
        if handler is not None:
            try:
                frame = sys._getframe(1)
                if frame.f_code.co_filename not in self._own:
                    handler(frame, *args)
            except Exception:  # noqa: BLE001
                return

    # --- imports ----------------------------------------------------------------------------------

    def found(self, name: str, spec: Any, frame: FrameType) -> None:
        """Note a module that the import system has found and not loaded yet."""
        try:
            origin = spec.origin if isinstance(spec.origin, str) else ""
            self._note_import(name, origin, frame)
        except Exception:  # noqa: BLE001
            return

    def asked(self, name: str, package: Any, level: int, frame: FrameType) -> None:
        """Note a module that `importlib.import_module` is asked for and that is loaded already."""
        try:
            if level:
                name = _importlib._resolve_name(name, package, level)
            module = sys.modules.get(name)
            spec = getattr(module, "__spec__", None)
            name = str(getattr(spec, "name", None) or getattr(module, "__name__", name))
            if module is not None and name != "__main__":  # its own name, not an alias
                origin = getattr(module, "__file__", None)
                self._note_import(name, origin if isinstance(origin, str) else "", frame)
        except Exception:  # noqa: BLE001
            return

    def _note_import(self, name: str, origin: str, frame: FrameType) -> None:
        kind, asker = self._askers.explain_import(frame)
        full = os.path.abspath(origin) if os.path.isabs(origin) else ""
        if full and not self._entry(full):
            self._serve(name, full)
        self._note_module(name, full, kind, asker)

    def _serve(self, name: str, file: str) -> None:
        """Take in the folder of a module that no entry of `sys.path` holds.

        A finder has found it, as those of editable installs do.
        """
        folder, base = os.path.split(file)
        stem = folder if base.startswith("__init__.") else file[: -len(base)] + base.split(".")[0]
        tail = os.sep + name.replace(".", os.sep)
        if stem.endswith(tail):
            self._served.add(stem[: -len(tail)])
            self._path = []  # to be read again

    def _note_module(self, name: str, file: str, kind: str, asker: str) -> None:
        key = ("import", name, kind, asker if kind != "statement" else "")
        if key not in self._seen:
            self._seen.add(key)
            self._loaded.add(file)
            entry = self._entry(file) if file else ""
            note = {"name": name, "file": file, "entry": entry, "kind": kind, "by": asker}
            self._write({"do": "import", **note})

    def _entry(self, path: str) -> str:
        """The innermost entry of `sys.path` that holds the file, or ""."""
        if self._path != sys.path:
            self._path = list(sys.path)
            vague = {
                os.sep,
                os.path.expanduser("~"),
                os.path.abspath(os.environ.get("TMPDIR", "/tmp")),  # noqa: S108
            }
            roots = {_absolute(p) for p in self._path if isinstance(p, str)}
            self._roots = sorted((roots | self._served) - vague, key=len, reverse=True)
            words = getattr(sys, "argv", [])[1:]
            words = [part for w in words if isinstance(w, str) for part in (w, w.partition("=")[2])]
            self._given = {_absolute(os.path.join(self._start_folder, w)) for w in words if w}
        return next((r for r in self._roots if path.startswith(r + os.sep)), "")

    # --- files ------------------------------------------------------------------------------------

    def _open(self, frame: FrameType, path: Any, mode: Any, flags: Any) -> None:
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if not isinstance(path, str):
            return
        by = frame.f_code.co_filename
        if by == "<frozen zipimport>" or (by == _EXTERNAL and self._is_import(frame)):
            return
        entry = self._entry(path) if os.path.isabs(path) else ""
        writes = flags & _WRITING if isinstance(flags, int) else set(mode or "") & set("wax+")
        if entry and writes:
            self._note("write", path, entry, "")
        elif not entry or any(path == g or path.startswith(g + os.sep) for g in self._given):
            self._outside += 1
        else:
            self._note_read(frame, path, entry)

    def _make(self, _frame: FrameType, path: Any, *_: Any) -> None:
        """Note what comes into being, with all that will be in it, as written by the program."""
        path = os.fsdecode(path)
        entry = self._entry(path) if os.path.isabs(path) else ""
        if entry and not os.path.isdir(path):
            self._note("write", path, entry, "")

    def _connect(self, frame: FrameType, name: Any) -> None:
        """Note a database of SQLite: a path, or a URI with one (sqlite.org/uri.html)."""
        path = os.fsdecode(name)
        if path.startswith("file:"):
            first, *coded = os.fsencode(path[5:].partition("?")[0]).split(b"%")
            decoded = (bytes.fromhex(part[:2].decode()) + part[2:] for part in coded)
            path = os.fsdecode(first + b"".join(decoded))
            path = os.sep + path.lstrip("/") if path.startswith("/") else path
        if os.path.isfile(path):  # not to be made yet
            self._databases[path] = os.stat(path).st_mtime
            self._open(frame, path, "r", 0)

    def _note_read(self, frame: FrameType, path: str, entry: str) -> None:
        asker, passed = self._askers.find(frame)
        folder, _, above = path.partition(os.sep + os.pardir + os.sep)
        if above:  # the kernel goes through the folder, which has to be there
            self._note("list", os.path.normpath(folder), entry, asker)
            path = os.path.normpath(path)
        if path.endswith(".py"):
            if not any((file, "") in _SHOWING or (file, f) in _SHOWING for file, f in passed):
                self._note("source", path, entry, asker)
            elif passed[:1] != [("linecache.py", "getlines")]:
                self._watch_lines(sys.modules.get("linecache"))
        elif os.path.dirname(path).endswith(_METADATA):
            self._note("metadata", path, entry, asker)
        elif not path.endswith((".pyc", ".pth")):
            self._note("open", path, entry, asker)

    def _watch_lines(self, cache: Any) -> None:
        """See who reads the lines that `linecache` has kept since they were shown."""
        get = cache.getlines

        def getlines(filename: Any, module_globals: Any = None) -> Any:
            if isinstance(filename, str) and self._entry(filename):
                self.hear("open", (filename, "r", 0))
            return get(filename, module_globals)

        getlines.__code__ = getlines.__code__.replace(co_filename=cache.__file__)
        cache.getlines = getlines if get.__module__ != __name__ else get

    def _is_import(self, frame: FrameType) -> bool:
        """Whether a loader reads code, for an import or for who has made the loader by a path."""
        above = frame.f_back  # of `get_data`
        if above is None or above.f_code.co_filename != _EXTERNAL:
            return False  # `pkgutil` and `importlib.resources` read data with a loader
        if above.f_code.co_name == "get_source":
            return False
        names, place = above.f_locals, above
        while place.f_back is not None and place.f_code.co_filename == _EXTERNAL:
            place = place.f_back
        if place.f_code.co_filename == BOOTSTRAP or place.f_code.co_name == "_run_module_code":
            return True
        file, (asker, passed) = str(names.get("source_path")), self._askers.find(place)
        entry = self._entry(file)
        if passed and passed[0] == ("util.py", "__getattribute__"):  # importlib.util.LazyLoader
            if entry:
                self._note_module(str(names.get("fullname")), file, "import_module", asker)
        elif entry and not any(f == "runpy.py" for f, _ in passed):
            self._askers.by_path[file] = asker
            self._note("source", file, entry, asker)
        return True

    def _list(self, frame: FrameType, path: Any) -> None:
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if not isinstance(path, str) or not os.path.isabs(path):
            return
        if frame.f_code.co_filename == _EXTERNAL:  # the import system
            return
        path = os.path.normpath(path)
        entry = self._entry(path)
        if entry and path not in self._roots and not path.endswith(_METADATA):
            asker, passed = self._askers.find(frame)
            if not any(file == "pkgutil.py" for file, _ in passed):  # it lists modules
                self._note("list", path, entry, asker)

    def _note(self, do: str, path: str, entry: str, asker: str) -> None:
        path = os.path.normpath(path) if entry else path
        key = (do, path, asker)
        if key not in self._seen:
            self._seen.add(key)
            self._write({"do": do, "file": path, "entry": entry, "by": asker})

    # --- libraries and programs -------------------------------------------------------------------

    def _load(self, frame: FrameType, name: Any) -> None:
        if isinstance(name, bytes):
            name = os.fsdecode(name)
        if isinstance(name, str) and name:
            entry = self._entry(os.path.abspath(name)) if os.path.dirname(name) else ""
            path = os.path.abspath(name) if entry else os.path.basename(name)
            self._note("library", path, entry, self._askers.find(frame)[0])

    def _start(self, frame: FrameType, program: Any, args: Any = (), *_: Any) -> None:
        program = os.fsdecode(program if program is not None else args[0])
        path = program if os.path.dirname(program) else _which(program)
        path = os.path.abspath(path or program)
        own = {os.path.abspath(sys.executable or ""), os.path.realpath(sys.executable or "")}
        if path in own or os.path.realpath(path) in own:
            words = [os.fsdecode(a) for a in args if isinstance(a, (str, bytes, os.PathLike))][1:]
            at = next((i for i, word in enumerate(words) if word in {"-m", "-c"}), None)
            module = words[at + 1] if at is not None and words[at : at + 2][:1] == ["-m"] else ""
            self._note("python", module, "", self._askers.find(frame)[0])
        else:
            prefix = os.path.abspath(sys.prefix)
            entry = self._entry(path) or (prefix if path.startswith(prefix + os.sep) else "")
            name = path if entry else os.path.basename(program)
            self._note("program", name, entry, self._askers.find(frame)[0])

    def finish(self) -> None:
        """Note what native code has put into `sys.modules` or mapped, and count other files.

        mypyc's modules, for example, are made by the library that holds the code of all.
        """
        for name, module in list(sys.modules.items()):
            origin = getattr(module, "__file__", None)
            if (
                name in self._early
                or not isinstance(origin, str)
                or self._askers.is_standard(origin)
            ):
                continue
            file = os.path.abspath(origin)
            named = getattr(getattr(module, "__spec__", None), "name", None) == name
            if named and file not in self._loaded:
                self._note_module(name, file, "import_module", "")
        for path, changed in self._databases.items():
            if os.path.isfile(path) and os.stat(path).st_mtime != changed:
                self._note("write", path, self._entry(path), "")
        try:
            with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
                paths = {line.split(None, 5)[5].rstrip("\n") for line in maps if line.count("/")}
        except Exception:  # noqa: BLE001 (not Linux; an audit hook of the program's refuses)
            paths = set()
        for path in sorted(paths - self._loaded):
            entry = self._entry(path)
            if entry:
                self._note("mapped", path, entry, "")
        self._write({"do": "outside", "count": self._outside})


def _which(program: str) -> str:
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder, program)
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    return ""


def _absolute(path: str) -> str:
    try:
        return os.path.abspath(path)
    except OSError:  # the working directory is gone
        return path
