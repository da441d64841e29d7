"""The Python that a user says a bundle has.

In: what `--python` was given: a kind (`3.12`, `python3.12`, `pypy3.9`, `cp312`) or the path of an
interpreter. Out: a `BundlePython`. An interpreter is started to ask for its version, so it has to
run on this machine: for a bundle of another platform its kind is given instead.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from rustext.environment.environment import Interpreter, read_interpreter
from rustext.errors import InvalidBinary, InvalidConfiguration, InvalidEnvironment
from rustext.formats.binary import read_binary
from rustext.formats.elf.libc import uses_musl
from rustext.model.image import Format, Image
from rustext.model.verification import BundlePython
from rustext.verify.target.target import Target, name_platform

_KIND = re.compile(
    r"(?P<name>cpython|python|pypy|graalpy|cp|pp|)-?"
    r"(?P<major>[0-9])\.?(?P<minor>[0-9]{1,3})(?P<flags>t?d?)"
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
_OLDEST = (3, 2)  # the first with the suffixes of PEP 3149 and the stable ABI of PEP 384
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
    text: str, *, image: Image, target: Target | None, bundled: BundlePython | None
) -> tuple[BundlePython, Interpreter | None]:
    """The Python that `--python` means, and an interpreter's facts where it names one.

    `image` is the bundle's program, `bundled` the Python that the bundle itself shows. Raises
    `InvalidConfiguration` where the text means nothing, or names an interpreter that is not for
    the bundle's platform or does not run here.
    """
    kind = parse_python(text)
    if kind is not None:
        if kind.version < _OLDEST:
            raise InvalidConfiguration(f"`{text}` is no Python that can be judged", hint=_FORMS)
        return kind, None
    path = Path(text)
    if not path.is_file():
        what = f"{path} is no interpreter" if os.sep in text else f"`{text}` is no kind of Python"
        raise InvalidConfiguration(what, hint=_FORMS)
    instead = f"name its kind instead of a path: --python {_kind_of(path, bundled)}"
    own, wanted = _platforms_of(path), _wanted_platforms(image, target)
    if own and not set(own) & set(wanted):
        raise InvalidConfiguration(
            f"{path} is an interpreter for {own[0]} and says nothing of {wanted[0]}, "
            "which the bundle is for",
            hint=instead,
        )
    try:
        facts = read_interpreter(path.absolute())  # a bare word would be looked for on PATH
    except InvalidEnvironment as error:
        raise InvalidConfiguration(f"{error}", hint=instead) from error
    return _from_facts(facts, path), facts


def _platforms_of(path: Path) -> tuple[str, ...]:
    """What an interpreter's own file is for; empty for a script that starts another program."""
    try:
        images = read_binary(path.resolve()).images
    except InvalidBinary:
        return ()
    return tuple(_platform_of(image) for image in images)


def _wanted_platforms(image: Image, target: Target | None) -> tuple[str, ...]:
    if target is None:
        return (_platform_of(image),)
    musl = " (musl)" if target.libc == "musl" else ""
    return tuple(f"{name_platform(target.format, a)}{musl}" for a in target.architectures)


def _platform_of(image: Image) -> str:
    musl = " (musl)" if image.format is Format.ELF and uses_musl(image) else ""
    return f"{name_platform(image.format, image.architecture)}{musl}"


def _kind_of(path: Path, bundled: BundlePython | None) -> str:
    """What to give instead of a path: what the bundle itself shows, else what the name says."""
    if bundled is not None:
        return bundled.name
    for name in (path.name, path.resolve().name):
        named = parse_python(name)
        if named is not None:
            return named.name
    return "3.12, or whichever it is"


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
