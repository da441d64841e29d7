"""Install one Rust extension in every way, and compare what each door of rustext says of it.

Usage: ./test --doors [--freezer FREEZER] [--again] [--minutes N] [WORD]...

The doors are `scan`, `plan`, `hooks`, and the builds of both freezers; the extension needs a module
that its native code alone names. Writes benchmarks/doors.md, and ends with 1 where a door does not
list the extension, or a frozen program does not run in another folder. Goes on where it was
stopped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from fault_rooms import RESULT, RUST, environments, hidden, ordinary, spared
from kept_rows import CACHE, KeptRows, Row, parser
from lab import FREEZERS, HERE, ROOT, install, locked

TABLE = ROOT / "benchmarks" / "doors.md"
CODE = "print({0}.unpackb({0}.packb({{'a': 1}})))\n"
SETUP = """\
from setuptools import setup
setup(name="demo", version="1", packages=["demo"], package_dir={package_dir!r},
      package_data={{"demo": ["*.so"]}})
"""
PYPROJECT = """\
[build-system]
requires = ["{0}"]
build-backend = "{1}"
[project]
name = "demo"
version = "1"
"""


@dataclass
class Room:
    """A program's folder, the folder of packages of its environment, and what a build is told."""

    program: Path
    site: Path
    python: Path
    native: Path
    module: str = "ormsgpack"
    is_beside: bool = False  # in the program's folder, which is not the environment's
    paths: list[Path] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)

    def put(self, folder: Path, *, init: bool | None = None) -> None:
        """The compiled file in a folder; `init` says whether that is a package."""
        folder.mkdir(parents=True, exist_ok=True)
        self.is_beside = folder.is_relative_to(self.program)
        shutil.copy(self.native, folder / self.native.name)
        if init:
            (folder / "__init__.py").touch()

    def install(self, source: Path | str, *options: str) -> None:
        command = [str(self.python), "-m", "pip", "install", "-q", "--no-deps", *options]
        done = subprocess.run([*command, str(source)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def in_package(room: Room, folder: Path, *, init: bool | None = True) -> None:
    room.put(folder / "demo", init=init)
    room.module = "demo.ormsgpack"


def dist_info(room: Room, *, record: str | None) -> None:
    info = room.site / "demo-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: demo\nVersion: 1\n")
    if record is not None:
        (info / "RECORD").write_text(record)


def egg_info(room: Room) -> None:
    in_package(room, room.site)
    info = room.site / "demo-1.egg-info"
    info.mkdir()
    (info / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: demo\nVersion: 1\n")
    (info / "SOURCES.txt").write_text("demo/__init__.py\n")
    (info / "top_level.txt").write_text("demo\n")


def egg(room: Room) -> None:
    folder = room.site / "demo-1-py3.egg"
    in_package(room, folder)
    (folder / "EGG-INFO").mkdir()
    (folder / "EGG-INFO/PKG-INFO").write_text("Metadata-Version: 2.1\nName: demo\nVersion: 1\n")
    (room.site / "easy-install.pth").write_text("./demo-1-py3.egg\n")


def path_file(room: Room) -> None:
    in_package(room, room.program.parent / "source")
    (room.site / "demo.pth").write_text(f"{room.program.parent / 'source'}\n")


def linked(room: Room) -> None:
    in_package(room, room.program.parent / "source")
    (room.site / "demo").symlink_to(room.program.parent / "source/demo")


def project(room: Room, folder: str, backend: tuple[str, str]) -> Path:
    source = room.program.parent / "source"
    in_package(room, source / folder)
    (source / "pyproject.toml").write_text(PYPROJECT.format(*backend))
    return source


def setuptools(room: Room, folder: str, package_dir: dict[str, str], *options: str) -> None:
    source = project(room, folder, ("setuptools", "setuptools.build_meta"))
    (source / "setup.py").write_text(SETUP.format(package_dir=package_dir))
    room.install(source, *options, "-e")


def hatch(room: Room, *options: str) -> None:
    room.install("editables")  # whose import finder serves the exact mode
    source = project(room, "src", ("hatchling", "hatchling.build"))
    with (source / "pyproject.toml").open("a") as stream:
        stream.write('[tool.hatch.build.targets.wheel]\npackages = ["src/demo"]\n')
        stream.write('artifacts = ["*.so"]\n')
        stream.write(options[0] if options else "")
    room.install(source, "-e")


def below_path_option(room: Room) -> None:
    folder = room.program.parent / "lib"
    in_package(room, folder, init=False)
    room.paths.append(folder)


def on_pythonpath(room: Room) -> None:
    folder = room.program.parent / "lib"
    in_package(room, folder, init=False)
    room.variables["PYTHONPATH"] = str(folder)


def namespace_in_program(room: Room) -> None:
    room.put(room.program / "acme/checks")
    room.module = "acme.checks.ormsgpack"


def wheel(room: Room) -> None:
    path = room.program.parent / "demo-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(room.native, f"demo/{room.native.name}")
        archive.writestr("demo/__init__.py", "")
        archive.writestr(
            "demo-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1\n"
        )
        archive.writestr("demo-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: false\n")
        archive.writestr("demo-1.dist-info/RECORD", "")
    room.module = "demo.ormsgpack"
    room.install(path)


def two_of_a_namespace(room: Room) -> None:
    in_package(room, room.site / "first", init=None)
    other = room.site / "first/demo/other"
    other.mkdir()
    (other / "__init__.py").touch()
    shutil.move(room.site / "first/demo", room.site / "demo")
    dist_info(room, record=f"demo/{room.native.name},,\n")


Way = Callable[[Room], object]
WAYS: dict[str, Way] = {
    "a wheel": wheel,
    "a file without metadata": lambda r: r.put(r.site),
    "a package without metadata": lambda r: in_package(r, r.site),
    "a namespace folder without metadata": lambda r: in_package(r, r.site, init=None),
    "a dist-info without RECORD": lambda r: (in_package(r, r.site), dist_info(r, record=None)),
    "an empty RECORD": lambda r: (in_package(r, r.site), dist_info(r, record="")),
    "a namespace that two share": two_of_a_namespace,
    "an egg-info folder": egg_info,
    "an egg": egg,
    "beside the program": lambda r: r.put(r.program),
    "a package beside the program": lambda r: in_package(r, r.program),
    "a namespace beside the program": namespace_in_program,
    "PYTHONPATH": on_pythonpath,
    "--paths": below_path_option,
    "a path file": path_file,
    "a linked folder": linked,
    "editable, setuptools, flat": lambda r: setuptools(r, "", {}),
    "editable, setuptools, src": lambda r: setuptools(r, "src", {"": "src"}),
    "editable, setuptools, mapping": lambda r: setuptools(r, "python", {"demo": "python/demo"}),
    "editable, setuptools, strict": lambda r: setuptools(
        r, "src", {"": "src"}, "--config-settings", "editable_mode=strict"
    ),
    "editable, setuptools, compat": lambda r: setuptools(
        r, "src", {"": "src"}, "--config-settings", "editable_mode=compat"
    ),
    "editable, hatch": hatch,
    "editable, hatch, exact": lambda r: hatch(r, "[tool.hatch.build]\ndev-mode-exact = true\n"),
}


class Trial:
    """One way, in an environment of its own."""

    def __init__(self, way: Way, base: Path, native: Path, folder: Path) -> None:
        self.folder = folder
        self.room, self.venv = folder / "room", folder / "environment"
        for path in (self.room, self.venv):
            shutil.rmtree(path, ignore_errors=True)
        subprocess.run(["cp", "-a", str(base), str(self.venv)], check=True)
        (site,) = self.venv.glob("lib/python*/site-packages")
        self.program = self.room / "program"
        self.program.mkdir(parents=True)
        python = self.venv / "bin/python"
        self.what = Room(program=self.program, site=site, python=python, native=native)
        way(self.what)
        module = self.what.module
        self.script = self.program / "app.py"
        self.script.write_text(f"import {module}\n" + CODE.format(module))
        plain = os.pathsep.join(str(path) for path in self.what.paths)
        self.paths = {"PYTHONPATH": plain} if plain else {}  # PyInstaller is told

    def start(
        self, *arguments: str, cwd: Path, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        env = {
            **os.environ,
            "XDG_CACHE_HOME": str(self.room / "cache"),
            "PATH": f"{self.venv / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "RUSTEXT_TEST_COMPILE": "",
            "NUITKA_CACHE_DIR": str(CACHE / "nuitka"),
            **self.what.variables,
            **variables,
        }
        return ordinary([str(self.what.python), *arguments], cwd=cwd, env=env)

    def ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.start(*arguments, cwd=self.program, **self.paths)

    def unfrozen(self) -> str:
        return said(self.ask("app.py"), lambda text: text == RESULT)

    def scan(self) -> str:
        folder = ["."] if self.what.is_beside else []
        done = self.ask("-m", "rustext", "scan", "--json", *folder)
        return said(done, lambda text: f'"module": "{self.what.module}"' in text)

    def plan(self) -> str:
        done = self.ask("-m", "rustext", "plan", "--json", "app.py")
        return said(done, lambda text: '"uuid"' in text)

    def hooks(self) -> str:
        done = self.ask("-m", "rustext", "hooks", "hooks")
        hook = self.program / f"hooks/hook-{self.what.module}.py"
        return said(done, lambda _: hook.is_file())

    def build(self, freezer: str) -> str:
        out = self.room / freezer
        out.mkdir()
        if freezer == "pyinstaller":
            paths = (f"--paths={path}" for path in self.what.paths)
            command = ["-m", "PyInstaller", "--noconfirm", *paths]
            bundle, name, variables = out / "dist/app", "app", {}
        else:
            command = ["-m", "nuitka", "--assume-yes-for-downloads", "--standalone", "--quiet"]
            command += ["--enable-plugin=rustext", f"--user-plugin={HERE / 'demote_plugin.py'}"]
            bundle, name, variables = out / "app.dist", "app.bin", self.paths
        command += spared(freezer)
        done = self.start(*command, str(self.script), cwd=out, **variables)
        if done.returncode:
            return said(done, lambda _: False)
        moved = self.folder / "moved"
        shutil.rmtree(moved, ignore_errors=True)
        shutil.move(bundle, moved)
        with hidden(self.venv), hidden(self.room):
            ran = ordinary([str(moved / name)], cwd=moved, env={"PATH": "/usr/bin:/bin"})
        return said(ran, lambda text: text == RESULT)


def said(done: subprocess.CompletedProcess[str], is_good: Callable[[str], bool]) -> str:
    """ "yes", or what went wrong."""
    if is_good(done.stdout):
        return "yes"
    return f"no: {' '.join(done.stderr.split())[-200:] or done.returncode}".replace("|", "\\|")


def doors(way: Way, base: Path, native: Path, folder: Path, freezer: str) -> Row:
    """What each door says of a way."""
    trial = Trial(way, base, native, folder)
    steps = (trial.unfrozen, trial.scan, trial.plan, trial.hooks)
    cells = {step.__name__: step() for step in steps}
    cells[freezer] = trial.build(freezer)
    wrong = [f"{name}: {cell}" for name, cell in cells.items() if cell != "yes"]
    return {"cells": cells, "wrong": "; ".join(wrong)}


def table(rows: Mapping[str, Row]) -> Iterator[str]:
    """The rows as they are kept; a door that has not been tried has no word."""
    heads = ["unfrozen", "scan", "plan", "hooks", *FREEZERS]
    yield "# Ways to have an extension, and what sees it\n"
    yield "`./test --doors`. An extension whose native code needs modules that nothing else names"
    yield "is installed in each way. `yes`: the program runs before it is frozen; the extension is"
    yield "listed by `scan`, completed by `plan`, and has a hook; the program that a freezer makes"
    yield "runs in another folder, with environment and sources out of sight.\n"
    found = {
        name: {
            **rows.get(f"{name}, nuitka", {}).get("cells", {}),
            **rows.get(f"{name}, pyinstaller", {}).get("cells", {}),
        }
        for name in WAYS
    }
    for head in heads:
        cells = [cells[head] for cells in found.values() if head in cells]
        seen = f"yes for {cells.count('yes')} of {len(cells)}" if cells else "not run"
        yield f"- {head}: {seen}"
    yield f"\n| way | {' | '.join(heads)} |"
    yield "|---" * (len(heads) + 1) + "|"
    for name in WAYS:
        yield f"| {name} | {' | '.join(found[name].get(head, 'not run') for head in heads)} |"


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--freezer", choices=FREEZERS, action="append")
    args = options.parse_args()
    freezers = args.freezer or list(FREEZERS)
    kept = KeptRows("doors")
    _, python = environments()
    folder = CACHE / "doors"  # one path for all runs: of another one, ccache knows no object
    with locked(folder):
        shutil.rmtree(folder, ignore_errors=True)
        install(python, "--target", str(folder / "rust"), RUST)
        (native,) = folder.glob("rust/ormsgpack/*.so")
        base = python.parent.parent
        todo = {
            f"{name}, {freezer}": partial(doors, way, base, native, folder, freezer)
            for freezer in freezers for name, way in WAYS.items()
        }  # fmt: skip
        kept.measure(todo, args)
        shutil.rmtree(folder)
    rows = kept.read()
    TABLE.write_text("\n".join(table(rows)) + "\n")
    return int(any(row["wrong"] for row in rows.values()))


if __name__ == "__main__":
    sys.exit(main())
