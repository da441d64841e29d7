"""Builds libraries from one line of C, and lets glibc's loader say what it did with them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from ld_debug import OPENER, parse_ld_debug

from rustext.loaders.resolver import resolve
from rustext.loaders.rules import Loader
from rustext.model.libraries import FoundBy, LibraryGraph, Missing, Resolved

_LD_SO = "/lib64/ld-linux-x86-64.so.2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What ld.so did: the files that it tried for each name, and those that it mapped."""

    tried: dict[str, list[str]]
    mapped: set[str]
    code: int
    output: str


class Lab:
    """A folder to build in; all paths are relative to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._count = 0

    def path(self, name: str) -> Path:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        return file

    def library(self, name: str, *options: str, needs: tuple[str, ...] = (), **kw: str) -> Path:
        """Build a shared library; its soname is its file's name unless `soname` says otherwise."""
        soname = kw.pop("soname", Path(name).name)
        named = [f"-Wl,-soname,{soname}"] if soname else []
        return self._link(name, "", "-shared", *named, *options, needs=needs, **kw)

    def program(self, name: str, *options: str, needs: tuple[str, ...] = (), **kw: str) -> Path:
        """Build a program that opens its arguments with `dlopen`."""
        return self._link(name, OPENER, *options, needs=needs, **kw)

    def _link(
        self,
        name: str,
        source: str,
        *options: str,
        needs: tuple[str, ...],
        rpath: str | None = None,
        runpath: str | None = None,
    ) -> Path:
        self._count += 1
        code = self.path(f"src/{self._count}.c")
        code.write_text(f"int symbol_{self._count}(void) {{ return 0; }}\n{source}")
        tags = []
        if rpath is not None:
            tags = ["-Wl,--disable-new-dtags", f"-Wl,-rpath,{rpath}"]
        if runpath is not None:
            tags = ["-Wl,--enable-new-dtags", f"-Wl,-rpath,{runpath}"]
        output = self.path(name)
        libraries = [str(self.folder / need) for need in needs]
        link = ["-Wl,--no-as-needed", "-Wl,--allow-shlib-undefined", *libraries]
        self.run(["gcc", "-o", str(output), str(code), "-fPIC", *tags, *options, *link])
        return output

    def zig(self, name: str, target: str, *options: str, source: str | None = None) -> Path:
        """Build a shared library (or with `source` whatever `options` say) for another platform."""
        self._count += 1
        code = self.path(f"src/{self._count}.c")
        code.write_text(source or f"int symbol_{self._count}(void) {{ return 0; }}\n")
        output = self.path(name)
        kind = [] if source else ["-shared"]
        command = [sys.executable, "-m", "ziglang", "cc", "-target", target, *kind]
        self.run([*command, "-o", str(output), str(code), *options])
        return output

    def run(self, command: list[str]) -> str:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=300, cwd=self.folder, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def observe(
        self, program: Path, *opened: Path | str, cwd: Path | None = None, **environ: str
    ) -> Observed:
        """Run a program, and return what ld.so said that it did."""
        done = subprocess.run(
            [str(program), *map(str, opened)],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=cwd or "/",
            env={"LD_DEBUG": "libs", **environ},
            check=False,
        )
        tried, mapped = parse_ld_debug(done.stderr)
        text = done.stdout + done.stderr[-400:]
        return Observed(tried=tried, mapped=mapped, code=done.returncode, output=text)

    def agree(
        self, program: Path, opened: Path | None = None, *, loader: Loader | None = None, **env: str
    ) -> LibraryGraph:
        """Resolve, and check all of the answer against what ld.so does.

        Every library has to be the file that ld.so took, no more and no less, and for the first
        missing one, where ld.so stops, the files that it tried have to be the same in number and
        order.
        """
        loader = loader or Loader(executable=program if opened else None).with_environ(env)
        graph = resolve(opened or program, loader=loader)
        seen = self.observe(program, *filter(None, [opened]), cwd=Path(loader.cwd), **env)
        absent = [edge for edge in graph.edges if isinstance(edge, Missing)]
        assert (seen.code != 0) == bool(absent), seen.output
        searches = (FoundBy.PATH, FoundBy.LOADED, FoundBy.SELF)
        for edge in graph.edges:
            if isinstance(edge, Resolved) and edge.how not in searches and not absent:
                taken = [str(Path(loader.cwd, path)) for path in seen.tried[edge.soname][-1:]]
                assert taken == [str(edge.path)], edge
        if absent and (tried := seen.tried.get(absent[0].soname)):
            assert [s.path for s in absent[0].searched] == tried
        elif not absent:
            # newer releases of ld.so say that they initialise themselves, older ones do not
            loader_itself = Path(_LD_SO).resolve()
            real = {Path(loader.cwd, path).resolve() for path in seen.mapped}
            ours = {e.path.resolve() for e in graph.edges if isinstance(e, Resolved) and e.path}
            assert ours <= real | {loader_itself}
            if not opened:
                assert real <= ours | {loader_itself}
        return graph

    @staticmethod
    def edge(graph: LibraryGraph, soname: str, needed_by: str | None = None) -> Resolved | Missing:
        """Return the first edge for a name, or the one that a file of that name asked for."""
        edges = [
            e
            for e in graph.edges
            if e.soname == soname and (needed_by is None or e.needed_by.name == needed_by)
        ]
        assert edges, [e.soname for e in graph.edges]
        return edges[0]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path.resolve())
