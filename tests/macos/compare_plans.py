"""Compare what rustext plans for a program on macOS with what it plans for it on Linux.

In: the two environments with the same distributions. Out: how many rows the plan for macOS has, how
many differ for a reason that lies in the wheels, and those that differ for none.

Rows are modules with their verdict, and files with their kind; a native file goes without what a
platform adds to its name. A row that one plan lacks is explained if, on the lacking side,

- the module or the file is in no wheel and not in the standard library, or
- it is the package of a planned module that the other side does not have, and comes with it, or
- the files that the row comes from are missing, or hold other text: a native file does not hold
  the name, a Python file is not the same.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from macos_python import MacPython

_NATIVE = re.compile(r"(\.cpython-[\w-]+|\.abi3)?\.(so|dylib)(\.\d+)*$")


@dataclass(frozen=True, kw_only=True)
class Side:
    """One platform: its folders of modules, and the rows of its plan with what they come from."""

    folders: tuple[Path, ...]
    builtins: frozenset[str]
    rows: dict[tuple[str, str, str], tuple[str, ...]]  # kind, name, verdict: files

    def has(self, kind: str, name: str) -> bool:
        """Whether a module or a file is there at all."""
        if kind == "file":
            return any(plain(f) == name for f in self.files(PurePosixPath(name).parent))
        path = PurePosixPath(*name.split("."))
        named = {plain(f) for f in self.files(path.parent)}
        endings = ("", ".py", ".native", "/__init__.py")
        return name in self.builtins or any(f"{path}{end}" in named for end in endings)

    def files(self, folder: PurePosixPath) -> list[str]:
        places = [root / folder for root in self.folders]
        found = (p for place in places if place.is_dir() for p in place.iterdir())
        return [str(folder / p.name) for p in found]

    def read(self, name: str) -> bytes | None:
        """The content of a file by its name without what a platform adds."""
        for root in self.folders:
            for file in self.files(PurePosixPath(name).parent):
                if plain(file) == name and (root / file).is_file():
                    return (root / file).read_bytes()
        return None


def plain(file: str) -> str:
    """A file's name without what a platform adds to it."""
    return _NATIVE.sub(".native", file)


def compare_plans(python: MacPython, script: Path) -> tuple[int, int, tuple[str, ...]]:
    """How many rows there are, how many differences are explained, and those that are not."""
    mac, linux = (read_side(program, script) for program in (python.program, python.linux_python))
    explained, unexplained = 0, []
    for here, there, place in ((mac, linux, "macOS"), (linux, mac, "Linux")):
        for row in sorted(here.rows.keys() - there.rows.keys()):
            if why(row, here, there):
                explained += 1
            else:
                unexplained.append(f"{' '.join(row)}: on {place} alone")
    return len(mac.rows), explained, tuple(unexplained)


def why(row: tuple[str, str, str], here: Side, there: Side) -> str:
    """Why a plan lacks a row that the other has; nothing if no reason is found."""
    kind, name, _ = row
    if not there.has(kind, name):
        return "not there"
    modules = (other for other_kind, other, _ in there.rows if other_kind == kind == "module")
    if any(other.startswith(f"{name}.") and not here.has(kind, other) for other in modules):
        return "comes with its module"
    sources = here.rows[row]
    if sources and all(differs(file, name, here, there) for file in sources):
        return "comes from what differs"
    return ""


def differs(file: str, name: str, here: Side, there: Side) -> bool:
    mine, other = here.read(plain(file)), there.read(plain(file))
    if other is None:
        return True
    if plain(file).endswith(".native"):
        return name.encode() not in other
    return mine != other


def read_side(program: Path, script: Path) -> Side:
    question = "import json, sys; print(json.dumps([sys.path, sys.builtin_module_names]))"
    facts = run([str(program), "-c", question])
    path, builtins = json.loads(facts)
    command = [sys.executable, "-m", "rustext", "plan", "--json", "--python", str(program)]
    plan = json.loads(run([*command, str(script)]))
    rows = {}
    for module in plan["modules"]:
        key = ("module", module["module"], module["verdict"])
        rows[key] = tuple(e["where"].partition(" at ")[0] for e in module["evidence"])
    for companion in plan["companions"]:
        rows["file", plain(companion["file"]), companion["kind"]] = ()
    return Side(folders=tuple(map(Path, path[1:])), builtins=frozenset(builtins), rows=rows)


def run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr.strip()[-500:]}")
    return done.stdout
