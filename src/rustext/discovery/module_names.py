"""Which name imports a native file, or why none does.

In: the file's path below a folder of `sys.path`, and its image. Out: a `Naming`. The rules are
CPython's: `importlib.machinery.ExtensionFileLoader` takes a file whose name is the module's last
part and one of the interpreter's suffixes, and calls `PyInit_<last part>` (PEP 489; `PyInitU_` and
punycode for names that are not ASCII); since 3.15 it first looks for `PyModExport_<last part>` (PEP
793). Which interpreter looks for which suffix: `rustext.discovery.extension_suffixes`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from rustext.discovery.extension_suffixes import (
    find_lookers,
    parse_suffix,
    split_suffix,
    triplets_of,
)
from rustext.model.findings import name_few
from rustext.model.image import Format, Image, ImageKind

_MOST_PARTS = 100  # of a module's name that can exist
_PYTHON_TAG = re.compile(r"\.(?:cpython-|cp|pypy|abi|graalpy)\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """The module that the file is, `None` if nothing can import it, and what is unusual."""

    module: str | None
    suffix: str | None
    kinds: tuple[str, ...]
    explanation: str


def name_file(path: PurePosixPath, images: Sequence[Image]) -> Naming:
    """Name a file by its path relative to the folder that would be on `sys.path`."""
    image = images[0]
    stem, suffix = split_suffix(path.name)
    inits = sorted({i for one in images for i in one.python_inits})
    exports = name_few(inits, 3)
    if image.kind is ImageKind.EXECUTABLE:
        return _not_a_module(suffix, "executable", "a program; a package starts it as a process")
    if not inits:
        why = "exports no PyInit_ function: a library, linked against or opened by its path"
        return _not_a_module(suffix, "no-init", why)
    kinds = (*_install_name_kinds(path, images), *_init_kinds(inits, stem))
    if suffix is None:
        kinds = (*kinds, "not-a-module-suffix")
        why = f"{exports} exported, but no Python looks for a module in `{path.name}`"
        return Naming(module=None, suffix=None, kinds=kinds, explanation=why)
    init = find_init(stem, inits)
    if init is None:
        kinds = (*kinds, "lib-prefix") if stem.startswith("lib") else kinds
        name = ".".join((*path.parent.parts, stem))
        why = f"`import {name}` needs {init_function(stem)}, but the file exports {exports}"
        return Naming(module=None, suffix=suffix, kinds=kinds, explanation=why)
    return _name_module((*path.parent.parts, stem), suffix, images, kinds, init)


def _name_module(
    parts: tuple[str, ...], suffix: str, images: Sequence[Image], kinds: tuple[str, ...], init: str
) -> Naming:
    """Name a file that has the right init function, `init`."""
    if not all(part.isidentifier() for part in parts):
        why = f"`{'/'.join(parts)}` cannot be written in an import statement"
        return Naming(module=None, suffix=suffix, kinds=kinds, explanation=why)
    lookers = find_lookers(suffix, images)
    if not lookers.interpreters:
        kinds = (*kinds, lookers.kind)
        return Naming(module=None, suffix=suffix, kinds=kinds, explanation=lookers.reason)
    kinds = ("top-level", *kinds) if len(parts) == 1 else kinds
    why = f"{init} and the suffix `{suffix}` make it importable"
    return Naming(module=".".join(parts), suffix=suffix, kinds=kinds, explanation=why)


def working_name(name: str, images: Sequence[Image], suffixes: Sequence[str]) -> str | None:
    """The name under which an interpreter that looks for `suffixes` would find and load a module.

    `suffixes` are in the interpreter's own order: one with a version first, a plain one last. A
    suffix with a version has to be for this very version and platform; the stable ABI and a name
    without any tag are for all. None for a file that is no module, and where no name would do.
    """
    inits = {init for image in images for init in image.python_inits}
    stem, suffix = split_suffix(name)
    stems = (stem, name.partition(".")[0])
    module = next((s for s in stems if s.isidentifier() and find_init(s, inits)), None)
    if module is None:
        return None
    own = parse_suffix(suffix or "")
    if own is None or not own.family:
        return f"{module}{suffixes[-1]}"
    if own.family == "abi":
        stable = [s for s in suffixes if s.startswith((f".{own.tag}.", f".{own.tag}-"))]
        if not stable and any(s.startswith(".abi3t") for s in (f".{own.tag}", *suffixes)):
            return None  # for a newer Python, or for one with the global lock
        return f"{module}{(*stable, suffixes[-1])[0]}"
    target = parse_suffix(suffixes[0])
    if (
        target is None
        or (own.family, own.tag, own.flags) != (target.family, target.tag, target.flags)
        or target.triplet not in triplets_of(images)
    ):
        return None
    return f"{module}{suffixes[0]}"


def init_function(name: str) -> str:
    """The function that initialises the module with this last name (PEP 489)."""
    if name.isascii():
        return f"PyInit_{name}"
    return "PyInitU_" + name.encode("punycode").decode("ascii").replace("-", "_")


def find_init(name: str, inits: Collection[str]) -> str | None:
    """The function among `inits` that makes the module with this last name."""
    function = init_function(name)
    wanted = (function, function.replace("PyInit", "PyModExport", 1))
    return next((f for f in wanted if f in inits), None)


def names_itself(name: str, path: PurePosixPath, stem: str) -> bool:
    """Whether an install name means the file itself, by any of the ways in which tools spell it.

    The last part may be the file's name, its name with another Python's suffix, cargo's
    `lib<stem>.dylib`, or the dotted module name with a suffix, as maturin and setuptools-rust
    write it (`@rpath/pkg._rust.cpython-311-darwin.so`).
    """
    last = PurePosixPath(name).name
    if last in {path.name, f"lib{stem}.dylib", f"{stem}.dylib", f"lib{stem}.so"}:
        return True
    base = split_suffix(last)[0]
    dotted = ".".join((*path.parent.parts, stem))
    return base in {stem, dotted} or dotted.endswith(f".{base}")


def _install_name_kinds(path: PurePosixPath, images: Sequence[Image]) -> tuple[str, ...]:
    if images[0].format is not Format.MACHO or images[0].kind is ImageKind.BUNDLE:
        return ()
    found = []
    stem, suffix = split_suffix(path.name)
    for name in {i.soname for i in images}:
        if name is None:
            found.append("install-name-missing")
            continue
        last = PurePosixPath(name).name
        if name.startswith("/"):
            found.append("install-name-absolute")
        if "." in split_suffix(last.removesuffix(".dylib"))[0]:
            found.append("install-name-qualified")
        if split_suffix(last)[1] != suffix and _PYTHON_TAG.search(last):
            found.append("install-name-other-python")
        if not names_itself(name, path, stem):
            found.append("install-name-foreign")
    return tuple(sorted(set(found)))


def _init_kinds(inits: Sequence[str], stem: str) -> tuple[str, ...]:
    kinds = []
    if len(inits) > 1:
        kinds.append("several-inits")
    if find_init(stem, inits) is None:
        kinds.append("init-differs")
    return tuple(kinds)


def _not_a_module(suffix: str | None, kind: str, why: str) -> Naming:
    return Naming(module=None, suffix=suffix, kinds=(kind,), explanation=why)


def packages_of(name: str) -> tuple[str, ...]:
    """The packages that a module is in, the innermost first; none for a name of absurd length."""
    parts = name.split(".")
    if len(parts) > _MOST_PARTS:
        return ()
    return tuple(".".join(parts[:count]) for count in range(len(parts) - 1, 0, -1))


def importer_name(path: PurePosixPath) -> str:
    """What a native file is called in a record: the module that it is, or else its path.

    `path` is relative to the folder of `sys.path` that holds it. A module's name goes without the
    suffix, so that a record made with one Python serves another.
    """
    stem, suffix = split_suffix(path.name)
    return ".".join((*path.parent.parts, stem)) if suffix is not None else str(path)
