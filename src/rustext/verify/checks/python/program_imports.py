"""Find the modules without which a program of the bundle does not start.

In: a `Subject`. Out: the findings `missing-import` about what Python code imports, for each program
of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from rustext.data import read_data
from rustext.discovery.module_names import importer_name
from rustext.model.findings import Finding, Severity
from rustext.verify.bundle.native_files import folders_on_path
from rustext.verify.bundle.program import Freezer, Program
from rustext.verify.facts.python.program_starts import MissingModule, Start
from rustext.verify.facts.python.python_suffixes import choose_looked_for, iter_misnamed
from rustext.verify.subject import Subject

_SHOWN = 20  # names of one finding
_HINT = "freeze the program again, and see that nothing removes files afterwards"


def check_program_imports(subject: Subject) -> Iterator[Finding]:
    """Find what the programs import when they start, and what their tables promise."""
    found = [
        f for start in subject.starts for m in start.missing for f in _judge(subject, start, m)
    ]
    for program in subject.bundle.programs:
        if program.freezer is Freezer.NUITKA:
            found += _missing_extensions(subject, program)
        elif program.freezer is Freezer.PYINSTALLER:
            found += _missing_parts(subject, program)
    misnamed = set(_iter_misnamed(subject)) if found else set()
    # What several programs share, all of them lack.
    yield from (f for f in dict.fromkeys(found) if f.subject not in misnamed)


def _iter_misnamed(subject: Subject) -> Iterator[str]:
    """The modules whose file has a name that Python does not look for: see `ext-suffix`."""
    looked_for = choose_looked_for(subject.bundle, subject.python)
    for file in iter_misnamed(subject.bundle, looked_for) if looked_for is not None else ():
        if not file.lib_prefix:  # of which it is not certain what they were made for
            folders = folders_on_path(subject.bundle.contents, file.wanted.parent)
            yield ".".join((*folders, file.wanted.name.partition(".")[0]))


def _judge(subject: Subject, start: Start, missing: MissingModule) -> Iterator[Finding]:
    """One finding, or none where it is not known whether the interpreter itself has the module."""
    top = missing.name.partition(".")[0]
    if not subject.bundle.builtins_known and top in sys.stdlib_module_names:
        return
    evidence = [("imported by", " → ".join(missing.chain) or "Python itself, before all else")]
    doubts = []
    if missing.name == top and not subject.in_stdlib(top):  # no package that lost a module
        native = {file.module for _, file in subject.bundle.files}.intersection(missing.chain)
        doubts = [f"`{name}`, which is native, need not import it in each run" for name in native]
        if start.adds_folders:
            doubts.append(f"`{start.adds_folders}` adds folders to `sys.path`")
    evidence += (("but", doubt) for doubt in sorted(doubts))
    severity = Severity.WARNING if doubts else Severity.ERROR
    name = start.program.path.name
    what = f"`{missing.name}` when it starts, which is not in the bundle"
    if missing.module:
        attribute = missing.name.rpartition(".")[2]
        what = f"`{attribute}` from `{missing.module}` when it starts, whose code does not bind it"
    yield Finding(
        id="missing-import",
        severity=severity,
        subject=missing.name,
        message=f"`{name}` imports {what}",
        evidence=tuple(evidence),
        hint=_HINT,
    )


def _missing_parts(subject: Subject, program: Program) -> Iterator[Finding]:
    """Modules of packages that PyInstaller includes whole, as Python computes their names."""
    held = subject.bundle.modules_of(program)
    known = read_data("stdlib")
    for package in held & set(known["bundled"]):
        parts = set(subject.stdlib.modules_in(package)) - set(known["windows"])
        if lacking := sorted(name for name in parts - held if subject.in_stdlib(name)):
            yield Finding(
                id="missing-import",
                severity=Severity.WARNING,
                subject=package,
                message=f"the bundle lacks {len(lacking)} of the modules of `{package}`, which "
                "Python imports by names that it computes",
                evidence=tuple(("lacks", name) for name in lacking[:_SHOWN]),
                hint=_HINT,
            )


def _missing_extensions(subject: Subject, program: Program) -> Iterator[Finding]:
    """Extension modules that Nuitka's table names and whose files are not there.

    It names libraries too that are called as modules are: they count where something imports them.
    """
    files = {file.module for _, file in subject.bundle.files}
    away = _left_behind(subject, program)
    if away is not None:
        yield away
    libraries = {importer_name(file.path) for _, file in subject.bundle.files} - files
    starts = [s for s in subject.starts if s.program is program and s.followed]
    for name in sorted(program.extensions - files):
        reached = any(name in start.reached for start in starts)
        if name in libraries and not reached:
            continue
        needed = not starts or reached
        yield Finding(
            id="missing-import",
            severity=Severity.ERROR if needed else Severity.WARNING,
            subject=name,
            message=f"`{program.path.name}` was made with the extension module `{name}`, whose "
            "file is not in the bundle",
            evidence=(("named in", "the program's table of modules"),),
            hint=_HINT,
        )


def _left_behind(subject: Subject, program: Program) -> Finding | None:
    """Where a Nuitka program is a link to another folder: it looks for modules beside itself."""
    real, beside = program.path.resolve(), program.path.parent
    if not program.path.is_symlink() or real.parent == beside.resolve():
        return None
    own = (f.path for _, f in subject.bundle.files if f.module in program.extensions)
    inside = [p for p in map(subject.bundle.root.joinpath, own) if p.is_relative_to(beside)]
    wanted = (real.parent / path.relative_to(beside) for path in inside)
    lost = sorted(subject.inside(path) for path in wanted if not path.exists())
    if not lost:
        return None
    name = program.path.name
    return Finding(
        id="missing-import",
        severity=Severity.ERROR,
        subject=subject.inside(program.path),
        message=f"`{name}` is a link to another folder, and its modules are not there",
        evidence=(
            ("links to", subject.inside(real)),
            *(("looks for", path) for path in lost),
        ),
        hint="put the program itself where the link is, and link to it from elsewhere",
    )
