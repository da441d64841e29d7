"""Notes which modules native code imports; this file runs inside of the program that is traced.

In: a file name. Out: in that file, one line of JSON for each (importing file, module) that was
seen, written at once, so that neither a crash nor `os._exit` loses any. Needs the standard library
alone, of Python 3.8 or later, and `frames`: their text is run by foreign interpreters, under other
names (`rustext.tracing.recording`). It loads nothing in vain, as the program would find it loaded.

`PyImport_Import`, and with it `PyImport_ImportModule` and `PyCapsule_Import`, calls
`builtins.__import__`, cached modules included (https://docs.python.org/3/c-api/import.html). Python
code comes here from an `IMPORT_NAME` instruction of the calling frame; what comes from elsewhere is
looked up on the C stack, between this function's interpreter loop and the next: there are the C
API function that imports and the file that called it. Where the system has no way to walk the C
stack, the arguments that `PyImport_Import` passes tell, and the importing file is known only while
it is being loaded. Not seen: `PyImport_ImportModuleLevelObject`, which Cython's `import` uses, and
modules that native code takes out of `sys.modules` or has `importlib.import_module` find.
"""

from __future__ import annotations

import builtins
import os
import sys

from rustext.tracing.frames import BOOTSTRAP, is_statement

TYPE_CHECKING = False  # `typing` would load much that the program may not have
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, ModuleType
    from typing import Any

try:
    from _json import encode_basestring_ascii as _quote
except ImportError:  # not CPython
    from json.encoder import py_encode_basestring_ascii as _quote
try:
    import ctypes
except ImportError:  # Python was built without libffi
    ctypes = None  # type: ignore[assignment]

_LOOP = b"_PyEval_EvalFrameDefault"
_IMPORTS = {
    b"PyImport_Import",
    b"PyImport_ImportModule",
    b"PyImport_ImportModuleNoBlock",
    b"PyCapsule_Import",
}
_CALLS = (b"PyObject_", b"PyFunction_", b"PyVectorcall_")  # they call the import function
_DEPTH = 128  # C frames; from the import to the caller's loop there are some ten


def append_to(output: str) -> Callable[[dict[str, Any]], None]:
    """A function that appends a note to a file, at once: no crash loses any."""
    open_, write, close = os.open, os.write, os.close  # whatever tests put in their places
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT

    def append(note: dict[str, Any]) -> None:
        try:
            file = open_(output, flags, 0o600)
            write(file, (_as_json(note) + "\n").encode())
            close(file)
        except Exception:  # noqa: BLE001 (the recording is over; an audit hook refuses)
            return

    return append


def _as_json(note: dict[str, Any]) -> str:
    """Without `json`, which the program would find loaded."""
    values = {k: _quote(v) if isinstance(v, str) else v for k, v in note.items()}
    return "{" + ", ".join(f"{_quote(k)}: {v}" for k, v in values.items()) + "}"


def start(output: str, asked: Callable[[str, Any, int, FrameType], None] | None = None) -> None:
    """Note from now on; the file is appended to, by forked and started processes as well.

    `asked` hears of modules that code asks `__import__` for, loaded or not.
    """
    original = builtins.__import__
    note = _Notes(output).add
    stack = _find_stack()

    # The parameters are those of the function that this replaces.
    def import_(
        name: str,
        globals: Any = None,  # noqa: A002
        locals: Any = None,  # noqa: A002
        fromlist: Any = (),
        level: int = 0,
    ) -> ModuleType:
        try:
            module = original(name, globals, locals, fromlist, level)
        except BaseException as error:
            # From Python 3.11 on, this frame is in no traceback that the program prints.
            error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
            raise
        if not _is_native_call(globals, locals, fromlist, level):
            # A statement passes the module's names, and None or a tuple that is not empty;
            # `find_spec` imports a parent for its path.
            plain = fromlist is None or (fromlist and isinstance(fromlist, tuple))
            if asked and (globals is None or not plain) and fromlist != ["__path__"]:
                _tell(asked, sys._getframe(), name, globals, fromlist, level)  # noqa: SLF001
            return module
        try:
            frame = sys._getframe(1)  # noqa: SLF001
        except ValueError:  # a thread of native code, without Python below it
            frame = None
        if frame is None or not is_statement(frame):
            native, importer = True, None
            if stack is not None:
                # Walked right here: a Python function might have an interpreter loop of its own.
                addresses = stack.buffer()
                depth = stack.backtrace(addresses, len(addresses))
                native, importer = stack.explain(addresses[:depth])
            if native:
                note(name, importer or _loading(frame) or "")
        return module

    # `warnings` passes over the import system's frames where it looks for the caller.
    import_.__code__ = import_.__code__.replace(co_filename=BOOTSTRAP)
    builtins.__import__ = import_


def _tell(
    asked: Callable[[str, Any, int, FrameType], None],
    frame: FrameType,
    name: str,
    names: Any,
    fromlist: Any,
    level: int,
) -> None:
    """Tell which modules a call of `__import__` has asked for; it takes odd arguments as well."""
    package = names.get("__package__") if isinstance(names, dict) else None
    asked(name, package, level, frame)
    for last in fromlist if isinstance(fromlist, (list, tuple)) else ():
        asked(f"{name}.{last}" if name else last, package, level, frame)


def _is_native_call(globals_: Any, locals_: Any, fromlist: Any, level: int) -> bool:
    """Whether these are the arguments of `PyImport_Import` (Python/import.c)."""
    if level != 0 or not isinstance(fromlist, list) or fromlist:  # no statement passes a list
        return False
    return globals_ is locals_ and isinstance(globals_, dict)


def _loading(frame: FrameType | None) -> str | None:
    """The extension module whose initialisation `frame` has called directly."""
    if frame is None or frame.f_code.co_filename != BOOTSTRAP:
        return None
    if frame.f_code.co_name != "_call_with_frames_removed":
        return None
    for item in frame.f_locals.get("args", ()):  # a spec, or a module that has one
        origin = getattr(getattr(item, "__spec__", item), "origin", None)
        if isinstance(origin, str):
            return origin
    return None


class _Notes:
    """What was seen so far, here and in the file."""

    def __init__(self, output: str) -> None:
        self._append = append_to(output)
        self._seen: set[tuple[str, str]] = set()
        standard = os.path.dirname(os.__file__)  # noqa: PTH120 (pathlib is not loaded in vain)
        self._standard = (standard, os.path.join(standard, "lib-dynload"))  # noqa: PTH118

    def add(self, module: str, importer: str) -> None:
        """Note an import; `importer` is a path, or "" where it is not known.

        What the interpreter and its own extension modules import is every freezer's knowledge.
        """
        if (module, importer) in self._seen:
            return
        self._seen.add((module, importer))
        path = os.path.abspath(importer) if importer else ""  # noqa: PTH100
        if os.path.dirname(path) in self._standard:  # noqa: PTH120
            return
        self._append({"module": module, "file": path, "entry": _entry(path)})


def _entry(path: str) -> str:
    """The innermost entry of `sys.path` that holds the file, or ""."""
    entries = (os.path.abspath(e) for e in sys.path if isinstance(e, str))  # noqa: PTH100
    return max((e for e in entries if path.startswith(e + os.sep)), key=len, default="")


# --- the C stack ------------------------------------------------------------------------------


def _find_stack() -> _Stack | None:
    if ctypes is None:
        return None
    try:
        return _Stack(ctypes.PyDLL(None))
    except (OSError, TypeError, AttributeError):  # Windows; a C library without backtrace(3)
        return None


class _Stack:
    """The C stack: backtrace(3) walks it, dladdr(3) says what is where."""

    def __init__(self, program: Any) -> None:
        self.buffer = ctypes.c_void_p * _DEPTH
        self.backtrace = program.backtrace
        self._dladdr = program.dladdr
        self._dladdr.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        self._program = os.path.realpath(sys.executable)
        self._known: dict[int, tuple[int, str | None, bytes]] = {}
        imports = ctypes.cast(program.PyImport_Import, ctypes.c_void_p).value or 0
        self._core = self._find(imports)[0]
        here = ctypes.cast(program.backtrace, ctypes.c_void_p).value or 0
        self._libc = self._find(here)[0]

    def explain(self, addresses: list[int | None]) -> tuple[bool, str | None]:
        """Whether native code has called for an import, and the file that the code is in.

        Without a file, the caller is not known. The interpreter's own code is no native code here.
        """
        loops, imports, files = 0, False, []
        for address in addresses:
            base, path, symbol = self._find((address or 1) - 1)  # the call, not what follows it
            if base != self._core:
                if imports and base != self._libc:
                    files.append(path)
            elif symbol == _LOOP:
                loops += 1
                if loops > 1:
                    break
            elif loops == 1 and symbol in _IMPORTS:
                imports = True
        if loops == 0:  # its interpreter loop bears no name, as in a tail-calling interpreter
            imports, files = self._explain_nameless(addresses)
            if not imports:
                return files is None, None
        # The program itself is at the bottom; libffi, above the module that calls through it.
        others = [file for file in files if file is not None]
        found = next(filter(_entry, others), others[0] if others else None)
        return found is not None, found

    def _explain_nameless(self, addresses: list[int | None]) -> tuple[bool, Any]:
        """Whether one of `_IMPORTS` called the import, and the files right below it.

        The files are None where no function bears a name that tells. Python code that calls
        `__import__` has another function of the C API below it, or native code.
        """
        files: list[str | None] = []
        inside = imports = False  # of the interpreter; below one of `_IMPORTS`
        for address in addresses:
            base, path, symbol = self._find((address or 1) - 1)
            if base != self._core:
                if imports:
                    files += [path] if base != self._libc else []
                elif inside:  # native code that has called back
                    return False, files
            elif symbol in _IMPORTS and not files:
                imports = True
            elif imports:  # the caller of the file, or the interpreter, which imports for itself
                break
            elif symbol and not symbol.lstrip(b"_").startswith(_CALLS):
                return False, files
            inside = inside or base == self._core
        return imports, files if imports else None

    def _find(self, address: int) -> tuple[int, str | None, bytes]:
        """Where the file that holds `address` begins, its path, and the symbol there.

        The path is None for the program itself. Each address is looked up once, as Python unloads
        no library.
        """
        found = self._known.get(address)
        if found is None:
            info = _Info()
            found = 0, "", b""
            if self._dladdr(address, ctypes.byref(info)):
                path = os.fsdecode(info.path or b"")
                own = os.path.realpath(path) == self._program
                found = info.base or 0, None if own else path, info.symbol or b""
            self._known[address] = found
        return found


if ctypes is not None:

    class _Info(ctypes.Structure):
        """`Dl_info` of dladdr(3)."""

        _fields_ = (
            ("path", ctypes.c_char_p),
            ("base", ctypes.c_void_p),
            ("symbol", ctypes.c_char_p),
            ("address", ctypes.c_void_p),
        )
