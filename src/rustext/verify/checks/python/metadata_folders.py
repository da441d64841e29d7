"""Find the metadata in a bundle that cannot be read, is there twice, or names modules that are not.

In: a `Subject`. Out: warnings `missing-metadata` about `*.dist-info` folders that tell no name or
version, and about two of one distribution, of which `importlib.metadata` takes the one that the
system lists first; `missing-import` about entry points that a package offers to itself and lacks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from rustext.environment.distributions import COMMANDS, Distribution, iter_distributions
from rustext.model.faults import Fault
from rustext.model.findings import Finding, Severity
from rustext.verify.bundle.program import Freezer
from rustext.verify.facts.python.code_names import names_word
from rustext.verify.subject import Subject

_HINT = "build the bundle into an empty folder, and look at what has changed it since"


def check_metadata(subject: Subject) -> Iterator[Finding]:
    """Find metadata that does not say what it should."""
    contents = subject.bundle.contents
    faults: list[Fault] = []
    found = defaultdict(list)
    for dist in iter_distributions(contents, faults):
        found[dist.name].append(dist)
        if not dist.version:
            faults.append(
                Fault(path=contents / dist.metadata, reason="it tells no version", effect="")
            )
    for fault in faults:
        folder = fault.path if fault.path.name.endswith(".dist-info") else fault.path.parent
        if folder.suffix == ".dist-info" and fault.path.name in {folder.name, "METADATA"}:
            yield _warn(
                folder.name.partition("-")[0],
                f"the metadata in `{subject.inside(folder)}` cannot be read",
                (("because", fault.reason),),
            )
    for name, dists in sorted(found.items()):
        if len(dists) > 1:
            lines = [("in", subject.inside(contents / dist.metadata)) for dist in dists]
            message = f"the bundle holds metadata of `{name}` {len(dists)} times, and Python takes "
            yield _warn(name, f"{message}what the system lists first", sorted(lines))
    if subject.bundle.freezer is not Freezer.UNKNOWN:
        for dist in (dist for dists in found.values() for dist in dists):
            yield from _find_lacking_points(subject, dist)


def _warn(name: str, message: str, evidence: Sequence[tuple[str, str]]) -> Finding:
    return Finding(
        id="missing-metadata",
        severity=Severity.WARNING,
        subject=name,
        message=message,
        evidence=tuple(evidence),
        hint=_HINT,
    )


def _find_lacking_points(subject: Subject, dist: Distribution) -> Iterator[Finding]:
    """Entry points in a group of the package's own name that code of the bundle names.

    Others are for others, that may not be there.
    """
    bundle = subject.bundle
    modules = bundle.modules
    for group, module in sorted(set(dist.entry_points)):
        top = module.partition(".")[0]
        own = group not in COMMANDS and group.partition(".")[0] == top and top in modules
        if own and module not in modules and names_word(bundle, bundle.program, group):
            yield Finding(
                id="missing-import",
                severity=Severity.WARNING,
                subject=module,
                message=f"an entry point of `{dist.name}` names `{module}`, which is not in the "
                "bundle",
                evidence=(("group", group), ("in", f"{dist.metadata}/entry_points.txt")),
                hint="name the module to the freezer",
            )
