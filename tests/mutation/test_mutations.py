"""Every known way of breaking a bundle is found, and nothing is found in a good one.

The loader has the last word: a bundle that is called clean does its work with the host's Python and
sources out of sight, and one that lacks a library that it needs does not start.
"""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

import pytest
from bundles import Bundle
from lab import FREEZERS
from mutations import HARMLESS, MUTATIONS, Mutation

from rustext.environment.environment import stdlib_environment
from rustext.model.findings import Finding, Severity
from rustext.model.verification import IsolatedRun
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.facts.left_plan import find_plan
from rustext.verify.fix_suffix import fix_suffixes
from rustext.verify.run.isolated_run import python_folders, run_isolated
from rustext.verify.target.target import find_target
from rustext.verify.verify import read_subject, verify

pytestmark = [pytest.mark.freezing, pytest.mark.network]

# Each mutation with one of the freezers always, in turn, and with the other by `./test --all`.
CASES = [
    pytest.param(
        mutation,
        freezer,
        id=f"{mutation.name}-{freezer}",
        marks=pytest.mark.slow if len(mutation.freezers) == 2 and (place + nth) % 2 else (),
    )
    for place, mutation in enumerate(MUTATIONS)
    for nth, freezer in enumerate(mutation.freezers)
]


def judge(
    bundle: Bundle, run: IsolatedRun | None = None, target: str | None = None
) -> tuple[Finding, ...]:
    read = read_bundle(bundle.root)
    report = verify(
        read_subject(
            read,
            stdlib=stdlib_environment(),
            run=run,
            plan=find_plan(read),
            target=find_target(target),
        )
    )
    return report.findings


def start(bundle: Bundle) -> IsolatedRun:
    facts = stdlib_environment().interpreter
    hide = python_folders(facts.prefixes, facts.stdlib)
    return run_isolated(bundle.root, bundle.program, hide=hide, timeout=60)


def errors(findings: tuple[Finding, ...]) -> list[tuple[str, str]]:
    return [(f.id, f.subject) for f in findings if f.severity is Severity.ERROR]


def check_agreement(static: tuple[Finding, ...], ended: IsolatedRun, mutation: Mutation) -> None:
    """What the files alone say is what the loader does; it names the library that it misses.

    Whether a library is loaded first by somebody else, or a failed import is caught, no file says.
    """
    if all(f.severity is Severity.NOTE for f in static) and mutation.id != "run":
        assert ended.code == 0, static
    found = [f for f in static if (f.id, f.severity) == ("missing-library", Severity.ERROR)]
    if found:
        assert ended.code != 0, static
        # Or else the file that needs it, where that is none of its own.
        users = [text for f in found for label, text in f.evidence if label == "needed by"]
        names = {Path(text).name for text in (*users, *(f.subject for f in found))}
        # For the loader itself the kernel looks, and does not say for what (execve(2): ENOENT); a
        # library that is cut short ends the loader with a signal.
        unnamed = ended.code < 0 or (ended.code == 126 and "No such file" in ended.stderr)
        assert unnamed or any(name in ended.stderr for name in names), ended


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
    assert (ended.code == 0) == mutation.starts, ended
    findings = judge(bundle)
    check_agreement(findings, ended, mutation)
    if mutation.id == "run":
        findings = judge(bundle, ended)
    elif mutation.target is not None:
        findings = judge(bundle, target=mutation.target)
    found = [(f.severity.value, f.id, f.subject) for f in findings]
    wanted = (mutation.severity, mutation.id)
    assert any(f[:2] == wanted and fnmatch(f[2], mutation.subject) for f in found), found


@pytest.mark.parametrize("freezer", FREEZERS)
@pytest.mark.parametrize("change", HARMLESS, ids=lambda change: change.__name__)
def test_what_does_no_harm_is_no_error(
    change: Callable[[Bundle, Path], None],
    freezer: str,
    good_bundles: dict[str, Bundle],
    cache: Path,
    tmp_path: Path,
) -> None:
    bundle = good_bundles[freezer].copy_to(tmp_path / "app")
    change(bundle, cache)
    assert start(bundle).code == 0
    assert errors(judge(bundle)) == []


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
