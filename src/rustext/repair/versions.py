"""Whether a distribution of the environment is the one that the bundle was made from.

In: an `Environment`, a `Bundle` and what is damaged in it. Out: for a file of the environment, why
the bundle must not get it. Metadata in the bundle tells the version. Of a distribution without any
there, what both hold is compared: the machine code of extension modules, which freezers leave as it
is where they change search paths, and the names in the code of modules.
"""

from __future__ import annotations

import ast
import hashlib
import re
import zipfile
from collections.abc import Collection, Iterator
from itertools import chain
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from rustext.discovery.wheels import ARCHIVE_ERRORS
from rustext.environment.distributions import Distribution
from rustext.environment.environment import Environment
from rustext.errors import RustextError
from rustext.files.untrusted import read_text
from rustext.formats.binary import map_file, read_binary
from rustext.formats.marshal_reader import Code
from rustext.model.image import Image
from rustext.model.verification import BundlePython
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.bytecode.code_store import CodeStore

_MODULES = 12  # of one distribution that are compared, the largest: others differ least
_SOURCE_LIMIT = 4 << 20  # bytes
_INFO = re.compile(r"(?P<name>.+?)-(?P<version>[^-]+)(-py[0-9.]+)?\.(dist|egg)-info")
_MACHINE_CODE = frozenset({".text", "__TEXT,__text"})
_HINT = "name the environment that the bundle was made from"


class Versions:
    """What a bundle shows of the versions that it holds; answers are remembered."""

    def __init__(
        self,
        env: Environment,
        bundle: Bundle,
        python: BundlePython | None,
        damaged: Collection[str] = (),
    ) -> None:
        """`damaged` are the files of the bundle that findings speak of: they prove nothing."""
        self._env = env
        self._bundle = bundle
        self._python = python
        self._damaged = damaged
        self._kept = dict(_iter_kept(bundle))
        self._answers: dict[str, str | None] = {}

    def why_not(self, source: Path) -> str | None:
        """Why a file is not for the bundle; None for one that is, or that no distribution has."""
        dist = self._env.owner_of(source)
        return self.why_other(dist) if dist is not None else None

    def why_other(self, dist: Distribution) -> str | None:
        """How the bundle shows that it was made with another version of a distribution."""
        if dist.name not in self._answers:
            self._answers[dist.name] = self._compare(dist)
        return self._answers[dist.name]

    def _compare(self, dist: Distribution) -> str | None:
        has = f"the environment has {dist.name} {dist.version}"
        if dist.name in self._kept:
            kept = self._kept[dist.name]
            if _version(kept) == _version(dist.version):
                return None
            return f"{has}, and the bundle {dist.name} {kept}: {_HINT}"
        other = next(chain(self._other_natives(dist), self._other_modules(dist)), None)
        return (
            f"{has}, and the bundle's `{other}` is of another version: {_HINT}" if other else None
        )

    def _other_natives(self, dist: Distribution) -> Iterator[str]:
        for path, file in self._bundle.files:
            module = self._env.find_module(file.module) if file.module is not None else None
            if module is None or module.path is None or module.distribution != dist.name:
                continue
            if self._bundle.inside(path) not in self._damaged:
                codes = {_digest(p, self._bundle.image) for p in (path, module.path)}
                if None not in codes and len(codes) > 1:
                    yield module.name

    def _other_modules(self, dist: Distribution) -> Iterator[str]:
        if self._python is None:
            return
        held = (self._env.find_module(name) for name in self._bundle.modules)
        files = {
            m.name: m.path
            for m in held
            if m and m.distribution == dist.name and m.path and m.path.suffix == ".py"
        }
        largest = sorted(files, key=lambda name: (-files[name].stat().st_size, name))[:_MODULES]
        for program in self._bundle.programs:
            with CodeStore(self._bundle, program, self._python.version) as store:
                for name in largest:
                    module = store.find(name)
                    code = module.code if module is not None else None
                    if code is not None and differ(code, files[name]):
                        yield name


def _iter_kept(bundle: Bundle) -> Iterator[tuple[str, str]]:
    """The versions of distributions whose metadata is in the bundle, or in its zip files."""
    names = [path.name for path in bundle.contents.iterdir()]
    for library in sorted({m.library for m in bundle.libraries}):
        try:
            with zipfile.ZipFile(library) as archive:
                names += {name.partition("/")[0] for name in archive.namelist()}
        except ARCHIVE_ERRORS:
            continue
    for match in filter(None, map(_INFO.fullmatch, sorted(names))):
        yield canonicalize_name(match["name"]), match["version"]


def _version(text: str) -> Version | str:
    try:
        return Version(text.replace("_", "+"))  # as folders of metadata are named
    except InvalidVersion:
        return text


def _digest(path: Path, image: Image) -> str | None:
    """A digest of a native file's machine code for the bundle's process."""
    try:
        images = read_binary(path).images
        sections = [
            section
            for found in images
            if found.architecture == image.architecture
            for section in found.sections
            if section.name in _MACHINE_CODE and section.size
        ]
        with map_file(path) as data:
            code = b"".join(data[s.offset : s.offset + s.size] for s in sections)
    except RustextError:
        return None
    return hashlib.sha256(code).hexdigest() if code else None


def read_source(path: Path) -> tuple[str | None, list[ast.stmt]]:
    """The text of a module and its statements; None and none where it cannot be parsed here."""
    try:
        text = read_text(path, _SOURCE_LIMIT)
        return text, ast.parse(text).body
    except (RustextError, SyntaxError, ValueError, RecursionError):
        return None, []


def differ(code: Code, source: Path) -> bool:
    """Whether a module's code cannot come from a source: one of them has names of its own."""
    text, body = read_source(source)
    if text is None:
        return False
    pieces = tuple(code.iter_nested())
    words = set(re.findall(r"\w+", text))
    used = {word for piece in pieces for name in piece.names for word in name.split(".")}
    used = {name for name in used if name.isidentifier() and name.isascii() and "__" not in name}
    if not used <= words:
        return True
    defined = {
        node.name
        for node in body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    texts = {
        node.value.value
        for node in body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }
    constants = {c for c in code.constants if isinstance(c, str)}
    return not (defined <= {piece.name for piece in pieces} and texts <= constants)
