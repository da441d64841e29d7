"""A record adds what something in the build has asked for, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pytest
from environments import environment, install, write_files

from rustext.model.evidence import EvidenceKind
from rustext.model.plan import CompanionKind
from rustext.plan.recorded import Recorded
from rustext.tracing.trace_file import Trace
from rustext.tracing.usage import ALL, PROGRAM, SYSTEM, Usage, Use, UseKind, merge_usages

POINTS = "[pack.plugins]\nplugin = pack.plugin:load\n"
SCRIPTS = "[console_scripts]\ntool = tool:main\n"


def usage(
    distribution: str, uses: Mapping[UseKind, Mapping[str, str]], version: str = "1.0"
) -> Usage:
    """The usage of one distribution; each thing has one asker."""
    return Usage(
        distribution=distribution,
        versions=() if distribution.startswith("(") else (version,),
        uses={
            kind: tuple(sorted(Use(name=n, askers=(a,)) for n, a in rows.items()))
            for kind, rows in uses.items()
        },
    )


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site-packages"
    files = {
        "pack/__init__.py": "", "pack/late.py": "", "pack/data/a.txt": "a", "pack/data/b.txt": "b",
        "pack/data/notes.md": "", "pack/rules/one.py": "", "pack/rules/two.py": "",
        "../../share/pack/x.txt": "x", "pack_dist-1.0.dist-info/entry_points.txt": POINTS,
    }  # fmt: skip
    install(folder, "pack-dist", files=files)
    install(folder, "tool", files={"tool.py": "", "tool-1.0.dist-info/entry_points.txt": SCRIPTS})
    install(folder, "runner", files={"runner/__init__.py": "", "runner/late.py": ""})
    return folder


def recorded(site: Path, *usages: Usage) -> Recorded:
    trace = Trace(usages=merge_usages(usages))
    return Recorded(trace, environment(site), where="rec.toml", folder=site.parent / "program")


def test_what_a_test_runner_did_stays_out(site: Path) -> None:
    record = recorded(
        site,
        usage("pack-dist", {UseKind.IMPORT_MODULE: {"pack.late": "pack"}}),
        usage("runner", {UseKind.IMPORT_MODULE: {"runner.late": "runner.config"}}),
    )
    (late,) = record.modules({"pack", "__main__"})
    assert late.module == "pack.late"
    assert [(e.kind, e.where) for e in late.evidence] == [(EvidenceKind.TRACED, "rec.toml")]
    assert [i.module for i in record.modules({"pack", "runner"})] == ["pack.late", "runner.late"]
    assert record.modules(set()) == ()


def test_import_statements_are_left_to_the_freezer(site: Path) -> None:
    uses = {UseKind.STATEMENT: {"pack.late": ""}}
    assert recorded(site, usage("pack-dist", uses)).modules({"pack"}) == ()


def test_a_module_that_is_gone_is_not_asked_for(site: Path) -> None:
    uses = {UseKind.IMPORT_MODULE: {"pack.renamed": "pack"}}
    assert recorded(site, usage("pack-dist", uses)).modules({"pack"}) == ()


def test_what_was_looked_for_is_there_for_the_programs_own_code(site: Path) -> None:
    """A package tries what may be installed; the program asks for a reason."""
    by_package = usage("runner", {UseKind.FIND_SPEC: {"runner": "pack"}})
    assert recorded(site, by_package).modules({"pack"}) == ()
    by_program = usage("runner", {UseKind.FIND_SPEC: {"runner": "__main__"}})
    assert [i.module for i in recorded(site, by_program).modules({"pack"})] == ["runner"]


def places(record: Recorded, *present: str) -> dict[str, CompanionKind]:
    return {str(c.destination): c.kind for c in record.companions(set(present))}


def test_files_keep_their_place_and_those_beside_the_prefix_move_to_the_bundles_own(
    site: Path,
) -> None:
    record = recorded(
        site,
        usage(
            "pack-dist",
            {
                UseKind.FILE: {"pack/data/a.txt": "pack", "../../share/pack/x.txt": "pack"},
                UseKind.SOURCE: {"pack/late.py": "pack"},
                UseKind.METADATA: {"METADATA": "__main__"},
            },
        ),
    )
    assert places(record, "pack") == {
        "pack/data/a.txt": CompanionKind.DATA,
        "share/pack/x.txt": CompanionKind.DATA,
        "pack/late.py": CompanionKind.DATA,
        "pack_dist-1.0.dist-info/METADATA": CompanionKind.METADATA,
    }
    assert places(record) == {"pack_dist-1.0.dist-info/METADATA": CompanionKind.METADATA}


def test_what_the_program_starts_python_with_is_included(site: Path) -> None:
    """The frozen program answers `-m` in Python's place."""
    install(
        site, "worker", files={"worker/__init__.py": "", "worker/__main__.py": "", "one.py": ""}
    )
    rows = {"python -m worker": "pack", "python -m one": "pack", "python -m gone": "pack"}
    others = {"python": "pack", "python -m tool": "runner", "worker": "pack"}
    record = recorded(site, usage(SYSTEM, {UseKind.PROGRAM: {**rows, **others}}))
    found = record.modules({"pack", "__main__"})
    assert [i.module for i in found] == ["one", "worker", "worker.__main__"]
    assert {i.reason for i in found} == {"run as a program by `pack`"}


def test_a_listed_folder_has_its_data_and_the_modules_that_were_found_by_it(site: Path) -> None:
    record = recorded(
        site,
        usage(
            "pack-dist",
            {
                UseKind.FOLDER: {"pack/data": "pack", "pack/rules": "pack"},
                UseKind.IMPORT_MODULE: {"pack.rules.one": "pack"},
            },
        ),
    )
    assert set(places(record, "pack")) == {
        "pack/data/a.txt",
        "pack/data/b.txt",
        "pack/data/notes.md",
        "pack/rules/one.py",
    }


def test_a_listed_folder_has_the_packages_that_were_found_by_it(site: Path) -> None:
    record = recorded(
        site,
        usage(
            "pack-dist",
            {
                UseKind.FOLDER: {"pack": "pack"},
                UseKind.IMPORT_MODULE: {"pack.rules.one": "pack", "pack.late": "pack"},
            },
        ),
    )
    assert places(record, "pack") == {
        "pack/late.py": CompanionKind.DATA,
        "pack/rules/one.py": CompanionKind.FOLDER,
    }


def test_who_goes_through_all_distributions_finds_those_in_the_build(site: Path) -> None:
    uses = {UseKind.METADATA: {"METADATA": "pack", "RECORD": "pack"}}
    record = recorded(site, usage(ALL, uses))
    assert set(places(record, "pack", "tool")) == {
        "pack_dist-1.0.dist-info/METADATA",
        "tool-1.0.dist-info/METADATA",
    }


def test_who_asks_for_all_entry_points_finds_those_of_plugins_in_the_build(site: Path) -> None:
    uses = {UseKind.METADATA: {"entry_points.txt": "pack", "RECORD": "pack"}}
    record = recorded(site, usage(ALL, uses))
    assert set(places(record, "pack", "tool")) == {
        "pack_dist-1.0.dist-info/METADATA",
        "pack_dist-1.0.dist-info/entry_points.txt",
    }


def test_a_file_of_metadata_comes_with_the_name_and_the_version(site: Path) -> None:
    """Without them `importlib.metadata` has a distribution of no name."""
    uses = {UseKind.METADATA: {"entry_points.txt": "pack"}}
    for of in (ALL, "pack-dist"):
        destinations = set(places(recorded(site, usage(of, uses)), "pack"))
        names = ("METADATA", "entry_points.txt")
        assert destinations == {f"pack_dist-1.0.dist-info/{name}" for name in names}


def test_the_programs_own_files_are_found_beside_its_first_file(site: Path) -> None:
    write_files(site.parent / "program", {"templates/page.html": "x"})
    record = recorded(site, usage(PROGRAM, {UseKind.FILE: {"templates/page.html": "__main__"}}))
    (companion,) = record.companions(set())
    assert companion.path == site.parent / "program/templates/page.html"
    assert companion.destination == PurePosixPath("templates/page.html")


def test_what_the_system_provides_is_not_added(site: Path) -> None:
    uses = {UseKind.LIBRARY: {"libc.so.6": "pack"}, UseKind.PROGRAM: {"git": "pack"}}
    assert recorded(site, usage(SYSTEM, uses)).companions({"pack"}) == ()


def test_rows_of_another_version_are_said_to_be_stale(site: Path) -> None:
    late = {UseKind.IMPORT_MODULE: {"pack.late": "pack"}}
    assert recorded(site, usage("pack-dist", late)).stale == ()
    (line,) = recorded(site, usage("pack-dist", late, version="0.9")).stale
    assert "pack-dist 0.9" in line
    assert "1.0 is installed" in line
    (gone,) = recorded(site, usage("removed", late)).stale
    assert "removed 1.0, which is not installed" in gone
