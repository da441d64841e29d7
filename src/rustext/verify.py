"""Judge whether a finished bundle stands alone.

In: a `Bundle`, what its target machines provide, and the end of an isolated run if there was one.
Out: a `VerifyReport`. Files are read and nothing is executed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rustext.binary import open_binary
from rustext.bundle import Bundle, Freezer, read_bundle
from rustext.elf_loader import uses_musl
from rustext.environment import Environment, stdlib_environment
from rustext.findings import Finding, IsolatedRun, Severity, VerifyReport
from rustext.imports import can_import, doubt_of, iter_crate_rules
from rustext.knowledge import read_data
from rustext.loader import Loader
from rustext.model import (
    Edge,
    EvidenceKind,
    Format,
    Missing,
    NativeFile,
    NeedKind,
    Resolved,
    StringRef,
)
from rustext.resolve import Resolver
from rustext.strings import iter_strings

_RANK = tuple(Severity)
_LAST_LINES = 12  # of a failed program's output that a finding quotes


def verify(
    bundle: Bundle,
    *,
    stdlib: Environment,
    allow_system: Sequence[str] = (),
    run: IsolatedRun | None = None,
) -> VerifyReport:
    """Verify a bundle.

    `stdlib` is an environment whose standard library stands for the bundle's Python;
    `allow_system` names sonames that the target machines provide beside the platform's own.
    `run` is the end of an isolated run, if there was one; what it shows is judged too.
    """
    edges = resolve_bundle(bundle)
    allowed = frozenset(allow_system)
    findings = [
        *_check_libraries(bundle, edges, allowed),
        *_check_imports(bundle, stdlib),
        *(_check_run(bundle, run, allowed) if run is not None else ()),
    ]
    return VerifyReport(
        bundle=bundle.root,
        freezer=bundle.program.freezer.value,
        platform=platform_of(bundle),
        target=None,
        findings=tuple(sort_findings(findings)),
        libraries=edges,
        extensions=tuple(file for _, file in bundle.files if file.provenance.rust),
        modules=len(bundle.modules),
        run=run,
    )


def verify_folder(folder: Path, *, allow_system: Sequence[str] = ()) -> VerifyReport:
    """Read and verify the folder of a bundle, for the Python that runs this.

    Raises `InvalidBundle` or `UnreadableFile`.
    """
    return verify(read_bundle(folder), stdlib=stdlib_environment(), allow_system=allow_system)


def sort_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Worst first, then by id and subject: the same findings always give the same bytes."""
    return sorted(findings, key=lambda f: (_RANK.index(f.severity), f.id, f.subject, f.message))


def platform_of(bundle: Bundle) -> str:
    """The platform that the program was built for, as `linux-x86_64`."""
    image = bundle.program.binary.image
    names = {Format.ELF: "linux", Format.MACHO: "macos", Format.PE: "windows"}
    return f"{names[image.format]}-{image.architecture}"


# --- libraries --------------------------------------------------------------------------------


def resolve_bundle(bundle: Bundle) -> tuple[Edge, ...]:
    """What the loader would find for the program and for each native file, once each."""
    program = bundle.program
    # PyInstaller's bootloader sets LD_LIBRARY_PATH to its folder and starts itself again:
    # https://pyinstaller.org/en/stable/runtime-information.html#ld-library-path-libpath-considerations
    path = (str(bundle.contents),) if program.freezer is Freezer.PYINSTALLER else ()
    first = Resolver(loader=Loader(executable=program.path, library_path=path))
    graph = first.resolve(program.path)
    loaded = {e.soname: e.path for e in graph.edges if isinstance(e, Resolved) and e.path}
    rest = Resolver(loader=Loader(executable=program.path, library_path=path, loaded=loaded))
    edges = dict.fromkeys(graph.edges)
    for native, _ in bundle.files:
        if native != program.path:
            edges.update(dict.fromkeys(rest.resolve(native).edges))
    return tuple(edges)


def _check_libraries(
    bundle: Bundle, edges: Iterable[Edge], allowed: frozenset[str]
) -> Iterator[Finding]:
    root = bundle.root.resolve()
    edges = tuple(edges)
    outside: dict[str, list[Resolved]] = {}
    at_start = _loaded_at_start(bundle, edges)
    held = _held_libraries(bundle)
    for edge in edges:
        if edge.soname in allowed or is_system_library(edge.soname):
            continue
        if isinstance(edge, Missing):
            other = None if edge.needed_by in at_start else held.get(edge.soname)
            if other is not None:
                yield _preloaded_library(bundle, edge, other)
            elif edge.kind is not NeedKind.WEAK:
                yield _missing_library(bundle, edge)
        elif (
            edge.path is not None
            and not edge.path.resolve().is_relative_to(root)
            # What a library of the host needs in turn is news about the host, not the bundle.
            and edge.needed_by.resolve().is_relative_to(root)
        ):
            outside.setdefault(edge.soname, []).append(edge)
    for soname, found in sorted(outside.items()):
        needed = [("needed by", _inside(edge.needed_by, bundle)) for edge in found]
        where = ("found", f"{found[0].path} ({found[0].how.value})")
        yield host_library(soname, (*needed, where))


def _loaded_at_start(bundle: Bundle, edges: Iterable[Edge]) -> frozenset[Path]:
    """The files that are in the process before any code of the program runs."""
    needs: dict[Path, list[Path]] = {}
    for edge in edges:
        if isinstance(edge, Resolved) and edge.path is not None:
            needs.setdefault(edge.needed_by, []).append(edge.path)
    seen, work = {bundle.program.path}, [bundle.program.path]
    while work:
        new = [path for path in needs.get(work.pop(), ()) if path not in seen]
        seen.update(new)
        work.extend(new)
    return frozenset(seen)


def _held_libraries(bundle: Bundle) -> dict[str, Path]:
    """The bundle's libraries by the names to which they answer once something has loaded them.

    glibc and dyld know a loaded library by its soname or install name; musl does not.
    """
    program = bundle.program.binary.image
    held: dict[str, Path] = {}
    if uses_musl(program):
        return held
    for path, file in bundle.files:
        for image in file.binary.images:
            fits = (image.format, image.architecture) == (program.format, program.architecture)
            if image.soname and fits:
                held.setdefault(image.soname, path)
    return held


def is_system_library(soname: str) -> bool:
    """Whether the platform's policy lets a program expect this library of the system."""
    return any(
        soname in table["libraries"] or soname.startswith(tuple(table["loaders"]))
        for table in read_data("policies").values()
    )


def _missing_library(bundle: Bundle, edge: Missing) -> Finding:
    places = dict.fromkeys(
        f"{place.path} ({place.how.value}{f'; {place.rejected}' if place.rejected else ''})"
        for place in edge.searched
    )
    return Finding(
        id="missing-library",
        severity=Severity.ERROR,
        subject=edge.soname,
        message=f"`{edge.soname}` is not in the bundle and not on this machine",
        evidence=(
            ("needed by", _inside(edge.needed_by, bundle)),
            *(("searched", place) for place in places),
        ),
        hint=f"put it into the bundle, or allow it with `--allow-system {edge.soname}`",
    )


def _preloaded_library(bundle: Bundle, edge: Missing, other: Path) -> Finding:
    return Finding(
        id="missing-library",
        severity=Severity.WARNING,
        subject=edge.soname,
        message=f"`{edge.soname}` is in the bundle, but not where the loader looks for it",
        evidence=(
            ("needed by", _inside(edge.needed_by, bundle)),
            ("it is", _inside(other, bundle)),
        ),
        hint="this works only where the program loads that file first; `--run` shows it",
    )


def host_library(soname: str, evidence: Sequence[tuple[str, str]]) -> Finding:
    """A library that the program takes from the machine that it happens to run on."""
    return Finding(
        id="host-library",
        severity=Severity.ERROR,
        subject=soname,
        message=f"`{soname}` comes from this machine, not from the bundle",
        evidence=tuple(evidence),
        hint=f"put it into the bundle, or allow it with `--allow-system {soname}`",
    )


def _check_run(bundle: Bundle, run: IsolatedRun, allowed: frozenset[str]) -> Iterator[Finding]:
    name = bundle.program.path.name
    if run.code != 0:
        how = f"signal {-run.code}" if run.code < 0 else f"exit code {run.code}"
        last = (run.stderr or run.stdout).strip().splitlines()[-_LAST_LINES:]
        yield Finding(
            id="run",
            severity=Severity.ERROR,
            subject=name,
            message=f"`{name}` ended with {how}",
            evidence=tuple(("printed", line) for line in last),
            hint="arguments for the program go after `--`",
        )
    for library in run.libraries:
        if not (
            library.is_relative_to(bundle.root)
            or library.name in allowed
            or is_system_library(library.name)
        ):
            evidence = (("loaded from", str(library)), ("by", "the running program"))
            yield host_library(library.name, evidence)


def _inside(path: Path, bundle: Bundle) -> str:
    root = bundle.root.parent
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


# --- imports ----------------------------------------------------------------------------------


def _check_imports(bundle: Bundle, stdlib: Environment) -> Iterator[Finding]:
    for path, file in bundle.files:
        if file.provenance.rust:
            yield from _check_file_imports(bundle, path, file, stdlib)


def _check_file_imports(
    bundle: Bundle, path: Path, file: NativeFile, stdlib: Environment
) -> Iterator[Finding]:
    never = read_data("stdlib")["never"]

    def is_stdlib(name: str) -> bool:
        return stdlib.find_module(name) is not None and name.partition(".")[0] not in never

    def accept(name: str) -> bool:
        return is_stdlib(name) or ("." in name and is_stdlib(name.rpartition(".")[0]))

    sure, maybe = set(), set()
    with open_binary(path) as (binary, data):
        if not can_import(data):
            return
        for ref in (r for image in binary.images for r in iter_strings(image, data, accept)):
            name = ref.text if is_stdlib(ref.text) else ref.text.rpartition(".")[0]
            if name in bundle.modules:
                continue
            if ref.kind is EvidenceKind.IMPORT_CALL:
                sure.add(name)
                yield _missing_import(bundle, path, name, (_describe(ref),))
            elif _may_be_import(ref) and name == ref.text:
                maybe.add(name)
        rules = list(iter_crate_rules(file, data))
    yield from _check_crate_rules(bundle, path, rules)
    if maybe - sure:
        yield _possible_imports(bundle, path, sorted(maybe - sure))


def _may_be_import(ref: StringRef) -> bool:
    return ref.kind is not EvidenceKind.LOOSE_STRING and doubt_of(ref.text) is None


def _check_crate_rules(
    bundle: Bundle, path: Path, rules: Sequence[tuple[Any, str]]
) -> Iterator[Finding]:
    """Rules of one crate that differ in what is installed are alternatives: one has to hold."""
    by_crate: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for rule, detail in rules:
        tops = {name.partition(".")[0] for name in rule["imports"]}
        # Without the package the program cannot get as far as this import (include-if-present).
        if not rule["when"] or tops <= bundle.modules:
            missing = tuple(name for name in rule["imports"] if name not in bundle.modules)
            by_crate.setdefault(rule["crate"], []).append((missing, detail))
    for alternatives in by_crate.values():
        missing, detail = min(alternatives, key=lambda a: len(a[0]))
        for name in missing:
            yield _missing_import(bundle, path, name, (detail,))


def _missing_import(bundle: Bundle, path: Path, name: str, evidence: tuple[str, ...]) -> Finding:
    return Finding(
        id="missing-import",
        severity=Severity.ERROR,
        subject=name,
        message=f"native code imports `{name}`, which is not in the bundle",
        evidence=(
            ("imported by", _inside(path, bundle)),
            *(("evidence", line) for line in evidence),
        ),
        hint="freeze with rustext's plugin or hooks, or name the module to the freezer",
    )


def _possible_imports(bundle: Bundle, path: Path, names: Sequence[str]) -> Finding:
    return Finding(
        id="missing-import",
        severity=Severity.NOTE,
        subject=_inside(path, bundle),
        message="holds names of modules that are not in the bundle, but nothing that imports them",
        evidence=(("names", ", ".join(names)),),
        hint="run the parts of the program that use this extension",
    )


def _describe(ref: StringRef) -> str:
    return f"`{ref.text}` at 0x{ref.offset:x}: {ref.detail}"
