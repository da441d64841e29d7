"""Repair a finished bundle: verify, list the repairs, apply them to a copy, verify again.

In: a `Bundle`, and the environment that it was made from where that is known. Out: a
`RepairReport`. A library that comes along may need another one, so the steps are repeated until
verification finds nothing more that can be repaired. What cannot be repaired stays a finding.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from rustext.environment.environment import Environment
from rustext.errors import InvalidBinary, InvalidBundle
from rustext.model.crate_rule import CrateRule
from rustext.model.findings import Finding, Severity
from rustext.model.plan import BuildPlan
from rustext.model.repair import (
    AddMember,
    CopyFile,
    EditLoadCommands,
    RemoveFile,
    Repair,
    SetMode,
    Unrepaired,
)
from rustext.model.verification import VerifyReport
from rustext.repair.apply import MissingTool, apply_repair
from rustext.repair.case import Case, Proposal, Proposer
from rustext.repair.files import (
    repair_damaged,
    repair_duplicates,
    repair_links,
    repair_modes,
    repair_suffixes,
)
from rustext.repair.libraries import (
    repair_host_libraries,
    repair_install_names,
    repair_missing_libraries,
)
from rustext.repair.modules import PLANNED, repair_companions, repair_imports
from rustext.repair.origin import Origin
from rustext.repair.run_paths import repair_run_paths
from rustext.repair.signing import CannotSeal, find_broken_seal, propose_seal
from rustext.repair.versions import Versions
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.facts.left_plan import find_plan
from rustext.verify.facts.python.bundled_python import find_bundled_python
from rustext.verify.onefile.open_bundle import read_copy
from rustext.verify.subject import Subject
from rustext.verify.target.target import Target
from rustext.verify.verify import read_subject, verify

_ROUNDS = 12  # a library that needs another one that needs another one
PROPOSERS: tuple[Proposer, ...] = (
    repair_modes,
    repair_suffixes,
    repair_links,
    repair_imports,
    repair_companions,
    repair_damaged,
    repair_missing_libraries,
    repair_host_libraries,
    repair_install_names,
    repair_run_paths,
    repair_duplicates,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a user asks for: which findings, and what is known of the bundle besides its files."""

    stdlib: Environment
    select: frozenset[str] = frozenset()  # ids; all where it is empty
    plan: Path | None = None
    origin: Origin | None = None
    allow_system: Sequence[str] = ()
    crate_rules: tuple[CrateRule, ...] = ()
    target: Target | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is found out once, before anything is changed."""

    plan: BuildPlan | None
    guessed: bool = False  # whether the plan is the environment's
    versions: Versions | None = None  # none without an environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What became of a copy."""

    repairs: tuple[Repair, ...]
    unrepaired: tuple[Unrepaired, ...]
    before: VerifyReport
    after: Subject
    report: VerifyReport
    known: tuple[Finding, ...] = ()  # of the report, besides what the checks find in `after`


def repair_copy(bundle: Bundle, root: Path, wanted: Wanted) -> Repaired:
    """Repair a copy of a bundle in rounds until nothing more can be done; nothing else may use it.

    Raises `RustextError`; what has been done to the folder by then is not undone.
    """
    done: dict[tuple[object, ...], Repair] = {}
    failed: dict[tuple[object, ...], Unrepaired] = {}
    first: VerifyReport | None = None
    known, again = None, False
    for _ in range(_ROUNDS):
        copy = read_copy(bundle, root)
        known = known or _find_known(copy, wanted)
        subject = _read_subject(copy, wanted, known)
        report = verify(subject)
        first = first or report
        edited = frozenset(
            repair.place for repair in done.values() if isinstance(repair.change, EditLoadCommands)
        )
        proposals = propose(subject, report.findings, wanted, edited, known.versions)
        fresh = _fresh(proposals, done.keys() | failed)
        if not fresh:
            sealing = propose_seal(subject, _choose(first.findings, wanted), tuple(done.values()))
            proposals, fresh = (*proposals, *sealing), _fresh(sealing, done.keys() | failed)
        if not fresh and known.guessed and not again:
            known, again = None, True  # what has been brought may have more planned for it
            continue
        if not fresh:
            break
        again = False
        # What is closed may hold what else is missing.
        fresh = [p for p in fresh if isinstance(p.change, SetMode)] or fresh
        # Notes come last: what a file is for may be known once the others are there.
        fresh = [p for p in fresh if p.finding.severity is not Severity.NOTE] or fresh
        for repair in fresh:
            try:
                apply_repair(root, repair)
            except (MissingTool, InvalidBundle, InvalidBinary, CannotSeal) as error:
                failed[_key(repair)] = Unrepaired(finding=repair.finding, reason=error.line)
            else:
                done[_key(repair)] = repair
    blocked = [p for p in proposals if isinstance(p, Unrepaired)]
    unrepaired = tuple(dict.fromkeys((*failed.values(), *blocked)))
    broken = find_broken_seal(subject, report.findings, unrepaired)
    return Repaired(
        repairs=tuple(done.values()),
        unrepaired=unrepaired,
        before=first or report,
        after=subject,
        report=verify(subject, broken) if broken else report,
        known=broken,
    )


def _fresh(proposals: Iterable[Proposal], tried: Collection[tuple[object, ...]]) -> list[Repair]:
    return [p for p in proposals if isinstance(p, Repair) and _key(p) not in tried]


def _choose(findings: Iterable[Finding], wanted: Wanted) -> tuple[Finding, ...]:
    return tuple(f for f in findings if not wanted.select or f.id in wanted.select)


def _key(repair: Repair) -> tuple[object, ...]:
    return repair.place, repair.change


def _find_known(bundle: Bundle, wanted: Wanted) -> Known:
    """The plan that was left or is named, or else one for the modules that the bundle holds."""
    known, origin = Known(plan=find_plan(bundle, wanted.plan)), wanted.origin
    if origin is None:
        return known
    origin.check(find_bundled_python(bundle))
    subject = _read_subject(bundle, wanted, known)
    damaged = {finding.subject for finding in verify(subject).findings}
    versions = Versions(origin.env, bundle, subject.python, damaged)
    if known.plan is not None or (wanted.select and wanted.select.isdisjoint(PLANNED)):
        return replace(known, versions=versions)
    return Known(plan=origin.plan(subject, versions), guessed=True, versions=versions)


def _read_subject(bundle: Bundle, wanted: Wanted, known: Known) -> Subject:
    subject = read_subject(
        bundle,
        stdlib=wanted.stdlib,
        allow_system=wanted.allow_system,
        crate_rules=wanted.crate_rules,
        plan=known.plan,
        target=wanted.target,
    )
    return replace(subject, guessed=known.guessed)


def propose(
    subject: Subject,
    findings: Collection[Finding],
    wanted: Wanted,
    edited: frozenset[PurePosixPath],
    versions: Versions | None = None,
) -> tuple[Proposal, ...]:
    """The repairs of a bundle, worked out without changing anything."""
    chosen = _choose(findings, wanted)
    case = Case(subject=subject, findings=chosen, origin=wanted.origin, edited=edited)
    found: dict[object, Proposal] = {}
    for proposer in PROPOSERS:
        for proposal in _refuse_others(proposer(case), versions):
            found.setdefault(_target(proposal), proposal)
    return tuple(found.values())


def _refuse_others(proposals: Iterable[Proposal], versions: Versions | None) -> Iterator[Proposal]:
    """Let no file in of a distribution that the bundle has in another version."""
    refused = set()
    for proposal in proposals:
        change = proposal.change if isinstance(proposal, Repair) else None
        why = None
        if versions is not None and isinstance(change, CopyFile | AddMember):
            why = versions.why_not(change.source)
        if why is not None:
            refused.add(proposal.finding)
            if proposal.finding.severity is not Severity.NOTE:
                yield Unrepaired(finding=proposal.finding, reason=why)
        elif not isinstance(change, RemoveFile) or proposal.finding not in refused:
            yield proposal


def _target(proposal: Proposal) -> object:
    """What a proposal changes: a file, once in each round, or a part of one."""
    if isinstance(proposal, Unrepaired):
        return proposal
    if isinstance(proposal.change, AddMember | EditLoadCommands):
        return _key(proposal)
    return proposal.place
