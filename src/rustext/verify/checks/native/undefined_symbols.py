"""Find the symbols that files ask for and that nothing in their process defines.

In: a `Subject`. Out: the finding `undefined-symbol`. Strong undefined symbols of ELF files are
looked up as glibc and musl do it: in the program and all that it needs, then in what the file was
opened with. A symbol counts if a relocation asks for it. dlopen binds functions at once, as Python
calls it (RTLD_NOW); for what the program itself needs the loader binds functions at their first
call, unless the linker asked otherwise. Functions of
Python's that a module calls are for `python-abi`, versions that a
library lacks for `missing-library` and `glibc-floor`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from rustext.discovery.module_names import find_init, init_function
from rustext.files.cache import kept_facts
from rustext.formats.elf.symbol_lookup import Wanted
from rustext.model.findings import Finding, Severity
from rustext.model.image import Format
from rustext.verify.facts.native.symbol_scopes import SymbolScopes, read_bound
from rustext.verify.facts.python.code_names import find_importer
from rustext.verify.subject import Subject

_PYTHON = re.compile(r"_?Py[A-Z_]")
_GLIBC = "GLIBC_"
_HINT = "put the library into the bundle that the file was built against: same name, same version"


def check_symbols(subject: Subject) -> Iterator[Finding]:
    """Find the symbols that the loader would not find, file by file."""
    yield from _check_init_functions(subject)
    bundle, loaded = subject.bundle, subject.loaded
    if bundle.image.format is not Format.ELF or bundle.program is None:
        return
    scopes = SymbolScopes(bundle, loaded)
    openers: dict[Path, list[frozenset[Path]]] = defaultdict(list)
    for opened in (*loaded.modules, *scopes.pythons):
        if not loaded.lacks_any(opened):
            closure = loaded.closure(opened)
            for path in closure:
                openers[path].append(closure)
    start = loaded.at_start if not loaded.lacks_any(bundle.program.path) else frozenset()
    program = bundle.program.path
    if start and (copied := scopes.uncopied(program.resolve())):
        yield _finding(subject, scopes, program, list(copied), lazily=False)
    keep = subject.cached and bundle.origin is None
    with kept_facts("symbols", bundle.root, keep=keep) as kept:
        for path, file in bundle.files:
            real = loaded.real(path)
            if path != real or not loaded.fits(file) or not (real in openers or real in start):
                continue
            closures = openers.get(real, [])
            given = scopes.state(closures) if keep else ""
            if kept.get(path, bool, partial(_is_unbound, scopes, path, closures), given=given):
                yield from _check(subject, scopes, path, closures)


def _is_unbound(scopes: SymbolScopes, path: Path, closures: list[frozenset[Path]]) -> bool:
    return bool(scopes.unbound(path, closures))


def _check_init_functions(subject: Subject) -> Iterator[Finding]:
    """Find modules without the function that Python calls by their name (PEP 489).

    A package may open such a file itself under another name: only those that code imports count.
    """
    for path, file in subject.bundle.files:
        module = subject.loaded.modules.get(path.resolve())
        inits = file.binary.python_inits
        if module is None or not inits or path != path.resolve():
            continue
        module = module.removesuffix(".__init__")  # which a package does not have in its name
        name = module.rpartition(".")[2]
        wanted = init_function(name)
        if find_init(name, inits) or (importer := find_importer(subject.bundle, module)) is None:
            continue
        yield Finding(
            id="undefined-symbol",
            severity=subject.severity(path),
            subject=subject.inside(path),
            message=f"`{path.name}` does not define `{wanted}`, which Python calls to import it",
            evidence=(
                ("imported as", module),
                ("named in", importer),
                *(("exports", init) for init in inits),
            ),
            hint="put the module's own file there: this one belongs to another module",
        )


def _check(
    subject: Subject, scopes: SymbolScopes, path: Path, opened: list[frozenset[Path]]
) -> Iterator[Finding]:
    judged_apart = path in subject.loaded.modules
    unbound = [
        wanted
        for wanted in scopes.unbound(path, opened)
        if not (judged_apart and _PYTHON.match(wanted.name))
        and not _is_version_gap(subject, scopes, path, wanted)
    ]
    if not unbound:
        return
    bound = read_bound(path)
    at_start = path in subject.loaded.at_start
    at_load = bound.at_load if at_start else bound.at_load | bound.at_call
    fatal = [w for w in unbound if w.name in at_load]
    late = [w for w in unbound if w.name in bound.at_call and w.name not in at_load]
    for symbols, lazily in ((fatal, False), (late, True)):
        if symbols:
            yield _finding(subject, scopes, path, symbols, lazily=lazily)


def _is_version_gap(subject: Subject, scopes: SymbolScopes, path: Path, wanted: Wanted) -> bool:
    """Whether the library that a version is asked of lacks the version altogether, or is not ours.

    Of such a library another finding tells which version is missing. glibc counts as ours where it
    has the version: no symbol is added to one or taken away
    (https://sourceware.org/glibc/wiki/Development/Versioning_and_Symbols).
    """
    if wanted.version is None:
        return False
    for edge in subject.edges:
        if edge.needed_by.resolve() == path and edge.soname == wanted.library:
            ours = edge.path is not None and subject.bundle.holds(edge.path)
            if edge.path is None or not (ours or wanted.version.startswith(_GLIBC)):
                return True
            return not scopes.offered(edge.path.resolve()).has_version(wanted.version)
    return False


def _finding(
    subject: Subject,
    scopes: SymbolScopes,
    path: Path,
    symbols: list[Wanted],
    *,
    lazily: bool,
) -> Finding:
    first = symbols[0]
    holder = scopes.definer(first)
    named = f"`{first.name}`" + (f", version {first.version}" if first.version else "")
    others = f" and {len(symbols) - 1} more" if len(symbols) > 1 else ""
    reason = subject.loaded.surely(path)
    evidence = [reason] if reason is not None else []
    if holder is not None:
        evidence.append(("defined in", f"{subject.inside(holder)}, which this file does not need"))
    evidence += [("symbol", w.name) for w in symbols]
    if lazily:
        message = f"`{path.name}` calls {named}{others}, which nothing in its process defines"
    else:
        message = f"`{path.name}`: undefined symbol: {named}{others}"
    return Finding(
        id="undefined-symbol",
        severity=Severity.WARNING if lazily or holder is not None else subject.severity(path),
        subject=subject.inside(path),
        message=message,
        evidence=tuple(evidence),
        hint=_HINT
        if holder is None
        else "this works only where the program loads that file first, for all to see "
        "(RTLD_GLOBAL); `--run` shows it",
    )
