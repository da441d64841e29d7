"""The Python interface of rustext: what the commands answer, as typed values.

These functions and the names in `__all__` stay as they are between minor releases; all other
modules may change. Nothing is printed, and only `verify` starts anything, where it is told to.
Every error on purpose is a `RustextError`. What a function needs is imported when it is called.
"""

# ruff: noqa: PLC0415  (programs that ask nothing of it shall not wait for it)

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from pathlib import Path

from rustext.errors import InvalidBundle, RustextError
from rustext.model.findings import Finding, Severity
from rustext.model.native_file import NativeFile
from rustext.model.plan import BuildPlan
from rustext.model.verification import VerifyReport

__all__ = [
    "BuildPlan",
    "Finding",
    "NativeFile",
    "RustextError",
    "Severity",
    "VerifyReport",
    "plan",
    "scan",
    "verify",
    "verify_all",
]

StrPath = str | PathLike[str]


def scan(path: StrPath | None = None, *, python: StrPath | None = None) -> tuple[NativeFile, ...]:
    """The native files of a wheel or a folder, or of the environment of `python`.

    Without either, those of the running interpreter's environment. A file is Rust where
    `file.provenance.rust` says so.
    """
    from rustext.discovery.native_files import iter_native_files, open_source
    from rustext.environment.environment import read_environment, this_environment

    if path is not None:
        roots = [Path(path)]
    else:
        env = read_environment(Path(python)) if python is not None else this_environment()
        roots = list(env.sites)
    found: list[NativeFile] = []
    for root in roots:
        wheels = sorted(root.glob("*.whl")) if path is not None and root.is_dir() else []
        for one in wheels or [root]:
            with open_source(one) as source:
                found += [file for _, file in iter_native_files(source)]
    return tuple(found)


def plan(
    script: StrPath,
    *,
    python: StrPath | None = None,
    config: StrPath | None = None,
    traces: Iterable[StrPath] = (),
) -> BuildPlan:
    """What a freezer would be told for one program, with the evidence.

    `python` is another interpreter; `config` is read in place of the nearest `pyproject.toml` at or
    above the script; `traces` are further records of `rustext trace`.
    """
    from rustext.freezing.program_plan import plan_program

    return plan_program(
        Path(script),
        python=Path(python) if python is not None else None,
        config=Path(config) if config is not None else None,
        traces=map(Path, traces),
    ).plan


def verify(
    path: StrPath,
    *,
    target: str | None = None,
    python: str | None = None,
    allow_system: Iterable[str] = (),
    config: StrPath | None = None,
    run: bool = False,
    arguments: Iterable[str] = (),
    timeout: float = 60,
) -> VerifyReport:
    """The report on one bundle; `report.ok` is whether it shows no error.

    `target` is a platform tag, `python` a kind such as `3.12`, `allow_system` are sonames that the
    target machines provide. `config` is a `pyproject.toml`; none is looked for. With `run` the
    program is started, isolated, with `arguments` and a time limit in seconds.

    Raises `InvalidBundle`, a `RustextError`, where there is none, and where there are several.
    """
    reports = verify_all(
        path, target=target, python=python, allow_system=allow_system, config=config, run=run,
        arguments=arguments, timeout=timeout,
    )  # fmt: skip
    if len(reports) > 1:
        names = ", ".join(report.bundle.name for report in reports)
        raise InvalidBundle(f"{path} holds several bundles: {names}", hint="call verify_all")
    return reports[0]


def verify_all(
    path: StrPath,
    *,
    target: str | None = None,
    python: str | None = None,
    allow_system: Iterable[str] = (),
    config: StrPath | None = None,
    run: bool = False,
    arguments: Iterable[str] = (),
    timeout: float = 60,
) -> tuple[VerifyReport, ...]:
    """The report on each build in a folder or an archive, at least one; arguments as `verify`."""
    from rustext.config import Config, find_config
    from rustext.verify.gate import Gate
    from rustext.verify.judge_path import VerifyOptions, judge_path
    from rustext.verify.onefile.find_bundles import find_bundles
    from rustext.verify.target.target import find_target

    settings = find_config(Path(path), Path(config)) if config is not None else Config()
    options = VerifyOptions(
        target=find_target(target or settings.target),
        python=python,
        allow_system=(*allow_system, *settings.allow_system),
        crate_rules=settings.crate_rules,
        run=run,
        arguments=tuple(arguments),
        timeout=timeout,
    )
    gate = Gate(ignore=settings.ignore)
    with find_bundles(Path(path)) as bundles:
        found = []
        for one in bundles:
            with one.named():
                found.append(one.rename(judge_path(one.path, options)))
    return tuple(map(gate.judge, found))
