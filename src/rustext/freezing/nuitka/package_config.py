"""What native code needs, as a package configuration that Nuitka reads by itself.

In: a planner for an environment. Out: the text of a YAML file for Nuitka's
`--user-package-configuration-file` (https://nuitka.net/user-documentation/nuitka-package-config.html).
The same environment gives the same bytes. Its first lines say what such a file cannot express.
"""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from rustext import __version__
from rustext.environment.distributions import Distribution
from rustext.environment.environment import Environment
from rustext.files.output import seal
from rustext.formats.binary import is_native
from rustext.freezing.pyinstaller.hook_files import iter_hook_targets
from rustext.model.plan import Companion, CompanionKind, ImplicitImport, Verdict
from rustext.plan.planner import Planner
from rustext.report.escape import one_line

_HEADER = """\
# yamllint disable rule:line-length
# Written by `rustext nuitka-config` {version}. For those who cannot add a plugin:
#     python -m nuitka --standalone --user-package-configuration-file=THIS_FILE app.py
# It holds for the environment that it was written in: write it again after each change there.
# Less than `--enable-plugin=rustext`:
# - a module that is completed only where the program has its package already is not added
#   (each such is a comment below; `include` in [tool.rustext] adds it);
# - packages without Rust, which require Rust packages or are required by them, are left alone;
# - nothing is said of missing libraries, and nothing is verified;
# - Nuitka before 4.3 stops where its own configuration has a module of this file as well (from 4.0
#   on, only if that has the same section, and it is not `implicit-imports`): remove it here then.
"""


@dataclass(slots=True, kw_only=True)
class _Entry:
    """The content of one `module-name`; `folder` is where its relative paths begin."""

    folder: PurePosixPath
    imports: dict[str, str] = field(default_factory=dict)  # with the evidence
    optional: dict[str, str] = field(default_factory=dict)  # with the reason
    files: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)
    metadata: set[str] = field(default_factory=set)
    natives: dict[CompanionKind, set[str]] = field(default_factory=dict)


def format_config(planner: Planner) -> str:
    """The text for all Rust extensions of the planner's environment, with a seal.

    Raises `InvalidBinary` or `UnreadableFile` if one cannot be read.
    """
    entries: dict[str, _Entry] = {}
    done: set[str] = set()
    for target in iter_hook_targets(planner, loose=True):
        module = planner.env.find_module(target.module)
        if module is None or module.path is None:
            continue
        dist = planner.env.owner_of(module.path)
        if not target.extension and dist is not None and dist.name in done:
            continue
        plan = planner.plan_extension(module.path) if is_native(module.path) else None
        entry = _entry(entries, target.module, planner.env)
        if plan is not None:
            _add_imports(entry, plan.modules(Verdict.INCLUDE))
            entry.optional.update((i.module, i.reason) for i in plan.modules(Verdict.IF_PRESENT))
        if dist is not None and dist.name not in done:
            done.add(dist.name)
            # Not below the package: Nuitka's own configuration has packages more often.
            _add_imports(entry, planner.plugin_modules_for(module.path, everything=True))
            _add_companions(entry, planner.companions_for(module.path), dist)
    lines = [_HEADER.format(version=__version__).rstrip(), "---"]
    for name in sorted(entries):
        lines += ["", *map(one_line, _iter_lines(name, entries[name]))]
    return seal("\n".join(lines) + ("\n" if entries else "\n[]\n"))


def _entry(entries: dict[str, _Entry], name: str, env: Environment) -> _Entry:
    if name not in entries:
        module = env.find_module(name)
        parts = name.split(".")
        package = module is None or module.path is None or module.path.name.startswith("__init__.")
        entries[name] = _Entry(folder=PurePosixPath(*(parts if package else parts[:-1])))
    return entries[name]


def _add_imports(entry: _Entry, imports: Iterable[ImplicitImport]) -> None:
    for implicit in imports:
        first = implicit.evidence[0]
        entry.imports.setdefault(implicit.module, f"{first.kind.value}: {first.where}")


def _add_companions(entry: _Entry, companions: Iterable[Companion], dist: Distribution) -> None:
    for companion in companions:
        place = os.path.relpath(companion.destination, entry.folder)
        if companion.kind is CompanionKind.METADATA:
            entry.metadata.add(dist.name)
        elif companion.kind is CompanionKind.FOLDER:
            entry.folders.add(os.path.normpath(Path(place).parent))
        elif companion.kind is CompanionKind.DATA:
            entry.files.add(place)
        else:
            entry.natives.setdefault(companion.kind, set()).add(place)


# --- YAML ------------------------------------------------------------------------------------


def _iter_lines(name: str, entry: _Entry) -> Iterator[str]:
    yield f"- module-name: {_quoted(name)}"
    for module, reason in sorted(entry.optional.items()):
        yield f"  # not added: {module} ({reason})"
    if entry.files or entry.folders or entry.metadata:
        yield "  data-files:"
        for key, values in (
            ("patterns", map(glob.escape, sorted(entry.files))),
            ("empty_dirs", iter(sorted(entry.folders))),
            ("include-metadata", iter(sorted(entry.metadata))),
        ):
            yield from _iter_list(f"    - {key}:", values)
    if entry.natives:
        yield "  dlls:"
        for kind in sorted(entry.natives, key=lambda kind: kind.value):
            for place in sorted(entry.natives[kind]):
                yield from _iter_native(PurePosixPath(place), kind)
    if entry.imports:
        yield "  implicit-imports:"
        yield "    - depends:"
        for module, evidence in sorted(entry.imports.items()):
            yield f"        - {_quoted(module)}  # {evidence}"


def _iter_list(head: str, values: Iterator[str]) -> Iterator[str]:
    lines = [f"        - {_quoted(value)}" for value in values]
    if lines:
        yield head
        yield from lines


def _iter_native(place: PurePosixPath, kind: CompanionKind) -> Iterator[str]:
    """Nuitka looks such files up by a folder and the beginning of their names."""
    yield "    - from_filenames:"
    yield f"        relative_path: {_quoted(str(place.parent))}"
    yield "        prefixes:"
    yield f"          - {_quoted(place.name.partition('.')[0] or place.name)}"
    if kind is CompanionKind.EXECUTABLE:
        yield '        executable: "yes"'


def _quoted(text: str) -> str:
    return json.dumps(text)  # a JSON string is a YAML string: https://yaml.org/spec/1.2.2/
