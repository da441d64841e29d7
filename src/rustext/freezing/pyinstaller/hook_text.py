"""The text of a PyInstaller hook that says all that it adds, and where each line comes from.

In: a planner and a module of its environment. Out: Python source for `rustext hooks`, the same for
the same environment. No path of this machine is in it: files are found through the metadata of
their distribution.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from packaging.utils import canonicalize_name

from rustext import __version__
from rustext.environment.distributions import Distribution
from rustext.files.output import seal
from rustext.freezing.build import Build
from rustext.model.plan import Companion, CompanionKind, ImplicitImport, Verdict
from rustext.plan.planner import Planner
from rustext.report.escape import one_line

MARK = "# Written by rustext "  # the begin of each hook
_LISTS = ("hiddenimports", "_optional", "datas", "binaries")
_NATIVE = frozenset({CompanionKind.LIBRARY, CompanionKind.EXECUTABLE})


def hook_text(planner: Planner, module: str, why: str, *, companions: bool) -> str:
    """The hook for a module; `why` is the file or distribution that is the reason for it.

    With `companions`, it brings what the distribution needs besides its modules.

    Raises `InvalidBinary` or `UnreadableFile` if the module's file cannot be read.
    """
    found = planner.env.find_module(module)
    path = found.path if found is not None and found.path is not None else Path()
    plan = Build(planner).plan(path)
    surely = plan.modules(Verdict.INCLUDE) if plan is not None else ()
    maybe = plan.modules(Verdict.IF_PRESENT) if plan is not None else ()
    optional = "_optional" if maybe else "()"
    dist = planner.env.owner_of(path) if companions else None
    plugins = planner.plugin_modules_for(path, everything=True) if companions else ()
    added = {i.module: i for i in (*plugins, *surely)}
    lines = [
        _header(module, why),
        "# $PyInstaller-Hook-Priority: 1",
        *(("from importlib.metadata import distribution", "") if dist is not None else ()),
        "from rustext_hooks.module_hook import with_others",
        "",
        *_imports("hiddenimports", [added[name] for name in sorted(added)]),
        *_imports("_optional", maybe, "# Where the program has the package already:"),
        *(_companions(planner.companions_for(path), dist) if dist is not None else ()),
        "",
        "# Other hooks for this module still count.",
        f"globals().update(with_others({module!r}, __file__, globals(), {optional}))",
    ]
    return _sealed(lines)


def adds_something(text: str) -> bool:
    """Whether a hook's text adds anything to a program."""
    return any(f"\n{name} = [" in text for name in _LISTS)


def runtime_hook_text(planner: Planner, module: str, why: str) -> str | None:
    """The hook that names what the module makes as it loads; None if that is nothing.

    Raises as `hook_text`.
    """
    found = planner.env.find_module(module)
    if found is None or found.path is None:
        return None
    names = planner.runtime_modules(module, found.path)
    lines = [
        _header(module, why),
        "# It makes these modules as it loads, of which there are no files.",
        "# $PyInstaller-Hook-Priority: 1",
        "from rustext_hooks.pre_import import announce",
        "",
        "_made = [",
        *(f"    {name!r}," for name in names),
        "]",
        "",
        "",
        "def pre_safe_import_module(api):",
        "    announce(_made, api, __file__)",
    ]
    return _sealed(lines) if names else None


def _sealed(lines: Iterable[str]) -> str:
    """Metadata and the names of files, which are in comments, may hold line breaks and NULs."""
    return seal("".join(f"{one_line(line)}\n" for line in lines))


def _header(module: str, why: str) -> str:
    return f"{MARK}{__version__} for the module `{module}`: {why}"


def _imports(name: str, imports: Iterable[ImplicitImport], *comment: str) -> Iterator[str]:
    entries = []
    for implicit in imports:
        first = implicit.evidence[0]
        entries.append(f"    # {implicit.reason}; {first.kind.value}: {first.where}")
        entries.append(f"    {implicit.module!r},")
    if entries:
        yield from (*comment, f"{name} = [", *entries, "]")


def _companions(companions: Sequence[Companion], dist: Distribution) -> Iterator[str]:
    name = canonicalize_name(dist.metadata.stem.partition("-")[0])  # Python looks at no METADATA
    yield f"_file = distribution({name!r}).locate_file"
    yield from _files("datas", (c for c in companions if c.kind not in _NATIVE), dist)
    yield from _files("binaries", (c for c in companions if c.kind in _NATIVE), dist)


def _files(name: str, companions: Iterable[Companion], dist: Distribution) -> Iterator[str]:
    entries = []
    for companion in companions:
        source = Path(os.path.relpath(companion.path, dist.site)).as_posix()
        entries.append(f"    # {companion.reason}")
        entries.append(f"    (str(_file({source!r})), {str(companion.destination.parent)!r}),")
    if entries:
        yield from (f"{name} = [", *entries, "]")
