"""Every known way of breaking a bundle is found, and nothing is found in a good one.

The loader has the last word: a bundle that is called clean does its work with the host's Python and
sources out of sight, and one that lacks a library that it needs does not start.
"""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

import pytest
from bundles import Bundle
from lab import FREEZERS
from mutations import MUTATIONS, Mutation

from rustext.environment import stdlib_environment
from rustext.findings import Finding, IsolatedRun, Severity
from rustext.verify import verify
from rustext.verify.bundle import read_bundle
from rustext.verify.fix_suffix import fix_suffixes
from rustext.verify.isolate import python_folders, run_isolated
from rustext.verify.plans import find_plan
from rustext.verify.target import parse_target

pytestmark = [pytest.mark.freezing, pytest.mark.network]

CASES = [
    pytest.param(mutation, freezer, id=f"{mutation.name}-{freezer}")
    for mutation in MUTATIONS
    for freezer in mutation.freezers
]


def judge(
    bundle: Bundle, run: IsolatedRun | None = None, target: str | None = None
) -> tuple[Finding, ...]:
    read = read_bundle(bundle.root)
    report = verify(
        read,
        stdlib=stdlib_environment(),
        run=run,
        plan=find_plan(read),
        target=parse_target(target) if target is not None else None,
    )
    return report.findings


def start(bundle: Bundle) -> IsolatedRun:
    facts = stdlib_environment().interpreter
    hide = python_folders(facts.prefixes, facts.stdlib)
    return run_isolated(bundle.root, bundle.program, hide=hide, timeout=60)


def errors(findings: tuple[Finding, ...]) -> list[tuple[str, str]]:
    return [(f.id, f.subject) for f in findings if f.severity is Severity.ERROR]


def check_agreement(static: tuple[Finding, ...], mutation: Mutation, *, works: bool) -> None:
    """What the files alone say is what the loader does.

    Whether a library is loaded first by somebody else, or a failed import is caught, no file says.
    """
    clean = all(f.severity is Severity.NOTE for f in static)
    if clean and mutation.id != "run":
        assert works, static
    if any(name == "missing-library" for name, _ in errors(static)):
        assert not works or mutation.optional, static


@pytest.mark.parametrize("freezer", FREEZERS)
def test_a_good_bundle_has_no_error_and_starts(
    freezer: str, good_bundles: dict[str, Bundle]
) -> None:
    bundle = good_bundles[freezer]
    ended = start(bundle)
    assert (ended.code, ended.stderr) == (0, "")
    assert errors(judge(bundle, ended)) == []


@pytest.mark.parametrize(("mutation", "freezer"), CASES)
def test_a_broken_bundle_is_found_out(
    mutation: Mutation, freezer: str, good_bundles: dict[str, Bundle], cache: Path, tmp_path: Path
) -> None:
    bundle = good_bundles[freezer].copy_to(tmp_path / "app")
    mutation.apply(bundle, cache)
    ended = start(bundle)
    works = ended.code == 0
    assert works == mutation.starts, ended
    static = judge(bundle, target=mutation.target)
    check_agreement(static, mutation, works=works)
    findings = judge(bundle, ended) if mutation.id == "run" else static
    found = [(f.severity.value, f.id, f.subject) for f in findings]
    wanted = (mutation.severity, mutation.id)
    assert any(f[:2] == wanted and fnmatch(f[2], mutation.subject) for f in found), found


@pytest.mark.parametrize("freezer", FREEZERS)
@pytest.mark.parametrize(
    "mutation",
    [m for m in MUTATIONS if m.id == "ext-suffix" and m.severity == "error"],
    ids=lambda m: m.name,
)
def test_a_misnamed_module_can_be_cured(
    mutation: Mutation, freezer: str, good_bundles: dict[str, Bundle], cache: Path, tmp_path: Path
) -> None:
    bundle = good_bundles[freezer].copy_to(tmp_path / "app")
    mutation.apply(bundle, cache)
    (note,) = fix_suffixes(read_bundle(bundle.root))
    assert note.severity is Severity.NOTE
    assert start(bundle).code == 0
    assert errors(judge(bundle)) == []


def test_there_are_at_least_forty_ways() -> None:
    assert len({m.name for m in MUTATIONS}) >= 40
