"""Everything about the native files that one word names.

In: a module, a distribution, a native file or a wheel. Out: their plans, as text or JSON, and the
files that the answer was made from.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from packaging.utils import canonicalize_name

from rustext.config import find_config, find_project, suggest
from rustext.discovery.extension_suffixes import importable_by
from rustext.discovery.native_files import iter_native_files, open_source, read_native_file
from rustext.discovery.sources import Source
from rustext.discovery.wheels import with_wheel
from rustext.environment.environment import Environment, read_environment, this_environment
from rustext.errors import InvalidWheel, RustextError, UnreadableFile
from rustext.formats.binary import is_native
from rustext.model.libraries import Resolved
from rustext.model.native_file import NativeFile
from rustext.model.plan import ExtensionPlan
from rustext.plan.planner import Planner
from rustext.report.console import Console, progress_line
from rustext.report.documents import plan_json, to_json
from rustext.report.extension_text import print_plan
from rustext.report.library_tree import print_libraries


def print_inspection(args: argparse.Namespace, console: Console) -> tuple[Path, ...]:
    """Print all about `args.target`; the files that the answer depends on.

    What the environment's own metadata and the project's configuration say is not among them. None
    are named for an answer that may change without any of them: a missing library may turn up.
    Raises `RustextError` if there is nothing to print.
    """
    env = read_environment(args.python) if args.python else this_environment()
    python = (args.python or Path(sys.executable)) if args.probe else None
    config = find_config(Path.cwd(), args.config)
    planner = Planner(env, config, python=python)
    with progress_line(f"reading {args.target}", quiet=args.quiet or args.json):
        plans = list(iter_plans(args.target, planner))
    if args.probe:
        _refuse_unimportable(args.target, plans)
    _print_plans(plans, args, console)
    if any(plan.libraries.missing for plan in plans):
        return ()
    project = args.config or find_project(Path.cwd())
    traces = [project.parent / config.trace_file] if project and config.trace_file else []
    return (*_iter_sources(plans, env), *traces, Path(args.target))


def _refuse_unimportable(target: str, plans: Sequence[ExtensionPlan]) -> None:
    """Raise where `--probe` had nothing to import; a wheel is not unpacked as a whole."""
    if target.endswith(".whl"):
        raise InvalidWheel(
            f"{target} is not installed, so that nothing can be imported from it",
            hint="install it, and then name the distribution; --python names its environment",
        )
    if all(plan.file.module is None for plan in plans):
        raise RustextError(
            f"`{target}` is no module that Python could import",
            hint="leave out --probe, or name a module",
        )


def _print_plans(
    plans: Sequence[ExtensionPlan], args: argparse.Namespace, console: Console
) -> None:
    if args.json:
        first, *others = [plan_json(p, importable_by(p.file)) for p in plans]
        console.write(to_json({**first, "others": others} if others else first))
    elif args.tree or args.format == "dot":
        print_libraries(console, plans, dot=args.format == "dot")
    else:
        for number, plan in enumerate(plans):
            if number:
                console.line()
            print_plan(console, plan, importable_by(plan.file), verbose=args.verbose)


def _iter_sources(plans: Iterable[ExtensionPlan], env: Environment) -> Iterator[Path]:
    for plan in plans:
        yield plan.path
        yield from (e.path for e in plan.libraries.edges if isinstance(e, Resolved) and e.path)
        dist = env.distributions.get(plan.file.distribution or "")
        yield from (dist.site / file for file in dist.files) if dist is not None else ()


def _read_single(path: Path) -> NativeFile:
    path = path.resolve()
    return read_native_file(path, Source(root=path.parent, packages={}))


def iter_plans(target: str, planner: Planner) -> Iterator[ExtensionPlan]:
    """The plans for what `target` names: a module, a distribution, a native file or a wheel.

    Raises `RustextError` if it names nothing of the kind.
    """
    path = Path(target)
    if path.suffix == ".whl" and path.exists():
        with open_source(path) as source:
            found = _prefer_rust(iter_native_files(source))
            if not found:
                raise InvalidWheel(f"{path} holds no native file")
            planner = planner.for_environment(with_wheel(planner.env, source))
            for native, file in found:
                yield planner.plan_file(native, file)
    elif path.is_file():
        yield _plan_installed_or_single(path.resolve(), planner)
    elif path.exists() or "/" in target or path.suffix == ".whl":
        kind = "is a folder" if path.is_dir() else "is not a regular file"
        raise UnreadableFile(
            f"{path} {kind if path.exists() else 'does not exist'}",
            hint="name a module, a distribution, a native file or a wheel",
        )
    else:
        for native, file in _find_named(target, planner):
            yield planner.plan_file(native, file)


def _plan_installed_or_single(path: Path, planner: Planner) -> ExtensionPlan:
    installed = planner.env.owner_of(path) is not None
    return planner.plan_file(
        path, planner.catalogue.read_file(path) if installed else _read_single(path)
    )


def _find_named(name: str, planner: Planner) -> list[tuple[Path, NativeFile]]:
    """The native files that a name means: a module, or all of a distribution."""
    env: Environment = planner.env
    module = env.find_module(name)
    dist = env.distributions.get(canonicalize_name(name))
    if dist is None and module is not None and module.distribution is not None:
        dist = env.distributions[module.distribution]
    native = planner.catalogue.native_files(dist) if dist is not None else ()
    exact = [(path, file) for path, file in native if file.module == name]
    found = exact or _prefer_rust(native)
    if found:
        return found
    if module is not None and dist is None:
        loose = _find_loose(name, module.path, planner)
        if loose:
            return loose
    known = "holds no native file" if dist is not None or module is not None else "is not installed"
    hint = "`rustext scan` lists what there is"
    if known == "is not installed":
        close = suggest(name, (*env.distributions, *env.top_level))
        hint = close if close.startswith("did") else hint
    raise RustextError(f"`{name}` {known} in this environment", hint=hint)


def _find_loose(name: str, path: Path | None, planner: Planner) -> list[tuple[Path, NativeFile]]:
    """The native file of a module that no distribution lists, or those of a package."""
    if path is not None and is_native(path):
        return [(path, planner.catalogue.read_file(path))]
    env = planner.env
    folders = [path.parent] if path is not None and path.stem == "__init__" else []
    folders += [s.joinpath(*name.split(".")) for s in env.sites if path is None]
    files = (f for d in folders if d.is_dir() for f in env.iter_extensions(d, namespaces=True))
    return _prefer_rust((file, planner.catalogue.read_file(file)) for file in files)


def _prefer_rust(native: Iterable[tuple[Path, NativeFile]]) -> list[tuple[Path, NativeFile]]:
    found = list(native)
    return [item for item in found if item[1].provenance.rust] or found
