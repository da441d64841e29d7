"""Say what of a bundle was not judged, and why.

In: a `Subject`. Out: one line for each kind of thing that no check could look at. A verdict without
any of them is about the whole of the program's start.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from packaging.utils import canonicalize_name

from rustext.discovery.provenance import holds_text
from rustext.discovery.settings_files import is_file_name
from rustext.environment.distributions import COMMANDS, iter_distributions
from rustext.errors import UnreadableFile
from rustext.formats.binary import map_file
from rustext.model.findings import name_few
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.bundle.program import Freezer
from rustext.verify.facts.left_plan import why_unread
from rustext.verify.facts.python.opened_data import (
    find_record,
    iter_absent_data,
    iter_lacking_imports,
)
from rustext.verify.facts.python.program_starts import Start
from rustext.verify.facts.python.wheel_tags import find_changed
from rustext.verify.subject import Subject

_NAMED = 3  # examples in one line
# What a module made by Cython 3 looks up, and the strings of `dirname(__file__)`.
_LOCATES = (b"cython_runtime", b"\0__file__\0", b"\0dirname\0")


def iter_unjudged(subject: Subject) -> Iterator[str]:
    """Yield what was not judged, each with its reason."""
    bundle, way_out = subject.bundle, _way_out(subject)
    if bundle.freezer is Freezer.UNKNOWN:
        yield "what is imported at the start: no known freezer made this folder"
    unread = why_unread(bundle) if subject.plan is None else None
    if unread is not None:
        yield f"what the freezer was told: {unread}; freeze again, or give a plan with --plan"
    for start in subject.starts:
        yield from _iter_start(start, way_out)
    completed = (f"`{name}.*`" for start in subject.starts for name in start.completed)
    yield from _iter_named("files of packages whose names are computed", completed, way_out)
    lacking = (line for start in subject.starts for line in _iter_lacking(bundle, start))
    what = "files that code opens next to itself and that are not here"
    yield from _iter_named(what, lacking, way_out)
    changed = (f"`{name}`" for name in find_changed(bundle))
    what = "whether files are whole that have changed since their package was installed"
    yield from _iter_named(what, changed, way_out)
    located = (f"`{name}`" for name in _iter_located(bundle))
    yield from _iter_named("files that compiled modules find next to themselves", located, way_out)
    yield from _iter_of_code(subject, way_out)
    if bundle.programs and not bundle.builtins_known and bundle.freezer is not Freezer.NUITKA:
        yield "modules of the standard library: which of them the interpreter holds is not known"
    ours = (bundle.image.format, bundle.image.architecture)
    foreign = sum(
        ours not in {(i.format, i.architecture) for i in file.binary.images}
        for _, file in bundle.files
    )
    if foreign:
        yield f"{foreign} file{'s' * (foreign > 1)} of another platform, which nothing here loads"


def _iter_of_code(subject: Subject, way_out: str) -> Iterator[str]:
    """What the code of the starts may do that only a run tells."""
    bundle = subject.bundle
    tops = {top for start in subject.starts for top in start.runs_files}
    listed = (f"`{m}` (`{name}`)" for m, name in iter_lacking_imports(bundle, tops))
    yield from _iter_named("what Python files in folders import, and is not here", listed, way_out)
    asked = (f"`{text}` (`{m}`)" for s in subject.starts for m, text in _no_metadata(bundle, s))
    yield from _iter_named("metadata that code may ask for, and that is not here", asked, way_out)
    loaders = (f"`{name}`" for start in subject.starts for name in start.loads_classes)
    yield from _iter_named("classes whose paths code is handed", loaders, way_out)
    plugins = (f"`{module}` (`{name}`)" for name, module in _absent_plugins(bundle))
    what = "packages of plug-ins whose metadata is here"
    yield from _iter_named(f"{what}, and that are not", plugins, way_out)
    folders = (f"`{name}`" for start in subject.starts for name in start.imports_listed)
    yield from _iter_named("modules in folders and packages that code is handed", folders, way_out)
    searches = (f"`{name}`" for start in subject.starts for name in start.searches)
    yield from _iter_named("modules that code looks for among all", searches, way_out)
    for start in subject.starts:
        if start.reads_source and not any(bundle.contents.glob(f"{start.program.path.stem}.py")):
            named = _few(start.reads_source)
            yield f"whether {named} must read source of the program, which is not here{way_out}"


def _way_out(subject: Subject) -> str:
    """What would judge the imports of a program's start."""
    options = {
        "`--run` starts it, on a machine of its kind": subject.run is not None,
        "a record of `rustext trace` names what a run needs (`--trace`)": subject.trace is not None,
    }
    ways = [way for way, used in options.items() if not used]
    return f"; {', '.join(ways)}" if ways else ""


def _iter_start(start: Start, way_out: str) -> Iterator[str]:
    name = start.program.path.name
    if start.program.freezer is Freezer.NUITKA and start.program.code is not None:
        return  # its table has what the freezer has followed, and is compared with the files
    if start.program.freezer is not Freezer.UNKNOWN and not start.followed:
        yield f"what `{name}` imports when it starts: {start.reason}{way_out}"
    there = start.reached.keys() | start.tried.keys()
    computed = [m for m, told in start.computed if not told or not there.issuperset(told)]
    if computed:
        yield f"imports of computed names in {_few(computed)} (`{name}`){way_out}"
    if start.opaque:
        yield f"imports of {_few(start.opaque)} (`{name}`), whose code cannot be read{way_out}"


def _iter_lacking(bundle: Bundle, start: Start) -> Iterator[str]:
    """The absent data files of which nothing says that they belong to the program."""
    for opened in iter_absent_data(bundle, start):
        of_python = (
            opened.module.partition(".")[0] in sys.stdlib_module_names
        )  # opens others' files
        named = any(map(is_file_name, opened.names))
        told = opened.respelled or find_record(bundle, opened)
        if named != opened.certain and not (of_python or told):
            yield f"`{opened.names[0]}` (`{opened.module}`)"


def _no_metadata(bundle: Bundle, start: Start) -> Iterator[tuple[str, str]]:
    """The modules that may ask for metadata, with the distributions that have none here."""
    folders = (f.name for f in bundle.contents.iterdir() if f.suffix in {".dist-info", ".egg-info"})
    there = {canonicalize_name(name.rpartition(".")[0].partition("-")[0]) for name in folders}
    return ((m, text) for m, text in start.asked if canonicalize_name(text) not in there)


def _iter_located(bundle: Bundle) -> Iterator[str]:
    """The extension modules made by Cython whose strings say that they look around themselves.

    Which files they then open is not known. Other compilers' modules always hold these strings.
    """
    for path, file in bundle.files:
        image = file.binary.image
        if file.module is not None and not file.provenance.rust and image.python_inits:
            with suppress(UnreadableFile), map_file(path) as data:
                if all(holds_text(image, data, word) for word in _LOCATES):
                    yield file.module


def _absent_plugins(bundle: Bundle) -> Iterator[tuple[str, str]]:
    """The distributions whose entry points name packages that the bundle does not hold, and these.

    Metadata that came for another reason has the package beside it.
    """
    for dist in iter_distributions(bundle.contents, []):
        for group, module in dist.entry_points:
            package = module.partition(".")[0]
            if group not in COMMANDS and package not in bundle.modules:
                yield dist.name, package


def _iter_named(what: str, names: Iterable[str], way_out: str) -> Iterator[str]:
    found = sorted(set(names))
    if found:
        yield f"{what}: {name_few(found, _NAMED)}{way_out}"


def _few(names: Sequence[str]) -> str:
    return name_few([f"`{name}`" for name in names], _NAMED)
