"""Render the libraries of a native file: as a tree for a terminal, as a graph for Graphviz.

In: library graphs. Out: lines for a console, or text in the DOT language
(https://graphviz.org/doc/info/lang.html). Both show each request, how it was met, and for a missing
library every place that the loader would look at. The same graphs always give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from pathlib import Path

from rustext.model.image import NeedKind
from rustext.model.libraries import Edge, FoundBy, LibraryGraph, Missing, Resolved, Searched
from rustext.model.plan import ExtensionPlan
from rustext.report.console import Console, Segment, Style
from rustext.report.escape import one_line

# What leads to a branch, and to what is below it: the last of its kind, and the others.
_LAST, _OTHER = ("└── ", "    "), ("├── ", "│   ")
_ASCII = str.maketrans("└├─│", "`+-|")

_Item = Edge | Searched


def print_libraries(console: Console, plans: Iterable[ExtensionPlan], *, dot: bool) -> None:
    """The libraries alone, of one native file or several."""
    if dot:
        console.write(library_dot(plan.libraries for plan in plans))
        return
    for plan in plans:
        console.line((plan.file.module or str(plan.file.path), Style.BOLD))
        for line in iter_library_lines(plan.libraries, unicode=console.unicode):
            console.line(*line)


# --- tree -------------------------------------------------------------------------------------


def iter_library_lines(graph: LibraryGraph, *, unicode: bool = True) -> Iterator[Sequence[Segment]]:
    """The libraries as a tree below the file that asks for them, in lines for a console.

    A library's own needs hang below the request that brought it into the process; to all others
    it is already loaded, and is one dim line without them.
    """
    children: dict[Path, list[Edge]] = {}
    for edge in graph.edges:
        children.setdefault(edge.needed_by, []).append(edge)
    brought = {e.path for e in graph.edges if isinstance(e, Resolved) and not _is_again(e)}
    shown = {graph.root}
    waiting = _branches("", children.get(graph.root, ()))
    while waiting:
        lead, item, (guide, space) = waiting.pop()
        drawn = lead + guide if unicode else (lead + guide).translate(_ASCII)
        yield ((drawn, Style.DIM), *_label(item, brought))
        below: Sequence[_Item] = ()
        if isinstance(item, Missing):
            below = item.searched
        elif isinstance(item, Resolved) and item.path and not _is_again(item):
            below = () if item.path in shown else children.get(item.path, ())
            shown.add(item.path)
        waiting += _branches(lead + space, below)


def _branches(lead: str, items: Sequence[_Item]) -> list[tuple[str, _Item, tuple[str, str]]]:
    """Items to draw below one file, the first of them on top."""
    return [(lead, item, _OTHER if n else _LAST) for n, item in enumerate(reversed(items))]


def _is_again(edge: Resolved) -> bool:
    return edge.how in {FoundBy.LOADED, FoundBy.SELF}


def _label(item: _Item, brought: Set[Path | None]) -> Sequence[Segment]:
    if isinstance(item, Searched):
        return ((_place(item), Style.DIM),)
    if isinstance(item, Missing):
        weak = item.kind is NeedKind.WEAK
        absence = (_absence(item), Style.BOLD_YELLOW if weak else Style.BOLD_RED)
        return ((item.soname, Style.YELLOW if weak else Style.RED), " ", absence)
    how = item.how.value if item.kind is NeedKind.NORMAL else f"{item.how.value}, {item.kind.value}"
    where = f"  {item.path}" if item.path else ""
    if _is_again(item):
        own = item.path in brought or item.how is FoundBy.SELF
        return ((f"{item.soname} [{how}]{'' if own else where}", Style.DIM),)
    return (f"{item.soname} ", (f"[{how}]", Style.CYAN), (where, Style.DIM))


def _absence(edge: Missing) -> str:
    if edge.kind is NeedKind.WEAK:
        return "absent, and may be"
    return "missing" if edge.searched else "missing: no folder is searched for it"


def _place(place: Searched) -> str:
    why = f": {place.rejected}" if place.rejected else ""
    return f"searched {place.path} ({place.how.value}){why}"


# --- DOT --------------------------------------------------------------------------------------


def library_dot(graphs: Iterable[LibraryGraph]) -> str:
    """One directed graph of all files: `rustext inspect … --format dot | dot -Tsvg`.

    A file is one node however often it is needed, and so is a missing name; a dashed line is a
    request that may stay unmet, or that is met late.
    """
    numbers: dict[str, int] = {}  # paths may name a temporary folder, so they are no identifiers
    nodes: dict[str, str] = {}
    lines: dict[str, None] = {}

    def node(name: str, attributes: str) -> str:
        number = f"n{numbers.setdefault(name, len(numbers))}"
        nodes.setdefault(number, attributes)
        return number

    for graph in graphs:
        node(str(graph.root), _node(graph.root.name, "penwidth=2"))
        for edge in graph.edges:
            source = node(str(edge.needed_by), _node(edge.needed_by.name))
            target = node(_target(edge), _target_node(edge))
            lines[f"  {source} -> {target} [{_arrow(edge)}];"] = None
    head = ("digraph libraries {", "  rankdir=LR;", "  node [shape=box, fontname=sans];")
    body = (f"  {number} [{attributes}];" for number, attributes in nodes.items())
    return "\n".join((*head, *body, *lines, "}\n"))


def _target(edge: Edge) -> str:
    return str(edge.path) if isinstance(edge, Resolved) and edge.path else edge.soname


def _target_node(edge: Edge) -> str:
    if isinstance(edge, Missing):
        colour = "orange" if edge.kind is NeedKind.WEAK else "red"
        return _node(edge.soname, f"color={colour}, fontcolor={colour}, style=dashed")
    if edge.path is None:
        return _node(edge.soname, "style=rounded")
    return _node(edge.path.name)


def _node(label: str, attributes: str = "") -> str:
    return f"label={_quoted(label)}" + (f", {attributes}" if attributes else "")


def _arrow(edge: Edge) -> str:
    label = "missing" if isinstance(edge, Missing) else edge.how.value
    late = edge.kind in {NeedKind.WEAK, NeedKind.LAZY}
    return f"label={_quoted(label)}" + (", style=dashed" if late else "")


def _quoted(text: str) -> str:
    """A quoted string of the DOT language, in which only quotes and escapes mean something."""
    return '"' + one_line(text).replace("\\", "\\\\").replace('"', '\\"') + '"'
