"""The Python that a user says a bundle has.

In: what `--python` was given: a kind (`3.12`, `python3.12`, `pypy3.9`, `cp312`) or the path of an
interpreter. Out: a `BundlePython`. An interpreter is started to ask for its version, so it has to
run on this machine: for a bundle of another platform its kind is given instead.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from rustext.environment import Interpreter, read_interpreter
from rustext.errors import InvalidConfiguration
from rustext.findings import BundlePython

_KIND = re.compile(
    r"(?P<name>cpython|python|pypy|graalpy|cp|pp|)-?(?P<major>\d)\.?(?P<minor>\d+)(?P<flags>t?d?)"
)
# Python tags: https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/
_IMPLEMENTATIONS = {
    "": "cpython",
    "cp": "cpython",
    "python": "cpython",
    "cpython": "cpython",
    "pp": "pypy",
    "pypy": "pypy",
    "graalpy": "graalpy",
}
_UNDOTTED = {"cp", "pp"}  # a tag joins major and minor: cp312
_FORMS = "a kind is 3.12, python3.12, cp312, pypy3.9 or, free-threaded, 3.13t"


def parse_python(kind: str) -> BundlePython | None:
    """The Python that a kind names; None for what is no kind, such as a path."""
    match = _KIND.fullmatch(kind)
    if match is None or ("." not in kind) != (match["name"] in _UNDOTTED):
        return None
    return BundlePython(
        implementation=_IMPLEMENTATIONS[match["name"]],
        version=(int(match["major"]), int(match["minor"])),
        flags=match["flags"],
        source=f"--python {kind}",
    )


def choose_python(
    text: str, *, platform: str, this_platform: str, bundled: BundlePython | None
) -> tuple[BundlePython, Interpreter | None]:
    """The Python that `--python` means, and an interpreter's facts where it names one.

    `platform` and `this_platform` are those of the bundle's target and of this machine, in the
    words of `linux-x86_64`; `bundled` is what the bundle itself shows. Raises
    `InvalidConfiguration` where the text means nothing or names an interpreter for a bundle of
    another platform, `InvalidEnvironment` where an interpreter does not answer.
    """
    kind = parse_python(text)
    if kind is not None:
        return kind, None
    path = Path(text)
    if os.sep not in text and not path.exists():
        raise InvalidConfiguration(f"`{text}` is no kind of Python and no file", hint=_FORMS)
    if platform != this_platform:
        instead = _kind_of(path, bundled)
        raise InvalidConfiguration(
            f"{path} is an interpreter of this machine ({this_platform}) and says nothing of "
            f"{platform}, which the bundle is for",
            hint=f"name its kind instead of a path: --python {instead}",
        )
    facts = read_interpreter(path)
    return _from_facts(facts, path), facts


def _kind_of(path: Path, bundled: BundlePython | None) -> str:
    """What to give instead of a path: what its name says, else what the bundle itself shows."""
    for name in (path.name, path.resolve().name):
        named = parse_python(name)
        if named is not None:
            return named.name
    return bundled.name if bundled is not None else "3.12 (or whichever it is)"


def _from_facts(facts: Interpreter, path: Path) -> BundlePython:
    return BundlePython(
        implementation=str(facts.markers.get("implementation_name", "cpython")),
        version=facts.version,
        flags=_flags(facts.suffixes),
        source=str(path),
    )


def _flags(suffixes: tuple[str, ...]) -> str:
    """The ABI flags of CPython, as its extension modules are named: PEP 3149, PEP 703."""
    match = re.match(r"\.(?:cpython-|cp)\d+(t?d?)-", suffixes[0]) if suffixes else None
    return match[1] if match is not None else ""


def platform_name(system: str, machine: str) -> str:
    """The platform of this machine, from `platform.system()` and `platform.machine()`."""
    systems: Mapping[str, str] = {"Darwin": "macos", "Linux": "linux", "Windows": "windows"}
    # https://docs.python.org/3/library/platform.html#platform.machine gives the kernel's word
    machines: Mapping[str, str] = {"AMD64": "x86_64", "ARM64": "arm64", "x86": "i686"}
    return f"{systems.get(system, system.lower())}-{machines.get(machine, machine)}"
