"""What the author of a program asks for, checked before anything is built.

In: the folder of the program's script, and the environment that it is frozen from. Out: the
environment with that folder, and a `Config` whose names mean something there. Both adapters,
`rustext plan` and `rustext doctor` ask here, so that they refuse the same with the same words.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from rustext.config import Config, find_config, find_project, suggest, with_traces
from rustext.environment.environment import Environment
from rustext.errors import InvalidConfiguration, shown_path
from rustext.imports.crate_rules import is_installed


def program_environment(env: Environment, folder: Path) -> Environment:
    """The environment as the program sees it: Python looks in its script's folder first.

    https://docs.python.org/3/library/sys.html#sys.path
    """
    folders = tuple(dict.fromkeys((str(folder.resolve()), *env.interpreter.path)))
    return Environment(replace(env.interpreter, path=folders))


def folder_environment(env: Environment, folder: Path) -> Environment:
    """The environment as a program in `folder` sees it, for commands that are told of no program.

    A folder without modules, packages and a `pyproject.toml` holds none: it may be a home folder,
    or all of a file system, and is not searched.
    """
    signs = ("pyproject.toml", "*.py", "*/__init__.py")
    holds = any(next(folder.glob(sign), None) is not None for sign in signs)
    return program_environment(env, folder) if holds else env


def read_project(
    folder: Path,
    env: Environment,
    *,
    file: Path | None = None,
    traces: Iterable[Path] = (),
    here: bool = True,
) -> Config:
    """The configuration of the program in `folder`, or the one in `file`, with further records.

    `here` is whether `env` is the running interpreter's: then modules that only its import hooks
    find are known too.

    Raises `InvalidConfiguration` for a `[tool.rustext]` that is not valid, for modules that do not
    exist in `env` and for an unknown target, `UnreadableFile` or `InvalidTrace` for a record.
    """
    config = with_traces(find_config(folder, file), traces)
    where = shown_path(file or find_project(folder) or folder)
    named = [("include", name) for name in config.include]
    named += [
        ("crate-rules", name)
        for rule in config.crate_rules
        if is_installed(rule.when, env)
        for name in rule.imports
    ]
    for option, name in named:
        unknown = _unknown_part(name, env, here=here)
        if unknown is not None:
            package = unknown.rpartition(".")[0]
            near = env.modules_in(package) if package else env.top_level
            close = suggest(unknown, (n for n in near if not n.rpartition(".")[2].startswith("_")))
            raise InvalidConfiguration(
                f"{where}: `{option}` names `{name}`, and there is no module `{unknown}` here",
                hint=close if close.startswith("did") else None,
            )
    if config.target:
        from rustext.verify.target.target import parse_target  # noqa: PLC0415  (few ask for one)

        try:
            parse_target(config.target)
        except InvalidConfiguration as error:
            raise InvalidConfiguration(f"{where}: `target`: {error}", hint=error.hint) from error
    return config


def _unknown_part(name: str, env: Environment, *, here: bool) -> str | None:
    """The first part of a module's name that cannot be imported; None where that is not sure.

    Modules can make their own submodules as they run (`six.moves`); only packages have files.
    """
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        part = ".".join(parts[:count])
        found = env.find_module(part)
        if found is None:
            return part if count > 1 or not here or not _is_known_to_hooks(part) else None
        if found.path is not None and found.path.name.partition(".")[0] != "__init__":
            return None
    return None


def _is_known_to_hooks(name: str) -> bool:
    """Whether any finder of this process knows a top-level module; nothing is imported.

    Editable installs may bring finders of their own.
    """
    for finder in sys.meta_path:
        with contextlib.suppress(Exception):  # foreign code
            if finder.find_spec(name, None) is not None:
                return True
    return False
