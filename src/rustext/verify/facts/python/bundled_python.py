"""Work out which Python a bundle brings along, from its files alone.

In: a `Bundle`. Out: a `BundlePython`, or None where nothing says so. The best witness is the
interpreter's own file, into which the suffixes that it looks for are compiled; then the freezer's
archive, then names: libpython's, those of the libraries that modules link against, and the suffixes
of most modules.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from rustext.discovery.extension_suffixes import Suffix, parse_suffix
from rustext.model.verification import BundlePython
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.bundle.interpreters import iter_interpreters
from rustext.verify.facts.python.python_suffixes import find_looked_for

# libpython3.13t.so.1.0, python313.dll, python313_d.dll, libpypy3.10-c.so,
# …/Python.framework/Versions/3.12/Python. python3.dll and libpython3.so are the stable ABI alone.
_LIBRARY = re.compile(
    r"(?:lib|)(?P<name>python|pypy)(?P<major>[0-9])\.?(?P<minor>[0-9]{1,3})(?P<flags>t?d?)(?P<debug>_d)?"
    r"(?:-c)?\.(?:so|dll|dylib)"
    r"|Python\d*T?\.framework/Versions/(?P<framework>[0-9]\.[0-9]{1,3})/",
    re.IGNORECASE,
)
_IMPLEMENTATIONS = {"pypy": "pypy", "graalpy": "graalpy"}


def find_bundled_python(bundle: Bundle) -> BundlePython | None:
    """The Python that a bundle brings along."""
    return next(_iter_evidence(bundle), None)


def _iter_evidence(bundle: Bundle) -> Iterator[BundlePython]:
    """What there is, the best first."""
    looked_for = find_looked_for(bundle)
    if looked_for is not None and looked_for.tagged is not None:
        yield python_of_suffix(looked_for.tagged, f"suffixes in {looked_for.said_by}")
    program = bundle.program
    if program is not None and program.python is not None:
        source = f"PyInstaller's archive in {program.path.name}"
        yield BundlePython(
            implementation="cpython", version=program.python, flags="", source=source
        )
    likely = iter_interpreters(program, bundle.files)
    for path in dict.fromkeys([*likely, *(path for path, _ in bundle.files)]):
        named = python_of_library(path.relative_to(bundle.root).as_posix(), f"{path.name}")
        if named is not None:
            yield named
    for path, file in bundle.files:
        for needed in (n for image in file.binary.images for n in image.needed):
            named = python_of_library(needed.name, f"{path.name}, which needs {needed.name}")
            if named is not None:
                yield named
    yield from _commonest_suffix(bundle)


def python_of_library(name: str, source: str) -> BundlePython | None:
    """The Python that a shared library of this name or path holds; None for any other."""
    match = _LIBRARY.search(name)
    if match is None:
        return None
    if match["framework"]:
        major, minor = match["framework"].split(".")
        implementation, flags = "cpython", "t" if "T.framework" in name else ""
    else:
        major, minor = match["major"], match["minor"]
        implementation = _IMPLEMENTATIONS.get(match["name"].lower(), "cpython")
        flags = match["flags"] + ("d" if match["debug"] else "")
    version = (int(major), int(minor))
    return BundlePython(implementation=implementation, version=version, flags=flags, source=source)


def python_of_suffix(suffix: Suffix, source: str) -> BundlePython:
    """The Python that looks for a suffix with a version in it."""
    return BundlePython(
        implementation=_IMPLEMENTATIONS.get(suffix.family, "cpython"),
        version=(int(suffix.tag[0]), int(suffix.tag[1:] or 0)),
        flags="".join(flag for flag in "td" if flag in suffix.flags),
        source=source,
    )


def _commonest_suffix(bundle: Bundle) -> Iterator[BundlePython]:
    suffixes = [parse_suffix(file.suffix) for _, file in bundle.files if file.suffix]
    tagged = Counter(s for s in suffixes if s is not None and s.family not in {"", "abi"})
    for suffix, count in tagged.most_common(1):
        yield python_of_suffix(suffix, f"the suffixes of {count} of {len(suffixes)} modules")
