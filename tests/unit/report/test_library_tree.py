"""Libraries as a tree and as a Graphviz picture."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from compiling import MODULE, Compile

from rustext.cli.main import run
from rustext.formats.binary import read_binary
from rustext.model.image import NeedKind
from rustext.model.libraries import Edge, FoundBy, LibraryGraph, Missing, Resolved, Searched
from rustext.report.console import Console
from rustext.report.library_tree import iter_library_lines, library_dot

pytestmark = pytest.mark.usefixtures("lean_path")

ROOT, MID, LEAF, LIBC = Path("/app/mod.so"), Path("/app/mid.so"), Path("/l/leaf.so"), Path("/l/c")


def found(name: str, path: Path | None, by: Path, how: FoundBy = FoundBy.RUNPATH) -> Resolved:
    return Resolved(soname=name, path=path, how=how, needed_by=by)


def missing(name: str, by: Path, kind: NeedKind = NeedKind.NORMAL) -> Missing:
    searched = (
        Searched(how=FoundBy.RUNPATH, path=f"/app/{name}", rejected="wrong ELF class: 32-bit"),
        Searched(how=FoundBy.DEFAULT, path=f"/lib/{name}"),
    )
    return Missing(soname=name, searched=searched, needed_by=by, kind=kind)


def graph(*edges: Edge) -> LibraryGraph:
    return LibraryGraph(root=ROOT, edges=edges)


def drawn(edges: LibraryGraph, *, colour: bool = False) -> list[str]:
    stream = io.StringIO()
    console = Console(stream=stream, styled=colour)
    for line in iter_library_lines(edges):
        console.line(*line)
    return stream.getvalue().splitlines()


def test_each_library_stands_below_the_file_that_needs_it_with_how_it_was_found() -> None:
    edges = graph(found("mid", MID, ROOT), found("leaf", LEAF, MID, FoundBy.CACHE))
    assert drawn(edges) == [
        "└── mid [runpath]  /app/mid.so",
        "    └── leaf [ld.so.cache]  /l/leaf.so",
    ]


def test_what_a_library_needs_hangs_below_the_request_that_loaded_it() -> None:
    edges = graph(
        found("mid", MID, ROOT),
        found("leaf", LEAF, ROOT),
        found("leaf", LEAF, MID, FoundBy.LOADED),
        found("libc", LIBC, LEAF, FoundBy.CACHE),
    )
    assert drawn(edges) == [
        "├── mid [runpath]  /app/mid.so",
        "│   └── leaf [already loaded]",
        "└── leaf [runpath]  /l/leaf.so",
        "    └── libc [ld.so.cache]  /l/c",
    ]


def test_a_library_that_the_process_had_before_shows_its_path() -> None:
    edges = graph(found("mid", MID, ROOT, FoundBy.LOADED), found("mod", ROOT, ROOT, FoundBy.SELF))
    assert drawn(edges) == [
        "├── mid [already loaded]  /app/mid.so",
        "└── mod [itself]",
    ]


def test_libraries_that_need_each_other_end() -> None:
    edges = graph(
        found("mid", MID, ROOT),
        found("leaf", LEAF, MID),
        found("/app/mid", MID, LEAF, FoundBy.PATH),
        found("/app/mod", ROOT, LEAF, FoundBy.PATH),
    )
    assert drawn(edges)[-2:] == [
        "        ├── /app/mid [path]  /app/mid.so",
        "        └── /app/mod [path]  /app/mod.so",
    ]


def test_missing_libraries_list_all_places_and_weak_ones_say_so() -> None:
    edges = graph(missing("gone", ROOT), missing("maybe", ROOT, NeedKind.WEAK))
    assert drawn(edges) == [
        "├── gone missing",
        "│   ├── searched /app/gone (runpath): wrong ELF class: 32-bit",
        "│   └── searched /lib/gone (default directory)",
        "└── maybe absent, and may be",
        "    ├── searched /app/maybe (runpath): wrong ELF class: 32-bit",
        "    └── searched /lib/maybe (default directory)",
    ]
    nowhere = Missing(soname="@rpath/x", searched=(), needed_by=ROOT)
    assert drawn(graph(nowhere))[0] == "└── @rpath/x missing: no folder is searched for it"


def test_colour_says_nothing_that_the_words_do_not_say() -> None:
    edges = graph(missing("gone", ROOT), found("[red]", LEAF, ROOT))
    coloured = drawn(edges, colour=True)
    assert "\x1b[31m" in coloured[0]
    assert [re.sub(r"\x1b\[[\d;]*m", "", line) for line in coloured] == drawn(edges)
    assert drawn(edges)[-1] == "└── [red] [runpath]  /l/leaf.so"


def test_dot_draws_a_file_once_and_each_request_as_a_line() -> None:
    one = graph(
        found("mid", MID, ROOT),
        found("leaf", LEAF, MID),
        found("leaf", LEAF, ROOT, FoundBy.LOADED),
        found("system", None, LEAF, FoundBy.SYSTEM),
        missing('go"ne', LEAF),
        missing("maybe", LEAF, NeedKind.WEAK),
    )
    other = LibraryGraph(root=Path("/app/two.so"), edges=(found("mid", MID, Path("/app/two.so")),))
    text = library_dot([one, other])
    assert text == library_dot([one, other])
    assert text.splitlines() == [
        "digraph libraries {",
        "  rankdir=LR;",
        "  node [shape=box, fontname=sans];",
        '  n0 [label="mod.so", penwidth=2];',
        '  n1 [label="mid.so"];',
        '  n2 [label="leaf.so"];',
        '  n3 [label="system", style=rounded];',
        '  n4 [label="go\\"ne", color=red, fontcolor=red, style=dashed];',
        '  n5 [label="maybe", color=orange, fontcolor=orange, style=dashed];',
        '  n6 [label="two.so", penwidth=2];',
        '  n0 -> n1 [label="runpath"];',
        '  n1 -> n2 [label="runpath"];',
        '  n0 -> n2 [label="already loaded"];',
        '  n2 -> n3 [label="system"];',
        '  n2 -> n4 [label="missing"];',
        '  n2 -> n5 [label="missing", style=dashed];',
        '  n6 -> n1 [label="runpath"];',
        "}",
    ]


def test_inspect_prints_the_tree_or_the_picture_alone(
    gcc: Compile, capfd: pytest.CaptureFixture[str]
) -> None:
    linked = ("-Wl,--no-as-needed", "-lm", "-lc")
    module = gcc("drawn.so", MODULE, "-shared", "-fPIC", "-nostdlib", *linked)
    assert run(["inspect", "--tree", str(module)]) == 0
    tree = capfd.readouterr().out.splitlines()
    needed = [n.name for n in read_binary(module).image.needed]
    assert tree[0] == "drawn.so"  # exports PyInit_demo, so nothing imports it
    assert [line.split()[1] for line in tree[1:] if line[0] in "├└"] == needed
    assert needed == ["libm.so.6", "libc.so.6"]
    assert run(["inspect", "--format", "dot", str(module)]) == 0
    dot = capfd.readouterr().out
    assert dot.startswith("digraph libraries {\n")
    assert all(f'label="{name}"' in dot for name in needed)
