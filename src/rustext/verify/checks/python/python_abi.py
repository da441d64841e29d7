"""Find the extension modules that were built for another Python than the bundle's.

In: a `Subject` whose Python is known. Out: the finding `python-abi`. What a module was built for is
said by its suffix (PEP 3149, PEP 384, PEP 703), by the libpython that it links against, by the kind
of function that it exports, by its wheel's tags, by the functions of Python that it calls, and by
the slots of its definition. A suffix of the right Python that is spelt wrongly is for `ext-suffix`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rustext.discovery.extension_suffixes import parse_suffix
from rustext.model.findings import Finding, name_few
from rustext.model.native_file import NativeFile
from rustext.model.verification import BundlePython
from rustext.verify.facts.python.bundled_python import python_of_library, python_of_suffix
from rustext.verify.facts.python.module_slots import NEWEST_SLOT, find_slots_version
from rustext.verify.facts.python.python_symbols import PythonSymbols
from rustext.verify.facts.python.wheel_tags import stable_abi_floors
from rustext.verify.load_reasons import Uses
from rustext.verify.subject import Subject

_NEW_MODULES = (3, 15)  # the first with `.abi3t` (PEP 803) and `PyModExport_` (PEP 793)
_SHOWN = 6  # functions that a finding names

Evidence = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Misfit:
    """Why a module does not fit the bundle's Python."""

    built_for: str
    evidence: Evidence


def check_python_abi(subject: Subject) -> Iterator[Finding]:
    """Find the modules for another Python, unless the bundle has the same ones for its own."""
    python = subject.python
    if python is None:
        return
    bundled = _said(python)
    floors = stable_abi_floors(subject.bundle)
    misfits = {
        path: misfit
        for path, file in subject.bundle.files
        if (misfit := _misfit_by_name(path, file, python, floors)) is not None
    }

    def fits(path: Path, _: NativeFile) -> bool:
        return path not in misfits

    uses = Uses(subject, fits)
    symbols = PythonSymbols(subject.bundle)
    for path, file in subject.bundle.files:
        misfit = misfits.get(path)
        if misfit is None and python.implementation == "cpython":
            misfit = _misfit_by_symbols(symbols, uses, path, file)
            misfit = misfit or _misfit_by_slots(uses, path, file, python)
        if misfit is None:
            continue
        why = uses.why_loaded(path, file) if path in misfits else None
        if path in misfits and why is None:
            continue  # the bundle has the same module for its own Python
        yield Finding(
            id="python-abi",
            severity=subject.severity(path),
            subject=subject.inside(path),
            message=f"`{path.name}` is built for {misfit.built_for}, the bundle has {bundled}",
            evidence=(
                *misfit.evidence,
                *((why,) if why is not None else ()),
                ("bundle has", f"{bundled} ({python.source})"),
            ),
            hint="install the package's wheel for the Python that freezes, and freeze again",
        )


def _misfit_by_name(
    path: Path, file: NativeFile, python: BundlePython, floors: Mapping[Path, tuple[int, int]]
) -> _Misfit | None:
    """What the suffix, the wheel's tag and the names of needed libraries say."""
    suffix = parse_suffix(file.suffix) if file.suffix else None
    if suffix is not None and suffix.family not in {"", "abi", "graalpy"}:
        built = python_of_suffix(suffix, "")
        if _differs(built, python):
            return _Misfit(built_for=_said(built), evidence=(("suffix", file.suffix or ""),))
    if suffix is not None and suffix.family == "abi":
        misfit = _stable_abi_misfit(suffix.tag, path, python, floors)
        if misfit is not None:
            return misfit
    if file.suffix is None:
        return None
    inits = file.binary.python_inits
    if inits and inits[0].startswith("PyModExport") and python.version < _NEW_MODULES:
        return _Misfit(built_for="CPython 3.15 or later", evidence=(("exports", inits[0]),))
    for needed in (n for image in file.binary.images for n in image.needed):
        linked = python_of_library(needed.name, "")
        if linked is not None and _differs(linked, python):
            return _Misfit(built_for=_said(linked), evidence=(("links to", needed.name),))
    return None


def _stable_abi_misfit(
    tag: str, path: Path, python: BundlePython, floors: Mapping[Path, tuple[int, int]]
) -> _Misfit | None:
    if python.implementation != "cpython":
        return _Misfit(built_for="CPython's stable ABI", evidence=(("suffix", f".{tag}"),))
    if tag == "abi3t" and python.version < _NEW_MODULES:
        return _Misfit(built_for="CPython 3.15 or later", evidence=(("suffix", ".abi3t"),))
    if tag == "abi3" and "t" in python.flags:
        # A free-threaded 3.13 or 3.14 loads it and crashes:
        # https://github.com/python/cpython/issues/120901
        evidence = (("suffix", ".abi3, whose objects a free-threaded Python lays out otherwise"),)
        return _Misfit(built_for="a Python with the global lock", evidence=evidence)
    floor = floors.get(path)
    if floor is not None and python.version < floor:
        built = f"CPython {floor[0]}.{floor[1]} or later"
        return _Misfit(built_for=built, evidence=(("wheel", f"cp{floor[0]}{floor[1]}-abi3"),))
    return None


def _misfit_by_symbols(
    symbols: PythonSymbols, uses: Uses, path: Path, file: NativeFile
) -> _Misfit | None:
    """What the module calls and the bundle's Python does not have; it is bound when it is loaded.

    https://docs.python.org/3/library/sys.html#sys.getdlopenflags: RTLD_NOW.
    """
    if uses.module_of(path, file) is None:
        return None
    absent = symbols.absent_from_python(path)
    if not absent:
        return None
    said_by = ("asked", f"the exports of {symbols.provider}")
    evidence = (("lacks", name_few(absent, _SHOWN)), said_by)
    return _Misfit(built_for="another Python", evidence=evidence)


def _misfit_by_slots(
    uses: Uses, path: Path, file: NativeFile, python: BundlePython
) -> _Misfit | None:
    """What the module's definition has and an older Python refuses."""
    module = uses.module_of(path, file)
    stable = file.suffix is not None and ".abi3" in file.suffix  # its wheel's tag tells
    if module is None or stable or python.version >= NEWEST_SLOT:
        return None
    since = find_slots_version(file.binary, module)
    if since is None or since <= python.version:
        return None
    built = f"CPython {since[0]}.{since[1]} or later"
    return _Misfit(built_for=built, evidence=(("slots", "its definition has one that came then"),))


def _differs(built: BundlePython, python: BundlePython) -> bool:
    return (built.implementation, built.version, built.flags) != (
        python.implementation,
        python.version,
        python.flags,
    )


def _said(python: BundlePython) -> str:
    names = {"cpython": "CPython", "pypy": "PyPy", "graalpy": "GraalPy"}
    kinds = [
        kind for flag, kind in (("t", "free-threaded"), ("d", "debug")) if flag in python.flags
    ]
    version = f"{python.version[0]}.{python.version[1]}"
    return " ".join((names.get(python.implementation, python.implementation), version, *kinds))
