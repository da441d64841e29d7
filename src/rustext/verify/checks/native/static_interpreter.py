"""Find interpreters that are linked statically, and so cannot load extension modules.

In: a `Subject`. Out: the finding `static-interpreter`; what the file itself shows is the evidence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from rustext.discovery.extension_suffixes import split_suffix
from rustext.errors import RustextError
from rustext.formats.binary import open_binary
from rustext.formats.elf.static_linkage import Linkage, linkage_of, wheels_for
from rustext.model.findings import Finding, Severity
from rustext.model.image import Format, Image
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.bundle.module_tables import find_builtin_modules
from rustext.verify.bundle.program import Freezer
from rustext.verify.facts.python.python_suffixes import read_compiled_in
from rustext.verify.subject import Subject

_SHOWN = 3  # modules that a finding names
_INTERPRETER = re.compile(r"(?:python|pypy)(?:\d(?:\.\d+)?t?d?)?")


def check_static_interpreter(subject: Subject) -> Iterator[Finding]:
    """Find the interpreters without a dynamic loader in their process."""
    bundle = subject.bundle
    modules = _module_files(bundle)
    for path, image in _iter_programs(bundle):
        linkage = linkage_of(image)
        if linkage is Linkage.DYNAMIC or not _is_python(bundle, path, modules):
            continue
        yield Finding(
            id="static-interpreter",
            severity=Severity.ERROR if modules else Severity.WARNING,
            subject=subject.inside(path),
            message=f"`{path.name}` is linked statically and cannot load extension modules",
            evidence=(
                ("linked as", f"{linkage.value}: {linkage.evidence}"),
                *(("in vain", subject.inside(module)) for module in modules[:_SHOWN]),
                ("wheels", wheels_for(image)),
            ),
            hint="use an interpreter that is linked to its C library; `rustext doctor` says how "
            "the one that runs it is linked",
        )


def _iter_programs(bundle: Bundle) -> Iterator[tuple[Path, Image]]:
    """What starts the bundle, and interpreters that it carries."""
    program = bundle.program
    if program is not None and program.binary.image.format is Format.ELF:
        yield program.path, program.binary.image
    for path, file in bundle.files:
        if (program is None or path != program.path) and _INTERPRETER.fullmatch(path.name):
            yield path, file.binary.image


def _module_files(bundle: Bundle) -> tuple[Path, ...]:
    return tuple(
        path
        for path, file in bundle.files
        if split_suffix(path.name)[1] is not None and file.binary.image.python_inits
    )


def _is_python(bundle: Bundle, path: Path, modules: tuple[Path, ...]) -> bool:
    """Whether a static program is a Python: frozen, or with the interpreter's own tables in it."""
    program = bundle.program
    if program is not None and path == program.path:
        if program.freezer is not Freezer.UNKNOWN or modules:
            return True
    elif _INTERPRETER.fullmatch(path.name):
        return True
    try:
        with open_binary(path) as (binary, data):
            return bool(read_compiled_in(data)) or bool(find_builtin_modules(binary.image, data))
    except RustextError:
        return False
