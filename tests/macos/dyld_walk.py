"""Walk every load of a bundle for macOS by dyld's documented rules; a second source for `verify`.

In: a folder or an application that PyInstaller made. Out: the libraries that dyld would not find.
Read with macholib alone, and written without rustext. The rules, from dyld(1) and its source
(https://github.com/apple-oss-distributions/dyld): `@executable_path` is the folder of the main
program, `@loader_path` that of the file with the load command, links resolved; `@rpath` stands for
each LC_RPATH of the file, then of those that have loaded it, up to the main program; a weak library
may be absent; what begins with /usr/lib or /System is the system's. A library needs a slice for the
machine. Extension modules and libraries that nothing needs are opened by the main program.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from macholib.mach_o import (
    LC_LOAD_DYLIB,
    LC_LOAD_UPWARD_DYLIB,
    LC_LOAD_WEAK_DYLIB,
    LC_REEXPORT_DYLIB,
    LC_RPATH,
    MH_EXECUTE,
)
from macholib.MachO import MachO

CPU_TYPES = {"arm64": 0x100000C, "x86_64": 0x1000007}
MAGIC = (b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
NEEDS = (LC_LOAD_DYLIB, LC_REEXPORT_DYLIB, LC_LOAD_UPWARD_DYLIB, LC_LOAD_WEAK_DYLIB)
SYSTEM = ("/usr/lib/", "/System/")


class Walk:
    """One process: what it has loaded, and what was not found."""

    def __init__(self, program: Path, machine: str) -> None:
        self.program = program.resolve()
        self.cpu = CPU_TYPES[machine]
        self.missing: set[tuple[str, str]] = set()  # the file that needs it, and what it needs
        self.loads = 0
        self._seen: set[tuple[Path, tuple[Path, ...]]] = set()

    def load(self, path: Path, above: tuple[Path, ...] = ()) -> None:
        """Load a file, with the run paths of those that load it."""
        path = path.resolve()
        header = next(h for h in MachO(str(path)).headers if h.header.cputype == self.cpu)
        commands = [
            (command.cmd, text.rstrip(b"\0").decode())
            for command, _, text in header.commands
            if command.cmd in (*NEEDS, LC_RPATH)
        ]
        own = (self._expand(text, path) for command, text in commands if command == LC_RPATH)
        run_paths = tuple(dict.fromkeys((*own, *above)))  # libraries may need each other
        if (path, run_paths) in self._seen:
            return
        self._seen.add((path, run_paths))
        for command, name in commands:
            if command == LC_RPATH or name.startswith(SYSTEM):
                continue
            self.loads += 1
            found = next((p for p in self._places(name, path, run_paths) if self.fits(p)), None)
            if found is not None:
                self.load(found, run_paths)
            elif command != LC_LOAD_WEAK_DYLIB:
                self.missing.add((path.name, name))

    def _places(self, name: str, path: Path, run_paths: tuple[Path, ...]) -> Iterator[Path]:
        if name.startswith("@rpath/"):
            yield from (folder / name.removeprefix("@rpath/") for folder in run_paths)
        else:
            yield self._expand(name, path)

    def _expand(self, text: str, path: Path) -> Path:
        text = text.replace("@loader_path", str(path.parent), 1)
        return Path(text.replace("@executable_path", str(self.program.parent), 1))

    def fits(self, path: Path) -> bool:
        """Whether a file has a slice for the machine."""
        if not path.is_file() or path.open("rb").read(4) not in MAGIC:
            return False
        return any(header.header.cputype == self.cpu for header in MachO(str(path)).headers)


def names_of_the_builder(folder: Path) -> set[str]:
    """The absolute names of needed libraries, the system's aside, in the files of wheels."""
    files = (p for p in folder.rglob("*") if p.suffix in {".so", ".dylib"} and p.is_file())
    commands = (
        (command.cmd, text.rstrip(b"\0").decode())
        for path in files
        if path.open("rb").read(4) in MAGIC
        for header in MachO(str(path)).headers
        for command, _, text in header.commands
        if command.cmd in NEEDS
    )
    return {name for _, name in commands if name.startswith("/") and not name.startswith(SYSTEM)}


def walk_bundle(root: Path, program: Path, machine: str) -> Walk:
    """Load the program, and by itself each other Mach-O file below `root`."""
    walk = Walk(program, machine)
    header: Any = MachO(str(program)).headers[0]
    assert header.header.filetype == MH_EXECUTE, program
    walk.load(program)
    for path in sorted(root.rglob("*")):
        if not path.is_symlink() and walk.fits(path):
            walk.load(path)
    return walk
