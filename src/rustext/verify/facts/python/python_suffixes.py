"""Find which extension suffixes the bundled Python looks for, and the files that it misses."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rustext.discovery.extension_suffixes import Suffix, parse_suffix, split_suffix, triplets_of
from rustext.discovery.module_names import working_name
from rustext.files.untrusted import read_start
from rustext.formats.binary import open_binary
from rustext.model.image import Format, Image
from rustext.model.verification import BundlePython
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.bundle.interpreters import iter_interpreters
from rustext.verify.bundle.program import Freezer
from rustext.verify.bundle.tree import read_tree

_COMPILED_IN = re.compile(
    rb"\.(?:cpython-\d{1,4}[a-z]*-|pypy\d{1,4}-pp\d{1,4}-|graalpy\d{1,4}-"
    rb"|cp\d{1,4}t?-win|abi3t?[.-])[\w-]{0,99}\.?(?:so|pyd)\0"
)
_RECORDED = re.compile(rb"""['"]EXT_SUFFIX['"]: ['"]([\w.-]{1,99})['"]""")
_WITH_ABI3T = 315  # PEP 803
_LIMIT = 1 << 20  # bytes of a record that are read; CPython's are below 64 KiB
_PLAIN = {Format.ELF: ".so", Format.MACHO: ".so", Format.PE: ".pyd"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedFor:
    """The suffixes that an interpreter looks for, the most telling first, and who says so."""

    suffixes: tuple[str, ...]
    said_by: str

    @property
    def tagged(self) -> Suffix | None:
        """The one suffix with a version, taken apart."""
        parsed = map(parse_suffix, self.suffixes)
        return next((s for s in parsed if s is not None and s.family not in {"", "abi"}), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Misnamed:
    """An extension module, and the path at which the interpreter would find and load it."""

    path: Path
    looked_for: tuple[str, ...]
    wanted: Path
    lib_prefix: bool  # cargo's raw `libname.so`: perhaps meant to be opened by path


def choose_looked_for(bundle: Bundle, python: BundlePython | None) -> LookedFor | None:
    """What the bundle's own files say, unless the user says that another Python will run it."""
    found = find_looked_for(bundle)
    tagged = found.tagged if found is not None else None
    if python is None or (
        tagged is not None and f"{tagged.tag}{tagged.flags}" == f"{_digits(python)}{python.flags}"
    ):
        return found
    return looked_for_by(python, bundle.image) or found


def looked_for_by(python: BundlePython, image: Image) -> LookedFor | None:
    """What a kind of CPython looks for on the platform of an image; None for other Pythons."""
    triplets = triplets_of((image,))
    if python.implementation != "cpython" or not triplets:
        return None
    tag = f"{_digits(python)}{python.flags}"
    if image.format is Format.PE:
        return LookedFor(suffixes=(f".cp{tag}-{triplets[0]}.pyd", ".pyd"), said_by=python.source)
    tagged = f".cpython-{tag}-{triplets[0]}.so"
    return LookedFor(suffixes=_with_others(tagged, ".so"), said_by=python.source)


def _with_others(tagged: str, plain: str) -> tuple[str, ...]:
    """All that CPython looks for, by its suffix with a version.

    https://github.com/python/cpython/blob/3.15/Python/dynload_shlib.c; a free-threaded 3.13 or 3.14
    finds modules for `.abi3`, and crashes.
    """
    suffix = parse_suffix(tagged)
    if suffix is None or suffix.family != "cpython" or int(suffix.tag) < _WITH_ABI3T:
        return (tagged, ".abi3.so", plain)
    abis = ("abi3t",) if "t" in suffix.flags else ("abi3", "abi3t")
    stable = (f".{abi}{end}" for abi in abis for end in (f"-{suffix.triplet}.so", ".so"))
    return (tagged, *stable, plain)


def _digits(python: BundlePython) -> str:
    return f"{python.version[0]}{python.version[1]}"


def find_looked_for(bundle: Bundle) -> LookedFor | None:
    """What the bundle's interpreter looks for; None where the bundle holds no sign of one.

    The interpreter's own file is the best witness, then what its build recorded, then the modules
    of its standard library, which it does find.
    """
    plain = _PLAIN[bundle.image.format]
    for path in iter_interpreters(bundle.program, bundle.files):
        with open_binary(path) as (_, data):
            found = read_compiled_in(data)
        if any(parse_suffix(suffix) for suffix in found if ".abi3" not in suffix):
            return LookedFor(suffixes=(*found, plain), said_by=bundle.inside(path))
    for name in filter(_is_record, read_tree(bundle.contents).files):
        path = bundle.contents / name
        recorded = _RECORDED.search(read_start(path, _LIMIT))
        if recorded is not None:
            suffixes = _with_others(recorded[1].decode("ascii"), plain)
            return LookedFor(suffixes=suffixes, said_by=bundle.inside(path))
    for path, _ in bundle.files:
        suffix = split_suffix(path.name)[1]
        if path.parent.name == "lib-dynload" and suffix is not None:
            suffixes = _with_others(suffix, plain)
            return LookedFor(suffixes=suffixes, said_by=bundle.inside(path))
    return None


def _is_record(name: str) -> bool:
    return name.rpartition("/")[2].startswith("_sysconfigdata") and name.endswith(".py")


def read_compiled_in(data: mmap.mmap) -> tuple[str, ...]:
    """The suffixes in an interpreter's file, those with a version first."""
    found = {match[0][:-1].decode("ascii") for match in _COMPILED_IN.finditer(data)}
    return tuple(sorted(found, key=lambda suffix: (suffix.startswith(".abi"), suffix)))


def iter_misnamed(bundle: Bundle, looked_for: LookedFor) -> Iterator[Misnamed]:
    """The extension modules that would load under another name, and under none that is there.

    A file for another machine, C library or version of Python would not load under any name.
    """
    program = bundle.image
    for path, file in bundle.files:
        images = file.binary.images
        if not any((i.format, i.architecture) == (program.format, program.architecture)
                   for i in images):  # fmt: skip
            continue
        raw = path.name.removeprefix("lib")  # as cargo names a library
        wanted = working_name(path.name, images, looked_for.suffixes)
        lib_prefix = wanted is None and raw != path.name
        if lib_prefix:
            wanted = working_name(raw, images, looked_for.suffixes)
        if wanted is None:
            continue
        suffixes, module = looked_for.suffixes, wanted.partition(".")[0]
        if _is_opened_by_nuitka(bundle, path.parent, module):
            suffixes, wanted = suffixes[-1:], f"{module}{suffixes[-1]}"
        names = tuple(f"{module}{suffix}" for suffix in suffixes)
        if not any((path.parent / name).exists() for name in names):
            yield Misnamed(
                path=path,
                looked_for=names,
                wanted=path.parent / wanted,
                lib_prefix=lib_prefix,
            )


def _is_opened_by_nuitka(bundle: Bundle, folder: Path, module: str) -> bool:
    """Nuitka's programs open their own modules by one name, whatever their Python looks for."""
    program = bundle.program
    if program is None or program.freezer is not Freezer.NUITKA:
        return False
    parts = folder.relative_to(bundle.contents).parts
    return ".".join((*parts, module)) in program.modules
