"""Warnings about a native file: what the loader will not find.

In: a native file, its library graph, and the environment. Out: one line for each problem.
"""

from __future__ import annotations

from collections.abc import Iterator

from rustext.environment.environment import Environment
from rustext.model.image import Format
from rustext.model.libraries import LibraryGraph
from rustext.model.native_file import NativeFile


def file_warnings(file: NativeFile, libraries: LibraryGraph, env: Environment) -> Iterator[str]:
    """A line for each library that the loader does not find, and for each doubtful run path.

    A library of another distribution is found by its soname, or by its install name below
    `@rpath`, once that has loaded it.
    """
    yield from _missing(file, libraries, env)
    # Absolute run paths are those of the machine that built the file (PEP 513, "Bundled Wheels").
    # The loader still looks there first, wherever the file ends up.
    paths = {p for image in file.binary.images for p in (*image.rpath, *image.runpath)}
    for path in sorted(p for p in paths if p.startswith("/")):
        yield f"{file.path} has the run path `{path}`, a folder of the machine that built it"


def _missing(file: NativeFile, libraries: LibraryGraph, env: Environment) -> Iterator[str]:
    kind = file.binary.image.format
    if kind is Format.PE:  # Python's own DLL and the C run-time's come with the interpreter
        return
    where = "on this machine" if kind is Format.ELF else "beside it, and not the system's"
    names = {edge.soname: edge.soname.removeprefix("@rpath/") for edge in libraries.missing}
    wanted = frozenset(names.values())
    owners: dict[str, str] = {}
    for dist in sorted(env.distributions.values(), key=lambda d: d.name) if names else ():
        if dist.name != file.distribution:
            for name in wanted.intersection(f.name for f in dist.files):
                owners.setdefault(name, dist.name)
    for soname, name in names.items():
        if name in owners:
            yield f"{file.path} needs `{soname}` of {owners[name]}, which has to be loaded first"
        else:
            yield f"{file.path} needs `{soname}`, which is not {where}"
