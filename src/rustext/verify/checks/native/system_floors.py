"""Compare what the files of a bundle ask of a system with what the target is sure to have.

In: a `Subject` with a target. Out: the findings `glibc-floor`, `musl-floor` and `minimum-os`; none
without a target: what the bundle asks for is then in the report alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from packaging.version import Version

from rustext.formats.elf.libc import uses_musl
from rustext.model.findings import Finding, Severity, name_few
from rustext.model.image import Format
from rustext.verify.facts.native.system_needs import (
    Need,
    explain,
    glibc_needs,
    macos_needs,
    musl_needs,
)
from rustext.verify.facts.python.interpreter_files import join_findings
from rustext.verify.subject import Subject
from rustext.verify.target.policies import PRIVATE, Platform, oldest_musl_releases, target_policy
from rustext.verify.target.target import Target

_SHOWN = 6  # symbols of one version that a finding names


def check_floors(subject: Subject) -> Iterator[Finding]:
    """Find the files that need more than the target has."""
    target, image = subject.target, subject.bundle.image
    if target is None or target.version is None or target.format is not image.format:
        return
    if image.format is Format.MACHO:
        for architecture in target.architectures:
            yield from _check_macos(subject, target, architecture)
    elif uses_musl(image) and target.libc == "musl":
        yield from _check_musl(subject, target)
    elif not uses_musl(image) and target.libc == "glibc":
        yield from _check_glibc(subject, target)


def _check_glibc(subject: Subject, target: Target) -> Iterator[Finding]:
    policy = target_policy(target)
    above = [n for n in glibc_needs(subject.bundle, subject.edges) if not policy.has(n.version)]
    errors = []
    for path, needs in _by_file(explain(above)).items():
        finding = _judge_glibc(subject, target, path, needs)
        if finding.severity is Severity.ERROR:
            errors.append((path, finding))
        else:
            yield finding
    says = f"needs a newer glibc than {target.tag} promises"
    yield from join_findings(subject, errors, says)


def _judge_glibc(subject: Subject, target: Target, path: Path, needs: Sequence[Need]) -> Finding:
    policy = target_policy(target)
    hard = [need for need in needs if not need.weak]
    most = max(hard or needs, key=lambda need: _rank(need.version))
    name = subject.inside(path)
    lines = tuple(("needs", _line(need)) for need in needs)
    if all(need.version == PRIVATE for need in needs):
        return Finding(
            id="glibc-floor",
            severity=Severity.WARNING,
            subject=name,
            message=f"`{path.name}` calls functions that are private to glibc, and may be gone "
            "in another release",
            evidence=lines,
            hint="start the program on the systems that it has to run on",
        )
    if hard:
        return Finding(
            id="glibc-floor",
            severity=Severity.ERROR,
            subject=name,
            message=f"`{path.name}` needs {most.version}, which {target.tag} does not promise",
            evidence=(*lines, ("target has", _offer(policy, hard))),
            hint="build and freeze on a system as old as the target, such as its manylinux "
            "image, or name a newer `--target`",
        )
    return Finding(
        id="glibc-floor",
        severity=Severity.NOTE,
        subject=name,
        message=f"`{path.name}` uses {most.version} where there is one, and runs without",
        evidence=lines,
    )


def _check_musl(subject: Subject, target: Target) -> Iterator[Finding]:
    """A musllinux tag has no third number: a newer patch level may be missing, or be there."""
    wanted = target.version or (0, 0)
    for need in musl_needs(subject.bundle):
        version = Version(need.version)
        above = version.release[:2] > wanted
        if version.release[:2] < wanted or version == Version(f"{wanted[0]}.{wanted[1]}"):
            continue
        systems = ", ".join(oldest_musl_releases(version))
        yield Finding(
            id="musl-floor",
            severity=Severity.ERROR if above else Severity.WARNING,
            subject=subject.inside(need.path),
            message=f"`{need.path.name}` calls functions that musl has since {version}, "
            f"{'and' if above else 'which'} {target.tag} does not promise{' it' if above else ''}",
            evidence=(
                ("functions", name_few(need.symbols, _SHOWN)),
                ("first in", systems or "no known release"),
            ),
            hint="build against an older musl, or name a newer `--target`",
        )


def _check_macos(subject: Subject, target: Target, architecture: str) -> Iterator[Finding]:
    wanted = target.version or (0, 0)
    for need in macos_needs(subject.bundle, architecture):
        if Version(need.version).release[:2] > wanted:
            yield Finding(
                id="minimum-os",
                severity=Severity.ERROR,
                subject=subject.inside(need.path),
                message=f"`{need.path.name}` is built for macOS {need.version} or later, "
                f"{target.tag} begins with {wanted[0]}.{wanted[1]}",
                evidence=(("architecture", architecture),),
                hint="build it with MACOSX_DEPLOYMENT_TARGET set to the target's version, take an "
                "older wheel, or name a newer `--target`",
            )


def _by_file(needs: Iterable[Need]) -> dict[Path, list[Need]]:
    found: dict[Path, list[Need]] = defaultdict(list)
    for need in needs:
        found[need.path].append(need)
    return found


def _line(need: Need) -> str:
    weak = ", weakly" if need.weak else ""
    symbols = name_few(need.symbols, _SHOWN)
    return f"{need.version} of {need.library}{weak}{f': {symbols}' if symbols else ''}"


def _offer(policy: Platform, needs: Iterable[Need]) -> str:
    kinds = dict.fromkeys(need.version.partition("_")[0] for need in needs)
    return ", ".join(f"{kind}_{policy.versions.get(kind) or '-'}" for kind in kinds)


def _rank(version: str) -> tuple[bool, tuple[int, ...]]:
    """The C library's own versions first, the highest of them."""
    kind, _, number = version.rpartition("_")
    numbers = tuple(int(part) for part in number.split(".") if part.isdigit())
    return kind == "GLIBC", numbers
