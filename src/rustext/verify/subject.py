"""What is judged: a bundle, what its target machines provide, and what was learnt by running it.

In: a `Bundle`. Out: what the loader would find for its files; with what the user said it makes a
`Subject`, which each check reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rustext.binary import read_linkage
from rustext.environment import Environment
from rustext.findings import BundlePython, Finding, IsolatedRun
from rustext.loader import Loader
from rustext.model import Binary, Edge, Resolved
from rustext.plan_file import BuildPlan
from rustext.resolve import Resolver
from rustext.selftest import SelfTest
from rustext.verify.bundle import Bundle, Freezer
from rustext.verify.stdlib import in_stdlib
from rustext.verify.target import Target, name_platform

_LIMIT = 1_000_000  # libraries and places looked at; real bundles take some 7 for each native file


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One bundle, with all that its checks may look at.

    `stdlib` is an environment whose standard library stands for the bundle's Python; `edges` are
    what the loader would find for each native file; `allow_system` are sonames that the target
    machines provide beside the platform's own.
    """

    bundle: Bundle
    stdlib: Environment
    edges: tuple[Edge, ...]
    allow_system: frozenset[str] = frozenset()
    run: IsolatedRun | None = None
    plan: BuildPlan | None = None  # what the freezer was told, where that is known
    selftest: SelfTest | None = None
    target: Target | None = None  # the machines that the bundle is meant for
    python: BundlePython | None = None  # which one the bundle brings along, where that is known
    cached: bool = False  # whether what an earlier run found out of the same files may be used

    def in_stdlib(self, name: str) -> bool:
        """Whether a module is in the standard library of the bundle's Python."""
        return in_stdlib(name, self.stdlib, self.python.version if self.python else None)

    def inside(self, path: Path) -> str:
        """A path as findings name it: beginning with the bundle's own name."""
        root = self.bundle.root.parent
        return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


Check = Callable[[Subject], Iterator[Finding]]


def resolve_bundle(bundle: Bundle) -> tuple[Edge, ...]:
    """What the loader would find for the program and for each native file, once each.

    Raises `InvalidBinary` where files name libraries without end.
    """
    program = bundle.program.path if bundle.program is not None else None
    # PyInstaller's bootloader sets LD_LIBRARY_PATH to its folder and starts itself again:
    # https://pyinstaller.org/en/stable/runtime-information.html#ld-library-path-libpath-considerations
    path = (str(bundle.contents),) if bundle.freezer is Freezer.PYINSTALLER else ()
    known = {native: file.binary for native, file in bundle.files}
    edges: dict[Edge, None] = {}

    def read(native: Path) -> Binary:
        return known.get(native) or read_linkage(native)

    loaded: dict[str, Path] = {}
    if program is not None:
        loader = Loader(executable=program, library_path=path)
        first = Resolver(loader=loader, read=read, limit=_LIMIT)
        edges.update(dict.fromkeys(first.resolve(program).edges))
        loaded = {e.soname: e.path for e in edges if isinstance(e, Resolved) and e.path}
    loader = Loader(executable=program, library_path=path, loaded=loaded)
    rest = Resolver(loader=loader, read=read, limit=_LIMIT)
    for native, _ in bundle.files:
        if native != program:
            edges.update(dict.fromkeys(rest.resolve(native).edges))
    return tuple(edges)


def platform_of(bundle: Bundle) -> str:
    """The platform that the program was built for, as `linux-x86_64`."""
    return name_platform(bundle.image.format, bundle.image.architecture)
